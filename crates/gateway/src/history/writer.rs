//! The thread that writes: it brings samples to the log, makes chunks, forgets what is old, and tries again what failed. It
//! knows nothing of the file but that it blocks and may fail.

use std::mem;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use opendcre_model::{BoardId, WallClock};
use rusqlite::{Connection, ErrorCode};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::clock::ClockJudge;
use super::database::{self, Chunks, Database, PAGE};
use super::query::{self, QueryFailure, Wanted};
use super::table::Table;
use super::{
    HistoryError, HistoryQuery, HistorySettings, HistoryStatistics, Limits, Sample, SeriesKey, Track,
    retention,
};
use crate::SetAside;
use crate::sqlite;

/// The most chunks that are made in one transaction; between two of them samples are brought to the log.
const BATCH: usize = 256;

/// How often it is looked for something to forget.
const TIDY: Duration = Duration::from_secs(60);

type Reply = oneshot::Sender<Result<(), HistoryError>>;

/// The thread that writes. It ends with this handle, after a last write.
#[derive(Debug)]
pub(super) struct Writer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    path: PathBuf,
    settings: HistorySettings,
    limits: Limits,
    clock: Arc<dyn WallClock>,
    state: Mutex<State>,
    wake: Condvar,
    /// A way to read the file. Nothing while there is none.
    reader: Mutex<Option<Connection>>,
    /// Who may use it.
    turn: Semaphore,
    damaged: Arc<AtomicU64>,
}

#[derive(Debug)]
struct State {
    table: Table,
    waiters: Vec<Reply>,
    /// Whether those who wait want all chunks to be made, too.
    wants_chunks: bool,
    is_closed: bool,
    /// When each task is due, and why it failed the last time, if it did.
    tasks: [(Instant, Option<HistoryError>); 3],
    file: u64,
    set_aside: Option<SetAside>,
}

/// What the thread does, the most urgent first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Task {
    /// Bring samples to the log.
    Commit,
    /// Make chunks.
    Seal,
    /// Forget what is old or has no room.
    Tidy,
}

/// What belongs to the thread alone.
struct Keeper {
    /// Nothing after it was set aside, until another one is begun.
    database: Option<Database>,
    judge: ClockJudge,
}

impl Writer {
    pub(super) fn start(
        path: &Path,
        settings: HistorySettings,
        clock: Arc<dyn WallClock>,
        limits: Limits,
    ) -> Result<(Self, Option<SetAside>), HistoryError> {
        let failed = |reason: String| HistoryError::Open { path: path.to_owned(), reason };
        let damaged = Arc::default();
        let (database, table, set_aside) =
            database::open(path, settings, limits, &damaged).map_err(failed)?;
        let reader = database.reader(limits).map_err(|error| failed(error.to_string()))?;
        let now = Instant::now();
        let state = State {
            table,
            waiters: Vec::new(),
            wants_chunks: false,
            is_closed: false,
            tasks: [(now + settings.commit, None), (now, None), (now, None)],
            file: 0,
            set_aside: set_aside.clone(),
        };
        let shared = Arc::new(Shared {
            path: path.to_owned(),
            settings,
            limits,
            clock,
            state: Mutex::new(state),
            wake: Condvar::new(),
            reader: Mutex::new(Some(reader)),
            turn: Semaphore::new(1),
            damaged,
        });
        let run = {
            let shared = Arc::clone(&shared);
            move || shared.run(Keeper { database: Some(database), judge: ClockJudge::default() })
        };
        let thread = thread::Builder::new()
            .name("history".to_owned())
            .spawn(run)
            .map_err(|error| failed(error.to_string()))?;
        Ok((Self { shared, thread: Some(thread) }, set_aside))
    }

    pub(super) fn record(&self, samples: impl IntoIterator<Item = Sample>) {
        let now = Instant::now();
        let mut state = self.shared.lock();
        let was_due = state.table.is_urgent() || state.table.has_closed();
        for sample in samples {
            state.table.record(sample, now);
        }
        if !was_due && (state.table.is_urgent() || state.table.has_closed()) {
            self.shared.wake.notify_one();
        }
    }

    pub(super) fn series(&self, board: BoardId) -> Vec<SeriesKey> {
        self.shared.lock().table.series_of(board)
    }

    pub(super) async fn query(&self, query: HistoryQuery) -> Result<Vec<Track>, HistoryError> {
        let shared = Arc::clone(&self.shared);
        let token = CancellationToken::new();
        let _guard = token.clone().drop_guard();
        // One at a time: a question may take all of a small machine.
        let turn = self.shared.turn.acquire().await;
        let read = tokio::task::spawn_blocking(move || shared.read(&query, &token));
        let answer = read.await.map_err(|error| self.shared.unreadable(&error.to_string()));
        drop(turn);
        answer?
    }

    /// Why something could not be written the last time, if it could not.
    pub(super) fn failure(&self) -> Option<HistoryError> {
        let state = self.shared.lock();
        let failure = || state.tasks.iter().find_map(|(_, failure)| failure.clone());
        if state.is_closed { Some(HistoryError::Closed) } else { failure() }
    }

    pub(super) fn statistics(&self) -> HistoryStatistics {
        let state = self.shared.lock();
        HistoryStatistics {
            damaged: self.shared.damaged.load(Ordering::Relaxed),
            file: state.file,
            set_aside: state.set_aside.clone(),
            ..state.table.statistics()
        }
    }

    pub(super) async fn flush(&self) -> Result<(), HistoryError> {
        self.wait_for(false).await
    }

    /// Returns when all samples are in chunks.
    #[cfg(test)]
    pub(super) async fn seal(&self) -> Result<(), HistoryError> {
        self.wait_for(true).await
    }

    async fn wait_for(&self, chunks: bool) -> Result<(), HistoryError> {
        let (reply, written) = oneshot::channel();
        {
            let mut state = self.shared.lock();
            if state.is_closed {
                return Err(HistoryError::Closed);
            }
            state.waiters.push(reply);
            state.wants_chunks |= chunks;
        }
        self.shared.wake.notify_one();
        written.await.unwrap_or(Err(HistoryError::Closed))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.shared.lock().is_closed = true;
        self.shared.wake.notify_one();
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that writes the history ended by a defect");
        }
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Shared {
    fn run(&self, mut keeper: Keeper) {
        let _closing = Closing(self);
        loop {
            let (task, waiters, is_last) = self.next();
            self.carry_out(task, waiters, is_last, &mut keeper);
            if is_last {
                break;
            }
        }
        // Before the file itself: see `sqlite::Database::reader`.
        *self.reader() = None;
    }

    /// Waits until there is something to do.
    fn next(&self) -> (Task, Vec<Reply>, bool) {
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            if let Some(task) = state.due(now) {
                let waiters = if task == Task::Commit { mem::take(&mut state.waiters) } else { Vec::new() };
                return (task, waiters, state.is_closed);
            }
            let pause = state.pause(now);
            state = self.wake.wait_timeout(state, pause).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn carry_out(&self, task: Task, waiters: Vec<Reply>, is_last: bool, keeper: &mut Keeper) {
        let done = match task {
            Task::Commit => self.commit(keeper, is_last).map(|()| self.settings.commit),
            Task::Seal => {
                // More of them may be more than there is room for.
                self.lock().hasten(Task::Tidy);
                self.seal(keeper).map(|()| Duration::ZERO)
            }
            Task::Tidy => self.tidy(keeper).map(|more| if more { Duration::ZERO } else { TIDY }),
        };
        let now = Instant::now();
        let (pause, failure) = match done {
            Ok(pause) => (pause, None),
            Err(reason) => (self.limits.retry, Some(HistoryError::Write { path: self.path.clone(), reason })),
        };
        self.lock().note(task, now + pause, failure.clone());
        for waiter in waiters {
            // It does not matter if nobody waits any more.
            let _ = waiter.send(failure.clone().map_or(Ok(()), Err));
        }
    }

    /// Brings what is not on the disk there.
    fn commit(&self, keeper: &mut Keeper, is_last: bool) -> Result<(), String> {
        let ((unwritten, row), is_behind, wants_chunks) = {
            let mut state = self.lock();
            let wants_chunks = mem::take(&mut state.wants_chunks);
            (state.table.take_unwritten(), state.table.is_behind(), wants_chunks)
        };
        if !unwritten.is_empty() {
            let saved = self.on_disk(keeper, |database| database.save(&unwritten, row));
            if let Err(reason) = saved {
                self.lock().table.put_back(unwritten);
                return Err(reason);
            }
        }
        if is_behind || wants_chunks {
            self.lock().table.close_all();
            while self.lock().table.has_closed() {
                self.seal(keeper)?;
            }
            self.lock().table.caught_up();
        }
        if is_last { self.on_disk(keeper, |database| database.checkpoint()) } else { Ok(()) }
    }

    /// Makes some chunks.
    fn seal(&self, keeper: &mut Keeper) -> Result<(), String> {
        let closed = self.lock().table.closed(BATCH);
        let lost = self.on_disk(keeper, |database| database.seal(&closed))?;
        let row = {
            let mut state = self.lock();
            state.table.lose(lost);
            state.table.sealed(&closed);
            if state.table.has_closed() { None } else { Some(state.table.first_row()) }
        };
        row.map_or(Ok(()), |row| self.on_disk(keeper, |database| database.prune(row)))
    }

    /// Forgets a little, and tells whether there is more to forget.
    fn tidy(&self, keeper: &mut Keeper) -> Result<bool, String> {
        let time = keeper.judge.judge(self.clock.now(), Instant::now());
        let newest = self.lock().table.newest_period();
        let settings = self.settings;
        let (more, pages) = self.on_disk(keeper, |database| {
            Ok((retention::step(database, &settings, time, newest)?, database.pages()?.0))
        })?;
        self.lock().file = pages * PAGE;
        Ok(more)
    }

    /// Does something with the file. One that turns out to be damaged is set aside, and another one is begun.
    fn on_disk<T>(
        &self,
        keeper: &mut Keeper,
        act: impl FnOnce(&mut Database) -> rusqlite::Result<T>,
    ) -> Result<T, String> {
        let database = match &mut keeper.database {
            Some(database) => database,
            none => none.insert(self.begin_anew()?),
        };
        let error = match act(database) {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        if sqlite::is_damage(&error)
            && let Some(database) = keeper.database.take()
        {
            *self.reader() = None;
            let set_aside = database.set_aside(&error.to_string())?;
            {
                let mut state = self.lock();
                state.set_aside = Some(set_aside);
                state.table.forget_disk();
            }
            keeper.database = Some(self.begin_anew()?);
        }
        if error.sqlite_error_code() == Some(ErrorCode::DiskFull) {
            // What there is to forget makes room.
            self.lock().hasten(Task::Tidy);
        }
        Err(error.to_string())
    }

    /// Begins another file after one was set aside.
    fn begin_anew(&self) -> Result<Database, String> {
        let (database, _, set_aside) = database::open(&self.path, self.settings, self.limits, &self.damaged)?;
        let reader = database.reader(self.limits).map_err(|error| error.to_string())?;
        *self.reader() = Some(reader);
        if set_aside.is_some() {
            self.lock().set_aside = set_aside;
        }
        Ok(database)
    }

    fn read(&self, query: &HistoryQuery, token: &CancellationToken) -> Result<Vec<Track>, HistoryError> {
        // What is in memory before what is on the disk: what moves there meanwhile is then seen twice, and not missed.
        let wanted = self.wanted(query);
        let reader = self.reader();
        let Some(connection) = reader.as_ref() else {
            return Err(self.unreadable("it was set aside, and no other one could be begun"));
        };
        let chunks = Chunks { connection, damaged: &self.damaged };
        query::answer(chunks, query, wanted, token).map_err(|failure| match failure {
            QueryFailure::TooMuch => HistoryError::TooMuch { limit: query.limit },
            QueryFailure::Cancelled => HistoryError::Closed,
            QueryFailure::Disk(error) => self.unreadable(&error.to_string()),
        })
    }

    fn wanted(&self, query: &HistoryQuery) -> Vec<Wanted> {
        let state = self.lock();
        let wanted = query.series.iter().map(|key| {
            let number = state.table.find(key);
            let windows = number.map_or(&[][..], |number| state.table.windows(number)).to_vec();
            Wanted { key: key.clone(), number, windows }
        });
        wanted.collect()
    }

    fn unreadable(&self, reason: &str) -> HistoryError {
        HistoryError::Read { path: self.path.clone(), reason: reason.to_owned() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change of the state is complete in itself, so a panic elsewhere cannot have broken it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reader(&self) -> MutexGuard<'_, Option<Connection>> {
        // A connection is never left in the middle of something.
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The task that is due, if one is.
    fn due(&mut self, now: Instant) -> Option<Task> {
        self.table.close_ended(now);
        let [(commit, failure), (seal, _), (tidy, _)] = &self.tasks;
        let is_urgent = self.table.is_urgent() && failure.is_none();
        if self.is_closed || !self.waiters.is_empty() || is_urgent || *commit <= now {
            Some(Task::Commit)
        } else if self.table.has_closed() && *seal <= now && seal <= tidy {
            Some(Task::Seal)
        } else {
            (*tidy <= now).then_some(Task::Tidy)
        }
    }

    /// Makes a task due now.
    fn hasten(&mut self, task: Task) {
        if let Some((due, _)) = self.tasks.get_mut(task as usize) {
            *due = Instant::now().min(*due);
        }
    }

    /// For how long nothing is due, unless something comes.
    fn pause(&self, now: Instant) -> Duration {
        let [(commit, _), (seal, _), (tidy, _)] = &self.tasks;
        let seal = self.table.has_closed().then_some(seal);
        let next = [commit, tidy].into_iter().chain(seal).min();
        next.map_or(TIDY, |next| next.saturating_duration_since(now))
    }

    /// Notes when a task is due again, and how it went; says so when it went otherwise than the time before.
    fn note(&mut self, task: Task, due: Instant, failure: Option<HistoryError>) {
        let Some(slot) = self.tasks.get_mut(task as usize) else { return };
        match (&slot.1, &failure) {
            (None, Some(failure)) => tracing::error!(?task, %failure, "samples are only kept in memory"),
            (Some(_), None) => tracing::info!(?task, "the history can be written again"),
            _ => {}
        }
        *slot = (due, failure);
    }
}

/// Lets nobody wait for a thread that has ended, however it did.
struct Closing<'a>(&'a Shared);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.is_closed = true;
        state.waiters.clear();
        if state.table.has_unwritten() {
            tracing::error!(path = %self.0.path.display(), "the history is closed, and lacks what was given to it last");
        }
    }
}
