//! The bus master: one transaction at a time, without I/O (§8, §9).
//!
//! Bytes and time go in by `start` and `on_*`, bytes and results come out by `poll_*`. The owner of the line calls
//! [`Master::on_timer`] no later than [`Master::next_deadline`]. The master knows frames, addresses and time; what
//! an answer means is left to [`crate::reply`].

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use thiserror::Error;

use crate::{Command, Deframer, Packet, PacketError, Protocol, Request, address, kind, wire_time};

/// The highest sequence number is one below `FF`, which is never used (§4).
const SEQUENCES: u8 = 255;
/// The sequence number that responders of 1.1 put into every answer (§4).
const FIXED_SEQUENCE: u8 = 1;
/// More answers than this to one scan are a fault, not a room: it bounds memory and, at 115200 baud, a scan of
/// endless answers to a third of a minute.
const MAX_SCAN_REPLIES: usize = 16_384;
/// The longest wait for a silent line: 256 boards in slots of 75 ms. A line that is never silent must not hold up
/// everything for ever.
const MAX_UNREST: Duration = Duration::from_secs(20);

/// How closely a reply must fit its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReplyMatching {
    /// Sequence, board, device and type are those of the request.
    Strict,
    /// As strict, but an address may also be what old responders put there instead of an echo: board `00000000`,
    /// device `FFFF`, type `FF`; and from boards of 1.1 the sequence may also be `01` (§4, §8).
    Compatible,
}

/// How the master behaves on one bus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MasterConfig {
    /// Line speed in bits per second; tells how long a request occupies the line.
    pub baud: u32,
    /// How long a complete reply may take from the moment the request has left the line (§1: 250 ms). In a scan,
    /// the time until the next complete reply.
    pub reply_timeout: Duration,
    /// How closely replies must fit.
    pub matching: ReplyMatching,
    /// The release that the boards speak. From 1.2 on they repeat their last answer when asked ("?"), and answer with
    /// the sequence number of the request.
    pub protocol: Protocol,
    /// How often a damaged answer is asked for again, and how often a scan is sent at most (§9: 3).
    pub retry_limit: u8,
    /// Silence after which nothing more is expected of an answer that has begun. Longer than what serial adapters
    /// buffer.
    pub quiet: Duration,
    /// Silence before a scan is sent again, so that boards finish their slots (§9.2: 150 ms).
    pub scan_pause: Duration,
    /// Whether boards are told to keep their time slots after a scan of all (§9.4).
    pub save_after_scan: bool,
}

impl Default for MasterConfig {
    fn default() -> Self {
        Self {
            baud: 115_200,
            reply_timeout: Duration::from_millis(250),
            matching: ReplyMatching::Strict,
            protocol: Protocol::V1_3,
            retry_limit: 3,
            quiet: Duration::from_millis(20),
            scan_pause: Duration::from_millis(150),
            save_after_scan: false,
        }
    }
}

/// Bytes to put on the line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transmit {
    /// The bytes, all in one piece.
    pub bytes: Vec<u8>,
    /// Whether everything received so far belongs to the past and is to be thrown away first.
    pub discard_input: bool,
}

/// What a transaction brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// The answer to anything but a scan.
    Packet {
        /// The answer.
        packet: Packet,
        /// It was asked for with "?". If the request itself was never heard, a board repeats what it answered to
        /// another one.
        repeated: bool,
    },
    /// The answers to a scan, at least one, in the order of arrival.
    Scan(Vec<Packet>),
}

/// Why a transaction failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TransactionError {
    /// Nothing complete came in time.
    #[error("no answer in time")]
    Timeout,
    /// Packets came in time, but none that fitted.
    #[error("{count} packet(s) came, but none that answers this request")]
    Unmatched {
        /// How many.
        count: u32,
    },
    /// Answers came damaged, and asking again did not help or was not possible.
    #[error("damaged answer after {attempts} attempt(s): {last}")]
    Corrupt {
        /// How often something was sent.
        attempts: u16,
        /// The last damage seen.
        last: PacketError,
    },
    /// A scan was answered without end.
    #[error("more than {MAX_SCAN_REPLIES} answers to one scan")]
    TooManyReplies,
    /// The request does not fit a packet; nothing was sent.
    #[error("the request does not fit a packet: {0}")]
    Unsendable(PacketError),
    /// A transaction is still running; nothing was sent.
    #[error("a transaction is still running")]
    NotIdle,
}

/// The end of a transaction.
pub type Completion = Result<Reply, TransactionError>;

/// What the master has seen since it was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Packets sent, retries included.
    pub sent: u64,
    /// Packets received that fitted.
    pub received: u64,
    /// Valid packets that fitted no waiting request and were dropped.
    pub unmatched: u64,
    /// Candidates for a packet that turned out damaged.
    pub damaged: u64,
    /// Bytes that arrived while nothing was waited for.
    pub unsolicited_bytes: u64,
    /// Repeats asked for and scans sent again.
    pub retries: u64,
    /// Transactions that ended without an answer.
    pub timeouts: u64,
}

#[derive(Debug)]
enum State {
    Idle,
    /// Answers to an earlier request may still come; the next request waits for them to pass.
    Settling {
        request: Request,
        silence: Silence,
    },
    Waiting(Waiting),
    /// A scan was damaged; boards finish talking before it is sent again.
    Pausing {
        waiting: Waiting,
        silence: Silence,
    },
}

/// A wait for a line that is silent for a while.
#[derive(Debug, Clone, Copy)]
struct Silence {
    until: Instant,
    /// The end of it, even if the line is never silent.
    limit: Instant,
}

impl Silence {
    /// The line is not silent: waits for `length` more.
    fn extend(&mut self, length: Duration, now: Instant) {
        self.until = self.until.max(now + length).min(self.limit);
    }
}

#[derive(Debug)]
struct Waiting {
    request: Request,
    /// The sequence numbers of everything sent in this transaction.
    sequences: Vec<u8>,
    attempts: u16,
    deadline: Instant,
    /// The line has not been silent since the latest bytes, which may be all there is.
    quiet_at: Option<Instant>,
    /// Damage in the answer to the latest attempt.
    damage: Option<PacketError>,
    /// Damage in the answer to the attempt before.
    damage_before: Option<PacketError>,
    /// Packets that fitted nothing.
    unmatched: u32,
    /// Answers to a scan so far.
    replies: Vec<Packet>,
}

impl Waiting {
    fn is_scan(&self) -> bool {
        matches!(self.request.command, Command::Scan)
    }

    fn accepts(&self, packet: &Packet, config: &MasterConfig) -> bool {
        let lenient = config.matching == ReplyMatching::Compatible;
        let fixed = lenient && config.protocol == Protocol::V1_1 && packet.sequence == FIXED_SEQUENCE;
        let sequence_fits = self.sequences.contains(&packet.sequence) || fixed;
        let addresses_fit = if self.is_scan() {
            self.accepts_scanned(packet)
        } else {
            self.accepts_addresses(packet, lenient)
        };
        sequence_fits && addresses_fit
    }

    /// Scan answers carry their own addresses in every version (§7.1).
    fn accepts_scanned(&self, packet: &Packet) -> bool {
        self.request.is_scan_all() || packet.board == self.request.board
    }

    fn accepts_addresses(&self, packet: &Packet, lenient: bool) -> bool {
        let Request { kind_code, board, device, command: _ } = &self.request;
        let board_fits = packet.board == *board || lenient && packet.board == address::NO_BOARD;
        let device_fits = packet.device == *device || lenient && packet.device == address::WHOLE_BOARD;
        let kind_fits = packet.kind_code == *kind_code || lenient && packet.kind_code == kind::NONE;
        board_fits && device_fits && kind_fits
    }

    /// Whether a damaged answer may be asked for again. The first transmission of a scan counts against its limit,
    /// that of a command does not (§9).
    fn may_retry(&self, config: &MasterConfig) -> bool {
        let limit = u16::from(config.retry_limit);
        if self.is_scan() {
            self.attempts < limit
        } else {
            config.protocol >= Protocol::V1_2 && self.attempts <= limit
        }
    }
}

/// The master of one bus.
#[derive(Debug)]
pub struct Master {
    config: MasterConfig,
    state: State,
    deframer: Deframer,
    next_sequence: u8,
    /// Until when an answer to the last request could be mistaken for one to the next.
    settled_at: Option<Instant>,
    transmits: VecDeque<Transmit>,
    completion: Option<Completion>,
    statistics: Statistics,
}

impl Master {
    /// A master that has sent nothing yet. Sequence numbers begin with 1 (§4).
    #[must_use]
    pub fn new(config: MasterConfig) -> Self {
        Self {
            config,
            state: State::Idle,
            deframer: Deframer::default(),
            next_sequence: 1,
            settled_at: None,
            transmits: VecDeque::new(),
            completion: None,
            statistics: Statistics::default(),
        }
    }

    /// Begins a transaction.
    ///
    /// # Errors
    /// [`TransactionError::NotIdle`] while another one runs, [`TransactionError::Unsendable`] for a text that does
    /// not fit.
    pub fn start(&mut self, request: Request, now: Instant) -> Result<(), TransactionError> {
        if !self.is_idle() {
            return Err(TransactionError::NotIdle);
        }
        // Refuse before anything is sent or numbered.
        request.encode(0).map_err(TransactionError::Unsendable)?;
        match self.settled_at.take().filter(|until| *until > now) {
            Some(until) => {
                self.state = State::Settling {
                    request,
                    silence: Silence { until, limit: until + self.config.reply_timeout },
                };
            }
            None => self.begin(request, now),
        }
        Ok(())
    }

    /// Ends the running transaction without a result, because the line is gone.
    pub fn abort(&mut self) {
        self.state = State::Idle;
        self.completion = None;
        self.transmits.clear();
        self.deframer.clear();
    }

    /// Whether a transaction may be started.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        matches!(self.state, State::Idle) && self.completion.is_none()
    }

    /// Whether anything of the running transaction has been given out to be sent.
    #[must_use]
    pub fn has_sent(&self) -> bool {
        matches!(self.state, State::Waiting(_) | State::Pausing { .. })
    }

    /// Takes in received bytes.
    pub fn on_bytes(&mut self, bytes: &[u8], now: Instant) {
        match &mut self.state {
            State::Waiting(waiting) => waiting.quiet_at = Some(now + self.config.quiet),
            State::Settling { silence, .. } => silence.extend(self.config.quiet, now),
            State::Pausing { silence, .. } => silence.extend(self.config.scan_pause, now),
            State::Idle => {}
        }
        if !self.is_waiting() {
            self.statistics.unsolicited_bytes += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            return;
        }
        self.deframer.push(bytes);
        self.take_packets(now);
    }

    fn is_waiting(&self) -> bool {
        matches!(self.state, State::Waiting(_))
    }

    fn take_packets(&mut self, now: Instant) {
        while let Some(found) = self.deframer.next_packet() {
            match found {
                Ok(packet) => self.on_packet(packet, now),
                Err(error) => self.on_damage(error),
            }
            if !self.is_waiting() {
                self.deframer.clear();
                return;
            }
        }
    }

    /// Takes in the time; call it at [`Master::next_deadline`]. Earlier calls do nothing.
    pub fn on_timer(&mut self, now: Instant) {
        if self.next_deadline().is_none_or(|deadline| now < deadline) {
            return;
        }
        self.look_behind(now);
        match std::mem::replace(&mut self.state, State::Idle) {
            State::Idle => {}
            State::Settling { request, .. } => self.begin(request, now),
            State::Pausing { waiting, .. } => self.send_scan_again(waiting, now),
            State::Waiting(waiting) => self.on_silence(waiting, now),
        }
    }

    /// The line is silent: what began and was not finished may have been noise in front of the answer.
    fn look_behind(&mut self, now: Instant) {
        while let State::Waiting(waiting) = &self.state {
            let fits = |packet: &Packet| waiting.accepts(packet, &self.config);
            let Some(packet) = self.deframer.packet_behind(fits) else { return };
            self.on_packet(packet, now);
            self.take_packets(now);
        }
    }

    /// Nothing has come for a while, or the time is over.
    fn on_silence(&mut self, mut waiting: Waiting, now: Instant) {
        match waiting.damage {
            Some(last) if waiting.may_retry(&self.config) => self.retry(waiting, last, now),
            // Without a way to ask again, the answer may still follow the noise.
            _ if now < waiting.deadline => {
                waiting.quiet_at = None;
                self.state = State::Waiting(waiting);
            }
            Some(last) => self.fail(TransactionError::Corrupt { attempts: waiting.attempts, last }, now),
            None => self.on_timeout(waiting, now),
        }
    }

    /// When [`Master::on_timer`] is to be called next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Idle => None,
            State::Settling { silence, .. } | State::Pausing { silence, .. } => Some(silence.until),
            State::Waiting(waiting) => {
                let may_retry = waiting.damage.is_some() && waiting.may_retry(&self.config);
                let quiet_at = waiting.quiet_at.filter(|_| may_retry || self.deframer.has_incomplete());
                Some(quiet_at.map_or(waiting.deadline, |quiet_at| quiet_at.min(waiting.deadline)))
            }
        }
    }

    /// The next bytes to put on the line.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    /// The result of the transaction, once.
    pub fn poll_completion(&mut self) -> Option<Completion> {
        self.completion.take()
    }

    /// What has been seen so far.
    #[must_use]
    pub const fn statistics(&self) -> Statistics {
        self.statistics
    }

    fn begin(&mut self, request: Request, now: Instant) {
        let sequence = self.take_sequence();
        let waiting = Waiting {
            request,
            sequences: vec![sequence],
            attempts: 0,
            deadline: now,
            quiet_at: None,
            damage: None,
            damage_before: None,
            unmatched: 0,
            replies: Vec::new(),
        };
        let request = waiting.request.clone();
        self.send(waiting, &request, sequence, now);
    }

    /// Sends `request` as the next attempt of a transaction and waits for the answer.
    fn send(&mut self, mut waiting: Waiting, request: &Request, sequence: u8, now: Instant) {
        match request.encode(sequence) {
            Ok(bytes) => {
                waiting.attempts = waiting.attempts.saturating_add(1);
                waiting.damage = None;
                waiting.quiet_at = None;
                waiting.deadline = now + wire_time(bytes.len(), self.config.baud) + self.config.reply_timeout;
                self.deframer.clear();
                self.statistics.sent += 1;
                self.transmits.push_back(Transmit { bytes, discard_input: true });
                self.state = State::Waiting(waiting);
            }
            Err(error) => self.complete(Err(TransactionError::Unsendable(error))),
        }
    }

    fn on_packet(&mut self, packet: Packet, now: Instant) {
        let State::Waiting(waiting) = &mut self.state else { return };
        if !waiting.accepts(&packet, &self.config) {
            self.statistics.unmatched += 1;
            waiting.unmatched = waiting.unmatched.saturating_add(1);
            return;
        }
        self.statistics.received += 1;
        if !waiting.is_scan() {
            let repeated = waiting.attempts > 1;
            self.settle_after(&packet, now);
            self.complete(Ok(Reply::Packet { packet, repeated }));
        } else if waiting.replies.len() >= MAX_SCAN_REPLIES {
            self.fail(TransactionError::TooManyReplies, now);
        } else {
            waiting.replies.push(packet);
            waiting.deadline = now + self.config.reply_timeout;
        }
    }

    /// A second copy of an answer that does not say what it answers would pass for the next one.
    fn settle_after(&mut self, packet: &Packet, now: Instant) {
        let State::Waiting(waiting) = &self.state else { return };
        let identified =
            waiting.sequences.contains(&packet.sequence) && waiting.accepts_addresses(packet, false);
        if !identified {
            self.settled_at = Some(now + self.config.quiet);
        }
    }

    fn on_damage(&mut self, last: PacketError) {
        self.statistics.damaged += 1;
        if let State::Waiting(waiting) = &mut self.state {
            waiting.damage = Some(last);
        }
    }

    /// Everything that came was damaged (§9.1, §9.2).
    fn retry(&mut self, mut waiting: Waiting, last: PacketError, now: Instant) {
        self.statistics.retries += 1;
        if waiting.is_scan() {
            waiting.replies.clear();
            let silence = Silence { until: now + self.config.scan_pause, limit: now + MAX_UNREST };
            self.state = State::Pausing { waiting, silence };
        } else {
            let repeat = waiting.request.repeat();
            let sequence = self.take_sequence();
            waiting.sequences.push(sequence);
            waiting.damage_before = Some(last);
            self.send(waiting, &repeat, sequence, now);
        }
    }

    /// Sends a damaged scan again with the same sequence number; boards draw new slots if all are asked (§9.2).
    fn send_scan_again(&mut self, mut waiting: Waiting, now: Instant) {
        if waiting.request.is_scan_all() {
            waiting.request.board |= address::SHUFFLE;
        }
        let sequence = waiting.sequences.first().copied().unwrap_or_default();
        let request = waiting.request.clone();
        self.send(waiting, &request, sequence, now);
    }

    fn on_timeout(&mut self, waiting: Waiting, now: Instant) {
        if !waiting.replies.is_empty() {
            // Silence is how a scan ends.
            return self.finish_scan(waiting);
        }
        self.statistics.timeouts += 1;
        let error = match (waiting.damage_before, waiting.unmatched) {
            // A repeat that stays unanswered ends the story of a damaged answer.
            (Some(last), _) => TransactionError::Corrupt { attempts: waiting.attempts, last },
            (None, 0) => TransactionError::Timeout,
            (None, count) => TransactionError::Unmatched { count },
        };
        self.fail(error, now);
    }

    /// Ends without an answer, which may still come.
    fn fail(&mut self, error: TransactionError, now: Instant) {
        if self.config.matching == ReplyMatching::Compatible {
            // Without an echo nothing tells a late answer from the next one: let it pass first.
            self.settled_at = Some(now + self.config.reply_timeout);
        }
        self.complete(Err(error));
    }

    fn finish_scan(&mut self, waiting: Waiting) {
        if waiting.request.is_scan_all() && self.config.save_after_scan {
            self.send_save();
        }
        self.complete(Ok(Reply::Scan(waiting.replies)));
    }

    /// Boards keep their slots and do not answer (§9.4).
    fn send_save(&mut self) {
        let save = Request::to_board(address::SCAN_ALL | address::SAVE, Command::Scan);
        let sequence = self.take_sequence();
        if let Ok(bytes) = save.encode(sequence) {
            self.statistics.sent += 1;
            self.transmits.push_back(Transmit { bytes, discard_input: true });
        }
    }

    fn complete(&mut self, completion: Completion) {
        self.state = State::Idle;
        self.completion = Some(completion);
    }

    /// 1, 2, … 254, 0, 1, … (§4).
    fn take_sequence(&mut self) -> u8 {
        let sequence = self.next_sequence;
        self.next_sequence = (sequence + 1) % SEQUENCES;
        sequence
    }
}
