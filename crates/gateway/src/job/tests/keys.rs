//! Which request is which job, how long jobs are remembered, and what a restart or a full disk does to them.

use std::path::Path;

use tempfile::TempDir;

use super::super::table::Limits;
use super::*;

fn key(name: &str, fingerprint: u8) -> Option<IdempotencyKey> {
    Some(IdempotencyKey { key: name.to_owned(), fingerprint: [fingerprint; 32] })
}

fn jobs_within(limits: Limits, clock: &Arc<FakeClock>) -> Jobs {
    let clock: Arc<dyn WallClock> = Arc::<FakeClock>::clone(clock);
    Jobs::with_limits(limits, Vec::new(), None, clock)
}

/// The jobs that the database of this folder holds.
fn jobs_of(folder: &Path) -> (Jobs, Store) {
    let (store, stored, set_aside) = Store::open(folder.join("inventory.db")).unwrap();
    assert_eq!(set_aside, None);
    (Jobs::new(stored.jobs, Some(store.clone()), FakeClock::new()), store)
}

/// A folder as it would be if the process of this one ended now.
fn crash(folder: &Path) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    for file in ["inventory.db", "inventory.db-wal"] {
        std::fs::copy(folder.join(file), copy.path().join(file)).unwrap();
    }
    copy
}

fn instant_door() -> Arc<dyn Door> {
    struct InstantDoor;
    impl Door for InstantDoor {
        fn carry_out<'a>(
            &'a self,
            _: &'a Principal,
            _: Command,
        ) -> BoxFuture<'a, Result<Outcome, GatewayError>> {
            Box::pin(async { done() })
        }
    }
    Arc::new(InstantDoor)
}

/// A door through which nothing may go.
fn closed_door() -> Arc<dyn Door> {
    struct ClosedDoor;
    impl Door for ClosedDoor {
        fn carry_out<'a>(
            &'a self,
            _: &'a Principal,
            command: Command,
        ) -> BoxFuture<'a, Result<Outcome, GatewayError>> {
            panic!("{command:?} must not be carried out")
        }
    }
    Arc::new(ClosedDoor)
}

/// A door through which nothing comes back.
fn endless_door() -> Arc<dyn Door> {
    struct EndlessDoor;
    impl Door for EndlessDoor {
        fn carry_out<'a>(
            &'a self,
            _: &'a Principal,
            _: Command,
        ) -> BoxFuture<'a, Result<Outcome, GatewayError>> {
            Box::pin(std::future::pending())
        }
    }
    Arc::new(EndlessDoor)
}

/// Submits an order of one target.
async fn submit_one(
    jobs: &Jobs,
    door: Arc<dyn Door>,
    key: Option<IdempotencyKey>,
) -> Result<Submitted, SubmitError> {
    jobs.submit(door, &principal("anna"), order([(1, 1)]), key).await
}

/// Submits an order of one target and waits for its end.
async fn finish_one(jobs: &Jobs, key: Option<IdempotencyKey>) -> JobId {
    let id = submit_one(jobs, instant_door(), key).await.unwrap().job.id;
    assert!(jobs.wait(id, Duration::from_secs(3_600)).await.unwrap().finished.is_some());
    id
}

#[tokio::test(start_paused = true)]
async fn the_same_request_is_the_same_job() {
    let jobs = jobs_in_memory();
    let door = FakeDoor::new(|_, _| done());
    let first = submit_one(&jobs, Arc::<FakeDoor>::clone(&door), key("k", 1)).await.unwrap();
    let again = submit_one(&jobs, closed_door(), key("k", 1)).await.unwrap();
    assert_eq!((first.replayed, again.replayed), (false, true));
    assert_eq!(first.job.id, again.job.id);
    jobs.wait(first.job.id, Duration::from_secs(10)).await.unwrap();
    let later = submit_one(&jobs, closed_door(), key("k", 1)).await.unwrap();
    assert_eq!((later.replayed, later.job.state), (true, JobState::Done));
    assert_eq!(door.calls().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn two_equal_requests_at_the_same_time_are_one_job() {
    let jobs = jobs_in_memory();
    let (first, second) = tokio::join!(
        submit_one(&jobs, instant_door(), key("k", 1)),
        submit_one(&jobs, closed_door(), key("k", 1))
    );
    assert_eq!(first.unwrap().job.id, second.unwrap().job.id);
}

#[tokio::test(start_paused = true)]
async fn a_key_is_good_for_one_request_of_one_principal() {
    let jobs = jobs_in_memory();
    let first = finish_one(&jobs, key("k", 1)).await;
    let error = submit_one(&jobs, closed_door(), key("k", 2)).await.unwrap_err();
    assert_eq!(error.code(), "idempotency_mismatch");
    assert!(error.to_string().contains(&first.to_string()), "{error}");
    let other = jobs.submit(instant_door(), &principal("berta"), order([(1, 1)]), key("k", 2)).await.unwrap();
    assert!(!other.replayed);
    assert_ne!(other.job.id, first);
    assert_ne!(finish_one(&jobs, None).await, finish_one(&jobs, None).await);
}

#[tokio::test]
async fn jobs_and_keys_live_through_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (jobs, store) = jobs_of(folder.path());
    let keyed = finish_one(&jobs, key("k", 1)).await;
    let plain = finish_one(&jobs, None).await;
    let before = jobs.list();
    drop((jobs, store));

    let (jobs, _store) = jobs_of(folder.path());
    assert_eq!(jobs.list(), before);
    let again = submit_one(&jobs, closed_door(), key("k", 1)).await.unwrap();
    assert_eq!((again.replayed, again.job.id), (true, keyed));
    let error = submit_one(&jobs, closed_door(), key("k", 2)).await.unwrap_err();
    assert_eq!(error.code(), "idempotency_mismatch");
    assert!(finish_one(&jobs, None).await > plain);
}

#[tokio::test]
async fn after_a_crash_nothing_is_sent_again_and_what_ran_is_uncertain() {
    let folder = tempfile::tempdir().unwrap();
    let (jobs, _store) = jobs_of(folder.path());
    let order = order([(1, 1), (1, 2)]);
    let job = jobs.submit(endless_door(), &principal("anna"), order, key("k", 1)).await.unwrap().job;
    let crashed = crash(folder.path());

    for _ in 0..2 {
        let (jobs, _store) = jobs_of(crashed.path());
        let again = submit_one(&jobs, closed_door(), key("k", 1)).await.unwrap();
        assert_eq!((again.replayed, again.job.id), (true, job.id));
        assert_eq!(again.job.state, JobState::Interrupted);
        assert_eq!(states(&again.job), [TargetState::Uncertain, TargetState::Uncertain]);
        assert!(again.job.results[0].message.as_deref().unwrap().contains("read the state back"));
        assert!(again.job.finished.is_some());
    }
}

#[tokio::test]
async fn a_job_is_on_the_disk_when_it_has_ended() {
    let folder = tempfile::tempdir().unwrap();
    let (jobs, _store) = jobs_of(folder.path());
    finish_one(&jobs, None).await;
    let crashed = crash(folder.path());
    assert_eq!(jobs_of(crashed.path()).0.list(), jobs.list());
}

#[tokio::test]
async fn a_full_disk_refuses_orders_with_a_key_and_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::on_a_small_disk(&folder.path().join("inventory.db"), 12).unwrap();
    let jobs = Jobs::new(Vec::new(), Some(store.clone()), FakeClock::new());
    let large = |id| {
        let StoredJob { mut record, key } = StoredJob { record: (*job_of(id)).clone(), key: None };
        record.request = "x".repeat(30_000).into();
        StoredJob { record, key }
    };
    store.save_job(large(1)).await.unwrap();
    store.save_job(large(2)).await.unwrap_err();

    let refused = submit_one(&jobs, closed_door(), key("k", 1)).await.unwrap_err();
    assert_eq!(refused.code(), "store_unavailable");
    assert!(refused.to_string().contains("nothing was sent"), "{refused}");
    assert!(jobs.list().is_empty());
    let kept = finish_one(&jobs, None).await;

    store.remove_jobs([JobId(1), JobId(2)]);
    store.flush().await.unwrap();
    let taken = finish_one(&jobs, key("k", 1)).await;
    drop((jobs, store));
    let (jobs, _store) = jobs_of(folder.path());
    assert!(jobs.list().iter().map(|job| job.id).eq([taken, kept]));
}

/// Some finished job.
fn job_of(id: u64) -> Arc<JobRecord> {
    let created = Timestamp::UNIX_EPOCH;
    Arc::new(JobRecord {
        id: JobId(id),
        kind: JobKind::Power,
        request: json!({}),
        principal: "anna".to_owned(),
        login: Login::Anonymous,
        provider: String::new(),
        state: JobState::Done,
        created,
        finished: Some(created),
        results: Vec::new(),
        condensed: None,
    })
}

#[tokio::test(start_paused = true)]
async fn a_request_that_hangs_up_leaves_its_job_alone() {
    let jobs = jobs_in_memory();
    let mut submit = Box::pin(submit_one(&jobs, instant_door(), key("k", 1)));
    assert!(futures_util::poll!(&mut submit).is_pending());
    drop(submit);
    let again = submit_one(&jobs, closed_door(), key("k", 1)).await.unwrap();
    assert!(again.replayed);
    assert_eq!(jobs.wait(again.job.id, Duration::from_secs(10)).await.unwrap().state, JobState::Done);
}

#[tokio::test(start_paused = true)]
async fn only_so_many_jobs_run_at_the_same_time() {
    let jobs = jobs_within(Limits { running: 2, ..Limits::default() }, &FakeClock::new());
    let door = FakeDoor::new(|_, _| done());
    let first = submit(&jobs, &door, order([(1, 1)])).await;
    submit(&jobs, &door, order([(2, 1)])).await;
    let refused = submit_one(&jobs, closed_door(), None).await.unwrap_err();
    assert_eq!(refused.code(), "busy");
    assert!(matches!(refused, SubmitError::Busy { retry_after, .. } if !retry_after.is_zero()));
    jobs.wait(first, Duration::from_secs(10)).await.unwrap();
    submit_one(&jobs, instant_door(), None).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_jobs_that_ended_first_are_forgotten() {
    let jobs = jobs_within(Limits { finished: 2, ..Limits::default() }, &FakeClock::new());
    let door = FakeDoor::new(|_, _| done());
    let slow = submit(&jobs, &door, order([(1, 1), (1, 2)])).await;
    let first = finish_one(&jobs, None).await;
    let second = finish_one(&jobs, None).await;
    jobs.wait(slow, Duration::from_secs(10)).await.unwrap();
    let last = finish_one(&jobs, None).await;
    let listed: Vec<JobId> = jobs.list().iter().map(|job| job.id).collect();
    assert_eq!(listed, [last, second, slow]);
    assert_eq!(jobs.get(first), None);
}

#[tokio::test]
async fn a_forgotten_job_is_forgotten_by_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let (_, store) = jobs_of(folder.path());
    let kept = (1..=3).map(|id| StoredJob { record: (*job_of(id)).clone(), key: None }).collect::<Vec<_>>();
    for job in &kept {
        store.keep_job(job.clone());
    }
    let limits = Limits { finished: 2, ..Limits::default() };
    Jobs::with_limits(limits, kept, Some(store.clone()), FakeClock::new());
    drop(store);
    assert!(jobs_of(folder.path()).0.list().iter().map(|job| job.id.0).eq([3, 2]));
}

/// Checks that of the job that `key` of anna stands for only the request and the results are forgotten.
async fn assert_condensed(jobs: &Jobs, key: Option<IdempotencyKey>, before: &JobRecord) {
    let again = submit_one(jobs, closed_door(), key).await.unwrap();
    assert!(again.replayed);
    let condensed = Some(before.counts());
    assert_eq!(*again.job, JobRecord { request: json!(null), results: vec![], condensed, ..before.clone() });
    assert_eq!(again.job.counts(), before.counts());
}

#[tokio::test(start_paused = true)]
async fn jobs_with_a_young_key_are_condensed_to_make_room() {
    let clock = FakeClock::new();
    let jobs = jobs_within(Limits { finished: 1, ..Limits::default() }, &clock);
    let keyed = jobs.get(finish_one(&jobs, key("a", 1)).await).unwrap();
    finish_one(&jobs, None).await;
    let last = finish_one(&jobs, None).await;
    assert_condensed(&jobs, key("a", 1), &keyed).await;
    assert_eq!(
        submit_one(&jobs, closed_door(), key("a", 2)).await.unwrap_err().code(),
        "idempotency_mismatch"
    );
    assert!(jobs.list().iter().rev().map(|job| job.id).take(1).eq([keyed.id]));
    assert!(jobs.get(last).is_some());

    // As long as the clock is set back, the key is young.
    clock.advance(-48);
    finish_one(&jobs, None).await;
    assert_condensed(&jobs, key("a", 1), &keyed).await;
    clock.advance(48 + 24);
    finish_one(&jobs, None).await;
    assert_eq!(jobs.get(keyed.id), None);
    assert!(!submit_one(&jobs, instant_door(), key("a", 2)).await.unwrap().replayed);
}

#[tokio::test]
async fn condensed_jobs_live_through_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits { finished: 0, ..Limits::default() };
    let reopened = || {
        let (store, stored, _) = Store::open(folder.path().join("inventory.db")).unwrap();
        Jobs::with_limits(limits, stored.jobs, Some(store), FakeClock::new())
    };
    let jobs = reopened();
    let keyed = jobs.get(finish_one(&jobs, key("a", 1)).await).unwrap();
    let plain = finish_one(&jobs, None).await;
    drop(jobs);
    for _ in 0..2 {
        let jobs = reopened();
        assert_eq!(jobs.get(plain), None);
        assert_condensed(&jobs, key("a", 1), &keyed).await;
    }
}

#[tokio::test(start_paused = true)]
async fn too_many_keys_make_the_oldest_be_forgotten_and_refuse_nothing() {
    let limits = Limits { finished: 1, condensed: 2, ..Limits::default() };
    let jobs = jobs_within(limits, &FakeClock::new());
    for name in ["a", "b", "c", "d", "e"] {
        finish_one(&jobs, key(name, 1)).await;
    }
    for name in ["b", "c", "d", "e"] {
        assert!(submit_one(&jobs, closed_door(), key(name, 1)).await.unwrap().replayed, "{name}");
    }
    assert_eq!(jobs.list().len(), 4);
    assert!(!submit_one(&jobs, instant_door(), key("a", 1)).await.unwrap().replayed);
}

#[tokio::test(start_paused = true)]
async fn a_key_is_found_without_its_order() {
    let jobs = jobs_in_memory();
    let anna = principal("anna");
    let (first, other) = (key("k", 1).unwrap(), key("k", 2).unwrap());
    assert_eq!(jobs.replayed(&anna, &first).await.unwrap(), None);
    let id = finish_one(&jobs, Some(first.clone())).await;
    let found = jobs.replayed(&anna, &first).await.unwrap().unwrap();
    assert_eq!((found.replayed, found.job.id), (true, id));
    assert_eq!(jobs.replayed(&principal("berta"), &first).await.unwrap(), None);
    assert_eq!(jobs.replayed(&anna, &other).await.unwrap_err().code(), "idempotency_mismatch");
}

#[tokio::test(start_paused = true)]
async fn only_results_of_what_runs_keep_orders_away() {
    let jobs = jobs_within(Limits { targets: 4, results: 6, ..Limits::default() }, &FakeClock::new());
    let targets = |count| order((1..=count).map(|board| (board, 1)));
    let anna = principal("anna");
    let refused = jobs.submit(closed_door(), &anna, targets(5), None).await.unwrap_err();
    assert_eq!(refused.code(), "too_many_targets");
    assert!(refused.to_string().contains("5 targets"), "{refused}");

    let plain = finish_one(&jobs, None).await;
    let keyed = jobs.submit(instant_door(), &anna, targets(4), key("k", 1)).await.unwrap().job.id;
    let ended = jobs.wait(keyed, Duration::from_secs(10)).await.unwrap();
    let running = submit(&jobs, &FakeDoor::new(|_, _| done()), targets(3)).await;
    assert_eq!(jobs.get(plain), None);
    assert_eq!(jobs.get(keyed).unwrap().condensed, Some(ended.counts()));
    assert_eq!(ended.counts().ok, 4);

    let refused = jobs.submit(closed_door(), &anna, targets(4), None).await.unwrap_err();
    assert!(
        matches!(refused, SubmitError::Busy { retry_after, .. } if retry_after < Duration::from_secs(60))
    );
    jobs.wait(running, Duration::from_secs(10)).await.unwrap();
    jobs.submit(instant_door(), &anna, targets(4), None).await.unwrap();
}
