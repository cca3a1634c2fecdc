//! What the audit log says about a change: one entry before it, one after it, linked by an id.
//!
//! An intent without an outcome means that the service or its disk failed in between, so the effect is unknown.

use jiff::Timestamp;
use opendcre_model::{
    Action, BootOverride, ChamberLedSetting, ChamberLedState, DriverError, Identify, Identity, Observation,
    PowerAction, PowerLimit, RawRequest,
};

use crate::audit::{AuditEntry, AuditKind, AuditTarget};
use crate::{BoardRecord, Principal};

/// A change on its way through the door.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Links the entries; unique across restarts.
    pub(crate) id: String,
    /// Who asked.
    pub(crate) principal: Principal,
    /// The name of the driver that will do it.
    pub(crate) driver: String,
    /// What will be done.
    pub(crate) action: Action,
    /// The machine that has shown that it is this board, if it can.
    pub(crate) identity: Option<Identity>,
    /// What the board is called, and its rack, if that is known.
    pub(crate) name_and_rack: Option<(String, String)>,
}

/// The entry that is on the disk before `principal` has a board forgotten, which no equipment is asked for.
pub(crate) fn forgetting(principal: &Principal, record: &BoardRecord, time: Timestamp) -> AuditEntry {
    let (name, rack) = (record.name.clone(), record.rack.clone());
    AuditEntry {
        action: "forget".to_owned(),
        target: Some(AuditTarget { board: record.id, device: None, name, rack }),
        driver: record.driver.clone(),
        identity: record.identity.clone(),
        ..AuditEntry::new(AuditKind::Outcome, time).by(principal)
    }
}

impl Entry {
    /// The name of its action in the log.
    pub(crate) const fn action_name(&self) -> &'static str {
        name(&self.action)
    }

    /// The entry that is on the disk before the driver is asked.
    pub(crate) fn intent(&self, time: Timestamp) -> AuditEntry {
        AuditEntry {
            id: self.id.clone(),
            action: self.action_name().to_owned(),
            target: Some(self.target()),
            driver: self.driver.clone(),
            identity: self.identity.clone(),
            text: text(&self.action).map(ToOwned::to_owned),
            parameters: parameters(&self.action).unwrap_or_default(),
            ..AuditEntry::new(AuditKind::Intent, time).by(&self.principal)
        }
    }

    /// The entry that says how it went.
    pub(crate) fn outcome(&self, time: Timestamp, result: &Result<Observation, DriverError>) -> AuditEntry {
        let (code, message) = match result {
            Ok(observation) => ("ok", reported(observation)),
            Err(error) => (error.code, error.message.clone()),
        };
        AuditEntry { kind: AuditKind::Outcome, code: code.to_owned(), message, ..self.intent(time) }
    }

    fn target(&self) -> AuditTarget {
        let device = self.action.device();
        let (name, rack) = self.name_and_rack.clone().unwrap_or_default();
        AuditTarget { board: device.board, device: Some(device.device), name, rack }
    }
}

/// The name of an action in the log.
const fn name(action: &Action) -> &'static str {
    match action {
        Action::Power { action, .. } => power_name(*action),
        Action::SetAssetText { .. } => "set_asset_text",
        Action::Identify { .. } => "identify",
        Action::SetBootTarget { .. } => "set_boot_target",
        Action::SetLed { .. } => "set_led",
        Action::SetChamberLed { .. } => "set_chamber_led",
        Action::SetFanSpeed { .. } => "set_fan_speed",
        Action::SetPowerLimit { .. } => "set_power_limit",
        Action::ClearEventLog { .. } => "clear_event_log",
        Action::RawIpmi { .. } => "raw_ipmi",
    }
}

/// The text that an action stores, if it stores one.
const fn text(action: &Action) -> Option<&str> {
    match action {
        Action::SetAssetText { text, .. } => Some(text.as_str()),
        _ => None,
    }
}

/// What else an action says, in a few words.
fn parameters(action: &Action) -> Option<String> {
    match action {
        Action::Power { .. } | Action::SetAssetText { .. } | Action::ClearEventLog { .. } => None,
        Action::Identify { identify, .. } => Some(identify_text(*identify)),
        Action::SetBootTarget { boot, .. } => Some(boot_text(boot)),
        Action::SetLed { on, .. } => Some(on_or_off(*on).to_owned()),
        Action::SetChamberLed { setting, .. } => Some(chamber_led_text(setting)),
        Action::SetFanSpeed { rpm, .. } => Some(format!("{rpm} rpm")),
        Action::SetPowerLimit { limit, .. } => Some(limit_text(limit.as_ref())),
        Action::RawIpmi { request, .. } => Some(raw_text(request)),
    }
}

const fn power_name(action: PowerAction) -> &'static str {
    match action {
        PowerAction::On => "power_on",
        PowerAction::Off => "power_off",
        PowerAction::Cycle => "power_cycle",
        PowerAction::Reset => "power_reset",
        PowerAction::Soft => "power_soft",
        PowerAction::Diagnostic => "power_diag",
    }
}

fn identify_text(identify: Identify) -> String {
    match identify {
        Identify::On => "on".to_owned(),
        Identify::Seconds(seconds) => format!("on for {seconds} s"),
        Identify::Off => "off".to_owned(),
    }
}

const fn on_or_off(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

fn chamber_led_text(setting: &ChamberLedSetting) -> String {
    let ChamberLedSetting { rack, on, color, blink } = setting;
    let kept = || "as it is".to_owned();
    let on = on.map_or_else(kept, |on| on_or_off(on).to_owned());
    let color = color.map_or_else(kept, |color| color.to_string());
    let blink =
        blink.map_or_else(kept, |blink| if blink { "blinking".to_owned() } else { "steady".to_owned() });
    format!("for rack {rack:?}: state {on}, colour {color}, light {blink}")
}

fn boot_text(boot: &BootOverride) -> String {
    let how_often = if boot.persistent { "always" } else { "once" };
    let firmware = if boot.efi { "efi" } else { "bios" };
    format!("{}, {how_often}, {firmware}", boot.target)
}

fn limit_text(limit: Option<&PowerLimit>) -> String {
    match limit {
        None => "off".to_owned(),
        Some(PowerLimit { watts, correction_time, sampling_period, exception }) => format!(
            "{watts} W within {} ms, averaged over {} s, otherwise {exception}",
            correction_time.as_millis(),
            sampling_period.as_secs()
        ),
    }
}

/// Without the data: that of some commands is a password.
fn raw_text(request: &RawRequest) -> String {
    let RawRequest { netfn, lun, command, data } = request;
    format!("netfn {netfn:#04x}, lun {lun}, command {command:#04x}, {} bytes of data", data.len())
}

/// What the equipment answered, in a few words.
fn reported(observation: &Observation) -> String {
    match observation {
        Observation::Power(report) => format!("power is {}", report.state),
        Observation::Battery(report) => {
            format!("battery is {:?}, {} % charged", report.status, report.charge_percent)
        }
        Observation::AssetInfo(_) => "asset information".to_owned(),
        Observation::HostInfo(_) => "host names and addresses".to_owned(),
        Observation::Led { on } => format!("lamp is {}", on_or_off(*on)),
        Observation::EventLog(page) => format!("{} entries of the event log", page.entries.len()),
        Observation::ChamberLed(state) => {
            let ChamberLedState { on, color, blink } = state;
            let light = if *blink { "blinking" } else { "steady" };
            format!("lamp is {}, colour {color:?}, {light}", on_or_off(*on))
        }
        Observation::AssetText { text, .. } => format!("asset text is {text:?}"),
        Observation::Version(text) => format!("version is {text:?}"),
        Observation::Sensor(reading) => format!("reading is {}", reading.raw),
        Observation::BootTarget(boot) => format!("boot target is {}", boot_text(boot)),
        Observation::RawIpmi(answer) => {
            format!("completion code is {:#04x}, with {} bytes of data", answer.completion, answer.data.len())
        }
        Observation::Done => "done".to_owned(),
    }
}
