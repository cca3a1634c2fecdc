//! The door for names and passwords: it lets as many try as the throttle permits, has the others wait or refuses them,
//! and sees every attempt through to its end. It does not know who is asked.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use opendcre_model::Subject;
use tokio::sync::Notify;
use tokio::time::timeout_at;
use tokio_util::task::TaskTracker;

use super::answer::Failures;
use crate::Failure;
use crate::throttle::{Limits, Outcome, Permit, Throttle, Verdict};

/// How long an attempt waits for others to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// What somebody is told to wait who has waited for that long already.
const BUSY_PAUSE: Duration = Duration::from_secs(1);

/// The door.
#[derive(Debug, Default)]
pub(super) struct Door {
    throttle: Mutex<Throttle>,
    /// Some attempt has ended.
    ended: Notify,
    logins: TaskTracker,
}

impl Door {
    pub(super) fn set_limits(&self, limits: Limits) {
        self.lock().set_limits(limits);
    }

    /// A token from `remote` proves nothing. If nothing from there is heard at the moment, for how long.
    pub(super) fn reject(&self, remote: Option<IpAddr>) -> Option<Duration> {
        self.lock().reject(remote, now())
    }

    /// Has `login` find out whether it is `user`, unless too many have failed.
    ///
    /// It goes on when whoever asks does not wait any more: a directory has its name and password then, and counts it.
    ///
    /// # Errors
    /// Too many have failed: how long to wait.
    pub(super) async fn log_in(
        self: &Arc<Self>,
        user: &str,
        remote: Option<IpAddr>,
        login: impl Future<Output = Result<Subject, Failures>> + Send + 'static,
    ) -> Result<Result<Subject, Failures>, Duration> {
        let permit = self.permit(user, remote).await?;
        let running = Running { door: Arc::clone(self), permit: Some(permit), outcome: Outcome::Failure };
        let login = self.logins.spawn(async move {
            let answer = login.await;
            running.end(answer.as_ref().map_or_else(Failures::outcome, |_| Outcome::Success));
            answer
        });
        Ok(login.await.unwrap_or_else(|defect| Err(broken(&defect.to_string()))))
    }

    async fn permit(&self, user: &str, remote: Option<IpAddr>) -> Result<Permit, Duration> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            // Before looking: an end in between must not be missed.
            let ended = self.ended.notified();
            let verdict = self.lock().begin(user, remote, now());
            match verdict {
                Verdict::Permitted(permit) => return Ok(permit),
                Verdict::Locked(pause) => return Err(pause),
                Verdict::Busy => timeout_at(deadline, ended).await.map_err(|_| BUSY_PAUSE)?,
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Throttle> {
        // It does not call anybody, so a panic elsewhere cannot have broken it.
        self.throttle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An attempt that runs. It ends with this, however that happens, and counts as failed unless something else is known.
struct Running {
    door: Arc<Door>,
    permit: Option<Permit>,
    outcome: Outcome,
}

impl Running {
    fn end(mut self, outcome: Outcome) {
        self.outcome = outcome;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(permit) = self.permit.take() {
            self.door.lock().finish(permit, self.outcome, now());
        }
        self.door.ended.notify_waiters();
    }
}

fn broken(defect: &str) -> Failures {
    let mut failures = Failures::default();
    failures.add(Failure::Unavailable { provider: "directory".to_owned(), reason: defect.to_owned() });
    failures
}

/// The time, which tests can stop.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use opendcre_model::Login;
    use tokio::task::JoinSet;
    use tokio::time::{advance, sleep};

    use super::*;

    const HOME: Option<IpAddr> = Some(IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 7)));

    fn ada() -> Subject {
        Subject {
            name: "ada".to_owned(),
            login: Login::Ldap,
            provider: "corp".to_owned(),
            ..Subject::anonymous()
        }
    }

    fn rejected() -> Failures {
        let mut failures = Failures::default();
        failures.add(Failure::Rejected { reason: "wrong password".to_owned() });
        failures
    }

    /// A directory that is slow, and counts how often it is asked.
    #[derive(Clone, Default)]
    struct Directory(Arc<AtomicUsize>);

    impl Directory {
        async fn answer(self, answer: Result<Subject, Failures>) -> Result<Subject, Failures> {
            self.0.fetch_add(1, Ordering::SeqCst);
            sleep(Duration::from_millis(300)).await;
            answer
        }

        fn asked(&self) -> usize {
            self.0.load(Ordering::SeqCst)
        }
    }

    async fn crowd(door: &Arc<Door>, directory: &Directory, answer: Result<(), ()>) -> Vec<bool> {
        let mut attempts = JoinSet::new();
        for _ in 0..100 {
            let (door, directory) = (Arc::clone(door), directory.clone());
            attempts.spawn(async move {
                let answer = answer.map(|()| ada()).map_err(|()| rejected());
                door.log_in("ada", HOME, directory.answer(answer)).await.is_ok_and(|answer| answer.is_ok())
            });
        }
        attempts.join_all().await
    }

    #[tokio::test(start_paused = true)]
    async fn a_crowd_with_wrong_passwords_is_passed_on_three_times() {
        let (door, directory) = (Arc::default(), Directory::default());
        let answers = crowd(&door, &directory, Err(())).await;
        assert!(answers.iter().all(|is_in| !is_in));
        assert_eq!(directory.asked(), 3);
        let pause = door.log_in("ada", HOME, directory.clone().answer(Ok(ada()))).await.unwrap_err();
        assert_eq!(pause, Duration::from_mins(15));
        advance(pause).await;
        assert_eq!(door.log_in("ada", HOME, directory.clone().answer(Ok(ada()))).await, Ok(Ok(ada())));
    }

    #[tokio::test(start_paused = true)]
    async fn a_crowd_with_the_right_password_waits_for_its_turn() {
        let (door, directory) = (Arc::default(), Directory::default());
        let answers = crowd(&door, &directory, Ok(())).await;
        assert!(answers.iter().all(|is_in| *is_in), "{answers:?}");
        assert_eq!(directory.asked(), 100);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_ever() {
        let door: Arc<Door> = Arc::default();
        let mut stuck = JoinSet::new();
        for _ in 0..3 {
            let door = Arc::clone(&door);
            stuck.spawn(async move { door.log_in("ada", HOME, std::future::pending()).await });
        }
        tokio::task::yield_now().await;
        assert_eq!(door.log_in("ada", HOME, std::future::pending()).await, Err(BUSY_PAUSE));
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_hangs_up_has_tried_all_the_same() {
        let (door, directory): (Arc<Door>, _) = (Arc::default(), Directory::default());
        for pause in [1, 2, 900] {
            let attempt = door.log_in("ada", HOME, directory.clone().answer(Err(rejected())));
            let hung_up = tokio::time::timeout(Duration::from_millis(1), attempt).await;
            assert!(hung_up.is_err());
            sleep(Duration::from_millis(399)).await;
            let locked = door.log_in("ada", HOME, directory.clone().answer(Ok(ada()))).await.unwrap_err();
            let since = Duration::from_millis(100);
            assert_eq!(locked + since, Duration::from_secs(pause));
            advance(locked).await;
        }
        assert_eq!(directory.asked(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_directory_that_does_not_answer_costs_no_attempt() {
        let door: Arc<Door> = Arc::default();
        for _ in 0..10 {
            let answer = door.log_in("ada", HOME, async { Err(broken("it is down")) }).await.unwrap();
            assert!(matches!(answer.unwrap_err().into_one(), Failure::Unavailable { .. }));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_defect_lets_nobody_in_and_counts() {
        let door: Arc<Door> = Arc::default();
        let answer = door.log_in("ada", HOME, async { panic!("a defect") }).await.unwrap();
        assert!(matches!(answer.unwrap_err().into_one(), Failure::Unavailable { .. }));
        assert!(door.log_in("ada", HOME, async { Ok(ada()) }).await.is_err());
    }
}
