//! What was refused and is not written yet: whoever is refused a thousand times a minute gets one entry with the count,
//! and however many different things are refused, a minute has a bounded number of entries.
//!
//! It knows nothing of files. Time is passed in.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

use super::entry::{AuditEntry, AuditKind};

/// For how long refusals are gathered.
const GATHERING: SignedDuration = SignedDuration::from_mins(1);

/// The most entries that are gathered, and so written in a minute; what exceeds them is only counted.
const MOST: usize = 64;

/// What makes refusals the same.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Sameness {
    kind: AuditKind,
    name: String,
    /// Without the port, which differs each time.
    address: String,
    code: String,
}

/// Refusals that are gathered.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// When the first of them happened.
    since: Option<Timestamp>,
    entries: HashMap<Sameness, AuditEntry>,
    /// What stands for those that found no room.
    rest: Option<AuditEntry>,
}

impl Tally {
    /// Adds a refusal.
    pub(super) fn note(&mut self, entry: AuditEntry) {
        let entry = entry.shortened();
        self.since.get_or_insert(entry.time);
        let sameness = Sameness::of(&entry);
        let has_room = self.entries.len() < MOST;
        match (self.entries.get_mut(&sameness), &mut self.rest) {
            (Some(same), _) => count_on(same, entry.time),
            (None, _) if has_room => {
                self.entries.insert(sameness, AuditEntry { count: Some(1), ..entry });
            }
            (None, Some(rest)) => count_on(rest, entry.time),
            (None, none) => *none = Some(rest(entry.time)),
        }
    }

    /// Whether they have been gathered for long enough. A clock that goes backwards ends it, too.
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        self.since.is_some_and(|since| {
            let gathered = now.duration_since(since);
            gathered.is_negative() || gathered >= GATHERING
        })
    }

    /// How many refusals there are.
    pub(super) fn count(&self) -> u64 {
        self.entries().iter().filter_map(|entry| entry.count).sum()
    }

    /// The texts of an entry for each sort of them, in the order in which they happened first.
    pub(super) fn texts(&self) -> Result<Vec<String>, serde_json::Error> {
        self.entries().into_iter().map(AuditEntry::to_text).collect()
    }

    fn entries(&self) -> Vec<&AuditEntry> {
        let mut entries: Vec<&AuditEntry> = self.entries.values().chain(&self.rest).collect();
        entries.sort_by_key(|entry| entry.time);
        entries
    }
}

impl Sameness {
    fn of(entry: &AuditEntry) -> Self {
        let address = entry.remote.rsplit_once(':').map_or(entry.remote.as_str(), |(address, _)| address);
        Self {
            kind: entry.kind,
            name: entry.who.as_ref().map_or_else(String::new, |who| who.name.clone()),
            address: address.to_owned(),
            code: entry.code.clone(),
        }
    }
}

fn count_on(entry: &mut AuditEntry, time: Timestamp) {
    entry.count = Some(entry.count.unwrap_or(1).saturating_add(1));
    entry.until = Some(time);
}

fn rest(time: Timestamp) -> AuditEntry {
    let message = format!("besides these {MOST} different refusals of about a minute, so many more");
    AuditEntry { count: Some(1), ..AuditEntry::new(AuditKind::MoreRefused, time).saying(message) }
}

#[cfg(test)]
mod tests {
    use opendcre_model::Login;

    use super::super::entry::AuditWho;
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + second).unwrap()
    }

    fn refused(name: &str, remote: &str, second: i64) -> AuditEntry {
        let who = AuditWho { name: name.to_owned(), login: Some(Login::Ldap), provider: "corp".to_owned() };
        AuditEntry {
            who: Some(who),
            remote: remote.to_owned(),
            code: "wrong_password".to_owned(),
            ..AuditEntry::new(AuditKind::LoginRefused, at(second))
        }
    }

    #[test]
    fn the_same_refusals_are_one_entry_with_their_count() {
        let mut tally = Tally::default();
        for second in 0..50 {
            tally.note(refused("eve", &format!("192.0.2.7:{}", 1000 + second), second));
        }
        tally.note(refused("eve", "192.0.2.8:1", 50));
        tally.note(refused("mallory", "[2001:db8::1]:1", 50));
        let entries = tally.entries();
        assert_eq!(entries.len(), 3);
        let AuditEntry { count, time, until, remote, .. } = entries[0];
        assert_eq!((*count, *time, *until), (Some(50), at(0), Some(at(49))));
        assert_eq!(remote, "192.0.2.7:1000");
        assert_eq!(tally.count(), 52);
    }

    #[test]
    fn however_many_there_are_a_minute_has_a_bounded_number_of_entries() {
        let mut tally = Tally::default();
        for number in 0..10_000 {
            tally.note(refused(&format!("{number}{}", "x".repeat(100_000)), "192.0.2.7:1", 0));
        }
        let entries = tally.entries();
        assert_eq!(entries.len(), MOST + 1);
        let rest = entries.iter().find(|entry| entry.kind == AuditKind::MoreRefused).unwrap();
        assert_eq!(rest.count, Some(10_000 - 64));
        assert_eq!(tally.count(), 10_000);
        let length: usize = tally.texts().unwrap().iter().map(String::len).sum();
        assert!(length < 50_000, "{length}");
    }

    #[test]
    fn they_are_gathered_for_a_minute_or_until_the_clock_goes_backwards() {
        let mut tally = Tally::default();
        assert!(!tally.is_due(at(0)));
        tally.note(refused("eve", "192.0.2.7:1", 0));
        assert!(!tally.is_due(at(59)));
        assert!(tally.is_due(at(60)) && tally.is_due(at(-1)));
    }
}
