//! Reads the configuration formats of the emulators of OpenDCRE 1.1, 1.2 and 1.3 into a [`Room`].
//!
//! One reader serves all three: where a key changed its meaning, the shape of its value tells which is meant. An
//! optional key with the value null is as good as absent. A value of the wrong type, an id that is none and a number
//! that is no byte are errors. What the files of old releases carry without a meaning is logged as a warning instead:
//! unknown keys, names of no device kind, and asset information and boot targets that cannot be served.

use std::str::FromStr;

use opendcre_devicebus::MAX_DATA;
use opendcre_model::{BoardId, DeviceKind, excerpt};
use serde_json::{Number, Value};
use thiserror::Error;

use super::answer::{Answer, Cycle, Script};
use super::device::{Asset, Device, Lamp, Power, Write};
use super::json::Node;
use super::room::{Board, RawScan, Room};
use super::scan_fault::{Entry, Outcome, ScanFaults};
use super::template::{Cell, Template};

/// Why a text is not the configuration of a room.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// It is not JSON. The message names line and column.
    #[error("not valid JSON: {0}")]
    Syntax(serde_json::Error),
    /// A value is not what it must be.
    #[error("{place}: {message}")]
    Value {
        /// Where the value stands, such as `boards[2].devices[1].read.responses[3]`.
        place: String,
        /// What is wrong with it.
        message: String,
    },
}

/// The keys of a board.
const BOARD_KEYS: &[&str] =
    &["board_id", "devices", "firmware_version", "raw_data", "retry_firmware_version", "retry_raw_data"];
/// The keys of a device. The values of `hdd`, `pxe` and `no_override` are not looked at: the boot target that was set
/// says enough.
const DEVICE_KEYS: &[&str] = &[
    "asset_info",
    "boot_target",
    "device_id",
    "device_type",
    "has_state",
    "hdd",
    "host_info",
    "no_override",
    "off",
    "on",
    "power",
    "pxe",
    "read",
    "write",
];

impl Room {
    /// Reads a configuration of the format 1.1, 1.2 or 1.3.
    ///
    /// # Errors
    /// [`ConfigError`] for the first thing that is wrong, with its place.
    pub fn from_json(text: &str) -> Result<Self, ConfigError> {
        let value: Value = serde_json::from_str(text).map_err(ConfigError::Syntax)?;
        let root = Node::root(&value);
        let boards = root.require("boards")?.list(board)?;
        let scan_faults = root.optional("scanall", scan_faults)?.unwrap_or_default();
        Ok(Self { boards, scan_faults })
    }
}

fn board(node: &Node<'_>) -> Result<Board, ConfigError> {
    warn_of_other_keys(node, BOARD_KEYS)?;
    let board_id = node.require("board_id")?;
    let version = node.optional("firmware_version", |version| match version.value {
        Value::Array(_) => template(version).map(Answer::Raw),
        _ => Ok(Answer::Data(payload(version, version.text()?.to_owned())?)),
    })?;
    let devices = node.optional("devices", |devices| devices.list(device))?;
    Ok(Board {
        id: id::<BoardId>(&board_id)?,
        name: board_id.text()?.to_owned(),
        version: version.unwrap_or(Answer::Silence),
        retry_version: node.optional("retry_firmware_version", retries)?,
        raw_scan: node.optional("raw_data", raw_scan)?,
        retry_raw_scan: node.optional("retry_raw_data", raw_scan)?,
        devices: devices.unwrap_or_default(),
    })
}

fn device(node: &Node<'_>) -> Result<Device, ConfigError> {
    warn_of_other_keys(node, DEVICE_KEYS)?;
    let kind = kind(&node.require("device_type")?)?;
    let has_state = node.optional("has_state", Node::flag)?.unwrap_or(false);
    let actions = |node: &Node<'_>| script_or_state(node, has_state);
    Ok(Device {
        id: id(&node.require("device_id")?)?,
        kind,
        has_state,
        read: node.optional("read", actions)?,
        power: power(node, has_state)?,
        write: node.optional("write", |write| match (has_state, kind) {
            (false, _) => script(write).map(Write::Script),
            (true, DeviceKind::VaporLed) => lamp(write).map(Write::Lamp),
            (true, _) => Ok(Write::Store),
        })?,
        asset: if_servable(node.get("asset_info")?, asset).unwrap_or(Asset::None),
        boot_target: if_servable(node.get("boot_target")?, actions),
        host_info: node.optional("host_info", actions)?,
    })
}

fn warn_of_other_keys(node: &Node<'_>, known: &[&str]) -> Result<(), ConfigError> {
    for key in node.other_keys(known)? {
        tracing::warn!(place = node.place(), key = excerpt(key), "unknown key, ignored");
    }
    Ok(())
}

/// Reads an id, with or without `0x`.
fn id<T: FromStr<Err: std::fmt::Display>>(node: &Node<'_>) -> Result<T, ConfigError> {
    let text = node.text()?;
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text);
    digits.parse().map_err(|error| node.refuse(error))
}

/// Reads the name of a device kind. On the bus, names without a type code are as good as none.
fn kind(node: &Node<'_>) -> Result<DeviceKind, ConfigError> {
    let name = node.text()?;
    Ok(name.parse().unwrap_or_else(|_| {
        tracing::warn!(place = node.place(), name = excerpt(name), "unknown device kind, served as none");
        DeviceKind::None
    }))
}

/// Reads what old releases carry in shapes that no release serves, and leaves those out.
fn if_servable<T>(
    node: Option<Node<'_>>,
    read: impl FnOnce(&Node<'_>) -> Result<T, ConfigError>,
) -> Option<T> {
    let unservable = |error: &ConfigError| tracing::warn!(%error, "not served");
    node.and_then(|node| read(&node).inspect_err(unservable).ok())
}

fn asset(node: &Node<'_>) -> Result<Asset, ConfigError> {
    match node.value {
        Value::String(text) => Ok(Asset::Text(payload(node, text.clone())?)),
        Value::Object(_) => script(node).map(Asset::Script),
        other => Err(node.mismatch("a text or an object with responses", other)),
    }
}

/// Reads the answers to power commands: one list, or for devices with state one value for each state.
fn power(device: &Node<'_>, has_state: bool) -> Result<Option<Power>, ConfigError> {
    let Some(initial) = device.get("power")? else {
        return Ok(None);
    };
    let state = |key| match has_state {
        true => device.optional(key, |node| script_or_state(node, true)),
        false => Ok(None),
    };
    Ok(Some(Power {
        initial: script_or_state(&initial, has_state)?,
        on: state("on")?,
        off: state("off")?,
        is_on: None,
    }))
}

fn lamp(node: &Node<'_>) -> Result<Lamp, ConfigError> {
    Ok(Lamp { initial: payload(node, node.text()?.to_owned())?, racks: std::collections::HashMap::new() })
}

/// Reads the answers to one kind of request. Only devices with state may hold the value itself, or a list of values
/// that are given in turn.
fn script_or_state(node: &Node<'_>, has_state: bool) -> Result<Script, ConfigError> {
    let values = match node.value {
        Value::Array(_) if has_state => node.list(answer)?,
        Value::Object(_) => return script(node),
        _ if has_state => vec![answer(node)?],
        _ => return script(node),
    };
    Ok(Script { responses: Cycle::new(values, true), retries: None })
}

fn script(node: &Node<'_>) -> Result<Script, ConfigError> {
    let repeatable = node.require("repeatable")?.flag()?;
    let responses = node.require("responses")?.list(answer)?;
    Ok(Script {
        responses: Cycle::new(responses, repeatable),
        retries: node.optional("retry_responses", retries)?,
    })
}

fn answer(node: &Node<'_>) -> Result<Answer, ConfigError> {
    match node.value {
        Value::Null => Ok(Answer::Silence),
        Value::Number(number) => Ok(Answer::Data(payload(node, digits(node, number)?)?)),
        Value::String(text) => Ok(Answer::Data(payload(node, text.clone())?)),
        Value::Array(_) => template(node).map(Answer::Raw),
        other => Err(node.mismatch("a number, a text, a list of bytes or null", other)),
    }
}

/// Reads the answers to repetitions. They begin again after the last; what is not a list of bytes is silence.
fn retries(node: &Node<'_>) -> Result<Cycle<Answer>, ConfigError> {
    let answers = node.list(|element| match element.value {
        Value::Array(_) => template(element).map(Answer::Raw),
        _ => Ok(Answer::Silence),
    })?;
    Ok(Cycle::new(answers, true))
}

/// Writes a number as its decimal text.
fn digits(node: &Node<'_>, number: &Number) -> Result<String, ConfigError> {
    // JSON numbers beyond 64 bits arrive rounded.
    const LARGEST: f64 = 18_446_744_073_709_551_615.0;
    let is_exact = number.as_f64().is_none_or(|value| value.abs() < LARGEST) || number.is_u64();
    match is_exact {
        true => Ok(number.to_string()),
        false => Err(node.refuse("a number this large loses digits; write it as a text")),
    }
}

/// Takes a text as the data of a packet.
fn payload(node: &Node<'_>, text: String) -> Result<Vec<u8>, ConfigError> {
    if text.len() > MAX_DATA {
        let length = text.len();
        return Err(node.refuse(format_args!(
            "the text has {length} bytes, but a packet holds no more than {MAX_DATA}"
        )));
    }
    Ok(text.into_bytes())
}

fn template(node: &Node<'_>) -> Result<Template, ConfigError> {
    node.list(cell).map(Template)
}

fn cell(node: &Node<'_>) -> Result<Cell, ConfigError> {
    let Value::Number(number) = node.value else {
        return Err(node.mismatch("a byte", node.value));
    };
    number.as_u64().and_then(Cell::from_value).ok_or_else(|| {
        node.refuse(format_args!(
            "{number} is not a byte (0 to 255), 999 for the sequence or 1000 to 1255 for a checksum"
        ))
    })
}

/// Reads `raw_data`: one list of bytes (1.1), or a list of lists of packets (1.2), which scans use up in turn. A list
/// of packets is taken as one packet for each scan.
fn raw_scan(node: &Node<'_>) -> Result<RawScan, ConfigError> {
    let scans = match depth(node.value) {
        0 | 1 => vec![vec![template(node)?]],
        2 => node.list(|packet| Ok(vec![template(packet)?]))?,
        _ => node.list(|packets| packets.list(template))?,
    };
    Ok(Cycle::new(scans, true))
}

/// How deep lists are nested.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

fn scan_faults(node: &Node<'_>) -> Result<ScanFaults, ConfigError> {
    let entries = node.list(|entry| {
        Ok(Entry {
            initial: outcome(&entry.require("initial")?)?,
            retries: entry.optional("retry", |retry| retry.list(outcome))?.unwrap_or_default(),
        })
    })?;
    Ok(ScanFaults::new(entries))
}

fn outcome(node: &Node<'_>) -> Result<Outcome, ConfigError> {
    let result = node.require("result")?;
    match result.text()? {
        "ok" => Ok(Outcome::Clean),
        "error" => Ok(Outcome::Damaged { board: node.require("failed_board")?.text()?.to_owned() }),
        other => Err(result.refuse(format_args!("must be \"ok\" or \"error\", not {:?}", excerpt(other)))),
    }
}
