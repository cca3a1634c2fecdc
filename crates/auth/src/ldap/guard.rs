//! How often binds as an account have failed lately, so that a directory never sees enough of them to lock it, however the
//! name is spelled, whichever table of the configuration leads to it, and although the configuration is read again. It
//! knows neither servers nor passwords.
//!
//! Directories lock an account after five failed binds or more, and forget them within a quarter of an hour. An
//! account that is known only by what was typed may see three failures for its name, and one more for those names of its
//! realm that are not ASCII.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::account::{Account, Digest, Identity};

/// How long a failed bind counts.
const WINDOW: Duration = Duration::from_mins(15);
/// How many binds as one account may fail within that time.
const FAILURES: usize = 3;
/// How many binds with names that are not ASCII may, all together.
const SHARED_FAILURES: usize = 1;
/// How many accounts are remembered, and how many names of entries.
const CAPACITY: usize = 10_000;

/// How a bind has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Succeeded,
    /// The server has not looked at the password.
    Unchecked,
    /// The password was refused, or nobody knows.
    Failed,
}

/// Counts failed binds, for all directories together.
#[derive(Debug, Default)]
pub struct BindGuard {
    accounts: Mutex<HashMap<Account, Binds>>,
    /// The entry to which a name has led, by the very spelling of the name.
    entries: Mutex<HashMap<Digest, Account>>,
    ended: Notify,
}

/// The binds as one account that count.
#[derive(Debug, Default)]
struct Binds {
    running: usize,
    /// The latest comes last.
    failed: Vec<Failed>,
}

/// A bind that has failed.
#[derive(Debug)]
struct Failed {
    at: Instant,
    spelling: Digest,
    entry: Option<Digest>,
}

/// Whether a bind may happen.
enum Verdict {
    Permitted,
    /// When one that still runs has ended.
    Busy,
    /// Not as this account.
    Refused(Account),
}

/// A bind that runs. Without [`finish`](Self::finish) it has failed.
#[derive(Debug)]
pub(super) struct Bind<'a> {
    guard: &'a BindGuard,
    identity: Identity,
    end: End,
}

impl BindGuard {
    /// Begins a bind. Waits for others that run and could fail, too.
    ///
    /// # Errors
    /// As this account too many have failed.
    pub(super) async fn begin(&self, identity: Identity) -> Result<Bind<'_>, Account> {
        loop {
            let ended = self.ended.notified();
            let verdict = self.try_begin(&identity, Instant::now());
            match verdict {
                Verdict::Permitted => return Ok(Bind { guard: self, identity, end: End::Failed }),
                Verdict::Busy => ended.await,
                Verdict::Refused(account) => return Err(account),
            }
        }
    }

    /// Adds the entry that is known for what was typed.
    pub(super) fn with_entry(&self, mut identity: Identity) -> Identity {
        identity.accounts.extend(self.entries().get(&identity.spelling));
        identity
    }

    /// Remembers which entry what was typed has led to.
    pub(super) fn remember(&self, spelling: Digest, entry: &Identity) {
        let mut entries = self.entries();
        if entries.len() >= CAPACITY {
            // Those who log in again are learned again.
            entries.clear();
        }
        entries.extend(entry.accounts.first().map(|entry| (spelling, *entry)));
    }

    fn try_begin(&self, identity: &Identity, now: Instant) -> Verdict {
        let mut accounts = self.accounts();
        let mut is_busy = false;
        for account in &identity.accounts {
            let Some(binds) = accounts.get_mut(account) else { continue };
            binds.failed.retain(|failed| now.saturating_duration_since(failed.at) < WINDOW);
            let failures = binds.failures_of(identity);
            if failures >= allowed_failures(*account) {
                return Verdict::Refused(*account);
            }
            is_busy |= failures + binds.running >= allowed_failures(*account);
        }
        if is_busy {
            return Verdict::Busy;
        }
        for account in &identity.accounts {
            if accounts.len() >= CAPACITY && !accounts.contains_key(account) {
                forget_one(&mut accounts);
            }
            accounts.entry(*account).or_default().running += 1;
        }
        Verdict::Permitted
    }

    fn end(&self, identity: &Identity, end: End, now: Instant) {
        let Identity { spelling, entry, .. } = *identity;
        let mut accounts = self.accounts();
        for account in &identity.accounts {
            let binds = accounts.entry(*account).or_default();
            binds.running = binds.running.saturating_sub(1);
            match end {
                End::Succeeded => binds.forgive(*account, identity),
                End::Unchecked => {}
                End::Failed => binds.failed.push(Failed { at: now, spelling, entry }),
            }
            if binds.running == 0 && binds.failed.is_empty() {
                accounts.remove(account);
            }
        }
        self.ended.notify_waiters();
    }

    fn accounts(&self) -> MutexGuard<'_, HashMap<Account, Binds>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<Digest, Account>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Binds {
    /// How many failures count for `identity`: those of another entry do not, even under a name that both have.
    fn failures_of(&self, identity: &Identity) -> usize {
        let is_other = |failed: &Failed| {
            failed.entry.is_some_and(|entry| identity.entry.is_some_and(|own| own != entry))
        };
        self.failed.iter().filter(|failed| !is_other(failed)).count()
    }

    /// Forgets the failures of whoever has now proved to be the owner of `account` as `identity`.
    ///
    /// Names that are only counted as one may be of several people, none of whom excuses another.
    fn forgive(&mut self, account: Account, Identity { spelling, entry, .. }: &Identity) {
        match account {
            Account::Entry(_) => self.failed.clear(),
            Account::Name(_) => {
                self.failed.retain(|failed| (failed.spelling, failed.entry) != (*spelling, *entry));
            }
            Account::NotAscii(_) | Account::Nobody(_) => {}
        }
    }
}

/// Why a bind as this account is not passed on.
pub(super) const fn refusal(account: Account) -> &'static str {
    match account {
        Account::Entry(_) | Account::Name(_) | Account::Nobody(_) => {
            "too many binds as this account have failed; the directory is not asked until 15 minutes have passed"
        }
        Account::NotAscii(_) => {
            "a bind with a name that is not ascii has failed; the directory is asked for no such name until \
             15 minutes have passed; without `user_dn` this does not happen"
        }
    }
}

const fn allowed_failures(account: Account) -> usize {
    match account {
        Account::Entry(_) | Account::Name(_) | Account::Nobody(_) => FAILURES,
        Account::NotAscii(_) => SHARED_FAILURES,
    }
}

/// Forgets a name that nobody has, or else the account whose last failure is the oldest. Those with running binds stay;
/// there are only a few.
fn forget_one(accounts: &mut HashMap<Account, Binds>) {
    let idle = accounts.iter().filter(|(_, binds)| binds.running == 0);
    let worth = |(account, binds): &(&Account, &Binds)| {
        (!matches!(account, Account::Nobody(_)), binds.failed.last().map(|failed| failed.at))
    };
    let least = idle.min_by_key(worth).map(|(account, _)| *account);
    if let Some(least) = least {
        accounts.remove(&least);
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
        self.guard.end(&self.identity, self.end, Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::super::account::Realm;
    use super::*;

    fn typed(name: &str) -> Identity {
        Identity::typed(Realm::of("dc=example"), name)
    }

    async fn attempt(guard: &BindGuard, identity: &Identity, end: End) -> bool {
        let bind = guard.begin(identity.clone()).await;
        bind.map(|bind| bind.finish(end)).is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn three_failures_are_passed_on_in_any_quarter_of_an_hour() {
        let (guard, ada) = (BindGuard::default(), Identity::entry("uid=ada"));
        assert!(attempt(&guard, &ada, End::Failed).await);
        advance(Duration::from_mins(10)).await;
        assert!(attempt(&guard, &ada, End::Failed).await && attempt(&guard, &ada, End::Failed).await);
        assert!(!attempt(&guard, &ada, End::Failed).await);
        advance(Duration::from_mins(5)).await;
        assert!(attempt(&guard, &ada, End::Failed).await && !attempt(&guard, &ada, End::Failed).await);
        assert!(attempt(&guard, &Identity::entry("uid=bob"), End::Failed).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_bind_counts_from_its_end() {
        let (guard, ada) = (BindGuard::default(), Identity::entry("uid=ada"));
        let slow =
            [guard.begin(ada.clone()).await, guard.begin(ada.clone()).await, guard.begin(ada.clone()).await];
        advance(WINDOW).await;
        drop(slow);
        advance(WINDOW - Duration::from_millis(1)).await;
        assert!(guard.begin(ada.clone()).await.is_err());
        advance(Duration::from_millis(1)).await;
        assert!(guard.begin(ada.clone()).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_logged_in_begins_anew() {
        let (guard, ada) = (BindGuard::default(), typed("ada"));
        for _ in 0..3 {
            assert!(attempt(&guard, &ada, End::Failed).await && attempt(&guard, &ada, End::Failed).await);
            assert!(
                attempt(&guard, &ada, End::Unchecked).await && attempt(&guard, &ada, End::Succeeded).await
            );
        }
        assert!(guard.accounts().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn one_name_that_is_not_ascii_does_not_excuse_another() {
        let guard = BindGuard::default();
        let zoe = guard.begin(typed("zoë")).await.unwrap();
        zoe.finish(End::Succeeded);
        assert!(attempt(&guard, &typed("ａda"), End::Failed).await);
        assert!(!attempt(&guard, &typed("zoë"), End::Succeeded).await);
        assert!(attempt(&guard, &typed("ada"), End::Failed).await);
    }

    #[tokio::test(start_paused = true)]
    async fn two_entries_with_one_name_count_apart_but_for_those_of_whom_no_entry_is_known() {
        let (guard, realm) = (BindGuard::default(), Realm::of("dc=example"));
        let staff = Identity::entry_called("uid=ada,ou=staff,dc=example", realm, "ada");
        let guest = Identity::entry_called("uid=ada,ou=guests,dc=example", realm, "ada");
        for _ in 0..2 {
            assert!(attempt(&guard, &staff, End::Failed).await && attempt(&guard, &guest, End::Failed).await);
        }
        assert!(!attempt(&guard, &typed("ada"), End::Failed).await);
        assert!(attempt(&guard, &guest, End::Succeeded).await);
        assert!(attempt(&guard, &typed("ada"), End::Failed).await);
        assert!(!attempt(&guard, &staff, End::Failed).await);
        assert!(attempt(&guard, &guest, End::Failed).await);
    }

    #[tokio::test(start_paused = true)]
    async fn waits_for_those_that_run() {
        let (guard, ada) = (BindGuard::default(), Identity::entry("uid=ada"));
        for (end, permitted) in [(End::Succeeded, true), (End::Unchecked, true), (End::Failed, false)] {
            let running = [
                guard.begin(ada.clone()).await,
                guard.begin(ada.clone()).await,
                guard.begin(ada.clone()).await,
            ];
            let finish = async { running.into_iter().flatten().for_each(|bind| bind.finish(end)) };
            let (next, ()) = tokio::join!(attempt(&guard, &ada, End::Succeeded), finish);
            assert_eq!(next, permitted, "{end:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn is_bounded_and_forgets_the_oldest() {
        let guard = BindGuard::default();
        let account = |number: usize| Identity::entry(&number.to_string());
        let running = guard.begin(account(CAPACITY)).await;
        for number in 0..CAPACITY {
            for _ in 0..FAILURES {
                assert!(attempt(&guard, &account(number), End::Failed).await);
            }
            advance(Duration::from_millis(1)).await;
        }
        assert_eq!(guard.accounts().len(), CAPACITY);
        assert!(!guard.accounts().contains_key(&account(0).accounts[0]));
        assert!(guard.accounts().contains_key(&account(1).accounts[0]));
        drop(running);
        assert_eq!(guard.accounts()[&account(CAPACITY).accounts[0]].failed.len(), 1);
    }
}
