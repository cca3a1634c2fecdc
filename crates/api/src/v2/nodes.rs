//! Which boards and devices a request is about.

use std::collections::HashSet;
use std::sync::Arc;

use opendcre_gateway::{BoardRecord, View};
use opendcre_model::{BoardId, Capability, Device, DeviceId};
use schemars::JsonSchema;
use serde::Deserialize;

use super::call::Call;
use super::schema::NodesText;
use crate::problem::{Code, Problem};

/// The most candidates that a problem names.
const NAMED_CANDIDATES: usize = 16;

/// Which boards are meant.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(super) struct NodesQuery {
    /// Only what belongs to boards of this node range.
    #[schemars(with = "Option<NodesText>")]
    pub(super) nodes: Option<String>,
}

/// The ids of the boards of the node range in the parameter `nodes`; nothing without one.
pub(super) fn ids(call: &Call, nodes: Option<&str>) -> Result<Option<HashSet<BoardId>>, Problem> {
    let Some(nodes) = nodes else { return Ok(None) };
    Ok(Some(named(call, nodes)?.iter().map(|board| board.id).collect()))
}

/// The boards of the node range in the parameter `nodes`; without one, every board.
pub(super) fn select(call: &Call, nodes: Option<&str>) -> Result<Vec<Arc<BoardRecord>>, Problem> {
    match nodes {
        None => Ok(call.view()?.boards()),
        Some(nodes) => named(call, nodes),
    }
}

/// The boards of a node range that the request calls `nodes`.
pub(super) fn named(call: &Call, nodes: &str) -> Result<Vec<Arc<BoardRecord>>, Problem> {
    seen(&call.view()?, nodes)
}

/// The same in a view.
pub(super) fn seen(view: &View, nodes: &str) -> Result<Vec<Arc<BoardRecord>>, Problem> {
    view.select(nodes).map_err(|error| Problem::from(error).in_parameter("nodes"))
}

/// The boards of a rack.
pub(super) fn of_rack(call: &Call, rack: &str) -> Result<Vec<Arc<BoardRecord>>, Problem> {
    let mut boards = call.view()?.boards();
    boards.retain(|board| board.rack == rack);
    if boards.is_empty() { Err(unknown_rack(rack)) } else { Ok(boards) }
}

/// No board is in this rack.
pub(crate) fn unknown_rack(rack: &str) -> Problem {
    let rack = opendcre_model::excerpt(rack);
    let detail = format!("there is no rack {rack:?}; GET /opendcre/2/racks shows what there is");
    Problem::new(Code::UNKNOWN_RACK, detail)
}

/// What a request calls a device: its id or, in any case, its name.
pub(super) struct Called<'a> {
    text: &'a str,
    /// The id, if the text can be one.
    id: Option<DeviceId>,
}

impl<'a> Called<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        Self { text, id: text.parse().ok() }
    }

    /// Whether `device` is meant.
    pub(super) fn fits(&self, device: &Device) -> bool {
        let is_named = || device.name.as_ref().is_some_and(|name| name.eq_ignore_ascii_case(self.text));
        self.id == Some(device.id) || is_named()
    }
}

/// The one device of `board` that `text` is the id or name of.
pub(super) fn device<'a>(board: &'a BoardRecord, text: &str) -> Result<&'a Device, Problem> {
    let called = Called::of(text);
    let mut devices = board.devices.iter().filter(|device| called.fits(device));
    match (devices.next(), devices.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => {
            let text = opendcre_model::excerpt(text);
            let detail =
                format!("{} has no device {text:?}; its devices are shown with it", board.describe());
            Err(Problem::new(Code::UNKNOWN_DEVICE, detail))
        }
        (Some(first), Some(second)) => {
            let text = opendcre_model::excerpt(text);
            let detail = format!("several devices of {} are called {text:?}; use the id", board.describe());
            let several = [first, second].into_iter().chain(devices);
            Err(Problem::new(Code::AMBIGUOUS_DEVICE, detail).with_candidates(candidates(several)))
        }
    }
}

/// The one device of `board` that has `capability`, or the one that is called `device` if that is given.
pub(super) fn capable<'a>(
    board: &'a BoardRecord,
    device: Option<&str>,
    capability: Capability,
) -> Result<&'a Device, Problem> {
    let chosen = device.map(|text| self::device(board, text)).transpose()?;
    let considered = board.devices.iter().filter(|device| chosen.is_none_or(|chosen| chosen.id == device.id));
    let capable: Vec<&Device> = considered.filter(|device| device.capabilities.has(capability)).collect();
    match capable.as_slice() {
        [only] => Ok(only),
        [] => {
            let subject = chosen.map_or_else(
                || format!("no device of {}", board.describe()),
                |device| format!("device {} of {} is none that", device.id, board.describe()),
            );
            let detail = format!("{subject} has the capability {capability}; nothing was sent");
            Err(Problem::new(Code::UNSUPPORTED, detail))
        }
        several => {
            let detail = format!(
                "several devices of {} have the capability {capability}; say which one with device; nothing was sent",
                board.describe()
            );
            Err(Problem::new(Code::AMBIGUOUS_DEVICE, detail)
                .with_candidates(candidates(several.iter().copied())))
        }
    }
}

fn candidates<'a>(devices: impl Iterator<Item = &'a Device>) -> Vec<String> {
    let describe = |device: &Device| match &device.name {
        Some(name) => format!("device {} ({name}, {})", device.id, device.kind),
        None => format!("device {} ({})", device.id, device.kind),
    };
    devices.take(NAMED_CANDIDATES).map(describe).collect()
}
