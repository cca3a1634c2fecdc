//! One destination's way through the events: which comes next, when it is tried again, and when it is given up. It knows
//! no protocol.
//!
//! Events are delivered one after the other, in their order. How far it has come is kept on the disk a moment later, so
//! that only a crash makes it deliver something twice.

#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use opendcre_gateway::{Event, EventLog, EventPage};
use opendcre_model::WallClock;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::BackOff;
use crate::filter::Filter;
use crate::notice::{Missed, Notice};
use crate::spool::{DeadLetter, Spool};
use crate::status::{Matter, Status};

/// How many events are read from the log at once.
const PAGE: usize = 100;

/// How often the position is written to the disk while there is much to deliver.
const SAVE_INTERVAL: Duration = Duration::from_secs(1);

/// The same while nothing was delivered, because nothing was wanted.
const IDLE_SAVE_INTERVAL: Duration = Duration::from_secs(60);

/// How often the files of the destination are looked after while nothing happens.
const LOOK_INTERVAL: Duration = Duration::from_secs(10);

/// The longest pause that a destination may ask for.
pub(crate) const LONGEST_WISH: Duration = Duration::from_secs(3600);

/// How long a stop waits for what is on its way.
const GRACE: Duration = Duration::from_secs(3);

/// Where events are delivered.
pub(crate) trait Destination: Send + Sync {
    /// Delivers one notice. It returns in bounded time, and may be dropped before.
    fn deliver(&mut self, notice: &Notice) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Takes leave, when nothing is delivered any more.
    fn close(&mut self) -> impl Future<Output = ()> + Send {
        async {}
    }
}

/// Why a notice is not delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Nothing can be delivered now. The destination may have said for how long.
    Later(String, Option<Duration>),
    /// This notice will never be accepted.
    Never(String),
}

/// How events are delivered.
pub(crate) struct Rules {
    pub(crate) filter: Filter,
    pub(crate) back_off: BackOff,
    /// For how long the same event is tried; for ever if nothing is said.
    pub(crate) patience: Option<Duration>,
    /// Any number each time, see [`BackOff::pause`].
    pub(crate) jitter: fn() -> u8,
}

/// What delivers events to one destination.
pub(crate) struct Courier<D> {
    log: EventLog,
    destination: D,
    rules: Rules,
    status: Arc<Status>,
    clock: Arc<dyn WallClock>,
    /// What is kept over restarts, if anything is.
    spool: Option<Arc<Spool>>,
    /// The number of the last event that is dealt with.
    cursor: u64,
    saved: Saved,
    /// A position on its way to the disk, also when whoever waited for that was broken off.
    saving: Option<(u64, JoinHandle<io::Result<()>>)>,
    outage: Option<Outage>,
    started: Instant,
}

/// What is known of the position on the disk.
struct Saved {
    cursor: u64,
    time: Instant,
    /// Whether something was delivered since.
    is_outdated: bool,
}

/// The destination takes nothing.
struct Outage {
    failures: u32,
    reason: String,
    next_try: Instant,
}

/// The service stops.
struct Stopped;

impl<D: Destination> Courier<D> {
    /// Delivers what comes after `cursor` in the log.
    pub(crate) fn new(
        log: EventLog,
        destination: D,
        rules: Rules,
        status: Arc<Status>,
        clock: Arc<dyn WallClock>,
        spool: Option<Arc<Spool>>,
        cursor: u64,
    ) -> Self {
        let started = Instant::now();
        let saved = Saved { cursor, time: started, is_outdated: false };
        status.on_position(cursor);
        let (saving, outage) = (None, None);
        Self { log, destination, rules, status, clock, spool, cursor, saved, saving, outage, started }
    }

    /// Delivers until `stop`, and then what is left unless that fails or takes too long.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let grace = async {
            stop.cancelled().await;
            sleep(GRACE).await;
        };
        tokio::select! {
            Err(Stopped) = self.work(&stop) => {}
            () = grace => {}
        }
        self.destination.close().await;
        self.save().await;
    }

    async fn work(&mut self, stop: &CancellationToken) -> Result<std::convert::Infallible, Stopped> {
        loop {
            self.look_after_dead_letters(stop).await?;
            let page = self.log.after(self.cursor, PAGE, |event| self.rules.filter.lets_through(event)).await;
            self.status.on_disk(Matter::Log, page.as_ref().map(drop).map_err(ToString::to_string));
            match page {
                Ok(page) => self.deliver_page(page, stop).await?,
                Err(_) => rest(LOOK_INTERVAL, stop).await?,
            }
        }
    }

    async fn deliver_page(&mut self, page: EventPage, stop: &CancellationToken) -> Result<(), Stopped> {
        if page.missed > 0 {
            self.tell_missed(&page, stop).await?;
        }
        for event in page.events {
            let sequence = event.sequence;
            self.status.on_behind();
            self.deliver(Notice::Event(Box::new(Event::clone(&event))), stop).await?;
            self.advance(sequence).await;
        }
        self.move_to(page.next);
        if self.cursor < page.latest {
            return Ok(());
        }
        self.status.on_caught_up();
        if self.saved.is_outdated || self.saved.time.elapsed() >= IDLE_SAVE_INTERVAL {
            self.save().await;
        }
        self.wait(stop).await
    }

    /// Tells that events are missing, and goes on behind them.
    async fn tell_missed(&mut self, page: &EventPage, stop: &CancellationToken) -> Result<(), Stopped> {
        self.status.on_missed(page.missed);
        self.status.on_behind();
        let missed = Missed { count: page.missed, after: self.cursor };
        self.deliver(Notice::Missed(missed), stop).await?;
        let first_left = page.events.first().map_or(page.next + 1, |event| event.sequence);
        self.advance(first_left.saturating_sub(1)).await;
        Ok(())
    }

    /// Returns when the notice is delivered or given up.
    async fn deliver(&mut self, notice: Notice, stop: &CancellationToken) -> Result<(), Stopped> {
        let begun = Instant::now();
        loop {
            if let Some(Outage { reason, next_try, .. }) = &self.outage {
                if self.is_stale(&notice, begun) {
                    let reason = reason.clone();
                    self.bury(notice, reason).await;
                    return Ok(());
                }
                let next_try = *next_try;
                tokio::select! {
                    () = sleep_until(next_try) => {}
                    () = stop.cancelled() => return Err(Stopped),
                }
            }
            match self.destination.deliver(&notice).await {
                Ok(()) => {
                    self.outage = None;
                    self.status.on_delivered(self.clock.now());
                    return Ok(());
                }
                Err(Failure::Never(reason)) => {
                    self.outage = None;
                    self.status.on_refused();
                    self.bury(notice, reason).await;
                    return Ok(());
                }
                Err(Failure::Later(reason, wish)) => self.leave_alone(reason, wish),
            }
        }
    }

    fn leave_alone(&mut self, reason: String, wish: Option<Duration>) {
        self.status.on_failed(&reason);
        let failures = self.outage.as_ref().map_or(0, |outage| outage.failures).saturating_add(1);
        let pause = self.rules.back_off.pause(failures, (self.rules.jitter)());
        let pause = pause.max(wish.unwrap_or_default().min(LONGEST_WISH));
        self.outage = Some(Outage { failures, reason, next_try: Instant::now() + pause });
    }

    /// Whether a notice, which was taken up at `begun`, has waited for longer than is worth while.
    ///
    /// How old an event is says the time of day, which may be wrong; so it counts no more than for how long we run.
    fn is_stale(&self, notice: &Notice, begun: Instant) -> bool {
        let Some(patience) = self.rules.patience else { return false };
        let age = match notice {
            Notice::Event(event) => self.clock.now().duration_since(event.time),
            Notice::Missed(_) => jiff::SignedDuration::ZERO,
        };
        let age = Duration::try_from(age).unwrap_or_default().min(self.started.elapsed());
        begun.elapsed().max(age) >= patience
    }

    async fn bury(&self, notice: Notice, reason: String) {
        self.status.on_dead(&notice.id(), &reason);
        let Some(spool) = self.spool.clone() else { return };
        let letter = DeadLetter { time: self.clock.now(), reason, notice };
        let path = spool.dead_letters();
        let buried = blocking(move || spool.bury(&letter)).await;
        if buried.is_ok() {
            self.status.on_dead_letters(Some(path.clone()));
        }
        let what = "a dead letter is lost, because it cannot be written to";
        let lost =
            |error| format!("{what} {}: {error}; check the space and health of the disk", path.display());
        self.status.on_disk(Matter::DeadLetters, buried.map_err(lost));
    }

    /// Notes that everything up to this event is dealt with.
    async fn advance(&mut self, cursor: u64) {
        self.move_to(cursor);
        self.saved.is_outdated = true;
        if self.saved.time.elapsed() >= SAVE_INTERVAL {
            self.save().await;
        }
    }

    fn move_to(&mut self, cursor: u64) {
        self.cursor = cursor;
        self.status.on_position(cursor);
    }

    /// Brings the position to the disk.
    async fn save(&mut self) {
        self.finish_saving().await;
        let cursor = self.cursor;
        self.saved.time = Instant::now();
        let Some(spool) = self.spool.clone().filter(|_| cursor != self.saved.cursor) else { return };
        self.saving = Some((cursor, spawn_blocking(move || spool.save(cursor))));
        self.finish_saving().await;
    }

    /// Waits for what is on its way to the disk: two at once would be in each other's way there.
    async fn finish_saving(&mut self) {
        let Some((cursor, saving)) = &mut self.saving else { return };
        let (cursor, saved) = (*cursor, joined(saving).await);
        self.saving = None;
        if saved.is_ok() {
            self.saved.cursor = cursor;
            self.saved.is_outdated = false;
        }
        let what =
            "how far events are delivered cannot be kept, so that some are delivered again after a restart";
        let unsaved = |error| format!("{what}: {error}; check the space and health of the disk");
        self.status.on_disk(Matter::Position, saved.map_err(unsaved));
    }

    /// Returns when there may be something to do.
    async fn wait(&self, stop: &CancellationToken) -> Result<(), Stopped> {
        if self.log.is_closed() {
            return Err(Stopped);
        }
        tokio::select! {
            // First, so that the last events are delivered as well.
            biased;
            () = self.log.wait(self.cursor) => Ok(()),
            () = sleep(LOOK_INTERVAL) => Ok(()),
            () = stop.cancelled() => Err(Stopped),
        }
    }

    /// Delivers what somebody wants to be delivered again.
    async fn look_after_dead_letters(&mut self, stop: &CancellationToken) -> Result<(), Stopped> {
        let Some(spool) = self.spool.clone() else { return Ok(()) };
        let looking = Arc::clone(&spool);
        let looked = blocking(move || Ok((looking.has_dead_letters()?, looking.again()?))).await;
        let path = spool.letters_again();
        let unreadable = |error: &io::Error| format!("cannot read {}: {error}", path.display());
        self.status.on_disk(Matter::LettersAgain, looked.as_ref().map(drop).map_err(unreadable));
        let Ok((has_dead_letters, again)) = looked else { return Ok(()) };
        self.status.on_dead_letters(has_dead_letters.then(|| spool.dead_letters()));
        let Some(letters) = again else { return Ok(()) };
        for letter in letters {
            self.deliver(letter.notice, stop).await?;
        }
        let forgotten = blocking(move || spool.forget_again()).await;
        let still_there =
            |error| format!("what is in {} is delivered again and again: {error}; remove it", path.display());
        self.status.on_disk(Matter::LettersAgain, forgotten.map_err(still_there));
        Ok(())
    }
}

async fn rest(pause: Duration, stop: &CancellationToken) -> Result<(), Stopped> {
    tokio::select! {
        () = sleep(pause) => Ok(()),
        () = stop.cancelled() => Err(Stopped),
    }
}

/// Does what blocks on the disk where it holds up nobody else.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    joined(&mut spawn_blocking(work)).await
}

async fn joined<T>(work: &mut JoinHandle<io::Result<T>>) -> io::Result<T> {
    work.await.map_err(io::Error::other)?
}
