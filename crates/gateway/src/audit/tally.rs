//! What was refused and is not written yet: whoever is refused the same a thousand times a minute gets one entry with the
//! count, and however many different things are refused, a minute has a bounded number of entries.
//!
//! People who have proved who they are and strangers who have not have budgets of their own, and within them each person
//! and each address has a share, so that nobody can hide somebody else's refusals behind many of their own.
//!
//! It knows nothing of files. Time is passed in.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use jiff::{SignedDuration, Timestamp};
use opendcre_model::{BoardId, DeviceId, Login};

use super::entry::{AuditEntry, AuditKind, AuditWho};

/// For how long refusals are gathered.
const GATHERING: SignedDuration = SignedDuration::from_mins(1);

/// What is recorded of those who have proved who they are.
const PRINCIPALS: Budget = Budget {
    entries: 256,
    of_one: 64,
    others: "refusals within about a minute of people who have proved who they are and are not named",
};

/// What is recorded of those who have not.
const STRANGERS: Budget = Budget {
    entries: 64,
    of_one: 16,
    others: "refusals within about a minute of strangers at addresses that are not named",
};

/// What separates a client from the proxy that speaks for it.
const THROUGH: &str = " through ";

/// The network that one machine has all of, so that it counts as one address.
const IPV6_NETWORK: u128 = u128::MAX << 64;

/// How many different refusals of a minute are recorded one by one. As many sources at most have an entry that counts
/// what exceeds that, and one more counts what the other sources are refused.
#[derive(Debug)]
struct Budget {
    entries: usize,
    /// The most of them that one source may use.
    of_one: usize,
    /// What is said of the other sources.
    others: &'static str,
}

/// Whom a refusal is counted for.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Source {
    /// Somebody who has proved who they are.
    Principal(Who),
    /// Whoever is at this address, or in this network.
    Address(String),
}

/// Somebody, whether they have proved it or only claim it.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Who {
    name: String,
    login: Option<Login>,
    provider: String,
}

/// What makes refusals the same.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Sameness {
    kind: AuditKind,
    who: Option<Who>,
    remote: String,
    action: String,
    target: Option<(BoardId, Option<DeviceId>)>,
    parameters: String,
    code: String,
}

/// Refusals that are gathered.
#[derive(Debug)]
pub(super) struct Tally {
    /// When the first of them happened.
    since: Option<Timestamp>,
    principals: Gathered,
    strangers: Gathered,
}

/// Those that share a budget.
#[derive(Debug)]
struct Gathered {
    budget: Budget,
    /// How much of the budget is used.
    used: usize,
    shares: HashMap<Source, Share>,
    /// What stands for those of sources without a share.
    rest: Option<AuditEntry>,
}

/// Those of one source.
#[derive(Debug, Default)]
struct Share {
    entries: HashMap<Sameness, AuditEntry>,
    /// What stands for those that found no room.
    rest: Option<AuditEntry>,
}

impl Default for Tally {
    fn default() -> Self {
        Self { since: None, principals: Gathered::new(PRINCIPALS), strangers: Gathered::new(STRANGERS) }
    }
}

impl Tally {
    /// Adds a refusal.
    pub(super) fn note(&mut self, entry: AuditEntry) {
        let entry = entry.shortened();
        self.since.get_or_insert(entry.time);
        let source = Source::of(&entry);
        let gathered = match source {
            Source::Principal(_) => &mut self.principals,
            Source::Address(_) => &mut self.strangers,
        };
        gathered.note(source, entry);
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

    /// The texts of the entries.
    pub(super) fn texts(&self) -> Result<Vec<String>, serde_json::Error> {
        self.entries().into_iter().map(AuditEntry::to_text).collect()
    }

    /// An entry for each sort of them, in the order in which they happened first.
    pub(super) fn entries(&self) -> Vec<&AuditEntry> {
        let mut entries: Vec<&AuditEntry> =
            self.principals.entries().chain(self.strangers.entries()).collect();
        entries.sort_by_key(|entry| entry.time);
        entries
    }
}

impl Gathered {
    fn new(budget: Budget) -> Self {
        Self { budget, used: 0, shares: HashMap::new(), rest: None }
    }

    fn note(&mut self, source: Source, entry: AuditEntry) {
        let is_share_left = self.shares.len() < self.budget.entries;
        let share = match self.shares.entry(source) {
            Entry::Occupied(share) => share.into_mut(),
            Entry::Vacant(vacant) if is_share_left => vacant.insert(Share::default()),
            Entry::Vacant(_) => {
                let others =
                    || AuditEntry::new(AuditKind::MoreRefused, entry.time).saying(self.budget.others);
                return count_in(&mut self.rest, entry.time, others);
            }
        };
        let has_room = self.used < self.budget.entries && share.entries.len() < self.budget.of_one;
        match share.entries.entry(Sameness::of(&entry)) {
            Entry::Occupied(same) => count_on(same.into_mut(), entry.time),
            Entry::Vacant(vacant) if has_room => {
                vacant.insert(AuditEntry { count: Some(1), ..entry });
                self.used += 1;
            }
            Entry::Vacant(_) => count_in(&mut share.rest, entry.time, || rest_of_source(&entry)),
        }
    }

    fn entries(&self) -> impl Iterator<Item = &AuditEntry> {
        self.shares.values().flat_map(|share| share.entries.values().chain(&share.rest)).chain(&self.rest)
    }
}

impl Source {
    fn of(entry: &AuditEntry) -> Self {
        match (entry.kind, &entry.who) {
            (AuditKind::Refused, Some(who)) => Self::Principal(who.into()),
            _ => Self::Address(network(&entry.remote)),
        }
    }
}

impl From<&AuditWho> for Who {
    fn from(AuditWho { name, login, provider }: &AuditWho) -> Self {
        Self { name: name.clone(), login: *login, provider: provider.clone() }
    }
}

impl Sameness {
    /// All that an entry says but the port, the id of the request and the message, which may differ each time.
    fn of(entry: &AuditEntry) -> Self {
        Self {
            kind: entry.kind,
            who: entry.who.as_ref().map(Who::from),
            remote: without_port(&entry.remote),
            action: entry.action.clone(),
            target: entry.target.as_ref().map(|target| (target.board, target.device)),
            parameters: entry.parameters.clone(),
            code: entry.code.clone(),
        }
    }
}

/// The address of the client at `remote`, or the network that counts as one; `remote` itself if it is no address.
fn network(remote: &str) -> String {
    let client = remote.split_once(THROUGH).map_or(remote, |(client, _)| client);
    match address(client).map(|address| address.to_canonical()) {
        Some(IpAddr::V4(address)) => address.to_string(),
        Some(IpAddr::V6(address)) => {
            format!("{}/64", Ipv6Addr::from_bits(address.to_bits() & IPV6_NETWORK))
        }
        None => client.to_owned(),
    }
}

/// An address that may have a port.
fn address(text: &str) -> Option<IpAddr> {
    text.parse().map(|socket: SocketAddr| socket.ip()).or_else(|_| text.parse()).ok()
}

/// `remote` without the port of its connection, be it that of the client or of the proxy.
fn without_port(remote: &str) -> String {
    match remote.split_once(THROUGH) {
        Some((client, proxy)) => format!("{client}{THROUGH}{}", host(proxy)),
        None => host(remote),
    }
}

fn host(text: &str) -> String {
    address(text).map_or_else(|| text.to_owned(), |address| address.to_string())
}

fn count_on(entry: &mut AuditEntry, time: Timestamp) {
    entry.count = Some(entry.count.unwrap_or(1).saturating_add(1));
    entry.until = Some(time);
}

/// Counts a refusal at `time` in `rest`, which is `begun` if it is the first.
fn count_in(rest: &mut Option<AuditEntry>, time: Timestamp, begun: impl FnOnce() -> AuditEntry) {
    match rest {
        Some(rest) => count_on(rest, time),
        None => *rest = Some(AuditEntry { count: Some(1), ..begun() }),
    }
}

/// What stands for `entry` and whatever else its source is refused.
fn rest_of_source(entry: &AuditEntry) -> AuditEntry {
    let rest = AuditEntry::new(AuditKind::MoreRefused, entry.time)
        .saying("more refusals within about a minute, besides those that are recorded one by one");
    match Source::of(entry) {
        Source::Principal(_) => AuditEntry { who: entry.who.clone(), ..rest },
        Source::Address(remote) => AuditEntry { remote, ..rest },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::entry::AuditTarget;
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + second).unwrap()
    }

    fn refused_login(name: &str, remote: &str, second: i64) -> AuditEntry {
        AuditEntry {
            who: Some(AuditWho::claimed(name)),
            remote: remote.to_owned(),
            action: "login".to_owned(),
            code: "wrong_password".to_owned(),
            ..AuditEntry::new(AuditKind::LoginRefused, at(second))
        }
    }

    fn refused(name: &str, action: &str, parameters: &str) -> AuditEntry {
        let who = AuditWho { name: name.to_owned(), login: Some(Login::Ldap), provider: "corp".to_owned() };
        AuditEntry {
            who: Some(who),
            remote: "192.0.2.7:1".to_owned(),
            action: action.to_owned(),
            parameters: parameters.to_owned(),
            code: "forbidden".to_owned(),
            ..AuditEntry::new(AuditKind::Refused, at(0))
        }
    }

    fn tally(entries: impl IntoIterator<Item = AuditEntry>) -> Tally {
        let mut tally = Tally::default();
        entries.into_iter().for_each(|entry| tally.note(entry));
        tally
    }

    fn counts(tally: &Tally, is_wanted: impl Fn(&AuditEntry) -> bool) -> Vec<u64> {
        tally
            .entries()
            .into_iter()
            .filter(|entry| is_wanted(entry))
            .map(|entry| entry.count.unwrap())
            .collect()
    }

    fn is_more(entry: &AuditEntry) -> bool {
        entry.kind == AuditKind::MoreRefused
    }

    fn is_of(entry: &AuditEntry, name: &str) -> bool {
        entry.who.as_ref().is_some_and(|who| who.name == name)
    }

    /// The counts of what is recorded one by one for somebody.
    fn recorded(tally: &Tally, name: &str) -> Vec<u64> {
        counts(tally, |entry| !is_more(entry) && is_of(entry, name))
    }

    /// The counts of what stands for the rest of what somebody is refused.
    fn more_of(tally: &Tally, name: &str) -> Vec<u64> {
        counts(tally, |entry| is_more(entry) && is_of(entry, name))
    }

    /// The counts of what stands for the rest of what is refused at an address, or to all others if it is empty.
    fn more_from(tally: &Tally, remote: &str) -> Vec<u64> {
        counts(tally, |entry| is_more(entry) && entry.who.is_none() && entry.remote == remote)
    }

    #[test]
    fn the_same_refusals_are_one_entry_with_their_count() {
        let same = (0..50).map(|second| AuditEntry {
            request_id: format!("request-{second}"),
            ..refused_login("eve", &format!("192.0.2.7:{}", 1000 + second), second).saying(second.to_string())
        });
        let others =
            [refused_login("eve", "192.0.2.8:1", 50), refused_login("mallory", "[2001:db8::1]:1", 50)];
        let tally = tally(same.chain(others));
        let entries = tally.entries();
        assert_eq!(entries.len(), 3);
        let AuditEntry { count, time, until, remote, .. } = entries[0];
        assert_eq!((*count, *time, *until), (Some(50), at(0), Some(at(49))));
        assert_eq!(remote, "192.0.2.7:1000");
        assert_eq!(tally.count(), 52);
    }

    #[test]
    fn what_was_attempted_on_what_is_told_apart() {
        let on_board = |board| AuditEntry {
            target: Some(AuditTarget {
                board: BoardId(board),
                device: None,
                name: String::new(),
                rack: String::new(),
            }),
            ..refused("ada", "control", "")
        };
        let elsewhere =
            AuditWho { name: "ada".to_owned(), login: Some(Login::Token), provider: String::new() };
        let tally = tally([
            refused("ada", "audit", "the audit log"),
            refused("ada", "control", "db-01"),
            refused("ada", "control", "db-01"),
            refused("ada", "control", "db-01"),
            refused("ada", "control", "db-02"),
            refused("ada", "configure", "db-02"),
            on_board(1),
            on_board(2),
            AuditEntry { who: Some(elsewhere), ..refused("ada", "audit", "the audit log") },
        ]);
        let mut counts = recorded(&tally, "ada");
        counts.sort_unstable();
        assert_eq!(counts, [1, 1, 1, 1, 1, 1, 3]);
        let control = tally.entries().into_iter().find(|entry| entry.count == Some(3)).unwrap();
        assert_eq!((control.action.as_str(), control.parameters.as_str()), ("control", "db-01"));
    }

    #[test]
    fn strangers_cannot_hide_what_people_are_refused() {
        let names = (0..10_000)
            .map(|number| refused_login(&format!("{number}"), &format!("192.0.2.{}:1", number % 250), 0));
        let tally = tally(names.chain([refused("ada", "control", "db-01")]));
        assert_eq!(recorded(&tally, "ada"), [1]);
        assert_eq!(tally.count(), 10_001);
    }

    #[test]
    fn nobody_can_hide_what_others_are_refused() {
        let of_eve = (0..1_000).map(|number| refused("eve", "control", &format!("board {number}")));
        let mut tally = tally(of_eve.chain([refused("ada", "control", "db-01")]));
        assert_eq!((recorded(&tally, "eve").len(), more_of(&tally, "eve")), (64, vec![1_000 - 64]));
        assert_eq!((recorded(&tally, "ada"), more_of(&tally, "ada")), (vec![1], vec![]));

        // What is recorded already is counted on, though there is no room.
        tally.note(refused("eve", "control", "board 0"));
        assert_eq!(recorded(&tally, "eve").iter().sum::<u64>(), 65);
        assert_eq!(tally.count(), 1_002);
    }

    #[test]
    fn when_all_room_is_used_people_are_counted_by_name() {
        let of_many = (0..5).flat_map(|who| {
            (0..64).map(move |number| refused(&format!("user {who}"), "control", &format!("board {number}")))
        });
        let tally = tally(of_many);
        assert_eq!((recorded(&tally, "user 3").len(), more_of(&tally, "user 3")), (64, vec![]));
        assert_eq!((recorded(&tally, "user 4").len(), more_of(&tally, "user 4")), (0, vec![64]));
    }

    #[test]
    fn an_address_has_a_share_whatever_its_port_and_proxy() {
        for (remotes, source) in [
            (["203.0.113.7:1", "203.0.113.7:2"], "203.0.113.7"),
            (["203.0.113.7:1", "[::ffff:203.0.113.7]:2"], "203.0.113.7"),
            (["203.0.113.7 through 127.0.0.1:1", "203.0.113.7 through unix:uid=0"], "203.0.113.7"),
            (["[2001:db8::1]:4711", "[2001:db8::ffff:1]:1"], "2001:db8::/64"),
            (["2001:db8::1 through [::1]:1", "2001:db8::2 through 127.0.0.1:1"], "2001:db8::/64"),
            (["unix:uid=0", "unix:uid=0"], "unix:uid=0"),
            (["", ""], ""),
        ] {
            let names = (0..100).map(|number| refused_login(&format!("{number}"), remotes[number % 2], 0));
            let tally = tally(names.chain([refused_login("bob", "198.51.100.1:1", 0)]));
            assert_eq!(recorded(&tally, "bob"), [1], "{source}");
            assert_eq!(more_from(&tally, source), [100 - 16], "{source}");
            assert_eq!(tally.entries().len(), 16 + 1 + 1, "{source}");
        }
    }

    #[test]
    fn addresses_and_users_that_differ_are_told_apart() {
        for (one, other) in [
            ("203.0.113.7:1", "203.0.113.8:1"),
            ("[2001:db8::1]:1", "[2001:db8::2]:1"),
            ("unix:uid=0", "unix:uid=1000"),
            ("203.0.113.7 through 127.0.0.1:1", "203.0.113.8 through 127.0.0.1:1"),
            ("203.0.113.7 through 127.0.0.1:1", "203.0.113.7 through 127.0.0.2:1"),
            ("203.0.113.7:1", "203.0.113.7 through 127.0.0.1:1"),
        ] {
            let tally = tally([refused_login("eve", one, 0), refused_login("eve", other, 0)]);
            assert_eq!(recorded(&tally, "eve"), [1, 1], "{one}, {other}");
        }
    }

    #[test]
    fn however_many_there_are_a_minute_has_a_bounded_number_of_entries() {
        let long = "x".repeat(100_000);
        let strangers = (0..10_000_u32).map(|number| {
            let [.., high, low] = number.to_be_bytes();
            refused_login(&format!("{number}{long}"), &format!("10.0.{high}.{low}:1"), 0)
        });
        let people = (0..10_000).map(|number| refused(&format!("{number}{long}"), &long, &long));
        let tally = tally(strangers.chain(people));
        let mut others = more_from(&tally, "");
        others.sort_unstable();
        assert_eq!(others, [10_000 - 256, 10_000 - 64]);
        assert_eq!(tally.entries().len(), 64 + 1 + 256 + 1);
        assert_eq!(tally.count(), 20_000);
        let length: usize = tally.texts().unwrap().iter().map(String::len).sum();
        assert!(length < 300_000, "{length}");
    }

    #[test]
    fn they_are_gathered_for_a_minute_or_until_the_clock_goes_backwards() {
        let mut tally = Tally::default();
        assert!(!tally.is_due(at(0)));
        tally.note(refused_login("eve", "192.0.2.7:1", 0));
        assert!(!tally.is_due(at(59)));
        assert!(tally.is_due(at(60)) && tally.is_due(at(-1)));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn none_is_lost_and_all_is_bounded(
            refusals in prop::collection::vec((any::<bool>(), 0_u8..20, "\\PC{0,3}"), 0..1_000),
        ) {
            let number = u64::try_from(refusals.len()).unwrap();
            let tally = tally(refusals.into_iter().map(|(is_stranger, source, text)| {
                if is_stranger {
                    refused_login(&text, &format!("192.0.2.{source}:1"), 0)
                } else {
                    refused(&source.to_string(), "control", &text)
                }
            }));
            prop_assert_eq!(tally.count(), number);
            prop_assert!(tally.entries().len() <= 64 + 20 + 256 + 20);
        }
    }
}
