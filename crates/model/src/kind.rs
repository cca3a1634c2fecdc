//! What a device is.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::excerpt;

/// A name that is no device kind.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is not a device kind")]
pub struct UnknownKind(pub String);

macro_rules! device_kinds {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)+) => {
        /// The kind of a device, named as the REST API names it (in lower case, words joined by `_`).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum DeviceKind {
            $($(#[$doc])* $variant,)+
        }

        impl DeviceKind {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The name in the API.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

device_kinds! {
    /// Air flow sensor.
    Airflow = "airflow",
    /// Current sensor.
    Current = "current",
    /// Door lock.
    DoorLock = "door_lock",
    /// Fan with a speed in revolutions per minute.
    FanSpeed = "fan_speed",
    /// Relative humidity and temperature in one sensor.
    Humidity = "humidity",
    /// Serial management bus of a server, the old name of what [`DeviceKind::System`] is now.
    Ipmb = "ipmb",
    /// Indicator lamp.
    Led = "led",
    /// A position without a device.
    None = "none",
    /// Power switch and meter.
    Power = "power",
    /// Power supply unit.
    PowerSupply = "power_supply",
    /// Pressure sensor.
    Pressure = "pressure",
    /// Any other sensor.
    Sensor = "sensor",
    /// The server itself: asset information, boot target, host names.
    System = "system",
    /// Temperature sensor that reports degrees Celsius.
    Temperature = "temperature",
    /// Thermistor that reports a converter count.
    Thermistor = "thermistor",
    /// Battery unit.
    VaporBattery = "vapor_battery",
    /// Fan of a chamber.
    VaporFan = "vapor_fan",
    /// Lamp of a chamber, shared by its racks.
    VaporLed = "vapor_led",
    /// Rectifier.
    VaporRectifier = "vapor_rectifier",
    /// Voltage sensor.
    Voltage = "voltage",
}

impl fmt::Display for DeviceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for DeviceKind {
    type Err = UnknownKind;

    /// Reads a name in any case.
    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        let same_name = |kind: &&Self| kind.name().eq_ignore_ascii_case(text);
        Self::ALL.iter().find(same_name).copied().ok_or_else(|| UnknownKind(excerpt(text)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_leads_back_to_its_kind() {
        for kind in DeviceKind::ALL {
            assert_eq!(kind.name().parse(), Ok(*kind));
            assert_eq!(kind.name().to_uppercase().parse(), Ok(*kind));
        }
        assert_eq!("sofa".parse::<DeviceKind>(), Err(UnknownKind("sofa".into())));
    }
}
