//! Reading values before anybody asks: once, at the pace that the equipment can bear, for everybody.
//!
//! One task plans the rounds ([`schedule`]) and lets them run: one at a time on a bus, which is one wire, and many side by
//! side on a driver with a wire for each board. Polls wait behind everything else that anybody wants of a wire. What they
//! bring goes where every other answer goes.

mod round;
mod rule;
mod schedule;
mod statistics;
mod status;
mod tally;

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use opendcre_model::{DriverError, Fault};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::event::source::{source_down, source_up};
use crate::inventory::Place;
use crate::mount::Mounted;
use crate::{Gateway, GatewayError};
use round::Report;
use rule::Rules;
use schedule::{Key, Schedule};

pub use rule::{PollRule, PollSettings};
pub use statistics::{Answering, PollStatistics};
pub use status::{PollState, PollStatus};

/// How many boards of a driver are read at the same time that has a wire for each of them.
const BOARDS_AT_ONCE: usize = 512;
/// How often it is looked whether there are other boards than before.
const UPDATE: Duration = Duration::from_secs(1);

/// The rounds, and how they go.
#[derive(Debug, Default)]
pub(crate) struct Polls {
    schedule: Mutex<Schedule>,
}

impl Polls {
    fn schedule(&self) -> MutexGuard<'_, Schedule> {
        // Every change of the schedule is complete in itself, so a panic elsewhere cannot have broken it.
        self.schedule.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gateway {
    /// Reads values again and again, as `settings` say, until `stop`.
    pub async fn keep_polling(&self, settings: &PollSettings, stop: CancellationToken) {
        let mut poller = Poller::new(self.clone(), Rules::new(settings));
        stop.run_until_cancelled(poller.run()).await;
    }
}

/// The task that lets rounds run.
struct Poller {
    gateway: Gateway,
    rules: Rules,
    /// For each mount, in their order.
    wires: Vec<Wire>,
    tasks: JoinSet<Report>,
    /// The rounds that run, and on which mounts.
    running: HashMap<Id, (Key, usize)>,
    /// The version of the inventory for which the rounds were planned.
    planned_for: Option<u64>,
    /// For each mount, in their order: whether it could be used when that was looked at last.
    are_up: Vec<bool>,
}

/// The rounds of one mount.
#[derive(Debug)]
struct Wire {
    /// How many rounds run at the same time at most.
    at_once: usize,
    running: usize,
    /// Rounds that are due, in that order.
    waiting: VecDeque<Key>,
}

impl From<&Mounted> for Wire {
    fn from(mount: &Mounted) -> Self {
        let at_once = if mount.is_configured { BOARDS_AT_ONCE } else { 1 };
        Self { at_once, running: 0, waiting: VecDeque::new() }
    }
}

impl Poller {
    fn new(gateway: Gateway, rules: Rules) -> Self {
        let wires = gateway.inner.mounts.iter().map(Wire::from).collect();
        let are_up = vec![true; gateway.inner.mounts.len()];
        let (tasks, running) = (JoinSet::new(), HashMap::new());
        Self { gateway, rules, wires, tasks, running, planned_for: None, are_up }
    }

    async fn run(&mut self) {
        let mut update = std::pin::pin!(sleep(Duration::ZERO));
        loop {
            let next = self.schedule().next();
            let due = async {
                match next {
                    Some(due) => sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = due => self.start_due(),
                () = &mut update => {
                    self.update();
                    self.watch_sources();
                    update.as_mut().reset(Instant::now() + UPDATE);
                }
                Some(ended) = self.tasks.join_next_with_id() => self.end(ended),
            }
        }
    }

    fn schedule(&self) -> MutexGuard<'_, Schedule> {
        self.gateway.inner.polls.schedule()
    }

    /// Plans anew if there may be other boards than before.
    fn update(&mut self) {
        let (version, boards) = {
            let inventory = self.gateway.inventory();
            let version = inventory.version();
            if self.planned_for == Some(version) {
                return;
            }
            (version, inventory.records().cloned().collect::<Vec<_>>())
        };
        self.schedule().update(boards.into_iter(), &self.rules, Instant::now());
        self.planned_for = Some(version);
    }

    /// Tells which wires have failed or come back, and what has become of the history.
    fn watch_sources(&mut self) {
        let intake = &self.gateway.inner.intake;
        intake.watch();
        for (mount, was_up) in self.gateway.inner.mounts.iter().zip(&mut self.are_up) {
            let health = mount.driver.health();
            let is_up = std::mem::replace(was_up, health.is_ok());
            match health {
                Ok(()) if !is_up => intake.publish(source_up(mount.driver.name())),
                Err(failure) if is_up => intake.publish(source_down(mount.driver.name(), &failure)),
                _ => {}
            }
        }
    }

    /// Puts what is due into the queues of its mounts.
    fn start_due(&mut self) {
        let now = Instant::now();
        while let Some(key) = self.pop_due(now) {
            let place = self.gateway.inventory().place(key.board);
            match place.and_then(|Place { mount, .. }| Some((mount, self.wires.get_mut(mount)?))) {
                Some((mount, wire)) => {
                    wire.waiting.push_back(key);
                    self.start_waiting(mount);
                }
                None => self.fail(key, &GatewayError::Displaced(key.board)),
            }
        }
    }

    fn pop_due(&self, now: Instant) -> Option<Key> {
        self.schedule().pop_due(now)
    }

    /// Lets rounds of a mount begin as long as there is room.
    fn start_waiting(&mut self, mount: usize) {
        while let Some(key) = self.wires.get_mut(mount).and_then(Wire::take) {
            let Some(queries) = self.schedule().begin(key, Instant::now()) else {
                self.free(mount);
                continue;
            };
            let gateway = self.gateway.clone();
            let task = self.tasks.spawn(async move { gateway.poll_board(key, queries).await });
            self.running.insert(task.id(), (key, mount));
        }
    }

    fn end(&mut self, ended: Result<(Id, Report), JoinError>) {
        let id = ended.as_ref().map_or_else(JoinError::id, |(id, _)| *id);
        let Some((key, mount)) = self.running.remove(&id) else { return };
        match ended {
            Ok((_, report)) => self.schedule().end(key, report, Instant::now()),
            Err(failure) => {
                tracing::error!(%failure, board = %key.board, "a round of polling was broken off");
                let message = "the round was broken off by a fault of this program";
                self.fail(key, &DriverError::new(Fault::Malformed, message).into());
            }
        }
        self.free(mount);
        self.start_waiting(mount);
    }

    /// Ends a round in which nothing could be asked.
    fn fail(&self, key: Key, error: &GatewayError) {
        let now = Instant::now();
        let time = self.gateway.inner.clock.now();
        let mut schedule = self.schedule();
        let queries = schedule.begin(key, now).unwrap_or_default();
        schedule.end(key, Report::failed(&queries, error, time), now);
    }

    fn free(&mut self, mount: usize) {
        if let Some(wire) = self.wires.get_mut(mount) {
            wire.running -= 1;
        }
    }
}

impl Wire {
    /// The next round, if there is room for it.
    fn take(&mut self) -> Option<Key> {
        if self.running >= self.at_once {
            return None;
        }
        let key = self.waiting.pop_front()?;
        self.running += 1;
        Some(key)
    }
}
