//! Jobs: what came of orders, target by target.

use std::sync::Arc;
use std::time::Duration;

use http::header::LOCATION;
use http::{HeaderName, HeaderValue, StatusCode};
use jiff::Timestamp;
use opendcre_gateway::{
    JobCounts, JobId, JobKind, JobRecord, JobState, Submitted, TargetResult, TargetState,
};
use opendcre_model::{BoardId, DeviceId};
use schemars::{JsonSchema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::BASE;
use super::answer::{self, Answer, Documented, One, Show};
use super::call::Call;
use super::listing::{Item, Key};
use super::route::{JobPath, NoPath, NoQuery};
use super::schema::{BoardIdText, DeviceIdText, JobIdText, JobKindWord, JobStateWord, TargetStateWord};
use super::span::Wait;
use crate::problem::{Code, Problem};
use crate::reply::Reply;

/// Says that an order was taken up before, and that this is the job of that time.
const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// A job: one order for many targets, and what came of it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Job")]
pub(super) struct JobBody<'a> {
    #[serde(flatten)]
    summary: SummaryBody<'a>,
    /// What came of it at every target. Left out if that was asked for, or if the job is condensed.
    #[serde(skip_serializing_if = "Option::is_none")]
    results: Option<Vec<ResultBody<'a>>>,
}

/// A job without its results.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "JobSummary")]
pub(super) struct SummaryBody<'a> {
    #[schemars(with = "JobIdText")]
    id: JobId,
    #[schemars(with = "JobKindWord")]
    kind: JobKind,
    #[schemars(with = "JobStateWord")]
    state: JobState,
    /// The order as it was understood; null if the job is condensed.
    #[schemars(with = "Option<serde_json::Map<String, Value>>")]
    request: &'a Value,
    /// When it was ordered.
    created: Timestamp,
    /// When its last target was finished; null while it runs.
    finished: Option<Timestamp>,
    counts: CountsBody,
    /// Whether this is all that is remembered: to make room, the requests and results of the jobs that ended first are
    /// forgotten.
    condensed: bool,
}

/// How many targets of a job are in which state.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "JobCounts")]
struct CountsBody {
    total: usize,
    waiting: usize,
    running: usize,
    ok: usize,
    failed: usize,
    skipped: usize,
    uncertain: usize,
}

/// What came of a job at one target.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "JobResult")]
struct ResultBody<'a> {
    #[schemars(with = "BoardIdText")]
    board: BoardId,
    /// What the board was called when the job was ordered.
    board_name: &'a str,
    /// The rack of the board.
    rack: &'a str,
    /// The device; null if the target is the whole board.
    #[schemars(with = "Option<DeviceIdText>")]
    device: Option<DeviceId>,
    #[schemars(with = "TargetStateWord")]
    state: TargetState,
    /// What went wrong: the stable machine-readable code.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
    /// What went wrong, in one sentence for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    /// What the equipment reported, if it reported anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<serde_json::Map<String, Value>>")]
    result: Option<&'a Value>,
}

/// How long to wait for the end of a job, and what to show of it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default)]
pub(super) struct JobQuery {
    /// How many seconds to wait for the job to end.
    #[schemars(with = "u8", range(max = 50))]
    wait: Wait<0>,
    /// Whether to show what came of every target. Who asks how far a large job is may do without.
    results: bool,
}

/// A job.
pub(super) struct Job {
    record: Arc<JobRecord>,
    /// Whether to show its results, as far as they are remembered.
    with_results: bool,
}

/// A job of a listing.
pub(super) struct JobItem(Arc<JobRecord>);

/// A job that was ordered: 200 if it has ended, otherwise 202 and where to look.
pub(super) struct Ordered {
    job: Job,
    replayed: bool,
}

/// `GET /jobs`.
pub(super) async fn list(call: Call, _: NoPath, _: NoQuery) -> Result<Vec<JobItem>, Problem> {
    Ok(call.view()?.jobs().into_iter().map(JobItem).collect())
}

/// `GET /jobs/{job}`.
pub(super) async fn get(call: Call, path: JobPath, query: JobQuery) -> Result<One<Job>, Problem> {
    let id = id(&path.job)?;
    let record = finished(&call, id, query.wait.0).await?.ok_or_else(|| unknown(&path.job))?;
    Ok(One(Job { record, with_results: query.results }))
}

/// `POST /jobs/{job}/abort`.
pub(super) async fn abort(call: Call, path: JobPath, _: NoQuery, _: NoBody) -> Result<One<Job>, Problem> {
    let record = call.gateway().abort(&call.principal(), id(&path.job)?)?;
    let record = record.ok_or_else(|| unknown(&path.job))?;
    Ok(One(Job { record, with_results: true }))
}

/// Nothing.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Nothing")]
pub(super) struct NoBody {}

fn id(text: &str) -> Result<JobId, Problem> {
    text.parse().map_err(|_| unknown(text))
}

fn unknown(text: &str) -> Problem {
    let text = opendcre_model::excerpt(text);
    let detail =
        format!("there is no job {text:?}, or not any more; GET /opendcre/2/jobs shows what there is");
    Problem::new(Code::UNKNOWN_JOB, detail)
}

/// What is known of a job when it has ended, `within` is over, or the server stops.
async fn finished(call: &Call, id: JobId, within: Duration) -> Result<Option<Arc<JobRecord>>, Problem> {
    let principal = call.principal();
    let ended = call.stopping().run_until_cancelled(call.gateway().finished(&principal, id, within)).await;
    match ended {
        Some(ended) => Ok(ended?),
        None => Ok(call.view()?.job(id)),
    }
}

impl Default for JobQuery {
    fn default() -> Self {
        Self { wait: Wait::default(), results: true }
    }
}

impl Ordered {
    /// The answer about an order that was taken up, when its job has ended or `within` is over.
    pub(super) async fn after(call: &Call, submitted: Submitted, within: Duration) -> Result<Self, Problem> {
        let Submitted { job, replayed } = submitted;
        let record = finished(call, job.id, within).await?.unwrap_or(job);
        Ok(Self { job: Job { record, with_results: true }, replayed })
    }
}

impl Answer for Ordered {
    fn document(generator: &mut SchemaGenerator) -> Vec<Documented> {
        let schema = generator.subschema_for::<JobBody<'_>>();
        let done = "The job, which has ended. Whether it succeeded is in its results.";
        let running = "The job, which still runs.";
        vec![
            Documented { headers: &[REPLAYED], ..Documented::json(StatusCode::OK, done, schema.clone()) },
            Documented {
                headers: &[REPLAYED, ("Location", "The path of the job.")],
                ..Documented::json(StatusCode::ACCEPTED, running, schema)
            },
        ]
    }

    fn into_reply(self) -> Result<Reply, Problem> {
        let Self { job, replayed } = self;
        let has_ended = job.record.finished.is_some();
        let status = if has_ended { StatusCode::OK } else { StatusCode::ACCEPTED };
        let mut reply = answer::json(status, &job.body())?;
        if !has_ended {
            let path =
                HeaderValue::try_from(format!("{BASE}/jobs/{}", job.record.id)).map_err(Problem::internal)?;
            reply.headers_mut().insert(LOCATION, path);
        }
        if replayed {
            reply.headers_mut().insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
        }
        Ok(reply)
    }
}

/// A header field, and what it says.
const REPLAYED: (&str, &str) =
    ("Idempotency-Replayed", "`true` if the same order was taken up before: this is the job of that time.");

impl Show for Job {
    type Body<'a> = JobBody<'a>;

    fn body(&self) -> JobBody<'_> {
        let shows_results = self.with_results && self.record.condensed.is_none();
        JobBody {
            summary: SummaryBody::from(&*self.record),
            results: shows_results.then(|| self.record.results.iter().map(ResultBody::from).collect()),
        }
    }
}

impl Show for JobItem {
    type Body<'a> = SummaryBody<'a>;

    fn body(&self) -> SummaryBody<'_> {
        SummaryBody::from(&*self.0)
    }
}

impl Item for JobItem {
    const SORT: &'static [&'static str] = &["id", "kind", "state", "created", "finished"];
    const USUAL_SORT: Option<&'static str> = Some("-id");

    fn key(&self, field: &str) -> Key {
        let word =
            |value: Result<Value, serde_json::Error>| Key::from(value.ok().as_ref().and_then(Value::as_str));
        match field {
            "kind" => word(serde_json::to_value(self.0.kind)),
            "state" => word(serde_json::to_value(self.0.state)),
            "created" => self.0.created.into(),
            "finished" => self.0.finished.into(),
            _ => self.id(),
        }
    }

    fn id(&self) -> Key {
        Key::Text(self.0.id.to_string())
    }
}

impl<'a> From<&'a JobRecord> for SummaryBody<'a> {
    fn from(job: &'a JobRecord) -> Self {
        let JobCounts { total, waiting, running, ok, failed, skipped, uncertain } = job.counts();
        Self {
            id: job.id,
            kind: job.kind,
            state: job.state,
            request: &job.request,
            created: job.created,
            finished: job.finished,
            counts: CountsBody { total, waiting, running, ok, failed, skipped, uncertain },
            condensed: job.condensed.is_some(),
        }
    }
}

impl<'a> From<&'a TargetResult> for ResultBody<'a> {
    fn from(target: &'a TargetResult) -> Self {
        Self {
            board: target.board,
            board_name: &target.board_name,
            rack: &target.rack,
            device: target.device,
            state: target.state,
            code: target.code.as_deref(),
            message: target.message.as_deref(),
            result: target.result.as_ref(),
        }
    }
}
