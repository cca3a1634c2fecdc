//! The boards that a scan found, and what can be asked of their devices.

use opendcre_devicebus::{Packet, Protocol, kind, reply};
use opendcre_model::{Board, BoardId, Capabilities, Capability, Device, DeviceId, DeviceKind};

/// The boards of a scan, in the order in which they first answered (§7.1).
pub(super) fn boards(packets: &[Packet], protocol: Protocol) -> Vec<Board> {
    let mut boards: Vec<Board> = Vec::new();
    for packet in packets {
        let id = BoardId(packet.board);
        let kind = kind::from_code(reply::scanned_kind(&packet.data), protocol);
        let device = Device::new(DeviceId(packet.device), kind, capabilities(kind, protocol));
        match boards.iter_mut().find(|board| board.id == id) {
            Some(board) => board.devices.push(device),
            None => boards.push(Board::new(id, vec![device])),
        }
    }
    boards
}

/// What can be asked of a device of a kind (§7).
///
/// Nothing can be asked of a position without a device, and of kinds that are a name only: they do not answer, and
/// whoever went through a board and asked for everything would wait a whole time limit for each. A read that somebody
/// asks for by its kind is sent all the same.
const fn capabilities(kind: DeviceKind, protocol: Protocol) -> Capabilities {
    use Capability::{
        AssetInfo, AssetText, AssetTextControl, BootTarget, ChamberLed, FanControl, HostInfo, Led,
        PowerControl, PowerState, Reading,
    };
    let set: &[Capability] = match (kind, protocol) {
        // Asset texts are of release 1.1, but API 1.1 asks for them on every bus, and boards of later releases may answer.
        // One that does not is silent, which costs nobody a time limit but those who ask for its text.
        (DeviceKind::Power, _) => &[PowerState, PowerControl, AssetText, AssetTextControl],
        (DeviceKind::VaporRectifier | DeviceKind::VaporBattery, _) => &[PowerState, PowerControl],
        (DeviceKind::Led | DeviceKind::FanSpeed | DeviceKind::VaporFan, Protocol::V1_1) => &[Reading],
        (DeviceKind::Led, _) => &[Reading, Led],
        (DeviceKind::FanSpeed | DeviceKind::VaporFan, _) => &[Reading, FanControl],
        (DeviceKind::VaporLed, Protocol::V1_3) => &[ChamberLed],
        (DeviceKind::System, Protocol::V1_3) => &[AssetInfo, BootTarget, HostInfo],
        (
            DeviceKind::Airflow
            | DeviceKind::Current
            | DeviceKind::DoorLock
            | DeviceKind::Humidity
            | DeviceKind::Pressure
            | DeviceKind::Temperature
            | DeviceKind::Thermistor,
            _,
        ) => &[Reading],
        (
            DeviceKind::Ipmb
            | DeviceKind::None
            | DeviceKind::PowerSupply
            | DeviceKind::Sensor
            | DeviceKind::System
            | DeviceKind::VaporLed
            | DeviceKind::Voltage,
            _,
        ) => &[],
    };
    Capabilities::of(set)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The kind that a scanned code means, and what can be asked of it.
    fn scanned(code: u8, protocol: Protocol) -> (DeviceKind, Vec<Capability>) {
        let packet = Packet { sequence: 1, kind_code: code, board: 7, device: 1, data: vec![code] };
        let boards = boards(&[packet], protocol);
        (boards[0].devices[0].kind, boards[0].devices[0].capabilities.iter().collect())
    }

    #[test]
    fn devices_are_grouped_by_board_in_the_order_of_their_answers() {
        let packet = |board, device| Packet { sequence: 1, kind_code: 0x9c, board, device, data: vec![0x9c] };
        let boards = boards(&[packet(7, 1), packet(2, 1), packet(7, 2)], Protocol::V1_3);
        let found: Vec<_> = boards.iter().map(|board| (board.id.0, board.devices.len())).collect();
        assert_eq!(found, [(7, 2), (2, 1)]);
    }

    #[test]
    fn what_can_be_asked_depends_on_the_release() {
        use Capability::{
            AssetInfo, AssetText, AssetTextControl, BootTarget, ChamberLed, FanControl, HostInfo, Led,
            PowerControl, PowerState, Reading,
        };
        use Protocol::{V1_1, V1_2, V1_3};
        for (code, protocol, kind, capabilities) in [
            (0x40, V1_1, DeviceKind::Power, vec![PowerState, PowerControl, AssetText, AssetTextControl]),
            (0x40, V1_2, DeviceKind::Power, vec![PowerState, PowerControl, AssetText, AssetTextControl]),
            (0x40, V1_3, DeviceKind::Power, vec![PowerState, PowerControl, AssetText, AssetTextControl]),
            (0x48, V1_2, DeviceKind::None, vec![]),
            (0x48, V1_3, DeviceKind::VaporRectifier, vec![PowerState, PowerControl]),
            (0x4a, V1_3, DeviceKind::VaporBattery, vec![PowerState, PowerControl]),
            (0x10, V1_1, DeviceKind::Led, vec![Reading]),
            (0x10, V1_2, DeviceKind::Led, vec![Reading, Led]),
            (0x82, V1_1, DeviceKind::DoorLock, vec![Reading]),
            (0x82, V1_2, DeviceKind::FanSpeed, vec![Reading, FanControl]),
            (0x88, V1_3, DeviceKind::VaporFan, vec![Reading, FanControl]),
            (0x08, V1_3, DeviceKind::VaporLed, vec![ChamberLed]),
            (0x12, V1_1, DeviceKind::Ipmb, vec![]),
            (0x12, V1_2, DeviceKind::System, vec![]),
            (0x12, V1_3, DeviceKind::System, vec![AssetInfo, BootTarget, HostInfo]),
            (0x9c, V1_1, DeviceKind::Thermistor, vec![Reading]),
            (0xf2, V1_3, DeviceKind::Airflow, vec![Reading]),
            (0xf0, V1_3, DeviceKind::PowerSupply, vec![]),
            (0xff, V1_3, DeviceKind::None, vec![]),
        ] {
            assert_eq!(scanned(code, protocol), (kind, capabilities), "{code:02x} in {protocol}");
        }
    }
}
