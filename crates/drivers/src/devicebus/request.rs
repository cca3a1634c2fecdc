//! Queries and actions in the words of the bus: what is sent, and how the answer is to be read. What the protocol of a
//! bus does not have is refused here, before anything is sent. Pure.

use opendcre_devicebus::{
    BootTarget as BusBootTarget, ChamberLed, Command, MAX_DATA, Override, PowerSwitch, Protocol, Request,
    address, kind,
};
use opendcre_model::{
    Action, BoardId, BootOverride, BootTarget, ChamberLedSetting, DeviceAddress, DeviceId, DeviceKind,
    DriverError, Fault, PowerAction, Query, excerpt,
};

use super::answer::Form;

/// The longest asset text that boards store (§7).
const MAX_ASSET_TEXT: usize = 127;
/// The fastest that a fan may be told to run, in revolutions per minute (§7).
const MAX_FAN_SPEED: u16 = 10_000;
/// The longest name of a rack that fits a packet beside everything that may be set (§7.6).
const MAX_RACK: usize = MAX_DATA - "L-1,,ff8800,-1".len();

/// A request that changes nothing, and the form of its answer.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) request: Request,
    pub(super) form: Form,
}

/// What performs an action.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) request: Request,
    pub(super) reply: ChangeReply,
    /// Tells whether the action took effect.
    pub(super) read_back: Question,
}

/// What a device answers to a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ChangeReply {
    /// The state, in the form in which it is read back.
    State,
    /// That it accepts the change, or not (§7.4).
    Acceptance,
}

/// How `query` is asked.
pub(super) fn question(query: &Query, protocol: Protocol) -> Result<Question, DriverError> {
    let (device, kind_code, command, form) = match *query {
        Query::Version(board) => (whole(board), kind::NONE, Command::Version, Form::Version),
        Query::Sensor { device, kind } => (device, kind::code(kind), Command::Read, Form::Reading(kind)),
        Query::Power { device, kind } => {
            (device, power_code(kind, protocol)?, Command::PowerStatus, Form::Power)
        }
        Query::AssetText(device) => (device, kind::POWER, Command::AssetText, Form::AssetText),
        Query::AssetInfo(device) => (device, kind::SYSTEM, Command::AssetInfo, Form::AssetInfo),
        Query::BootTarget(device) => (device, kind::SYSTEM, Command::BootTarget, Form::BootTarget),
        Query::HostInfo(device) => (device, kind::SYSTEM, Command::HostInfo, Form::HostInfo),
        Query::Led(device) => (device, kind::LED, Command::Read, Form::Led),
        Query::EventLog { .. } => return Err(unsupported("devices on a bus keep no event log")),
    };
    Ok(Question { request: request(device, kind_code, command, protocol)?, form })
}

/// How `action` is performed.
pub(super) fn change(action: &Action, protocol: Protocol) -> Result<Change, DriverError> {
    let device = action.device();
    let change = |command, reply, query| {
        let read_back = question(&query, protocol)?;
        let request = request(device, read_back.request.kind_code, command, protocol)?;
        Ok(Change { request, reply, read_back })
    };
    match action {
        Action::Power { action, kind, .. } => {
            let command = Command::Power(power_switch(*action)?);
            change(command, ChangeReply::State, Query::Power { device, kind: *kind })
        }
        Action::SetAssetText { text, .. } => {
            change(Command::SetAssetText(asset_text(text)?), ChangeReply::State, Query::AssetText(device))
        }
        Action::SetBootTarget { boot, .. } => {
            change(Command::SetBootTarget(boot_target(*boot)?), ChangeReply::State, Query::BootTarget(device))
        }
        Action::SetLed { on, .. } => {
            change(Command::WriteLed(*on), ChangeReply::Acceptance, Query::Led(device))
        }
        Action::SetFanSpeed { rpm, .. } => {
            // Fans of chambers answer to the type of other fans, too (§7).
            let fan = Query::Sensor { device, kind: DeviceKind::FanSpeed };
            change(Command::WriteFan(fan_speed(*rpm)?), ChangeReply::Acceptance, fan)
        }
        Action::SetChamberLed { setting, .. } => change_of_chamber_led(device, setting, protocol),
        Action::Identify { .. }
        | Action::SetPowerLimit { .. }
        | Action::ClearEventLog { .. }
        | Action::RawIpmi { .. } => Err(unsupported("devices on a bus cannot do this")),
    }
}

/// There is no question for the state of a chamber lamp, but a setting that leaves everything as it is (§7.6).
fn change_of_chamber_led(
    device: DeviceAddress,
    setting: &ChamberLedSetting,
    protocol: Protocol,
) -> Result<Change, DriverError> {
    let rack = rack(&setting.rack)?;
    let untouched =
        ChamberLed { state: Override::Keep, rack: rack.clone(), color: None, blink: Override::Keep };
    let wanted = ChamberLed {
        state: setting.on.into(),
        rack,
        color: setting.color.map(|color| color.to_string()),
        blink: setting.blink.into(),
    };
    let to_lamp = |led| request(device, kind::VAPOR_LED, Command::ChamberLed(led), protocol);
    Ok(Change {
        request: to_lamp(wanted)?,
        reply: ChangeReply::State,
        read_back: Question { request: to_lamp(untouched)?, form: Form::ChamberLed },
    })
}

fn request(
    device: DeviceAddress,
    kind_code: u8,
    command: Command,
    protocol: Protocol,
) -> Result<Request, DriverError> {
    let since = command.since();
    if since > protocol {
        return Err(unsupported(&format!(
            "boards of release {protocol} cannot do this, only those of {since} and later; if the boards are newer, \
             correct `protocol` of the bus"
        )));
    }
    Ok(Request::to_device(kind_code, bus_board(device.board)?, device.device.0, command))
}

const fn whole(board: BoardId) -> DeviceAddress {
    DeviceAddress { board, device: DeviceId(address::WHOLE_BOARD) }
}

/// The number of a board that may be addressed; ids above carry broadcast flags or belong to other protocols.
pub(super) fn bus_board(board: BoardId) -> Result<u32, DriverError> {
    if board.0 <= address::MAX_BOARD {
        return Ok(board.0);
    }
    Err(invalid(format!("board {board} is no device bus board; their ids end at {:08x}", address::MAX_BOARD)))
}

/// The type code of what has power to switch (§7).
fn power_code(kind: DeviceKind, protocol: Protocol) -> Result<u8, DriverError> {
    match (kind, protocol) {
        (DeviceKind::Power, _) | (DeviceKind::VaporRectifier | DeviceKind::VaporBattery, Protocol::V1_3) => {
            Ok(kind::code(kind))
        }
        _ => Err(unsupported(&format!(
            "a device of the kind {kind} has no power to switch on a bus of release {protocol}"
        ))),
    }
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

fn boot_target(boot: BootOverride) -> Result<BusBootTarget, DriverError> {
    let BootOverride { target, persistent, efi } = boot;
    match target {
        _ if persistent || efi => {
            Err(unsupported("servers on a bus boot otherwise only once, and know no UEFI boot"))
        }
        BootTarget::NoOverride => Ok(BusBootTarget::NoOverride),
        BootTarget::Pxe => Ok(BusBootTarget::Pxe),
        BootTarget::Disk => Ok(BusBootTarget::Hdd),
        _ => Err(unsupported(&format!(
            "servers on a bus know no boot target {target}; use pxe, disk or no_override"
        ))),
    }
}

fn fan_speed(rpm: u16) -> Result<String, DriverError> {
    if rpm > MAX_FAN_SPEED {
        return Err(invalid(format!("a fan speed of {rpm} rpm is above {MAX_FAN_SPEED}")));
    }
    Ok(rpm.to_string())
}

fn asset_text(text: &str) -> Result<Vec<u8>, DriverError> {
    if !text.is_ascii() {
        return Err(invalid("asset text must be ASCII; the bus carries one byte a character".to_owned()));
    }
    if text.len() > MAX_ASSET_TEXT {
        return Err(invalid(format!(
            "asset text of {} characters is longer than {MAX_ASSET_TEXT}",
            text.len()
        )));
    }
    Ok(text.as_bytes().to_vec())
}

/// The rack as it stands between the commas of a command. A comma in it would pass for the end of it, and what follows
/// for what is to be set.
fn rack(text: &str) -> Result<String, DriverError> {
    let fits = |byte: u8| matches!(byte, b' '..=b'~') && byte != b',';
    if !text.bytes().all(fits) || text.is_empty() || text.len() > MAX_RACK {
        return Err(invalid(format!(
            "a chamber lamp takes racks of 1 to {MAX_RACK} printable ASCII characters without commas, not {:?}",
            excerpt(text)
        )));
    }
    Ok(text.to_owned())
}

fn unsupported(reason: &str) -> DriverError {
    DriverError::new(Fault::Unsupported, format!("{reason}; nothing was sent"))
}

fn invalid(reason: String) -> DriverError {
    DriverError::new(Fault::Invalid, reason)
}

#[cfg(test)]
mod tests {
    use opendcre_model::{LogCursor, Rgb};

    use super::*;

    const DEVICE: DeviceAddress = DeviceAddress { board: BoardId(0x70), device: DeviceId(1) };
    const THERE: BootOverride = BootOverride { target: BootTarget::Pxe, persistent: false, efi: false };

    fn setting(rack: &str) -> Action {
        let (on, color, blink) = (Some(true), Some(Rgb([0xff, 0x88, 0])), Some(true));
        let setting = ChamberLedSetting { rack: rack.to_owned(), on, color, blink };
        Action::SetChamberLed { device: DEVICE, setting }
    }

    fn fault<T: std::fmt::Debug>(result: Result<T, DriverError>) -> Fault {
        result.unwrap_err().fault
    }

    #[track_caller]
    fn encodes(request: &Request, sequence: u8, hex: &str) {
        let bytes: Vec<u8> =
            hex.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect();
        assert_eq!(request.encode(sequence).unwrap(), bytes);
    }

    #[test]
    fn questions_are_the_vectors_of_the_description() {
        let at = |board| DeviceAddress { board: BoardId(board), device: DeviceId(1) };
        for (query, sequence, hex) in [
            (Query::AssetInfo(at(0x50)), 0x30, "01 0A 30 12 00 00 00 50 00 01 41 2C 04"),
            (Query::BootTarget(at(0x40)), 0x31, "01 0B 31 12 00 00 00 40 00 01 42 3F FB 04"),
            (Query::HostInfo(at(0x90)), 0x37, "01 0A 37 12 00 00 00 90 00 01 48 DE 04"),
            (
                Query::Power { device: at(0x60), kind: DeviceKind::VaporRectifier },
                0x38,
                "01 0B 38 48 00 00 00 60 00 01 50 3F 90 04",
            ),
            (Query::Version(BoardId(1)), 0x0a, "01 0A 0A FF 00 00 00 01 FF FF 56 A2 04"),
        ] {
            encodes(&question(&query, Protocol::V1_3).unwrap().request, sequence, hex);
        }
    }

    #[test]
    fn changes_are_the_vectors_of_the_description() {
        let at = |board, device| DeviceAddress { board: BoardId(board), device: DeviceId(device) };
        let boot = |target| {
            let boot = BootOverride { target, ..THERE };
            Action::SetBootTarget { device: at(0x40, 1), boot }
        };
        for (action, sequence, hex) in [
            (
                Action::SetLed { device: at(1, 5), on: true },
                0x20,
                "01 0B 20 10 00 00 00 01 00 05 57 31 42 04",
            ),
            (
                Action::SetLed { device: at(1, 5), on: false },
                0x21,
                "01 0B 21 10 00 00 00 01 00 05 57 30 42 04",
            ),
            (
                Action::SetFanSpeed { device: at(1, 2), rpm: 4100 },
                0x22,
                "01 0F 22 82 00 00 00 01 00 02 57 FF 34 31 30 30 3E 04",
            ),
            (boot(BootTarget::Pxe), 0x32, "01 0B 32 12 00 00 00 40 00 01 42 32 07 04"),
            (boot(BootTarget::NoOverride), 0x34, "01 0B 34 12 00 00 00 40 00 01 42 30 07 04"),
            (
                setting("3"),
                0x35,
                "01 16 35 08 00 00 00 70 00 01 4C 31 2C 33 2C 66 66 38 38 30 30 2C 31 51 04",
            ),
        ] {
            encodes(&change(&action, Protocol::V1_3).unwrap().request, sequence, hex);
        }
        let read_back = change(&setting("rack_1"), Protocol::V1_3).unwrap().read_back;
        let untouched = "01 19 36 08 00 00 00 70 00 01 4C 2D 31 2C 72 61 63 6B 5F 31 2C 2D 31 2C 2D 31 36 04";
        encodes(&read_back.request, 0x36, untouched);
    }

    #[test]
    fn what_a_release_does_not_have_is_refused() {
        let led = Action::SetLed { device: DEVICE, on: true };
        let fan = Action::SetFanSpeed { device: DEVICE, rpm: 0 };
        let boot = Action::SetBootTarget { device: DEVICE, boot: THERE };
        for action in [&led, &fan, &boot, &setting("3")] {
            assert_eq!(fault(change(action, Protocol::V1_1)), Fault::Unsupported, "{action:?}");
        }
        for action in [&boot, &setting("3")] {
            assert_eq!(fault(change(action, Protocol::V1_2)), Fault::Unsupported, "{action:?}");
        }
        assert!(change(&led, Protocol::V1_2).is_ok() && change(&fan, Protocol::V1_2).is_ok());
        let battery = Query::Power { device: DEVICE, kind: DeviceKind::VaporBattery };
        for query in [Query::AssetInfo(DEVICE), Query::BootTarget(DEVICE), Query::HostInfo(DEVICE), battery] {
            assert_eq!(fault(question(&query, Protocol::V1_2)), Fault::Unsupported, "{query:?}");
        }
        let log = Query::EventLog { device: DEVICE, after: LogCursor::default() };
        assert_eq!(fault(question(&log, Protocol::V1_3)), Fault::Unsupported);
        let thermistor = Query::Power { device: DEVICE, kind: DeviceKind::Thermistor };
        assert_eq!(fault(question(&thermistor, Protocol::V1_3)), Fault::Unsupported);
        assert!(question(&Query::Led(DEVICE), Protocol::V1_1).is_ok(), "an ordinary read");
    }

    #[test]
    fn what_the_bus_cannot_say_is_refused() {
        let rpm = |rpm| change(&Action::SetFanSpeed { device: DEVICE, rpm }, Protocol::V1_3);
        assert!(rpm(10_000).is_ok());
        assert_eq!(fault(rpm(10_001)), Fault::Invalid);
        for boot in [
            BootOverride { target: BootTarget::Setup, ..THERE },
            BootOverride { persistent: true, ..THERE },
            BootOverride { efi: true, ..THERE },
        ] {
            let action = Action::SetBootTarget { device: DEVICE, boot };
            assert_eq!(fault(change(&action, Protocol::V1_3)), Fault::Unsupported, "{boot:?}");
        }
    }

    #[test]
    fn a_rack_is_one_field_that_fits() {
        for rack in ["3", "rack 7 ~!", &"r".repeat(MAX_RACK)] {
            let change = change(&setting(rack), Protocol::V1_3).unwrap();
            assert!(change.request.encode(1).is_ok() && change.read_back.request.encode(1).is_ok());
        }
        for rack in ["", "a,ff0000,1", "a\n", "räck", "\u{7f}", &"r".repeat(MAX_RACK + 1)] {
            assert_eq!(fault(change(&setting(rack), Protocol::V1_3)), Fault::Invalid, "{rack}");
        }
    }
}
