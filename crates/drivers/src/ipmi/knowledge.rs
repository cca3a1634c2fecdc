//! What was learned of one BMC and is kept until it changes, so that it need not be asked again. It asks nobody.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use opendcre_ipmi::BMC_ADDRESS;
use opendcre_ipmi::app::DeviceIdentity;
use opendcre_ipmi::quirk::{Quirks, quirks};
use opendcre_ipmi::sdr::Sensor;
use opendcre_ipmi::sel::SystemEvent;
use opendcre_model::{DeviceId, Identity};

use super::survey::{Mark, Survey};

/// What is known of one BMC.
#[derive(Debug, Default)]
pub(super) struct Knowledge {
    known: Mutex<Known>,
    /// Whoever holds it asks what the BMC is; everybody else waits for the result.
    pub(super) turn: tokio::sync::Mutex<Survey>,
}

#[derive(Debug, Default)]
struct Known {
    profile: Option<Arc<Profile>>,
    measures_power: Option<bool>,
}

/// What a BMC is, and which sensors it has.
#[derive(Debug)]
pub(super) struct Profile {
    /// What it says about itself.
    pub(super) device: DeviceIdentity,
    /// What tells its server from others.
    pub(super) identity: Option<Identity>,
    /// What changes when its sensor records do.
    pub(super) marks: Vec<Mark>,
    /// Its sensors by their device ids, each there once.
    pub(super) sensors: Arc<[Sensor]>,
}

impl Knowledge {
    /// A panic elsewhere leaves it consistent.
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the BMC is, once somebody has asked.
    pub(super) fn profile(&self) -> Option<Arc<Profile>> {
        self.known().profile.clone()
    }

    /// Keeps what the BMC is. With other firmware it may measure what it did not measure before.
    pub(super) fn keep_profile(&self, profile: Arc<Profile>) {
        let mut known = self.known();
        if known.profile.as_ref().is_some_and(|before| before.device != profile.device) {
            known.measures_power = None;
        }
        known.profile = Some(profile);
    }

    /// Whether the BMC measures what its server draws, once somebody has asked.
    pub(super) fn measures_power(&self) -> Option<bool> {
        self.known().measures_power
    }

    pub(super) fn keep_measures_power(&self, measures: bool) {
        self.known().measures_power = Some(measures);
    }
}

impl Profile {
    /// How the BMC deviates from the specification.
    pub(super) fn quirks(&self) -> Quirks {
        quirks(self.device.manufacturer, self.device.product)
    }

    /// The sensor that is this device.
    pub(super) fn sensor(&self, id: DeviceId) -> Option<&Sensor> {
        let index = self.sensors.binary_search_by_key(&id, sensor_id).ok()?;
        self.sensors.get(index)
    }

    /// The sensor that reported an event, if it is one of these.
    pub(super) fn sensor_of(&self, event: &SystemEvent) -> Option<&Sensor> {
        let is_of_bmc = event.generator.slave_address() == Some(BMC_ADDRESS) || self.quirks().owner_is_wrong;
        let sensor = self.sensor(device_id(event.generator.lun(), event.sensor_number))?;
        // BMCs report what belongs to no sensor under numbers that sensors may have.
        let is_alike = sensor.interpretation.sensor_type == event.sensor_type;
        (is_of_bmc && is_alike).then_some(sensor)
    }
}

/// Under which id a sensor appears: sensors of different logical units may have the same number.
pub(super) fn sensor_id(sensor: &Sensor) -> DeviceId {
    device_id(sensor.address.lun, sensor.address.number)
}

fn device_id(lun: u8, number: u8) -> DeviceId {
    DeviceId(u16::from(lun) << 12 | u16::from(number))
}
