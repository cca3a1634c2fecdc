//! What waits for the wire.
//!
//! Four lanes, control before reads before scans before polls, first come first served within a lane. Two bounds keep every
//! wait finite: the number of transactions that wait in each lane, so that readers cannot lock out control, and how
//! often a lane may be passed over. Equal questions are
//! one transaction. Pure bookkeeping: no I/O, and time is passed in.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use opendcre_devicebus::{Command, Reply, Request, TransactionError};
use opendcre_model::{Context, Priority};
use tokio::sync::oneshot;

/// How many transactions of higher lanes may go before a waiting lane gets its turn all the same.
const MAX_PASSED_OVER: u32 = 64;
/// How many callers may share one transaction.
const MAX_WAITERS: usize = 4096;

/// Why a request brought no reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// It was sent, and failed.
    Transaction(TransactionError),
    /// Too much waits already; it was not sent.
    Full {
        /// When it is worth asking again.
        retry_after: Duration,
    },
    /// Its caller's time ran out while it waited; it was not sent.
    Expired,
    /// The line is gone.
    Gone {
        /// What happened to the line.
        reason: String,
        /// Whether the request was on the line when that happened.
        sent: bool,
    },
}

pub(super) type Outcome = Result<Reply, Failure>;

#[derive(Debug)]
struct Entry {
    request: Request,
    deadline: Instant,
    waiters: Vec<oneshot::Sender<Outcome>>,
}

impl Entry {
    /// Nobody waits for it any more.
    fn is_abandoned(&self) -> bool {
        self.waiters.iter().all(oneshot::Sender::is_closed)
    }

    fn can_take(&self, request: &Request) -> bool {
        self.request == *request && self.request.command.is_safe() && self.waiters.len() < MAX_WAITERS
    }

    fn finish(self, outcome: &Outcome) {
        for waiter in self.waiters {
            // A caller that has gone away does not want it.
            waiter.send(outcome.clone()).ok();
        }
    }
}

/// One priority's entries.
#[derive(Debug, Default)]
struct Lane {
    entries: VecDeque<Entry>,
    passed_over: u32,
}

/// Everything that waits for one wire, and what is on it.
#[derive(Debug)]
pub(super) struct Queue {
    /// In the order in which they are served.
    lanes: [Lane; 4],
    on_wire: Option<Entry>,
    limit: usize,
    /// Why nothing can be sent, while the line is gone.
    gone: Option<String>,
    /// Smoothed duration of a transaction.
    typical: Duration,
}

const fn lane_index(priority: Priority) -> usize {
    match priority {
        Priority::Control => 0,
        Priority::Read => 1,
        Priority::Scan => 2,
        Priority::Poll => 3,
    }
}

impl Queue {
    /// A queue that lets `limit` transactions wait in each lane.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            lanes: Default::default(),
            on_wire: None,
            limit,
            gone: None,
            typical: Duration::from_millis(10),
        }
    }

    /// Adds a request, or joins it to an equal one.
    pub(super) fn push(
        &mut self,
        request: Request,
        context: Context,
    ) -> Result<oneshot::Receiver<Outcome>, Failure> {
        if let Some(reason) = &self.gone {
            return Err(Failure::Gone { reason: reason.clone(), sent: false });
        }
        let (sender, receiver) = oneshot::channel();
        if let Some(entry) = self.equal_entry(&request, context.priority) {
            entry.deadline = entry.deadline.max(context.deadline);
            entry.waiters.push(sender);
            return Ok(receiver);
        }
        let retry_after = self.drain_time();
        let Some(lane) = self.lanes.get_mut(lane_index(context.priority)) else {
            return Err(Failure::Full { retry_after });
        };
        if lane.entries.len() >= self.limit {
            lane.entries.retain(|entry| !entry.is_abandoned());
        }
        if lane.entries.len() >= self.limit {
            return Err(Failure::Full { retry_after });
        }
        lane.entries.push_back(Entry { request, deadline: context.deadline, waiters: vec![sender] });
        Ok(receiver)
    }

    /// An entry whose answer will do for `request` too.
    ///
    /// Also the one on the wire: whatever the caller did before, it did before that transaction began, because there
    /// is only one at a time. A scan takes so long that a board may have been plugged in since it began, so nobody
    /// joins a scan on its way.
    fn equal_entry(&mut self, request: &Request, priority: Priority) -> Option<&mut Entry> {
        let joinable = |entry: &&mut Entry| entry.can_take(request);
        let is_scan = matches!(request.command, Command::Scan);
        let on_wire = self.on_wire.as_mut().filter(|_| !is_scan).filter(joinable);
        let lane = self.lanes.get_mut(lane_index(priority));
        on_wire.or_else(|| lane.and_then(|lane| lane.entries.iter_mut().find(joinable)))
    }

    /// How many transactions wait.
    fn waiting(&self) -> usize {
        self.lanes.iter().map(|lane| lane.entries.len()).sum()
    }

    /// How long what waits will probably take.
    pub(super) fn drain_time(&self) -> Duration {
        self.typical * u32::try_from(self.waiting()).unwrap_or(u32::MAX)
    }

    /// Takes the request that goes on the wire now. What nobody waits for is dropped on the way.
    pub(super) fn take(&mut self, now: Instant) -> Option<Request> {
        while let Some(entry) = self.take_entry() {
            if entry.is_abandoned() {
                continue;
            }
            if entry.deadline <= now {
                entry.finish(&Err(Failure::Expired));
                continue;
            }
            let request = entry.request.clone();
            self.on_wire = Some(entry);
            return Some(request);
        }
        None
    }

    fn take_entry(&mut self) -> Option<Entry> {
        let index = self.next_lane()?;
        for (lane, served) in self.lanes.iter_mut().zip(0..) {
            if served == index || lane.entries.is_empty() {
                lane.passed_over = 0;
            } else if served > index {
                lane.passed_over += 1;
            }
        }
        self.lanes.get_mut(index)?.entries.pop_front()
    }

    /// The lane to serve: one that was passed over too often, or else the first that has something.
    fn next_lane(&self) -> Option<usize> {
        let waiting = |lane: &Lane| !lane.entries.is_empty();
        let due = |lane: &Lane| waiting(lane) && lane.passed_over >= MAX_PASSED_OVER;
        self.lanes.iter().position(due).or_else(|| self.lanes.iter().position(waiting))
    }

    /// Gives the result of what was on the wire to all who wait for it.
    pub(super) fn finish(&mut self, outcome: &Outcome, took: Duration) {
        self.typical = (self.typical * 7 + took) / 8;
        if let Some(entry) = self.on_wire.take() {
            entry.finish(outcome);
        }
    }

    /// The line is gone: everything fails now, and so does everything that comes, until [`Queue::reopen`]. `sent`
    /// says whether any of what was taken last has left.
    pub(super) fn close(&mut self, reason: &str, sent: bool) {
        if let Some(entry) = self.on_wire.take() {
            entry.finish(&Err(Failure::Gone { reason: reason.to_owned(), sent }));
        }
        for entry in self.lanes.iter_mut().flat_map(|lane| lane.entries.drain(..)) {
            entry.finish(&Err(Failure::Gone { reason: reason.to_owned(), sent: false }));
        }
        self.gone = Some(reason.to_owned());
    }

    /// The line is back.
    pub(super) fn reopen(&mut self) {
        self.gone = None;
    }

    /// Why nothing can be sent, while the line is gone.
    pub(super) fn gone(&self) -> Option<&str> {
        self.gone.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use opendcre_devicebus::{Packet, PowerSwitch};
    use tokio::time::Instant as Clock;

    use super::*;

    const LIMIT: usize = 4;

    fn read(device: u16) -> Request {
        Request::to_device(0x9c, 1, device, Command::Read)
    }

    fn control(device: u16) -> Request {
        Request::to_device(0x40, 1, device, Command::Power(PowerSwitch::Off))
    }

    fn scan() -> Request {
        Request::to_board(1, Command::Scan)
    }

    fn context(priority: Priority) -> Context {
        Context { deadline: Clock::now().into_std() + Duration::from_secs(10), priority }
    }

    fn reply() -> Outcome {
        let packet = Packet { sequence: 1, kind_code: 1, board: 1, device: 1, data: Vec::new() };
        Ok(Reply::Packet { packet, repeated: false })
    }

    fn now() -> Instant {
        Clock::now().into_std()
    }

    #[test]
    fn control_goes_before_reads_before_scans() {
        let mut queue = Queue::new(LIMIT);
        let waiting = [
            queue.push(scan(), context(Priority::Scan)),
            queue.push(read(1), context(Priority::Read)),
            queue.push(read(2), context(Priority::Read)),
            queue.push(control(3), context(Priority::Control)),
        ];
        assert!(waiting.iter().all(Result::is_ok));
        let order: Vec<Request> = std::iter::from_fn(|| queue.take(now())).collect();
        assert_eq!(order, [control(3), read(1), read(2), scan()]);
    }

    #[test]
    fn nobody_is_passed_over_for_ever() {
        let mut queue = Queue::new(LIMIT);
        let scan_waits = queue.push(scan(), context(Priority::Scan)).unwrap();
        let mut before = 0;
        loop {
            let read_waits = queue.push(read(1), context(Priority::Read)).unwrap();
            if queue.take(now()) == Some(scan()) {
                break;
            }
            queue.finish(&reply(), Duration::ZERO);
            drop(read_waits);
            before += 1;
        }
        assert_eq!(before, MAX_PASSED_OVER);
        drop(scan_waits);
    }

    #[test]
    fn equal_reads_are_one_transaction_even_when_it_is_on_the_wire() {
        let mut queue = Queue::new(LIMIT);
        let mut receivers = vec![queue.push(read(1), context(Priority::Read)).unwrap()];
        receivers.push(queue.push(read(1), context(Priority::Read)).unwrap());
        assert_eq!(queue.take(now()), Some(read(1)));
        receivers.push(queue.push(read(1), context(Priority::Read)).unwrap());
        assert_eq!(queue.take(now()), None);
        queue.finish(&reply(), Duration::ZERO);
        for mut receiver in receivers {
            assert_eq!(receiver.try_recv().unwrap(), reply());
        }
    }

    #[test]
    fn equal_actions_stay_two_and_a_running_scan_is_not_joined() {
        let mut queue = Queue::new(LIMIT);
        let actions =
            [control(1), control(1)].map(|request| queue.push(request, context(Priority::Control)).unwrap());
        assert_eq!(queue.waiting(), 2);
        assert_eq!((queue.take(now()), queue.take(now())), (Some(control(1)), Some(control(1))));
        let scans = [scan(), scan()].map(|request| queue.push(request, context(Priority::Scan)).unwrap());
        assert_eq!(queue.waiting(), 1);
        assert_eq!(queue.take(now()), Some(scan()));
        let later = queue.push(scan(), context(Priority::Scan)).unwrap();
        assert_eq!(queue.take(now()), Some(scan()));
        drop((actions, scans, later));
    }

    #[test]
    fn a_full_queue_says_when_to_come_back_and_forgets_who_left() {
        let mut queue = Queue::new(LIMIT);
        let mut waiting: Vec<_> =
            (0..4).map(|device| queue.push(read(device), context(Priority::Read)).unwrap()).collect();
        let refused = queue.push(read(9), context(Priority::Read));
        assert!(
            matches!(refused, Err(Failure::Full { retry_after }) if retry_after == Duration::from_millis(40))
        );
        let control_waits = queue.push(control(1), context(Priority::Control));
        assert!(control_waits.is_ok(), "readers do not lock out control");
        waiting.pop();
        assert!(queue.push(read(9), context(Priority::Read)).is_ok());
    }

    #[test]
    fn what_nobody_waits_for_is_not_sent() {
        let mut queue = Queue::new(LIMIT);
        drop(queue.push(control(1), context(Priority::Control)));
        let past = Context { deadline: now(), priority: Priority::Control };
        let mut expired = queue.push(control(2), past).unwrap();
        assert_eq!(queue.take(now()), None);
        assert_eq!(expired.try_recv().unwrap(), Err(Failure::Expired));
    }

    #[test]
    fn a_line_that_goes_away_fails_everything_and_says_what_was_sent() {
        let mut queue = Queue::new(LIMIT);
        let mut sent = queue.push(control(1), context(Priority::Control)).unwrap();
        queue.take(now());
        let mut unsent = queue.push(control(2), context(Priority::Control)).unwrap();
        queue.close("unplugged", true);
        let gone = |sent| Err(Failure::Gone { reason: "unplugged".into(), sent });
        assert_eq!(sent.try_recv().unwrap(), gone(true));
        assert_eq!(unsent.try_recv().unwrap(), gone(false));
        assert_eq!(queue.push(read(1), context(Priority::Read)).unwrap_err(), gone(false).unwrap_err());
        queue.reopen();
        assert!(queue.push(read(1), context(Priority::Read)).is_ok());
    }
}
