//! What the audit log says about a change: one line before it, one line after it, linked by an id.
//!
//! An intent without an outcome means that the service or its disk failed in between, so the effect is unknown.

use jiff::Timestamp;
use opendcre_model::{Action, BoardId, DeviceId, DriverError, Observation};
use serde::Serialize;

use crate::Principal;

/// A change on its way through the door.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Links the lines; unique across restarts.
    pub(crate) id: String,
    /// Who asked.
    pub(crate) principal: Principal,
    /// The name of the driver that will do it.
    pub(crate) driver: String,
    /// What will be done.
    pub(crate) action: Action,
}

/// One line of the audit log.
#[derive(Debug, Serialize)]
pub(crate) struct Line<'a> {
    event: &'static str,
    id: &'a str,
    time: Timestamp,
    principal: &'a str,
    remote: &'a str,
    request_id: &'a str,
    driver: &'a str,
    board: BoardId,
    device: DeviceId,
    action: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

impl Entry {
    /// The line that is on the disk before the driver is asked.
    pub(crate) fn intent(&self, time: Timestamp) -> Line<'_> {
        let device = self.action.device();
        let (action, text) = describe(&self.action);
        Line {
            event: "intent",
            id: &self.id,
            time,
            principal: &self.principal.name,
            remote: &self.principal.remote,
            request_id: &self.principal.request_id,
            driver: &self.driver,
            board: device.board,
            device: device.device,
            action,
            text,
            code: None,
            message: None,
        }
    }

    /// The line that says how it went.
    pub(crate) fn outcome(&self, time: Timestamp, result: &Result<Observation, DriverError>) -> Line<'_> {
        let (code, message) = match result {
            Ok(observation) => ("ok", reported(observation)),
            Err(error) => (error.fault.code(), error.message.clone()),
        };
        Line { event: "outcome", code: Some(code), message: Some(message), ..self.intent(time) }
    }
}

fn describe(action: &Action) -> (&'static str, Option<&str>) {
    use opendcre_model::PowerAction::{Cycle, Off, On};
    match action {
        Action::Power { action: On, .. } => ("power_on", None),
        Action::Power { action: Off, .. } => ("power_off", None),
        Action::Power { action: Cycle, .. } => ("power_cycle", None),
        Action::SetAssetText { text, .. } => ("set_asset_text", Some(text)),
    }
}

/// What the equipment answered, in a few words.
fn reported(observation: &Observation) -> String {
    match observation {
        Observation::Power(report) => format!("power is {}", report.state),
        Observation::AssetText(text) => format!("asset text is {text:?}"),
        Observation::Version(text) => format!("version is {text:?}"),
        Observation::Sensor(reading) => format!("reading is {}", reading.raw),
    }
}
