//! The thread that writes events: it gathers them for a moment, brings them to the disk with one commit, and only then
//! lets everybody see them. What could not be written is shown all the same, and written when the disk is better.

use std::mem;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use opendcre_model::WallClock;
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

use super::clock::ClockWatch;
use super::keeper::{Keeper, Reopened, Written};
use super::memory::{Memory, Room};
use super::{EventError, NewEvent, service};
use crate::SetAside;

/// The bounds of a log besides those of its file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) room: Room,
    /// For how long events are gathered.
    pub(super) pause: Duration,
    /// When a write that failed is tried again.
    pub(super) retry: Duration,
    /// After what time a write that has not come to an end is taken for failed.
    pub(super) hang: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            room: Room { waiting: 4_096, newest: 8_192 },
            pause: Duration::from_millis(100),
            retry: Duration::from_secs(10),
            hang: Duration::from_secs(30),
        }
    }
}

/// How far the events go that may be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Horizon {
    pub(super) shown: u64,
    pub(super) is_closed: bool,
}

/// The thread that writes. It ends with this handle, after a last write.
pub(super) struct Writer {
    pub(super) shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

pub(super) struct Shared {
    path: PathBuf,
    limits: Limits,
    clock: Arc<dyn WallClock>,
    started: Instant,
    /// For how long the service had run before this start, as far as is known.
    lived_before: Duration,
    state: Mutex<State>,
    wake: Condvar,
    horizon: watch::Sender<Horizon>,
}

pub(super) struct State {
    pub(super) memory: Memory,
    clock: ClockWatch,
    waiters: Vec<oneshot::Sender<Result<(), EventError>>>,
    /// Why the last write failed, if it did.
    pub(super) failure: Option<EventError>,
    /// Since when the thread has been busy with the file, if it is.
    busy_since: Option<Instant>,
    /// What makes whoever read the file think that it is damaged.
    suspicion: Option<EventError>,
    /// How often an event on the disk was found damaged.
    pub(super) damaged: u64,
    /// The newest file that was set aside.
    pub(super) set_aside: Option<SetAside>,
    is_closed: bool,
}

/// What the thread does at once.
struct Work {
    waiters: Vec<oneshot::Sender<Result<(), EventError>>>,
    is_last: bool,
}

impl Writer {
    pub(super) fn start(
        keeper: Keeper,
        memory: Memory,
        lived_before: Duration,
        clock: Arc<dyn WallClock>,
        limits: Limits,
    ) -> std::io::Result<Self> {
        let (horizon, _) = watch::channel(Horizon { shown: memory.shown(), is_closed: false });
        let watch = ClockWatch::new(clock.now());
        let state = State {
            memory,
            clock: watch,
            waiters: Vec::new(),
            failure: None,
            busy_since: None,
            suspicion: None,
            damaged: 0,
            set_aside: None,
            is_closed: false,
        };
        let shared = Arc::new(Shared {
            path: keeper.path().to_owned(),
            limits,
            clock,
            started: Instant::now(),
            lived_before,
            state: Mutex::new(state),
            wake: Condvar::new(),
            horizon,
        });
        let run = {
            let shared = Arc::clone(&shared);
            move || shared.run(keeper)
        };
        let thread = thread::Builder::new().name("events".to_owned()).spawn(run)?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Gives it an event. Never waits for the disk.
    pub(super) fn publish(&self, event: NewEvent) {
        let mut state = self.shared.lock();
        if state.is_closed {
            state.memory.refuse();
            return;
        }
        let (time, elapsed) = (self.shared.clock.now(), self.shared.started.elapsed());
        let lived = self.shared.lived_before + elapsed;
        if let Some(shift) = state.clock.look(time, elapsed) {
            state.memory.put(service::clock_changed(shift), time, lived);
        }
        state.memory.put(event, time, lived);
        self.shared.notice_hang(&mut state);
        drop(state);
        self.shared.wake.notify_one();
    }

    /// Looks whether the disk still answers: if not, events are shown although they are not there.
    pub(super) fn look(&self) {
        self.shared.notice_hang(&mut self.shared.lock());
    }

    /// Notes that the file was set aside when it was opened.
    pub(super) fn note_set_aside(&self, set_aside: SetAside) {
        self.publish(service::set_aside(&set_aside));
        self.shared.lock().set_aside = Some(set_aside);
    }

    /// Notes that the file cannot be used.
    pub(super) fn fail(&self, failure: EventError) {
        let mut state = self.shared.lock();
        self.shared.note(&mut state, Some(failure));
        self.shared.show(&mut state);
    }

    /// Lets the thread look through the file, and set it aside if it is damaged.
    pub(super) fn suspect(&self, failure: EventError) {
        self.shared.lock().suspicion = Some(failure);
        self.shared.wake.notify_one();
    }

    /// Counts events that were found damaged.
    pub(super) fn note_damaged(&self, count: u64) {
        self.shared.lock().damaged += count;
    }

    /// Returns when everything that was given before is on the disk.
    pub(super) async fn flush(&self) -> Result<(), EventError> {
        let (reply, written) = oneshot::channel();
        {
            let mut state = self.shared.lock();
            if state.is_closed {
                return Err(EventError::Closed);
            }
            state.waiters.push(reply);
        }
        self.shared.wake.notify_one();
        written.await.unwrap_or(Err(EventError::Closed))
    }

    /// Takes nothing more.
    pub(super) fn close(&self) {
        self.shared.lock().is_closed = true;
        self.shared.wake.notify_one();
    }

    pub(super) fn horizon(&self) -> watch::Receiver<Horizon> {
        self.shared.horizon.subscribe()
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.close();
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that writes events ended by a defect");
        }
    }
}

impl Shared {
    fn run(&self, mut keeper: Keeper) {
        let _closing = Closing(self);
        let mut tried = Instant::now();
        loop {
            let work = self.next();
            let is_urgent = work.is_last || !work.waiters.is_empty();
            let is_due = is_urgent || self.lock().failure.is_none() || tried.elapsed() >= self.limits.retry;
            if is_due {
                tried = Instant::now();
                self.lock().busy_since = Some(tried);
                self.write(&mut keeper);
                self.lock().busy_since = None;
            }
            self.show(&mut self.lock());
            self.reply(work.waiters);
            if work.is_last {
                break;
            }
        }
        keeper.close();
    }

    /// Waits until there is something to do, and for a moment for more, unless somebody waits for it.
    fn next(&self) -> Work {
        let is_idle = |state: &mut State| {
            state.memory.waiting() == 0 && state.suspicion.is_none() && !state.is_urgent()
        };
        let waited = self.wake.wait_timeout_while(self.lock(), self.limits.retry, is_idle);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let gathered = self.wake.wait_timeout_while(state, self.limits.pause, |state| !state.is_urgent());
        let (mut state, _) = gathered.unwrap_or_else(PoisonError::into_inner);
        let refused = state.memory.take_refused();
        if refused > 0 {
            self.add(&mut state, service::too_many(refused));
        }
        Work { waiters: mem::take(&mut state.waiters), is_last: state.is_closed }
    }

    /// Tries to bring everything to the disk that is not there.
    fn write(&self, keeper: &mut Keeper) {
        let suspicion = self.lock().suspicion.take();
        if let Some(failure) = suspicion {
            tracing::error!(%failure, "the event log is looked through for damage");
            keeper.close();
        }
        if !keeper.is_open() {
            match keeper.open_again() {
                Ok(reopened) => self.begin_again(reopened, keeper),
                Err(failure) => return self.note(&mut self.lock(), Some(failure)),
            }
        }
        if !keeper.is_open() {
            return;
        }
        let (events, gaps, kept) = {
            let state = self.lock();
            (state.memory.unsaved(), state.memory.unsaved_gaps(), state.memory.saved_count())
        };
        if events.is_empty() {
            return;
        }
        let Written { saved, failure } = keeper.write(&events, &gaps, kept);
        let mut state = self.lock();
        if let Some((saved, oldest)) = saved {
            state.memory.note_saved(saved, oldest);
        }
        self.note(&mut state, failure);
    }

    /// Goes on in a file that was opened again, or only now.
    fn begin_again(&self, Reopened { loaded, set_aside }: Reopened, keeper: &mut Keeper) {
        let mut state = self.lock();
        if let Some(set_aside) = set_aside {
            state.memory.note_fresh_file();
            self.add(&mut state, service::set_aside(&set_aside));
            state.set_aside = Some(set_aside);
        } else if loaded.is_some_and(|loaded| state.memory.adopt(loaded).is_none()) {
            self.note(&mut state, Some(keeper.refuse()));
        }
    }

    /// Notes that a write has not come to an end for so long that nobody should wait for it.
    fn notice_hang(&self, state: &mut State) {
        let is_hanging = state.busy_since.is_some_and(|since| since.elapsed() >= self.limits.hang);
        if is_hanging && state.failure.is_none() {
            let reason = "the disk does not answer".to_owned();
            self.note(state, Some(EventError::Write { path: self.path.clone(), reason }));
        }
        if is_hanging {
            self.show(state);
        }
    }

    /// Notes how the last write went, and says so when it went otherwise than the one before.
    fn note(&self, state: &mut State, failure: Option<EventError>) {
        match (&state.failure, &failure) {
            (None, Some(failure)) => {
                tracing::error!(%failure, "events are only kept in memory");
                let event = service::only_in_memory(failure);
                self.add(state, event);
            }
            (Some(_), None) => {
                let missing = state.memory.take_unsaved();
                tracing::info!(missing, "events are kept on the disk again");
                self.add(state, service::on_disk_again(missing));
            }
            _ => {}
        }
        state.failure = failure;
    }

    /// Lets everybody see what is on the disk, and everything while that cannot be written.
    fn show(&self, state: &mut State) {
        if state.failure.is_some() {
            state.memory.show_all();
        } else {
            state.memory.show_saved();
        }
        let horizon = Horizon { shown: state.memory.shown(), is_closed: false };
        self.horizon.send_if_modified(|before| mem::replace(before, horizon) != horizon);
    }

    fn reply(&self, waiters: Vec<oneshot::Sender<Result<(), EventError>>>) {
        let written = self.lock().failure.clone().map_or(Ok(()), Err);
        for waiter in waiters {
            // It does not matter if nobody waits any more.
            let _ = waiter.send(written.clone());
        }
    }

    /// Adds an event of the log about itself.
    fn add(&self, state: &mut State, event: NewEvent) {
        let lived = self.lived_before + self.started.elapsed();
        state.memory.add(event, self.clock.now(), lived);
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // Every change of the state is complete in itself, so a panic elsewhere cannot have broken it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    const fn is_urgent(&self) -> bool {
        self.is_closed || !self.waiters.is_empty()
    }
}

/// Lets nobody wait for a thread that has ended, however it did.
struct Closing<'a>(&'a Shared);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.is_closed = true;
        state.waiters.clear();
        let missing = state.memory.unsaved_count();
        if missing > 0 {
            tracing::error!(missing, "the event log is closed, and lacks what was given to it last");
        }
        drop(state);
        self.0.horizon.send_modify(|horizon| horizon.is_closed = true);
    }
}
