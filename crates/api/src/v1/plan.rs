//! What a request takes: a command to the equipment, or an answer that is known already.
//!
//! Everything that can be refused without asking the equipment is refused here.

use hyper::body::Bytes;
use opendcre_gateway::{Command, View};
use opendcre_model::{
    Action, BoardId, BootOverride, BootTarget, ChamberLedSetting, DeviceAddress, DeviceKind, PowerAction,
    Query, Rgb, SERVER_LED, SERVER_SYSTEM, Scope, excerpt,
};

use super::body;
use super::refusal::{Owner, Refusal};
use super::request::{Address, Request};
use super::target::Target;
use super::{ALIVE, Generation};
use crate::error::ApiError;

/// The greatest speed of a fan.
const MAX_RPM: u16 = 10_000;

/// What a request takes.
#[derive(Debug)]
pub(super) enum Plan {
    /// Answer with this text.
    Tell(Bytes),
    /// Look for boards.
    Scan(Command, Layout),
    /// Ask one board, or change something of it.
    Ask(Command, Owner),
    /// Ask for the power of a server, or change it, and tell what it draws.
    ServerPower(Command, BoardId),
}

/// How the boards of a scan are shown.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// One by one.
    Boards,
    /// In their racks.
    Racks,
    /// In the rack of this name only.
    Rack(String),
}

impl Plan {
    /// What is asked of the gateway, if anything is.
    pub(super) const fn command(&self) -> Option<&Command> {
        match self {
            Self::Tell(_) => None,
            Self::Scan(command, _) | Self::Ask(command, _) | Self::ServerPower(command, _) => Some(command),
        }
    }
}

/// Finds out what a request takes.
struct Planner<'a> {
    generation: Generation,
    view: &'a View,
}

/// What `request` takes.
pub(super) fn plan(generation: Generation, view: &View, request: &Request<'_>) -> Result<Plan, ApiError> {
    let planner = Planner { generation, view };
    match *request {
        Request::Test => Ok(Plan::Tell(Bytes::from_static(ALIVE))),
        Request::PlcConfig => Err(unsupported("plc_config", "this gateway").into()),
        Request::Version { board } => planner.version(board),
        Request::ScanAll => Ok(planner.scan_all()),
        Request::ScanForce => Ok(Plan::Scan(Command::Refresh(Scope::All), Layout::Racks)),
        Request::ScanRack { rack } => {
            Ok(Plan::Scan(Command::List(Scope::All), Layout::Rack(rack.to_owned())))
        }
        Request::ScanBoard { board } => planner.scan_board(board),
        Request::Read { kind, device } => planner.read(kind, device),
        Request::Power { kind, device, command } => planner.power(kind, device, command),
        Request::Asset { device } => planner.system(device, "asset", Query::AssetInfo),
        Request::BootTarget { device, target: None } => {
            planner.system(device, "boot_target", Query::BootTarget)
        }
        Request::BootTarget { device, target: Some(target) } => planner.set_boot_target(device, target),
        Request::Location { board, device } => planner.location(board, device),
        Request::Led { color: Some(_), .. } => Err(unsupported("led color", "the lamps of API 1.2").into()),
        Request::Led { device, state, color: None } => planner.led(device, state),
        Request::ChamberLed { rack, device, state, color, blink } => {
            planner.chamber_led(device, chamber_setting(rack, state, color, blink)?)
        }
        Request::Fan { device, rpm: None } => planner.read(DeviceKind::FanSpeed.name(), device),
        Request::Fan { device, rpm: Some(rpm) } => planner.set_fan_speed(device, rpm),
        Request::HostInfo { device } => planner.host_info(device),
    }
}

impl Planner<'_> {
    fn target(&self, board: &str) -> Result<Target, Refusal> {
        Target::find(self.view, self.generation, board)
    }

    fn version(&self, board: &str) -> Result<Plan, ApiError> {
        let target = self.target(board)?;
        match target.owner {
            Owner::Server => body::version(self.generation, body::SERVER_FIRMWARE).map(Plan::Tell),
            owner => Ok(ask(Query::Version(target.board), owner)),
        }
    }

    const fn scan_all(&self) -> Plan {
        match self.generation {
            Generation::V1_2 => Plan::Scan(Command::Scan(Scope::All), Layout::Boards),
            Generation::V1_3 => Plan::Scan(Command::List(Scope::All), Layout::Racks),
        }
    }

    fn scan_board(&self, board: &str) -> Result<Plan, ApiError> {
        let target = self.target(board)?;
        Ok(Plan::Scan(Command::Scan(Scope::Board(target.board)), Layout::Boards))
    }

    fn read(&self, kind: &str, device: Address<'_>) -> Result<Plan, ApiError> {
        let kind: DeviceKind = kind.parse().map_err(|_| Refusal::UnknownKind(excerpt(kind)))?;
        let target = self.target(device.board)?;
        let is_sensor = body::server_sensors(self.generation).contains(&kind);
        if target.owner == Owner::Server && !is_sensor {
            return Err(unsupported(&format!("read {kind}"), target.owner.name()).into());
        }
        let device = target.device(device.device, &[kind], &format!("read {kind}"))?;
        let query = match kind {
            DeviceKind::Led => Query::Led(device),
            kind => Query::Sensor { device, kind },
        };
        Ok(ask(query, target.owner))
    }

    fn power(
        &self,
        kind: Option<&str>,
        device: Address<'_>,
        command: Option<&str>,
    ) -> Result<Plan, ApiError> {
        let target = self.target(device.board)?;
        let action = command.map_or(Ok(None), |word| self.power_action(word))?;
        let device = target.device(device.device, &[DeviceKind::Power], "power")?;
        let kind = self.power_kind(&target, kind, device)?;
        let command = match action {
            None => Command::Query(Query::Power { device, kind }),
            Some(action) => Command::Action(Action::Power { device, kind, action }),
        };
        Ok(match (self.generation, target.owner) {
            (Generation::V1_3, Owner::Server) => Plan::ServerPower(command, target.board),
            (_, owner) => Plan::Ask(command, owner),
        })
    }

    /// The action that a word stands for; nothing if it only asks. API 1.3 takes the exact words only.
    fn power_action(&self, word: &str) -> Result<Option<PowerAction>, Refusal> {
        let exact = match self.generation {
            Generation::V1_2 => word.to_ascii_lowercase(),
            Generation::V1_3 => word.to_owned(),
        };
        match exact.as_str() {
            "status" => Ok(None),
            "on" => Ok(Some(PowerAction::On)),
            "off" => Ok(Some(PowerAction::Off)),
            "cycle" => Ok(Some(PowerAction::Cycle)),
            _ => Err(unknown_word("power command", word, "on, off, cycle or status")),
        }
    }

    /// The kind of power device that is asked: on a bus of API 1.3 the one of the path, else the one that a scan has
    /// shown, as far as it is one.
    fn power_kind(
        &self,
        target: &Target,
        kind: Option<&str>,
        device: DeviceAddress,
    ) -> Result<DeviceKind, Refusal> {
        if target.owner == Owner::Server || self.generation == Generation::V1_2 {
            return Ok(DeviceKind::Power);
        }
        let Some(kind) = kind else {
            let known = target.known_kind(device.device).filter(|kind| is_power(*kind));
            return Ok(known.unwrap_or(DeviceKind::Power));
        };
        match kind.parse() {
            Ok(kind) if is_power(kind) => Ok(kind),
            Ok(kind) => Err(unsupported(&format!("power {kind}"), target.owner.name())),
            Err(_) => Err(Refusal::UnknownKind(excerpt(kind))),
        }
    }

    /// A question to a server itself. On a bus, boards know it since API 1.3.
    fn system(
        &self,
        device: Address<'_>,
        command: &str,
        query: fn(DeviceAddress) -> Query,
    ) -> Result<Plan, ApiError> {
        let (device, owner) = self.system_device(device, command)?;
        Ok(ask(query(device), owner))
    }

    fn set_boot_target(&self, device: Address<'_>, target: &str) -> Result<Plan, ApiError> {
        let target = match target {
            "pxe" => BootTarget::Pxe,
            "hdd" => BootTarget::Disk,
            "no_override" => BootTarget::NoOverride,
            _ => return Err(unknown_word("boot target", target, "pxe, hdd or no_override").into()),
        };
        let (device, owner) = self.system_device(device, "boot_target")?;
        let boot = BootOverride { target, persistent: false, efi: false };
        Ok(change(Action::SetBootTarget { device, boot }, owner))
    }

    fn system_device(&self, device: Address<'_>, command: &str) -> Result<(DeviceAddress, Owner), Refusal> {
        let target = self.target(device.board)?;
        if self.generation == Generation::V1_2 && target.owner == Owner::Bus {
            return Err(unsupported(command, target.owner.name()));
        }
        Ok((target.device(device.device, &[DeviceKind::System], command)?, target.owner))
    }

    fn location(&self, board: &str, device: Option<&str>) -> Result<Plan, ApiError> {
        let target = self.target(board)?;
        let device = device.map(|device| target.place(device)).transpose()?;
        body::location(device).map(Plan::Tell)
    }

    fn led(&self, device: Address<'_>, state: Option<&str>) -> Result<Plan, ApiError> {
        let target = self.target(device.board)?;
        let on = match state {
            // Leaving a lamp as it is can only mean to look at it.
            Some(state) => self.lamp_state(state)?,
            None => None,
        };
        let device = self.lamp(&target, device.device)?;
        Ok(match on {
            None => ask(Query::Led(device), target.owner),
            Some(on) => change(Action::SetLed { device, on }, target.owner),
        })
    }

    fn lamp_state(&self, state: &str) -> Result<Option<bool>, Refusal> {
        match (self.generation, on_or_off(state)) {
            (Generation::V1_2, Ok(None)) => Err(unknown_word("led state", state, "on or off")),
            (_, on) => on,
        }
    }

    /// The lamp of a server was part of its system device until release 1.2.1.
    fn lamp(&self, target: &Target, device: &str) -> Result<DeviceAddress, Refusal> {
        let kinds: &[DeviceKind] = match self.generation {
            Generation::V1_2 => &[DeviceKind::Led, DeviceKind::System],
            Generation::V1_3 => &[DeviceKind::Led],
        };
        let mut lamp = target.device(device, kinds, "led")?;
        let is_old = self.generation == Generation::V1_2 && lamp.device == SERVER_SYSTEM;
        if is_old && target.owner == Owner::Server {
            lamp.device = SERVER_LED;
        }
        Ok(lamp)
    }

    fn chamber_led(&self, device: Address<'_>, setting: ChamberLedSetting) -> Result<Plan, ApiError> {
        let target = self.target(device.board)?;
        if target.owner == Owner::Server {
            return Err(unsupported("chamber led", target.owner.name()).into());
        }
        let device = target.device(device.device, &[DeviceKind::VaporLed], "chamber led")?;
        Ok(change(Action::SetChamberLed { device, setting }, target.owner))
    }

    fn set_fan_speed(&self, device: Address<'_>, rpm: &str) -> Result<Plan, ApiError> {
        let rpm = speed(rpm)?;
        let target = self.target(device.board)?;
        if target.owner == Owner::Server {
            return Err(unsupported("fan speed", target.owner.name()).into());
        }
        let device = target.device(device.device, &[DeviceKind::FanSpeed], "fan")?;
        Ok(change(Action::SetFanSpeed { device, rpm }, target.owner))
    }

    /// The device of a server has never been looked at.
    fn host_info(&self, device: Address<'_>) -> Result<Plan, ApiError> {
        let target = self.target(device.board)?;
        if let Some(server) = target.server() {
            return body::host_info(&server.hostnames, &server.ip_addresses).map(Plan::Tell);
        }
        let device = target.device(device.device, &[DeviceKind::System], "host_info")?;
        Ok(ask(Query::HostInfo(device), target.owner))
    }
}

const fn ask(query: Query, owner: Owner) -> Plan {
    Plan::Ask(Command::Query(query), owner)
}

const fn change(action: Action, owner: Owner) -> Plan {
    Plan::Ask(Command::Action(action), owner)
}

fn unsupported(command: &str, by: &'static str) -> Refusal {
    Refusal::Unsupported { command: command.to_owned(), by }
}

fn unknown_word(what: &'static str, word: &str, choice: &'static str) -> Refusal {
    Refusal::UnknownWord { what, word: excerpt(word), choice }
}

const fn is_power(kind: DeviceKind) -> bool {
    matches!(kind, DeviceKind::Power | DeviceKind::VaporRectifier | DeviceKind::VaporBattery)
}

fn chamber_setting(rack: &str, state: &str, color: &str, blink: &str) -> Result<ChamberLedSetting, Refusal> {
    let (on, color, blink) = (on_or_off(state)?, rgb(color)?, blinking(blink)?);
    Ok(ChamberLedSetting { rack: rack.to_owned(), on, color, blink })
}

fn on_or_off(state: &str) -> Result<Option<bool>, Refusal> {
    match state {
        "on" => Ok(Some(true)),
        "off" => Ok(Some(false)),
        "no_override" => Ok(None),
        _ => Err(unknown_word("led state", state, "on, off or no_override")),
    }
}

fn rgb(color: &str) -> Result<Option<Rgb>, Refusal> {
    if color == "no_override" {
        return Ok(None);
    }
    let choice = "six hexadecimal digits, such as ff8800, or no_override";
    color.parse().map(Some).map_err(|_| unknown_word("color", color, choice))
}

fn blinking(blink: &str) -> Result<Option<bool>, Refusal> {
    match blink {
        "blink" => Ok(Some(true)),
        "steady" => Ok(Some(false)),
        "no_override" => Ok(None),
        _ => Err(unknown_word("blink state", blink, "blink, steady or no_override")),
    }
}

fn speed(text: &str) -> Result<u16, Refusal> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    let speed = text.parse().ok().filter(|rpm| is_number && *rpm <= MAX_RPM);
    speed.ok_or_else(|| unknown_word("fan speed", text, "a decimal number of rpm from 0 to 10000"))
}
