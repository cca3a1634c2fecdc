//! The feed of changes: which boards appeared, vanished, moved or changed.

use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;

use crate::cli::ChangesArgs;
use crate::exit::Exit;

use super::http::{Http, Request};
use super::{Answer, ClientError, Console, interrupt};

/// The most changes of one answer.
const PAGE: usize = 1000;
/// How long the server waits for a change before it answers that there is none.
const WAIT: Duration = Duration::from_secs(20);

/// A change, as it is shown.
#[derive(Deserialize)]
struct Change {
    sequence: u64,
    time: Timestamp,
    kind: String,
    name: String,
    rack: String,
    detail: String,
}

/// `changes`: those that the server keeps, and then, if that is wanted, every further one until Ctrl-C.
pub(super) async fn run(
    http: &Http,
    args: &ChangesArgs,
    console: &mut Console<'_>,
) -> Result<Exit, ClientError> {
    let mut after = args.after;
    while let Some(latest) = page(http, after, Duration::ZERO, console).await? {
        after = Some(latest);
    }
    if !args.follow {
        return Ok(Exit::Done);
    }
    tokio::select! {
        biased;
        () = interrupt() => Ok(Exit::Done),
        end = follow(http, after, console) => end,
    }
}

async fn follow(http: &Http, mut after: Option<u64>, console: &mut Console<'_>) -> Result<Exit, ClientError> {
    loop {
        after = page(http, after.or(Some(0)), WAIT, console).await?.or(after);
    }
}

/// Prints the changes of one answer. Returns the last one; nothing if there is none.
async fn page(
    http: &Http,
    after: Option<u64>,
    wait: Duration,
    console: &mut Console<'_>,
) -> Result<Option<u64>, ClientError> {
    let request = Request::get(&["changes"]).with("limit", PAGE).with_optional("after", after).waiting(wait);
    let mut latest = None;
    let print = |_: &str, item: Answer| {
        let change: Change = item.read()?;
        latest = Some(change.sequence);
        if console.is_for_programs() { console.json(&item) } else { console.line(&change.line()) }
    };
    http.each(&request, print).await?;
    Ok(latest)
}

impl Change {
    fn line(&self) -> String {
        let Self { sequence, time, kind, name, rack, detail } = self;
        let line = format!("{sequence}  {time:.0}  {kind:8}  {rack}  {name}  {detail}");
        line.trim_end().to_owned()
    }
}
