//! The feed of changes: which boards appeared, vanished, moved or changed.

use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use tokio::time::sleep;

use crate::cli::ChangesArgs;
use crate::exit::Exit;

use super::http::{Http, Request};
use super::{Answer, ClientError, Console, interrupt};

/// The most changes of one answer.
const PAGE: usize = 1000;
/// How long the server waits for a change before it answers that there is none.
const WAIT: Duration = Duration::from_secs(20);
/// The pause before a server that went away is asked again; it doubles with each further attempt.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The columns, and how wide each is at least. Lines come one by one, so nobody knows how wide the widest will be.
const COLUMNS: [(&str, usize); 7] =
    [("NUMBER", 6), ("TIME", 20), ("KIND", 9), ("BOARD", 8), ("NAME", 12), ("RACK", 8), ("DETAIL", 6)];

/// A change, as it is shown.
#[derive(Deserialize)]
struct Change {
    sequence: u64,
    time: Timestamp,
    kind: String,
    board: String,
    name: String,
    rack: String,
    detail: String,
}

/// How far the feed has been read.
struct Feed<'a> {
    http: &'a Http,
    /// The node range of the boards whose changes are shown; nothing stands for all.
    nodes: Option<&'a str>,
    /// The number of the last change that is known.
    after: Option<u64>,
}

/// `changes`: those that the server keeps, and then, if that is wanted, every further one until Ctrl-C.
pub(super) async fn run(
    http: &Http,
    args: &ChangesArgs,
    console: &mut Console<'_>,
) -> Result<Exit, ClientError> {
    let mut feed = Feed { http, nodes: args.nodes.nodes.as_deref(), after: args.after };
    if !console.is_for_programs() {
        console.line(&line(&COLUMNS.map(|(header, _)| header.to_owned())))?;
    }
    if !args.follow {
        while feed.page(Duration::ZERO, console).await? {}
        return Ok(Exit::Done);
    }
    tokio::select! {
        biased;
        () = interrupt() => Ok(Exit::Done),
        end = feed.follow(console) => end,
    }
}

impl Feed<'_> {
    /// Prints every change, for ever. A server that was never there is an error, one that went away is waited for.
    async fn follow(&mut self, console: &mut Console<'_>) -> Result<Exit, ClientError> {
        self.resumed(Duration::ZERO, console).await?;
        loop {
            match self.resumed(WAIT, console).await {
                Err(error) if error.is_outage() => self.outlast(&error, console).await?,
                other => other?,
            }
        }
    }

    /// Says once that the server has gone away, and asks it again until it is back.
    async fn outlast(&mut self, error: &ClientError, console: &mut Console<'_>) -> Result<(), ClientError> {
        console.note(&format!("{error}; asking again until it answers"))?;
        let mut pause = FIRST_PAUSE;
        loop {
            sleep(pause).await;
            match self.resumed(Duration::ZERO, console).await {
                Err(error) if error.is_outage() => pause = pause.saturating_mul(2).min(LONGEST_PAUSE),
                other => return other,
            }
        }
    }

    /// Prints the changes of one answer. If those that follow the last one are not kept any more, says so and goes on from
    /// the latest.
    async fn resumed(&mut self, wait: Duration, console: &mut Console<'_>) -> Result<(), ClientError> {
        match self.page(wait, console).await {
            Err(error) if error.code() == "gone_cursor" => {
                console.report(&error);
                let request = Request::get(&["changes"]).with("limit", 1);
                self.after = Some(self.http.send(&request).await?.member("latest")?);
                Ok(())
            }
            other => other.map(|_| ()),
        }
    }

    /// Prints the changes of one answer. Returns whether there were any.
    async fn page(&mut self, wait: Duration, console: &mut Console<'_>) -> Result<bool, ClientError> {
        let request = Request::get(&["changes"]).with("limit", PAGE);
        let request = request.with_optional("nodes", self.nodes).with_optional("after", self.after);
        let request = request.waiting(wait);
        let mut has_any = false;
        let print = |_: &str, item: Answer| {
            let change: Change = item.read()?;
            has_any = true;
            self.after = Some(change.sequence);
            if console.is_for_programs() { console.json(&item) } else { console.line(&change.line()) }
        };
        self.http.each(&request, print).await?;
        Ok(has_any)
    }
}

impl Change {
    fn line(self) -> String {
        let Self { sequence, time, kind, board, name, rack, detail } = self;
        line(&[sequence.to_string(), format!("{time:.0}"), kind, board, name, rack, detail])
    }
}

/// Cells below each other in their columns, as far as those are wide enough.
fn line(cells: &[String; COLUMNS.len()]) -> String {
    let padded = cells.iter().zip(COLUMNS).map(|(cell, (_, width))| format!("{cell:width$}"));
    padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
}
