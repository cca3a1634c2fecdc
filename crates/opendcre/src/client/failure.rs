//! What failed at one of many boards, while others may have succeeded.

use crate::exit::Exit;

use super::board::BoardName;
use super::sheet::{Row, folded};
use super::{Answer, ClientError};

/// A failure at one board.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    /// What the board is called.
    board: String,
    /// The device, if the failure is of one.
    device: Option<String>,
    /// The stable machine-readable code.
    code: String,
    /// One sentence for people.
    message: String,
    /// The failure for programs.
    answer: Answer,
}

impl Failure {
    /// A failure as a server tells it, among readings or results of a job.
    pub(super) fn read(answer: Answer) -> Result<Self, ClientError> {
        let device: Option<String> = answer.member("device").ok().flatten();
        let device_name: Option<String> = answer.member("device_name").ok().flatten();
        Ok(Self {
            board: answer.member("board_name")?,
            device: device_name.or(device),
            code: answer.member("code")?,
            message: answer.member("message")?,
            answer,
        })
    }

    /// A question to `board` failed.
    pub(super) fn of_board(board: &BoardName, error: &ClientError) -> Result<Self, ClientError> {
        let mut answer = Answer::of(board)?;
        answer.extend(Answer::of(&error.body())?);
        Ok(Self {
            board: board.name.clone(),
            device: None,
            code: error.code().to_owned(),
            message: error.message(),
            answer,
        })
    }

    /// The failure for programs.
    pub(super) const fn answer(&self) -> &Answer {
        &self.answer
    }

    /// The ids of board and device, if it is one of a device.
    pub(super) fn place(&self) -> Option<(String, String)> {
        Some((self.answer.member("board").ok()?, self.answer.member("device").ok()?))
    }

    /// How a command ends at which this failed.
    fn exit(&self) -> Exit {
        if self.code == "uncertain" { Exit::Uncertain } else { Exit::Failed }
    }

    fn into_row(self) -> Row {
        let device = self.device.map(|device| format!(" {device}")).unwrap_or_default();
        Row { board: self.board, cells: vec![device, self.message, self.code] }
    }
}

/// How a command ends at which these failed: what is uncertain needs a look before all else.
pub(super) fn exit(failures: &[Failure]) -> Exit {
    let exits = failures.iter().map(Failure::exit);
    exits.fold(Exit::Done, |worst, exit| if worst == Exit::Uncertain { worst } else { exit })
}

/// The failures as lines for people; boards at which the same failed share a line if `fold` says so.
pub(super) fn lines(failures: Vec<Failure>, fold: bool) -> Vec<String> {
    let rows: Vec<Row> = failures.into_iter().map(Failure::into_row).collect();
    let rows = if fold { folded(rows) } else { rows };
    let line = |Row { board, cells }: Row| match cells.as_slice() {
        [device, message, code] => format!("{board}{device}: {message} ({code})"),
        _ => board,
    };
    rows.into_iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(board: &str, device: &str, code: &str) -> Failure {
        let json = format!(
            r#"{{"board_name":"{board}","device":"0100","device_name":{device},"code":"{code}","message":"it broke"}}"#
        );
        Failure::read(Answer::parse(&json).unwrap()).unwrap()
    }

    #[test]
    fn what_failed_in_the_same_way_shares_a_line() {
        let failures = [
            failure("db-01", "null", "timeout"),
            failure("db-02", "\"power\"", "timeout"),
            failure("db-03", "null", "timeout"),
        ];
        assert_eq!(
            lines(failures.to_vec(), true),
            ["db-[01,03] 0100: it broke (timeout)", "db-02 power: it broke (timeout)"]
        );
        assert_eq!(lines(failures.to_vec(), false).len(), 3);
    }

    #[test]
    fn what_is_uncertain_counts_most() {
        let (known, unknown) = (failure("a", "null", "timeout"), failure("b", "null", "uncertain"));
        assert_eq!(exit(&[]), Exit::Done);
        assert_eq!(exit(std::slice::from_ref(&known)), Exit::Failed);
        assert_eq!(exit(&[known.clone(), unknown, known]), Exit::Uncertain);
    }
}
