//! Who writes, and who waits for it: whoever writes takes all entries that wait at once, so that a thousand changes wait
//! for one commit. It knows nothing of files but that writing blocks and may fail.
//!
//! Entries are written by the threads for blocking work of the runtime, at most one of which waits for another, so that
//! virtual time stands still meanwhile. A thread of its own looks after the log when nothing is to be written.

use std::mem;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, JoinHandle};

use opendcre_model::WallClock;
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;

use super::AuditError;
use super::entry::AuditEntry;
use super::keeper::{Keeper, Limits};
use super::tally::Tally;

/// An entry, and whoever waits for it.
struct Waiting {
    text: String,
    reply: oneshot::Sender<Result<(), AuditError>>,
}

/// The one who writes. What was given to it is written before it goes away.
pub(super) struct Writer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    path: PathBuf,
    limits: Limits,
    clock: Arc<dyn WallClock>,
    /// Locked before the state, never after it.
    keeper: Mutex<Keeper>,
    state: Mutex<State>,
    closing: Condvar,
    /// Who is told of refusals when they have been written.
    listener: OnceLock<Listener>,
}

/// Somebody who is told of entries.
type Listener = Box<dyn Fn(&AuditEntry) + Send + Sync>;

struct State {
    waiting: Vec<Waiting>,
    /// Somebody is about to write what waits.
    is_awaited: bool,
    refused: Tally,
    /// Why the last attempt to write failed, if it did.
    failure: Option<AuditError>,
    is_closed: bool,
}

impl Writer {
    pub(super) fn start(
        keeper: Keeper,
        clock: Arc<dyn WallClock>,
        limits: Limits,
    ) -> Result<Self, AuditError> {
        let state = State {
            waiting: Vec::new(),
            is_awaited: false,
            refused: Tally::default(),
            failure: keeper.failure().cloned(),
            is_closed: false,
        };
        let shared = Arc::new(Shared {
            path: keeper.path().to_owned(),
            limits,
            clock,
            keeper: Mutex::new(keeper),
            state: Mutex::new(state),
            closing: Condvar::new(),
            listener: OnceLock::new(),
        });
        let look_after = {
            let shared = Arc::clone(&shared);
            move || shared.look_after()
        };
        let thread = thread::Builder::new().name("audit".to_owned()).spawn(look_after);
        let thread = thread.map_err(|error| AuditError::cannot_open(&shared.path, &error))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    pub(super) fn path(&self) -> &Path {
        &self.shared.path
    }

    pub(super) fn health(&self) -> Result<(), AuditError> {
        self.shared.lock().failure.clone().map_or(Ok(()), Err)
    }

    /// Lets `listener` know of refusals when they have been written. The first one stays.
    pub(super) fn tell(&self, listener: Listener) {
        // There is one gateway for each log.
        let _ = self.shared.listener.set(listener);
    }

    /// Gives it a refusal to count. Never waits for the disk.
    pub(super) fn note(&self, entry: AuditEntry) {
        self.shared.lock().refused.note(entry);
    }

    /// Gives it an entry to write at once, and waits.
    pub(super) async fn append(&self, entry: &AuditEntry) -> Result<(), AuditError> {
        let text = entry.to_text().map_err(|error| AuditError::cannot_write(&self.shared.path, &error))?;
        let (reply, written) = oneshot::channel();
        let is_awaited = {
            let mut state = self.shared.lock();
            if state.waiting.len() >= self.shared.limits.waiting {
                return Err(AuditError::Overloaded);
            }
            state.waiting.push(Waiting { text, reply });
            mem::replace(&mut state.is_awaited, true)
        };
        if !is_awaited {
            let shared = Arc::clone(&self.shared);
            spawn_blocking(move || shared.write_waiting(&mut shared.lock_keeper()));
        }
        written.await.unwrap_or(Err(AuditError::Closed))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.shared.lock().is_closed = true;
        self.shared.closing.notify_one();
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that looks after the audit log ended by a defect");
        }
    }
}

impl Shared {
    /// Writes what is due, now and then and at the end.
    fn look_after(&self) {
        loop {
            let is_last = self.pause();
            let mut keeper = self.lock_keeper();
            self.write_waiting(&mut keeper);
            self.write_refused(&mut keeper, is_last);
            keeper.tell_sometimes();
            if is_last {
                keeper.close();
                break;
            }
        }
    }

    /// Waits for a while, and tells whether it is the end.
    fn pause(&self) -> bool {
        let waited =
            self.closing.wait_timeout_while(self.lock(), self.limits.pause, |state| !state.is_closed);
        waited.unwrap_or_else(PoisonError::into_inner).0.is_closed
    }

    fn write_waiting(&self, keeper: &mut Keeper) {
        let waiting = {
            let mut state = self.lock();
            state.is_awaited = false;
            mem::take(&mut state.waiting)
        };
        let (texts, replies): (Vec<_>, Vec<_>) =
            waiting.into_iter().map(|Waiting { text, reply }| (text, reply)).unzip();
        let written = keeper.write(&texts);
        self.lock().failure = keeper.failure().cloned();
        for reply in replies {
            // It does not matter if nobody waits any more.
            let _ = reply.send(written.clone());
        }
    }

    /// Writes the refusals that were gathered for long enough. As long as nothing can be written, they are counted on.
    fn write_refused(&self, keeper: &mut Keeper, is_last: bool) {
        let is_due = keeper.failure().is_none() && self.lock().refused.is_due(self.clock.now());
        if !is_due && !is_last {
            return;
        }
        let refused = mem::take(&mut self.lock().refused);
        let texts = refused.texts().map_err(|error| AuditError::cannot_write(&self.path, &error));
        if let Err(failure) = texts.and_then(|texts| keeper.write(&texts)) {
            let refusals = refused.count();
            tracing::error!(target: "audit", refusals, %failure, "refusals are missing in the audit log");
        }
        if let Some(listener) = self.listener.get() {
            refused.entries().into_iter().for_each(listener);
        }
        self.lock().failure = keeper.failure().cloned();
    }

    fn lock_keeper(&self) -> MutexGuard<'_, Keeper> {
        // What counts is in the file, and a transaction that a panic broke off is not.
        self.keeper.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change of the state is complete in itself, so a panic elsewhere cannot have broken it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
