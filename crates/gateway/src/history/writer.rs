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
use super::database::{Chunks, Database, Opened, PAGE};
use super::inspection::Inspection;
use super::query::{self, QueryFailure, Wanted};
use super::table::Table;
use super::times::Decoded;
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
    pub(super) shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

pub(super) struct Shared {
    path: PathBuf,
    settings: HistorySettings,
    limits: Limits,
    clock: Arc<dyn WallClock>,
    state: Mutex<State>,
    wake: Condvar,
    /// A way to read the file. Nothing while there is none.
    reader: Mutex<Option<Connection>>,
    /// Who may use it.
    pub(super) turn: Arc<Semaphore>,
    damaged: Arc<AtomicU64>,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) table: Table,
    waiters: Vec<Reply>,
    /// Whether those who wait want all chunks to be made, too.
    wants_chunks: bool,
    is_closed: bool,
    /// When each task is due, and why it failed the last time, if it did.
    tasks: [(Instant, Option<HistoryError>); 3],
    /// Since when the thread has been busy with one of them, if it is.
    busy_since: Option<Instant>,
    /// What makes whoever read the file think that it is damaged.
    suspicion: Option<String>,
    file: u64,
    is_ahead: bool,
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
    /// Nothing as long as there is none that can be used.
    database: Option<Database>,
    /// Whether nothing of what a file knows has been read since the start.
    is_blank: bool,
    judge: ClockJudge,
    inspection: Inspection,
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
        let opened = Opened::new(path, settings, limits, &damaged);
        let now = Instant::now();
        let failure = opened.as_ref().err().cloned().map(failed);
        if let Some(failure) = &failure {
            tracing::error!(%failure, "samples are only kept in memory");
        }
        let pause = if failure.is_some() { limits.retry } else { Duration::ZERO };
        let (database, reader, table, set_aside) = match opened {
            Ok(Opened { database, reader, table, set_aside }) => {
                (Some(database), Some(reader), table, set_aside)
            }
            Err(_) => (None, None, Table::new(limits), None),
        };
        let state = State {
            table,
            waiters: Vec::new(),
            wants_chunks: false,
            is_closed: false,
            tasks: [(now + settings.commit.max(pause), failure), (now + pause, None), (now + pause, None)],
            busy_since: None,
            suspicion: None,
            file: 0,
            is_ahead: false,
            set_aside: set_aside.clone(),
        };
        let shared = Arc::new(Shared {
            path: path.to_owned(),
            settings,
            limits,
            clock,
            state: Mutex::new(state),
            wake: Condvar::new(),
            reader: Mutex::new(reader),
            turn: Arc::new(Semaphore::new(1)),
            damaged,
        });
        let run = {
            let shared = Arc::clone(&shared);
            let keeper = Keeper {
                is_blank: database.is_none(),
                database,
                judge: ClockJudge::default(),
                inspection: Inspection::default(),
            };
            move || shared.run(keeper)
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
        // One at a time: a question may take all of a small machine. It is over when the thread is, also if nobody waits
        // for it any more.
        let turn = Arc::clone(&self.shared.turn).acquire_owned().await;
        let read = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            shared.read(&query, &token)
        });
        read.await.map_err(|error| self.shared.unreadable(&error.to_string()))?
    }

    /// Why something could not be written the last time, or is not coming to an end now.
    pub(super) fn failure(&self) -> Option<HistoryError> {
        let state = self.shared.lock();
        let failure = || state.tasks.iter().find_map(|(_, failure)| failure.clone());
        let hangs = || {
            let is_hanging = state.busy_since.is_some_and(|since| since.elapsed() >= self.shared.limits.hang);
            is_hanging.then(|| self.shared.unwritable("the disk does not answer".to_owned()))
        };
        if state.is_closed { Some(HistoryError::Closed) } else { failure().or_else(hangs) }
    }

    pub(super) fn statistics(&self) -> HistoryStatistics {
        let state = self.shared.lock();
        HistoryStatistics {
            damaged: self.shared.damaged.load(Ordering::Relaxed),
            file: state.file,
            is_ahead: state.is_ahead,
            set_aside: state.set_aside.clone(),
            ..state.table.statistics()
        }
    }

    pub(super) async fn flush(&self) -> Result<(), HistoryError> {
        self.wait_for(false).await
    }

    /// Returns when all samples are in chunks.
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
        self.lock().busy_since = Some(Instant::now());
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
            Err(reason) => (self.limits.retry, Some(self.unwritable(reason))),
        };
        self.lock().note(task, now + pause, failure.clone());
        for waiter in waiters {
            // It does not matter if nobody waits any more.
            let _ = waiter.send(failure.clone().map_or(Ok(()), Err));
        }
    }

    /// Brings what is not on the disk there.
    fn commit(&self, keeper: &mut Keeper, is_last: bool) -> Result<(), String> {
        self.open(keeper)?;
        let (unwritten, row) = self.lock().table.take_unwritten();
        if !unwritten.is_empty() {
            let saved = self.on_disk(keeper, |database| database.save(&unwritten, row));
            if let Err(reason) = saved {
                self.lock().table.put_back(unwritten);
                return Err(reason);
            }
        }
        let wants_all = {
            let mut state = self.lock();
            let wants_chunks = mem::take(&mut state.wants_chunks);
            let wants_all = state.table.catch_up() || wants_chunks;
            if wants_all {
                state.table.close_all();
            }
            wants_all
        };
        if wants_all && let Err(reason) = self.seal_all(keeper) {
            self.lock().table.fall_behind();
            return Err(reason);
        }
        if is_last { self.on_disk(keeper, |database| database.checkpoint()) } else { Ok(()) }
    }

    /// Makes chunks of everything that is closed.
    fn seal_all(&self, keeper: &mut Keeper) -> Result<(), String> {
        while self.lock().table.has_closed() {
            self.seal(keeper)?;
        }
        Ok(())
    }

    /// Makes some chunks.
    fn seal(&self, keeper: &mut Keeper) -> Result<(), String> {
        let closed = self.lock().table.begin_sealing(BATCH);
        let sealed = self.on_disk(keeper, |database| database.seal(&closed));
        let row = {
            let mut state = self.lock();
            match sealed {
                Ok(lost) => {
                    state.table.lose(lost);
                    state.table.sealed(&closed);
                }
                Err(reason) => {
                    state.table.unsealed(&closed);
                    return Err(reason);
                }
            }
            if state.table.has_closed() { None } else { Some(state.table.first_row()) }
        };
        row.map_or(Ok(()), |row| self.on_disk(keeper, |database| database.prune(row)))
    }

    /// Looks at a part of the file, forgets a little, and tells whether there is more to forget.
    fn tidy(&self, keeper: &mut Keeper) -> Result<bool, String> {
        self.open(keeper)?;
        let now = Instant::now();
        if keeper.inspection.is_due(now) {
            let position = keeper.inspection.position();
            let next = self.on_disk(keeper, |database| database.inspect(position))?;
            keeper.inspection.go_on(next, now);
        }
        let time = keeper.judge.judge(self.clock.now(), Instant::now());
        let newest = self.lock().table.newest_period();
        let settings = self.settings;
        let (more, pages, is_ahead) = self.on_disk(keeper, |database| {
            let more = retention::step(database, &settings, time, newest)?;
            let is_ahead = time.map_or(Ok(false), |time| retention::has_ahead(database, time))?;
            Ok((more, database.pages()?.0, is_ahead))
        })?;
        let mut state = self.lock();
        (state.file, state.is_ahead) = (pages * PAGE, is_ahead);
        Ok(more)
    }

    /// Does something with the file. One that turns out to be damaged is set aside, and another one is begun.
    fn on_disk<T>(
        &self,
        keeper: &mut Keeper,
        act: impl FnOnce(&mut Database) -> rusqlite::Result<T>,
    ) -> Result<T, String> {
        self.open(keeper)?;
        let database = keeper.database.as_mut().ok_or("it is not open")?;
        let error = match act(database) {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        if sqlite::is_damage(&error) {
            self.set_aside(keeper, &error.to_string())?;
            self.open(keeper)?;
        }
        if error.sqlite_error_code() == Some(ErrorCode::DiskFull) {
            // What there is to forget makes room.
            self.lock().hasten(Task::Tidy);
        }
        Err(error.to_string())
    }

    /// Makes sure that there is a file that can be used: the one that could not be opened before, or another one where it
    /// was found damaged.
    fn open(&self, keeper: &mut Keeper) -> Result<(), String> {
        let suspicion = self.lock().suspicion.take();
        if let Some(reason) = suspicion {
            self.set_aside(keeper, &reason)?;
        }
        if keeper.database.is_some() {
            return Ok(());
        }
        let Opened { database, reader, table, set_aside } =
            Opened::new(&self.path, self.settings, self.limits, &self.damaged)?;
        *self.reader() = Some(reader);
        keeper.database = Some(database);
        keeper.inspection = Inspection::default();
        let mut state = self.lock();
        if mem::replace(&mut keeper.is_blank, false) {
            state.table.adopt(table);
        } else if set_aside.is_some() {
            state.table.forget_disk();
        }
        if set_aside.is_some() {
            state.set_aside = set_aside;
        }
        Ok(())
    }

    /// Sets the file aside, which was found damaged.
    fn set_aside(&self, keeper: &mut Keeper, reason: &str) -> Result<(), String> {
        let Some(database) = keeper.database.take() else { return Ok(()) };
        *self.reader() = None;
        let set_aside = database.set_aside(reason)?;
        let mut state = self.lock();
        state.set_aside = Some(set_aside);
        state.table.forget_disk();
        Ok(())
    }

    fn read(&self, query: &HistoryQuery, token: &CancellationToken) -> Result<Vec<Track>, HistoryError> {
        // What is in memory before what is on the disk: what moves there meanwhile is then seen twice, and not missed.
        let wanted = self.wanted(query);
        let reader = self.reader();
        let Some(connection) = reader.as_ref() else {
            return Err(self.unreadable("it cannot be opened"));
        };
        let times = Decoded::default();
        let chunks = Chunks { connection, damaged: &self.damaged, times: &times };
        query::answer(chunks, query, wanted, token).map_err(|failure| match failure {
            QueryFailure::TooMuch => HistoryError::TooMuch { limit: query.limit },
            QueryFailure::Cancelled => HistoryError::Closed,
            QueryFailure::Disk(error) => {
                if sqlite::is_damage(&error) {
                    self.suspect(error.to_string());
                }
                self.unreadable(&error.to_string())
            }
        })
    }

    /// Lets the thread set the file aside.
    fn suspect(&self, reason: String) {
        let mut state = self.lock();
        state.suspicion = Some(reason);
        state.hasten(Task::Tidy);
        drop(state);
        self.wake.notify_one();
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

    fn unwritable(&self, reason: String) -> HistoryError {
        HistoryError::Write { path: self.path.clone(), reason }
    }

    fn unreadable(&self, reason: &str) -> HistoryError {
        HistoryError::Read { path: self.path.clone(), reason: reason.to_owned() }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // Every change of the state is complete in itself, so a panic elsewhere cannot have broken it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn reader(&self) -> MutexGuard<'_, Option<Connection>> {
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
        self.busy_since = None;
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
