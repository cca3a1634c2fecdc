//! The log as it is kept: opened, opened again when it was moved or could not be used, written, and its newest entry
//! told to the service's own log from time to time. It blocks, and knows nothing of who waits.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use opendcre_model::WallClock;

use super::AuditError;
use super::chain::AuditHead;
use super::database::{self, Database};
use super::entry::{AuditEntry, AuditKind};

/// How many entries may come before the newest one is told.
const TELL_ENTRIES: u64 = 1_000;

/// For how long a newest entry may stay untold.
const TELL_INTERVAL: SignedDuration = SignedDuration::from_hours(1);

/// The bounds of a log.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Those of its file.
    pub(super) database: database::Limits,
    /// How often it is looked after when nothing is to be written.
    pub(super) pause: Duration,
    /// The most entries that wait for the disk.
    pub(super) waiting: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { database: database::Limits::default(), pause: Duration::from_secs(10), waiting: 4_096 }
    }
}

/// A log, whether it can be used or not.
pub(super) struct Keeper {
    path: PathBuf,
    clock: Arc<dyn WallClock>,
    limits: database::Limits,
    database: Option<Database>,
    /// The newest entry that was seen in any file at this path.
    head: Option<AuditHead>,
    /// Why the last attempt to use it failed, and since when all have.
    failure: Option<(Timestamp, AuditError)>,
    told: Told,
}

/// What was told last of the newest entry.
struct Told {
    head: Option<AuditHead>,
    at: Timestamp,
}

impl Keeper {
    /// Opens the log, or notes why it cannot be.
    pub(super) fn open(path: &Path, clock: Arc<dyn WallClock>, limits: Limits) -> Self {
        let told = Told { head: None, at: clock.now() };
        let mut keeper = Self {
            path: path.to_owned(),
            clock,
            limits: limits.database,
            database: None,
            head: None,
            failure: None,
            told,
        };
        let opened = keeper.database().map(drop);
        keeper.note(opened.err());
        keeper.tell();
        keeper
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Why it cannot be used, if it cannot.
    pub(super) fn failure(&self) -> Option<&AuditError> {
        self.failure.as_ref().map(|(_, error)| error)
    }

    /// Brings entries with these texts to the disk, all of them or none. After a failure this is recorded first, which
    /// is also how a log that nothing is to be written to is tried again.
    pub(super) fn write(&mut self, texts: &[String]) -> Result<(), AuditError> {
        if texts.is_empty() && self.failure.is_none() {
            return Ok(());
        }
        let written = self.resumption().and_then(|resumption| {
            let texts: Vec<&str> = resumption.iter().chain(texts).map(String::as_str).collect();
            self.append(&texts)
        });
        self.note(written.clone().err());
        written
    }

    /// Tells the newest entry, if many have come since, or for long none was told.
    pub(super) fn tell_sometimes(&mut self) {
        let entries = sequence(self.head).saturating_sub(sequence(self.told.head));
        let since = self.clock.now().duration_since(self.told.at);
        if entries >= TELL_ENTRIES || since.is_negative() || since >= TELL_INTERVAL {
            self.tell();
        }
    }

    /// Tells the newest entry, unless it was told.
    pub(super) fn tell(&mut self) {
        let at = self.clock.now();
        if let Some(head) = self.head.filter(|head| self.told.head != Some(*head)) {
            tracing::info!(target: "audit", %head, path = %self.path.display(), "the newest entry of the audit log");
        }
        self.told = Told { head: self.head, at };
    }

    /// Tells the newest entry and closes the file. It would be opened again by the next write.
    pub(super) fn close(&mut self) {
        self.tell();
        self.database = None;
    }

    fn append(&mut self, texts: &[&str]) -> Result<(), AuditError> {
        let database = self.database()?;
        let appended = database.append(texts);
        match &appended {
            Ok(head) => self.head = Some(*head),
            // Whoever mends it puts another file in its place.
            Err(AuditError::Damaged { .. }) => self.database = None,
            Err(_) => {}
        }
        appended.map(drop)
    }

    /// The database, opened anew if it was not open or is not where it was.
    fn database(&mut self) -> Result<&mut Database, AuditError> {
        if let Some(moved) = self.database.take_if(|database| !database.is_in_place()) {
            tracing::warn!(target: "audit", path = %self.path.display(), "the audit log was moved away; a new one is begun");
            if let Err(error) = moved.complete() {
                tracing::error!(target: "audit", %error, "the audit log that was moved away lacks its last entries");
            }
            self.tell();
        }
        let opened = match self.database.take() {
            Some(database) => database,
            None => self.open_database()?,
        };
        Ok(self.database.insert(opened))
    }

    fn open_database(&mut self) -> Result<Database, AuditError> {
        let database = Database::open(&self.path, self.limits, &self.first_entry()?)?;
        if let Some(before) = self.head {
            database.must_continue(before)?;
        }
        self.head = Some(database.head());
        Ok(database)
    }

    /// What a new file begins with.
    fn first_entry(&self) -> Result<String, AuditError> {
        let before =
            self.head.map_or_else(String::new, |head| format!("the one before ended with entry {head}"));
        self.text(&AuditEntry::new(AuditKind::Created, self.clock.now()).saying(before))
    }

    /// What is recorded when it can be written again, if it could not be.
    fn resumption(&self) -> Result<Option<String>, AuditError> {
        let Some((since, error)) = &self.failure else { return Ok(None) };
        let message = format!("nothing could be recorded since {since}: {error}");
        self.text(&AuditEntry::new(AuditKind::Resumed, self.clock.now()).saying(message)).map(Some)
    }

    fn text(&self, entry: &AuditEntry) -> Result<String, AuditError> {
        entry.to_text().map_err(|error| AuditError::cannot_write(&self.path, &error))
    }

    /// Notes how the last attempt went, and says so when it went otherwise than the one before.
    fn note(&mut self, failure: Option<AuditError>) {
        match (&self.failure, failure) {
            (None, None) => {}
            (Some(_), None) => {
                tracing::info!(target: "audit", "the audit log can be written again");
                self.failure = None;
            }
            (None, Some(failure)) => {
                tracing::error!(target: "audit", %failure, "nothing can be recorded, so every change is refused");
                self.failure = Some((self.clock.now(), failure));
            }
            (Some((since, _)), Some(failure)) => self.failure = Some((*since, failure)),
        }
    }
}

fn sequence(head: Option<AuditHead>) -> u64 {
    head.map_or(0, |head| head.sequence)
}
