//! What is sent for each command: a method and the segments of a path of API 1.1.

use reqwest::Method;

use crate::cli::{AssetCommand, ClientCommand, PowerArgs, PowerCommand, SensorArgs};

/// A request to the API.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Request {
    /// POST for everything that changes equipment.
    pub(super) method: Method,
    /// The path below the base of the API, neither joined nor percent-encoded.
    pub(super) segments: Vec<String>,
}

impl Request {
    fn get(segments: &[&str]) -> Self {
        Self::new(Method::GET, segments)
    }

    fn post(segments: &[&str]) -> Self {
        Self::new(Method::POST, segments)
    }

    fn new(method: Method, segments: &[&str]) -> Self {
        let segments = segments.iter().map(ToString::to_string).collect();
        Self { method, segments }
    }
}

impl From<&ClientCommand> for Request {
    fn from(command: &ClientCommand) -> Self {
        match command {
            ClientCommand::Scan(args) => match args.board {
                Some(board) => Self::get(&["scan", &board.to_string()]),
                None => Self::get(&["scan"]),
            },
            ClientCommand::Read(sensor) => read(sensor),
            ClientCommand::Watch(args) => read(&args.sensor),
            ClientCommand::Power(args) => power(args),
            ClientCommand::Asset(args) => asset(&args.command),
            ClientCommand::Version(args) => match args.board {
                Some(board) => Self::get(&["version", &board.to_string()]),
                None => Self::get(&["test"]),
            },
        }
    }
}

fn read(sensor: &SensorArgs) -> Request {
    let (board, device) = (sensor.board.to_string(), sensor.device.to_string());
    Request::get(&["read", sensor.kind.name(), &board, &device])
}

fn power(args: &PowerArgs) -> Request {
    let (board, device) = (args.board.to_string(), args.device.to_string());
    match args.command {
        PowerCommand::Status => Request::get(&["power", "status", &board, &device]),
        PowerCommand::On => Request::post(&["power", "on", &board, &device]),
        PowerCommand::Off => Request::post(&["power", "off", &board, &device]),
        PowerCommand::Cycle => Request::post(&["power", "cycle", &board, &device]),
    }
}

fn asset(command: &AssetCommand) -> Request {
    match command {
        AssetCommand::Get { board, device } => {
            Request::get(&["read", "power", &board.to_string(), &device.to_string(), "info"])
        }
        AssetCommand::Set { board, device, text } => {
            let (board, device) = (board.to_string(), device.to_string());
            Request::post(&["write", "power", &board, &device, "info", text])
        }
    }
}
