//! API 1.2: its paths. What they lead to is in `v1`.

use crate::route::dispatch;
use crate::v1::request::{Request, at, is_power_word};

/// Everything of this generation is below this path.
pub(crate) const BASE: &str = "/opendcre/1.2";

dispatch! {
    /// What `path`, decoded and without [`BASE`], asks for.
    pub(crate) fn request -> Request<'_> {
        ["test"] => Request::Test,
        ["plc_config"] => Request::PlcConfig,
        ["version", board] => Request::Version { board },
        ["scan"] => Request::ScanAll,
        ["scan", board] => Request::ScanBoard { board },
        ["read", kind, board, device] => Request::Read { kind, device: at(board, device) },
        ["power", board, device] => Request::Power { kind: None, device: at(board, device), command: None },
        // The order of API 1.1.
        ["power", command, board, device] if is_power_word(command) => {
            Request::Power { kind: None, device: at(board, device), command: Some(command) }
        },
        ["power", board, device, command] => {
            Request::Power { kind: None, device: at(board, device), command: Some(command) }
        },
        // A type in front has never meant anything here.
        ["power", _, board, device, command] => {
            Request::Power { kind: None, device: at(board, device), command: Some(command) }
        },
        ["asset", board, device] => Request::Asset { device: at(board, device) },
        ["boot_target", board, device] => Request::BootTarget { device: at(board, device), target: None },
        ["boot_target", board, device, target] => {
            Request::BootTarget { device: at(board, device), target: Some(target) }
        },
        ["location", board] => Request::Location { board, device: None },
        ["location", board, device] => Request::Location { board, device: Some(device) },
        ["led", board, device] => Request::Led { device: at(board, device), state: None, color: None },
        ["led", board, device, state] => {
            Request::Led { device: at(board, device), state: Some(state), color: None }
        },
        ["led", board, device, state, color] => {
            Request::Led { device: at(board, device), state: Some(state), color: Some(color) }
        },
        ["fan", board, device] => Request::Fan { device: at(board, device), rpm: None },
        ["fan", board, device, rpm] => Request::Fan { device: at(board, device), rpm: Some(rpm) },
    }
}
