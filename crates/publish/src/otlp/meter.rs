//! When readings are sent to a receiver: in rounds, each with all that is new since the last one that came to its end.
//!
//! A round never asks the equipment and holds up nothing but itself: its requests are made off the threads that serve
//! others, one at a time. What a receiver cannot take now is tried again until the next round is due, which sends what is
//! known then instead.

#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use opendcre_gateway::{Defect, Gateway};
use opendcre_model::WallClock;
use prost::bytes::Bytes;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::batch::Round;
use super::exporter::{Exporter, Rejected, Signal};
use super::message::{Resource, unix_nanoseconds};
use super::{OtlpMetrics, OtlpSettings};
use crate::BackOff;
use crate::courier::{Failure, LONGEST_WISH};
use crate::publisher::jitter;
use crate::status::{Deliveries, Status};

/// How readings are sent to one receiver.
struct Meter {
    exporter: Exporter,
    resource: Resource,
    settings: OtlpMetrics,
    back_off: BackOff,
    status: Arc<Status>,
    clock: Arc<dyn WallClock>,
    /// Failures in a row.
    failures: u32,
    /// When the last round began that came to its end.
    sent: Option<Instant>,
    /// Nothing is sent before.
    not_before: Option<Instant>,
}

/// Everybody who gets readings. Nothing is sent until they run.
pub struct Meters {
    meters: Vec<Meter>,
    deliveries: Arc<Deliveries>,
}

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sent {
    Whole,
    /// Some of it will never be taken.
    InPart,
    /// It will not be taken in time.
    Late,
}

impl Meters {
    /// The receivers among `receivers` that get readings of the gateway on the machine `hostname`, and what is amiss: those
    /// that get none until the next start.
    #[must_use]
    pub fn open(
        receivers: &[OtlpSettings],
        hostname: &str,
        clock: &Arc<dyn WallClock>,
    ) -> (Self, Vec<Defect>) {
        let (mut meters, mut statuses, mut defects) = (Vec::new(), Vec::new(), Vec::new());
        for (receiver, metrics) in receivers.iter().filter_map(|one| Some((one, one.metrics.as_ref()?))) {
            let name = format!("otlp.{}.metrics", receiver.name);
            match Exporter::new(receiver, Signal::Metrics, Arc::clone(clock)) {
                Ok(exporter) => {
                    let status = Arc::new(Status::new(&name));
                    statuses.push(Arc::clone(&status));
                    let resource = receiver.resource(hostname);
                    meters.push(Meter::new(exporter, resource, metrics.clone(), status, Arc::clone(clock)));
                }
                Err(reason) => {
                    let message = format!("readings are not sent until the next start: {reason}");
                    defects.push(Defect { name, code: "publish_unavailable", message });
                }
            }
        }
        (Self { meters, deliveries: Arc::new(Deliveries::new(None, statuses)) }, defects)
    }

    /// How it is going, also while they run.
    #[must_use]
    pub const fn deliveries(&self) -> &Arc<Deliveries> {
        &self.deliveries
    }

    /// Sends the readings of `gateway` until `stop`.
    pub async fn run(self, gateway: Gateway, stop: CancellationToken) {
        let mut running = JoinSet::new();
        for meter in self.meters {
            let (gateway, stop) = (gateway.clone(), stop.clone());
            running.spawn(async move { stop.run_until_cancelled(meter.run(gateway)).await });
        }
        while let Some(ended) = running.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "readings are not sent to a receiver any more by a fault of this program");
            }
        }
    }
}

impl Meter {
    fn new(
        exporter: Exporter,
        resource: Resource,
        settings: OtlpMetrics,
        status: Arc<Status>,
        clock: Arc<dyn WallClock>,
    ) -> Self {
        let back_off = BackOff::default();
        Self {
            exporter,
            resource,
            settings,
            back_off,
            status,
            clock,
            failures: 0,
            sent: None,
            not_before: None,
        }
    }

    async fn run(mut self, gateway: Gateway) {
        loop {
            let begun = Instant::now();
            let due = begun + self.settings.interval;
            match gateway.gauges(self.settings.nodes.as_ref()) {
                Ok(gauges) => self.send_all(Round::new(gauges, self.sent), begun, due).await,
                Err(error) => self.status.on_failed(&format!("nodes: {error}")),
            }
            sleep_until(self.not_before.take().map_or(due, |not_before| due.max(not_before))).await;
        }
    }

    /// Sends a round that began at `begun`, unless it comes to a halt until the next one is due.
    async fn send_all(&mut self, mut round: Round, begun: Instant, due: Instant) {
        let mut is_whole = true;
        loop {
            let packed = self.pack(round).await;
            let (rest, packed, points) = match packed {
                Ok(Some(packed)) => packed,
                Ok(None) => break,
                Err(error) => return self.status.on_failed(&format!("nothing can be compressed: {error}")),
            };
            round = rest;
            match self.send(packed, points, due).await {
                Sent::Whole => {}
                Sent::InPart => is_whole = false,
                Sent::Late => return,
            }
        }
        self.sent = Some(begun);
        self.status.on_caught_up();
        if is_whole {
            self.status.on_recovered();
        }
    }

    /// The next request of a round, how many points it has, and what is left of the round. Nothing once it is over.
    async fn pack(&self, mut round: Round) -> io::Result<Option<(Round, Bytes, u64)>> {
        let (exporter, resource) = (self.exporter.clone(), self.resource.clone());
        let now = unix_nanoseconds(self.clock.now());
        let pack = move || {
            let Some(batch) = round.next(now) else { return Ok(None) };
            let points = batch.points as u64;
            let packed = exporter.pack(&batch.into_request(resource))?;
            Ok(Some((round, packed, points)))
        };
        spawn_blocking(pack).await.map_err(io::Error::other)?
    }

    /// Sends a request with so many points, again and again until `due`.
    async fn send(&mut self, packed: Bytes, points: u64, due: Instant) -> Sent {
        loop {
            match self.exporter.send(packed.clone()).await {
                Ok(rejected) => return self.on_taken(points, &rejected),
                Err(Failure::Never(reason)) => {
                    self.failures = 0;
                    self.status.on_rejected(points, &reason);
                    return Sent::InPart;
                }
                Err(Failure::Later(reason, wish)) => {
                    let again = self.on_failed(&reason, wish);
                    if again >= due {
                        self.not_before = Some(again);
                        return Sent::Late;
                    }
                    sleep_until(again).await;
                }
            }
        }
    }

    fn on_taken(&mut self, points: u64, rejected: &Rejected) -> Sent {
        self.failures = 0;
        self.status.on_taken(points.saturating_sub(rejected.count), self.clock.now());
        if rejected.count == 0 {
            return Sent::Whole;
        }
        let reason =
            format!("the receiver rejects {} of {points} readings: {}", rejected.count, rejected.reason);
        self.status.on_rejected(rejected.count.min(points), &reason);
        Sent::InPart
    }

    /// When to try again after a failure.
    fn on_failed(&mut self, reason: &str, wish: Option<Duration>) -> Instant {
        self.status.on_behind();
        self.status.on_failed(reason);
        self.failures = self.failures.saturating_add(1);
        let pause = self.back_off.pause(self.failures, jitter());
        Instant::now() + pause.max(wish.unwrap_or_default().min(LONGEST_WISH))
    }
}
