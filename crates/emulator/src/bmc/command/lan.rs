//! The configuration of the LAN channel (IPMI 2.0 §23), to be read only.

use std::time::Duration;

use opendcre_ipmi::Completion;

use super::app::only_lan_channel;
use super::{Answer, exactly};
use crate::bmc::device::Device;

const PARAMETER_REVISION: u8 = 0x11;
const ONLY_REVISION: u8 = 0x80;
/// There is no such parameter (§23.2).
const NO_SUCH_PARAMETER: Completion = Completion(0x80);
/// A static address (table 23-4, parameter 4).
const STATIC_ADDRESS: u8 = 0x01;
const ADMINISTRATOR: u8 = 0x04;

/// Get LAN Configuration Parameters (§23.2, table 23-4).
pub(super) fn parameter(device: &mut Device, data: &[u8], _now: Duration) -> Answer {
    let [channel, parameter, _set, _block] = exactly(data)?;
    only_lan_channel(channel)?;
    let mut answer = vec![PARAMETER_REVISION];
    if channel & ONLY_REVISION != 0 {
        return Ok(answer);
    }
    let address = device.identity.address.octets();
    let [first, ..] = address;
    let auth_types = device.model.auth_types.iter().map(|auth_type| 1_u8 << auth_type.number()).sum::<u8>();
    let suites = &device.model.suites;
    match parameter {
        // Set complete.
        0 => answer.push(0),
        1 => answer.push(auth_types),
        // The same for callback, user, operator, administrator and OEM.
        2 => answer.extend([auth_types, auth_types, auth_types, auth_types, 0]),
        3 => answer.extend(address),
        4 => answer.push(STATIC_ADDRESS),
        5 => answer.extend(device.identity.hardware_address()),
        6 => answer.extend([255, 0, 0, 0]),
        // Time to live, flags and precedence, type of service.
        7 => answer.extend([0x40, 0x40, 0x10]),
        // The default gateway, and a backup that does not exist.
        12 => answer.extend([first, 0, 0, 1]),
        13 | 15 => answer.extend([0; 6]),
        14 => answer.extend([0; 4]),
        16 => answer.extend(*b"public\0\0\0\0\0\0\0\0\0\0\0\0"),
        // No alert destination beside the volatile one.
        17 => answer.push(0),
        // No VLAN.
        20 => answer.extend([0; 2]),
        21 => answer.push(0),
        22 => answer.push(suites.len().to_le_bytes()[0]),
        23 => {
            answer.push(0);
            answer.extend(padded::<16>(suites.iter().map(|suite| suite.id)));
        }
        24 => {
            answer.push(0);
            answer.extend(padded::<8>(
                [ADMINISTRATOR | ADMINISTRATOR << 4; 8].into_iter().take(suites.len().div_ceil(2)),
            ));
        }
        _ => return Err(NO_SUCH_PARAMETER.into()),
    }
    Ok(answer)
}

/// The values with zeros behind them.
fn padded<const N: usize>(values: impl Iterator<Item = u8>) -> [u8; N] {
    let mut padded = [0; N];
    for (to, from) in padded.iter_mut().zip(values) {
        *to = from;
    }
    padded
}
