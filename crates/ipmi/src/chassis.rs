//! The chassis: power, its control and what it does when power returns, the identify light, power-on hours (NetFn
//! Chassis, IPMI 2.0 chapter 28); where it boots from is in [`boot`].
//!
//! Does not decide when a command may be repeated: [`ChassisControl`] must not be, everything else here may.

pub mod boot;

use std::fmt;

use crate::wire::Reader;
use crate::{Command, DecodeError, NetFn, Request};

/// Get Chassis Capabilities (IPMI 2.0 §28.1).
pub const GET_CHASSIS_CAPABILITIES: u8 = 0x00;
/// Get Chassis Status (IPMI 2.0 §28.2).
pub const GET_CHASSIS_STATUS: u8 = 0x01;
/// Chassis Control (IPMI 2.0 §28.3).
pub const CHASSIS_CONTROL: u8 = 0x02;
/// Chassis Reset (IPMI 2.0 §28.4), the command of IPMI 1.0 that Chassis Control replaced.
pub const CHASSIS_RESET: u8 = 0x03;
/// Chassis Identify (IPMI 2.0 §28.5).
pub const CHASSIS_IDENTIFY: u8 = 0x04;
/// Set Front Panel Button Enables (IPMI 2.0 §28.6).
pub const SET_FRONT_PANEL_ENABLES: u8 = 0x0a;
/// Set Chassis Capabilities (IPMI 2.0 §28.7).
pub const SET_CHASSIS_CAPABILITIES: u8 = 0x05;
/// Set Power Restore Policy (IPMI 2.0 §28.8).
pub const SET_POWER_RESTORE_POLICY: u8 = 0x06;
/// Set Power Cycle Interval (IPMI 2.0 §28.9).
pub const SET_POWER_CYCLE_INTERVAL: u8 = 0x0b;
/// Get System Restart Cause (IPMI 2.0 §28.11).
pub const GET_SYSTEM_RESTART_CAUSE: u8 = 0x07;
/// Set System Boot Options (IPMI 2.0 §28.12).
pub const SET_SYSTEM_BOOT_OPTIONS: u8 = 0x08;
/// Get System Boot Options (IPMI 2.0 §28.13).
pub const GET_SYSTEM_BOOT_OPTIONS: u8 = 0x09;
/// Get POH Counter (IPMI 2.0 §28.14).
pub const GET_POH_COUNTER: u8 = 0x0f;

/// What a chassis does when mains power returns (IPMI 2.0 table 28-3, byte 2, bits 6 and 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RestorePolicy {
    /// It stays off.
    StayOff = 0,
    /// It goes to the state in which it was.
    Previous = 1,
    /// It powers up.
    PowerUp = 2,
}

impl RestorePolicy {
    /// Reads the two bits; nothing when the BMC does not know the policy.
    const fn from_bits(bits: u8) -> Option<Self> {
        match bits & 3 {
            0 => Some(Self::StayOff),
            1 => Some(Self::Previous),
            2 => Some(Self::PowerUp),
            _ => None,
        }
    }

    /// As ipmitool and FreeIPMI name it: `always-off`, `previous`, `always-on`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::StayOff => "always-off",
            Self::Previous => "previous",
            Self::PowerUp => "always-on",
        }
    }
}

impl fmt::Display for RestorePolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What the identify light does (IPMI 2.0 table 28-3, byte 4, bits 5 and 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IdentifyState {
    /// It is off.
    Off = 0,
    /// It is on for some seconds.
    Temporary = 1,
    /// It is on until it is switched off.
    Indefinite = 2,
    /// The value that the specification leaves free.
    Reserved = 3,
}

/// Why power last went on or off (IPMI 2.0 table 28-3, byte 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LastPowerEvent {
    /// Mains power failed.
    pub ac_failed: bool,
    /// Power went off because of an overload.
    pub overload: bool,
    /// Power went off because an interlock was activated.
    pub interlock: bool,
    /// Power went off because of a power fault.
    pub fault: bool,
    /// Power went on because of an IPMI command.
    pub on_by_command: bool,
}

/// Which buttons of the front panel are disabled, and which may be (IPMI 2.0 table 28-3, byte 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FrontPanel {
    /// The buttons that do nothing now.
    pub disabled: Buttons,
    /// The buttons that software may disable.
    pub may_disable: Buttons,
}

/// A set of buttons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Buttons {
    /// Power off.
    pub power: bool,
    /// Reset.
    pub reset: bool,
    /// Diagnostic interrupt.
    pub diagnostic: bool,
    /// Standby, also called sleep.
    pub standby: bool,
}

impl Buttons {
    const fn from_bits(bits: u8) -> Self {
        Self { power: bits & 1 != 0, reset: bits & 2 != 0, diagnostic: bits & 4 != 0, standby: bits & 8 != 0 }
    }

    fn bits(self) -> u8 {
        pack([self.power, self.reset, self.diagnostic, self.standby])
    }
}

/// Flags as the bits of a byte, the first one lowest.
fn pack<const N: usize>(flags: [bool; N]) -> u8 {
    flags.into_iter().rev().fold(0, |byte, flag| byte << 1 | u8::from(flag))
}

/// The state of a chassis (IPMI 2.0 §28.2, table 28-3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChassisStatus {
    /// Main power is on.
    pub power_on: bool,
    /// Off because of an overload.
    pub overload: bool,
    /// Off because an interlock is active.
    pub interlock: bool,
    /// A fault was found in main power.
    pub fault: bool,
    /// The BMC tried to switch power and it did not follow.
    pub control_fault: bool,
    /// What happens when mains power returns; nothing when the BMC does not know.
    pub restore_policy: Option<RestorePolicy>,
    /// Why power last went on or off.
    pub last_event: LastPowerEvent,
    /// The chassis was opened.
    pub intrusion: bool,
    /// The buttons for power and reset are locked.
    pub lockout: bool,
    /// A drive has failed.
    pub drive_fault: bool,
    /// A fan has failed, or cooling is not sufficient.
    pub fan_fault: bool,
    /// Whether the BMC says what the identify light does. Otherwise [`ChassisStatus::identify`] means nothing, though
    /// some BMCs keep it right all the same.
    pub identify_reported: bool,
    /// What the identify light does.
    pub identify: IdentifyState,
    /// The buttons of the front panel. Optional.
    pub front_panel: Option<FrontPanel>,
}

impl ChassisStatus {
    /// Reads the data of an answer.
    ///
    /// # Errors
    /// When they are fewer than three bytes.
    pub fn decode(data: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new("a chassis status", data);
        let [power, event, misc] = reader.array()?;
        let has = |byte: u8, bit: u8| byte >> bit & 1 != 0;
        Ok(Self {
            power_on: has(power, 0),
            overload: has(power, 1),
            interlock: has(power, 2),
            fault: has(power, 3),
            control_fault: has(power, 4),
            restore_policy: RestorePolicy::from_bits(power >> 5),
            last_event: LastPowerEvent {
                ac_failed: has(event, 0),
                overload: has(event, 1),
                interlock: has(event, 2),
                fault: has(event, 3),
                on_by_command: has(event, 4),
            },
            intrusion: has(misc, 0),
            lockout: has(misc, 1),
            drive_fault: has(misc, 2),
            fan_fault: has(misc, 3),
            identify_reported: has(misc, 6),
            identify: match misc >> 4 & 3 {
                0 => IdentifyState::Off,
                1 => IdentifyState::Temporary,
                2 => IdentifyState::Indefinite,
                _ => IdentifyState::Reserved,
            },
            front_panel: reader.u8().ok().map(|panel| FrontPanel {
                disabled: Buttons::from_bits(panel),
                may_disable: Buttons::from_bits(panel >> 4),
            }),
        })
    }

    /// The data of an answer.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let event = self.last_event;
        let policy = self.restore_policy.map_or(3, |policy| policy as u8);
        let mut data = vec![
            pack([self.power_on, self.overload, self.interlock, self.fault, self.control_fault])
                | policy << 5,
            pack([event.ac_failed, event.overload, event.interlock, event.fault, event.on_by_command]),
            pack([self.intrusion, self.lockout, self.drive_fault, self.fan_fault])
                | (self.identify as u8) << 4
                | u8::from(self.identify_reported) << 6,
        ];
        data.extend(self.front_panel.map(|panel| panel.disabled.bits() | panel.may_disable.bits() << 4));
        data
    }
}

/// Asks for the state of the chassis.
#[derive(Debug, Clone, Copy)]
pub struct GetChassisStatus;

impl Command for GetChassisStatus {
    type Output = ChassisStatus;

    const NAME: &'static str = "Get Chassis Status";

    fn request(&self) -> Request {
        Request::new(NetFn::CHASSIS, GET_CHASSIS_STATUS, &[])
    }

    fn parse(&self, data: &[u8]) -> Result<ChassisStatus, DecodeError> {
        ChassisStatus::decode(data)
    }
}

/// Switches power (IPMI 2.0 §28.3, table 28-4). The BMC answers before power has changed, and may refuse what does not
/// fit the present state with [`crate::Completion::NOT_IN_PRESENT_STATE`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChassisControl {
    /// Off at once, without asking the operating system.
    PowerDown = 0,
    /// On.
    PowerUp = 1,
    /// Off for a while and on again. Needs power on. Optional.
    PowerCycle = 2,
    /// A reset without switching power.
    HardReset = 3,
    /// A diagnostic interrupt, usually an NMI, that lets the operating system dump its memory. Optional.
    Diagnostic = 4,
    /// Asks the operating system to shut down, by a pretended overtemperature. Optional.
    SoftShutdown = 5,
}

impl ChassisControl {
    /// Reads the data of a request.
    ///
    /// # Errors
    /// When there are none, or they mean no known action.
    pub fn decode(data: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new("chassis control", data);
        let action = reader.u8()? & 0x0f;
        Ok(match action {
            0 => Self::PowerDown,
            1 => Self::PowerUp,
            2 => Self::PowerCycle,
            3 => Self::HardReset,
            4 => Self::Diagnostic,
            5 => Self::SoftShutdown,
            _ => return Err(reader.invalid("action", action.into())),
        })
    }
}

impl Command for ChassisControl {
    type Output = ();

    const NAME: &'static str = "Chassis Control";

    fn request(&self) -> Request {
        Request::new(NetFn::CHASSIS, CHASSIS_CONTROL, &[*self as u8])
    }

    fn parse(&self, _: &[u8]) -> Result<(), DecodeError> {
        Ok(())
    }
}

/// Switches the identify light (IPMI 2.0 §28.5, table 28-6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChassisIdentify {
    /// On for some seconds, 1 to 255.
    For {
        /// The seconds; 0 is the same as [`ChassisIdentify::Off`].
        seconds: u8,
    },
    /// On until it is switched off. Came with IPMI 2.0 and is optional there; a BMC that does not have it refuses.
    Indefinite,
    /// Off.
    Off,
}

impl ChassisIdentify {
    /// How long it stays on when a request does not say.
    pub const DEFAULT_SECONDS: u8 = 15;

    /// Reads the data of a request.
    #[must_use]
    pub const fn decode(data: &[u8]) -> Self {
        match *data {
            [_, force, ..] if force & 1 != 0 => Self::Indefinite,
            [0, ..] => Self::Off,
            [seconds, ..] => Self::For { seconds },
            [] => Self::For { seconds: Self::DEFAULT_SECONDS },
        }
    }
}

impl Command for ChassisIdentify {
    type Output = ();

    const NAME: &'static str = "Chassis Identify";

    fn request(&self) -> Request {
        let data: &[u8] = match self {
            Self::For { seconds } => &[*seconds],
            Self::Indefinite => &[0x00, 0x01],
            Self::Off => &[0x00],
        };
        Request::new(NetFn::CHASSIS, CHASSIS_IDENTIFY, data)
    }

    fn parse(&self, _: &[u8]) -> Result<(), DecodeError> {
        Ok(())
    }
}

/// Which policies for the return of mains power a chassis can follow (IPMI 2.0 table 28-9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestorePolicies {
    /// Staying off.
    pub stay_off: bool,
    /// Going to the state in which it was.
    pub previous: bool,
    /// Powering up.
    pub power_up: bool,
}

impl RestorePolicies {
    /// Reads the data of an answer.
    ///
    /// # Errors
    /// When there are none.
    pub fn decode(data: &[u8]) -> Result<Self, DecodeError> {
        let bits = Reader::new("power restore policies", data).u8()?;
        Ok(Self { stay_off: bits & 1 != 0, previous: bits & 2 != 0, power_up: bits & 4 != 0 })
    }

    /// The data of an answer.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        vec![pack([self.stay_off, self.previous, self.power_up])]
    }
}

/// Sets what the chassis does when mains power returns (IPMI 2.0 §28.8, table 28-9), and says what it can do.
#[derive(Debug, Clone, Copy)]
pub struct SetPowerRestorePolicy {
    /// What it shall do; nothing leaves it as it is and only asks what is possible.
    pub policy: Option<RestorePolicy>,
}

impl SetPowerRestorePolicy {
    /// The value that changes nothing.
    const NO_CHANGE: u8 = 3;

    /// Reads the data of a request.
    ///
    /// # Errors
    /// When there are none, or they mean no policy.
    pub fn decode(data: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new("a power restore policy", data);
        let value = reader.u8()? & 7;
        if value > Self::NO_CHANGE {
            return Err(reader.invalid("policy", value.into()));
        }
        Ok(Self { policy: RestorePolicy::from_bits(value) })
    }
}

impl Command for SetPowerRestorePolicy {
    type Output = RestorePolicies;

    const NAME: &'static str = "Set Power Restore Policy";

    fn request(&self) -> Request {
        let value = self.policy.map_or(Self::NO_CHANGE, |policy| policy as u8);
        Request::new(NetFn::CHASSIS, SET_POWER_RESTORE_POLICY, &[value])
    }

    fn parse(&self, data: &[u8]) -> Result<RestorePolicies, DecodeError> {
        RestorePolicies::decode(data)
    }
}

/// How long a chassis has been powered on in its life (IPMI 2.0 §28.14, table 28-16).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PowerOnHours {
    /// How many minutes one count stands for.
    pub minutes_per_count: u8,
    /// The counts.
    pub count: u32,
}

impl PowerOnHours {
    /// The whole time in minutes.
    #[must_use]
    pub fn minutes(&self) -> u64 {
        u64::from(self.minutes_per_count) * u64::from(self.count)
    }

    /// Reads the data of an answer.
    ///
    /// # Errors
    /// When they are fewer than five bytes.
    pub fn decode(data: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new("a POH counter", data);
        Ok(Self { minutes_per_count: reader.u8()?, count: reader.u32()? })
    }

    /// The data of an answer.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut data = vec![self.minutes_per_count];
        data.extend(self.count.to_le_bytes());
        data
    }
}

/// Asks how long the chassis has been powered on in its life.
#[derive(Debug, Clone, Copy)]
pub struct GetPowerOnHours;

impl Command for GetPowerOnHours {
    type Output = PowerOnHours;

    const NAME: &'static str = "Get POH Counter";

    fn request(&self) -> Request {
        Request::new(NetFn::CHASSIS, GET_POH_COUNTER, &[])
    }

    fn parse(&self, data: &[u8]) -> Result<PowerOnHours, DecodeError> {
        PowerOnHours::decode(data)
    }
}

#[cfg(test)]
mod tests;
