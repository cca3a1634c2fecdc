//! Jobs: an order goes to the server once, however often the connection is lost, and what comes of it is told.
//!
//! Every order has a key of its own. Whoever asks again with the same key asks for the same job, so a lost connection
//! costs neither a second action nor the knowledge of the first.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::time::sleep;

use crate::cli::{AllNodes, JobsArgs, JobsCommand};
use crate::exit::Exit;

use super::board;
use super::failure::Failure;
use super::http::{Http, Request};
use super::order::Order;
use super::sheet::Sheet;
use super::{Answer, ClientError, Console, interrupt, listing};

/// How often an order, or a question for its job, is sent before it is given up.
const ATTEMPTS: u32 = 5;
/// The pause after the first attempt; it doubles with each further one.
const PAUSE: Duration = Duration::from_millis(500);
/// How long the server waits for the end of a job before it answers how far it is.
const WAIT: Duration = Duration::from_secs(2);
/// How long it waits before it answers how far the job is, if nobody watches.
const UNWATCHED_WAIT: Duration = Duration::from_secs(20);
/// The bytes of an idempotency key, before they are written in hexadecimal.
const KEY_BYTES: usize = 16;

/// A job, as far as it is.
#[derive(Debug)]
struct Job {
    /// Everything but the results.
    summary: Answer,
    id: String,
    state: String,
    counts: Counts,
    /// What came of it at every target, if that was asked for and is remembered.
    results: Vec<Answer>,
}

/// How many targets of a job are in which state.
#[derive(Debug, Clone, Copy, Deserialize)]
struct Counts {
    total: usize,
    waiting: usize,
    running: usize,
    failed: usize,
    skipped: usize,
    uncertain: usize,
}

/// What came of a job at one target, as it is shown.
#[derive(Deserialize)]
struct TargetResult {
    board_name: String,
    device: Option<String>,
    state: String,
}

/// Carries out an order: asks people if it is for many boards, sends it, waits for its end and prints what came of it.
pub(super) async fn carry_out(
    http: &Http,
    order: &Order<'_>,
    console: &mut Console<'_>,
) -> Result<Exit, ClientError> {
    let boards = board::resolve(http, order.nodes).await?;
    let body = order.body(&boards)?;
    order.confirm(&boards, console)?;
    let (job, end) = run(http, order.path, &body, console).await?;
    let exit = job.print(console)?;
    Ok(end.unwrap_or(exit))
}

/// `scan`: lets boards be asked what they are and hold, then lists their devices.
pub(super) async fn scan(
    http: &Http,
    args: &AllNodes,
    console: &mut Console<'_>,
) -> Result<Exit, ClientError> {
    let mut body = Map::new();
    body.extend(args.nodes.as_ref().map(|nodes| ("nodes".to_owned(), nodes.clone().into())));
    let (job, end) = run(http, "scan", &Value::Object(body), console).await?;
    let exit = job.print_failures(console)?;
    if let Some(end) = end {
        return Ok(end);
    }
    board::devices(http, args, console).await?;
    Ok(exit)
}

/// Sends an order and waits for the end of its job, or for Ctrl-C. The exit is that of an interrupted command.
async fn run(
    http: &Http,
    path: &str,
    body: &Value,
    console: &mut Console<'_>,
) -> Result<(Job, Option<Exit>), ClientError> {
    // Answered at once, because only who knows the id of the job can abort it.
    let request = Request::post(&[path]).waiting(Duration::ZERO).ordering(&new_key()?, body);
    let job = tokio::select! {
        biased;
        () = interrupt() => return Err(ClientError::Interrupted),
        job = submit(http, &request, console) => job?,
    };
    let id = job.id.clone();
    tokio::select! {
        biased;
        () = interrupt() => {}
        job = finish(http, job, console) => return Ok((job?, None)),
    }
    let job = abort(http, &id).await.map_err(|error| job_lost(id, error))?;
    console.note(&job.told_after_abort())?;
    Ok((job, Some(Exit::Interrupted)))
}

/// A key that no other order has.
fn new_key() -> Result<String, ClientError> {
    let mut bytes = [0; KEY_BYTES];
    getrandom::fill(&mut bytes)
        .map_err(|error| ClientError::Runtime(std::io::Error::other(error.to_string())))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Sends an order until the server answers it. Nothing was sent if the first connection fails; what becomes of all later
/// attempts, the order may have arrived.
async fn submit(http: &Http, request: &Request, console: &mut Console<'_>) -> Result<Job, ClientError> {
    let lost = match Job::ask(http, request).await {
        Err(error @ (ClientError::Lost { .. } | ClientError::NoAnswer { .. })) => error,
        other => return other,
    };
    let again = "the order is sent again under the same key, so it is carried out once";
    match insist(http, request, lost, again, console).await {
        Err(error) if error.is_passing() => Err(ClientError::OrderLost { reason: Box::new(error) }),
        other => other,
    }
}

/// Asks how far a job is until it has ended, then what came of it.
async fn finish(http: &Http, mut job: Job, console: &mut Console<'_>) -> Result<Job, ClientError> {
    if job.has_ended() {
        return Ok(job);
    }
    while !job.has_ended() {
        console.progress(&job.counts.progress())?;
        let wait = if console.is_watched() { WAIT } else { UNWATCHED_WAIT };
        let request = Request::get(&["jobs", &job.id]).with("results", false).waiting(wait);
        job = follow(http, &job.id, &request, console).await?;
    }
    follow(http, &job.id, &Request::get(&["jobs", &job.id]), console).await
}

/// Asks for the job `id` until the server answers.
async fn follow(
    http: &Http,
    id: &str,
    request: &Request,
    console: &mut Console<'_>,
) -> Result<Job, ClientError> {
    let asked = match Job::ask(http, request).await {
        Err(error) if error.is_passing() => insist(http, request, error, "asking again", console).await,
        other => other,
    };
    asked.map_err(|error| job_lost(id.to_owned(), error))
}

/// Nobody tells any more how the job `id` goes.
fn job_lost(id: String, error: ClientError) -> ClientError {
    ClientError::JobLost { job: id, reason: Box::new(error) }
}

/// Sends a request, of which one attempt has failed, again and again. `again` tells people what is done about it.
async fn insist(
    http: &Http,
    request: &Request,
    mut error: ClientError,
    again: &str,
    console: &mut Console<'_>,
) -> Result<Job, ClientError> {
    let mut pause = PAUSE;
    for attempt in 2..=ATTEMPTS {
        console.note(&format!("{error}; {again} (attempt {attempt} of {ATTEMPTS})"))?;
        sleep(pause).await;
        pause = pause.saturating_mul(2);
        error = match Job::ask(http, request).await {
            Err(error) if error.is_passing() => error,
            other => return other,
        };
    }
    Err(error)
}

async fn abort(http: &Http, id: &str) -> Result<Job, ClientError> {
    Job::ask(http, &Request::post(&["jobs", id, "abort"])).await
}

/// `jobs`: all of them, one of them, or the end of one.
pub(super) async fn jobs(
    http: &Http,
    args: &JobsArgs,
    console: &mut Console<'_>,
) -> Result<Exit, ClientError> {
    let job = match (&args.command, &args.id) {
        (Some(JobsCommand::Abort { id }), _) => abort(http, id).await?,
        (None, Some(id)) => Job::ask(http, &Request::get(&["jobs", id])).await?,
        (None, None) => {
            let columns = [
                ("JOB", "id"),
                ("KIND", "kind"),
                ("STATE", "state"),
                ("CREATED", "created"),
                ("FINISHED", "finished"),
                ("TOTAL", "counts.total"),
                ("OK", "counts.ok"),
                ("FAILED", "counts.failed"),
                ("UNCERTAIN", "counts.uncertain"),
                ("SKIPPED", "counts.skipped"),
            ];
            return listing::list(http, &Request::get(&["jobs"]), &columns, console).await;
        }
    };
    if !console.is_for_programs() {
        console.fields(&job.summary)?;
    }
    job.print(console)
}

impl Job {
    async fn ask(http: &Http, request: &Request) -> Result<Self, ClientError> {
        let mut results = Vec::new();
        let add = |_: &str, result: Answer| {
            results.push(result);
            Ok(())
        };
        let summary = http.each(request, add).await?;
        let (id, state, counts) =
            (summary.member("id")?, summary.member("state")?, summary.member("counts")?);
        Ok(Self { summary, id, state, counts, results })
    }

    fn has_ended(&self) -> bool {
        self.state != "running"
    }

    /// Prints what came of it: for one target in full, for several as a table; what failed as errors.
    fn print(self, console: &mut Console<'_>) -> Result<Exit, ClientError> {
        if self.is_condensed() {
            return self.print_counts(console);
        }
        let (done, failures) = self.outcomes()?;
        if console.is_for_programs() {
            done.iter().try_for_each(|result| console.json(result))?;
        } else if let [result] = done.as_slice()
            && failures.is_empty()
        {
            console.fields(result)?;
        } else {
            console.sheet(sheet(&done)?)?;
        }
        console.failures(failures)
    }

    /// Whether the server does not remember any more what came of every target.
    const fn is_condensed(&self) -> bool {
        self.results.len() < self.counts.total
    }

    /// Says how many targets failed, where it is not known which.
    fn print_counts(&self, console: &mut Console<'_>) -> Result<Exit, ClientError> {
        let Self { id, counts, .. } = self;
        let told = counts.told();
        console.note(&format!(
            "job {id} ended with {told}; the server does not remember which targets these are"
        ))?;
        Ok(counts.exit())
    }

    /// Prints what failed.
    fn print_failures(self, console: &mut Console<'_>) -> Result<Exit, ClientError> {
        if self.is_condensed() {
            return self.print_counts(console);
        }
        let (_, failures) = self.outcomes()?;
        console.failures(failures)
    }

    /// The results that are no failures, as far as they are, and the failures.
    fn outcomes(self) -> Result<(Vec<Answer>, Vec<Failure>), ClientError> {
        let (mut done, mut failures) = (Vec::new(), Vec::new());
        for result in self.results {
            match result.member::<String>("state")?.as_str() {
                "failed" | "uncertain" | "skipped" => failures.push(Failure::read(result)?),
                _ => done.push(result),
            }
        }
        Ok((done, failures))
    }

    fn told_after_abort(&self) -> String {
        let Self { id, counts: Counts { running, .. }, .. } = self;
        match running {
            0 => format!("interrupted; job {id} has ended"),
            _ => format!("interrupted; job {id} ends with {running} still running: see `opendcre jobs {id}`"),
        }
    }
}

impl Counts {
    fn told(self) -> String {
        let Self { total, failed, skipped, uncertain, .. } = self;
        format!("{failed} of {total} targets failed, {uncertain} uncertain and {skipped} skipped")
    }

    /// How a command ends whose job has ended like this: what is uncertain needs a look before all else.
    const fn exit(self) -> Exit {
        match self {
            Self { uncertain: 1.., .. } => Exit::Uncertain,
            Self { failed: 0, skipped: 0, .. } => Exit::Done,
            _ => Exit::Failed,
        }
    }

    fn progress(self) -> String {
        let done = self.total.saturating_sub(self.waiting).saturating_sub(self.running);
        let failed = self.failed.saturating_add(self.uncertain);
        format!("{done} of {} done, {failed} failed", self.total)
    }
}

fn sheet(results: &[Answer]) -> Result<Sheet, ClientError> {
    let mut sheet = Sheet::new(&["DEVICE", "STATE", "RESULT"]);
    for result in results {
        let TargetResult { board_name, device, state } = result.read()?;
        sheet.add(board_name, vec![device.unwrap_or_else(board::dash), state, said(result)]);
    }
    Ok(sheet)
}

/// What the equipment reported, in a few words: what a switch measures beside its state is left out.
fn said(result: &Answer) -> String {
    let reported: Vec<(String, String)> = result
        .texts()
        .filter_map(|(name, text)| Some((name.strip_prefix("result.")?.to_owned(), text)))
        .collect();
    if let Some((_, state)) = reported.iter().find(|(name, _)| name == "power_state") {
        return state.clone();
    }
    let words: Vec<String> = reported.iter().map(|(name, text)| format!("{name}={text}")).collect();
    if words.is_empty() { board::dash() } else { words.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::OutputFormat;
    use crate::client::console::tests::printed;

    #[test]
    fn of_a_condensed_job_is_told_how_many_failed() {
        for ((failed, skipped, uncertain), exit, told) in [
            ((0, 0, 0), Exit::Done, "0 of 9 targets failed, 0 uncertain and 0 skipped"),
            ((2, 0, 0), Exit::Failed, "2 of 9 targets failed, 0 uncertain and 0 skipped"),
            ((0, 3, 0), Exit::Failed, "0 of 9 targets failed, 0 uncertain and 3 skipped"),
            ((2, 3, 1), Exit::Uncertain, "2 of 9 targets failed, 1 uncertain and 3 skipped"),
        ] {
            let job = Job {
                summary: Answer::default(),
                id: "01".to_owned(),
                state: "done".to_owned(),
                counts: Counts { total: 9, waiting: 0, running: 0, failed, skipped, uncertain },
                results: Vec::new(),
            };
            let mut ended = Exit::Interrupted;
            let (out, err) = printed(OutputFormat::Table, |console| ended = job.print(console).unwrap());
            assert_eq!((out.as_str(), ended), ("", exit));
            let rest = "the server does not remember which targets these are";
            assert_eq!(err, format!("note: job 01 ended with {told}; {rest}\n"));
        }
    }
}
