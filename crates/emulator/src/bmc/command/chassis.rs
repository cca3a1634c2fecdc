//! The chassis: power, identify, boot options (IPMI 2.0 §28).

use std::time::Duration;

use opendcre_ipmi::{BMC_ADDRESS, Completion};

use super::{Answer, exactly};
use crate::bmc::device::{Device, RestorePolicy};
use crate::bmc::machine::ChassisAction;
use crate::bmc::machine::Observation;
use crate::bmc::model::LAN_CHANNEL;
use crate::bmc::sensor::SensorKind;

/// How long the identify light shines without a request for another time (§28.5).
const IDENTIFY_SECONDS: u64 = 15;
/// A count of power-on hours is an hour (§28.14).
const MINUTES_PER_COUNT: u8 = 60;
/// The machine had run for so long when it was emulated first.
const HOURS_BEFORE: u32 = 4321;
/// Set System Boot Options: another party is setting them (§28.12).
const SET_IN_PROGRESS: Completion = Completion(0x81);
/// There is no such parameter (§28.12, §28.13).
const NO_SUCH_PARAMETER: Completion = Completion(0x80);
const PARAMETER_VERSION: u8 = 0x01;

/// Get Chassis Capabilities (§28.1): an intrusion sensor, and everything else at the BMC.
pub(super) fn capabilities(_device: &mut Device, data: &[u8], _now: Duration) -> Answer {
    exactly::<0>(data)?;
    Ok(vec![0x01, BMC_ADDRESS, BMC_ADDRESS, BMC_ADDRESS, BMC_ADDRESS])
}

/// Get Chassis Status (§28.2).
pub(super) fn status(device: &mut Device, data: &[u8], now: Duration) -> Answer {
    exactly::<0>(data)?;
    let power = u8::from(device.machine.power.is_on()) | (device.restore_policy as u8) << 5;
    let identify = match (device.machine.is_identified(now), device.machine.identify_until) {
        (false, _) => 0x00,
        (true, Duration::MAX) => 0x20,
        (true, _) => 0x10,
    };
    let intrusion = device.model.sensor_of(SensorKind::Intrusion);
    let intrusion = intrusion.map(|sensor| device.machine.observe(sensor, now));
    let is_open = matches!(intrusion, Some(Observation::States(states)) if states & 1 != 0);
    // Bit 6: the identify light is reported.
    Ok(vec![power, device.last_power_event, 0x40 | identify | u8::from(is_open)])
}

/// Chassis Control (§28.3).
pub(super) fn control(device: &mut Device, data: &[u8], now: Duration) -> Answer {
    let [action] = exactly(data)?;
    let action = match action & 0x0f {
        0 => ChassisAction::PowerDown,
        1 => ChassisAction::PowerUp,
        2 => ChassisAction::PowerCycle,
        3 => ChassisAction::HardReset,
        4 => ChassisAction::DiagnosticInterrupt,
        5 => ChassisAction::SoftShutdown,
        _ => return Err(Completion::INVALID_FIELD.into()),
    };
    device.control(action, now)?;
    Ok(Vec::new())
}

/// Chassis Identify (§28.5): with no data for a while, with 0 seconds no longer, with bit 0 of a second byte for good.
pub(super) fn identify(device: &mut Device, data: &[u8], now: Duration) -> Answer {
    let seconds = match data {
        [] => Some(IDENTIFY_SECONDS),
        [_, force] if force & 1 != 0 => None,
        [seconds] | [seconds, _] => Some(u64::from(*seconds)),
        _ => return Err(Completion::LENGTH_INVALID.into()),
    };
    device.machine.identify_until =
        seconds.map_or(Duration::MAX, |seconds| now.saturating_add(Duration::from_secs(seconds)));
    Ok(Vec::new())
}

/// Set Power Restore Policy (§28.8). All policies are supported; 3 asks which are.
pub(super) fn set_restore_policy(device: &mut Device, data: &[u8], _now: Duration) -> Answer {
    let [policy] = exactly(data)?;
    device.restore_policy = match policy & 0x07 {
        0 => RestorePolicy::StayOff,
        1 => RestorePolicy::Previous,
        2 => RestorePolicy::PowerUp,
        3 => device.restore_policy,
        _ => return Err(Completion::INVALID_FIELD.into()),
    };
    Ok(vec![0x07])
}

/// Get System Restart Cause (§28.11).
pub(super) fn restart_cause(device: &mut Device, data: &[u8], _now: Duration) -> Answer {
    exactly::<0>(data)?;
    Ok(vec![device.restart_cause, LAN_CHANNEL])
}

/// Set System Boot Options (§28.12).
pub(super) fn set_boot_option(device: &mut Device, data: &[u8], now: Duration) -> Answer {
    let (parameter, data) = data.split_first().ok_or(Completion::LENGTH_INVALID)?;
    let boot = &mut device.boot;
    match (parameter & 0x7f, data) {
        (0, [progress @ 0..=2]) => {
            if *progress == 1 && boot.progress == 1 {
                return Err(SET_IN_PROGRESS.into());
            }
            boot.progress = progress & 1;
        }
        (3, [kept_by]) => boot.kept_by = *kept_by,
        (4, [mask, value]) => {
            let [_, old] = boot.acknowledge;
            boot.acknowledge = [0, old & !mask | value & mask];
        }
        (5, _) => device.set_boot_flags(exactly(data)?, now),
        (0 | 3 | 4, _) => return Err(Completion::LENGTH_INVALID.into()),
        _ => return Err(NO_SUCH_PARAMETER.into()),
    }
    Ok(Vec::new())
}

/// Get System Boot Options (§28.13).
pub(super) fn boot_option(device: &mut Device, data: &[u8], now: Duration) -> Answer {
    let [parameter, _set, _block] = exactly(data)?;
    let mut answer = vec![PARAMETER_VERSION, parameter & 0x7f];
    match parameter & 0x7f {
        0 => answer.push(device.boot.progress),
        3 => answer.push(device.boot.kept_by),
        4 => answer.extend(device.boot.acknowledge),
        5 => answer.extend(device.boot_flags(now)),
        _ => return Err(NO_SUCH_PARAMETER.into()),
    }
    Ok(answer)
}

/// Get POH Counter (§28.14).
pub(super) fn power_on_hours(device: &mut Device, data: &[u8], now: Duration) -> Answer {
    exactly::<0>(data)?;
    let hours = u32::try_from(device.machine.power.on_time(now).as_secs() / 3600).unwrap_or(u32::MAX);
    let mut answer = vec![MINUTES_PER_COUNT];
    answer.extend(HOURS_BEFORE.saturating_add(hours).to_le_bytes());
    Ok(answer)
}
