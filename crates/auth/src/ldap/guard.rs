//! How often binds as an account have failed lately, so that a directory never sees enough of them to lock it, however the
//! name is spelled. It knows neither servers nor passwords.
//!
//! Directories lock an account after five failed binds or more, and forget them within a quarter of an hour. After a
//! search the account is known by its entry. Before one there is only the typed name, and directories fold accents and
//! widths in ways that nobody can know from here: any name that is not ASCII could be that of any account. So these share
//! one failure, and with the three of the same name in ASCII an account sees four.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::sync::Notify;
use tokio::time::Instant;

/// How long a failed bind counts.
const WINDOW: Duration = Duration::from_mins(15);
/// How many binds as one account may fail within that time.
const FAILURES: usize = 3;
/// How many binds with names that are not ASCII may, all together.
const SHARED_FAILURES: usize = 1;
/// How many accounts are remembered.
const CAPACITY: usize = 10_000;

/// A text that is not kept: people sometimes type their password as their name, and names in a directory may be long.
type Digest = [u8; 32];

/// As whom a bind happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Account {
    /// The entry with this name.
    Entry(Digest),
    /// Whoever has this name in ASCII.
    Name(Digest),
    /// Whoever has a name that is not ASCII.
    NotAscii,
}

impl Account {
    /// The entry with this name, written as the directory writes it.
    pub(super) fn entry(dn: &str) -> Self {
        Self::Entry(Sha256::digest(dn.to_lowercase()).into())
    }

    /// Whoever is meant by a typed name, in which no blank follows another.
    pub(super) fn typed(name: &str) -> Self {
        if name.is_ascii() {
            Self::Name(Sha256::digest(name.trim().to_ascii_lowercase()).into())
        } else {
            Self::NotAscii
        }
    }

    /// Why a bind as this account is not passed on.
    pub(super) const fn refusal(self) -> &'static str {
        match self {
            Self::Entry(_) | Self::Name(_) => {
                "too many binds as this account have failed; the directory is not asked until 15 minutes have passed"
            }
            Self::NotAscii => {
                "a bind with a name that is not ascii has failed; the directory is asked for no such name until \
                 15 minutes have passed; without `user_dn` this does not happen"
            }
        }
    }

    const fn allowed_failures(self) -> usize {
        match self {
            Self::Entry(_) | Self::Name(_) => FAILURES,
            Self::NotAscii => SHARED_FAILURES,
        }
    }

    /// Whether a success shows that earlier failures were of the same person.
    const fn is_one(self) -> bool {
        !matches!(self, Self::NotAscii)
    }
}

/// How a bind has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Succeeded,
    /// The server has not looked at the password.
    Unchecked,
    /// The password was refused, or nobody knows.
    Failed,
}

/// Counts failed binds.
#[derive(Debug, Default)]
pub(super) struct Guard {
    accounts: Mutex<HashMap<Account, Binds>>,
    ended: Notify,
}

/// The binds as one account that count.
#[derive(Debug, Default)]
struct Binds {
    running: usize,
    /// When they failed; the latest comes last.
    failed: Vec<Instant>,
}

/// Whether a bind may happen.
enum Verdict {
    Permitted,
    /// When one that still runs has ended.
    Busy,
    Refused,
}

/// A bind that runs. Without [`finish`](Self::finish) it has failed.
#[derive(Debug)]
pub(super) struct Bind<'a> {
    guard: &'a Guard,
    account: Account,
    end: End,
}

impl Guard {
    /// Begins a bind; nothing if too many have failed. Waits for others that run and could fail, too.
    pub(super) async fn begin(&self, account: Account) -> Option<Bind<'_>> {
        loop {
            let ended = self.ended.notified();
            let verdict = self.try_begin(account, Instant::now());
            match verdict {
                Verdict::Permitted => return Some(Bind { guard: self, account, end: End::Failed }),
                Verdict::Busy => ended.await,
                Verdict::Refused => return None,
            }
        }
    }

    fn try_begin(&self, account: Account, now: Instant) -> Verdict {
        let mut accounts = self.accounts();
        if accounts.len() >= CAPACITY && !accounts.contains_key(&account) {
            forget_oldest(&mut accounts);
        }
        let binds = accounts.entry(account).or_default();
        binds.failed.retain(|failed| now.saturating_duration_since(*failed) < WINDOW);
        if binds.failed.len() >= account.allowed_failures() {
            Verdict::Refused
        } else if binds.failed.len() + binds.running >= account.allowed_failures() {
            Verdict::Busy
        } else {
            binds.running += 1;
            Verdict::Permitted
        }
    }

    fn end(&self, account: Account, end: End, now: Instant) {
        let mut accounts = self.accounts();
        let binds = accounts.entry(account).or_default();
        binds.running = binds.running.saturating_sub(1);
        match end {
            End::Succeeded if account.is_one() => binds.failed.clear(),
            End::Succeeded | End::Unchecked => {}
            End::Failed => binds.failed.push(now),
        }
        if binds.running == 0 && binds.failed.is_empty() {
            accounts.remove(&account);
        }
        self.ended.notify_waiters();
    }

    fn accounts(&self) -> MutexGuard<'_, HashMap<Account, Binds>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forgets the account whose last failure is the oldest. Those with running binds stay; there are only a few.
fn forget_oldest(accounts: &mut HashMap<Account, Binds>) {
    let idle = accounts.iter().filter(|(_, binds)| binds.running == 0);
    let oldest = idle.min_by_key(|(_, binds)| binds.failed.last().copied()).map(|(account, _)| *account);
    if let Some(oldest) = oldest {
        accounts.remove(&oldest);
    }
}

impl Bind<'_> {
    /// Says how it has ended.
    pub(super) fn finish(mut self, end: End) {
        self.end = end;
    }
}

impl Drop for Bind<'_> {
    fn drop(&mut self) {
        self.guard.end(self.account, self.end, Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    async fn attempt(guard: &Guard, account: Account, end: End) -> bool {
        let bind = guard.begin(account).await;
        bind.map(|bind| bind.finish(end)).is_some()
    }

    #[tokio::test(start_paused = true)]
    async fn three_failures_are_passed_on_in_any_quarter_of_an_hour() {
        let (guard, ada) = (Guard::default(), Account::entry("uid=ada"));
        assert!(attempt(&guard, ada, End::Failed).await);
        advance(Duration::from_mins(10)).await;
        assert!(attempt(&guard, ada, End::Failed).await && attempt(&guard, ada, End::Failed).await);
        assert!(!attempt(&guard, ada, End::Failed).await);
        advance(Duration::from_mins(5)).await;
        assert!(attempt(&guard, ada, End::Failed).await && !attempt(&guard, ada, End::Failed).await);
        assert!(attempt(&guard, Account::entry("uid=bob"), End::Failed).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_bind_counts_from_its_end() {
        let (guard, ada) = (Guard::default(), Account::entry("uid=ada"));
        let slow = [guard.begin(ada).await, guard.begin(ada).await, guard.begin(ada).await];
        advance(WINDOW).await;
        drop(slow);
        advance(WINDOW - Duration::from_millis(1)).await;
        assert!(guard.begin(ada).await.is_none());
        advance(Duration::from_millis(1)).await;
        assert!(guard.begin(ada).await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_logged_in_begins_anew() {
        let (guard, ada) = (Guard::default(), Account::typed("ada"));
        for _ in 0..3 {
            assert!(attempt(&guard, ada, End::Failed).await && attempt(&guard, ada, End::Failed).await);
            assert!(attempt(&guard, ada, End::Unchecked).await && attempt(&guard, ada, End::Succeeded).await);
        }
        assert!(guard.accounts().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn one_name_that_is_not_ascii_does_not_excuse_another() {
        let guard = Guard::default();
        let zoe = guard.begin(Account::typed("zoë")).await.unwrap();
        zoe.finish(End::Succeeded);
        assert!(attempt(&guard, Account::typed("ａda"), End::Failed).await);
        assert!(!attempt(&guard, Account::typed("zoë"), End::Succeeded).await);
        assert!(attempt(&guard, Account::typed("ada"), End::Failed).await);
    }

    #[tokio::test(start_paused = true)]
    async fn waits_for_those_that_run() {
        let (guard, ada) = (Guard::default(), Account::entry("uid=ada"));
        for (end, permitted) in [(End::Succeeded, true), (End::Unchecked, true), (End::Failed, false)] {
            let running = [guard.begin(ada).await, guard.begin(ada).await, guard.begin(ada).await];
            let finish = async { running.into_iter().flatten().for_each(|bind| bind.finish(end)) };
            let (next, ()) = tokio::join!(attempt(&guard, ada, End::Succeeded), finish);
            assert_eq!(next, permitted, "{end:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn is_bounded_and_forgets_the_oldest() {
        let guard = Guard::default();
        let account = |number: usize| Account::entry(&number.to_string());
        let running = guard.begin(account(CAPACITY)).await;
        for number in 0..CAPACITY {
            for _ in 0..FAILURES {
                assert!(attempt(&guard, account(number), End::Failed).await);
            }
            advance(Duration::from_millis(1)).await;
        }
        assert_eq!(guard.accounts().len(), CAPACITY);
        assert!(!guard.accounts().contains_key(&account(0)));
        assert!(guard.accounts().contains_key(&account(1)));
        drop(running);
        assert_eq!(guard.accounts()[&account(CAPACITY)].failed.len(), 1);
    }
}
