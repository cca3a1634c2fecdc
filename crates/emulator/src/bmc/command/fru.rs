//! The inventory (IPMI 2.0 §34).

use std::time::Duration;

use opendcre_ipmi::Completion;

use super::{Answer, exactly};
use crate::bmc::device::Device;

/// The most bytes of data that fit into an answer in a packet of IPMI 1.5, whose length is one byte.
pub(super) const MAX_READ: usize = 240;

/// Get FRU Inventory Area Info (§34.1).
pub(super) fn area(device: &mut Device, data: &[u8], _now: Duration) -> Answer {
    only_device_0(exactly::<1>(data)?[0])?;
    let size = match device.defects.fru_endless {
        true => u16::MAX,
        false => u16::try_from(device.inventory.len()).unwrap_or(u16::MAX),
    };
    let [low, high] = size.to_le_bytes();
    // Addressed by bytes.
    Ok(vec![low, high, 0])
}

/// Read FRU Data (§34.2).
pub(super) fn read(device: &mut Device, data: &[u8], _now: Duration) -> Answer {
    let [number, low, high, count] = exactly(data)?;
    only_device_0(number)?;
    let (offset, count) = (usize::from(u16::from_le_bytes([low, high])), usize::from(count));
    if count > MAX_READ.min(usize::from(device.model.read_limit)) {
        return Err(Completion::CANNOT_RETURN_LENGTH.into());
    }
    if device.defects.fru_endless {
        return Ok(with_count((offset..).take(count).map(endless).collect()));
    }
    let rest =
        device.inventory.get(offset..).filter(|rest| !rest.is_empty()).ok_or(Completion::OUT_OF_RANGE)?;
    Ok(with_count(rest.get(..count).unwrap_or(rest).to_vec()))
}

/// A byte of a device that goes on and on: a sound header, three areas of the greatest length full of texts without an
/// end mark, and multi-records, sound ones, of which none is the last (FRU §8, §9, §16).
fn endless(position: usize) -> u8 {
    const HEADER: [u8; 8] = [0x01, 0x00, 0x01, 0x20, 0x40, 0x60, 0x00, 0x3e];
    const RECORDS: usize = 0x300;
    const RECORD_HEADER: [u8; 5] = [0xc0, 0x02, 0xff, 0x00, 0x3f];
    const RECORD_LENGTH: usize = 5 + 255;
    match position {
        0..8 => HEADER.get(position).copied().unwrap_or_default(),
        // The version of an area. Behind it come the greatest length and texts of 63 bytes, all FFh.
        8 | 0x100 | 0x200 => 0x01,
        9..RECORDS => 0xff,
        _ => RECORD_HEADER.get((position - RECORDS) % RECORD_LENGTH).copied().unwrap_or_default(),
    }
}

fn with_count(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.insert(0, bytes.len().to_le_bytes()[0]);
    bytes
}

fn only_device_0(number: u8) -> Result<(), Completion> {
    match number {
        0 => Ok(()),
        _ => Err(Completion::NOT_PRESENT),
    }
}
