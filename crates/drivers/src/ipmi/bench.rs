//! The driver with one scripted BMC in the place of its worker, for tests in virtual time.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use jiff::Timestamp;
use opendcre_ipmi::client::{Access, PrivilegeRange, Protocol, UserLookup};
use opendcre_ipmi::packet::v1_5::AuthType;
use opendcre_ipmi::{Completion, Response, Secret};
use opendcre_model::{BoardId, Context, DeviceAddress, DeviceId, Priority, WallClock};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::bmcs::Bmcs;
use super::config::{BmcConfig, Settings};
use super::queue::{Job, Outcome};
use super::worker::Submission;
use crate::clock::now;

pub(super) const BOARD: BoardId = BoardId(0x4000_0001);
pub(super) const LIMIT: Duration = Duration::from_secs(15);

/// What a BMC answers.
pub(super) trait Script: Send + 'static {
    fn answer(&mut self, job: &Job) -> Outcome;
}

pub(super) fn ok(data: &[u8]) -> Outcome {
    Ok(Response { completion: Completion::OK, data: data.to_vec() })
}

pub(super) fn refusal(completion: Completion) -> Outcome {
    Ok(Response { completion, data: Vec::new() })
}

pub(super) const fn part(device: DeviceId) -> DeviceAddress {
    DeviceAddress { board: BOARD, device }
}

pub(super) fn context(priority: Priority) -> Context {
    Context { deadline: now() + LIMIT, priority }
}

pub(super) struct Bench<S> {
    pub(super) bmcs: Arc<Bmcs>,
    script: Arc<Mutex<S>>,
    _served: JoinSet<()>,
}

impl<S: Script> Bench<S> {
    pub(super) fn new(script: S) -> Self {
        let (bmcs, owner) = Bmcs::open(vec![config()], Settings::default(), Arc::new(FixedClock)).unwrap();
        let submissions = owner.workers.into_iter().next().unwrap().submissions;
        let script = Arc::new(Mutex::new(script));
        let mut served = JoinSet::new();
        served.spawn(serve(Arc::clone(&script), submissions));
        Self { bmcs: Arc::new(bmcs), script, _served: served }
    }

    pub(super) fn script(&self) -> MutexGuard<'_, S> {
        self.script.lock().unwrap()
    }
}

async fn serve<S: Script>(script: Arc<Mutex<S>>, mut submissions: mpsc::Receiver<Submission>) {
    while let Some(Submission { job, .. }) = submissions.recv().await {
        let outcome = script.lock().unwrap().answer(&job);
        job.answer.send(outcome).ok();
        // Others get their turn, as they do while a real BMC thinks.
        tokio::task::yield_now().await;
    }
}

fn config() -> BmcConfig {
    let access = Access {
        username: Vec::new(),
        password: Secret::new(b"").unwrap(),
        bmc_key: None,
        protocol: Protocol::V1_5(AuthType::None),
        lookup: UserLookup::Name,
        privilege: PrivilegeRange::default(),
    };
    BmcConfig {
        asset_text: Some("web front end".to_owned()),
        hostnames: vec!["web-1".to_owned()],
        ..BmcConfig::new(BOARD, ([127, 0, 0, 1], 623).into(), Arc::new(access))
    }
}

struct FixedClock;

impl WallClock for FixedClock {
    fn now(&self) -> Timestamp {
        Timestamp::constant(1_450_000_000, 0)
    }
}
