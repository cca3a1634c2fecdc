//! One BMC: its session, what waits for it, its pace, and what is known of it. No I/O; knows of no other BMC.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use opendcre_ipmi::app::GetDeviceId;
use opendcre_ipmi::client::{Client, Entropy, Event, Failure, Order, Repeat};
use opendcre_ipmi::{Command, Completion, Privilege, Request, Response};
use opendcre_model::Priority;
use tracing::{info, warn};

use super::config::{BmcConfig, Settings};
use super::error::{self, Problem, Stage};
use super::pace::Pace;
use super::queue::{Entry, Intent, Job, Outcome, Queue};
use super::rhythm::Rhythm;
use super::standing::Standing;
use super::statistics::Row;

/// How long a command is assumed to take before one was measured.
const ASSUMED_LATENCY: Duration = Duration::from_millis(50);
/// Who takes longer is late: the answer, if one comes, does not come with the crowd.
const LATE: Duration = Duration::from_millis(200);

/// What a BMC works with and does not own.
pub(super) struct Tools<'a> {
    pub(super) settings: &'a Settings,
    pub(super) entropy: &'a mut dyn Entropy,
    pub(super) now: Instant,
}

/// What a BMC may be busy with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Task {
    /// The next command of its queue.
    Command,
    /// Finding out whether it is back.
    Probe,
    /// Letting it know that its session is still wanted.
    Keep,
    /// Closing its session.
    Close,
}

/// One BMC.
pub(super) struct Slot {
    address: SocketAddr,
    client: Client,
    queue: Queue,
    pace: Pace,
    standing: Standing,
    rhythm: Rhythm,
    /// What it is busy with.
    task: Option<Task>,
    /// When the present task began, or the last one ended.
    turned_at: Instant,
    is_late: bool,
    is_stopping: bool,
    requests: u64,
    /// How often anything had been sent once more when the present task began.
    retries: u64,
}

impl Slot {
    pub(super) fn new(config: &BmcConfig, settings: &Settings, now: Instant) -> Self {
        Self {
            address: config.address,
            client: Client::new(Arc::clone(&config.access), settings.timing),
            queue: Queue::default(),
            pace: Pace::default(),
            standing: Standing::new(now),
            rhythm: Rhythm::default(),
            task: None,
            turned_at: now,
            is_late: false,
            is_stopping: false,
            requests: 0,
            retries: 0,
        }
    }

    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether it is busy.
    pub(super) const fn is_active(&self) -> bool {
        self.task.is_some()
    }

    /// Whether an answer may arrive together with those of many others.
    pub(super) const fn is_outstanding(&self) -> bool {
        self.task.is_some() && !self.is_late
    }

    /// Whether somebody waits to change something.
    pub(super) fn is_urgent(&self) -> bool {
        self.queue.highest() == Some(Priority::Control)
    }

    /// Takes a command into the queue, or answers it at once.
    pub(super) fn submit(&mut self, job: Job, tools: &Tools<'_>) {
        let refusal = if self.is_stopping {
            Some(Problem::Stopped { sent: false })
        } else {
            self.standing.refusal(tools.now)
        };
        match refusal {
            // A caller that has gone away does not want it.
            Some(problem) => drop(job.answer.send(Err(problem))),
            None => {
                if job.context.priority == Priority::Poll {
                    self.rhythm.on_poll(tools.settings.idle_time, tools.now);
                }
                let latency = self.client.latency().smoothed().unwrap_or(ASSUMED_LATENCY);
                self.queue.push(job, tools.settings.backlog, latency + self.pace.pause());
            }
        }
    }

    pub(super) fn on_datagram(&mut self, bytes: &[u8], tools: &mut Tools<'_>) {
        // First, because this datagram may be what a change has waited for whose time is over.
        self.expire_if_due(tools);
        self.client.on_datagram(bytes, tools.now, tools.entropy);
        self.handle_events(tools);
    }

    pub(super) fn on_timer(&mut self, tools: &mut Tools<'_>) {
        self.is_late = tools.now >= self.turned_at + LATE;
        self.expire_if_due(tools);
        self.client.on_timer(tools.now, tools.entropy);
        self.handle_events(tools);
    }

    /// The system cannot send to its address.
    pub(super) fn on_unreachable(&mut self, tools: &mut Tools<'_>) {
        if self.task.is_none() {
            return;
        }
        // What could not be sent may have been something older than the change.
        let may_have_changed = self.is_changing() && self.stage() == Stage::Sent;
        let failure = if may_have_changed { Failure::Silent { sent: true } } else { Failure::Unreachable };
        self.client.abandon();
        self.fail(&failure, tools);
    }

    /// From now on nothing new is taken. The session is closed when what somebody waits for has come to its end.
    pub(super) fn stop(&mut self, tools: &mut Tools<'_>) {
        self.is_stopping = true;
        self.queue.fail_waiting(&Problem::Stopped { sent: false });
        if self.task.is_some() && self.queue.on_wire().is_none() {
            self.start(Task::Close, tools);
        }
    }

    /// Nobody waits for this BMC any more.
    pub(super) fn give_up(&mut self) {
        let sent = self.stage() == Stage::Sent;
        self.queue.finish(&Err(Problem::Stopped { sent }));
    }

    /// What it should do now.
    pub(super) fn next_task(&mut self, tools: &mut Tools<'_>) -> Option<Task> {
        if self.task.is_some() {
            return None;
        }
        self.expire(tools);
        let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= tools.now);
        if self.queue.waiting() > 0 && self.pace.ready_at(tools.now).is_none() {
            Some(Task::Command)
        } else if is_due(self.probe_at()) {
            Some(Task::Probe)
        } else if is_due(self.idle_at(tools.settings)) {
            let is_worth_keeping = !self.is_stopping && self.rhythm.expects_at(tools.now);
            Some(if is_worth_keeping { Task::Keep } else { Task::Close })
        } else {
            None
        }
    }

    fn probe_at(&self) -> Option<Instant> {
        self.standing.probe_at().filter(|_| !self.is_stopping)
    }

    /// When its session must be used, or closed.
    fn idle_at(&self, settings: &Settings) -> Option<Instant> {
        let idle_time = if self.is_stopping { Duration::ZERO } else { settings.idle_time };
        self.client.is_open().then(|| self.turned_at + idle_time)
    }

    /// Begins a task.
    pub(super) fn start(&mut self, task: Task, tools: &mut Tools<'_>) {
        let order = match task {
            Task::Command => self.queue.take().map(|entry| order(entry.request.clone(), entry.intent)),
            Task::Probe | Task::Keep => Some(Order::read(GetDeviceId.request())),
            Task::Close => None,
        };
        self.task = Some(task);
        self.turned_at = tools.now;
        self.retries = self.client.counters().retries;
        self.is_late = false;
        // What is left over of an earlier task must not get in the way, nor its answer be taken for that to this one.
        self.client.abandon();
        match order {
            Some(order) => {
                self.client.request(order, tools.now, tools.entropy).ok();
            }
            None => self.client.close(tools.now, tools.entropy),
        }
        self.handle_events(tools);
    }

    fn end(&mut self, now: Instant) {
        self.task = None;
        self.turned_at = now;
    }

    fn handle_events(&mut self, tools: &mut Tools<'_>) {
        while let Some(event) = self.client.poll_event() {
            match event {
                Event::Opened => {}
                Event::Answered(response) => self.answer(response, tools),
                Event::Failed(failure) => self.fail(&failure, tools),
                Event::Closed if self.task == Some(Task::Close) => self.end(tools.now),
                // A session that could not be closed for some time is closed now; other things go on meanwhile.
                Event::Closed => {}
            }
        }
    }

    fn answer(&mut self, response: Response, tools: &Tools<'_>) {
        let Tools { settings, now, .. } = *tools;
        self.end(now);
        self.note_answer(now);
        if response.completion != Completion::NODE_BUSY {
            if self.client.counters().retries > self.retries {
                // It answers, but not every time.
                self.pace.on_trouble(&settings.pacing, now);
            } else {
                self.pace.on_success(&settings.pacing, self.client.latency().smoothed(), now);
            }
            self.finish(&Ok(response));
            return;
        }
        self.pace.on_trouble(&settings.pacing, now);
        let may_repeat = |entry: &Entry| entry.intent == Intent::Read && entry.busy < settings.busy_repeats;
        if self.queue.on_wire().is_some_and(may_repeat) {
            self.queue.put_back();
        } else {
            self.finish(&Ok(response));
        }
    }

    /// It is there, and lets us in.
    fn note_answer(&mut self, now: Instant) {
        if self.standing.failure().is_some() {
            info!(bmc = %self.address, "a BMC can be used again");
        }
        self.standing.on_answer(now);
    }

    fn fail(&mut self, failure: &Failure, tools: &mut Tools<'_>) {
        let Tools { settings, now, .. } = *tools;
        self.end(now);
        if failure.is_silence() {
            self.pace.on_trouble(&settings.pacing, now);
        }
        let intent = self.queue.on_wire().map_or(Intent::Read, |entry| entry.intent);
        if error::is_lasting(failure, intent) {
            let mut jitter = [0];
            tools.entropy.fill(&mut jitter);
            let [jitter] = jitter;
            if self.standing.failure() != Some(failure) {
                warn!(bmc = %self.address, %failure, "a BMC cannot be used");
            }
            self.standing.on_failure(failure.clone(), &settings.back_off, jitter, now);
        } else if error::comes_from_bmc(failure) {
            self.note_answer(now);
        }
        self.finish(&Err(Problem::Session(failure.clone())));
        if let Some(known) = self.standing.refusal(now) {
            self.queue.fail_waiting(&known);
        }
    }

    /// The command on the wire has come to its end, if there is one.
    fn finish(&mut self, outcome: &Outcome) {
        self.requests += u64::from(self.queue.on_wire().is_some());
        self.queue.finish(outcome);
    }

    fn expire_if_due(&mut self, tools: &mut Tools<'_>) {
        if self.queue.deadline().is_some_and(|deadline| deadline <= tools.now) {
            self.expire(tools);
        }
    }

    /// Answers everybody whose time is over. A change that nobody waits for any more makes room for a look at what it
    /// did; if it has not been sent, it will not be. A question goes on, and an attempt to open a session goes on as a
    /// probe, because they tell whether the BMC is there.
    fn expire(&mut self, tools: &mut Tools<'_>) {
        let stage = self.stage();
        if self.queue.expire(tools.now, stage) || !self.is_changing() {
            return;
        }
        self.finish(&Err(Problem::Expired(stage)));
        match stage {
            Stage::Calling | Stage::Opening if self.is_stopping => self.start(Task::Close, tools),
            Stage::Calling | Stage::Opening => self.start(Task::Probe, tools),
            Stage::Waiting | Stage::Sent => {
                self.client.abandon();
                self.end(tools.now);
            }
        }
    }

    /// How far the command on the wire has come.
    fn stage(&self) -> Stage {
        if self.client.has_sent() {
            Stage::Sent
        } else if self.client.has_heard() {
            Stage::Opening
        } else {
            Stage::Calling
        }
    }

    /// Whether the command on the wire changes something.
    fn is_changing(&self) -> bool {
        self.queue.on_wire().is_some_and(|entry| entry.intent != Intent::Read)
    }

    pub(super) fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.client.poll_transmit()
    }

    /// When it needs attention. Who waits for a turn does not look for another task meanwhile.
    pub(super) fn next_deadline(
        &self,
        settings: &Settings,
        now: Instant,
        waits_for_turn: bool,
    ) -> Option<Instant> {
        let common = [self.client.next_deadline(), self.queue.deadline()];
        let own = if self.task.is_some() {
            [self.is_outstanding().then(|| self.turned_at + LATE), None, None]
        } else if waits_for_turn {
            [None; 3]
        } else {
            let pause = self.pace.ready_at(now).filter(|_| self.queue.waiting() > 0);
            [pause, self.probe_at(), self.idle_at(settings)]
        };
        common.into_iter().chain(own).flatten().min()
    }

    /// What is known and was counted.
    pub(super) fn row(&self) -> Row {
        let counters = self.client.counters();
        Row {
            is_up: self.standing.is_up(),
            failure: self.standing.failure().cloned(),
            since: self.standing.since(),
            requests: self.requests,
            retries: counters.retries,
            timeouts: counters.timeouts,
            session_opens: counters.sessions,
            dropped: counters.dropped.total(),
            latency: self.client.latency().smoothed(),
            pause: self.pace.pause(),
            waiting: self.queue.waiting(),
            has_session: self.client.is_open(),
        }
    }
}

const fn order(request: Request, intent: Intent) -> Order {
    match intent {
        Intent::Read => Order::read(request),
        Intent::Change => Order::control(request),
        Intent::Raw => Order { request, repeat: Repeat::Never, privilege: Privilege::User },
    }
}
