//! What a fleet of emulated BMCs is like, as text in TOML. Every key has a default; unknown keys are errors.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use jiff::fmt::serde::unsigned_duration::friendly::compact::optional::deserialize as optional_duration;
use opendcre_ipmi::packet::v1_5::AuthType;
use opendcre_ipmi::{Privilege, Secret};
use serde::{Deserialize, Deserializer, de};
use thiserror::Error;

use super::fault::FaultPlan;
use super::sensor::SensorKind;

/// Where a fleet listens and what its BMCs are like. All of them have the same users, sensors and manufacturer; serial
/// number, GUID, hardware address and the course of the readings differ.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FleetConfig {
    /// The address of the first BMC. With port 0 every BMC gets a free port.
    pub listen: SocketAddrV4,
    /// How the addresses of the others follow.
    pub spread: Spread,
    /// How many BMCs there are: 1 to 65,536.
    pub count: u32,
    /// Where all random numbers begin but those of the faults. The same seed brings the same machines.
    pub seed: u64,
    /// Who may do what.
    pub access: AccessConfig,
    /// The machines behind the BMCs.
    pub machine: MachineConfig,
    /// What goes wrong.
    pub faults: FaultPlan,
}

/// How addresses follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Spread {
    /// One address, consecutive ports.
    Ports,
    /// One port, consecutive addresses. On most systems only those in 127.0.0.0/8 are there without further ado.
    Addresses,
}

/// Users, algorithms and sessions.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AccessConfig {
    /// The users, from user id 2 on (user id 1 is the user without a name, who is disabled). At most 14.
    pub users: Vec<UserConfig>,
    /// What nobody may exceed over the network.
    #[serde(deserialize_with = "privilege")]
    pub channel_privilege: Privilege,
    /// What proves who a user is in IPMI 1.5; none of them: no IPMI 1.5.
    #[serde(deserialize_with = "auth_types")]
    pub auth_types: Vec<AuthType>,
    /// The cipher suites of IPMI 2.0 by number; none of them: no IPMI 2.0. Suite 0 lets everybody in who knows a name.
    pub cipher_suites: Vec<u8>,
    /// The key `K_G`, as text of at most 20 bytes or as `0x` and hexadecimal digits.
    #[serde(deserialize_with = "key")]
    pub kg: Option<Secret>,
    /// How many sessions there are at most: 1 to 63.
    pub session_limit: u8,
    /// How long a session may stay silent.
    #[serde(with = "duration")]
    pub session_timeout: Duration,
}

/// A user.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserConfig {
    /// The name, 1 to 16 bytes.
    pub name: String,
    /// The password, at most 20 bytes. Only the first 16 count in IPMI 1.5.
    #[serde(deserialize_with = "secret")]
    pub password: Secret,
    /// What the user may not exceed.
    #[serde(deserialize_with = "privilege")]
    pub privilege: Privilege,
}

/// A machine and its BMC.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MachineConfig {
    /// Whether the machine runs in the beginning.
    pub is_on: bool,
    /// From the command to power up until the power is on.
    #[serde(with = "duration")]
    pub power_up_delay: Duration,
    /// From the command to shut down softly until the power is off.
    #[serde(with = "duration")]
    pub soft_off_delay: Duration,
    /// How long the power stays off in a power cycle.
    #[serde(with = "duration")]
    pub cycle_pause: Duration,
    /// How long the BMC needs to start, in which it is silent.
    #[serde(with = "duration")]
    pub bmc_start: Duration,
    /// How many entries the event log holds: 16 to 4,096.
    pub event_log_capacity: u16,
    /// From one background event, such as a corrected memory error, to the next on average; at least one second.
    #[serde(with = "duration")]
    pub event_interval: Duration,
    /// The IANA enterprise number of the manufacturer, 20 bits.
    pub manufacturer_id: u32,
    /// The manufacturer's number of the product.
    pub product_id: u16,
    /// The most bytes of an SDR or FRU that one answer holds: 8 to 255.
    pub read_limit: u8,
    /// What the inventory says.
    pub fru: FruConfig,
    /// The sensors, numbered from 1; at most 200.
    pub sensors: Vec<SensorConfig>,
}

/// What the inventory (FRU) says. Each text has at most 63 bytes.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FruConfig {
    /// The manufacturer of board and product.
    pub manufacturer: String,
    /// The name of the product.
    pub product: String,
    /// The name of the board.
    pub board: String,
    /// The part number of chassis, board and product.
    pub part_number: String,
    /// What the serial numbers begin with; six digits follow.
    pub serial_prefix: String,
    /// The asset tag of the product.
    pub asset_tag: String,
}

/// A sensor.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SensorConfig {
    /// The name, 1 to 16 characters.
    pub name: String,
    /// What it measures.
    pub kind: SensorKind,
    /// The voltage it should show, in volts; for voltages only, above 0 and at most 100.
    #[serde(default)]
    pub nominal: Option<f64>,
    /// So often it is beyond its critical threshold, for a quarter of the time; at least one minute, and only for sensors
    /// with thresholds. Never without it.
    #[serde(default, deserialize_with = "optional_duration")]
    pub excursion: Option<Duration>,
}

/// Why a fleet cannot be as its configuration says.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// It is not TOML, or a key is unknown or holds something of the wrong kind.
    #[error("line {line}: {message}")]
    Syntax {
        /// The line, from 1.
        line: usize,
        /// What is wrong there.
        message: String,
    },
    /// A value is out of range.
    #[error("{key}: {message}")]
    Value {
        /// The key.
        key: String,
        /// What is wrong with its value.
        message: String,
    },
}

impl FleetConfig {
    /// Reads a configuration.
    ///
    /// # Errors
    /// [`ConfigError::Syntax`] for the first thing that is wrong, with its line. Ranges are checked when the fleet is
    /// made.
    pub fn from_toml(text: &str) -> Result<Self, ConfigError> {
        toml::from_str(text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let line = 1 + before.matches('\n').count();
            ConfigError::Syntax { line, message: error.message().replace('\n', " ") }
        })
    }
}

impl Default for FleetConfig {
    /// One BMC at 127.0.0.1:9623 without faults.
    fn default() -> Self {
        Self {
            listen: SocketAddrV4::new(Ipv4Addr::LOCALHOST, 9623),
            spread: Spread::Ports,
            count: 1,
            seed: 1,
            access: AccessConfig::default(),
            machine: MachineConfig::default(),
            faults: FaultPlan::default(),
        }
    }
}

impl Default for AccessConfig {
    /// The users ADMIN, operator and user, whose passwords are their names; every algorithm but suite 0.
    fn default() -> Self {
        let user = |name: &str, privilege| {
            // The names are shorter than any bound.
            let password = Secret::new(name.as_bytes()).ok()?;
            Some(UserConfig { name: name.to_owned(), password, privilege })
        };
        let users = [
            user("ADMIN", Privilege::Administrator),
            user("operator", Privilege::Operator),
            user("user", Privilege::User),
        ];
        Self {
            users: users.into_iter().flatten().collect(),
            channel_privilege: Privilege::Administrator,
            auth_types: vec![AuthType::None, AuthType::Md2, AuthType::Md5, AuthType::Password],
            cipher_suites: vec![1, 2, 3, 15, 16, 17],
            kg: None,
            session_limit: 4,
            session_timeout: Duration::from_secs(60),
        }
    }
}

impl Default for MachineConfig {
    /// A running two-socket server.
    fn default() -> Self {
        Self {
            is_on: true,
            power_up_delay: Duration::from_secs(2),
            soft_off_delay: Duration::from_secs(4),
            cycle_pause: Duration::from_secs(2),
            bmc_start: Duration::from_secs(10),
            event_log_capacity: 512,
            event_interval: Duration::from_hours(6),
            // Reserved for documentation by RFC 5612.
            manufacturer_id: 32473,
            product_id: 0x0dce,
            read_limit: u8::MAX,
            fru: FruConfig::default(),
            sensors: default_sensors(),
        }
    }
}

impl Default for FruConfig {
    fn default() -> Self {
        Self {
            manufacturer: "OpenDCRE".into(),
            product: "Emulated Server".into(),
            board: "Emulated Board".into(),
            part_number: "ODC-1U-2S".into(),
            serial_prefix: "EMU".into(),
            asset_tag: "unassigned".into(),
        }
    }
}

fn default_sensors() -> Vec<SensorConfig> {
    use SensorKind::*;
    let sensor =
        |name: &str, kind, nominal| SensorConfig { name: name.to_owned(), kind, nominal, excursion: None };
    vec![
        sensor("CPU1 Temp", CpuTemperature, None),
        sensor("CPU2 Temp", CpuTemperature, None),
        sensor("Inlet Temp", InletTemperature, None),
        sensor("Exhaust Temp", ExhaustTemperature, None),
        sensor("FAN1", Fan, None),
        sensor("FAN2", Fan, None),
        sensor("12V", Voltage, Some(12.0)),
        sensor("3.3V", Voltage, Some(3.3)),
        sensor("VBAT", Battery, Some(3.0)),
        sensor("System Power", Power, None),
        sensor("Airflow", Airflow, None),
        sensor("PS1 Status", PowerSupply, None),
        sensor("CPU1 Status", Processor, None),
        sensor("Chassis Intru", Intrusion, None),
    ]
}

/// Durations are written as everywhere in OpenDCRE, for instance `250ms` or `1m 30s`.
pub(super) mod duration {
    pub(crate) use jiff::fmt::serde::unsigned_duration::friendly::compact::required::deserialize;
}

fn privilege<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Privilege, D::Error> {
    match String::deserialize(deserializer)?.as_str() {
        "user" => Ok(Privilege::User),
        "operator" => Ok(Privilege::Operator),
        "administrator" => Ok(Privilege::Administrator),
        other => Err(de::Error::unknown_variant(other, &["user", "operator", "administrator"])),
    }
}

fn auth_types<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<AuthType>, D::Error> {
    let names = Vec::<String>::deserialize(deserializer)?;
    let auth_type = |name: &String| match name.as_str() {
        "none" => Ok(AuthType::None),
        "md2" => Ok(AuthType::Md2),
        "md5" => Ok(AuthType::Md5),
        "password" => Ok(AuthType::Password),
        other => Err(de::Error::unknown_variant(other, &["none", "md2", "md5", "password"])),
    };
    names.iter().map(auth_type).collect()
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
    Secret::new(String::deserialize(deserializer)?.as_bytes()).map_err(de::Error::custom)
}

fn key<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let bytes = match text.strip_prefix("0x") {
        Some(digits) => {
            hex(digits).ok_or_else(|| de::Error::custom("after 0x come pairs of hexadecimal digits"))?
        }
        None => text.into_bytes(),
    };
    Secret::new(&bytes).map(Some).map_err(de::Error::custom)
}

/// The bytes of an even number of hexadecimal digits.
fn hex(digits: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    let byte = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    rest.is_empty().then(|| pairs.iter().map(byte).collect())?
}
