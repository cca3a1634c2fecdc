//! Forgetting boards that have left for good.

use crate::cli::ForgetArgs;
use crate::exit::Exit;

use super::board;
use super::failure::Failure;
use super::http::{Http, Request};
use super::{Answer, ClientError, Console, order};

/// `forget`: asks people if it is for many boards, forgets each by itself and prints what was known of them. A server that
/// goes away is not asked for the rest.
pub(super) async fn run(
    http: &Http,
    args: &ForgetArgs,
    console: &mut Console<'_>,
) -> Result<Exit, ClientError> {
    let boards = board::resolve(http, &args.nodes.nodes).await?;
    order::confirm("forget", &args.change, &boards, console)?;
    let (mut forgotten, mut failures, mut lost) = (Vec::new(), Vec::new(), None);
    for (done, board) in boards.iter().enumerate() {
        console.progress(&format!("{done} of {} forgotten", boards.len()))?;
        match http.send(&Request::delete(&["boards", &board.id])).await {
            Ok(answer) if console.is_for_programs() => console.json(&answer)?,
            Ok(answer) => forgotten.push(row(&answer)),
            Err(error) if error.is_passing() => {
                lost = Some(error);
                break;
            }
            Err(error) => failures.push(Failure::of_board(board, &error)?),
        }
    }
    if !forgotten.is_empty() {
        console.rows(&["FORGOTTEN", "NAME", "RACK", "LAST_SEEN"], forgotten)?;
    }
    let exit = console.failures(failures)?;
    lost.map_or(Ok(exit), Err)
}

fn row(board: &Answer) -> Vec<String> {
    ["id", "name", "rack", "last_seen"].map(|member| board.text(member)).into()
}
