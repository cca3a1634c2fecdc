//! API tokens of this gateway, and the file that knows their hashes.
//!
//! A token is 256 bits of chance behind the prefix [`PREFIX`]. Whoever has it is who it was made for, so the file keeps
//! its SHA-256 only. Every request looks into the file again: nothing is kept in memory, so that a token ends with the
//! very moment in which any process revokes it. What a grant means is not known here.

mod database;
mod file;
mod text;

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use opendcre_model::{Grant, Login, Subject};
use secrecy::SecretString;
use serde::{Serialize, Serializer};
use thiserror::Error;

use crate::Failure;
use database::Database;

/// How a token of this gateway begins.
pub const PREFIX: &str = "odcre_";

/// What the tokens are called where providers have names.
const PROVIDER: &str = "tokens";

/// The characters of a name.
const MAX_NAME: usize = 64;

/// The characters of who made a token.
const MAX_CREATOR: usize = 128;

/// The grants of one token.
const MAX_GRANTS: usize = 64;

/// The tokens that are known. Clones are the same file.
#[derive(Debug, Clone)]
pub struct TokenStore {
    database: Arc<Mutex<Database>>,
    /// Held while a request looks into the file, so that many of them never fill the threads that may block.
    turn: Arc<tokio::sync::Mutex<()>>,
}

/// A token that is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewToken {
    /// By which it is known: 1 to 64 letters, digits, `-`, `_`, `.` and `@`, and not like an id. No two tokens that are
    /// valid have the same name.
    pub name: String,
    /// What it may do; at least one.
    pub grants: Vec<Grant>,
    /// Who makes it, up to 128 characters.
    pub created_by: String,
    /// The time from which on it is void; nothing if it is valid until it is revoked.
    pub expires: Option<Timestamp>,
}

/// What is known about a token. The token itself is not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TokenRecord {
    /// 12 hexadecimal digits.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it may do.
    pub grants: Vec<Grant>,
    /// When it was made.
    pub created: Timestamp,
    /// By whom.
    pub created_by: String,
    /// The time from which on it is void.
    pub expires: Option<Timestamp>,
    /// When it was revoked.
    pub revoked: Option<Timestamp>,
    /// When it was used last; exact to a minute.
    pub last_used: Option<Timestamp>,
    /// From where it was used then.
    pub last_used_from: Option<Origin>,
}

/// From where a token was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// An address.
    Address(IpAddr),
    /// The Unix socket of this machine.
    Unix,
}

/// Whether a token is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenState {
    /// It is.
    Valid,
    /// Not any more, because its time is over.
    Expired,
    /// Not any more, because somebody has revoked it.
    Revoked,
}

/// Why something cannot be done with the tokens.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TokenError {
    /// The file cannot be used; it may be in order.
    #[error("cannot use the tokens in {}: {reason}", path.display())]
    Inaccessible {
        /// The file.
        path: PathBuf,
        /// What the system, or the database, said.
        reason: String,
    },
    /// The file is no use to this program.
    #[error(
        "{path} does not hold tokens as this program keeps them: {reason}; move it away, together with {path}-wal and \
         {path}-shm, and make the tokens anew",
        path = path.display()
    )]
    Unfit {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// There is a valid token of that name.
    #[error("there is a token {name:?} already; revoke it first, or use another name")]
    NameTaken {
        /// The name.
        name: String,
    },
    /// There is no valid token of that name or id.
    #[error("there is no valid token with the name or the id {wanted:?}; `opendcre token list` shows all")]
    Unknown {
        /// What was looked for.
        wanted: String,
    },
    /// There are as many tokens as there may be.
    #[error("there are {limit} tokens already; revoke those that nobody needs")]
    TooMany {
        /// How many there may be.
        limit: u32,
    },
    /// Such a token cannot be made.
    #[error("such a token cannot be made: {reason}")]
    Invalid {
        /// Why.
        reason: String,
    },
}

impl TokenStore {
    /// Opens the file at `path`, or makes it; its folder must exist. Blocks.
    ///
    /// A file that root makes belongs to whom the folder belongs to, so that the service can use it.
    ///
    /// # Errors
    /// The file cannot be used, others may write it, or it is damaged or from a newer release. It is never replaced:
    /// that would revoke every token.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, TokenError> {
        let database = Database::open(path.as_ref())?;
        Ok(Self { database: Arc::new(Mutex::new(database)), turn: Arc::default() })
    }

    /// Makes a token. The text is nowhere else, and cannot be found out again. Blocks.
    ///
    /// # Errors
    /// The name is taken or is none, the token would never be valid, there are too many, or the file cannot be written.
    pub fn create(
        &self,
        token: &NewToken,
        now: Timestamp,
    ) -> Result<(TokenRecord, SecretString), TokenError> {
        check(token, now).map_err(|reason| TokenError::Invalid { reason })?;
        let generated = text::generate().map_err(|error| TokenError::Invalid {
            reason: format!("there is no chance to be had: {error}"),
        })?;
        let record = TokenRecord {
            id: generated.id,
            name: token.name.clone(),
            grants: token.grants.clone(),
            created: in_seconds(now),
            created_by: token.created_by.clone(),
            expires: token.expires.map(in_seconds),
            revoked: None,
            last_used: None,
            last_used_from: None,
        };
        self.lock().insert(&record, &generated.hash)?;
        Ok((record, generated.text))
    }

    /// All tokens, with those that have not been valid for less than 90 days, in the order of their names. Blocks.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn list(&self) -> Result<Vec<TokenRecord>, TokenError> {
        self.lock().list()
    }

    /// Revokes the valid token with this name or id: no request that begins afterwards is let in by it, in no process.
    /// Blocks until that is on the disk.
    ///
    /// # Errors
    /// There is no such token, or the file cannot be written.
    pub fn revoke(&self, name_or_id: &str, now: Timestamp) -> Result<TokenRecord, TokenError> {
        self.lock().revoke(name_or_id, now)
    }

    /// Whose token it is, which came from `remote`, or over a Unix socket.
    ///
    /// # Errors
    /// There is no such token, it has expired or was revoked, or the file cannot be read.
    pub async fn authenticate(
        &self,
        token: &str,
        remote: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<Subject, Failure> {
        let Some(hash) = text::hash(token) else {
            return Err(rejected("it begins like a token of this gateway and is none"));
        };
        let origin = remote.map_or(Origin::Unix, |address| Origin::Address(address.to_canonical()));
        subject(self.look_up(move |database| database.use_token(&hash, origin, now)).await?, now)
    }

    /// Whose the token with this name or id is, whoever has it now; nobody presents it. If several had the name, the one
    /// that is valid counts.
    ///
    /// # Errors
    /// As [`TokenStore::authenticate`].
    pub async fn bearer(&self, name_or_id: &str, now: Timestamp) -> Result<Subject, Failure> {
        let wanted = name_or_id.to_owned();
        subject(self.look_up(move |database| database.find(&wanted, now)).await?, now)
    }

    /// Looks into the file, in turn with others.
    async fn look_up<T: Send + 'static>(
        &self,
        look: impl FnOnce(&mut Database) -> Result<T, TokenError> + Send + 'static,
    ) -> Result<T, Failure> {
        let turn = Arc::clone(&self.turn).lock_owned().await;
        let store = self.clone();
        let found = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            look(&mut store.lock())
        });
        found.await.map_err(|error| unavailable(&error))?.map_err(|error| unavailable(&error))
    }

    fn lock(&self) -> MutexGuard<'_, Database> {
        // The database keeps its own order, so a panic elsewhere cannot have broken it.
        self.database.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A time as it is kept: in whole seconds.
fn in_seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

/// Who has the token of `record`, if it is valid.
fn subject(record: Option<TokenRecord>, now: Timestamp) -> Result<Subject, Failure> {
    let record = record.ok_or_else(|| rejected("no such token is known"))?;
    let about = |what: &str| rejected(format!("the token {:?} ({}) {what}", record.name, record.id));
    match record.state(now) {
        TokenState::Revoked => Err(about("was revoked")),
        TokenState::Expired => Err(about("has expired")),
        TokenState::Valid if record.is_from_the_future(now) => Err(about(
            "is not made yet by the clock of this machine, so that nobody knows whether it has expired",
        )),
        TokenState::Valid => Ok(Subject {
            name: record.name,
            login: Login::Token,
            provider: record.id,
            groups: Vec::new(),
            grants: record.grants,
        }),
    }
}

fn rejected(reason: impl Into<String>) -> Failure {
    Failure::Rejected { reason: reason.into() }
}

fn unavailable(error: &impl ToString) -> Failure {
    Failure::Unavailable { provider: PROVIDER.to_owned(), reason: error.to_string() }
}

/// Whether a token may be like that.
fn check(token: &NewToken, now: Timestamp) -> Result<(), String> {
    check_name(&token.name)?;
    if token.grants.is_empty() || token.grants.len() > MAX_GRANTS {
        return Err(format!("it needs 1 to {MAX_GRANTS} grants"));
    }
    if token.created_by.chars().count() > MAX_CREATOR {
        return Err(format!("who makes it is longer than {MAX_CREATOR} characters"));
    }
    match token.expires {
        Some(expires) if expires <= now => Err(format!("it would have expired already, at {expires}")),
        _ => Ok(()),
    }
}

fn check_name(name: &str) -> Result<(), String> {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.@".contains(&byte);
    if name.is_empty() || name.len() > MAX_NAME || !name.bytes().all(is_allowed) {
        Err(format!("a name is 1 to {MAX_NAME} letters, digits, `-`, `_`, `.` and `@`, unlike {name:?}"))
    } else if text::is_id(name) {
        Err(format!("{name:?} could be the id of another token"))
    } else {
        Ok(())
    }
}

impl TokenRecord {
    /// Whether it is valid.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> TokenState {
        if self.revoked.is_some() {
            TokenState::Revoked
        } else if self.expires.is_some_and(|expires| expires <= now) {
            TokenState::Expired
        } else {
            TokenState::Valid
        }
    }

    /// Whether the clock stands so far before the token was made that nobody knows whether it has expired. A small
    /// computer without a battery for its clock starts in the past, and would bring back what has expired.
    fn is_from_the_future(&self, now: Timestamp) -> bool {
        const TOLERANCE: jiff::SignedDuration = jiff::SignedDuration::from_mins(5);
        self.expires.is_some() && self.created.duration_since(now) > TOLERANCE
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Unix => f.pad("unix"),
        }
    }
}

impl Serialize for Origin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests;
