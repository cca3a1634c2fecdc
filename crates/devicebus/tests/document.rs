//! The bytes in `docs/hat.md`, by which others build boards, are those that this crate speaks.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop at the first surprise")]

use opendcre_devicebus::{Packet, Request, address};

const DOCUMENT: &str = include_str!("../../../docs/hat.md");

/// The examples with their marks, in the order of the document.
fn lines(document: &str) -> impl Iterator<Item = (char, Vec<u8>)> {
    document.lines().filter_map(|line| {
        let (mark, hex) = line.split_once(' ')?;
        let mark = ['>', '<', '!'].into_iter().find(|known| mark.chars().eq([*known]))?;
        let bytes = hex.split(' ').map(|byte| u8::from_str_radix(byte, 16)).collect::<Result<_, _>>();
        Some((mark, bytes.unwrap()))
    })
}

#[test]
fn the_examples_are_packets_and_the_answers_those_to_their_requests() {
    let mut asked: Option<Packet> = None;
    let mut counts = [0; 3];
    for (mark, bytes) in lines(DOCUMENT) {
        let decoded = Packet::decode(&bytes);
        match (mark, &asked) {
            ('>', _) => {
                let packet = decoded.unwrap();
                let request = Request::try_from(&packet).unwrap();
                assert_eq!(request.encode(packet.sequence).unwrap(), bytes);
                asked = Some(packet);
                counts[0] += 1;
            }
            ('<', Some(asked)) => {
                let packet = decoded.unwrap();
                assert_eq!(packet.encode().unwrap(), bytes);
                assert_eq!(packet.sequence, asked.sequence, "{bytes:02X?}");
                let is_scan = asked.data == *b"D";
                let is_for_all = asked.board & address::SCAN_ALL != 0;
                assert!(is_for_all || packet.board == asked.board, "{bytes:02X?}");
                assert!(is_scan || (packet.kind_code, packet.device) == (asked.kind_code, asked.device));
                counts[1] += 1;
            }
            ('!', _) => {
                decoded.unwrap_err();
                counts[2] += 1;
            }
            (mark, _) => panic!("{mark:?} answers nothing: {bytes:02X?}"),
        }
    }
    assert!(counts[0] >= 14 && counts[1] >= 13 && counts[2] == 2, "{counts:?}");
}
