//! Names of sensor types, and texts of the states and events that sensors report (IPMI 2.0 §42).
//!
//! The texts serve both a sensor's present states and the entries of the event log, because both number them alike:
//! an event/reading type, a sensor type, and an offset. What OEMs define for themselves (sensor types from C0h,
//! event/reading types from 70h) is not known here.

mod generic;
mod severity;
mod specific;

use crate::sensor::Health;

/// The event/reading type of sensors with thresholds (IPMI 2.0 §42.1, table 42-1).
pub const THRESHOLD: u8 = 0x01;
/// The event/reading type of sensors that report a severity (IPMI 2.0 §42.1, table 42-2).
pub const SEVERITY: u8 = 0x07;
/// The event/reading type of sensors whose states belong to their sensor type (IPMI 2.0 §42.1, table 42-1).
pub const SENSOR_SPECIFIC: u8 = 0x6f;

/// Name of a sensor type (IPMI 2.0 §42.2, table 42-3), such as "Temperature"; `None` when it is not assigned.
#[must_use]
pub const fn sensor_type_name(sensor_type: u8) -> Option<&'static str> {
    specific::sensor_type_name(sensor_type)
}

/// Text of one state or event offset, 0 to 14 (IPMI 2.0 §42, tables 42-1, 42-2 and 42-3): of the generic
/// event/reading types 01h to 0Ch, and of 6Fh, which takes it from the sensor type. `None` when the specification
/// assigns none.
#[must_use]
pub const fn state_text(event_reading_type: u8, sensor_type: u8, offset: u8) -> Option<&'static str> {
    match event_reading_type {
        SENSOR_SPECIFIC => nth(specific::states(sensor_type), offset),
        generic => nth(generic::states(generic), offset),
    }
}

/// How bad a state is; nothing for states that are not, and for those of which nobody can say so without knowing the
/// machine. What type 07h says about itself stands as it is (IPMI 2.0 §42.1, table 42-2); the rest is our judgement.
#[must_use]
pub fn state_severity(event_reading_type: u8, sensor_type: u8, offset: u8) -> Option<Health> {
    match event_reading_type {
        SEVERITY => Health::from_severity(offset).filter(|health| *health != Health::Ok),
        SENSOR_SPECIFIC => severity::specific(sensor_type, offset),
        generic => severity::generic(generic, offset),
    }
}

/// The text at `offset`; an empty one stands for an offset that the specification leaves out.
const fn nth(mut texts: &[&'static str], mut offset: u8) -> Option<&'static str> {
    while let [first, rest @ ..] = texts {
        if offset == 0 {
            return if first.is_empty() { None } else { Some(first) };
        }
        texts = rest;
        offset -= 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sensor_types_have_the_names_of_the_specification() {
        assert_eq!(sensor_type_name(0x00), None);
        assert_eq!(sensor_type_name(0x01), Some("Temperature"));
        assert_eq!(sensor_type_name(0x08), Some("Power Supply"));
        assert_eq!(sensor_type_name(0x23), Some("Watchdog 2"));
        assert_eq!(sensor_type_name(0x2c), Some("FRU State"));
        assert_eq!(sensor_type_name(0x2d), None);
        assert_eq!(sensor_type_name(0xc0), None);
    }

    #[test]
    fn generic_types_do_not_depend_on_the_sensor_type() {
        for sensor_type in 0..=u8::MAX {
            assert_eq!(state_text(0x01, sensor_type, 9), Some("upper critical, going high"));
            assert_eq!(state_text(0x03, sensor_type, 1), Some("state asserted"));
            assert_eq!(state_text(0x0b, sensor_type, 0), Some("fully redundant"));
            assert_eq!(state_text(0x0c, sensor_type, 3), Some("D3 power state"));
            assert_eq!(state_text(0x0d, sensor_type, 0), None);
        }
    }

    #[test]
    fn specific_states_come_from_the_sensor_type() {
        assert_eq!(state_text(0x6f, 0x08, 0), Some("presence detected"));
        assert_eq!(state_text(0x6f, 0x07, 1), Some("thermal trip"));
        assert_eq!(state_text(0x6f, 0x23, 3), Some("power cycle"));
        assert_eq!(state_text(0x6f, 0x2c, 7), Some("communication lost"));
        assert_eq!(state_text(0x6f, 0x01, 0), None, "a temperature has no states of its own");
    }

    #[test]
    fn offsets_that_the_specification_leaves_out_have_no_text() {
        assert_eq!(state_text(0x6f, 0x23, 4), None);
        assert_eq!(state_text(0x6f, 0x23, 8), Some("timer interrupt"));
        assert_eq!(state_text(0x6f, 0x22, 13), None);
        assert_eq!(state_text(0x6f, 0x22, 14), Some("unknown"));
        assert_eq!(state_text(0x6f, 0x08, 8), None);
    }

    #[test]
    fn what_has_failed_is_worse_than_what_announces_it() {
        assert_eq!(state_severity(0x6f, 0x08, 0), None, "a power supply is there");
        assert_eq!(state_severity(0x6f, 0x08, 1), Some(Health::Critical));
        assert_eq!(state_severity(0x6f, 0x08, 2), Some(Health::NonCritical));
        assert_eq!(state_severity(0x04, 0x0d, 1), Some(Health::NonCritical));
        assert_eq!(state_severity(0x0b, 0x09, 1), Some(Health::Critical));
        assert_eq!(state_severity(0x07, 0x01, 0), None);
        assert_eq!(state_severity(0x07, 0x01, 6), Some(Health::NonRecoverable));
        assert_eq!(state_severity(0x01, 0x01, 0), None, "thresholds have states of their own");
    }

    #[test]
    fn only_states_with_a_text_are_bad() {
        for event_reading_type in 0..=u8::MAX {
            for sensor_type in 0..=u8::MAX {
                for offset in 0..=u8::MAX {
                    if state_severity(event_reading_type, sensor_type, offset).is_some() {
                        let text = state_text(event_reading_type, sensor_type, offset);
                        assert_ne!(text, None, "{event_reading_type:x} {sensor_type:x} {offset}");
                    }
                }
            }
        }
    }

    #[test]
    fn there_is_no_text_beyond_offset_14() {
        for event_reading_type in 0..=u8::MAX {
            for sensor_type in 0..=u8::MAX {
                for offset in [15, 16, u8::MAX] {
                    assert_eq!(state_text(event_reading_type, sensor_type, offset), None);
                }
            }
        }
    }
}
