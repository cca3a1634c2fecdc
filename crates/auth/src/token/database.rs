//! The SQLite database of the tokens, which several processes use at the same time: the service looks tokens up, the
//! command line makes and revokes them. It knows nothing of the text of a token, only its hash.

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rusqlite::{
    Connection, ErrorCode, OpenFlags, OptionalExtension, Row, Transaction, TransactionBehavior, params,
};

use super::file::{self, Identity};
use super::text::Hash;
use super::{Origin, TokenError, TokenRecord};

/// What makes each version of the schema of the one before; the first is made of an empty database.
const MIGRATIONS: [&str; 1] = ["CREATE TABLE token (
        id TEXT NOT NULL PRIMARY KEY,
        hash BLOB NOT NULL UNIQUE,
        name TEXT NOT NULL,
        grants TEXT NOT NULL,
        created INTEGER NOT NULL,
        created_by TEXT NOT NULL,
        expires INTEGER,
        revoked INTEGER,
        last_used INTEGER,
        last_used_from TEXT
    ) STRICT"];

/// The columns of a [`TokenRecord`], in the order in which [`decode`] reads them.
const COLUMNS: &str = "id, name, grants, created, created_by, expires, revoked, last_used, last_used_from";

/// How long to wait for another process that writes.
const PATIENCE: Duration = Duration::from_secs(2);

/// What the log of writes may keep of the disk after a burst, in bytes.
const JOURNAL_SIZE: u32 = 1 << 20;

/// How many tokens there may be.
const MAX_TOKENS: u32 = 10_000;

/// How long those that are not valid any more are kept, to tell what they were. In seconds: 90 days.
const RETENTION: i64 = 90 * 24 * 60 * 60;

/// How often the use of a token is written at most, for the sake of the memory cards of small computers.
const USE_INTERVAL: SignedDuration = SignedDuration::from_mins(1);

/// The open database.
#[derive(Debug)]
pub(super) struct Database {
    path: PathBuf,
    connection: Connection,
    identity: Identity,
    /// When the use of a token could not be written.
    unwritten: Option<Timestamp>,
}

/// Why the database does not do what it should.
enum Fault {
    /// The file, its disk or another process does not let us; the file may be in order.
    Inaccessible(String),
    /// The file is no use to us.
    Unfit(String),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            // `Unknown` is an error in a statement, none a value of another type; ours are right, so the file is not.
            None | Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::Unknown) => {
                Self::Unfit(error.to_string())
            }
            _ => Self::Inaccessible(error.to_string()),
        }
    }
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        Self::Inaccessible(error.to_string())
    }
}

impl Fault {
    fn at(self, path: &Path) -> TokenError {
        let path = path.to_owned();
        match self {
            Self::Inaccessible(reason) => TokenError::Inaccessible { path, reason },
            Self::Unfit(reason) => TokenError::Unfit { path, reason },
        }
    }
}

impl Database {
    /// Opens the database at `path`, or makes it.
    pub(super) fn open(path: &Path) -> Result<Self, TokenError> {
        let prepared = file::prepare(path).map_err(|error| Fault::from(error).at(path))?;
        let (connection, identity) = connect(&prepared.path).map_err(|fault| fault.at(path))?;
        Ok(Self { path: prepared.path.clone(), connection, identity, unwritten: None })
    }

    /// Adds a token.
    pub(super) fn insert(&mut self, record: &TokenRecord, hash: &Hash) -> Result<(), TokenError> {
        let grants = serde_json::to_string(&record.grants)
            .map_err(|error| TokenError::Invalid { reason: error.to_string() })?;
        self.write(|transaction| {
            let now = record.created.as_second();
            forget_old(transaction, now)?;
            if exists(transaction, "name = ?1 AND revoked IS NULL AND (expires IS NULL OR expires > ?2)", (&record.name, now))? {
                return Ok(Err(TokenError::NameTaken { name: record.name.clone() }));
            }
            let count: u32 = transaction.query_row("SELECT count(*) FROM token", (), |row| row.get(0))?;
            if count >= MAX_TOKENS {
                return Ok(Err(TokenError::TooMany { limit: MAX_TOKENS }));
            }
            let expires = record.expires.map(Timestamp::as_second);
            transaction.execute(
                "INSERT INTO token (id, hash, name, grants, created, created_by, expires) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![record.id, hash, record.name, grants, now, record.created_by, expires],
            )?;
            Ok(Ok(()))
        })
    }

    /// All tokens, in the order of their names.
    pub(super) fn list(&mut self) -> Result<Vec<TokenRecord>, TokenError> {
        self.run(|connection| {
            let query = format!("SELECT {COLUMNS} FROM token ORDER BY name, created, id");
            let mut statement = connection.prepare(&query)?;
            let records = statement.query_map((), decode)?;
            Ok(records.collect::<Result<_, _>>()?)
        })
    }

    /// Revokes the valid token with this name or id.
    pub(super) fn revoke(&mut self, name_or_id: &str, now: Timestamp) -> Result<TokenRecord, TokenError> {
        self.write(|transaction| {
            let query = format!(
                "UPDATE token SET revoked = ?2
                 WHERE (id = ?1 OR name = ?1) AND revoked IS NULL AND (expires IS NULL OR expires > ?2)
                 RETURNING {COLUMNS}"
            );
            let revoked =
                transaction.query_row(&query, params![name_or_id, now.as_second()], decode).optional()?;
            Ok(revoked.ok_or_else(|| TokenError::Unknown { wanted: name_or_id.to_owned() }))
        })
    }

    /// The token with this name or id: the valid one, or else the one that was made last.
    pub(super) fn find(
        &mut self,
        name_or_id: &str,
        now: Timestamp,
    ) -> Result<Option<TokenRecord>, TokenError> {
        self.run(|connection| {
            let query = format!(
                "SELECT {COLUMNS} FROM token WHERE id = ?1 OR name = ?1
                 ORDER BY revoked IS NULL AND (expires IS NULL OR expires > ?2) DESC, created DESC LIMIT 1"
            );
            let mut statement = connection.prepare_cached(&query)?;
            Ok(statement.query_row(params![name_or_id, now.as_second()], decode).optional()?)
        })
    }

    /// The token with this hash, whose use from `origin` is noted if it is valid.
    pub(super) fn use_token(
        &mut self,
        hash: &Hash,
        origin: Origin,
        now: Timestamp,
    ) -> Result<Option<TokenRecord>, TokenError> {
        let record = self.run(|connection| {
            let query = format!("SELECT {COLUMNS} FROM token WHERE hash = ?1");
            Ok(connection.prepare_cached(&query)?.query_row([hash], decode).optional()?)
        })?;
        if let Some(record) = record.as_ref().filter(|record| record.state(now) == super::TokenState::Valid) {
            self.note_use(record, origin, now);
        }
        Ok(record)
    }

    /// Notes a use. Whoever has a valid token is let in even if that cannot be written.
    fn note_use(&mut self, record: &TokenRecord, origin: Origin, now: Timestamp) {
        let is_recent = |then: Option<Timestamp>| {
            // A time in the future is that of a clock that was wrong.
            then.is_some_and(|then| then <= now && now.duration_since(then) < USE_INTERVAL)
        };
        if is_recent(record.last_used) || is_recent(self.unwritten) {
            return;
        }
        let written = write_use(&self.connection, &record.id, origin, now);
        self.unwritten = written.is_err().then_some(now);
        if let Err(error) = written {
            tracing::warn!(token = record.id, path = %self.path.display(), %error, "the use of a token cannot be noted");
        }
    }

    /// Changes something, which is on the disk when this returns.
    fn write<T>(
        &mut self,
        change: impl FnOnce(&Transaction<'_>) -> Result<Result<T, TokenError>, Fault>,
    ) -> Result<T, TokenError> {
        self.run(|connection| {
            connection.pragma_update(None, "synchronous", "FULL")?;
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let changed = change(&transaction)?;
            if changed.is_ok() {
                transaction.commit()?;
            }
            Ok(changed)
        })?
    }

    /// Does something with the file that is there now: one that was moved away, or replaced from a backup, must not go
    /// on letting people in.
    fn run<T>(&mut self, work: impl FnOnce(&mut Connection) -> Result<T, Fault>) -> Result<T, TokenError> {
        self.follow().and_then(|()| work(&mut self.connection)).map_err(|fault| fault.at(&self.path))
    }

    fn follow(&mut self) -> Result<(), Fault> {
        if file::identity(&self.path)? != self.identity {
            (self.connection, self.identity) = connect(&self.path)?;
        }
        Ok(())
    }
}

/// Opens the file at `path`, which is there, and brings its schema to the newest version.
fn connect(path: &Path) -> Result<(Connection, Identity), Fault> {
    // Taken before, so that a file which is replaced in between is opened once more with the next use.
    let identity = file::identity(path)?;
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let mut connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(PATIENCE)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    check(&mut connection)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "journal_size_limit", JOURNAL_SIZE)?;
    migrate(&mut connection)?;
    Ok((connection, identity))
}

/// Writes the use of a token; a power cut may undo that.
fn write_use(connection: &Connection, id: &str, origin: Origin, now: Timestamp) -> rusqlite::Result<()> {
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    let update = "UPDATE token SET last_used = ?2, last_used_from = ?3 WHERE id = ?1";
    connection.execute(update, params![id, now.as_second(), origin.to_string()]).map(drop)
}

/// How many of the [`MIGRATIONS`] have made the database.
fn version(connection: &Connection) -> Result<usize, Fault> {
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let known = usize::try_from(version).ok().filter(|version| *version <= MIGRATIONS.len());
    known.ok_or_else(|| Fault::Unfit(format!("a newer release has made it (version {version})")))
}

/// Looks for damage, and for tables that are not ours.
fn check(connection: &mut Connection) -> Result<(), Fault> {
    // One look at all of it: another process may be making the tables.
    let transaction = connection.transaction()?;
    let model = Connection::open_in_memory()?;
    for migration in MIGRATIONS.iter().take(version(&transaction)?) {
        model.execute_batch(migration)?;
    }
    if schema(&transaction)? != schema(&model)? {
        return Err(Fault::Unfit("its tables are others".to_owned()));
    }
    let damage: String = transaction.query_row("PRAGMA quick_check(1)", (), |row| row.get(0))?;
    if damage == "ok" { Ok(()) } else { Err(Fault::Unfit(damage)) }
}

/// Everything that was made in a database, as it was made.
fn schema(connection: &Connection) -> rusqlite::Result<Vec<(String, Option<String>)>> {
    let mut statement = connection.prepare("SELECT name, sql FROM sqlite_schema ORDER BY name")?;
    let entries = statement.query_map((), |row| Ok((row.get(0)?, row.get(1)?)))?;
    entries.collect()
}

fn migrate(connection: &mut Connection) -> Result<(), Fault> {
    if version(connection)? == MIGRATIONS.len() {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Once more: another process may have done it in the meantime.
    for migration in MIGRATIONS.iter().skip(version(&transaction)?) {
        transaction.execute_batch(migration)?;
    }
    transaction.execute_batch(&format!("PRAGMA user_version = {}", MIGRATIONS.len()))?;
    Ok(transaction.commit()?)
}

fn exists(
    transaction: &Transaction<'_>,
    condition: &str,
    values: impl rusqlite::Params,
) -> rusqlite::Result<bool> {
    transaction.prepare(&format!("SELECT 1 FROM token WHERE {condition}"))?.exists(values)
}

/// Removes what has not been valid for long.
fn forget_old(transaction: &Transaction<'_>, now: i64) -> rusqlite::Result<()> {
    let end = now.saturating_sub(RETENTION);
    transaction.execute("DELETE FROM token WHERE revoked < ?1 OR expires < ?1", [end]).map(drop)
}

fn decode(row: &Row<'_>) -> rusqlite::Result<TokenRecord> {
    let grants: String = row.get(2)?;
    Ok(TokenRecord {
        id: row.get(0)?,
        name: row.get(1)?,
        grants: serde_json::from_str(&grants).map_err(|error| unreadable(2, error))?,
        created: time(3, row.get(3)?)?,
        created_by: row.get(4)?,
        expires: optional_time(row, 5)?,
        revoked: optional_time(row, 6)?,
        last_used: optional_time(row, 7)?,
        last_used_from: row.get::<_, Option<String>>(8)?.map(|text| origin(&text)).transpose()?,
    })
}

fn optional_time(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Timestamp>> {
    row.get::<_, Option<i64>>(column)?.map(|seconds| time(column, seconds)).transpose()
}

fn time(column: usize, seconds: i64) -> rusqlite::Result<Timestamp> {
    Timestamp::from_second(seconds).map_err(|error| unreadable(column, error))
}

fn origin(text: &str) -> rusqlite::Result<Origin> {
    match text {
        "unix" => Ok(Origin::Unix),
        address => address.parse().map(Origin::Address).map_err(|error| unreadable(8, error)),
    }
}

fn unreadable(column: usize, error: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(error))
}
