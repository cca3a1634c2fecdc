//! Orders: what a command wants to have changed, as the server reads it and as people are asked about it.

use serde_json::{Map, Value, json};

use crate::cli::{
    BootSetArgs, ChangeOptions, DeviceOption, IdentifyArgs, LedArgs, LedCommand, Nodes, PowerArgs,
};
use opendcre_model::PowerAction;

use super::board::{self, BoardName};
use super::{ClientError, Console};

/// The most characters of a node range.
const MAX_RANGE: usize = 4096;

/// A change of many boards.
#[derive(Debug)]
pub(super) struct Order<'a> {
    /// Where it is sent.
    pub(super) path: &'static str,
    /// What it does, such as `switch power off`.
    pub(super) action: String,
    /// Which boards, as the user wrote it.
    pub(super) nodes: &'a str,
    pub(super) options: &'a ChangeOptions,
    /// What is sent, but for the boards.
    body: Map<String, Value>,
}

impl<'a> Order<'a> {
    fn new(
        path: &'static str,
        action: String,
        nodes: &'a Nodes,
        device: Option<&str>,
        options: &'a ChangeOptions,
    ) -> Self {
        let order = Self { path, action, nodes: &nodes.nodes, options, body: Map::new() };
        order.with_optional("device", device)
    }

    fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.body.insert(name.to_owned(), value.into());
        self
    }

    fn with_optional(self, name: &str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// Makes sure that somebody wants it for all of `boards`.
    pub(super) fn confirm(&self, boards: &[BoardName], console: &mut Console<'_>) -> Result<(), ClientError> {
        confirm(&format!("{} on", self.action), self.options, boards, console)
    }

    /// What is sent to change exactly these boards.
    pub(super) fn body(&self, boards: &[BoardName]) -> Result<Value, ClientError> {
        let nodes = exactly(boards)?;
        let mut body = self.body.clone();
        body.insert("nodes".to_owned(), nodes.into());
        Ok(Value::Object(body))
    }
}

/// `power on` and its like.
pub(super) fn power(args: &PowerArgs, action: PowerAction) -> Order<'_> {
    let words = match action {
        PowerAction::On | PowerAction::Off => format!("switch power {action}"),
        PowerAction::Cycle => "switch power off and on again".to_owned(),
        PowerAction::Reset => "reset the processors".to_owned(),
        PowerAction::Soft => "ask the operating system to shut down".to_owned(),
        PowerAction::Diagnostic => "interrupt the operating system".to_owned(),
    };
    let device = args.device.device.as_deref();
    Order::new("power", words, &args.nodes, device, &args.change).with("action", action.name())
}

/// `asset set`.
pub(super) fn asset<'a>(
    nodes: &'a Nodes,
    text: &str,
    device: &DeviceOption,
    options: &'a ChangeOptions,
) -> Order<'a> {
    let words = format!("store the asset text {text:?}");
    Order::new("asset", words, nodes, device.device.as_deref(), options).with("text", text)
}

/// `boot set`.
pub(super) fn boot<'a>(
    nodes: &'a Nodes,
    boot: &BootSetArgs,
    device: &DeviceOption,
    options: &'a ChangeOptions,
) -> Order<'a> {
    let words = format!("set the boot target {}", boot.target);
    let order = Order::new("boot", words, nodes, device.device.as_deref(), options);
    let order = order.with("target", boot.target.to_string());
    order.with("persistent", boot.persistent).with("efi", boot.efi)
}

/// `led on` and `led off`.
pub(super) fn led(args: &LedArgs) -> Order<'_> {
    let on = args.command == LedCommand::On;
    let words = format!("switch the lamp {}", if on { "on" } else { "off" });
    let blink = match (args.blink, args.steady) {
        (false, false) => None,
        (blink, _) => Some(blink),
    };
    let order = Order::new("led", words, &args.nodes, args.device.device.as_deref(), &args.change);
    let color = args.color.map(|color| color.to_string());
    order.with("on", on).with_optional("color", color).with_optional("blink", blink)
}

/// `fan set`.
pub(super) fn fan<'a>(
    nodes: &'a Nodes,
    rpm: u16,
    device: &DeviceOption,
    options: &'a ChangeOptions,
) -> Order<'a> {
    let words = format!("set the fan to {rpm} rpm");
    Order::new("fan", words, nodes, device.device.as_deref(), options).with("rpm", rpm)
}

/// `identify`.
pub(super) fn identify(args: &IdentifyArgs) -> Order<'_> {
    let (words, name, value) = match (args.off, args.seconds) {
        (true, _) => ("end the identification", "on", json!(false)),
        (false, Some(seconds)) => ("switch the identification on", "seconds", json!(seconds)),
        (false, None) => ("switch the identification on", "on", json!(true)),
    };
    Order::new("identify", words.to_owned(), &args.nodes, None, &args.change).with(name, value)
}

/// Makes sure that somebody wants `action`, such as `forget` or `switch power off on`, for all of `boards`.
pub(super) fn confirm(
    action: &str,
    options: &ChangeOptions,
    boards: &[BoardName],
    console: &mut Console<'_>,
) -> Result<(), ClientError> {
    let count = boards.len();
    if options.yes || count <= options.ask_above {
        return Ok(());
    }
    let names = board::fold(boards);
    let subject = if count == 1 { "board" } else { "boards" };
    match console.ask(&format!("{action} {count} {subject}: {names}?"))? {
        Some(true) => Ok(()),
        Some(false) => Err(ClientError::Declined),
        None => Err(ClientError::Unconfirmed { action: action.to_owned(), count, boards: names }),
    }
}

/// A node range of ids that stands for exactly these boards, whatever the range stands for that the user wrote.
fn exactly(boards: &[BoardName]) -> Result<String, ClientError> {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for board in boards {
        let malformed = |_| ClientError::Malformed(format!("{:?} is no id of a board", board.id));
        let id = u32::from_str_radix(&board.id, 16).map_err(malformed)?;
        match runs.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(id) => *last = id,
            _ => runs.push((id, id)),
        }
    }
    let word = |(first, last): &(u32, u32)| match first == last {
        true => format!("{first:08x}"),
        false => format!("{first:08x}-{last:08x}"),
    };
    let range = runs.iter().map(word).collect::<Vec<_>>().join(",");
    if range.len() > MAX_RANGE { Err(ClientError::TooScattered(boards.len())) } else { Ok(range) }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use crate::cli::{Cli, ClientCommand, Command, OutputFormat};
    use crate::client::console::{Console, Style};

    use super::*;

    fn boards(ids: impl IntoIterator<Item = u32>) -> Vec<BoardName> {
        let board = |id| BoardName { id: format!("{id:08x}"), name: format!("db-{:02}", id & 0xff) };
        ids.into_iter().map(board).collect()
    }

    #[test]
    fn ids_that_follow_each_other_are_a_range_without_a_gap() {
        assert_eq!(
            exactly(&boards([0x11, 0x4000_0001, 0x4000_0002, 0x4000_0003, 0x4000_0005])).unwrap(),
            "00000011,40000001-40000003,40000005"
        );
        assert_eq!(exactly(&boards(1..=10_000)).unwrap(), "00000001-00002710");
        let scattered = boards((1..1000).map(|id| id * 2));
        assert!(matches!(exactly(&scattered), Err(ClientError::TooScattered(999))));
    }

    /// The confirmation of `line` for three boards if a person says `reply`, and the question.
    fn confirmed(line: &str, reply: Option<&str>) -> (Result<(), ClientError>, String) {
        let cli = Cli::try_parse_from(format!("opendcre {line}").split_whitespace()).unwrap();
        let Command::Client(ClientCommand::Power(args)) = cli.command else { panic!("{line}") };
        let order = power(&args, args.command.action().unwrap());
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let style = Style { format: OutputFormat::Table, fold: true, progress: false };
        let mut input = reply.unwrap_or_default().as_bytes();
        let person = reply.is_some().then_some(&mut input as &mut dyn std::io::BufRead);
        let mut console = Console::new(style, &mut out, &mut err, person);
        let confirmed = order.confirm(&boards([1, 2, 4]), &mut console);
        (confirmed, String::from_utf8(err).unwrap())
    }

    #[test]
    fn more_boards_than_one_are_asked_about() {
        for (reply, is_confirmed) in
            [("y\n", true), ("YES", true), ("n\n", false), ("\n", false), ("", false)]
        {
            let (confirmed, question) = confirmed("power off db", Some(reply));
            assert_eq!(question, "switch power off on 3 boards: db-[01-02,04]? [y/N] ");
            match confirmed {
                Ok(()) => assert!(is_confirmed, "{reply:?}"),
                Err(error) => assert!(!is_confirmed && matches!(error, ClientError::Declined), "{reply:?}"),
            }
        }
        for line in ["power off db --yes", "power off db --ask-above 3"] {
            let (confirmed, question) = confirmed(line, Some("n"));
            assert!(confirmed.is_ok() && question.is_empty(), "{line}");
        }
    }

    #[test]
    fn without_anybody_to_ask_it_is_refused_with_the_boards() {
        let (confirmed, _) = confirmed("power cycle db", None);
        assert_eq!(
            confirmed.unwrap_err().to_string(),
            "this would switch power off and on again on 3 boards: db-[01-02,04]; nothing was changed, repeat it \
             with --yes if that is meant"
        );
        assert!(self::confirmed("power off db --yes", None).0.is_ok());
    }
}
