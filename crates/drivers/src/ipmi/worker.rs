//! The task that moves datagrams and time between the BMCs of a worker and its sockets.

use std::sync::Arc;
use std::time::{Duration, Instant};

use opendcre_ipmi::client::Entropy;
use opendcre_ipmi::packet::MAX_DATAGRAM;
use tokio::sync::mpsc;
use tokio::time;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, warn};

use super::core::Core;
use super::queue::Job;
use super::socket::{Arrival, Sockets};
use super::statistics::Table;
use crate::clock::{now, sleep_until};

/// How many commands are taken at once before everything else gets a chance.
const BATCH: usize = 256;

/// A command and the BMC that it is for, by its number within its worker.
#[derive(Debug)]
pub(super) struct Submission {
    pub(super) slot: usize,
    pub(super) job: Job,
}

/// Owns the BMCs of one worker.
pub(super) struct Worker {
    pub(super) core: Core,
    pub(super) sockets: Sockets,
    pub(super) submissions: mpsc::Receiver<Submission>,
    pub(super) table: Arc<Table>,
    pub(super) close_limit: Duration,
}

impl Worker {
    /// Serves until `stop`, then closes every session.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        // One byte more, so that a datagram that is too long is not taken for one that is not.
        let mut buffer = [0; MAX_DATAGRAM + 1];
        while !stop.is_cancelled() {
            self.turn(&mut buffer);
            self.wait(stop.cancelled()).await;
        }
        self.close(&mut buffer).await;
        debug!(strays = self.core.strays(), "datagrams from strangers were dropped");
    }

    async fn close(&mut self, buffer: &mut [u8]) {
        self.submissions.close();
        self.core.close(now());
        let limit = time::Instant::now() + self.close_limit;
        self.turn(buffer);
        while !self.core.is_quiet() {
            if time::Instant::now() >= limit {
                warn!("not every session of a BMC could be closed in time; BMCs close them by themselves");
                self.core.give_up();
                break;
            }
            self.wait(time::sleep_until(limit)).await;
            self.turn(buffer);
        }
        while let Ok(Submission { slot, job }) = self.submissions.try_recv() {
            self.core.submit(slot, job, now());
        }
    }

    /// Does everything that can be done at this moment, up to a bound.
    fn turn(&mut self, buffer: &mut [u8]) {
        let Self { core, sockets, submissions, table, .. } = self;
        let now = now();
        sockets.exchange(buffer, &mut |arrival| arrive(core, &arrival, now));
        for Submission { slot, job } in std::iter::from_fn(|| submissions.try_recv().ok()).take(BATCH) {
            core.submit(slot, job, now);
        }
        core.on_timer(now);
        while let Some(transmit) = core.poll_transmit() {
            sockets.send(transmit, &mut |arrival| arrive(core, &arrival, now));
        }
        table.publish(std::iter::from_fn(|| core.poll_changed()));
    }

    /// Waits until there is something to do, or for `end`.
    async fn wait(&mut self, end: impl Future<Output = ()>) {
        let deadline = self.core.next_deadline();
        let submission = tokio::select! {
            () = self.sockets.ready() => None,
            submission = self.submissions.recv(), if !self.submissions.is_closed() => submission,
            () = sleep_until(deadline) => None,
            () = end => None,
        };
        if let Some(Submission { slot, job }) = submission {
            self.core.submit(slot, job, now());
        }
    }
}

/// How many random bytes are fetched at once: the system takes as long for one as for some.
const POOL: usize = 256;

/// Random numbers of the system, which are good enough for keys. Each byte is handed out once.
pub(super) struct SystemEntropy {
    pool: [u8; POOL],
    used: usize,
}

impl SystemEntropy {
    pub(super) const fn new() -> Self {
        Self { pool: [0; POOL], used: POOL }
    }

    fn refill(&mut self) {
        // It was tried when the driver was opened, and systems do not stop.
        if let Err(error) = getrandom::fill(&mut self.pool) {
            error!(%error, "the system gives no random numbers; sessions with BMCs are not safe");
        }
        self.used = 0;
    }
}

impl Entropy for SystemEntropy {
    fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            if self.used == POOL {
                self.refill();
            }
            if let Some(random) = self.pool.get_mut(self.used) {
                *byte = std::mem::take(random);
            }
            self.used += 1;
        }
    }
}

fn arrive(core: &mut Core, arrival: &Arrival<'_>, now: Instant) {
    match *arrival {
        Arrival::Datagram(from, bytes) => core.on_datagram(from, bytes, now),
        Arrival::Unreachable(to) => core.on_unreachable(to, now),
    }
}
