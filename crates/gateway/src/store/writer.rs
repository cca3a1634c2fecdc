//! The thread that writes: it gathers what it is given, writes it, and tries again what could not be written. It knows
//! nothing of the database but that it blocks and may fail.

use std::mem;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use tokio::sync::oneshot;

use super::database::Database;
use super::pending::Pending;
use super::{Limits, StoreError};

/// What somebody waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// That all jobs are on the disk.
    Jobs,
    /// That everything is on the disk.
    Everything,
}

/// Whoever waits for something.
#[derive(Debug)]
struct Waiter {
    wanted: Wanted,
    reply: oneshot::Sender<Result<(), StoreError>>,
}

/// The thread that writes. It ends with this handle, after a last write.
#[derive(Debug)]
pub(super) struct Writer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    limits: Limits,
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Debug)]
struct State {
    pending: Pending,
    waiters: Vec<Waiter>,
    /// Why the last write failed, if it did.
    failure: Option<StoreError>,
    is_closed: bool,
}

/// What the thread writes at once.
struct Work {
    pending: Pending,
    waiters: Vec<Waiter>,
    is_last: bool,
}

impl Writer {
    pub(super) fn start(database: Database, path: &Path, limits: Limits) -> Result<Self, StoreError> {
        let pending = Pending::new(limits.changes);
        let state = State { pending, waiters: Vec::new(), failure: None, is_closed: false };
        let shared = Arc::new(Shared {
            path: path.to_owned(),
            limits,
            state: Mutex::new(state),
            wake: Condvar::new(),
        });
        let run = {
            let shared = Arc::clone(&shared);
            move || shared.run(database)
        };
        let thread = thread::Builder::new()
            .name("store".to_owned())
            .spawn(run)
            .map_err(|error| StoreError::Open { path: path.to_owned(), reason: error.to_string() })?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Why the last write failed, if it did.
    pub(super) fn failure(&self) -> Option<StoreError> {
        let state = self.shared.lock();
        if state.is_closed { Some(StoreError::Closed) } else { state.failure.clone() }
    }

    /// Gives it something to write.
    pub(super) fn add(&self, add: impl FnOnce(&mut Pending)) {
        add(&mut self.shared.lock().pending);
        self.shared.wake.notify_one();
    }

    /// Gives it something to write at once, and waits.
    pub(super) async fn add_and_wait(
        &self,
        add: impl FnOnce(&mut Pending),
        wanted: Wanted,
    ) -> Result<(), StoreError> {
        let (reply, written) = oneshot::channel();
        {
            let mut state = self.shared.lock();
            if state.is_closed {
                return Err(StoreError::Closed);
            }
            add(&mut state.pending);
            state.waiters.push(Waiter { wanted, reply });
        }
        self.shared.wake.notify_one();
        written.await.unwrap_or(Err(StoreError::Closed))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.shared.lock().is_closed = true;
        self.shared.wake.notify_one();
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that writes the database ended by a defect");
        }
    }
}

impl Shared {
    fn run(&self, mut database: Database) {
        let _closing = Closing(self);
        loop {
            let work = self.next();
            let is_last = work.is_last;
            self.carry_out(work, &mut database);
            if is_last {
                break;
            }
        }
    }

    /// Waits until there is something to write, and for a while for more, unless somebody waits for it.
    fn next(&self) -> Work {
        let is_idle = |state: &mut State| state.pending.is_empty() && !state.is_urgent();
        let state = self.wake.wait_while(self.lock(), is_idle).unwrap_or_else(PoisonError::into_inner);
        let pause = if state.failure.is_some() { self.limits.retry } else { self.limits.pause };
        let gathered = self.wake.wait_timeout_while(state, pause, |state| !state.is_urgent());
        let (mut state, _) = gathered.unwrap_or_else(PoisonError::into_inner);
        Work {
            pending: state.pending.take(),
            waiters: mem::take(&mut state.waiters),
            is_last: state.is_closed,
        }
    }

    /// Writes jobs first and apart from the rest, so that a rest that does not fit costs no job.
    fn carry_out(&self, Work { mut pending, waiters, is_last }: Work, database: &mut Database) {
        let jobs = database.save_jobs(&pending).map_err(|error| self.unwritten(&error));
        let inventory = database.save_inventory(&pending).map_err(|error| self.unwritten(&error));
        let mut everything = jobs.clone().and(inventory.clone());
        if everything.is_ok() && (is_last || waiters.iter().any(|waiter| waiter.wanted == Wanted::Everything))
        {
            everything = database.checkpoint().map_err(|error| self.unwritten(&error));
        }
        {
            let mut state = self.lock();
            if jobs.is_err() {
                state.pending.put_back_jobs(&mut pending);
            }
            if inventory.is_err() {
                state.pending.put_back_inventory(&mut pending);
            }
            state.note(everything.clone().err());
        }
        for Waiter { wanted, reply } in waiters {
            // It does not matter if nobody waits any more.
            let _ = reply.send(if wanted == Wanted::Jobs { jobs.clone() } else { everything.clone() });
        }
    }

    fn unwritten(&self, error: &rusqlite::Error) -> StoreError {
        StoreError::Write { path: self.path.clone(), reason: error.to_string() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change of the state is complete in itself, so a panic elsewhere cannot have broken it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_urgent(&self) -> bool {
        self.is_closed || !self.waiters.is_empty()
    }

    /// Notes how the last write went, and says so when it went otherwise than the one before.
    fn note(&mut self, failure: Option<StoreError>) {
        match (&self.failure, &failure) {
            (None, Some(failure)) => tracing::error!(%failure, "what changes is only remembered in memory"),
            (Some(_), None) => tracing::info!("the database can be written again; nothing is missing in it"),
            _ => {}
        }
        self.failure = failure;
    }
}

/// Lets nobody wait for a thread that has ended, however it did.
struct Closing<'a>(&'a Shared);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.is_closed = true;
        state.waiters.clear();
        if !state.pending.is_empty() {
            tracing::error!(path = %self.0.path.display(), "the database is closed, and lacks what was given to it last");
        }
    }
}
