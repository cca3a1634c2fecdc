//! The device bus emulator from outside: configuration in, packets in, bytes out.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails may panic"
)]

mod config;
mod fault;
mod hostile;
mod protocol_1_1;
mod protocol_1_2;
mod protocol_1_3;
mod terminal;
mod tolerance;

use opendcre_devicebus::Packet;
use opendcre_emulator::bus::{Headers, Protocol, Responder, ResponderOptions, Room};

/// The complete small configuration of format 1.1.
const SMALL: &str = include_str!("small.json");

fn responder(json: &str, protocol: Protocol) -> Responder {
    responder_with(json, protocol, Headers::usual(protocol))
}

fn responder_with(json: &str, protocol: Protocol, headers: Headers) -> Responder {
    Responder::new(Room::from_json(json).unwrap(), ResponderOptions { protocol, headers })
}

/// A room with one board `00000001` that holds these devices, given as JSON objects separated by commas.
fn room_of(devices: &str) -> String {
    format!(r#"{{"boards": [{{"board_id": "1", "firmware_version": "v1", "devices": [{devices}]}}]}}"#)
}

/// Bytes from hexadecimal digits with blanks between them.
fn hex(text: &str) -> Vec<u8> {
    text.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
}

fn packet(sequence: u8, kind_code: u8, board: u32, device: u16, data: &[u8]) -> Packet {
    Packet { sequence, kind_code, board, device, data: data.to_vec() }
}

/// The answers to one request, decoded.
fn ask(responder: &mut Responder, request: &Packet) -> Vec<Packet> {
    let answers = responder.respond(request);
    answers.iter().map(|bytes| Packet::decode(bytes).unwrap()).collect()
}

/// The data of the only answer to one request as text, or "-" for silence.
fn text(responder: &mut Responder, request: &Packet) -> String {
    match ask(responder, request).as_slice() {
        [] => "-".to_owned(),
        [answer] => String::from_utf8(answer.data.clone()).unwrap(),
        several => panic!("{several:?}"),
    }
}

/// The data of the answers to the same request, again and again.
fn texts(responder: &mut Responder, request: &Packet, count: usize) -> Vec<String> {
    (0..count).map(|_| text(responder, request)).collect()
}
