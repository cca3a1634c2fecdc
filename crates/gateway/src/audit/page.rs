//! Looking into the log: which entries are asked for, and a page of them. It knows nothing of who may look.

use std::borrow::Cow;

use jiff::Timestamp;
use rusqlite::{Connection, Rows};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::chain::{AuditHash, AuditHead};
use super::database::{self, Stored};
use super::entry::AuditKind;

/// The most entries that one page looks at, so that a filter that nothing passes does not take for ever.
const MOST_LOOKED_AT: usize = 100_000;

/// Which entries are asked for.
#[derive(Debug, Clone, Default)]
pub struct AuditQuery {
    /// The number of the entry behind which the page begins, in the order that is asked for.
    pub after: Option<u64>,
    /// The most entries on the page.
    pub limit: usize,
    /// In which order they come.
    pub order: AuditOrder,
    /// What they must fulfil.
    pub filter: AuditFilter,
}

/// The order of entries. It is that of their numbers: times follow a clock that may be set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AuditOrder {
    /// The oldest entry first.
    #[default]
    OldestFirst,
    /// The newest entry first.
    NewestFirst,
}

/// What entries must fulfil, all of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// The name of who did it.
    pub who: Option<String>,
    /// What was done.
    pub action: Option<String>,
    /// The id or the name of the board.
    pub board: Option<String>,
    /// What the entry is about.
    pub kind: Option<AuditKind>,
    /// When it happened at the earliest.
    pub from: Option<Timestamp>,
    /// Before when it happened.
    pub to: Option<Timestamp>,
}

/// A page of entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditPage {
    /// The entries. There may be fewer than were asked for although more follow.
    pub entries: Vec<AuditRecord>,
    /// Behind which number the next page begins; nothing if there is none.
    pub next: Option<u64>,
    /// The newest entry of all.
    pub head: Option<AuditHead>,
}

/// An entry as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRecord {
    /// Its number, from 1.
    pub sequence: u64,
    /// Its hash.
    pub hash: AuditHash,
    /// Its text, which is JSON unless somebody has changed it.
    pub text: String,
}

impl AuditRecord {
    /// The record as one line of JSON, with its text as it is. A text that is no JSON any more, or has lines of its own,
    /// becomes a string.
    #[must_use]
    pub fn to_json(&self) -> String {
        let Self { sequence, hash, text } = self;
        let is_intact = !text.contains(['\n', '\r']) && serde_json::from_str::<IgnoredAny>(text).is_ok();
        let entry =
            if is_intact { Cow::Borrowed(text) } else { Cow::Owned(Value::from(text.as_str()).to_string()) };
        format!("{{\"sequence\":{sequence},\"hash\":\"{hash}\",\"entry\":{entry}}}")
    }
}

/// What filters look at.
#[derive(Deserialize)]
struct Facts<'a> {
    kind: AuditKind,
    time: Timestamp,
    #[serde(borrow, default)]
    action: Cow<'a, str>,
    #[serde(borrow)]
    who: Option<Who<'a>>,
    #[serde(borrow)]
    target: Option<Target<'a>>,
}

#[derive(Deserialize)]
struct Who<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Target<'a> {
    #[serde(borrow)]
    board: Cow<'a, str>,
    #[serde(borrow, default)]
    name: Cow<'a, str>,
}

/// The page that `query` asks for.
pub(super) fn read(connection: &Connection, query: &AuditQuery) -> rusqlite::Result<AuditPage> {
    // One transaction, so that the page and the head belong together.
    let transaction = connection.unchecked_transaction()?;
    let (statement, first) = match query.order {
        AuditOrder::OldestFirst => ("sequence > ?1 ORDER BY sequence", query.after.unwrap_or(0)),
        AuditOrder::NewestFirst => ("sequence < ?1 ORDER BY sequence DESC", query.after.unwrap_or(u64::MAX)),
    };
    let mut statement =
        transaction.prepare(&format!("SELECT sequence, text, hash FROM entry WHERE {statement}"))?;
    let rows = statement.query([i64::try_from(first).unwrap_or(i64::MAX)])?;
    let (entries, next) = gather(rows, query)?;
    Ok(AuditPage { entries, next, head: database::last_head(&transaction)? })
}

fn gather(mut rows: Rows<'_>, query: &AuditQuery) -> rusqlite::Result<(Vec<AuditRecord>, Option<u64>)> {
    let mut entries = Vec::new();
    let mut last = None;
    let mut looked_at = 0;
    while let Some(row) = rows.next()? {
        if entries.len() >= query.limit || looked_at >= MOST_LOOKED_AT {
            return Ok((entries, last));
        }
        let Stored { head: AuditHead { sequence, hash }, text } = Stored::read(row)?;
        if query.filter.passes(text) {
            let text = String::from_utf8_lossy(text).into_owned();
            entries.push(AuditRecord { sequence, hash, text });
        }
        last = Some(sequence);
        looked_at += 1;
    }
    Ok((entries, None))
}

impl AuditFilter {
    /// Whether an entry with this text fulfils it. What cannot be understood fulfils no condition.
    fn passes(&self, text: &[u8]) -> bool {
        if *self == Self::default() {
            return true;
        }
        serde_json::from_slice::<Facts<'_>>(text).is_ok_and(|facts| self.fits(&facts))
    }

    fn fits(&self, facts: &Facts<'_>) -> bool {
        let is = |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|wanted| wanted == found);
        let who = facts.who.as_ref().map_or("", |who| &who.name);
        let target = facts.target.as_ref();
        let is_board = self.board.as_ref().is_none_or(|wanted| {
            target.is_some_and(|target| *wanted == target.board || *wanted == target.name)
        });
        self.kind.is_none_or(|kind| kind == facts.kind)
            && is(&self.who, who)
            && is(&self.action, &facts.action)
            && is_board
            && self.from.is_none_or(|from| from <= facts.time)
            && self.to.is_none_or(|to| facts.time < to)
    }
}
