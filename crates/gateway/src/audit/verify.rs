//! The full check: whether every entry is as it was written, in its place, and none is missing. It changes nothing.

use std::fmt;

use rusqlite::Connection;

use super::chain::{AuditHash, AuditHead};
use super::database::{self, Stored};

/// The most findings that are reported; after them the check stops.
const MOST_FINDINGS: usize = 100;

/// How far from its place an entry is looked for that does not belong where it is.
const REACH: u64 = 32;

/// What came of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditVerdict {
    /// How many entries were looked at.
    pub entries: u64,
    /// The newest of them.
    pub head: Option<AuditHead>,
    /// Everything that is wrong, in the order of the entries, up to a bound. Nothing if the log is sound.
    pub findings: Vec<AuditFinding>,
}

/// Something that is wrong with a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuditFinding {
    /// The file is no audit log, or cannot be read any further.
    Damaged {
        /// What is wrong.
        reason: String,
    },
    /// The file is not built as this program does it, so that something else has had it in hand.
    Rebuilt {
        /// What is different.
        reason: String,
    },
    /// Entries were removed.
    Removed {
        /// The number of the first of them.
        first: u64,
        /// The number of the last of them.
        last: u64,
    },
    /// An entry is not what was written, or the one before it is not.
    Changed {
        /// Its number.
        sequence: u64,
    },
    /// Entries stand where others were written: they were reordered, or some were put in or taken out before them.
    Moved {
        /// The number of the first of them now.
        first: u64,
        /// The number of the last of them now.
        last: u64,
        /// The number with which the first was written.
        from: u64,
    },
    /// Entries were removed from the end.
    CutOff {
        /// The newest entry that is left; 0 if none is.
        last: u64,
        /// An entry that was written.
        head: AuditHead,
    },
    /// An entry has another hash than was noted, so that it, or one before it, was rewritten.
    Rewritten {
        /// The entry as it was noted.
        head: AuditHead,
    },
    /// Entries were added by something that did not note them.
    Added {
        /// The number of the first of them.
        first: u64,
    },
}

impl AuditVerdict {
    /// That of a file that cannot be looked into.
    pub(super) fn damaged(reason: String) -> Self {
        Self { entries: 0, head: None, findings: vec![AuditFinding::Damaged { reason }] }
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.findings.is_empty()
    }
}

/// Checks every entry, and that none of `heads` is missing. `deviations` of the file were found before.
pub(super) fn verify(
    connection: &Connection,
    deviations: Vec<String>,
    heads: &[AuditHead],
) -> rusqlite::Result<AuditVerdict> {
    // One transaction, so that what is added in the meantime does not count.
    let transaction = connection.unchecked_transaction()?;
    let mut walk = Walk::new(&transaction);
    walk.findings.extend(deviations.into_iter().map(|reason| AuditFinding::Rebuilt { reason }));
    if let Err(error) =
        walk.check_pages().and_then(|()| walk.check_entries()).and_then(|()| walk.check_heads(heads))
    {
        walk.findings.push(AuditFinding::Damaged { reason: error.to_string() });
    }
    Ok(walk.verdict())
}

/// The way along the chain.
struct Walk<'a> {
    connection: &'a Connection,
    entries: u64,
    /// The entry that was looked at last.
    last: AuditHead,
    findings: Vec<AuditFinding>,
}

impl<'a> Walk<'a> {
    const fn new(connection: &'a Connection) -> Self {
        Self { connection, entries: 0, last: AuditHead::NONE, findings: Vec::new() }
    }

    fn verdict(self) -> AuditVerdict {
        let head = (self.entries > 0).then_some(self.last);
        AuditVerdict { entries: self.entries, head, findings: self.findings }
    }

    /// Whether SQLite finds the file in order.
    fn check_pages(&mut self) -> rusqlite::Result<()> {
        let found: String = self.connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
        if found != "ok" {
            self.findings.push(AuditFinding::Damaged { reason: found });
        }
        Ok(())
    }

    fn check_entries(&mut self) -> rusqlite::Result<()> {
        let mut statement =
            self.connection.prepare("SELECT sequence, text, hash FROM entry ORDER BY sequence")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            if self.findings.len() >= MOST_FINDINGS {
                break;
            }
            self.check_entry(&Stored::read(row)?)?;
        }
        Ok(())
    }

    fn check_entry(&mut self, entry: &Stored<'_>) -> rusqlite::Result<()> {
        let Stored { head, text } = entry;
        let due = self.last.sequence.saturating_add(1);
        if head.sequence != due {
            // What the first entry behind a gap followed is not known any more.
            self.findings.push(AuditFinding::Removed { first: due, last: head.sequence.saturating_sub(1) });
        } else if self.last.with(text) != *head {
            self.explain(entry)?;
        }
        self.last = *head;
        self.entries += 1;
        Ok(())
    }

    /// Notes why an entry does not follow the one before it.
    fn explain(&mut self, entry: &Stored<'_>) -> rusqlite::Result<()> {
        let sequence = entry.head.sequence;
        match self.origin(entry)? {
            // It is where it was; what does not fit is the entry before it, which has been found.
            Some(from) if from == sequence && self.was_found(sequence.saturating_sub(1)) => {}
            Some(from) if from != sequence => self.note_moved(sequence, from),
            _ => self.findings.push(AuditFinding::Changed { sequence }),
        }
        Ok(())
    }

    /// The number with which an entry was written, if the one that it followed is not far away.
    fn origin(&self, entry: &Stored<'_>) -> rusqlite::Result<Option<u64>> {
        let AuditHead { sequence, hash } = entry.head;
        if let Some(from) = self.expected_origin() {
            // Most of what was moved follows something that was moved as far.
            if AuditHash::following(self.last.hash, from, entry.text) == hash {
                return Ok(Some(from));
            }
        }
        let numbers = sequence.saturating_sub(REACH).max(1)..=sequence.saturating_add(REACH);
        let before = self.hashes(numbers.start().saturating_sub(1), *numbers.end())?;
        let was_written = |number: &u64| {
            before.iter().any(|before| AuditHash::following(*before, *number, entry.text) == hash)
        };
        Ok(numbers.into_iter().find(was_written))
    }

    /// The number with which an entry was written if it was moved as far as the one before it.
    fn expected_origin(&self) -> Option<u64> {
        match self.findings.last() {
            Some(AuditFinding::Moved { first, last, from }) if *last == self.last.sequence => {
                from.checked_add(last.checked_sub(*first)?)?.checked_add(1)
            }
            _ => None,
        }
    }

    /// The hashes of the entries with these numbers, and what stands for the one before the first.
    fn hashes(&self, first: u64, last: u64) -> rusqlite::Result<Vec<AuditHash>> {
        let mut hashes = Vec::new();
        if first == 0 {
            hashes.push(AuditHash::NONE);
        }
        for number in first..=last {
            hashes.extend(database::hash_at(self.connection, number)?);
        }
        Ok(hashes)
    }

    fn was_found(&self, sequence: u64) -> bool {
        match self.findings.last() {
            Some(AuditFinding::Changed { sequence: found }) => *found == sequence,
            Some(AuditFinding::Moved { last, .. }) => *last == sequence,
            _ => false,
        }
    }

    /// Notes that an entry was moved, together with those before it that were moved as far.
    fn note_moved(&mut self, sequence: u64, from: u64) {
        if let Some(AuditFinding::Moved { first, last, from: first_from }) = self.findings.last_mut()
            && last.saturating_add(1) == sequence
            && from.checked_sub(*first_from) == sequence.checked_sub(*first)
        {
            *last = sequence;
            return;
        }
        self.findings.push(AuditFinding::Moved { first: sequence, last: sequence, from });
    }

    /// Whether the log ends where it is noted to end, and holds everything that was noted elsewhere.
    fn check_heads(&mut self, heads: &[AuditHead]) -> rusqlite::Result<()> {
        if self.findings.len() >= MOST_FINDINGS {
            return Ok(());
        }
        let noted = database::noted_head(self.connection)?;
        if noted.sequence < self.last.sequence {
            self.findings.push(AuditFinding::Added { first: noted.sequence.saturating_add(1) });
        }
        for head in heads.iter().chain([&noted]) {
            match database::hash_at(self.connection, head.sequence)? {
                Some(hash) if hash == head.hash => {}
                Some(_) => self.findings.push(AuditFinding::Rewritten { head: *head }),
                None => self.findings.push(AuditFinding::CutOff { last: self.last.sequence, head: *head }),
            }
        }
        Ok(())
    }
}

impl fmt::Display for AuditFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged { reason } => write!(f, "the file is damaged, or no audit log: {reason}"),
            Self::Rebuilt { reason } => write!(f, "the file was rebuilt by something else: {reason}"),
            Self::Removed { first, last } if first == last => write!(f, "entry {first} was removed"),
            Self::Removed { first, last } => write!(f, "entries {first} to {last} were removed"),
            Self::Changed { sequence } => {
                write!(
                    f,
                    "entry {sequence} was changed, or what it followed was changed, replaced or removed"
                )
            }
            Self::Moved { first, last, from } if first == last => {
                write!(
                    f,
                    "entry {first} was written as entry {from}: it was moved, or others were put in or removed"
                )
            }
            Self::Moved { first, last, from } => write!(
                f,
                "entries {first} to {last} were written from {from} on: they were moved, or others were put in or removed"
            ),
            Self::CutOff { last, head } => {
                write!(f, "the log ends with entry {last}, but entry {head} was written: its end was removed")
            }
            Self::Rewritten { head } => {
                write!(f, "entry {head} has another hash now: it, or what came before it, was rewritten")
            }
            Self::Added { first } => {
                write!(f, "entry {first} and what follows it were added by something else than this program")
            }
        }
    }
}
