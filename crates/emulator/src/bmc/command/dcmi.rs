//! The commands of DCMI 1.5: power, asset tag, temperatures, controller id.

use std::time::Duration;

use opendcre_ipmi::wire::Reader;
use opendcre_ipmi::{Completion, Privilege};

use super::{Answer, Command, Refusal, Run, exactly};
use crate::bmc::device::{Device, PowerLimit};
use crate::bmc::machine::Observation;
use crate::bmc::sensor::{Sensor, SensorKind};

/// The body that all these commands belong to (DCMI 1.5 §6.1).
pub(super) const GROUP: u8 = 0xdc;

/// Version 1.5, parameter revision 2 (§6.1.1).
const VERSION: [u8; 3] = [0x01, 0x05, 0x02];
/// The most bytes of a text that one command carries, and the longest texts (§6.4).
const MAX_CHUNK: u8 = 16;
const MAX_TEXT: usize = 63;
/// Get Power Reading (§6.6.1): the present power and the least, greatest and mean one of a period; or the same for a
/// period that the request names, of which there is one.
const STATISTICS: u8 = 0x01;
const ENHANCED_STATISTICS: u8 = 0x02;
const PERIOD: Duration = Duration::from_secs(3600);
/// The period in the form of DCMI: one hour (§6.1.1, table 6-3, parameter 5).
const PERIOD_CODE: u8 = 0x81;
const SAMPLES: u32 = 12;
const MEASURES: u8 = 0x40;
/// Get Power Limit (§6.6.2): none is active.
const NO_ACTIVE_LIMIT: Completion = Completion(0x80);
/// Set Power Limit (§6.6.3): refused values.
const LIMIT_OUT_OF_RANGE: Completion = Completion(0x84);
const CORRECTION_OUT_OF_RANGE: Completion = Completion(0x85);
const SAMPLING_OUT_OF_RANGE: Completion = Completion(0x89);
/// What a limit can be, in watts.
const LIMITS: std::ops::RangeInclusive<u16> = 120..=1000;
const TEMPERATURE: u8 = 0x01;
/// The most temperatures or record ids in one answer (§6.5.2, §6.7.3).
const MAX_TEMPERATURES: usize = 8;

/// The command of DCMI with this number.
pub(super) fn find(number: u8) -> Option<Command> {
    use Privilege::{Administrator, Operator, User};
    let command = |privilege, run| Some(Command { privilege, has_effect: false, run });
    match number {
        0x01 => command(User, |device, data, now| grouped(device, data, now, capabilities)),
        0x02 => command(User, |device, data, now| grouped(device, data, now, power_reading)),
        0x03 => command(User, |device, data, now| grouped(device, data, now, power_limit)),
        0x04 => command(Operator, |device, data, now| grouped(device, data, now, set_power_limit)),
        0x05 => command(Operator, |device, data, now| grouped(device, data, now, activate_power_limit)),
        0x06 => command(User, |device, data, now| grouped(device, data, now, asset_tag)),
        0x07 => command(User, |device, data, now| grouped(device, data, now, sensor_info)),
        0x08 => command(Operator, |device, data, now| grouped(device, data, now, set_asset_tag)),
        0x09 => command(User, |device, data, now| grouped(device, data, now, controller_id)),
        0x0a => command(Administrator, |device, data, now| grouped(device, data, now, set_controller_id)),
        0x10 => command(User, |device, data, now| grouped(device, data, now, temperatures)),
        _ => None,
    }
}

/// Takes the body's number off the request and puts it in front of the answer.
fn grouped(device: &mut Device, data: &[u8], now: Duration, run: Run) -> Answer {
    let data = data.get(1..).unwrap_or_default();
    let mark = |mut data: Vec<u8>| {
        data.insert(0, GROUP);
        data
    };
    run(device, data, now)
        .map(mark)
        .map_err(|Refusal { completion, data }| Refusal { completion, data: mark(data) })
}

/// Get DCMI Capabilities Info (§6.1).
fn capabilities(device: &mut Device, data: &[u8], _now: Duration) -> Answer {
    let [parameter] = exactly(data)?;
    let mut answer = VERSION.to_vec();
    match parameter {
        // Power management; in-band access.
        1 => answer.extend([0x00, 0x01, 0x01]),
        2 => {
            let entries = u16::try_from(device.model.event_log_capacity).unwrap_or(u16::MAX) & 0x0fff;
            answer.extend(entries.to_le_bytes());
            // Temperatures are sampled every second.
            answer.extend([0x00, 0x00, 0x01]);
        }
        // The BMC itself controls the power, over channel 0.
        3 => answer.extend([opendcre_ipmi::BMC_ADDRESS, 0x00]),
        // LAN over channel 1, no second one, no serial line.
        4 => answer.extend([0x01, 0xff, 0xff]),
        // One rolling average, over an hour.
        5 => answer.extend([0x01, PERIOD_CODE]),
        _ => return Err(Completion::OUT_OF_RANGE.into()),
    }
    Ok(answer)
}

/// Get Power Reading (§6.6.1).
fn power_reading(device: &mut Device, data: &[u8], now: Duration) -> Answer {
    let [mode, attributes, _reserved] = exactly(data)?;
    if !matches!((mode, attributes), (STATISTICS, _) | (ENHANCED_STATISTICS, PERIOD_CODE)) {
        return Err(Completion::INVALID_FIELD.into());
    }
    let current = device.watts(now);
    // Only as far back as the power is as it is now.
    let period = PERIOD.min(device.machine.power.since_change(now));
    let before = (0..SAMPLES).map(|step| device.watts(now.saturating_sub(period / SAMPLES * step)));
    let samples: Vec<f64> = before.chain([current]).collect();
    let least = samples.iter().copied().fold(f64::MAX, f64::min);
    let greatest = samples.iter().copied().fold(0.0, f64::max);
    let mean = samples.iter().sum::<f64>() / f64::from(SAMPLES + 1);
    let mut answer = Vec::with_capacity(17);
    for watts in [current, least, greatest, mean] {
        answer.extend(whole(watts).to_le_bytes());
    }
    answer.extend(device.seconds(now).to_le_bytes());
    let period = u32::try_from(period.as_millis()).unwrap_or(u32::MAX);
    answer.extend(period.to_le_bytes());
    answer.push(MEASURES);
    Ok(answer)
}

/// Get Power Limit (§6.6.2). A limit that is not active is told too.
fn power_limit(device: &mut Device, data: &[u8], _now: Duration) -> Answer {
    let [_, _] = exactly(data)?;
    let PowerLimit { is_active, action, watts, correction_ms, sampling_seconds } = device.limit;
    let mut answer = vec![0, 0, action];
    answer.extend(watts.to_le_bytes());
    answer.extend(correction_ms.to_le_bytes());
    answer.extend([0; 2]);
    answer.extend(sampling_seconds.to_le_bytes());
    match is_active {
        true => Ok(answer),
        false => Err(Refusal { completion: NO_ACTIVE_LIMIT, data: answer }),
    }
}

/// Set Power Limit (§6.6.3).
fn set_power_limit(device: &mut Device, data: &[u8], _now: Duration) -> Answer {
    let [_, _, _, action, w, x, c, d, e, f, _, _, s, t] = exactly(data)?;
    let (watts, correction_ms) = (u16::from_le_bytes([w, x]), u32::from_le_bytes([c, d, e, f]));
    let sampling_seconds = u16::from_le_bytes([s, t]);
    if !LIMITS.contains(&watts) {
        return Err(LIMIT_OUT_OF_RANGE.into());
    }
    if correction_ms == 0 {
        return Err(CORRECTION_OUT_OF_RANGE.into());
    }
    if sampling_seconds == 0 {
        return Err(SAMPLING_OUT_OF_RANGE.into());
    }
    let is_active = device.limit.is_active;
    device.limit = PowerLimit { is_active, action, watts, correction_ms, sampling_seconds };
    apply_limit(device);
    Ok(Vec::new())
}

/// Activate/Deactivate Power Limit (§6.6.4).
fn activate_power_limit(device: &mut Device, data: &[u8], _now: Duration) -> Answer {
    let [activation, _, _] = exactly(data)?;
    device.limit.is_active = match activation {
        0 => false,
        1 if device.limit.watts == 0 => return Err(Completion::NOT_IN_PRESENT_STATE.into()),
        1 => true,
        _ => return Err(Completion::INVALID_FIELD.into()),
    };
    apply_limit(device);
    Ok(Vec::new())
}

fn apply_limit(device: &mut Device) {
    device.machine.limit_watts = device.limit.is_active.then(|| f64::from(device.limit.watts));
}

/// Get Asset Tag (§6.4.2).
fn asset_tag(device: &mut Device, data: &[u8], _now: Duration) -> Answer {
    part(&device.asset_tag, data)
}

/// Set Asset Tag (§6.4.3).
fn set_asset_tag(device: &mut Device, data: &[u8], _now: Duration) -> Answer {
    set_part(&mut device.asset_tag, data)
}

/// Get Management Controller Identifier String (§6.4.6.1).
fn controller_id(device: &mut Device, data: &[u8], _now: Duration) -> Answer {
    part(&device.controller_id, data)
}

/// Set Management Controller Identifier String (§6.4.6.2).
fn set_controller_id(device: &mut Device, data: &[u8], _now: Duration) -> Answer {
    set_part(&mut device.controller_id, data)
}

/// A part of a text, behind the length of the whole.
fn part(text: &[u8], data: &[u8]) -> Answer {
    let [offset, count] = exactly(data)?;
    let rest = text.get(usize::from(offset)..).ok_or(Completion::OUT_OF_RANGE)?;
    if count > MAX_CHUNK {
        return Err(Completion::OUT_OF_RANGE.into());
    }
    let mut answer = vec![text.len().to_le_bytes()[0]];
    answer.extend(rest.get(..usize::from(count)).unwrap_or(rest));
    Ok(answer)
}

/// Replaces a text from an offset on. The answer is the length of the whole, without the zeros at its end.
fn set_part(text: &mut Vec<u8>, data: &[u8]) -> Answer {
    let mut reader = Reader::new("a request", data);
    let [offset, count] = reader.array()?;
    let part = reader.rest();
    let offset = usize::from(offset);
    if count > MAX_CHUNK || usize::from(count) != part.len() {
        return Err(Completion::LENGTH_INVALID.into());
    }
    // A text is written from its beginning, and nothing is left out.
    if offset > text.len() || offset + part.len() > MAX_TEXT + 1 {
        return Err(Completion::OUT_OF_RANGE.into());
    }
    text.truncate(offset);
    text.extend(part);
    while text.last() == Some(&0) {
        text.pop();
    }
    Ok(vec![text.len().to_le_bytes()[0]])
}

/// Get DCMI Sensor Info (§6.5.2): the ids of the records of temperatures.
fn sensor_info(device: &mut Device, data: &[u8], _now: Duration) -> Answer {
    let (total, sensors) = select(device, data)?;
    let mut answer = vec![total, sensors.len().to_le_bytes()[0]];
    // The id of the record of a sensor is its number.
    answer.extend(sensors.iter().flat_map(|sensor| [sensor.number, 0]));
    Ok(answer)
}

/// Get Temperature Readings (§6.7.3): degrees with a sign of their own, and the instance.
fn temperatures(device: &mut Device, data: &[u8], now: Duration) -> Answer {
    let (total, sensors) = select(device, data)?;
    let mut answer = vec![total, sensors.len().to_le_bytes()[0]];
    for sensor in sensors {
        let celsius = match device.machine.observe(sensor, now) {
            Observation::Value(celsius) => whole(celsius.abs()).min(0x7f).to_le_bytes()[0] | sign(celsius),
            _ => 0,
        };
        answer.extend([celsius, sensor.instance]);
    }
    Ok(answer)
}

/// The temperature sensors that a request means: how many there are, and those from its start on.
fn select<'a>(device: &'a Device, data: &[u8]) -> Result<(u8, Vec<&'a Sensor>), Completion> {
    let [sensor_type, entity, instance, start] = exactly(data)?;
    if sensor_type != TEMPERATURE {
        return Err(Completion::OUT_OF_RANGE);
    }
    // Inlet, processor, baseboard, each with the entity id of DCMI 1.0 and that of IPMI (§6.5.2, table 6-15).
    let kind = match entity {
        0x40 | 0x37 => SensorKind::InletTemperature,
        0x41 | 0x03 => SensorKind::CpuTemperature,
        0x42 | 0x07 => SensorKind::ExhaustTemperature,
        _ => return Err(Completion::OUT_OF_RANGE),
    };
    let all: Vec<&Sensor> = device.model.sensors.iter().filter(|sensor| sensor.kind == kind).collect();
    let total = u8::try_from(all.len()).unwrap_or(u8::MAX);
    let is_meant = |sensor: &&Sensor| match instance {
        0 => sensor.instance >= start,
        instance => sensor.instance == instance,
    };
    Ok((total, all.into_iter().filter(is_meant).take(MAX_TEMPERATURES).collect()))
}

const fn sign(number: f64) -> u8 {
    if number < 0.0 { 0x80 } else { 0 }
}

/// Whole watts or degrees.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a conversion of floats saturates"
)]
fn whole(number: f64) -> u16 {
    number.round() as u16
}
