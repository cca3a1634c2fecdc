//! The BMCs as everybody else sees them: who is asked, and with what.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use opendcre_ipmi::{Procedure, Request, Response, Step};
use opendcre_model::{BoardId, Context, LinkStatistics, WallClock};
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use super::change;
use super::config::{BmcConfig, Settings};
use super::core::Core;
use super::error::{BmcError, Place, Problem};
use super::knowledge::Knowledge;
use super::queue::{Intent, Job};
use super::socket::Sockets;
use super::statistics::Table;
use super::survey::SensorLists;
use super::worker::{Submission, SystemEntropy, Worker};
use crate::clock::now;

/// How many commands may be on their way to a worker. Who comes then waits for a moment.
const SUBMISSIONS: usize = 1024;

/// The pause between questions how far something is that takes its time.
const PROGRESS_PAUSE: Duration = Duration::from_millis(250);

/// Why BMCs cannot be served.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Two BMCs would be the same board.
    #[error("two BMCs have the board id {0}; give each its own")]
    DuplicateBoard(BoardId),
    /// Two boards would be the same BMC.
    #[error(
        "the BMCs {first} and {second} have the same address {address}; each BMC has one session, so name it once"
    )]
    DuplicateAddress {
        /// The address.
        address: SocketAddr,
        /// The board that has it first.
        first: BoardId,
        /// The board that has it again.
        second: BoardId,
    },
    /// The system gives no socket.
    #[error("cannot open a UDP socket for BMCs; check the limits of the system")]
    Socket(#[from] io::Error),
    /// The system gives no random numbers.
    #[error("the system gives no random numbers for sessions with BMCs; check /dev/urandom")]
    Entropy(#[from] getrandom::Error),
}

/// A handle to all BMCs. Everybody shares it, and through it each BMC's one session.
pub struct Bmcs {
    pub(super) name: Arc<str>,
    pub(super) bmcs: BTreeMap<BoardId, Bmc>,
    pub(super) tables: Vec<Arc<Table>>,
    pub(super) sensors: SensorLists,
    pub(super) clock: Arc<dyn WallClock>,
    workers: Vec<mpsc::Sender<Submission>>,
}

/// One BMC: what the configuration says of it, what was learned of it, and who serves it.
pub(super) struct Bmc {
    pub(super) address: SocketAddr,
    pub(super) asset_text: Option<String>,
    pub(super) hostnames: Vec<String>,
    pub(super) ip_addresses: Vec<IpAddr>,
    pub(super) knowledge: Knowledge,
    worker: usize,
    slot: usize,
}

impl Bmc {
    fn new(config: BmcConfig, worker: usize, slot: usize) -> Self {
        let BmcConfig { board: _, address, access: _, asset_text, hostnames, mut ip_addresses } = config;
        if ip_addresses.is_empty() {
            ip_addresses.push(address.ip());
        }
        Self { address, asset_text, hostnames, ip_addresses, knowledge: Knowledge::default(), worker, slot }
    }
}

/// Owns the sockets and sessions. Nothing is sent until [`BmcsOwner::run`] is polled.
pub struct BmcsOwner {
    name: String,
    pub(super) workers: Vec<Worker>,
}

impl Bmcs {
    /// Opens the sockets, within a tokio runtime. No BMC is contacted until somebody asks for it.
    ///
    /// # Errors
    /// [`OpenError`] if BMCs are not distinct, or the system gives no socket. BMCs that cannot be reached are no
    /// errors of this kind.
    pub fn open(
        bmcs: Vec<BmcConfig>,
        settings: Settings,
        clock: Arc<dyn WallClock>,
    ) -> Result<(Self, BmcsOwner), OpenError> {
        check_addresses(&bmcs)?;
        getrandom::fill(&mut [0])?;
        let now = now();
        let mut opened = Self {
            name: settings.name.as_str().into(),
            bmcs: BTreeMap::new(),
            tables: Vec::new(),
            sensors: SensorLists::default(),
            clock,
            workers: Vec::new(),
        };
        let mut workers = Vec::new();
        for (worker, shard) in shards(bmcs, settings.workers.get()).into_iter().enumerate() {
            let addresses = shard.iter().map(|bmc| bmc.address);
            let sockets = Sockets::open(addresses, settings.receive_buffer)?;
            let table = Arc::new(Table::new(shard.len(), now));
            let (sender, submissions) = mpsc::channel(SUBMISSIONS);
            workers.push(Worker {
                core: Core::new(&shard, settings.clone(), Box::new(SystemEntropy::new()), now),
                sockets,
                submissions,
                table: Arc::clone(&table),
                close_limit: settings.close_limit,
            });
            opened.workers.push(sender);
            opened.tables.push(table);
            for (slot, config) in shard.into_iter().enumerate() {
                let board = config.board;
                if opened.bmcs.insert(board, Bmc::new(config, worker, slot)).is_some() {
                    return Err(OpenError::DuplicateBoard(board));
                }
            }
        }
        info!(driver = settings.name, bmcs = opened.bmcs.len(), "BMCs open");
        Ok((opened, BmcsOwner { name: settings.name, workers }))
    }

    /// Asks one question, which must change nothing: equal ones that wait share one command, it is sent again when no
    /// answer comes, and asked again when the BMC is busy.
    ///
    /// # Errors
    /// When no answer comes. An answer with a completion code that is not zero is an answer.
    pub async fn ask(
        &self,
        board: BoardId,
        request: Request,
        context: Context,
    ) -> Result<Response, BmcError> {
        self.submit(board, request, Intent::Read, context).await
    }

    /// Sends one command that changes something. It goes out once.
    ///
    /// # Errors
    /// As [`Bmcs::ask`]; [`Problem::leaves_doubt`] says whether the command may have taken effect all the same.
    pub async fn control(
        &self,
        board: BoardId,
        request: Request,
        context: Context,
    ) -> Result<Response, BmcError> {
        self.submit(board, request, Intent::Change, context).await
    }

    /// Runs a procedure that changes nothing, command by command: others may come in between.
    ///
    /// # Errors
    /// When a question has no answer, or the procedure cannot go on.
    pub async fn run<P>(&self, board: BoardId, procedure: P, context: Context) -> Result<P::Output, BmcError>
    where
        P: Procedure + Send,
        P::Output: Send,
    {
        self.drive(board, procedure, Intent::Read, context).await
    }

    /// Runs a procedure that changes something: each of its commands goes out once.
    ///
    /// # Errors
    /// As [`Bmcs::run`]; [`Problem::leaves_doubt`] says whether the last command may have taken effect.
    pub async fn run_control<P>(
        &self,
        board: BoardId,
        procedure: P,
        context: Context,
    ) -> Result<P::Output, BmcError>
    where
        P: Procedure + Send,
        P::Output: Send,
    {
        self.drive(board, procedure, Intent::Change, context).await
    }

    async fn drive<P: Procedure>(
        &self,
        board: BoardId,
        mut procedure: P,
        intent: Intent,
        context: Context,
    ) -> Result<P::Output, BmcError> {
        let failed = |error| self.error(board, Problem::Command(error));
        let mut step = procedure.advance(None).map_err(failed)?;
        // Whether the commands so far may have changed something.
        let mut has_changed = false;
        loop {
            match step {
                Step::Done(output) => return Ok(output),
                Step::Ask(request) => {
                    pause_before(&request, context).await;
                    let changes = intent == Intent::Change && change::changes_something(&request);
                    let response = self.submit(board, request, intent, context).await;
                    let response = response.map_err(|error| error.doubtful_if(has_changed))?;
                    let is_done = response.completion.is_ok() || response.completion.leaves_doubt();
                    has_changed |= changes && is_done;
                    let next = procedure.advance(Some(&response));
                    step = next.map_err(|error| failed(error).doubtful_if(has_changed))?;
                }
            }
        }
    }

    /// Sends a command of which nobody here knows what it does. It goes out once.
    ///
    /// # Errors
    /// As [`Bmcs::control`].
    pub async fn send_raw(
        &self,
        board: BoardId,
        request: Request,
        context: Context,
    ) -> Result<Response, BmcError> {
        self.submit(board, request, Intent::Raw, context).await
    }

    async fn submit(
        &self,
        board: BoardId,
        request: Request,
        intent: Intent,
        context: Context,
    ) -> Result<Response, BmcError> {
        let stopped = |sent| self.error(board, Problem::Stopped { sent });
        let bmc = self.bmcs.get(&board).ok_or_else(|| self.error(board, Problem::UnknownBmc))?;
        let worker = self.workers.get(bmc.worker).ok_or_else(|| stopped(false))?;
        let (answer, receiver) = oneshot::channel();
        let job = Job { request, intent, context, answer };
        worker.send(Submission { slot: bmc.slot, job }).await.map_err(|_| stopped(false))?;
        match receiver.await {
            Ok(outcome) => outcome.map_err(|problem| self.error(board, problem)),
            Err(_) => Err(stopped(true)),
        }
    }

    pub(super) fn error(&self, board: BoardId, problem: Problem) -> BmcError {
        BmcError { bmc: board, address: self.address(board), at: self.clock.now(), problem }
    }

    fn address(&self, board: BoardId) -> Option<SocketAddr> {
        self.bmcs.get(&board).map(|bmc| bmc.address)
    }

    pub(super) fn place(&self, board: BoardId) -> Place {
        Place(board, self.address(board))
    }

    /// What is known of one BMC and was counted. It does no I/O and never waits.
    #[must_use]
    pub fn statistics(&self, board: BoardId) -> Option<LinkStatistics> {
        let Bmc { address, worker, slot, .. } = *self.bmcs.get(&board)?;
        let row = self.tables.get(worker)?.row(slot)?;
        Some(row.link(board, address, now(), self.clock.now()))
    }

    /// The same of all BMCs, in the order of their board ids.
    #[must_use]
    pub fn all(&self) -> Vec<LinkStatistics> {
        let (now, time) = (now(), self.clock.now());
        let tables: Vec<_> = self.tables.iter().map(|table| table.all()).collect();
        let row = |bmc: &Bmc| tables.get(bmc.worker)?.get(bmc.slot).cloned();
        let bmcs = self.bmcs.iter();
        bmcs.filter_map(|(id, bmc)| Some(row(bmc)?.link(*id, bmc.address, now, time))).collect()
    }

    /// Whether the owner runs, or may still begin to.
    pub(super) fn is_served(&self) -> bool {
        !self.workers.iter().any(mpsc::Sender::is_closed)
    }
}

impl BmcsOwner {
    /// Serves the BMCs until `stop`, then closes every session, within a bounded time.
    pub async fn run(self, stop: CancellationToken) {
        let mut workers = JoinSet::new();
        for worker in self.workers {
            workers.spawn(worker.run(stop.clone()));
        }
        while let Some(ended) = workers.join_next().await {
            if let Err(error) = ended {
                error!(driver = self.name, %error, "a worker for BMCs broke down; its BMCs are not served any more");
            }
        }
        info!(driver = self.name, "BMCs closed");
    }
}

/// Gives the BMC time before it is asked once more how far it is.
async fn pause_before(request: &Request, context: Context) {
    if change::asks_for_progress(request) {
        let left = context.deadline.saturating_duration_since(now());
        time::sleep(PROGRESS_PAUSE.min(left)).await;
    }
}

/// Nobody may be named twice.
fn check_addresses(bmcs: &[BmcConfig]) -> Result<(), OpenError> {
    let mut addresses = BTreeMap::new();
    for bmc in bmcs {
        if let Some(first) = addresses.insert(bmc.address, bmc.board) {
            return Err(OpenError::DuplicateAddress { address: bmc.address, first, second: bmc.board });
        }
    }
    Ok(())
}

/// Deals the BMCs out, so that each worker has about as many.
fn shards(bmcs: Vec<BmcConfig>, count: usize) -> Vec<Vec<BmcConfig>> {
    let count = count.min(bmcs.len());
    let mut shards: Vec<Vec<BmcConfig>> = (0..count).map(|_| Vec::new()).collect();
    for (bmc, index) in bmcs.into_iter().zip((0..count).cycle()) {
        if let Some(shard) = shards.get_mut(index) {
            shard.push(bmc);
        }
    }
    shards
}
