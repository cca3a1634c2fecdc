//! What an entry says: who did what, when, from where, to what, and what came of it.
//!
//! An entry is kept as the JSON text that is made of it once, without blanks and with its members in the order of the
//! fields here; its hash is over exactly that text. It knows nothing of files.

use jiff::Timestamp;
use opendcre_model::{BoardId, DeviceId, Identity, Login, Subject};
use serde::{Deserialize, Serialize};

use crate::Principal;

/// The most characters that a text of somebody who was refused may have in an entry.
const MAX_REFUSED_TEXT: usize = 200;

/// What an entry is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditKind {
    /// The file was begun.
    Created,
    /// The service has started.
    Started,
    /// The service stops.
    Stopped,
    /// A change is about to be sent.
    Intent,
    /// What came of a change.
    Outcome,
    /// Somebody may not do what they asked for.
    Refused,
    /// Somebody did not prove who they are.
    LoginRefused,
    /// More was refused than is recorded one by one.
    MoreRefused,
    /// The log can be written again, after it could not be.
    Resumed,
}

/// An entry of the audit log. What is empty is left out of its text.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AuditEntry {
    /// What it is about.
    pub kind: AuditKind,
    /// When it happened; the first time, if it stands for several.
    pub time: Timestamp,
    /// When it happened last, if it stands for several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// How often it happened, if it stands for several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// What the intent and the outcome of one change have in common.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// Who did it, or claimed to be whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub who: Option<AuditWho>,
    /// Where the request came from.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub remote: String,
    /// The id of the request.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub request_id: String,
    /// What was to be done.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub action: String,
    /// What it was to be done to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<AuditTarget>,
    /// The name of the driver that does it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub driver: String,
    /// The machine that was meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
    /// The text that the action stores, if it stores one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// What else the action says.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub parameters: String,
    /// What came of it, for programs.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub code: String,
    /// What came of it, for people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
}

/// Somebody, as the audit log names them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditWho {
    /// Their name.
    pub name: String,
    /// How they proved it; nothing if they did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub login: Option<Login>,
    /// Who vouches for them; empty where there is only one who could.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub provider: String,
}

/// What an action is done to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditTarget {
    /// The board.
    pub board: BoardId,
    /// The device, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<DeviceId>,
    /// What the board is called, if that is known.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Its rack, if that is known.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub rack: String,
}

impl AuditKind {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Created,
        Self::Started,
        Self::Stopped,
        Self::Intent,
        Self::Outcome,
        Self::Refused,
        Self::LoginRefused,
        Self::MoreRefused,
        Self::Resumed,
    ];
}

impl AuditEntry {
    /// An entry that says nothing but this.
    #[must_use]
    pub const fn new(kind: AuditKind, time: Timestamp) -> Self {
        Self {
            kind,
            time,
            until: None,
            count: None,
            id: String::new(),
            who: None,
            remote: String::new(),
            request_id: String::new(),
            action: String::new(),
            target: None,
            driver: String::new(),
            identity: None,
            text: None,
            parameters: String::new(),
            code: String::new(),
            message: String::new(),
        }
    }

    /// The same, by `principal`.
    #[must_use]
    pub fn by(self, principal: &Principal) -> Self {
        let Principal { subject, remote, request_id } = principal;
        let (remote, request_id) = (remote.to_string(), request_id.to_string());
        Self { who: Some(subject.as_ref().into()), remote, request_id, ..self }
    }

    /// The same, with a message for people.
    #[must_use]
    pub fn saying(self, message: impl Into<String>) -> Self {
        Self { message: message.into(), ..self }
    }

    /// The text that is kept of it.
    pub(super) fn to_text(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }

    /// The same without what exceeds the length of anything sensible: whoever is refused decides what most of it says.
    pub(super) fn shortened(self) -> Self {
        let who = self.who.map(|who| AuditWho {
            name: shorten(who.name),
            provider: shorten(who.provider),
            login: who.login,
        });
        Self {
            who,
            remote: shorten(self.remote),
            request_id: shorten(self.request_id),
            action: shorten(self.action),
            text: self.text.map(shorten),
            parameters: shorten(self.parameters),
            code: shorten(self.code),
            message: shorten(self.message),
            ..self
        }
    }
}

fn shorten(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(MAX_REFUSED_TEXT) {
        text.truncate(end);
        text.push('…');
    }
    text
}

impl AuditWho {
    /// Somebody who claims to be called `name`, and has not proved it.
    #[must_use]
    pub fn claimed(name: &str) -> Self {
        Self { name: name.to_owned(), login: None, provider: String::new() }
    }
}

impl From<&Subject> for AuditWho {
    fn from(subject: &Subject) -> Self {
        Self { name: subject.name.clone(), login: Some(subject.login), provider: subject.provider.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_who_is_refused_says_is_shortened() {
        let long = AuditEntry {
            remote: "ä".repeat(MAX_REFUSED_TEXT),
            ..AuditEntry::new(AuditKind::LoginRefused, Timestamp::UNIX_EPOCH).saying("x".repeat(1 << 20))
        };
        let short = long.clone().shortened();
        assert_eq!(short.remote, long.remote);
        assert_eq!(short.message, format!("{}…", "x".repeat(MAX_REFUSED_TEXT)));
    }

    #[test]
    fn what_is_empty_is_left_out() {
        let entry = AuditEntry::new(AuditKind::Started, Timestamp::UNIX_EPOCH).saying("0.1.0");
        let text = r#"{"kind":"started","time":"1970-01-01T00:00:00Z","message":"0.1.0"}"#;
        assert_eq!(entry.to_text().unwrap(), text);
    }
}
