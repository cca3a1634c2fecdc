//! API 1.3: its paths, and the one path that has no version in it. What they lead to is in `v1`.
//!
//! Every path to a board has a rack in front of it. It may be any text and means nothing – ids of boards are unique
//! everywhere – except in a scan of a rack and for the lamp of a chamber.

use http::StatusCode;
use http::request::Parts;
use hyper::body::Bytes;

use crate::error::ApiError;
use crate::method::{Methods, Verb};
use crate::reply::{self, Reply};
use crate::route::dispatch;
use crate::v1::Generation;
use crate::v1::request::{Request, at, is_power_word};

/// Everything of this generation is below this path.
pub(crate) const BASE: &str = "/opendcre/1.3";

/// Where a client finds out which generation is served. This has been the answer since API 1.3, whatever else is.
pub(crate) const VERSION: &str = "/opendcre/version";

/// Answers a request for [`VERSION`].
pub(crate) fn version(head: &Parts) -> Result<Reply, ApiError> {
    let methods = Methods::ReadAndPost;
    match methods.verb(&head.method)? {
        Verb::List => Ok(reply::allow(methods)),
        Verb::Check => Ok(reply::json(StatusCode::OK, Bytes::new())),
        Verb::Do => {
            let text = format!(r#"{{"version":"{}"}}"#, Generation::V1_3.api_version());
            Ok(reply::json(StatusCode::OK, text.into()))
        }
    }
}

dispatch! {
    /// What `path`, decoded and without [`BASE`], asks for.
    pub(crate) fn request -> Request<'_> {
        ["test"] => Request::Test,
        ["plc_config"] => Request::PlcConfig,
        ["version", _, board] => Request::Version { board },
        ["scan"] => Request::ScanAll,
        ["scan", "force"] => Request::ScanForce,
        ["scan", rack] => Request::ScanRack { rack },
        ["scan", _, board] => Request::ScanBoard { board },
        ["read", kind, _, board, device] => Request::Read { kind, device: at(board, device) },
        // The order of API 1.1, which has no rack.
        ["power", command, board, device] if is_power_word(command) => {
            Request::Power { kind: None, device: at(board, device), command: Some(command) }
        },
        ["power", _, board, device] => {
            Request::Power { kind: None, device: at(board, device), command: None }
        },
        ["power", _, board, device, command] => {
            Request::Power { kind: None, device: at(board, device), command: Some(command) }
        },
        ["power", kind, _, board, device, command] => {
            Request::Power { kind: Some(kind), device: at(board, device), command: Some(command) }
        },
        ["asset", _, board, device] => Request::Asset { device: at(board, device) },
        ["boot_target", _, board, device] => Request::BootTarget { device: at(board, device), target: None },
        ["boot_target", _, board, device, target] => {
            Request::BootTarget { device: at(board, device), target: Some(target) }
        },
        ["location", _, board] => Request::Location { board, device: None },
        ["location", _, board, device] => Request::Location { board, device: Some(device) },
        ["led", _, board, device] => Request::Led { device: at(board, device), state: None, color: None },
        ["led", _, board, device, state] => {
            Request::Led { device: at(board, device), state: Some(state), color: None }
        },
        ["led", rack, board, device, state, color, blink] => {
            Request::ChamberLed { rack, device: at(board, device), state, color, blink }
        },
        ["fan", _, board, device] => Request::Fan { device: at(board, device), rpm: None },
        ["fan", _, board, device, rpm] => Request::Fan { device: at(board, device), rpm: Some(rpm) },
        ["host_info", _, board, device] => Request::HostInfo { device: at(board, device) },
    }
}
