//! The six thresholds of a sensor, and the health that a comparison with them gives (IPMI 2.0 §35.9, §35.14).

use std::fmt;

use crate::wire::Reader;
use crate::{Command, DecodeError, NetFn, Request};

/// How a sensor judges what it measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Health {
    /// Within its bounds.
    Ok,
    /// Out of the ordinary.
    NonCritical,
    /// Out of its bounds.
    Critical,
    /// Damage is possible.
    NonRecoverable,
}

impl Health {
    /// The health that the comparison bits of a threshold sensor give (IPMI 2.0 §35.14): the worst that is set.
    #[must_use]
    pub const fn from_comparison(bits: u8) -> Self {
        match bits {
            bits if bits & 0b10_0100 != 0 => Self::NonRecoverable,
            bits if bits & 0b01_0010 != 0 => Self::Critical,
            bits if bits & 0b00_1001 != 0 => Self::NonCritical,
            _ => Self::Ok,
        }
    }

    /// The health that a state of event/reading type 07h gives (IPMI 2.0 §42.1, table 42-2); nothing for the states
    /// that only inform.
    #[must_use]
    pub const fn from_severity(offset: u8) -> Option<Self> {
        match offset {
            0 => Some(Self::Ok),
            1 | 4 => Some(Self::NonCritical),
            2 | 5 => Some(Self::Critical),
            3 | 6 => Some(Self::NonRecoverable),
            _ => None,
        }
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ok => "ok",
            Self::NonCritical => "non-critical",
            Self::Critical => "critical",
            Self::NonRecoverable => "non-recoverable",
        })
    }
}

/// One of the six thresholds. The numbers are those of its bit in every mask, and of its comparison bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Threshold {
    /// Lower non-critical.
    LowerNonCritical = 0,
    /// Lower critical.
    LowerCritical = 1,
    /// Lower non-recoverable.
    LowerNonRecoverable = 2,
    /// Upper non-critical.
    UpperNonCritical = 3,
    /// Upper critical.
    UpperCritical = 4,
    /// Upper non-recoverable.
    UpperNonRecoverable = 5,
}

impl Threshold {
    /// All, in the order of their bits.
    pub const ALL: [Self; 6] = [
        Self::LowerNonCritical,
        Self::LowerCritical,
        Self::LowerNonRecoverable,
        Self::UpperNonCritical,
        Self::UpperCritical,
        Self::UpperNonRecoverable,
    ];

    /// Its bit in every mask.
    #[must_use]
    pub const fn bit(self) -> u8 {
        1 << self as u8
    }

    /// What it means when its comparison bit is set.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::LowerNonCritical => "at or below lower non-critical",
            Self::LowerCritical => "at or below lower critical",
            Self::LowerNonRecoverable => "at or below lower non-recoverable",
            Self::UpperNonCritical => "at or above upper non-critical",
            Self::UpperCritical => "at or above upper critical",
            Self::UpperNonRecoverable => "at or above upper non-recoverable",
        }
    }
}

/// Up to six thresholds, as raw bytes or as numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Thresholds<T> {
    /// Lower non-critical.
    pub lower_non_critical: Option<T>,
    /// Lower critical.
    pub lower_critical: Option<T>,
    /// Lower non-recoverable.
    pub lower_non_recoverable: Option<T>,
    /// Upper non-critical.
    pub upper_non_critical: Option<T>,
    /// Upper critical.
    pub upper_critical: Option<T>,
    /// Upper non-recoverable.
    pub upper_non_recoverable: Option<T>,
}

impl<T: Copy> Thresholds<T> {
    /// From six in the order of their bits, of which those count whose bit is set in `mask`.
    #[must_use]
    pub fn masked(values: [T; 6], mask: u8) -> Self {
        let [
            lower_non_critical,
            lower_critical,
            lower_non_recoverable,
            upper_non_critical,
            upper_critical,
            upper_non_recoverable,
        ] = values;
        let given = |threshold: Threshold, value| (mask & threshold.bit() != 0).then_some(value);
        Self {
            lower_non_critical: given(Threshold::LowerNonCritical, lower_non_critical),
            lower_critical: given(Threshold::LowerCritical, lower_critical),
            lower_non_recoverable: given(Threshold::LowerNonRecoverable, lower_non_recoverable),
            upper_non_critical: given(Threshold::UpperNonCritical, upper_non_critical),
            upper_critical: given(Threshold::UpperCritical, upper_critical),
            upper_non_recoverable: given(Threshold::UpperNonRecoverable, upper_non_recoverable),
        }
    }

    /// One of them.
    #[must_use]
    pub const fn get(&self, threshold: Threshold) -> Option<T> {
        match threshold {
            Threshold::LowerNonCritical => self.lower_non_critical,
            Threshold::LowerCritical => self.lower_critical,
            Threshold::LowerNonRecoverable => self.lower_non_recoverable,
            Threshold::UpperNonCritical => self.upper_non_critical,
            Threshold::UpperCritical => self.upper_critical,
            Threshold::UpperNonRecoverable => self.upper_non_recoverable,
        }
    }

    /// Those that are there, as a mask.
    #[must_use]
    pub fn mask(&self) -> u8 {
        Threshold::ALL
            .into_iter()
            .filter(|threshold| self.get(*threshold).is_some())
            .fold(0, |mask, threshold| mask | threshold.bit())
    }

    /// The same of another kind; what `convert` has no answer to is left out.
    #[must_use]
    pub fn convert<U>(&self, convert: impl Fn(T) -> Option<U>) -> Thresholds<U> {
        Thresholds {
            lower_non_critical: self.lower_non_critical.and_then(&convert),
            lower_critical: self.lower_critical.and_then(&convert),
            lower_non_recoverable: self.lower_non_recoverable.and_then(&convert),
            upper_non_critical: self.upper_non_critical.and_then(&convert),
            upper_critical: self.upper_critical.and_then(&convert),
            upper_non_recoverable: self.upper_non_recoverable.and_then(&convert),
        }
    }
}

impl Thresholds<f64> {
    /// The comparison bits that a sensor has at `value`: what it is at or beyond (IPMI 2.0 §35.14).
    #[must_use]
    pub fn compare(&self, value: f64) -> u8 {
        let reached = |threshold: &Threshold| {
            self.get(*threshold).is_some_and(|bound| match threshold {
                Threshold::LowerNonCritical | Threshold::LowerCritical | Threshold::LowerNonRecoverable => {
                    value <= bound
                }
                _ => value >= bound,
            })
        };
        Threshold::ALL.into_iter().filter(reached).fold(0, |bits, threshold| bits | threshold.bit())
    }
}

impl Thresholds<u8> {
    /// The data of an answer to [`GetSensorThresholds`]; what is not there is sent as zero.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let values = Threshold::ALL.map(|threshold| self.get(threshold).unwrap_or_default());
        [&[self.mask()][..], &values].concat()
    }
}

/// Asks for the thresholds as they are now (IPMI 2.0 §35.9). The answer holds raw bytes; those that cannot be read
/// are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct GetSensorThresholds {
    /// The logical unit that owns the sensor, 0 to 3.
    pub lun: u8,
    /// The sensor.
    pub number: u8,
}

impl Command for GetSensorThresholds {
    type Output = Thresholds<u8>;

    const NAME: &'static str = "Get Sensor Thresholds";

    fn request(&self) -> Request {
        Request { netfn: NetFn::SENSOR, lun: self.lun, command: 0x27, data: vec![self.number] }
    }

    fn parse(&self, data: &[u8]) -> Result<Thresholds<u8>, DecodeError> {
        let mut reader = Reader::new("sensor thresholds", data);
        let mask = reader.u8()?;
        Ok(Thresholds::masked(reader.array()?, mask))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What OpenIPMI's ipmi_sim answers for a sensor whose thresholds ipmitool and FreeIPMI list as 10, 20, 30, 80,
    /// 90 and 250.
    #[test]
    fn thresholds_come_in_the_order_of_the_specification() {
        let command = GetSensorThresholds { lun: 0, number: 0x33 };
        let request = command.request();
        assert_eq!((request.netfn, request.command, request.data), (NetFn::SENSOR, 0x27, vec![0x33]));
        let data = [0x3f, 0x1e, 0x14, 0x0a, 0x50, 0x5a, 0xfa];
        let thresholds = command.parse(&data).unwrap();
        let expected = Thresholds {
            lower_non_critical: Some(30),
            lower_critical: Some(20),
            lower_non_recoverable: Some(10),
            upper_non_critical: Some(80),
            upper_critical: Some(90),
            upper_non_recoverable: Some(250),
        };
        assert_eq!(thresholds, expected);
        assert_eq!(thresholds.encode(), data);
        command.parse(&data[..6]).unwrap_err();
    }

    /// The answer of ipmi_sim for "CPU Temp" of its sensor 1, whose upper thresholds alone can be read.
    #[test]
    fn thresholds_that_cannot_be_read_are_not_there() {
        let command = GetSensorThresholds { lun: 0, number: 1 };
        let thresholds = command.parse(&[0x38, 0, 0, 0, 0x50, 0x5a, 0x5f]).unwrap();
        assert_eq!(thresholds.lower_critical, None);
        assert_eq!(thresholds.upper_non_recoverable, Some(95));
        assert_eq!(thresholds.convert(|raw| Some(f64::from(raw) * 2.0)).upper_critical, Some(180.0));
    }

    #[test]
    fn the_worst_comparison_counts() {
        assert_eq!(Health::from_comparison(0xc0), Health::Ok, "the reserved bits are set");
        assert_eq!(Health::from_comparison(0b00_1000), Health::NonCritical);
        assert_eq!(Health::from_comparison(0b01_1000), Health::Critical);
        assert_eq!(Health::from_comparison(0b11_1000), Health::NonRecoverable);
        assert_eq!(Health::from_comparison(0b00_0001), Health::NonCritical);
        assert_eq!(Health::from_comparison(0b00_0011), Health::Critical);
        assert_eq!(Health::from_comparison(0b00_0111), Health::NonRecoverable);
    }

    #[test]
    fn severities_are_health() {
        let health: Vec<_> = (0..9).map(Health::from_severity).collect();
        use Health::{Critical, NonCritical, NonRecoverable, Ok};
        let expected = [
            Some(Ok),
            Some(NonCritical),
            Some(Critical),
            Some(NonRecoverable),
            Some(NonCritical),
            Some(Critical),
            Some(NonRecoverable),
            None,
            None,
        ];
        assert_eq!(health, expected);
    }

    #[test]
    fn a_value_at_a_threshold_has_reached_it() {
        let thresholds =
            Thresholds { upper_critical: Some(90.0), lower_critical: Some(5.0), ..Thresholds::default() };
        assert_eq!(thresholds.compare(89.9), 0);
        assert_eq!(thresholds.compare(90.0), Threshold::UpperCritical.bit());
        assert_eq!(thresholds.compare(5.0), Threshold::LowerCritical.bit());
    }

    proptest! {
        #[test]
        fn thresholds_come_back(values: [u8; 6], mask in 0_u8..64) {
            let thresholds = Thresholds::masked(values, mask);
            prop_assert_eq!(thresholds.mask(), mask);
            let command = GetSensorThresholds { lun: 0, number: 0 };
            prop_assert_eq!(command.parse(&thresholds.encode()), Ok(thresholds));
        }
    }
}
