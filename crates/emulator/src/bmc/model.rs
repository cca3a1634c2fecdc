//! What all BMCs of a fleet have in common, checked and made ready once: users, algorithms, sensors and their records,
//! timing. Immutable and shared.

use std::time::Duration;

use opendcre_ipmi::packet::rakp::MAX_USERNAME;
use opendcre_ipmi::packet::v1_5::AuthType;
use opendcre_ipmi::{CipherSuite, Privilege, Secret, cipher};

use super::config::{AccessConfig, ConfigError, FleetConfig, FruConfig, MachineConfig, SensorConfig};
use super::fault::FaultPlan;
use super::machine::PowerTiming;
use super::sdr;
use super::sensor::{Sensor, SensorKind};

/// The channel over which everything comes.
pub(super) const LAN_CHANNEL: u8 = 1;

const MAX_COUNT: u32 = 65_536;
const MAX_USERS: usize = 14;
const MAX_SENSORS: usize = 200;
const MAX_SESSIONS: u8 = 63;
const MAX_SENSOR_NAME: usize = 16;
const MIN_EXCURSION: Duration = Duration::from_mins(1);

/// A user.
#[derive(Debug)]
pub(super) struct User {
    pub name: Vec<u8>,
    pub password: Secret,
    pub limit: Privilege,
}

/// What BMCs have in common.
#[derive(Debug)]
pub(super) struct Model {
    pub seed: u64,
    pub users: Vec<User>,
    pub channel_limit: Privilege,
    pub auth_types: Vec<AuthType>,
    pub suites: Vec<CipherSuite>,
    /// The suites as they are listed.
    pub suite_records: Vec<u8>,
    pub kg: Option<Secret>,
    pub session_limit: u8,
    pub session_timeout: Duration,
    pub is_on: bool,
    pub power: PowerTiming,
    pub bmc_start: Duration,
    pub event_log_capacity: usize,
    pub event_interval: Duration,
    pub manufacturer: u32,
    pub product: u16,
    pub read_limit: u8,
    pub fru: FruConfig,
    pub sensors: Vec<Sensor>,
    /// The sensor data records; the id of each is its index and one.
    pub sdrs: Vec<Vec<u8>>,
    pub faults: FaultPlan,
}

impl Model {
    /// Checks a configuration.
    pub(super) fn new(config: &FleetConfig) -> Result<Self, ConfigError> {
        let FleetConfig { listen: _, spread: _, count, seed, access, machine, faults } = config;
        check("count", (1..=MAX_COUNT).contains(count), "must be 1 to 65536")?;
        check_access(access)?;
        check_machine(machine)?;
        let suites = suites(&access.cipher_suites)?;
        let sensors = sensors(&machine.sensors)?;
        let MachineConfig { power_up_delay, soft_off_delay, cycle_pause, .. } = *machine;
        Ok(Self {
            seed: *seed,
            users: access.users.iter().map(user).collect(),
            channel_limit: access.channel_privilege,
            auth_types: access.auth_types.clone(),
            suite_records: cipher::encode_records(&suites),
            suites,
            kg: access.kg.clone(),
            session_limit: access.session_limit,
            session_timeout: access.session_timeout,
            is_on: machine.is_on,
            power: PowerTiming { power_up_delay, soft_off_delay, cycle_pause },
            bmc_start: machine.bmc_start,
            event_log_capacity: usize::from(machine.event_log_capacity),
            event_interval: machine.event_interval,
            manufacturer: machine.manufacturer_id,
            product: machine.product_id,
            read_limit: machine.read_limit,
            fru: machine.fru.clone(),
            sdrs: sdr::records(&sensors, machine),
            sensors,
            faults: faults.clone(),
        })
    }

    /// The first sensor of a kind.
    pub(super) fn sensor_of(&self, kind: SensorKind) -> Option<&Sensor> {
        self.sensors.iter().find(|sensor| sensor.kind == kind)
    }

    /// The sensor with this number.
    pub(super) fn sensor(&self, number: u8) -> Option<&Sensor> {
        self.sensors.get(usize::from(number.checked_sub(1)?))
    }
}

fn check(key: &str, is_sound: bool, message: &str) -> Result<(), ConfigError> {
    match is_sound {
        true => Ok(()),
        false => Err(ConfigError::Value { key: key.to_owned(), message: message.to_owned() }),
    }
}

fn check_access(access: &AccessConfig) -> Result<(), ConfigError> {
    check("access.users", access.users.len() <= MAX_USERS, "must be at most 14 users")?;
    check("access.session_limit", (1..=MAX_SESSIONS).contains(&access.session_limit), "must be 1 to 63")?;
    check("access.session_timeout", !access.session_timeout.is_zero(), "must be more than nothing")?;
    for (index, user) in access.users.iter().enumerate() {
        let is_sound = (1..=MAX_USERNAME).contains(&user.name.len()) && !user.name.contains('\0');
        check(
            &format!("access.users[{index}].name"),
            is_sound,
            "must have 1 to 16 bytes, none of them zero",
        )?;
    }
    Ok(())
}

fn check_machine(machine: &MachineConfig) -> Result<(), ConfigError> {
    let MachineConfig { event_log_capacity, event_interval, manufacturer_id, read_limit, .. } = machine;
    check("machine.event_log_capacity", (16..=4096).contains(event_log_capacity), "must be 16 to 4096")?;
    check("machine.event_interval", event_interval.as_secs() > 0, "must be at least one second")?;
    check("machine.manufacturer_id", *manufacturer_id < 1 << 20, "must be less than 1048576")?;
    check("machine.read_limit", *read_limit >= 8, "must be at least 8")?;
    Ok(())
}

fn suites(ids: &[u8]) -> Result<Vec<CipherSuite>, ConfigError> {
    let suite = |(index, id): (usize, &u8)| {
        CipherSuite::from_id(*id).ok_or_else(|| ConfigError::Value {
            key: format!("access.cipher_suites[{index}]"),
            message: format!("{id} is not a cipher suite that can be emulated"),
        })
    };
    ids.iter().enumerate().map(suite).collect()
}

fn sensors(configs: &[SensorConfig]) -> Result<Vec<Sensor>, ConfigError> {
    check("machine.sensors", configs.len() <= MAX_SENSORS, "must be at most 200 sensors")?;
    let mut sensors: Vec<Sensor> = Vec::with_capacity(configs.len());
    for (number, config) in (1_u8..).zip(configs) {
        let key = |key| format!("machine.sensors[{}].{key}", number - 1);
        let is_named = (1..=MAX_SENSOR_NAME).contains(&config.name.len()) && config.name.is_ascii();
        check(&key("name"), is_named, "must be 1 to 16 characters of ASCII")?;
        let is_voltage = matches!(config.kind, SensorKind::Voltage | SensorKind::Battery);
        let is_sound = match config.nominal {
            None => !is_voltage,
            Some(volts) => is_voltage && volts > 0.0 && volts <= 100.0,
        };
        check(
            &key("nominal"),
            is_sound,
            "must be a voltage of at most 100 V for voltages, and absent otherwise",
        )?;
        let is_sound =
            config.excursion.is_none_or(|interval| interval >= MIN_EXCURSION && config.kind.states() == 0);
        check(
            &key("excursion"),
            is_sound,
            "must be at least one minute, and absent for sensors without thresholds",
        )?;
        let before = sensors.iter().filter(|sensor| sensor.kind == config.kind).count();
        let instance = u8::try_from(before).unwrap_or(u8::MAX).saturating_add(1);
        sensors.push(Sensor::new(number, instance, config));
    }
    Ok(sensors)
}

fn user(config: &super::config::UserConfig) -> User {
    User {
        name: config.name.clone().into_bytes(),
        password: config.password.clone(),
        limit: config.privilege,
    }
}
