//! Failed logins: how many, of whom, from where, and how long the next attempt has to wait. It knows neither providers
//! nor a clock: time is passed in.
//!
//! **Of a user.** Three failures are passed on to a directory, with pauses of 1 s and 2 s in between. Then the directory
//! is not asked about this user for 15 minutes, and after every further failure for 15 more. Directories forget failures
//! within that time and tolerate at least five of them. Attempts that are refused meanwhile do not count: they told nobody
//! anything. A user here is a name as it is typed, and one account may have many; so that nobody can have an account
//! locked through us, [`Ldap`](crate::ldap::Ldap) counts again by the entry of the directory.
//!
//! **From an address.** (An IPv6 network of 64 bits is one address, because one machine has all of it.) The first ten
//! failures cost nothing, as several people may be behind one address; every further one doubles the pause, from 1 s to
//! 15 minutes. Every 10 s without a failure, one is forgotten.
//!
//! **Where a user is known.** An address from which the user has logged in within the last day is known for that user. It
//! has one attempt of its own, even if others have used up all that there are: as long as those succeed, nobody elsewhere
//! can keep that user out. One that fails counts like any other, and the next one comes when no such attempt of this user
//! has failed for 15 minutes. The failures of others from this address do not matter to that user either.
//! (With a directory, the count by its entries still holds for such an attempt: there is no exemption from that.)
//!
//! Attempts that still run count like failures, so that no more of them than that can ever fail at once.

mod meter;
mod table;

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use meter::{Allowance, Meter};
use table::{Entry, Table};

/// How many addresses are known for one user. The one that has not been used for longest goes first.
const MAX_KNOWN: usize = 8;

/// How many failed logins there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Failures of one user that are passed on before the long pause. With two more, a directory may lock an account: one
    /// is that of a known address.
    pub user_failures: u32,
    /// The long pause. Within it, directories must forget failures.
    pub user_pause: Duration,
    /// Failures from one address until there is only one attempt after every pause. Half of them cost no pause.
    pub address_failures: u32,
    /// How long it takes without a failure until one from an address is forgotten.
    pub address_recovery: Duration,
    /// For how long after a login an address is known for the user.
    pub known: Duration,
    /// The users that are remembered.
    pub max_users: usize,
    /// The addresses that are remembered.
    pub max_addresses: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            user_failures: 3,
            user_pause: Duration::from_mins(15),
            address_failures: 20,
            address_recovery: Duration::from_secs(10),
            known: Duration::from_hours(24),
            max_users: 10_000,
            max_addresses: 10_000,
        }
    }
}

impl Limits {
    fn user(&self) -> Allowance {
        Allowance { failures: self.user_failures, recovery: self.user_pause, free: 0 }
    }

    fn address(&self) -> Allowance {
        let free = self.address_failures / 2;
        Allowance { failures: self.address_failures, recovery: self.address_recovery, free }
    }
}

/// Whether somebody may try to log in.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Now. How it ended must be told by [`Throttle::finish`].
    Permitted(Permit),
    /// When one of the attempts that still run has ended.
    Busy,
    /// After this time.
    Locked(Duration),
}

/// An attempt that runs.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "an attempt that never ends counts for ever"]
pub struct Permit {
    user: UserKey,
    address: Address,
    path: Path,
}

/// How an attempt has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was that user.
    Success,
    /// It was not, or that user does not exist.
    Failure,
    /// Nobody knows, because no directory has answered.
    Unknown,
}

/// By what right an attempt runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Path {
    /// It is the one of a known address.
    Own,
    /// It comes from a known address, and counts like those of anybody else for the user.
    Known,
    /// Nothing is known about its address.
    Stranger,
}

/// A user, whose name is not kept: people sometimes type their password instead.
type UserKey = [u8; 16];

/// From where an attempt comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Address {
    Unix,
    V4(Ipv4Addr),
    /// The first 64 bits.
    V6(u64),
}

/// What is known about the logins of a user.
#[derive(Debug)]
struct User {
    meter: Meter,
    failures: Source,
    known: Vec<Known>,
    /// When an attempt that a known address has of its own has failed last.
    last_own_failure: Instant,
}

/// From where the failures of a user came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Nowhere,
    One(Address),
    Several,
}

/// An address from which a user has logged in.
#[derive(Debug)]
struct Known {
    address: Address,
    last_login: Instant,
    /// Whether its own attempt has failed since the last login.
    has_failed: bool,
    /// Whether its own attempt runs.
    is_in_flight: bool,
}

/// Counts failed logins.
#[derive(Debug)]
pub struct Throttle {
    limits: Limits,
    users: Table<UserKey, User>,
    addresses: Table<Address, Meter>,
}

impl Default for Throttle {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

impl Throttle {
    /// Counts as `limits` say.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { limits, users: Table::new(limits.max_users), addresses: Table::new(limits.max_addresses) }
    }

    /// Counts as `limits` say from now on, without forgetting anything that still fits.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
        self.users.set_capacity(limits.max_users);
        self.addresses.set_capacity(limits.max_addresses);
    }

    /// Whether somebody may try to log in as `user` from `remote`, or from a Unix socket.
    pub fn begin(&mut self, user: &str, remote: Option<IpAddr>, now: Instant) -> Verdict {
        let (key, address) = (user_key(user), Address::of(remote));
        let limits = self.limits;
        let user = self.users.entry(key, now, || User::new(now));
        user.forget_known(limits.known, now);
        let is_known = user.known(address).is_some();
        let own = user.wait_own(address, limits.user_pause, now);
        if own == Some(Wait::Nothing) {
            user.set_in_flight(address, true);
            return Verdict::Permitted(Permit { user: key, address, path: Path::Own });
        }
        let mut wait = user.meter.wait(&limits.user(), now);
        if !is_known {
            let meter = self.addresses.entry(address, now, || Meter::new(now));
            wait = wait.max(meter.wait(&limits.address(), now));
        }
        match own.map_or(wait, |own| own.min(wait)) {
            Wait::Time(time) => return Verdict::Locked(time),
            Wait::Attempt => return Verdict::Busy,
            Wait::Nothing => {}
        }
        let path = if is_known { Path::Known } else { Path::Stranger };
        self.meters(key, address, path, now, Meter::begin);
        Verdict::Permitted(Permit { user: key, address, path })
    }

    /// An attempt has ended.
    #[expect(clippy::needless_pass_by_value, reason = "an attempt ends once")]
    pub fn finish(&mut self, permit: Permit, outcome: Outcome, now: Instant) {
        let Permit { user: key, address, path } = permit;
        match path {
            Path::Own => self.users.entry(key, now, || User::new(now)).set_in_flight(address, false),
            Path::Known | Path::Stranger => self.meters(key, address, path, now, Meter::end),
        }
        match outcome {
            Outcome::Success => self.users.entry(key, now, || User::new(now)).log_in(address, now),
            Outcome::Failure => self.fail(key, address, path, now),
            Outcome::Unknown => {}
        }
    }

    /// Something that belongs to no user, such as a token, proves nothing. If nothing from there is heard at the moment,
    /// it does not count, and the answer is for how long.
    pub fn reject(&mut self, remote: Option<IpAddr>, now: Instant) -> Option<Duration> {
        let allowance = self.limits.address();
        let meter = self.addresses.entry(Address::of(remote), now, || Meter::new(now));
        if let Wait::Time(time) = meter.wait(&allowance, now) {
            return Some(time);
        }
        meter.fail(&allowance, now);
        None
    }

    fn fail(&mut self, key: UserKey, address: Address, path: Path, now: Instant) {
        let limits = self.limits;
        let user = self.users.entry(key, now, || User::new(now));
        user.meter.fail(&limits.user(), now);
        user.failures = user.failures.and(address);
        if path == Path::Own {
            user.fail_own(address, now);
        }
        if path == Path::Stranger {
            let meter = self.addresses.entry(address, now, || Meter::new(now));
            meter.fail(&limits.address(), now);
        }
    }

    /// Does something to every meter that counts an attempt.
    fn meters(&mut self, key: UserKey, address: Address, path: Path, now: Instant, work: fn(&mut Meter)) {
        work(&mut self.users.entry(key, now, || User::new(now)).meter);
        if path == Path::Stranger {
            work(self.addresses.entry(address, now, || Meter::new(now)));
        }
    }
}

/// For what an attempt has to wait, from the best to the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Wait {
    Nothing,
    /// For the end of one that still runs.
    Attempt,
    Time(Duration),
}

impl User {
    const fn new(now: Instant) -> Self {
        Self { meter: Meter::new(now), failures: Source::Nowhere, known: Vec::new(), last_own_failure: now }
    }

    fn known(&mut self, address: Address) -> Option<&mut Known> {
        self.known.iter_mut().find(|known| known.address == address)
    }

    fn forget_known(&mut self, after: Duration, now: Instant) {
        self.known
            .retain(|known| known.is_in_flight || now.saturating_duration_since(known.last_login) < after);
    }

    fn set_in_flight(&mut self, address: Address, is_in_flight: bool) {
        if let Some(known) = self.known(address) {
            known.is_in_flight = is_in_flight;
        }
    }

    /// For what the own attempt of an address has to wait; nothing if it has none.
    fn wait_own(&mut self, address: Address, pause: Duration, now: Instant) -> Option<Wait> {
        let rest = pause.saturating_sub(now.saturating_duration_since(self.last_own_failure));
        self.known(address).map(|known| match (known.is_in_flight, known.has_failed) {
            (true, _) => Wait::Attempt,
            (false, true) if rest > Duration::ZERO => Wait::Time(rest),
            (false, _) => Wait::Nothing,
        })
    }

    fn fail_own(&mut self, address: Address, now: Instant) {
        self.last_own_failure = now;
        if let Some(known) = self.known(address) {
            known.has_failed = true;
        }
    }

    /// Somebody has logged in. Only failures from the same address are forgiven: others could use every login of this
    /// user for a new round.
    fn log_in(&mut self, address: Address, now: Instant) {
        if self.failures == Source::One(address) {
            self.meter.forgive(now);
            self.failures = Source::Nowhere;
        }
        if let Some(known) = self.known(address) {
            (known.last_login, known.has_failed) = (now, false);
            return;
        }
        if self.known.len() >= MAX_KNOWN
            && let Some(oldest) = (0..).zip(&self.known).min_by_key(|(_, known)| known.last_login)
        {
            let oldest = oldest.0;
            self.known.swap_remove(oldest);
        }
        self.known.push(Known { address, last_login: now, has_failed: false, is_in_flight: false });
    }
}

impl Source {
    fn and(self, address: Address) -> Self {
        match self {
            Self::Nowhere => Self::One(address),
            Self::One(other) if other == address => self,
            Self::One(_) | Self::Several => Self::Several,
        }
    }
}

impl Address {
    fn of(remote: Option<IpAddr>) -> Self {
        match remote.map(|address| address.to_canonical()) {
            None => Self::Unix,
            Some(IpAddr::V4(address)) => Self::V4(address),
            Some(IpAddr::V6(address)) => Self::V6((address.to_bits() >> 64) as u64),
        }
    }
}

/// Names that directories take for the same are the same user here.
fn user_key(user: &str) -> UserKey {
    let hash: [u8; 32] = Sha256::digest(user.trim().to_lowercase()).into();
    let mut key = [0; 16];
    key.copy_from_slice(hash.split_at(16).0);
    key
}

impl Entry for User {
    /// Real users count most: only they have logged in. Those who were tried most come next, because an attacker who
    /// wants us to forget them has to try every other name as often.
    fn weight(&self) -> (bool, bool, u32) {
        let is_in_flight = self.meter.is_in_flight() || self.known.iter().any(|known| known.is_in_flight);
        (is_in_flight, !self.known.is_empty(), self.meter.streak())
    }
}

impl Entry for Meter {
    fn weight(&self) -> (bool, bool, u32) {
        (self.is_in_flight(), false, self.streak())
    }
}

#[cfg(test)]
mod tests;
