//! What waits for one BMC, and what is on the wire.
//!
//! Control goes before reads before scans before polls, first come first served within a priority. Two bounds keep every wait
//! finite: how many commands wait in each priority, and how often one may be passed over. Equal questions are one
//! command. Everybody is answered at their deadline at the latest. Pure bookkeeping: no I/O, and time is passed in.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use opendcre_ipmi::{Request, Response};
use opendcre_model::{Context, Priority};
use tokio::sync::oneshot;

use super::error::{Problem, Stage};

/// How many commands of higher priority may go before a waiting one gets its turn all the same.
const MAX_PASSED_OVER: u32 = 64;
/// How many callers may share one command.
const MAX_WAITERS: usize = 4096;

/// What comes of a command: an answer of any completion code, or none.
pub(super) type Outcome = Result<Response, Problem>;

/// What a command does to the equipment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Intent {
    /// It changes nothing, so it may be repeated and shared.
    Read,
    /// It changes something, so it goes out once.
    Change,
    /// Nobody here knows what it does, so it goes out once, with as little privilege as the BMC accepts for it.
    Raw,
}

/// One command and who wants its answer.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) request: Request,
    pub(super) intent: Intent,
    pub(super) context: Context,
    pub(super) answer: oneshot::Sender<Outcome>,
}

#[derive(Debug)]
struct Waiter {
    deadline: Instant,
    answer: oneshot::Sender<Outcome>,
}

/// A command that waits or is on the wire.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) request: Request,
    pub(super) intent: Intent,
    /// How often the BMC was too busy for it.
    pub(super) busy: u8,
    priority: Priority,
    waiters: Vec<Waiter>,
    /// The earliest of the waiters' deadlines.
    deadline: Option<Instant>,
    passed_over: u32,
}

impl Entry {
    fn new(job: Job) -> Self {
        let Job { request, intent, context, answer } = job;
        let Context { deadline, priority } = context;
        let waiters = vec![Waiter { deadline, answer }];
        Self { request, intent, busy: 0, priority, waiters, deadline: Some(deadline), passed_over: 0 }
    }

    /// Whether the answer will do for `job`, too.
    fn can_take(&self, job: &Job) -> bool {
        let shareable = self.intent == Intent::Read && job.intent == Intent::Read;
        shareable && self.request == job.request && self.waiters.len() < MAX_WAITERS
    }

    fn join(&mut self, job: Job) {
        let Context { deadline, priority } = job.context;
        self.priority = self.priority.max(priority);
        self.deadline = Some(self.deadline.map_or(deadline, |earliest| earliest.min(deadline)));
        self.waiters.push(Waiter { deadline, answer: job.answer });
    }

    /// Answers those whose time is over and forgets those who left.
    fn expire(&mut self, now: Instant, stage: Stage) {
        for waiter in
            self.waiters.extract_if(.., |waiter| waiter.deadline <= now || waiter.answer.is_closed())
        {
            waiter.answer.send(Err(Problem::Expired(stage))).ok();
        }
        self.deadline = self.waiters.iter().map(|waiter| waiter.deadline).min();
    }

    fn is_wanted(&self) -> bool {
        !self.waiters.is_empty()
    }

    fn finish(self, outcome: &Outcome) {
        for waiter in self.waiters {
            // A caller that has gone away does not want it.
            waiter.answer.send(outcome.clone()).ok();
        }
    }
}

/// Everything that waits for one BMC, and what is on the wire.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// In the order of arrival.
    waiting: VecDeque<Entry>,
    on_wire: Option<Box<Entry>>,
}

impl Queue {
    /// Adds a command, or joins it to an equal one. If `limit` commands of its priority wait already, it is refused;
    /// `typical` is how long one takes.
    pub(super) fn push(&mut self, job: Job, limit: usize, typical: Duration) {
        // Also the one on the wire: what the caller did to this BMC before, it did before that command began, because
        // there is only one at a time.
        let on_wire = self.on_wire.as_deref_mut().into_iter();
        if let Some(entry) = on_wire.chain(&mut self.waiting).find(|entry| entry.can_take(&job)) {
            entry.join(job);
            return;
        }
        if self.count(job.context.priority) >= limit {
            self.waiting.retain(|entry| entry.waiters.iter().any(|waiter| !waiter.answer.is_closed()));
        }
        if self.count(job.context.priority) >= limit {
            let retry_after = typical * u32::try_from(self.waiting.len()).unwrap_or(u32::MAX);
            job.answer.send(Err(Problem::Full { retry_after })).ok();
            return;
        }
        self.waiting.push_back(Entry::new(job));
    }

    fn count(&self, priority: Priority) -> usize {
        self.waiting.iter().filter(|entry| entry.priority == priority).count()
    }

    /// Moves the command that is sent now from the waiting ones to the wire, which must be free.
    pub(super) fn take(&mut self) -> Option<&Entry> {
        let index = self.next_index()?;
        let entry = self.waiting.remove(index)?;
        for other in self.waiting.iter_mut().filter(|other| other.priority < entry.priority) {
            other.passed_over += 1;
        }
        Some(self.on_wire.insert(Box::new(entry)))
    }

    /// The first that was passed over too often, or else the first of the highest priority.
    fn next_index(&self) -> Option<usize> {
        let due = self.waiting.iter().position(|entry| entry.passed_over >= MAX_PASSED_OVER);
        let highest = self.highest();
        due.or_else(|| self.waiting.iter().position(|entry| Some(entry.priority) == highest))
    }

    /// The highest priority that waits.
    pub(super) fn highest(&self) -> Option<Priority> {
        self.waiting.iter().map(|entry| entry.priority).max()
    }

    /// Whether a command is on the wire.
    pub(super) const fn on_wire(&self) -> Option<&Entry> {
        match &self.on_wire {
            Some(entry) => Some(entry),
            None => None,
        }
    }

    /// How many commands wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Gives the result of what was on the wire to all who wait for it.
    pub(super) fn finish(&mut self, outcome: &Outcome) {
        if let Some(entry) = self.on_wire.take() {
            entry.finish(outcome);
        }
    }

    /// The BMC was too busy for what was on the wire: it waits again, before all others of its priority.
    pub(super) fn put_back(&mut self) {
        if let Some(mut entry) = self.on_wire.take() {
            entry.busy += 1;
            self.waiting.push_front(*entry);
        }
    }

    /// Fails everything that waits.
    pub(super) fn fail_waiting(&mut self, problem: &Problem) {
        for entry in self.waiting.drain(..) {
            entry.finish(&Err(problem.clone()));
        }
    }

    /// Answers everybody whose time is over; `stage` says how far what is on the wire has come. Returns whether anybody
    /// wants what is on the wire.
    pub(super) fn expire(&mut self, now: Instant, stage: Stage) -> bool {
        self.waiting.retain_mut(|entry| {
            entry.expire(now, Stage::Waiting);
            entry.is_wanted()
        });
        let Some(entry) = self.on_wire.as_deref_mut() else { return false };
        entry.expire(now, stage);
        entry.is_wanted()
    }

    /// When the next caller's time is over.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let on_wire = self.on_wire.as_deref().into_iter();
        on_wire.chain(&self.waiting).filter_map(|entry| entry.deadline).min()
    }
}

#[cfg(test)]
mod tests {
    use opendcre_ipmi::{Completion, NetFn};

    use super::*;

    const LIMIT: usize = 4;
    const TYPICAL: Duration = Duration::from_millis(10);

    fn now() -> Instant {
        tokio::time::Instant::now().into_std()
    }

    fn later(seconds: u64) -> Instant {
        now() + Duration::from_secs(seconds)
    }

    fn request(command: u8) -> Request {
        Request::new(NetFn::CHASSIS, command, &[])
    }

    fn push(
        queue: &mut Queue,
        command: u8,
        intent: Intent,
        priority: Priority,
    ) -> oneshot::Receiver<Outcome> {
        let (answer, receiver) = oneshot::channel();
        let context = Context { deadline: later(10), priority };
        queue.push(Job { request: request(command), intent, context, answer }, LIMIT, TYPICAL);
        receiver
    }

    fn read(queue: &mut Queue, command: u8) -> oneshot::Receiver<Outcome> {
        push(queue, command, Intent::Read, Priority::Read)
    }

    fn control(queue: &mut Queue, command: u8) -> oneshot::Receiver<Outcome> {
        push(queue, command, Intent::Change, Priority::Control)
    }

    fn take(queue: &mut Queue) -> Option<u8> {
        queue.take().map(|entry| entry.request.command)
    }

    fn answer() -> Outcome {
        Ok(Response { completion: Completion::OK, data: Vec::new() })
    }

    #[test]
    fn control_goes_before_reads_before_scans() {
        let mut queue = Queue::default();
        let _waiting = [
            push(&mut queue, 1, Intent::Read, Priority::Scan),
            read(&mut queue, 2),
            read(&mut queue, 3),
            control(&mut queue, 4),
        ];
        let order: Vec<u8> = std::iter::from_fn(|| take(&mut queue)).collect();
        assert_eq!(order, [4, 2, 3, 1]);
    }

    #[test]
    fn nobody_is_passed_over_for_ever() {
        let mut queue = Queue::default();
        let _scan = push(&mut queue, 1, Intent::Read, Priority::Scan);
        let mut before = 0;
        loop {
            let _read = read(&mut queue, 2);
            if take(&mut queue) == Some(1) {
                break;
            }
            queue.finish(&answer());
            before += 1;
        }
        assert_eq!(before, MAX_PASSED_OVER);
    }

    #[test]
    fn equal_reads_are_one_command_even_when_it_is_on_the_wire() {
        let mut queue = Queue::default();
        let mut receivers = vec![read(&mut queue, 1), read(&mut queue, 1)];
        assert_eq!(take(&mut queue), Some(1));
        receivers.push(read(&mut queue, 1));
        assert_eq!(queue.waiting(), 0);
        queue.finish(&answer());
        for mut receiver in receivers {
            assert_eq!(receiver.try_recv().unwrap(), answer());
        }
    }

    #[test]
    fn a_scan_that_a_reader_joins_is_as_urgent_as_a_read() {
        let mut queue = Queue::default();
        let _waiting =
            [push(&mut queue, 1, Intent::Read, Priority::Scan), read(&mut queue, 2), read(&mut queue, 1)];
        assert_eq!((take(&mut queue), take(&mut queue), take(&mut queue)), (Some(1), Some(2), None));
    }

    #[test]
    fn equal_changes_stay_two() {
        let mut queue = Queue::default();
        let _waiting = [control(&mut queue, 1), control(&mut queue, 1)];
        assert_eq!((take(&mut queue), take(&mut queue)), (Some(1), Some(1)));
    }

    #[test]
    fn a_full_queue_says_when_to_come_back_and_forgets_who_left() {
        let mut queue = Queue::default();
        let mut waiting: Vec<_> = (0..4).map(|command| read(&mut queue, command)).collect();
        let refused = read(&mut queue, 9).try_recv().unwrap();
        assert_eq!(refused, Err(Problem::Full { retry_after: Duration::from_millis(40) }));
        let mut switch = control(&mut queue, 8);
        assert!(switch.try_recv().is_err(), "readers do not lock out control");
        waiting.pop();
        assert!(read(&mut queue, 9).try_recv().is_err(), "there is room again");
    }

    #[test]
    fn callers_are_answered_at_their_deadline() {
        let mut queue = Queue::default();
        let mut on_wire = control(&mut queue, 1);
        take(&mut queue);
        let mut waiting = control(&mut queue, 2);
        assert!(queue.expire(now(), Stage::Sent));
        assert!(queue.deadline().unwrap() <= later(10));
        assert!(!queue.expire(later(10), Stage::Sent));
        assert_eq!(on_wire.try_recv().unwrap(), Err(Problem::Expired(Stage::Sent)));
        assert_eq!(waiting.try_recv().unwrap(), Err(Problem::Expired(Stage::Waiting)));
        assert_eq!((queue.waiting(), queue.deadline()), (0, None));
    }

    #[test]
    fn what_nobody_waits_for_is_not_sent() {
        let mut queue = Queue::default();
        drop(control(&mut queue, 1));
        queue.expire(now(), Stage::Waiting);
        assert_eq!(take(&mut queue), None);
    }

    #[test]
    fn a_busy_bmc_is_asked_the_same_first_unless_control_comes() {
        let mut queue = Queue::default();
        let _first = [read(&mut queue, 1), read(&mut queue, 2)];
        take(&mut queue);
        queue.put_back();
        let _control = control(&mut queue, 3);
        assert_eq!((take(&mut queue), take(&mut queue)), (Some(3), Some(1)));
        assert_eq!(queue.on_wire().map(|entry| entry.busy), Some(1));
    }
}
