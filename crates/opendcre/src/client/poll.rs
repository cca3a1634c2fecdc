//! How the regular reading of boards goes.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

use crate::cli::PollStatusArgs;
use crate::exit::Exit;

use super::answer::rounded;
use super::board::dash;
use super::http::{Http, Request};
use super::{Answer, ClientError, Console};

const HEADER: [&str; 11] =
    ["BOARD", "STATE", "EVERY", "DUE", "LATE", "TOOK", "ANSWERED", "VALUES", "FAILED", "CODE", "MESSAGE"];
/// How many of the columns say something where nothing fails.
const USUAL_COLUMNS: usize = 8;

/// How values of a board are read, as it is shown.
#[derive(Deserialize)]
struct Poll {
    board_name: String,
    state: String,
    interval_s: f64,
    due_s: f64,
    late_s: f64,
    took_s: Option<f64>,
    answered_at: Option<Timestamp>,
    values: usize,
    failed: usize,
    failures: Vec<Reason>,
}

/// Why a value was not told.
#[derive(Deserialize)]
struct Reason {
    code: String,
    message: String,
}

/// `poll status`: what is due, late, or failing.
pub(super) async fn status(
    http: &Http,
    args: &PollStatusArgs,
    console: &mut Console<'_>,
) -> Result<Exit, ClientError> {
    let request = Request::get(&["polls"]).with_optional("nodes", args.nodes.nodes.as_deref());
    let is_for_programs = console.is_for_programs();
    let (mut rows, mut has_failed) = (Vec::new(), false);
    let show = |_: &str, item: Answer| {
        if !is_meant(args, &item.member::<String>("state")?) {
            return Ok(());
        }
        if is_for_programs {
            return console.json(&item);
        }
        let poll: Poll = item.read()?;
        has_failed |= poll.failed > 0;
        rows.push(poll.into_row());
        Ok(())
    };
    let rest = http.each(&request, show).await?;
    if !is_for_programs {
        // Where nothing fails, lines fit into a usual terminal.
        let header = if has_failed { &HEADER[..] } else { HEADER.split_at(USUAL_COLUMNS).0 };
        rows.iter_mut().for_each(|row| row.truncate(header.len()));
        console.rows(header, rows)?;
        let counts: BTreeMap<String, usize> = rest.member("counts")?;
        let counts = counts.iter().filter(|(_, count)| **count > 0);
        let counts: Vec<String> = counts.map(|(state, count)| format!("{count} {state}")).collect();
        console.note(&if counts.is_empty() { "nothing is polled".to_owned() } else { counts.join(", ") })?;
    }
    Ok(Exit::Done)
}

/// Whether what is in this state is to be shown.
fn is_meant(args: &PollStatusArgs, state: &str) -> bool {
    let is_failing = matches!(state, "failing" | "partial");
    !(args.late || args.failing) || (args.late && state == "late") || (args.failing && is_failing)
}

impl Poll {
    fn into_row(self) -> Vec<String> {
        let (code, message) =
            self.failures.into_iter().next().map(|reason| (reason.code, reason.message)).unzip();
        vec![
            self.board_name,
            self.state,
            seconds(self.interval_s, 3),
            seconds(self.due_s, 1),
            seconds(self.late_s, 1),
            self.took_s.map_or_else(dash, |took| seconds(took, 2)),
            self.answered_at.map_or_else(dash, |time| format!("{time:.0}")),
            self.values.to_string(),
            self.failed.to_string(),
            code.unwrap_or_else(dash),
            message.unwrap_or_else(dash),
        ]
    }
}

/// A time to so many decimals.
fn seconds(seconds: f64, decimals: usize) -> String {
    format!("{} s", rounded(&format!("{seconds:.decimals$}")))
}
