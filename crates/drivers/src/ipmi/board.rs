//! A BMC as a board: the devices that every server has, and those that were found.

use opendcre_model::{
    Board, BoardId, Capabilities, Capability, Device, DeviceId, DeviceKind, HostInfo, SERVER_LED,
    SERVER_POWER, SERVER_SYSTEM,
};

use super::bmcs::Bmc;
use super::sensor;

impl Bmc {
    /// The board, with what is known of it.
    pub(super) fn board(&self, id: BoardId) -> Board {
        let profile = self.knowledge.profile();
        let mut devices = self.server_devices();
        devices.extend(profile.iter().flat_map(|profile| profile.sensors.iter()).map(sensor::device));
        Board {
            identity: profile.as_ref().and_then(|profile| profile.identity.clone()),
            firmware: profile.as_ref().map(|profile| profile.device.firmware()),
            hostnames: self.hostnames.clone(),
            ip_addresses: self.ip_addresses.clone(),
            ..Board::new(id, devices)
        }
    }

    /// How the host is reached, as the configuration says.
    pub(super) fn host_info(&self) -> HostInfo {
        HostInfo { hostnames: self.hostnames.clone(), ip_addresses: self.ip_addresses.clone() }
    }

    /// What every server has.
    fn server_devices(&self) -> Vec<Device> {
        const POWER: Capabilities =
            Capabilities::of(&[Capability::PowerState, Capability::PowerControl, Capability::AssetText]);
        const METERED_POWER: Capabilities = Capabilities::of(&[
            Capability::PowerState,
            Capability::PowerControl,
            Capability::AssetText,
            Capability::Reading,
        ]);
        const SYSTEM: Capabilities = Capabilities::of(&[
            Capability::AssetInfo,
            Capability::BootTarget,
            Capability::HostInfo,
            Capability::EventLog,
        ]);
        const LED: Capabilities = Capabilities::of(&[Capability::Led, Capability::Identify]);
        // As long as nobody has asked whether it measures, it may.
        let may_measure = self.knowledge.measures_power().unwrap_or(true);
        let power = if may_measure { METERED_POWER } else { POWER };
        vec![
            named(SERVER_POWER, DeviceKind::Power, power),
            named(SERVER_SYSTEM, DeviceKind::System, SYSTEM),
            named(SERVER_LED, DeviceKind::Led, LED),
        ]
    }
}

/// A device that is called what it is.
fn named(id: DeviceId, kind: DeviceKind, capabilities: Capabilities) -> Device {
    Device { name: Some(kind.name().to_owned()), ..Device::new(id, kind, capabilities) }
}
