//! Device type codes (§6).

use std::fmt;

use opendcre_model::DeviceKind;

/// The version of the protocol that the boards of a bus speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protocol {
    /// Release 1.1: no retry command, codes `12` and `82` are `ipmb` and `door_lock`.
    V1_1,
    /// Releases 1.2.x: retry command, write commands, codes `12` and `82` are `system` and `fan_speed`.
    V1_2,
    /// Release 1.3: asset information, boot target, chamber LED, host information, racks' power equipment.
    V1_3,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::V1_1 => "1.1",
            Self::V1_2 => "1.2",
            Self::V1_3 => "1.3",
        })
    }
}

/// The code of devices whose kind has no code of its own (§6).
pub const NONE: u8 = 0xff;
/// Codes that appear in commands which exist for one type only (§7).
pub const VAPOR_LED: u8 = 0x08;
/// Indicator lamp.
pub const LED: u8 = 0x10;
/// The server itself.
pub const SYSTEM: u8 = 0x12;
/// Power switch.
pub const POWER: u8 = 0x40;
/// Rectifier.
pub const VAPOR_RECTIFIER: u8 = 0x48;
/// Battery unit.
pub const VAPOR_BATTERY: u8 = 0x4a;
/// Fan.
pub const FAN_SPEED: u8 = 0x82;
/// Chamber fan.
pub const VAPOR_FAN: u8 = 0x88;

/// The code of a kind; [`NONE`] for kinds that exist as names only.
#[must_use]
pub const fn code(kind: DeviceKind) -> u8 {
    match kind {
        DeviceKind::VaporLed => VAPOR_LED,
        DeviceKind::Led => LED,
        DeviceKind::Ipmb | DeviceKind::System => SYSTEM,
        DeviceKind::Power => POWER,
        DeviceKind::VaporRectifier => VAPOR_RECTIFIER,
        DeviceKind::VaporBattery => VAPOR_BATTERY,
        DeviceKind::Humidity => 0x4e,
        DeviceKind::DoorLock | DeviceKind::FanSpeed => FAN_SPEED,
        DeviceKind::VaporFan => VAPOR_FAN,
        DeviceKind::Current => 0x90,
        DeviceKind::Temperature => 0x9a,
        DeviceKind::Thermistor => 0x9c,
        DeviceKind::Pressure => 0xee,
        DeviceKind::PowerSupply => 0xf0,
        DeviceKind::Airflow => 0xf2,
        DeviceKind::None | DeviceKind::Sensor | DeviceKind::Voltage => NONE,
    }
}

/// The kind that a code means in `protocol`; [`DeviceKind::None`] for codes that mean nothing.
#[must_use]
pub const fn from_code(code: u8, protocol: Protocol) -> DeviceKind {
    match (code, protocol) {
        (SYSTEM, Protocol::V1_1) => DeviceKind::Ipmb,
        (SYSTEM, _) => DeviceKind::System,
        (FAN_SPEED, Protocol::V1_1) => DeviceKind::DoorLock,
        (FAN_SPEED, _) => DeviceKind::FanSpeed,
        (LED, _) => DeviceKind::Led,
        (POWER, _) => DeviceKind::Power,
        (0x4e, _) => DeviceKind::Humidity,
        (0x90, _) => DeviceKind::Current,
        (0x9a, _) => DeviceKind::Temperature,
        (0x9c, _) => DeviceKind::Thermistor,
        (0xee, _) => DeviceKind::Pressure,
        (VAPOR_LED, Protocol::V1_3) => DeviceKind::VaporLed,
        (VAPOR_RECTIFIER, Protocol::V1_3) => DeviceKind::VaporRectifier,
        (VAPOR_BATTERY, Protocol::V1_3) => DeviceKind::VaporBattery,
        (VAPOR_FAN, Protocol::V1_3) => DeviceKind::VaporFan,
        (0xf0, Protocol::V1_3) => DeviceKind::PowerSupply,
        (0xf2, Protocol::V1_3) => DeviceKind::Airflow,
        _ => DeviceKind::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_1_3_lead_back_to_their_kind() {
        use DeviceKind::{DoorLock, Ipmb, Sensor, Voltage};
        let without_code_of_its_own = [Ipmb, DoorLock, Sensor, Voltage];
        for kind in DeviceKind::ALL.iter().filter(|kind| !without_code_of_its_own.contains(kind)) {
            assert_eq!(from_code(code(*kind), Protocol::V1_3), *kind);
        }
    }

    #[test]
    fn codes_mean_what_the_release_says() {
        assert_eq!(from_code(0x82, Protocol::V1_1), DeviceKind::DoorLock);
        assert_eq!(from_code(0x82, Protocol::V1_2), DeviceKind::FanSpeed);
        assert_eq!(from_code(0x12, Protocol::V1_1), DeviceKind::Ipmb);
        assert_eq!(from_code(0x48, Protocol::V1_2), DeviceKind::None);
        assert_eq!(from_code(0x99, Protocol::V1_3), DeviceKind::None);
    }
}
