//! The bus as everybody else sees it.

use std::fmt::Display;
use std::sync::Arc;

use opendcre_devicebus::{
    Command, Packet, Reply, ReplyMatching, Request, Statistics, TransactionError, address, reply,
};
use opendcre_model::{
    Action, Board, BoxFuture, Context, Driver, DriverError, Fault, Observation, Query, Scope, WallClock,
};

use super::answer::{Form, Origin};
use super::config::BusConfig;
use super::effect::{contradicts, describe, proves};
use super::line::LineError;
use super::owner::{BusOwner, Shared};
use super::queue::Failure;
use super::request::{self, ChangeReply, Question};
use super::scan;

/// A handle to one bus.
pub struct DeviceBus {
    config: BusConfig,
    shared: Arc<Shared>,
    clock: Arc<dyn WallClock>,
}

impl DeviceBus {
    /// Opens the tty. Nothing is sent until the owner runs.
    ///
    /// # Errors
    /// [`LineError`] if the tty is missing, busy or unsuitable. Later losses of the line are not errors of this kind:
    /// the owner gets the line back by itself.
    pub fn open(config: BusConfig, clock: Arc<dyn WallClock>) -> Result<(Self, BusOwner), LineError> {
        let shared = Arc::new(Shared::new(config.backlog));
        let owner = BusOwner::open(config.clone(), Arc::clone(&shared))?;
        Ok((Self { config, shared, clock }, owner))
    }

    /// A bus whose line cannot be opened now, for the reason `error`: it can be asked for nothing until its owner, which
    /// goes on trying, has opened it.
    #[must_use]
    pub fn absent(config: BusConfig, error: &LineError, clock: Arc<dyn WallClock>) -> (Self, BusOwner) {
        let shared = Arc::new(Shared::new(config.backlog));
        let owner = BusOwner::absent(config.clone(), Arc::clone(&shared), error);
        (Self { config, shared, clock }, owner)
    }

    /// What the master has seen up to the last finished transaction.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        *self.shared.statistics()
    }

    async fn transact(&self, request: Request, context: Context) -> Result<Reply, Failure> {
        let receiver = self.shared.queue().push(request, context)?;
        self.shared.wake.notify_one();
        match receiver.await {
            Ok(outcome) => outcome,
            Err(_) => Err(Failure::Gone { reason: "the bus is not served any more".into(), sent: true }),
        }
    }

    async fn ask(&self, question: &Question, context: Context) -> Result<Told, DriverError> {
        let reply = self.transact(question.request.clone(), context).await;
        let answer = self.answer(reply, &question.request)?;
        let observation = self.observe(question.form, &answer.packet)?;
        Ok(Told { observation, repeated: answer.repeated })
    }

    async fn change(&self, action: &Action, context: Context) -> Result<Observation, DriverError> {
        let change = request::change(action, self.config.protocol)?;
        let reply = self.transact(change.request.clone(), context).await;
        if let Err(failure) = &reply
            && !was_sent(failure)
        {
            return Err(self.error(failure, &change.request));
        }
        // From here on the device may have done it.
        let answer = match self.answer(reply, &change.request) {
            Ok(answer) => answer,
            Err(lost) => return self.resolve_doubt(action, &change.read_back, &lost.message, context).await,
        };
        if answer.repeated {
            let reason = "the answer was damaged, and its repetition may be that to an older command";
            let doubt = self.fault(Fault::Uncertain, &reason).message;
            return self.resolve_doubt(action, &change.read_back, &doubt, context).await;
        }
        match change.reply {
            ChangeReply::State => {
                // A device that answers nonsense to this would answer nonsense to a question, too.
                let state = self.observe(change.read_back.form, &answer.packet).map_err(|malformed| {
                    uncertain(&malformed.message, "the answer says nothing about its effect")
                })?;
                self.agreed(state, action)
            }
            ChangeReply::Acceptance => {
                reply::write(&answer.packet.data).map_err(|refusal| self.fault(Fault::Refused, &refusal))?;
                self.read_accepted(action, &change.read_back, context).await
            }
        }
    }

    /// The state that a device answered to a change, unless it contradicts the change. Such a device understood, and says
    /// itself that it does something else: it refused.
    fn agreed(&self, state: Observation, action: &Action) -> Result<Observation, DriverError> {
        if contradicts(&state, action) {
            let refusal = format!("the device did not do as it was told; {}", describe(&state));
            return Err(self.fault(Fault::Refused, &refusal));
        }
        Ok(state)
    }

    /// The device accepted a change: what it reports now is the outcome (§7.4). A report that contradicts the change leaves
    /// open which of its two answers is true, or whether somebody else has changed it meanwhile.
    async fn read_accepted(
        &self,
        action: &Action,
        read_back: &Question,
        context: Context,
    ) -> Result<Observation, DriverError> {
        match self.ask(read_back, context).await {
            Ok(told) if contradicts(&told.observation, action) => {
                let doubt = self.fault(Fault::Uncertain, &"the device accepted the command");
                Err(uncertain(&doubt.message, &describe(&told.observation)))
            }
            Ok(told) => Ok(told.observation),
            Err(error) => Err(DriverError::new(
                Fault::Uncertain,
                format!("{}; the device accepted the command, but its state cannot be read", error.message),
            )),
        }
    }

    /// The command went out, and its answer is lost or may be that to another: asks for the state instead of sending
    /// the command again.
    async fn resolve_doubt(
        &self,
        action: &Action,
        read_back: &Question,
        doubt: &str,
        context: Context,
    ) -> Result<Observation, DriverError> {
        match self.ask(read_back, context).await {
            Ok(told) if told.repeated => Err(uncertain(doubt, "its state cannot be read reliably now")),
            Ok(told) if proves(&told.observation, action) => Ok(told.observation),
            Ok(told) => Err(uncertain(doubt, &describe(&told.observation))),
            Err(error) => Err(uncertain(doubt, &format!("its state cannot be read now ({})", error.fault))),
        }
    }

    async fn scan(&self, scope: Scope, context: Context) -> Result<Vec<Board>, DriverError> {
        let board = match scope {
            Scope::All => address::scan_all(self.config.master_id, self.config.time_slice_ms),
            Scope::Board(board) => request::bus_board(board)?,
        };
        let request = Request::to_board(board, Command::Scan);
        match self.transact(request.clone(), context).await {
            Ok(Reply::Scan(packets)) => Ok(scan::boards(&packets, self.config.protocol)),
            Ok(Reply::Packet { packet, .. }) => Err(self.unexpected(&packet)),
            Err(failure) => Err(self.error(&failure, &request)),
        }
    }

    fn answer(&self, reply: Result<Reply, Failure>, request: &Request) -> Result<Answer, DriverError> {
        match reply {
            Ok(Reply::Packet { packet, repeated }) => Ok(Answer { packet, repeated }),
            Ok(Reply::Scan(packets)) => match packets.first() {
                Some(packet) => Err(self.unexpected(packet)),
                None => Err(self.error(&Failure::Transaction(TransactionError::Timeout), request)),
            },
            Err(failure) => Err(self.error(&failure, request)),
        }
    }

    fn observe(&self, form: Form, packet: &Packet) -> Result<Observation, DriverError> {
        let origin = Origin {
            source: &self.config.name,
            measured_at: self.clock.now(),
            protocol: self.config.protocol,
        };
        form.observe(&packet.data, origin).map_err(|error| self.fault(Fault::Malformed, &error))
    }

    fn unexpected(&self, packet: &Packet) -> DriverError {
        self.fault(Fault::Malformed, &format_args!("unexpected answer {packet:?}"))
    }

    /// A failure at this place. Callers know what they asked of whom.
    fn fault(&self, fault: Fault, what: &dyn Display) -> DriverError {
        DriverError::new(fault, format!("bus {}: {what}", self.config.name))
    }

    /// Says what failed, where, and what to do.
    fn error(&self, failure: &Failure, request: &Request) -> DriverError {
        let (fault, what) = match failure {
            Failure::Transaction(TransactionError::Timeout) => {
                let limit = self.config.timeout.as_millis();
                (Fault::Timeout, format!("no answer within {limit} ms; {}", advice(request)))
            }
            Failure::Transaction(error @ TransactionError::Unmatched { .. }) => {
                (Fault::Timeout, format!("{error}; {}", self.matching_advice()))
            }
            Failure::Transaction(error @ TransactionError::Unsendable(_)) => {
                (Fault::Invalid, error.to_string())
            }
            Failure::Transaction(error) => (Fault::Corrupt, format!("{error}; check the line for noise")),
            Failure::Full { retry_after } => {
                let busy =
                    "too many requests wait for this bus; nothing was sent, ask again later".to_owned();
                (Fault::Busy { retry_after: *retry_after }, busy)
            }
            Failure::Expired => {
                let retry_after = self.shared.queue().drain_time();
                (
                    Fault::Busy { retry_after },
                    "the time limit passed while waiting; nothing was sent".to_owned(),
                )
            }
            Failure::Gone { reason, .. } => (Fault::Gone, reason.clone()),
        };
        self.fault(fault, &what)
    }

    /// What to do when boards answer, but not as this bus expects.
    fn matching_advice(&self) -> &'static str {
        match self.config.replies {
            ReplyMatching::Strict => {
                "for boards that echo no addresses set replies = \"compatible\", for boards of release 1.1 also \
                 protocol = \"1.1\""
            }
            ReplyMatching::Compatible => {
                "check that no other master uses this bus, and `protocol` of the bus"
            }
        }
    }
}

/// The answer of a device.
struct Answer {
    packet: Packet,
    /// It came only when it was asked for once more.
    repeated: bool,
}

/// What a device answered to a question.
struct Told {
    observation: Observation,
    /// The answer came only when it was asked for once more, so it may belong to something else.
    repeated: bool,
}

fn uncertain(doubt: &str, known: &str) -> DriverError {
    let message = format!("{doubt}; the command was sent once and may have taken effect; {known}");
    DriverError::new(Fault::Uncertain, message)
}

/// Whether the equipment may have seen the request.
const fn was_sent(failure: &Failure) -> bool {
    match failure {
        Failure::Transaction(error) => {
            !matches!(error, TransactionError::Unsendable(_) | TransactionError::NotIdle)
        }
        Failure::Full { .. } | Failure::Expired => false,
        Failure::Gone { sent, .. } => *sent,
    }
}

const fn advice(request: &Request) -> &'static str {
    if request.device == address::WHOLE_BOARD {
        "check that the board is there, has power, and has devices"
    } else {
        "check that the board is there and holds this device with this kind"
    }
}

impl Driver for DeviceBus {
    fn name(&self) -> &str {
        &self.config.name
    }

    fn health(&self) -> Result<(), DriverError> {
        match self.shared.queue().gone() {
            None => Ok(()),
            Some(reason) => Err(DriverError::new(Fault::Gone, format!("bus {}: {reason}", self.config.name))),
        }
    }

    fn discover(&self, scope: Scope, context: Context) -> BoxFuture<'_, Result<Vec<Board>, DriverError>> {
        Box::pin(self.scan(scope, context))
    }

    fn read(&self, query: Query, context: Context) -> BoxFuture<'_, Result<Observation, DriverError>> {
        Box::pin(async move {
            let question = request::question(&query, self.config.protocol)?;
            Ok(self.ask(&question, context).await?.observation)
        })
    }

    fn perform(&self, action: Action, context: Context) -> BoxFuture<'_, Result<Observation, DriverError>> {
        Box::pin(async move { self.change(&action, context).await })
    }
}
