//! The event log (IPMI 2.0 §31).

use std::time::Duration;

use opendcre_ipmi::{Completion, REMOTE_CONSOLE};

use super::{Answer, exactly};
use crate::bmc::device::Device;
use crate::bmc::event_log::{Record, SYSTEM_EVENT};

/// The format of IPMI 1.5 and 2.0 (§31.2, table 31-2).
const SEL_VERSION: u8 = 0x51;
const OVERFLOW: u8 = 0x80;
/// Delete, reservation and allocation info are there (table 31-2).
const OPERATIONS: u8 = 0x0b;
const RECORD_LENGTH: u16 = 16;
/// Clear SEL: what must stand in the request, begin, and ask how far it is (§31.9).
const CLEAR: [u8; 3] = *b"CLR";
const BEGIN: u8 = 0xaa;
const ASK: u8 = 0x00;
const COMPLETED: u8 = 0x01;
const WHOLE_RECORD: u8 = 0xff;

/// Get SEL Info (§31.2).
pub(super) fn info(device: &mut Device, data: &[u8], _now: Duration) -> Answer {
    exactly::<0>(data)?;
    let log = &device.log;
    let free = saturated(log.free()).saturating_mul(RECORD_LENGTH);
    let mut answer = vec![SEL_VERSION];
    answer.extend(saturated(log.len()).to_le_bytes());
    answer.extend(free.to_le_bytes());
    answer.extend(log.added_at.to_le_bytes());
    answer.extend(log.cleared_at.to_le_bytes());
    answer.push(OPERATIONS | if log.has_overflown { OVERFLOW } else { 0 });
    Ok(answer)
}

/// Get SEL Allocation Info (§31.3).
pub(super) fn allocation_info(device: &mut Device, data: &[u8], _now: Duration) -> Answer {
    exactly::<0>(data)?;
    let free = saturated(device.log.free()).to_le_bytes();
    let all = saturated(device.log.free() + device.log.len()).to_le_bytes();
    let mut answer = all.to_vec();
    answer.extend(RECORD_LENGTH.to_le_bytes());
    // Free units, the greatest free block, and the greatest record in units.
    answer.extend(free);
    answer.extend(free);
    answer.push(1);
    Ok(answer)
}

/// Reserve SEL (§31.4).
pub(super) fn reserve(device: &mut Device, data: &[u8], _now: Duration) -> Answer {
    exactly::<0>(data)?;
    Ok(device.log.reservation.take().to_le_bytes().to_vec())
}

/// Get SEL Entry (§31.5).
pub(super) fn entry(device: &mut Device, data: &[u8], _now: Duration) -> Answer {
    let [r, s, i, j, offset, count] = exactly(data)?;
    if offset != 0 {
        check_reservation(device, [r, s])?;
    }
    let (record, next) = device.log.get(u16::from_le_bytes([i, j])).ok_or(Completion::NOT_PRESENT)?;
    if device.defects.unreadable_entry.is_some_and(|id| record.starts_with(&id.to_le_bytes())) {
        return Err(Completion::UNSPECIFIED.into());
    }
    let rest = record.get(usize::from(offset)..).ok_or(Completion::OUT_OF_RANGE)?;
    let part = match count {
        WHOLE_RECORD => rest,
        count => rest.get(..usize::from(count)).ok_or(Completion::OUT_OF_RANGE)?,
    };
    let mut answer = next.to_le_bytes().to_vec();
    answer.extend(part);
    Ok(answer)
}

/// Add SEL Entry (§31.6).
pub(super) fn add(device: &mut Device, data: &[u8], now: Duration) -> Answer {
    let record: Record = exactly(data)?;
    let id = device.log.add(record, device.seconds(now)).ok_or(Completion::OUT_OF_SPACE)?;
    Ok(id.to_le_bytes().to_vec())
}

/// Platform Event Message (§29.3): an event that remote software reports.
pub(super) fn platform_event(device: &mut Device, data: &[u8], now: Duration) -> Answer {
    let [revision, sensor_type, sensor, kind, x, y, z] = exactly(data)?;
    let record =
        [0, 0, SYSTEM_EVENT, 0, 0, 0, 0, REMOTE_CONSOLE, 0, revision, sensor_type, sensor, kind, x, y, z];
    // A log that is full loses events, and says so.
    device.log.add(record, device.seconds(now));
    Ok(Vec::new())
}

/// Delete SEL Entry (§31.8).
pub(super) fn delete(device: &mut Device, data: &[u8], _now: Duration) -> Answer {
    let [r, s, i, j] = exactly(data)?;
    check_reservation(device, [r, s])?;
    let id = device.log.delete(u16::from_le_bytes([i, j])).ok_or(Completion::NOT_PRESENT)?;
    Ok(id.to_le_bytes().to_vec())
}

/// Clear SEL (§31.9): done at once.
pub(super) fn clear(device: &mut Device, data: &[u8], now: Duration) -> Answer {
    let [r, s, word @ .., action] = exactly::<6>(data)?;
    if word != CLEAR {
        return Err(Completion::INVALID_FIELD.into());
    }
    match action {
        BEGIN => {
            check_reservation(device, [r, s])?;
            device.clear_log(now);
            // Whoever has cleared it still may ask how far it is.
            Ok(vec![COMPLETED])
        }
        ASK => Ok(vec![COMPLETED]),
        _ => Err(Completion::INVALID_FIELD.into()),
    }
}

/// Get SEL Time and Get SDR Repository Time (§31.10, §33.17): one clock.
pub(super) fn time(device: &mut Device, data: &[u8], now: Duration) -> Answer {
    exactly::<0>(data)?;
    Ok(device.seconds(now).to_le_bytes().to_vec())
}

/// Set SEL Time (§31.11).
pub(super) fn set_time(device: &mut Device, data: &[u8], now: Duration) -> Answer {
    device.set_seconds(u32::from_le_bytes(exactly(data)?), now);
    Ok(Vec::new())
}

fn check_reservation(device: &Device, id: [u8; 2]) -> Result<(), Completion> {
    match device.log.reservation.holds(u16::from_le_bytes(id)) {
        true => Ok(()),
        false => Err(Completion::RESERVATION_CANCELLED),
    }
}

fn saturated(count: usize) -> u16 {
    u16::try_from(count).unwrap_or(u16::MAX)
}
