//! What tests, demonstrations and benchmarks may look at and change in an emulated BMC, past its protocol.

use std::time::Instant;

use super::emulated_bmc::{Bmc, Counters};
use super::fault::Defects;
use super::machine::{ChassisAction, Observation, Pin};

impl Bmc {
    /// Whether the machine is on.
    pub fn is_on(&mut self, now: Instant) -> bool {
        let now = self.since_start(now);
        self.device.advance(now);
        self.device.machine.power.is_on()
    }

    /// Carries out a chassis control command, as if somebody pressed the button. False says that it is not possible in
    /// the present state.
    pub fn control(&mut self, action: ChassisAction, now: Instant) -> bool {
        let now = self.since_start(now);
        self.device.advance(now);
        self.device.control(action, now).is_ok()
    }

    /// How often the machine has started since the beginning, by power or by reset.
    #[must_use]
    pub const fn starts(&self) -> u32 {
        self.device.machine.power.starts()
    }

    /// The value that the sensor with this name measures, in its unit; nothing if there is no such sensor or it has no
    /// value now.
    #[must_use]
    pub fn value(&self, sensor: &str, now: Instant) -> Option<f64> {
        let sensor = self.device.model.sensors.iter().find(|other| other.name == sensor)?;
        match self.device.machine.observe(sensor, self.since_start(now)) {
            Observation::Value(value) => Some(value),
            Observation::States(_) | Observation::Unavailable => None,
        }
    }

    /// Makes the sensor with this name say something fixed, or lets it measure again. False says that there is none.
    pub fn pin(&mut self, sensor: &str, pin: Option<Pin>) -> bool {
        let number =
            self.device.model.sensors.iter().find(|other| other.name == sensor).map(|other| other.number);
        if let Some(number) = number {
            self.device.pin(number, pin);
        }
        number.is_some()
    }

    /// How many entries the event log has.
    pub fn events(&mut self, now: Instant) -> usize {
        let now = self.since_start(now);
        self.device.advance(now);
        self.device.log.len()
    }

    /// Whether the identify light is on.
    #[must_use]
    pub fn is_identified(&self, now: Instant) -> bool {
        self.device.machine.is_identified(self.since_start(now))
    }

    /// The boot flags (IPMI 2.0 §28.13, parameter 5).
    #[must_use]
    pub fn boot_flags(&self, now: Instant) -> [u8; 5] {
        self.device.boot_flags(self.since_start(now))
    }

    /// How many sessions are open; silent ones count until a datagram comes.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.sessions.active().len()
    }

    /// Forgets all sessions, as BMCs sometimes do.
    pub fn lose_sessions(&mut self) {
        self.sessions.clear();
    }

    /// Takes the mains away for a moment: the BMC starts anew, the machine does what its restore policy says.
    pub fn lose_mains(&mut self, now: Instant) {
        let now = self.since_start(now);
        self.device.advance(now);
        self.device.lose_mains(now);
        self.restart(now);
    }

    /// What the BMC does wrong for good.
    #[must_use]
    pub const fn defects(&self) -> Defects {
        self.device.defects
    }

    /// Changes what the BMC does wrong for good; with `dead`, it falls silent until changed again.
    pub const fn set_defects(&mut self, defects: Defects) {
        self.device.defects = defects;
    }

    /// What it has seen so far.
    #[must_use]
    pub const fn counters(&self) -> Counters {
        self.counters
    }
}
