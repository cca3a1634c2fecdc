//! One emulated machine with everything that commands act upon: power and sensors, event log, thresholds, boot
//! options, power limit. It knows no sessions and no packets.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use opendcre_ipmi::Completion;

use super::config::ConfigError;
use super::event_log::{Event, EventLog};
use super::fault::Defects;
use super::fru;
use super::machine::{Change, ChassisAction, Machine, Observation, Pin};
use super::model::Model;
use super::reservation::Reservation;
use super::sensor::{Form, Sensor, SensorKind, Thresholds};
use crate::random::SplitMix64;

/// Sensors are looked at so often for events, however often they are read.
const SCAN_INTERVAL: Duration = Duration::from_secs(5);
/// Background events that are due at once are at most so many; the rest is skipped.
const MAX_EVENTS_AT_ONCE: usize = 8;
/// Boot options that no start has used up become invalid after so long (IPMI 2.0 §28.13, parameter 3).
const BOOT_OPTIONS_TIMEOUT: Duration = Duration::from_secs(60);

/// Sensor types of events that belong to no sensor of the machine (IPMI 2.0 table 42-3), the numbers that such events
/// carry, and the event type "sensor-specific".
const MEMORY: u8 = 0x0c;
const EVENT_LOGGING: u8 = 0x10;
const SYSTEM_BOOT: u8 = 0x1d;
const ACPI_STATE: u8 = 0x22;
const CRITICAL_INTERRUPT: u8 = 0x13;
const EVENT_ONLY: u8 = 0xf0;
const SENSOR_SPECIFIC: u8 = 0x6f;
const THRESHOLD: u8 = 0x01;
/// Event data bytes 2 and 3 hold the reading and the threshold (table 29-6).
const READING_AND_THRESHOLD: u8 = 0x50;
const END_OF_STATE: u8 = 0x80;

/// Where one BMC differs from the others of its fleet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Identity {
    pub index: u32,
    pub guid: [u8; 16],
    pub address: Ipv4Addr,
}

impl Identity {
    /// The BMC with this index. The GUID looks like a random one (RFC 9562 §5.4), least significant byte first.
    pub(super) fn new(seed: u64, index: u32, address: Ipv4Addr) -> Self {
        let mut guid: [u8; 16] = SplitMix64::for_index(!seed, index).bytes();
        let [.., variant, _, version, _, _, _, _, _, _] = &mut guid;
        *version = *version & 0x0f | 0x40;
        *variant = *variant & 0x3f | 0x80;
        Self { index, guid, address }
    }

    /// A hardware address that is administered locally.
    pub(super) const fn hardware_address(&self) -> [u8; 6] {
        let [_, a, b, c] = self.index.to_be_bytes();
        [0x02, 0x0d, 0xce, a, b, c]
    }
}

/// What a machine does when it gets power again (IPMI 2.0 §28.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RestorePolicy {
    StayOff = 0,
    Previous = 1,
    PowerUp = 2,
}

/// The boot flags (IPMI 2.0 §28.13, parameter 5) and when they were set.
#[derive(Debug, Default)]
pub(super) struct BootOptions {
    /// Parameter 0.
    pub progress: u8,
    /// Parameter 3: what does not make the flags invalid.
    pub kept_by: u8,
    /// Parameter 4.
    pub acknowledge: [u8; 2],
    pub flags: [u8; 5],
    set_at: Duration,
}

/// The power limit of DCMI (DCMI 1.5 §6.6.2).
#[derive(Debug)]
pub(super) struct PowerLimit {
    pub is_active: bool,
    pub action: u8,
    pub watts: u16,
    pub correction_ms: u32,
    pub sampling_seconds: u16,
}

impl Default for PowerLimit {
    /// No limit, and for the times the least that one can have.
    fn default() -> Self {
        Self { is_active: false, action: 0, watts: 0, correction_ms: 1000, sampling_seconds: 1 }
    }
}

/// A machine and what its BMC remembers.
#[derive(Debug)]
pub(super) struct Device {
    pub model: Arc<Model>,
    pub identity: Identity,
    pub defects: Defects,
    pub machine: Machine,
    pub log: EventLog,
    pub sdr_reservation: Reservation,
    pub inventory: Vec<u8>,
    pub boot: BootOptions,
    pub restore_policy: RestorePolicy,
    pub limit: PowerLimit,
    pub asset_tag: Vec<u8>,
    pub controller_id: Vec<u8>,
    /// Why the machine last started (IPMI 2.0 §28.11).
    pub restart_cause: u8,
    /// What the power did last, for the chassis status (§28.2).
    pub last_power_event: u8,
    /// The BMC is to start again.
    pub is_reset_due: bool,
    /// The thresholds of all sensors, once one has been changed.
    changed_thresholds: Option<Vec<Option<Thresholds>>>,
    /// The thresholds that sensors have reached, those only that have reached any.
    reached: Vec<(u8, u8)>,
    /// Seconds since 1970 when the BMC was made, as its own clock has it.
    epoch: u32,
    next_scan: Duration,
    next_event: Duration,
    random: SplitMix64,
}

impl Device {
    /// A machine. `epoch` is the time in seconds since 1970.
    pub(super) fn new(
        model: Arc<Model>,
        identity: Identity,
        defects: Defects,
        epoch: u32,
    ) -> Result<Self, ConfigError> {
        let mut random = SplitMix64::for_index(model.seed, identity.index);
        let controller_id = format!("bmc-{:06}", identity.index).into_bytes();
        let mut device = Self {
            identity,
            defects,
            machine: Machine::new(model.is_on, &mut random),
            log: EventLog::new(model.event_log_capacity),
            sdr_reservation: Reservation::new(),
            inventory: fru::inventory(&model.fru, identity.index)?,
            boot: BootOptions::default(),
            restore_policy: RestorePolicy::Previous,
            limit: PowerLimit::default(),
            asset_tag: model.fru.asset_tag.clone().into_bytes(),
            controller_id,
            restart_cause: 0,
            last_power_event: 0,
            is_reset_due: false,
            changed_thresholds: None,
            reached: Vec::new(),
            epoch,
            next_scan: Duration::ZERO,
            next_event: Duration::ZERO,
            random,
            model,
        };
        device.next_event = device.event_pause();
        device.log.log(Event { sensor_type: ACPI_STATE, ..event(0) }, epoch);
        device.log.log(Event { sensor_type: SYSTEM_BOOT, ..event(0) }, epoch);
        Ok(device)
    }

    /// The time of the BMC's own clock, in seconds since 1970.
    pub(super) fn seconds(&self, now: Duration) -> u32 {
        self.epoch.wrapping_add(u32::try_from(now.as_secs()).unwrap_or(u32::MAX))
    }

    /// Sets the BMC's own clock.
    pub(super) fn set_seconds(&mut self, seconds: u32, now: Duration) {
        self.epoch = self.epoch.wrapping_add(seconds.wrapping_sub(self.seconds(now)));
    }

    /// Lets happen what happens by itself until `now`.
    pub(super) fn advance(&mut self, now: Duration) {
        self.machine.power.advance(now);
        self.log_power_changes();
        if now >= self.next_scan {
            self.next_scan = now.saturating_add(SCAN_INTERVAL);
            self.scan(now);
        }
        for _ in 0..MAX_EVENTS_AT_ONCE {
            if now < self.next_event {
                return;
            }
            self.log_background_event();
        }
        self.next_event = now.saturating_add(self.event_pause());
    }

    /// Carries out a chassis control command.
    pub(super) fn control(&mut self, action: ChassisAction, now: Duration) -> Result<(), Completion> {
        if !self.machine.power.control(action, self.model.power, now) {
            return Err(Completion::NOT_IN_PRESENT_STATE);
        }
        if matches!(action, ChassisAction::PowerUp | ChassisAction::PowerCycle | ChassisAction::HardReset) {
            // Chassis Control command (§28.11).
            self.restart_cause = 1;
        }
        self.log_power_changes();
        Ok(())
    }

    /// Takes all records out of the event log, which begins anew with one that says so.
    pub(super) fn clear_log(&mut self, now: Duration) {
        let seconds = self.seconds(now);
        self.log.clear(seconds);
        // Log area reset or cleared (table 42-3).
        self.log.log(Event { sensor_type: EVENT_LOGGING, ..event(2) }, seconds);
    }

    /// What a BMC forgets when it starts again.
    pub(super) const fn on_bmc_start(&mut self) {
        self.sdr_reservation.cancel();
        self.log.reservation.cancel();
        self.boot.progress = 0;
    }

    /// Takes the mains away for a moment, after which the machine does what its restore policy says.
    pub(super) fn lose_mains(&mut self, now: Duration) {
        let is_on = match self.restore_policy {
            RestorePolicy::StayOff => false,
            RestorePolicy::Previous => self.machine.power.is_on(),
            RestorePolicy::PowerUp => true,
        };
        self.machine.power.on_mains_loss(is_on, self.model.power, now);
        self.log_power_changes();
        // AC failed (§28.2).
        self.last_power_event = 0x01;
        self.is_reset_due = true;
    }

    /// Makes a sensor say something fixed, or lets it measure again; the next look at it is at once.
    pub(super) fn pin(&mut self, number: u8, pin: Option<Pin>) {
        self.machine.pin(number, pin);
        self.next_scan = Duration::ZERO;
    }

    /// What the sensor shows as a raw byte; nothing for those without a value now.
    pub(super) fn raw_value(&self, sensor: &Sensor, now: Duration) -> Option<u8> {
        match (sensor.form, self.machine.observe(sensor, now)) {
            (Form::Analog { coding, .. }, Observation::Value(value)) => Some(coding.encode(value)),
            _ => None,
        }
    }

    /// The thresholds of a sensor that has some.
    pub(super) fn thresholds(&self, sensor: &Sensor) -> Option<Thresholds> {
        let index = usize::from(sensor.number).saturating_sub(1);
        let changed = self.changed_thresholds.as_ref().and_then(|all| all.get(index).copied().flatten());
        changed.or_else(|| sensor.thresholds())
    }

    /// Changes the thresholds of a sensor.
    pub(super) fn set_thresholds(&mut self, number: u8, thresholds: Thresholds) {
        let count = self.model.sensors.len();
        let all = self.changed_thresholds.get_or_insert_with(|| vec![None; count]);
        if let Some(entry) = all.get_mut(usize::from(number).saturating_sub(1)) {
            *entry = Some(thresholds);
        }
        self.next_scan = Duration::ZERO;
    }

    /// The power that the machine takes, in watts.
    pub(super) fn watts(&self, now: Duration) -> f64 {
        match self.model.sensor_of(SensorKind::Power).map(|sensor| self.machine.observe(sensor, now)) {
            Some(Observation::Value(watts)) => watts,
            _ => self.machine.conditions(now).watts,
        }
    }

    /// The boot flags, without the mark of validity once they are too old.
    pub(super) fn boot_flags(&self, now: Duration) -> [u8; 5] {
        let [first, rest @ ..] = self.boot.flags;
        let stays = self.boot.kept_by & 0x08 != 0;
        let is_valid = stays || now.saturating_sub(self.boot.set_at) < BOOT_OPTIONS_TIMEOUT;
        let [a, b, c, d] = rest;
        [if is_valid { first } else { first & 0x7f }, a, b, c, d]
    }

    /// Sets the boot flags.
    pub(super) const fn set_boot_flags(&mut self, flags: [u8; 5], now: Duration) {
        self.boot.flags = flags;
        self.boot.set_at = now;
    }

    fn log_power_changes(&mut self) {
        while let Some((at, change)) = self.machine.power.take_change() {
            let seconds = self.seconds(at);
            let acpi = |offset| Event { sensor_type: ACPI_STATE, ..event(offset) };
            match change {
                Change::On => {
                    // Turned on by a command (§28.2).
                    self.last_power_event = 0x10;
                    self.log.log(acpi(0), seconds);
                    self.start(Event { sensor_type: SYSTEM_BOOT, ..event(0) }, at);
                }
                Change::Off => {
                    self.last_power_event = 0;
                    // S5, soft off.
                    self.log.log(acpi(5), seconds);
                }
                Change::Reset => self.start(Event { sensor_type: SYSTEM_BOOT, ..event(1) }, at),
                Change::DiagnosticInterrupt => {
                    self.log.log(Event { sensor_type: CRITICAL_INTERRUPT, ..event(0) }, seconds);
                }
            }
        }
    }

    /// The machine starts: boot flags that are not persistent are used up.
    fn start(&mut self, event: Event, at: Duration) {
        self.log.log(event, self.seconds(at));
        self.boot.flags = self.boot_flags(at);
        let [first, ..] = &mut self.boot.flags;
        // Bit 6: for all future starts and not only the next one.
        if *first & 0x40 == 0 {
            self.boot.flags = [0; 5];
        }
    }

    /// Logs thresholds that sensors have reached, or left, since the last time.
    fn scan(&mut self, now: Duration) {
        let model = Arc::clone(&self.model);
        for sensor in &model.sensors {
            let (Form::Analog { coding, .. }, Some(thresholds)) = (sensor.form, self.thresholds(sensor))
            else {
                continue;
            };
            let Some(raw) = self.raw_value(sensor, now) else { continue };
            let before = self.reached_by(sensor.number);
            let after = thresholds.reached_since(&coding, raw, before);
            if before != after {
                self.reached.retain(|(number, _)| *number != sensor.number);
                self.reached.extend((after != 0).then_some((sensor.number, after)));
                self.log_thresholds(sensor, thresholds, raw, before, after, now);
            }
        }
    }

    fn reached_by(&self, number: u8) -> u8 {
        self.reached.iter().find(|(other, _)| *other == number).map_or(0, |(_, reached)| *reached)
    }

    fn log_thresholds(
        &mut self,
        sensor: &Sensor,
        thresholds: Thresholds,
        raw: u8,
        before: u8,
        after: u8,
        now: Duration,
    ) {
        let seconds = self.seconds(now);
        for (index, threshold) in (0_u8..).zip(thresholds.raw) {
            let is_reached = after & 1 << index != 0;
            if is_reached == (before & 1 << index != 0) {
                continue;
            }
            let offset = Thresholds::event_offset(index);
            let kind = THRESHOLD | if is_reached { 0 } else { END_OF_STATE };
            let data = [READING_AND_THRESHOLD | offset, raw, threshold];
            let event = Event { sensor_type: sensor.kind.sensor_type(), sensor: sensor.number, kind, data };
            self.log.log(event, seconds);
        }
    }

    fn log_background_event(&mut self) {
        let at = self.next_event;
        // A corrected memory error in one of 16 modules.
        let module = self.random.byte() & 0x0f;
        let data = [0xa0, 0xff, module];
        let event = Event { sensor_type: MEMORY, sensor: EVENT_ONLY, kind: SENSOR_SPECIFIC, data };
        self.log.log(event, self.seconds(at));
        self.next_event = at.saturating_add(self.event_pause());
    }

    /// Until the next background event: half the interval to one and a half.
    fn event_pause(&mut self) -> Duration {
        let interval = self.model.event_interval;
        (interval / 2).saturating_add(self.random.duration(interval))
    }
}

/// A sensor-specific event with this offset, of no sensor in particular.
const fn event(offset: u8) -> Event {
    Event { sensor_type: 0, sensor: EVENT_ONLY, kind: SENSOR_SPECIFIC, data: [offset, 0xff, 0xff] }
}
