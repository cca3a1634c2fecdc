//! What is kept of a job: what was ordered, and what came of it at every target. It knows neither who carries jobs out
//! nor where they are kept.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use opendcre_model::{BoardId, DeviceId, Fault, Login, Subject};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::GatewayError;
use crate::policy::Verb;

/// The low bits of a [`JobId`], which tell the jobs of one millisecond apart.
const SEQUENCE_BITS: u32 = 16;

/// What is said of a target that has no outcome.
const BROKEN_OFF: &str = "the service stopped before the outcome was recorded, so this may or may not have been done; read \
     the state back before trying again";

/// The id of a job. Later jobs have greater ids, also over restarts. Written as 16 lower-case hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobId(pub(crate) u64);

/// A text that is no id of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the id of a job has sixteen hexadecimal digits")]
pub struct JobIdError;

/// A job: one order for many targets, and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobRecord {
    /// The id by which it is asked for.
    pub id: JobId,
    /// What is done.
    pub kind: JobKind,
    /// The order as the client wrote it; null if the job is condensed.
    pub request: Value,
    /// The name of whoever ordered it.
    pub principal: String,
    /// How they proved who they are. Jobs of earlier releases were anonymous.
    #[serde(default = "anonymous")]
    pub login: Login,
    /// Who vouched for them.
    #[serde(default)]
    pub provider: String,
    /// How far it is.
    pub state: JobState,
    /// When it was ordered.
    pub created: Timestamp,
    /// When its last target was finished. Nothing while it runs.
    pub finished: Option<Timestamp>,
    /// What came of it at every target, in the order of the targets; nothing if the job is condensed.
    pub results: Vec<TargetResult>,
    /// What is left of the results of a condensed job. To make room, the request and the results of the jobs that ended
    /// first are forgotten.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condensed: Option<JobCounts>,
}

/// Whose job, or key, it is. People of one name at different providers are different people.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Owner {
    pub(crate) login: Login,
    pub(crate) provider: String,
    pub(crate) name: String,
}

/// What a job does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobKind {
    /// Switches power.
    Power,
    /// Sets from where servers boot.
    Boot,
    /// Switches lamps, those of chambers, too.
    Led,
    /// Makes servers show which ones they are.
    Identify,
    /// Sets the speed of fans.
    Fan,
    /// Stores asset texts.
    Asset,
    /// Asks boards what they are and hold.
    Scan,
}

/// How far a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Targets wait or run.
    Running,
    /// Every target was attended to, whether it succeeded or failed.
    Done,
    /// Somebody aborted it; targets that had not begun were skipped.
    Aborted,
    /// The service stopped while it ran. Some targets were skipped, or it is not known what came of them.
    Interrupted,
}

/// What came of a job at one target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TargetResult {
    /// The board.
    pub board: BoardId,
    /// What the board was called when the job was ordered.
    pub board_name: String,
    /// The rack of the board.
    pub rack: String,
    /// The device; nothing if the target is the whole board.
    pub device: Option<DeviceId>,
    /// How far it is.
    pub state: TargetState,
    /// The stable machine-readable code of what went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What went wrong, in one sentence for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What the equipment reported, if it reported anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Value>,
}

/// How far a job is at one target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetState {
    /// Nothing was sent yet.
    Waiting,
    /// It is being carried out.
    Running,
    /// It was carried out.
    Ok,
    /// It was not carried out.
    Failed,
    /// It may have been carried out, in whole or in part; the state must be read back.
    Uncertain,
    /// Nothing was sent, because the job ended before its turn.
    Skipped,
}

/// How many targets of a job are in which state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobCounts {
    /// All of them.
    pub total: usize,
    /// Those in [`TargetState::Waiting`].
    pub waiting: usize,
    /// Those in [`TargetState::Running`].
    pub running: usize,
    /// Those in [`TargetState::Ok`].
    pub ok: usize,
    /// Those in [`TargetState::Failed`].
    pub failed: usize,
    /// Those in [`TargetState::Skipped`].
    pub skipped: usize,
    /// Those in [`TargetState::Uncertain`].
    pub uncertain: usize,
}

/// What makes a request that is sent twice the same request. It holds for the principal who sent it, for at least a day,
/// or as long as there is room: for 100,000 jobs, of which those that ended first are forgotten first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdempotencyKey {
    /// The key that the client chose, at most 255 bytes.
    pub key: String,
    /// A hash of the rest of the request: method, path and body.
    pub fingerprint: [u8; 32],
}

/// A job as the store keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredJob {
    pub(crate) record: JobRecord,
    pub(crate) key: Option<IdempotencyKey>,
}

impl JobId {
    /// An id for a job that is ordered `now`, greater than `last`, even if the clock was set back.
    pub(crate) fn after(last: Option<Self>, now: Timestamp) -> Self {
        let milliseconds = u64::try_from(now.as_millisecond()).unwrap_or(0);
        let next = last.map_or(0, |last| last.0.saturating_add(1));
        Self(next.max(milliseconds << SEQUENCE_BITS))
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for JobId {
    type Err = JobIdError;

    fn from_str(text: &str) -> Result<Self, JobIdError> {
        if text.len() != 16 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(JobIdError);
        }
        u64::from_str_radix(text, 16).map(Self).map_err(|_| JobIdError)
    }
}

impl Serialize for JobId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for JobId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl From<&Subject> for Owner {
    fn from(subject: &Subject) -> Self {
        let Subject { name, login, provider, .. } = subject;
        Self { login: *login, provider: provider.clone(), name: name.clone() }
    }
}

const fn anonymous() -> Login {
    Login::Anonymous
}

impl JobKind {
    /// What whoever orders such a job must be allowed to do.
    pub(crate) const fn verb(self) -> Verb {
        match self {
            Self::Power | Self::Boot | Self::Led | Self::Identify | Self::Fan => Verb::Control,
            Self::Asset => Verb::Configure,
            Self::Scan => Verb::Read,
        }
    }
}

impl JobRecord {
    /// Whose job it is.
    pub(crate) fn owner(&self) -> Owner {
        Owner { login: self.login, provider: self.provider.clone(), name: self.principal.clone() }
    }

    /// Whether `subject` ordered it.
    pub(crate) fn is_of(&self, subject: &Subject) -> bool {
        (self.login, &self.provider, &self.principal) == (subject.login, &subject.provider, &subject.name)
    }

    /// How many targets are in which state.
    #[must_use]
    pub fn counts(&self) -> JobCounts {
        if let Some(counts) = self.condensed {
            return counts;
        }
        let mut counts = JobCounts { total: self.results.len(), ..JobCounts::default() };
        for result in &self.results {
            *match result.state {
                TargetState::Waiting => &mut counts.waiting,
                TargetState::Running => &mut counts.running,
                TargetState::Ok => &mut counts.ok,
                TargetState::Failed => &mut counts.failed,
                TargetState::Skipped => &mut counts.skipped,
                TargetState::Uncertain => &mut counts.uncertain,
            } += 1;
        }
        counts
    }

    /// What is kept of a job that has ended if there is no room for its request and results.
    pub(crate) fn condense(&self) -> Self {
        let Self { id, kind, state, created, finished, .. } = *self;
        Self {
            id,
            kind,
            request: Value::Null,
            principal: self.principal.clone(),
            login: self.login,
            provider: self.provider.clone(),
            state,
            created,
            finished,
            results: Vec::new(),
            condensed: Some(self.counts()),
        }
    }

    /// Skips every target that has not begun.
    pub(crate) fn skip_waiting(&mut self, reason: SkipReason) {
        for result in &mut self.results {
            if result.state == TargetState::Waiting {
                result.skip(reason);
            }
        }
    }

    /// Ends a job that nobody carries out any more. What has no outcome may or may not have happened.
    pub(crate) fn break_off(&mut self, now: Timestamp) {
        for result in &mut self.results {
            if matches!(result.state, TargetState::Waiting | TargetState::Running) {
                result.state = TargetState::Uncertain;
                result.code = Some(Fault::Uncertain.code().to_owned());
                result.message = Some(BROKEN_OFF.to_owned());
            }
        }
        self.state = JobState::Interrupted;
        self.finished = Some(now);
    }

    /// Ends a job of which every target was attended to or skipped.
    pub(crate) fn finish(&mut self, now: Timestamp) {
        let is_skipped = |reason| self.results.iter().any(|result| result.is_skipped(reason));
        self.state = if is_skipped(SkipReason::Aborted) {
            JobState::Aborted
        } else if is_skipped(SkipReason::ShuttingDown) {
            JobState::Interrupted
        } else {
            JobState::Done
        };
        self.finished = Some(now);
    }
}

/// Why a target is skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SkipReason {
    Aborted,
    ShuttingDown,
}

impl SkipReason {
    const fn code(self) -> &'static str {
        match self {
            Self::Aborted => "aborted",
            Self::ShuttingDown => "shutting_down",
        }
    }

    const fn message(self) -> &'static str {
        match self {
            Self::Aborted => "the job was aborted before its turn; nothing was sent",
            Self::ShuttingDown => "the service was stopped before its turn; nothing was sent",
        }
    }
}

impl TargetResult {
    fn skip(&mut self, reason: SkipReason) {
        self.state = TargetState::Skipped;
        self.code = Some(reason.code().to_owned());
        self.message = Some(reason.message().to_owned());
    }

    fn is_skipped(&self, reason: SkipReason) -> bool {
        self.state == TargetState::Skipped && self.code.as_deref() == Some(reason.code())
    }

    /// Notes what came of it.
    pub(crate) fn settle(&mut self, outcome: Result<Option<Value>, GatewayError>) {
        match outcome {
            Ok(result) => {
                self.state = TargetState::Ok;
                self.result = result;
            }
            Err(GatewayError::ShuttingDown) => self.skip(SkipReason::ShuttingDown),
            Err(error) => {
                let uncertain = error.fault() == Some(Fault::Uncertain);
                self.state = if uncertain { TargetState::Uncertain } else { TargetState::Failed };
                self.code = Some(error.code().to_owned());
                self.message = Some(error.to_string());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_ids_are_greater_even_if_the_clock_is_set_back() {
        let now: Timestamp = "2026-12-01T10:00:00Z".parse().unwrap();
        let first = JobId::after(None, now);
        let second = JobId::after(Some(first), now);
        let third = JobId::after(Some(second), Timestamp::UNIX_EPOCH);
        let fourth = JobId::after(Some(third), "2026-12-01T10:00:00.001Z".parse().unwrap());
        assert!(first < second && second < third && third < fourth);
        assert!(first.to_string() < second.to_string() && third.to_string() < fourth.to_string());
        assert!(JobId::after(None, Timestamp::MIN) < first);
    }

    #[test]
    fn ids_are_read_as_they_are_written_and_in_no_other_form() {
        let id = JobId(0x019a_bcde_f012_0003);
        assert_eq!(id.to_string(), "019abcdef0120003");
        assert_eq!(id.to_string().parse(), Ok(id));
        for text in ["", "1", "+19abcdef0120003", "019abcdef012000g", "019abcdef01200033", "019abcdef012000é"]
        {
            assert_eq!(text.parse::<JobId>(), Err(JobIdError), "{text}");
        }
    }
}
