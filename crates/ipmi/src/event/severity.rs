//! How bad the states of sensors without thresholds are.
//!
//! IPMI names the states and leaves their weight to whoever reads them. The weights here are ours: what has failed or
//! lost its power is critical, what only announces it or does less than it should is not. States that say what is
//! going on, and those whose meaning depends on the machine, have no weight.

use crate::sensor::Health;
use crate::sensor::Health::{Critical, NonCritical};

/// The offsets of one type that are bad.
struct Weights {
    non_critical: &'static [u8],
    critical: &'static [u8],
}

impl Weights {
    fn of(&self, offset: u8) -> Option<Health> {
        if self.critical.contains(&offset) {
            return Some(Critical);
        }
        self.non_critical.contains(&offset).then_some(NonCritical)
    }
}

/// Of a generic event/reading type (IPMI 2.0 table 42-2).
pub(super) fn generic(event_reading_type: u8, offset: u8) -> Option<Health> {
    let weights = match event_reading_type {
        // Predictive failure, limit exceeded, performance lags.
        0x04..=0x06 => Weights { non_critical: &[1], critical: &[] },
        // Availability: degraded; install error.
        0x0a => Weights { non_critical: &[6], critical: &[8] },
        // Redundancy: degraded, or not there with enough left; lost, or not enough left.
        0x0b => Weights { non_critical: &[2, 3, 4, 6, 7], critical: &[1, 5] },
        _ => return None,
    };
    weights.of(offset)
}

/// Of a sensor type with states of its own (IPMI 2.0 table 42-3).
pub(super) fn specific(sensor_type: u8, offset: u8) -> Option<Health> {
    let weights = match sensor_type {
        // Physical security: everything is an intrusion of some kind.
        0x05 => Weights { non_critical: &[0, 1, 2, 3, 4, 5, 6], critical: &[] },
        // Processor: disabled, throttled, corrected; internal error, thermal trip, hangs, not corrected.
        0x07 => Weights { non_critical: &[8, 10, 12], critical: &[0, 1, 2, 3, 4, 5, 6, 11] },
        // Power supply: predictive failure, input out of range; failure, input lost, wrong configuration.
        0x08 => Weights { non_critical: &[2, 5], critical: &[1, 3, 4, 6] },
        // Power unit: predictive failure; 240 VA and interlock power down, input lost, control failure, failure.
        0x09 => Weights { non_critical: &[7], critical: &[2, 3, 4, 5, 6] },
        // Memory: corrected errors, disabled, throttled; not corrected, parity, scrub, configuration, heat.
        0x0c => Weights { non_critical: &[0, 4, 5, 9], critical: &[1, 2, 3, 7, 10] },
        // Drive: predictive failure, rebuild; fault, array critical or failed, rebuild aborted.
        0x0d => Weights { non_critical: &[2, 7], critical: &[1, 5, 6, 8] },
        // Battery: low; failed.
        0x29 => Weights { non_critical: &[0], critical: &[1] },
        _ => return None,
    };
    weights.of(offset)
}
