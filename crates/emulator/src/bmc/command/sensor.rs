//! Readings, thresholds and hysteresis of sensors (IPMI 2.0 §35).

use std::time::Duration;

use opendcre_ipmi::Completion;

use super::{Answer, exactly};
use crate::bmc::device::Device;
use crate::bmc::machine::Observation;
use crate::bmc::sensor::{Form, Sensor, Thresholds};

/// Get Sensor Reading, second byte (§35.14): events are on, the sensor is scanned, it has no reading now.
const EVENTS: u8 = 0x80;
const SCANNED: u8 = 0x40;
const UNAVAILABLE: u8 = 0x20;
/// Bit 7 of the states of a discrete sensor reads as 1 (table 35-15).
const STATES_RESERVED: u8 = 0x80;

/// Get Sensor Reading (§35.14).
pub(super) fn reading(device: &mut Device, data: &[u8], now: Duration) -> Answer {
    let [number] = exactly(data)?;
    let sensor = find(device, number)?;
    match (sensor.form, device.machine.observe(sensor, now)) {
        (Form::Analog { coding, .. }, Observation::Value(value)) => {
            let raw = coding.encode(value);
            let reached = device.thresholds(sensor).map_or(0, |thresholds| thresholds.reached(&coding, raw));
            // Bits 7 and 6 read as 1.
            Ok(vec![raw, EVENTS | SCANNED, 0xc0 | reached])
        }
        (Form::Discrete, Observation::States(states)) => {
            let [low, high] = states.to_le_bytes();
            Ok(vec![0, EVENTS | SCANNED, low, high | STATES_RESERVED])
        }
        (Form::Analog { .. }, _) => Ok(vec![0, EVENTS | SCANNED | UNAVAILABLE, 0xc0]),
        (Form::Discrete, _) => Ok(vec![0, EVENTS | SCANNED | UNAVAILABLE, 0, STATES_RESERVED]),
    }
}

/// Get Sensor Thresholds (§35.9).
pub(super) fn thresholds(device: &mut Device, data: &[u8], _now: Duration) -> Answer {
    let [number] = exactly(data)?;
    let Thresholds { raw, mask, .. } = with_thresholds(device, number)?;
    let mut answer = vec![mask];
    answer.extend(raw);
    Ok(answer)
}

/// Set Sensor Thresholds (§35.8): those whose bit is set.
pub(super) fn set_thresholds(device: &mut Device, data: &[u8], _now: Duration) -> Answer {
    let [number, mask, values @ ..] = exactly::<8>(data)?;
    let mut thresholds = with_thresholds(device, number)?;
    if mask & !thresholds.mask != 0 {
        return Err(Completion::INVALID_FIELD.into());
    }
    for (index, (to, from)) in thresholds.raw.iter_mut().zip(values).enumerate() {
        if mask & 1 << index != 0 {
            *to = from;
        }
    }
    device.set_thresholds(number, thresholds);
    Ok(Vec::new())
}

/// Get Sensor Hysteresis (§35.7).
pub(super) fn hysteresis(device: &mut Device, data: &[u8], _now: Duration) -> Answer {
    let [number, _reserved] = exactly(data)?;
    let Thresholds { positive_hysteresis, negative_hysteresis, .. } = with_thresholds(device, number)?;
    Ok(vec![positive_hysteresis, negative_hysteresis])
}

/// Set Sensor Hysteresis (§35.6).
pub(super) fn set_hysteresis(device: &mut Device, data: &[u8], _now: Duration) -> Answer {
    let [number, _reserved, positive_hysteresis, negative_hysteresis] = exactly(data)?;
    let thresholds = with_thresholds(device, number)?;
    device.set_thresholds(number, Thresholds { positive_hysteresis, negative_hysteresis, ..thresholds });
    Ok(Vec::new())
}

/// Get Sensor Event Enable (§35.11): every event that the record of the sensor names.
pub(super) fn event_enable(device: &mut Device, data: &[u8], _now: Duration) -> Answer {
    let [number] = exactly(data)?;
    let sensor = find(device, number)?;
    let mask = match sensor.form {
        Form::Analog { thresholds, .. } => thresholds.event_mask(),
        Form::Discrete => sensor.kind.states(),
    };
    let mut answer = vec![EVENTS | SCANNED];
    answer.extend(mask.to_le_bytes());
    answer.extend(mask.to_le_bytes());
    Ok(answer)
}

/// Get Sensor Type (§35.16).
pub(super) fn sensor_type(device: &mut Device, data: &[u8], _now: Duration) -> Answer {
    let [number] = exactly(data)?;
    let sensor = find(device, number)?;
    Ok(vec![sensor.kind.sensor_type(), sensor.form.event_type()])
}

fn find(device: &Device, number: u8) -> Result<&Sensor, Completion> {
    device.model.sensor(number).ok_or(Completion::NOT_PRESENT)
}

fn with_thresholds(device: &Device, number: u8) -> Result<Thresholds, Completion> {
    device.thresholds(find(device, number)?).ok_or(Completion::ILLEGAL_FOR_SENSOR)
}
