//! One BMC as a client sees it: sessions, retransmission and the matching of answers, without sockets and clocks.
//!
//! Requests and datagrams go in with the time, datagrams and events come out. One request is in flight at a time. A
//! session is opened when a request needs one, kept until [`Client::close`], and opened again when the BMC has
//! forgotten it. What does not belong to the session and the request is dropped and counted.

mod access;
mod counter;
mod failure;
mod knowledge;
mod session;
mod setup;
mod timing;
mod window;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use thiserror::Error;

use crate::packet::Datagram;
use crate::session::{CloseSession, SetSessionPrivilege};
use crate::{Command, Completion, Message, Privilege, Request, Response};
use counter::Stray;
use knowledge::Knowledge;
use session::Session;
use setup::{Context, Progress, Setup, answer};
use timing::Attempt;

pub use access::{Access, Order, PrivilegeRange, Protocol, Repeat, UserLookup};
pub use counter::{Counters, Dropped};
pub use failure::Failure;
pub use timing::{Latency, Timing};

/// For how long after its last answer a session counts as alive. An older one is tried out with a harmless command
/// before something is sent that may be sent only once.
const FRESH: Duration = Duration::from_secs(2);

/// The bits of a request's number (IPMI 2.0 §13.8: six).
const SEQUENCE_BITS: u8 = 0x3f;

/// Completion codes of Set Session Privilege Level (IPMI 2.0 table 22-23).
const LEVEL_NOT_FOR_USER: Completion = Completion(0x80);
const LEVEL_EXCEEDS_LIMIT: Completion = Completion(0x81);

/// Where random numbers come from. They must not be predictable.
pub trait Entropy {
    /// Fills `bytes`.
    fn fill(&mut self, bytes: &mut [u8]);
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A session is open.
    Opened,
    /// The BMC has answered the request.
    Answered(Response),
    /// The request has no answer.
    Failed(Failure),
    /// The session is closed, as was asked.
    Closed,
}

/// A request came while another is in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a request is in flight already")]
pub struct NotIdle;

/// The client of one BMC.
pub struct Client {
    access: Arc<Access>,
    timing: Timing,
    knowledge: Knowledge,
    latency: Latency,
    counters: Counters,
    state: State,
    pending: Option<Pending>,
    sequence: u8,
    transmit: VecDeque<Vec<u8>>,
    events: VecDeque<Event>,
}

enum State {
    Closed,
    Opening(Box<Setup>),
    Open(Box<Session>),
    Closing(Box<Session>, Exchange),
}

/// A request of the caller.
struct Pending {
    order: Order,
    stage: Stage,
    /// What it needs as far as is known now.
    needed: Privilege,
    /// The session was opened anew for it.
    reopened: bool,
    /// The privilege that was used before the BMC wanted more.
    refused_at: Option<Privilege>,
}

enum Stage {
    /// For a session.
    Waiting,
    /// For the privilege.
    Adjusting(Exchange, Privilege),
    /// For the answer.
    Sent(Exchange),
}

/// A request of a session that waits for its answer.
struct Exchange {
    request: Request,
    sequence: u8,
    attempt: Attempt,
    /// The BMC has answered that it has no time.
    busy: bool,
}

// === impl Client ===

impl Client {
    /// A client without a session.
    #[must_use]
    pub fn new(access: Arc<Access>, timing: Timing) -> Self {
        Self {
            access,
            timing,
            knowledge: Knowledge::default(),
            latency: Latency::default(),
            counters: Counters::default(),
            state: State::Closed,
            pending: None,
            sequence: 0,
            transmit: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// Begins a request. Its answer, or why there is none, comes as an [`Event`].
    ///
    /// # Errors
    /// [`NotIdle`] while another is in flight.
    pub fn request(&mut self, order: Order, now: Instant, entropy: &mut dyn Entropy) -> Result<(), NotIdle> {
        if self.pending.is_some() {
            return Err(NotIdle);
        }
        self.counters.requests += 1;
        let needed = self.knowledge.privilege(&order.request, order.privilege);
        self.pending =
            Some(Pending { order, stage: Stage::Waiting, needed, reopened: false, refused_at: None });
        self.proceed(now, entropy);
        Ok(())
    }

    /// Takes a datagram from the BMC.
    pub fn on_datagram(&mut self, bytes: &[u8], now: Instant, entropy: &mut dyn Entropy) {
        let Ok(datagram) = Datagram::decode(bytes) else {
            if let State::Opening(setup) = &mut self.state {
                setup.on_noise();
            }
            self.counters.dropped.count(Stray::Undecodable);
            return;
        };
        let taken = match &mut self.state {
            State::Closed => Err(Stray::Foreign),
            State::Opening(_) => self.on_setup_datagram(&datagram, now, entropy),
            State::Open(session) | State::Closing(session, _) => {
                let message = session.open(&datagram, &self.access);
                message.and_then(|message| self.on_message(&message, now, entropy))
            }
        };
        if let Err(stray) = taken {
            self.counters.dropped.count(stray);
        }
    }

    /// Lets time pass. Due when [`Client::next_deadline`] is over; harmless before.
    pub fn on_timer(&mut self, now: Instant, entropy: &mut dyn Entropy) {
        if self.next_deadline().is_none_or(|due| due > now) {
            return;
        }
        match &mut self.state {
            State::Closed => {}
            State::Opening(_) => self.on_setup_silence(now, entropy),
            State::Open(_) => self.on_silence(now, entropy),
            State::Closing(session, exchange) => match exchange.attempt.again(now, &self.timing) {
                Some(attempt) => {
                    exchange.attempt = attempt;
                    let message = Message::request(&exchange.request, exchange.sequence);
                    self.transmit.push_back(session.seal(&message, &self.access, entropy));
                    self.counters.retries += 1;
                }
                None => self.on_closed(now, entropy),
            },
        }
    }

    /// The next datagram for the BMC.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.transmit.pop_front()
    }

    /// The next thing that happened.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When [`Client::on_timer`] is due; nothing while nothing is waited for.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        match (&self.state, self.pending.as_ref().map(|pending| &pending.stage)) {
            (State::Opening(setup), _) => Some(setup.due()),
            (State::Closing(_, exchange), _)
            | (State::Open(_), Some(Stage::Adjusting(exchange, _) | Stage::Sent(exchange))) => {
                Some(exchange.attempt.due)
            }
            _ => None,
        }
    }

    /// Closes the session in an orderly way; [`Event::Closed`] comes when that is done. A request that is in flight is
    /// abandoned.
    pub fn close(&mut self, now: Instant, entropy: &mut dyn Entropy) {
        self.abandon();
        match std::mem::replace(&mut self.state, State::Closed) {
            State::Closed | State::Opening(_) => self.events.push_back(Event::Closed),
            State::Open(mut session) => {
                let request = CloseSession { session: session.bmc_session() }.request();
                let exchange = self.send(&mut session, request, now, entropy);
                self.state = State::Closing(session, exchange);
            }
            closing @ State::Closing(..) => self.state = closing,
        }
    }

    /// Forgets the request that is in flight. An answer that still comes is dropped.
    pub fn abandon(&mut self) {
        self.pending = None;
    }

    /// Whether a request is in flight.
    #[must_use]
    pub const fn is_busy(&self) -> bool {
        self.pending.is_some()
    }

    /// Whether the BMC may have seen the request that is in flight.
    #[must_use]
    pub fn has_sent(&self) -> bool {
        self.pending.as_ref().is_some_and(|pending| matches!(pending.stage, Stage::Sent(_)))
    }

    /// Whether anything has come from the BMC since a session was last needed.
    #[must_use]
    pub const fn has_heard(&self) -> bool {
        match &self.state {
            State::Closed => false,
            State::Opening(setup) => setup.has_heard(),
            State::Open(_) | State::Closing(..) => true,
        }
    }

    /// Whether a session is open and not being closed.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        matches!(self.state, State::Open(_))
    }

    /// What has been seen.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// How fast the BMC answers.
    #[must_use]
    pub const fn latency(&self) -> &Latency {
        &self.latency
    }

    /// Does what can be done for the pending request.
    fn proceed(&mut self, now: Instant, entropy: &mut dyn Entropy) {
        let Some(pending) = &self.pending else { return };
        if !matches!(pending.stage, Stage::Waiting) {
            return;
        }
        let needed = pending.needed;
        if needed > self.access.privilege.most {
            return self.fail(Failure::Forbidden { needed });
        }
        match std::mem::replace(&mut self.state, State::Closed) {
            State::Closed => self.open(needed, now, entropy),
            // It was asked for at login, and the BMC gave less: another session would be no better.
            State::Open(session) if session.ceiling < needed && needed <= session.role => {
                self.state = State::Open(session);
                self.fail(Failure::InsufficientPrivilege { needed });
            }
            State::Open(session) if session.ceiling < needed => {
                self.open_again(session, needed, now, entropy);
            }
            State::Open(session) => self.send_pending(session, now, entropy),
            state @ (State::Opening(_) | State::Closing(..)) => self.state = state,
        }
    }

    fn open(&mut self, needed: Privilege, now: Instant, entropy: &mut dyn Entropy) {
        let (_, mut context) = self.parts(now, entropy);
        let (setup, progress) = Setup::begin(needed, &mut context);
        self.state = State::Opening(Box::new(setup));
        self.on_progress(progress, now, entropy);
    }

    /// The state, and what surrounds it while a session begins.
    fn parts<'a>(&'a mut self, now: Instant, entropy: &'a mut dyn Entropy) -> (&'a mut State, Context<'a>) {
        let context = Context {
            access: &self.access,
            timing: &self.timing,
            knowledge: &mut self.knowledge,
            entropy,
            now,
        };
        (&mut self.state, context)
    }

    /// Leaves a session that may not do enough for one that may.
    fn open_again(
        &mut self,
        mut session: Box<Session>,
        needed: Privilege,
        now: Instant,
        entropy: &mut dyn Entropy,
    ) {
        let request = CloseSession { session: session.bmc_session() }.request();
        // Nobody waits for the answer: a session that is not closed expires.
        self.send(&mut session, request, now, entropy);
        self.open(needed, now, entropy);
    }

    /// Sends the pending request, or first what makes the session ready for it.
    fn send_pending(&mut self, mut session: Box<Session>, now: Instant, entropy: &mut dyn Entropy) {
        let Some(mut pending) = self.pending.take() else {
            self.state = State::Open(session);
            return;
        };
        let level = self.level(&session, &pending, now);
        pending.stage = match level {
            Some(level) => {
                let exchange = self.send(&mut session, SetSessionPrivilege(level).request(), now, entropy);
                Stage::Adjusting(exchange, level)
            }
            None => {
                let mut exchange = self.send(&mut session, pending.order.request.clone(), now, entropy);
                if pending.order.repeat == Repeat::Never {
                    exchange.attempt = Attempt::new(now, self.timing.control);
                }
                Stage::Sent(exchange)
            }
        };
        self.pending = Some(pending);
        self.state = State::Open(session);
    }

    /// The privilege that must be set before the pending request is sent; nothing if it can be sent at once.
    fn level(&self, session: &Session, pending: &Pending, now: Instant) -> Option<Privilege> {
        let stale = now.saturating_duration_since(session.heard_at) > FRESH;
        let prove = pending.order.repeat == Repeat::Never && stale;
        let lower = session.privilege > pending.needed && !self.knowledge.never_lowers;
        if session.privilege < pending.needed || lower {
            return Some(pending.needed);
        }
        prove.then_some(session.privilege)
    }

    fn send(
        &mut self,
        session: &mut Session,
        request: Request,
        now: Instant,
        entropy: &mut dyn Entropy,
    ) -> Exchange {
        self.sequence = (self.sequence + 1) & SEQUENCE_BITS;
        let message = Message::request(&request, self.sequence);
        self.transmit.push_back(session.seal(&message, &self.access, entropy));
        let attempt = Attempt::new(now, self.latency.wait(&self.timing));
        Exchange { request, sequence: self.sequence, attempt, busy: false }
    }

    fn on_setup_datagram(
        &mut self,
        datagram: &Datagram<'_>,
        now: Instant,
        entropy: &mut dyn Entropy,
    ) -> Result<(), Stray> {
        let (State::Opening(setup), mut context) = self.parts(now, entropy) else {
            return Err(Stray::Foreign);
        };
        let progress = setup.on_datagram(datagram, &mut context)?;
        self.on_progress(progress, now, entropy);
        Ok(())
    }

    fn on_setup_silence(&mut self, now: Instant, entropy: &mut dyn Entropy) {
        let (State::Opening(setup), mut context) = self.parts(now, entropy) else { return };
        let progress = setup.on_silence(&mut context);
        match &progress {
            Progress::Send => self.counters.retries += 1,
            Progress::Failed(..) => self.counters.timeouts += 1,
            Progress::Wait | Progress::Opened(_) => {}
        }
        self.on_progress(progress, now, entropy);
    }

    fn on_progress(&mut self, progress: Progress, now: Instant, entropy: &mut dyn Entropy) {
        match progress {
            Progress::Wait => {}
            Progress::Send => {
                if let State::Opening(setup) = &self.state {
                    self.transmit.push_back(setup.datagram());
                }
            }
            Progress::Opened(session) => {
                self.counters.sessions += 1;
                self.events.push_back(Event::Opened);
                self.state = State::Open(session);
                self.proceed(now, entropy);
            }
            Progress::Failed(failure, farewell) => {
                self.transmit.extend(farewell);
                self.state = State::Closed;
                self.fail(failure);
            }
        }
    }

    fn on_message(
        &mut self,
        message: &Message,
        now: Instant,
        entropy: &mut dyn Entropy,
    ) -> Result<(), Stray> {
        if let State::Closing(_, exchange) = &self.state {
            answer(message, &exchange.request, exchange.sequence)?;
            self.on_closed(now, entropy);
            return Ok(());
        }
        let (exchange, is_order) = match self.pending.as_mut().map(|pending| &mut pending.stage) {
            Some(Stage::Adjusting(exchange, _)) => (exchange, false),
            Some(Stage::Sent(exchange)) => (exchange, true),
            Some(Stage::Waiting) | None => return Err(Stray::Unmatched),
        };
        let response = answer(message, &exchange.request, exchange.sequence)?;
        if !is_order && response.completion == Completion::NODE_BUSY {
            // It is asked again when the time for its answer is over. With the caller's own request the caller decides.
            exchange.busy = true;
            return Ok(());
        }
        if exchange.attempt.is_first() {
            self.latency.measure(now.saturating_duration_since(exchange.attempt.began));
        }
        if let State::Open(session) = &mut self.state {
            session.heard_at = now;
        }
        match self.pending.take() {
            Some(Pending { stage: Stage::Adjusting(_, level), order, needed, reopened, refused_at }) => {
                self.pending = Some(Pending { stage: Stage::Waiting, order, needed, reopened, refused_at });
                self.on_level(level, &response, now, entropy);
            }
            Some(pending) => self.on_answer(pending, response, now, entropy),
            None => {}
        }
        Ok(())
    }

    /// The BMC has set another privilege, or not.
    fn on_level(&mut self, level: Privilege, response: &Response, now: Instant, entropy: &mut dyn Entropy) {
        let State::Open(session) = &mut self.state else { return };
        match response.completion {
            Completion::OK => session.privilege = level,
            // It may do more than it needs, which is no reason to stop.
            _ if level <= session.privilege => self.knowledge.never_lowers = true,
            LEVEL_NOT_FOR_USER | LEVEL_EXCEEDS_LIMIT | Completion::INSUFFICIENT_PRIVILEGE => {
                return self.fail(Failure::InsufficientPrivilege { needed: level });
            }
            completion => return self.fail(Failure::Declined(completion)),
        }
        self.proceed(now, entropy);
    }

    fn on_answer(
        &mut self,
        mut pending: Pending,
        response: Response,
        now: Instant,
        entropy: &mut dyn Entropy,
    ) {
        if response.completion != Completion::INSUFFICIENT_PRIVILEGE {
            if pending.refused_at.is_some() {
                self.knowledge.learn(&pending.order.request, pending.needed);
            }
            self.events.push_back(Event::Answered(response));
            return;
        }
        // It was not carried out, so it may be sent again, with more privilege.
        let refused = pending.needed;
        let Some(more) = refused.next() else {
            self.events.push_back(Event::Failed(Failure::InsufficientPrivilege { needed: refused }));
            return;
        };
        pending.refused_at = Some(refused);
        pending.needed = more;
        pending.stage = Stage::Waiting;
        self.pending = Some(pending);
        self.proceed(now, entropy);
    }

    /// No answer in time, in an open session.
    fn on_silence(&mut self, now: Instant, entropy: &mut dyn Entropy) {
        let (State::Open(session), Some(pending)) = (&mut self.state, &mut self.pending) else { return };
        let (exchange, once) = match &mut pending.stage {
            Stage::Sent(exchange) => (exchange, pending.order.repeat == Repeat::Never),
            Stage::Adjusting(exchange, _) => (exchange, false),
            Stage::Waiting => return,
        };
        if once {
            self.counters.timeouts += 1;
            self.fail(Failure::Silent { sent: true });
            return;
        }
        if let Some(attempt) = exchange.attempt.again(now, &self.timing) {
            exchange.attempt = attempt;
            let message = Message::request(&exchange.request, exchange.sequence);
            self.transmit.push_back(session.seal(&message, &self.access, entropy));
            self.counters.retries += 1;
            return;
        }
        self.counters.timeouts += 1;
        if exchange.busy {
            self.fail(Failure::Declined(Completion::NODE_BUSY));
            return;
        }
        // The BMC may have forgotten the session, or its power was lost.
        self.state = State::Closed;
        if pending.reopened {
            self.fail(Failure::Silent { sent: false });
            return;
        }
        pending.reopened = true;
        pending.stage = Stage::Waiting;
        self.proceed(now, entropy);
    }

    fn on_closed(&mut self, now: Instant, entropy: &mut dyn Entropy) {
        self.state = State::Closed;
        self.events.push_back(Event::Closed);
        // A request may have come in the meantime.
        self.proceed(now, entropy);
    }

    fn fail(&mut self, failure: Failure) {
        if self.pending.take().is_some() {
            self.events.push_back(Event::Failed(failure));
        }
    }
}
