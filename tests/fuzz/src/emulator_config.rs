//! Any text, taken as the configuration of an emulated room.
//!
//! The promises: what is refused is refused with one line for people, however long the text is; what is accepted
//! can be asked anything.

use opendcre_devicebus::{Command, Packet, PowerSwitch, Request, address, kind};
use opendcre_emulator::bus::{Headers, Protocol, Responder, ResponderOptions, Room};

/// The longest message: an explanation, and the beginning of a wrong value.
const MAX_MESSAGE: usize = 800;

/// Reads the text, then asks the room for everything that its boards showed in a scan.
pub fn emulator_config(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let room = match Room::from_json(&text) {
        Ok(room) => room,
        Err(error) => return check_message(&error.to_string()),
    };
    for protocol in [Protocol::V1_1, Protocol::V1_2, Protocol::V1_3] {
        let options = ResponderOptions { protocol, headers: Headers::Full };
        ask_everything(&mut Responder::new(room.clone(), options));
    }
}

fn check_message(message: &str) {
    assert!(!message.is_empty());
    assert!(message.len() <= MAX_MESSAGE, "{} bytes: {message}", message.len());
    assert!(!message.contains(char::is_control), "{message:?}");
}

fn ask_everything(responder: &mut Responder) {
    let scan = Request::to_board(address::SCAN_ALL, Command::Scan);
    let shuffled = Request::to_board(address::SCAN_ALL | address::SHUFFLE, Command::Scan);
    let answers = ask(responder, &scan);
    ask(responder, &shuffled);
    ask(responder, &shuffled);
    for answer in answers.iter().filter_map(|answer| Packet::decode(answer).ok()) {
        ask(responder, &Request::to_board(answer.board, Command::Version));
        for command in commands() {
            let kind_code = answer.data.first().copied().unwrap_or(kind::NONE);
            ask(responder, &Request::to_device(kind_code, answer.board, answer.device, command));
        }
    }
}

fn commands() -> [Command; 9] {
    [
        Command::Read,
        Command::PowerStatus,
        Command::Power(PowerSwitch::Off),
        Command::WriteLed(true),
        Command::WriteFan("4100".to_owned()),
        Command::AssetText,
        Command::AssetInfo,
        Command::BootTarget,
        Command::HostInfo,
    ]
}

/// Asks twice, because answers change with their use, and then for a repeat.
fn ask(responder: &mut Responder, request: &Request) -> Vec<Vec<u8>> {
    responder.respond(&request.packet(1));
    let answers = responder.respond(&request.packet(2));
    responder.respond(&request.repeat().packet(3));
    answers
}
