//! The sensor data records, as the repository and as those of the device (IPMI 2.0 §33, §35.2 to §35.4).

use std::borrow::Cow;
use std::time::Duration;

use opendcre_ipmi::Completion;
use opendcre_ipmi::sdr::{LAST_RECORD, SDR_VERSION};

use super::fru::MAX_READ;
use super::{Answer, exactly};
use crate::bmc::device::Device;

/// Reading needs a reservation, which there is; how the repository is changed is not specified (table 33-3).
const OPERATIONS: u8 = 0x02;
const WHOLE_RECORD: u8 = 0xff;

/// Get SDR Repository Info (§33.9).
pub(super) fn repository_info(device: &mut Device, data: &[u8], _now: Duration) -> Answer {
    exactly::<0>(data)?;
    let mut answer = vec![SDR_VERSION];
    answer.extend(count(device).to_le_bytes());
    // No free space; never changed.
    answer.extend([0; 2]);
    answer.extend([0; 8]);
    answer.push(OPERATIONS);
    Ok(answer)
}

/// Get SDR Repository Allocation Info (§33.10): no space to allocate.
pub(super) fn allocation_info(_device: &mut Device, data: &[u8], _now: Duration) -> Answer {
    exactly::<0>(data)?;
    Ok(vec![0; 9])
}

/// Get Device SDR Info (§35.2): the number of sensors or of records, for logical unit 0, which never change.
pub(super) fn device_info(device: &mut Device, data: &[u8], _now: Duration) -> Answer {
    let wants_records = match data {
        [] => false,
        [operation] => operation & 1 != 0,
        _ => return Err(Completion::LENGTH_INVALID.into()),
    };
    let number = if wants_records { device.model.sdrs.len() } else { device.model.sensors.len() };
    Ok(vec![u8::try_from(number).unwrap_or(u8::MAX), 0x01])
}

/// Reserve SDR Repository and Reserve Device SDR Repository (§33.11, §35.4).
pub(super) fn reserve(device: &mut Device, data: &[u8], _now: Duration) -> Answer {
    exactly::<0>(data)?;
    Ok(device.sdr_reservation.take().to_le_bytes().to_vec())
}

/// Get SDR and Get Device SDR (§33.12, §35.3).
pub(super) fn record(device: &mut Device, data: &[u8], _now: Duration) -> Answer {
    let [r, s, i, j, offset, count] = exactly(data)?;
    let (reservation, id) = (u16::from_le_bytes([r, s]), u16::from_le_bytes([i, j]));
    // Only the beginning of a record can be read without a reservation (§33.12).
    let needs_reservation = offset != 0 || reservation != 0;
    if needs_reservation && !device.sdr_reservation.holds(reservation) {
        return Err(Completion::RESERVATION_CANCELLED.into());
    }
    let (record, next) = find(device, id)?;
    let rest = record.get(usize::from(offset)..).ok_or(Completion::OUT_OF_RANGE)?;
    let count = if count == WHOLE_RECORD { rest.len() } else { usize::from(count) };
    if count > MAX_READ.min(usize::from(device.model.read_limit)) {
        return Err(Completion::CANNOT_RETURN_LENGTH.into());
    }
    let mut answer = next.to_le_bytes().to_vec();
    answer.extend(rest.get(..count).unwrap_or(rest));
    Ok(answer)
}

/// The record with this id, and the id of the next one. Ids count from 1; 0 is the first and FFFFh the last.
fn find(device: &Device, id: u16) -> Result<(Cow<'_, [u8]>, u16), Completion> {
    if device.defects.sdr_endless {
        return endless(device, id);
    }
    let count = count(device);
    let id = match id {
        0 => 1,
        LAST_RECORD => count,
        id => id,
    };
    let record = record_at(device, id.wrapping_sub(1))?;
    let next = match id == count {
        true if device.defects.sdr_loop => 1,
        true => LAST_RECORD,
        false => id + 1,
    };
    Ok((record.into(), next))
}

/// A record for every id there can be: those that there are, again and again under new ids.
fn endless(device: &Device, id: u16) -> Result<(Cow<'_, [u8]>, u16), Completion> {
    let id = id.clamp(1, LAST_RECORD - 1);
    let index = (id - 1).checked_rem(count(device)).ok_or(Completion::NOT_PRESENT)?;
    let mut record = record_at(device, index)?.to_vec();
    for (to, from) in record.iter_mut().zip(id.to_le_bytes()) {
        *to = from;
    }
    // After the last id comes the first one.
    let next = if id == LAST_RECORD - 1 { 1 } else { id + 1 };
    Ok((record.into(), next))
}

fn record_at(device: &Device, index: u16) -> Result<&[u8], Completion> {
    let record = device.model.sdrs.get(usize::from(index)).ok_or(Completion::NOT_PRESENT)?;
    Ok(record.as_slice())
}

fn count(device: &Device) -> u16 {
    u16::try_from(device.model.sdrs.len()).unwrap_or(u16::MAX)
}
