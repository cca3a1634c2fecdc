//! Why somebody may do something, or may not: role by role.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use opendcre_model::{DeviceAddress, DeviceId, Extent, Grant, Login, Subject, excerpt};
use thiserror::Error;

use super::selector::{Bound, Cover, Miss, Selector};
use super::{Held, Namesake, Policy, Source, Understood, Verb, who};
use crate::inventory::Inventory;
use crate::{BoardRecord, GatewayError, RangeError};

/// A question about what somebody may do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Question {
    /// Who: a name, or a login, its provider and a name, as in `ldap:corp/ada`. Nothing: whoever asks. A name alone is
    /// that of nobody in particular: what is only for people of one provider is not for them.
    pub user: Option<String>,
    /// How they prove who they are, in a word such as `ldap`, if the user does not say it.
    pub login: Option<String>,
    /// Who vouches for them, if the user does not say it.
    pub provider: Option<String>,
    /// Their groups.
    pub groups: Vec<String>,
    /// Roles that come with what they prove it by, and hold everywhere. Without any, a token is looked up, and has what it
    /// was made with.
    pub roles: Vec<String>,
    /// A verb, or an action such as `power`.
    pub action: String,
    /// The boards, as a node range. Nothing: everywhere.
    pub target: Option<String>,
    /// The id or name of the device of each board. Nothing: everything that they hold.
    pub device: Option<String>,
}

/// An answer to a [`Question`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// Who it is about.
    pub subject: Arc<Subject>,
    /// What they must be allowed to do.
    pub verb: Verb,
    /// Whether they may do it on everything that was asked about.
    pub is_permitted: bool,
    /// Why, in one sentence.
    pub reason: String,
    /// The roles that were looked at.
    pub considered: Vec<Considered>,
}

/// A role that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Considered {
    /// The number of the rule that grants it, from 1; nothing if it comes with the proof of who they are, or because they
    /// present nothing.
    pub rule: Option<usize>,
    /// The role.
    pub role: String,
    /// Where it holds.
    pub extent: Extent,
    /// Whether it alone permits everything that was asked about.
    pub permits: bool,
    /// Why, in a few words.
    pub reason: String,
}

/// Why a question has no answer.
#[derive(Debug, Error)]
pub enum WhyError {
    /// Whoever asks may not know.
    #[error("{0}")]
    Refused(GatewayError),
    /// There is no such action.
    #[error("{action:?} is no action; use one of {words}")]
    UnknownAction {
        /// The word, shortened.
        action: String,
        /// The words that there are.
        words: String,
    },
    /// There is no such login.
    #[error("{0:?} is no login; use local, token, oidc, ldap, certificate, proxy or anonymous")]
    UnknownLogin(String),
    /// There is no such token, or not any more.
    #[error(
        "{reason}; `opendcre token list` shows all, and with roles one is asked about that is not made yet"
    )]
    UnknownToken {
        /// Why it has nothing.
        reason: String,
    },
    /// No board of the target has such a device.
    #[error("{board} has no device {device:?}; its devices are shown with it")]
    UnknownDevice {
        /// The board, in a few words.
        board: String,
        /// The device, shortened.
        device: String,
    },
    /// The target is no node range.
    #[error("{0}")]
    Target(RangeError),
}

/// What a question is about, looked up.
pub(crate) struct Asked {
    pub(crate) verb: Verb,
    /// Nothing: everywhere.
    pub(crate) target: Option<Vec<Arc<BoardRecord>>>,
    pub(crate) device: Option<String>,
}

/// How much of the target a role covers.
struct Coverage<'a> {
    /// The boards that are covered as far as it was asked.
    covered: usize,
    /// The first one that is not, and why.
    missed: Option<(&'a BoardRecord, Cover)>,
}

impl Question {
    /// The verb that is asked about.
    pub(crate) fn verb(&self) -> Result<Verb, WhyError> {
        Verb::of_word(&self.action)
            .ok_or_else(|| WhyError::UnknownAction { action: excerpt(&self.action), words: Verb::words() })
    }

    /// Somebody as the question describes them. A user of this machine unless it says more.
    pub(crate) fn described(&self, user: &str) -> Result<Subject, WhyError> {
        let login = self
            .login
            .as_deref()
            .map(|word| who::login(word).ok_or_else(|| WhyError::UnknownLogin(excerpt(word))));
        let login = login.transpose()?;
        let qualified = who::qualified(user).filter(|_| login.is_none());
        let (login, provider, name) = match qualified {
            Some(known) => (known.login, known.provider, known.name),
            None => (login.unwrap_or(Login::Local), None, user),
        };
        let provider = provider.or(self.provider.as_deref()).unwrap_or_default();
        Ok(Subject {
            name: name.to_owned(),
            login,
            provider: provider.to_owned(),
            groups: self.groups.clone(),
            grants: self
                .roles
                .iter()
                .map(|role| Grant { role: role.clone(), extent: Extent::default() })
                .collect(),
        })
    }
}

impl Asked {
    /// The devices of `board` that were asked about; nothing if it is everything.
    fn devices(&self, board: &BoardRecord) -> Option<BTreeSet<DeviceId>> {
        let called = self.device.as_deref()?;
        let id = called.parse().ok();
        let named = board.devices.iter().filter(|device| {
            let is_called = device.name.as_ref().is_some_and(|name| name.eq_ignore_ascii_case(called));
            is_called || id == Some(device.id)
        });
        Some(named.map(|device| device.id).collect())
    }

    /// Makes sure that every board has the device.
    pub(crate) fn check(&self) -> Result<(), WhyError> {
        let boards = self.target.iter().flatten();
        let without = boards.map(|board| (board, self.devices(board)));
        let mut without = without.filter(|(_, devices)| devices.as_ref().is_some_and(BTreeSet::is_empty));
        match without.next() {
            None => Ok(()),
            Some((board, _)) => Err(WhyError::UnknownDevice {
                board: board.describe(),
                device: excerpt(self.device.as_deref().unwrap_or_default()),
            }),
        }
    }

    fn is_covered(&self, board: &BoardRecord, cover: &Cover) -> bool {
        match (cover, self.devices(board)) {
            (Cover::Whole, _) => true,
            (Cover::Devices(covered), Some(devices)) => devices.is_subset(covered),
            (Cover::Devices(_), None) | (Cover::Nothing(_), _) => false,
        }
    }

    fn coverage<'a>(&self, target: &'a [Arc<BoardRecord>], bound: &Bound<'_>) -> Coverage<'a> {
        let covers = target.iter().map(|board| (&**board, bound.cover(board)));
        let (covered, missed): (Vec<_>, Vec<_>) =
            covers.partition(|(board, cover)| self.is_covered(board, cover));
        Coverage { covered: covered.len(), missed: missed.into_iter().next() }
    }
}

impl Policy {
    /// Why `subject` may do what is asked about, or may not; also with the rules that are not for them, if that is
    /// wanted.
    pub(crate) fn explain(
        &self,
        subject: Arc<Subject>,
        asked: &Asked,
        inventory: &Inventory,
        with_others: bool,
    ) -> Explanation {
        let held: Vec<Held<'_>> = self.held(&subject).collect();
        let mut considered: Vec<Considered> =
            held.iter().map(|held| consider(held, asked, inventory)).collect();
        if with_others {
            considered.extend(self.others(&subject, &held));
        }
        considered.sort_by_key(|role| role.rule);
        let reach = self.reach(&subject, asked.verb, || inventory);
        let is_permitted = match &asked.target {
            None => reach.is_everything(),
            Some(boards) => boards.iter().all(|board| match asked.devices(board) {
                None => reach.has_whole(board.id),
                Some(devices) => devices
                    .into_iter()
                    .all(|device| reach.has_device(DeviceAddress { board: board.id, device })),
            }),
        };
        let mut reason = self.reason(is_permitted, &considered, held.is_empty());
        // A name alone leaves open who vouches for it.
        if with_others
            && !is_permitted
            && subject.login == Login::Local
            && let Some(namesake) = self.namesake(&subject, &held)
        {
            reason = format!("{reason}; whoever is {namesake} has more roles");
        }
        Explanation { subject, verb: asked.verb, is_permitted, reason, considered }
    }

    fn reason(&self, is_permitted: bool, considered: &[Considered], has_none: bool) -> String {
        let deciding = considered.iter().find(|role| role.permits);
        match (is_permitted, deciding) {
            (true, _) if self.is_open() => "nobody has to log in here, so everything is permitted".to_owned(),
            (true, Some(role)) => format!("{} permits it", role.describe()),
            (true, None) => "several roles together permit it".to_owned(),
            (false, _) if has_none => "no role is granted to them".to_owned(),
            (false, _) => "none of their roles permits all of it".to_owned(),
        }
    }

    /// The rules that are not among those in `held`.
    fn others(&self, subject: &Subject, held: &[Held<'_>]) -> impl Iterator<Item = Considered> {
        self.not_held(held).map(|(index, rule)| Considered {
            rule: Some(index + 1),
            role: rule.role.clone(),
            extent: rule.extent.clone(),
            permits: false,
            reason: match rule.namesake(subject) {
                Some(namesake) => format!("it is only for whoever is {namesake}"),
                None => "it is for others".to_owned(),
            },
        })
    }

    /// Whom the first of those rules is for that are for somebody of the same name who logs in otherwise.
    fn namesake(&self, subject: &Subject, held: &[Held<'_>]) -> Option<Namesake<'_>> {
        self.not_held(held).find_map(|(_, rule)| rule.namesake(subject))
    }

    fn not_held(&self, held: &[Held<'_>]) -> impl Iterator<Item = (usize, &Understood)> {
        let is_held = |index| held.iter().any(|held| held.source == Source::Rule(index));
        self.rules.iter().enumerate().filter(move |(index, _)| !is_held(*index))
    }
}

impl fmt::Display for Namesake<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(who) => f.write_str(who.text()),
            Self::Member(who) => write!(f, "in {}", who.text()),
        }
    }
}

impl Considered {
    fn describe(&self) -> String {
        match self.rule {
            Some(number) => format!("rule {number}, which grants {},", self.role),
            None => format!("the role {}", self.role),
        }
    }
}

fn consider(held: &Held<'_>, asked: &Asked, inventory: &Inventory) -> Considered {
    let (permits, reason) = judge(held, asked, inventory);
    Considered {
        rule: match held.source {
            Source::Rule(index) => Some(index + 1),
            Source::Proof | Source::Anonymous => None,
        },
        role: held.role.to_owned(),
        extent: held.extent.clone(),
        permits,
        reason,
    }
}

/// Whether a role permits what is asked about, and why.
fn judge(held: &Held<'_>, asked: &Asked, inventory: &Inventory) -> (bool, String) {
    let (role, verb) = (held.role, asked.verb);
    if !held.verbs.has(verb) {
        return (false, format!("{role} does not include {verb}"));
    }
    if held.extent.is_everywhere() {
        return (true, format!("{role} includes {verb}, everywhere"));
    }
    let Some(target) = &asked.target else {
        return (false, format!("{role} includes {verb}, but not everywhere"));
    };
    let selector = match Selector::of(held.extent) {
        Ok(selector) => selector,
        Err(defect) => return (false, format!("the grant {defect}")),
    };
    let coverage = asked.coverage(target, &selector.bind(inventory));
    match coverage.missed {
        None => (true, format!("{role} includes {verb}, and all of it is within its limits")),
        Some((board, cover)) => {
            let (covered, of) = (coverage.covered, target.len());
            (
                false,
                format!(
                    "{covered} of {of} boards are within its limits: {} {}",
                    board.describe(),
                    lack(&cover)
                ),
            )
        }
    }
}

/// What keeps a board from being covered.
fn lack(cover: &Cover) -> String {
    let text = match cover {
        Cover::Whole | Cover::Devices(_) => "is only covered for some of its devices",
        Cover::Nothing(Miss::Racks) => "is in none of its racks",
        Cover::Nothing(Miss::Boards) => "is none of its boards",
        Cover::Nothing(Miss::BoardGroups) => "is in none of its groups",
        Cover::Nothing(Miss::Labels) => "has none of its labels",
        Cover::Nothing(Miss::Nodes) => "is not in its node range",
        Cover::Nothing(Miss::Devices) => "has none of its devices",
        Cover::Nothing(Miss::Range(error)) => {
            return format!("is not covered, because its node range cannot be evaluated: {error}");
        }
    };
    text.to_owned()
}
