//! Questions that are put to every board by itself: asset, boot target, host, firmware version.

use std::collections::BTreeMap;

use tokio::task::JoinSet;

use crate::cli::Targets;
use crate::exit::Exit;

use super::board::{self, BoardName};
use super::failure::Failure;
use super::http::{Http, Request};
use super::sheet::Sheet;
use super::{Answer, ClientError, Console};

/// How many boards are asked at the same time. The server bounds how many questions reach one board.
const AT_ONCE: usize = 16;

/// A question to a board, and the columns in which its answers are shown: their headers, and the members of the answer
/// of which the first that says something is shown.
pub(super) struct Question {
    path: &'static str,
    columns: &'static [(&'static str, &'static [&'static str])],
}

/// `asset get`.
pub(super) const ASSET: Question = Question {
    path: "asset",
    columns: &[
        ("ASSET_TEXT", &["asset_text"]),
        ("ASSET_TAG", &["product_info.asset_tag"]),
        ("MANUFACTURER", &["product_info.manufacturer", "board_info.manufacturer"]),
        ("PRODUCT", &["product_info.product_name", "board_info.product_name"]),
        ("SERIAL", &["product_info.serial_number", "chassis_info.serial_number", "board_info.serial_number"]),
        ("MANAGEMENT_ADDRESS", &["management_address"]),
    ],
};

/// `boot get`.
pub(super) const BOOT: Question = Question {
    path: "boot",
    columns: &[("TARGET", &["target"]), ("PERSISTENT", &["persistent"]), ("EFI", &["efi"])],
};

/// `host`.
pub(super) const HOST: Question =
    Question { path: "host", columns: &[("HOSTNAMES", &["hostnames"]), ("IP_ADDRESSES", &["ip_addresses"])] };

/// `version`.
pub(super) const VERSION: Question = Question { path: "version", columns: &[("FIRMWARE", &["firmware"])] };

/// What came of asking one board.
type Outcome = (usize, Result<Answer, ClientError>);

/// Asks boards for one device of theirs, each by itself, and prints what they answer.
pub(super) async fn of_targets(
    http: &Http,
    question: &Question,
    targets: &Targets,
    console: &mut Console<'_>,
) -> Result<Exit, ClientError> {
    ask(http, question, &targets.nodes.nodes, targets.device.device.as_deref(), console).await
}

/// Asks boards, each by itself, and prints what they answer: a single board in full, several as a table.
pub(super) async fn ask(
    http: &Http,
    question: &Question,
    nodes: &str,
    device: Option<&str>,
    console: &mut Console<'_>,
) -> Result<Exit, ClientError> {
    let boards = board::resolve(http, nodes).await?;
    let mut outcomes = ask_all(http, question, &boards, device, console).await?;
    if let ([_], Some(Ok(answer))) = (boards.as_slice(), outcomes.get(&0)) {
        console.fields(answer)?;
        return Ok(Exit::Done);
    }
    let mut sheet = Sheet::new(&question.columns.iter().map(|(header, _)| *header).collect::<Vec<_>>());
    let mut failures = Vec::new();
    for (place, board) in boards.iter().enumerate() {
        match outcomes.remove(&place) {
            Some(Ok(answer)) if console.is_for_programs() => console.json(&answer)?,
            Some(Ok(answer)) => sheet.add(board.name.clone(), question.cells(&answer)),
            Some(Err(error)) => failures.push(Failure::of_board(board, &error)?),
            None => {}
        }
    }
    console.sheet(sheet)?;
    console.failures(failures)
}

/// The outcomes by the places of the boards.
async fn ask_all(
    http: &Http,
    question: &Question,
    boards: &[BoardName],
    device: Option<&str>,
    console: &mut Console<'_>,
) -> Result<BTreeMap<usize, Result<Answer, ClientError>>, ClientError> {
    let mut waiting = boards.iter().enumerate();
    let mut asked: JoinSet<Outcome> = JoinSet::new();
    let mut outcomes = BTreeMap::new();
    loop {
        for (place, board) in waiting.by_ref().take(AT_ONCE - asked.len()) {
            let request = Request::get(&["boards", &board.id, question.path]).with_optional("device", device);
            let http = http.clone();
            asked.spawn(async move { (place, http.send(&request).await) });
        }
        let Some(joined) = asked.join_next().await else { return Ok(outcomes) };
        let (place, outcome) = joined.map_err(|error| ClientError::Runtime(error.into()))?;
        outcomes.insert(place, outcome);
        console.progress(&format!("{} of {} asked", outcomes.len(), boards.len()))?;
    }
}

impl Question {
    fn cells(&self, answer: &Answer) -> Vec<String> {
        let texts: BTreeMap<String, String> = answer.texts().collect();
        let cell = |members: &[&str]| {
            let said = members.iter().find_map(|member| texts.get(*member));
            said.cloned().unwrap_or_else(board::dash)
        };
        self.columns.iter().map(|(_, members)| cell(members)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_member_that_says_something_is_shown() {
        let answer = r#"{"asset_text":null,"product_info":{"asset_tag":"7","manufacturer":""},
            "board_info":{"manufacturer":"Example","serial_number":"42"},"management_address":null}"#;
        assert_eq!(ASSET.cells(&Answer::parse(answer).unwrap()), ["-", "7", "Example", "-", "42", "-"]);
    }
}
