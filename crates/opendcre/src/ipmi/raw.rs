//! Any command, and what came of it.

use comfy_table::Table;
use opendcre_ipmi::session::{CLOSE_SESSION, GET_SESSION_CHALLENGE};
use opendcre_ipmi::{Completion, NetFn};
use opendcre_model::{Action, Observation, RawAnswer, RawRequest};
use serde::Serialize;

use super::console::{Report, fields, hex};
use super::error::IpmiError;
use super::link::Link;
use crate::cli::RawArgs;
use crate::exit::Exit;

/// What a BMC answered.
#[derive(Debug, Serialize)]
pub(super) struct Answer {
    completion: u8,
    meaning: Option<&'static str>,
    data: String,
}

impl Answer {
    fn new(answer: &RawAnswer) -> Self {
        let RawAnswer { completion, data } = answer;
        Self { completion: *completion, meaning: Completion(*completion).meaning(), data: hex(data) }
    }

    /// Done only when the BMC did it.
    pub(super) const fn exit(&self) -> Exit {
        if self.completion == 0 { Exit::Done } else { Exit::Failed }
    }
}

impl Report for Answer {
    fn tables(&self) -> Vec<Table> {
        let meaning = self.meaning.map(|meaning| format!(": {meaning}")).unwrap_or_default();
        vec![fields([
            ("completion code", Some(format!("{:02x}{meaning}", self.completion))),
            ("data", Some(self.data.clone()).filter(|data| !data.is_empty())),
        ])]
    }
}

/// Sends the command.
pub(super) async fn send(link: &Link, args: &RawArgs) -> Result<Answer, IpmiError> {
    let RawArgs { netfn, command, data, lun } = args;
    if NetFn(*netfn) == NetFn::APP && (GET_SESSION_CHALLENGE..=CLOSE_SESSION).contains(command) {
        let message = "sessions are opened and closed by opendcre ipmi itself; nothing was sent";
        return Err(IpmiError::Usage(message.to_owned()));
    }
    let request = RawRequest { netfn: *netfn, lun: *lun, command: *command, data: data.clone() };
    match link.change(Action::RawIpmi { device: Link::SYSTEM, request }).await? {
        Observation::RawIpmi(answer) => Ok(Answer::new(&answer)),
        other => Err(IpmiError::OtherAnswer(Box::new(other))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipmi::console::shown;

    #[test]
    fn an_answer_is_shown_with_its_meaning() {
        let answer = Answer::new(&RawAnswer { completion: 0, data: vec![0x20, 0x81, 0] });
        assert_eq!(answer.exit(), Exit::Done);
        insta::assert_snapshot!(shown(&answer), @r"
        completion code  00: done
        data             20 81 00
        ");
        let refusal = Answer::new(&RawAnswer { completion: 0x80, data: Vec::new() });
        assert_eq!(refusal.exit(), Exit::Failed);
        insta::assert_snapshot!(serde_json::to_string(&refusal).unwrap(), @r#"{"completion":128,"meaning":null,"data":""}"#);
    }
}
