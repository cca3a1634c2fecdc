//! What holds for every packet, every command and every damage.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

use opendcre_devicebus::{
    BootTarget, ChamberLed, Command, Deframer, MAX_DATA, Override, Packet, PacketError, PowerSwitch,
    Protocol, Request, reply,
};
use proptest::prelude::*;

prop_compose! {
    fn any_packet()(
        sequence: u8,
        kind_code: u8,
        board: u32,
        device: u16,
        data in prop::collection::vec(any::<u8>(), 0..=MAX_DATA),
    ) -> Packet {
        Packet { sequence, kind_code, board, device, data }
    }
}

fn any_override() -> impl Strategy<Value = Override> {
    prop_oneof![Just(Override::Keep), Just(Override::Off), Just(Override::On)]
}

prop_compose! {
    fn any_chamber_led()(
        state in any_override(),
        rack in "[ -~]{0,40}",
        color in prop::option::of("[0-9a-fA-F]{6}"),
        blink in any_override(),
    ) -> ChamberLed {
        ChamberLed { state, rack, color, blink }
    }
}

fn any_command() -> impl Strategy<Value = Command> {
    let power = prop_oneof![Just(PowerSwitch::On), Just(PowerSwitch::Off), Just(PowerSwitch::Cycle)];
    let target = prop_oneof![Just(BootTarget::NoOverride), Just(BootTarget::Hdd), Just(BootTarget::Pxe)];
    prop_oneof![
        Just(Command::Scan),
        Just(Command::Version),
        Just(Command::Read),
        Just(Command::AssetText),
        prop::collection::vec(any::<u8>(), 0..=127).prop_map(Command::SetAssetText),
        Just(Command::PowerStatus),
        power.prop_map(Command::Power),
        any::<bool>().prop_map(Command::WriteLed),
        "[0-9]{1,5}".prop_map(Command::WriteFan),
        Just(Command::Repeat),
        Just(Command::AssetInfo),
        Just(Command::BootTarget),
        target.prop_map(Command::SetBootTarget),
        any_chamber_led().prop_map(Command::ChamberLed),
        Just(Command::HostInfo),
    ]
}

/// Everything that a stream of bytes holds, after which the line is silent.
fn found(bytes: &[u8]) -> Vec<Result<Packet, PacketError>> {
    let mut deframer = Deframer::default();
    deframer.push(bytes);
    take_all(&mut deframer)
}

fn take_all(deframer: &mut Deframer) -> Vec<Result<Packet, PacketError>> {
    std::iter::from_fn(|| deframer.next_packet().or_else(|| deframer.packet_behind(|_| true).map(Ok)))
        .collect()
}

proptest! {
    #[test]
    fn a_packet_survives_the_line(packet in any_packet()) {
        let bytes = packet.encode().unwrap();
        prop_assert_eq!(&Packet::decode(&bytes).unwrap(), &packet);
        prop_assert_eq!(found(&bytes), [Ok(packet)]);
    }

    #[test]
    fn too_much_data_is_refused(extra in 1..100_usize) {
        let length = MAX_DATA + extra;
        let packet = Packet { sequence: 1, kind_code: 1, board: 1, device: 1, data: vec![0; length] };
        prop_assert_eq!(packet.encode(), Err(PacketError::TooLong { length }));
    }

    #[test]
    fn a_command_survives_the_line(command in any_command(), kind_code: u8, board: u32, device: u16) {
        let request = Request::to_device(kind_code, board, device, command);
        let packet = Packet::decode(&request.encode(7).unwrap()).unwrap();
        prop_assert_eq!(Request::try_from(&packet).unwrap(), request);
    }

    #[test]
    fn no_prefix_is_taken_for_a_packet(packet in any_packet(), cut: prop::sample::Index) {
        let bytes = packet.encode().unwrap();
        let prefix = &bytes[..cut.index(bytes.len())];
        prop_assert!(Packet::decode(prefix).is_err());
        prop_assert!(!found(prefix).contains(&Ok(packet)));
    }

    #[test]
    fn no_flipped_bit_goes_unnoticed(packet in any_packet(), at: prop::sample::Index, bit in 0..8_u32) {
        let mut bytes = packet.encode().unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        prop_assert!(Packet::decode(&bytes).is_err());
    }

    /// Noise can hide a packet only by being a valid packet itself up to there, checksum and trailer included.
    #[test]
    fn the_packet_after_noise_is_understood(
        noise in prop::collection::vec(prop_oneof![3 => any::<u8>(), 1 => Just(1_u8), 1 => Just(12_u8)], 0..300),
        packet in any_packet(),
    ) {
        let stream = [noise, packet.encode().unwrap()].concat();
        let packets: Vec<Packet> = found(&stream).into_iter().flatten().collect();
        let hidden_by_another = packets.iter().any(|found| *found != packet);
        prop_assert!(packets.contains(&packet) || hidden_by_another);
    }

    #[test]
    fn pieces_make_no_difference(stream in prop::collection::vec(any::<u8>(), 0..600), size in 1..40_usize, packet in any_packet()) {
        let stream = [stream, packet.encode().unwrap()].concat();
        let mut deframer = Deframer::default();
        let mut packets = Vec::new();
        for piece in stream.chunks(size) {
            deframer.push(piece);
            packets.extend(std::iter::from_fn(|| deframer.next_packet()).flatten());
        }
        packets.extend(take_all(&mut deframer).into_iter().flatten());
        let hidden_by_another = packets.iter().any(|found| *found != packet);
        prop_assert!(packets.contains(&packet) || hidden_by_another);
    }

    #[test]
    fn arbitrary_bytes_are_answered_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        for packet in found(&bytes).into_iter().flatten() {
            prop_assert!(packet.data.len() <= MAX_DATA);
        }
        if let Ok(command) = Command::decode(&bytes) {
            prop_assert_eq!(command.encode(), bytes.clone());
        }
        // None of these may do more than refuse.
        let accepted = [
            reply::text(&bytes).is_ok(),
            reply::number(&bytes).is_ok(),
            reply::integer(&bytes).is_ok(),
            reply::power(&bytes).is_ok(),
            reply::power_answer(&bytes, Protocol::V1_3).is_ok(),
            reply::battery(&bytes).is_ok(),
            reply::write(&bytes).is_ok(),
            reply::asset_info(&bytes).is_ok(),
            reply::boot_target(&bytes).is_ok(),
            reply::chamber_led(&bytes).is_ok(),
            reply::host_info(&bytes).is_ok(),
            reply::led(&bytes).is_ok(),
        ];
        prop_assert!(bytes.is_ascii() || accepted == [false; 12]);
    }
}
