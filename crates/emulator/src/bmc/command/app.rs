//! The BMC itself: identity, self test, users, channel (IPMI 2.0 §20, §22).

use std::time::Duration;

use opendcre_ipmi::{Completion, Privilege};

use super::{Answer, exactly};
use crate::bmc::device::Device;
use crate::bmc::model::{LAN_CHANNEL, User};

/// Firmware 1.74, IPMI 2.0; sensors, SDR, SEL, FRU and chassis (§20.1, table 20-2).
const DEVICE_ID: u8 = 0x20;
const DEVICE_REVISION: u8 = 0x01;
const FIRMWARE: [u8; 2] = [0x01, 0x74];
const IPMI_VERSION: u8 = 0x02;
const FUNCTIONS: u8 = 0x8f;
/// The first user id is that of the user without a name, who is disabled; ids go up to 15.
const MAX_USER_ID: u8 = 15;
const ENABLED: u8 = 0x40;
const DISABLED: u8 = 0x80;
const NO_ACCESS: u8 = 0x0f;
const IPMI_MESSAGES: u8 = 0x10;

/// Get Device ID (§20.1).
pub(super) fn device_id(device: &mut Device, data: &[u8], _now: Duration) -> Answer {
    exactly::<0>(data)?;
    let mut answer = vec![DEVICE_ID, DEVICE_REVISION];
    answer.extend(FIRMWARE);
    answer.extend([IPMI_VERSION, FUNCTIONS]);
    answer.extend(device.model.manufacturer.to_le_bytes().into_iter().take(3));
    answer.extend(device.model.product.to_le_bytes());
    // Auxiliary firmware revision.
    answer.extend([0; 4]);
    Ok(answer)
}

/// Cold Reset (§20.2). The BMC still answers, and is silent then.
pub(super) fn cold_reset(device: &mut Device, data: &[u8], _now: Duration) -> Answer {
    exactly::<0>(data)?;
    device.is_reset_due = true;
    Ok(Vec::new())
}

/// Get Self Test Results (§20.4): no error.
pub(super) fn self_test(_device: &mut Device, data: &[u8], _now: Duration) -> Answer {
    exactly::<0>(data)?;
    Ok(vec![0x55, 0x00])
}

/// Get ACPI Power State (§20.7): S0 and D0, or S5 and D3.
pub(super) fn acpi_power_state(device: &mut Device, data: &[u8], _now: Duration) -> Answer {
    exactly::<0>(data)?;
    Ok(if device.machine.power.is_on() { vec![0, 0] } else { vec![5, 3] })
}

/// Get Device GUID and Get System GUID (§20.8, §22.14).
pub(super) fn guid(device: &mut Device, data: &[u8], _now: Duration) -> Answer {
    exactly::<0>(data)?;
    Ok(device.identity.guid.to_vec())
}

/// Get Channel Access (§22.23): always available, with authentication.
pub(super) fn channel_access(device: &mut Device, data: &[u8], _now: Duration) -> Answer {
    let [channel, _which] = exactly(data)?;
    only_lan_channel(channel)?;
    Ok(vec![0x22, device.model.channel_limit.number()])
}

/// Get User Access (§22.27).
pub(super) fn user_access(device: &mut Device, data: &[u8], _now: Duration) -> Answer {
    let [channel, id] = exactly(data)?;
    only_lan_channel(channel)?;
    let user = user(device, id)?;
    let count = device.model.users.len().to_le_bytes()[0];
    let (status, access) = match user {
        Some(user) => (ENABLED, IPMI_MESSAGES | user.limit.min(Privilege::Administrator).number()),
        None => (DISABLED, NO_ACCESS),
    };
    Ok(vec![MAX_USER_ID, status | count, 0, access])
}

/// Get User Name (§22.29).
pub(super) fn user_name(device: &mut Device, data: &[u8], _now: Duration) -> Answer {
    let [id] = exactly(data)?;
    let mut name = user(device, id)?.map(|user| user.name.clone()).unwrap_or_default();
    name.resize(16, 0);
    Ok(name)
}

/// The user with this id; nothing for an id that is free.
fn user(device: &Device, id: u8) -> Result<Option<&User>, Completion> {
    match id & 0x3f {
        0 | 16.. => Err(Completion::OUT_OF_RANGE),
        1 => Ok(None),
        id => Ok(device.model.users.get(usize::from(id) - 2)),
    }
}

/// Refuses channels that are not the one over which everything comes.
pub(in crate::bmc) fn only_lan_channel(channel: u8) -> Result<(), Completion> {
    match channel & 0x0f {
        LAN_CHANNEL | opendcre_ipmi::session::THIS_CHANNEL => Ok(()),
        _ => Err(Completion::INVALID_FIELD),
    }
}
