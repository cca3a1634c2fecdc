//! Between the vocabulary of the house and the commands of the bus. Pure.

use jiff::Timestamp;
use opendcre_devicebus::{Command, Packet, PowerSwitch, Protocol, Request, address, conversion, kind, reply};
use opendcre_model::{
    Action, Board, BoardId, Capabilities, Device, DeviceId, DeviceKind, DriverError, Electrical, Fault,
    Health, Measurement, Number, Observation, PowerAction, PowerReport, Quality, Quantity, Query, Reading,
};

/// The longest asset text that boards store (§7).
const MAX_ASSET_TEXT: usize = 127;

/// The request that asks `query`.
pub(super) fn query_request(query: &Query) -> Result<Request, DriverError> {
    let board = bus_board(query.board())?;
    Ok(match query {
        Query::Version(_) => Request::to_board(board, Command::Version),
        Query::Sensor { device, kind } => {
            Request::to_device(kind::code(*kind), board, device.device.0, Command::Read)
        }
        Query::Power { device, kind } => {
            Request::to_device(kind::code(*kind), board, device.device.0, Command::PowerStatus)
        }
        Query::AssetText(device) => {
            Request::to_device(kind::POWER, board, device.device.0, Command::AssetText)
        }
        Query::AssetInfo(_) | Query::BootTarget(_) | Query::HostInfo(_) | Query::Led(_) => {
            return Err(unsupported("devices on a bus cannot tell this"));
        }
    })
}

/// What performs an action, and the question whose answer tells whether it took effect.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) request: Request,
    pub(super) read_back: Query,
}

/// How `action` is performed.
pub(super) fn change(action: &Action) -> Result<Change, DriverError> {
    let device = action.device();
    let (command, read_back) = match action {
        Action::Power { action, kind, .. } => {
            (Command::Power(power_switch(*action)?), Query::Power { device, kind: *kind })
        }
        Action::SetAssetText { text, .. } => {
            (Command::SetAssetText(asset_text(text)?), Query::AssetText(device))
        }
        Action::Identify { .. }
        | Action::SetBootTarget { .. }
        | Action::SetLed { .. }
        | Action::SetChamberLed { .. }
        | Action::SetFanSpeed { .. }
        | Action::SetPowerLimit { .. }
        | Action::ClearEventLog { .. }
        | Action::RawIpmi { .. } => return Err(unsupported("devices on a bus cannot do this")),
    };
    let request = Request::to_device(kind::POWER, bus_board(device.board)?, device.device.0, command);
    Ok(Change { request, read_back })
}

fn power_switch(action: PowerAction) -> Result<PowerSwitch, DriverError> {
    match action {
        PowerAction::On => Ok(PowerSwitch::On),
        PowerAction::Off => Ok(PowerSwitch::Off),
        PowerAction::Cycle => Ok(PowerSwitch::Cycle),
        PowerAction::Reset | PowerAction::Soft | PowerAction::Diagnostic => {
            Err(unsupported("devices on a bus know no such power action; use on, off or cycle"))
        }
    }
}

fn unsupported(reason: &str) -> DriverError {
    DriverError::new(Fault::Unsupported, format!("{reason}; nothing was sent"))
}

/// The number of a board that may be addressed; ids above carry broadcast flags or belong to other protocols.
pub(super) fn bus_board(board: BoardId) -> Result<u32, DriverError> {
    if board.0 <= address::MAX_BOARD {
        return Ok(board.0);
    }
    let message =
        format!("board {board} is no device bus board; their ids end at {:08x}", address::MAX_BOARD);
    Err(DriverError::new(Fault::Invalid, message))
}

fn asset_text(text: &str) -> Result<Vec<u8>, DriverError> {
    if !text.is_ascii() {
        return Err(DriverError::new(
            Fault::Invalid,
            "asset text must be ASCII; the bus carries one byte a character",
        ));
    }
    if text.len() > MAX_ASSET_TEXT {
        let message = format!("asset text of {} characters is longer than {MAX_ASSET_TEXT}", text.len());
        return Err(DriverError::new(Fault::Invalid, message));
    }
    Ok(text.as_bytes().to_vec())
}

/// Who measured, and when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Origin<'a> {
    pub(super) source: &'a str,
    pub(super) measured_at: Timestamp,
}

/// What the answer to `query` says.
pub(super) fn observation(
    query: &Query,
    packet: &Packet,
    origin: Origin<'_>,
) -> Result<Observation, reply::ReplyError> {
    Ok(match query {
        Query::Version(_) => Observation::Version(reply::text(&packet.data)?),
        Query::AssetText(_) => {
            Observation::AssetText { text: reply::text(&packet.data)?, management_address: None }
        }
        Query::Sensor { kind, .. } => {
            Observation::Sensor(reading(*kind, reply::number(&packet.data)?, origin))
        }
        Query::Power { .. } => Observation::Power(power_report(&packet.data, origin)?),
        Query::AssetInfo(_) | Query::BootTarget(_) | Query::HostInfo(_) | Query::Led(_) => Observation::Done,
    })
}

fn power_report(data: &[u8], origin: Origin<'_>) -> Result<PowerReport, reply::ReplyError> {
    let status = reply::power(data)?;
    Ok(PowerReport {
        state: status.state(),
        power_ok: status.power_ok(),
        over_current: status.over_current(),
        under_voltage: status.under_voltage(),
        electrical: Some(Electrical {
            raw: reply::text(data)?,
            input_power_watts: conversion::input_power_watts(status.power),
            input_voltage_volts: conversion::input_voltage_volts(status.voltage),
            output_current_amperes: conversion::output_current_amperes(status.current),
        }),
        measured_at: origin.measured_at,
        source: origin.source.to_owned(),
    })
}

fn reading(kind: DeviceKind, raw: Number, origin: Origin<'_>) -> Reading {
    let measurements = measurements(kind, &raw);
    let quality = if measurements.is_some() { Quality::Good } else { Quality::OutOfRange };
    Reading {
        kind,
        raw,
        measurements: measurements.unwrap_or_default(),
        quality,
        health: Health::Ok,
        states: Vec::new(),
        measured_at: origin.measured_at,
        source: origin.source.to_owned(),
    }
}

/// The converted values (§10), or `None` if the sensor cannot have meant that number.
fn measurements(kind: DeviceKind, raw: &Number) -> Option<Vec<Measurement>> {
    let one = |quantity, value: f64| value.is_finite().then(|| vec![Measurement { quantity, value }]);
    match kind {
        DeviceKind::Thermistor => {
            let celsius = conversion::thermistor_celsius(raw.to_i64()?).ok()?;
            one(Quantity::TemperatureCelsius, celsius)
        }
        DeviceKind::Humidity => {
            let conversion::Humidity { percent, celsius } = conversion::humidity(raw.to_i64()?).ok()?;
            Some(vec![
                Measurement { quantity: Quantity::HumidityPercent, value: percent },
                Measurement { quantity: Quantity::TemperatureCelsius, value: celsius },
            ])
        }
        DeviceKind::Temperature => one(Quantity::TemperatureCelsius, raw.to_f64()),
        DeviceKind::Pressure => one(Quantity::PressureKilopascals, raw.to_f64()),
        DeviceKind::FanSpeed | DeviceKind::VaporFan => one(Quantity::SpeedRpm, raw.to_f64()),
        _ => Some(Vec::new()),
    }
}

/// The boards of a scan, in the order in which they first answered (§7.1).
pub(super) fn boards(packets: &[Packet], protocol: Protocol) -> Vec<Board> {
    let mut boards: Vec<Board> = Vec::new();
    for packet in packets {
        let id = BoardId(packet.board);
        let kind = kind::from_code(reply::scanned_kind(&packet.data), protocol);
        let device = Device::new(DeviceId(packet.device), kind, Capabilities::NONE);
        match boards.iter_mut().find(|board| board.id == id) {
            Some(board) => board.devices.push(device),
            None => boards.push(Board::new(id, vec![device])),
        }
    }
    boards
}
