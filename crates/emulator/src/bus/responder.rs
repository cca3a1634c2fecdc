//! Answers requests as all boards of a room together. Packets in, byte strings out: no I/O, no time, no faults but
//! those that the configuration asks for.

use opendcre_devicebus::{Command, Packet, Protocol, Request, address, kind};
use opendcre_model::DeviceKind;

use super::answer::Answer;
use super::room::{Board, Room};
use super::scan_fault;

/// The sequence number of every answer of 1.1.
const FIXED_SEQUENCE: u8 = 1;

/// What the headers of answers hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Headers {
    /// As the original emulators: board `00000000`, device `FFFF` and type `FF`, but the real addresses in answers
    /// to scans and about asset texts.
    Legacy,
    /// Board, device and type of the request; in answers to scans those of the device.
    Full,
}

impl Headers {
    /// What responders of this protocol generation send unless told otherwise.
    #[must_use]
    pub const fn usual(protocol: Protocol) -> Self {
        match protocol {
            Protocol::V1_1 => Self::Legacy,
            Protocol::V1_2 | Protocol::V1_3 => Self::Full,
        }
    }
}

/// How a responder behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ResponderOptions {
    /// Which commands are known, what the type codes mean, and whether answers carry the sequence number of the
    /// request (1.2 and later) or always `01`.
    pub protocol: Protocol,
    /// What the headers of answers hold.
    pub headers: Headers,
}

/// All boards of a room.
#[derive(Debug, Clone)]
pub struct Responder {
    room: Room,
    options: ResponderOptions,
    /// What "?" asks for again.
    previous: Option<Request>,
}

/// A request on its way through the room.
#[derive(Debug, Clone, Copy)]
struct Asked<'a> {
    request: &'a Request,
    /// The sequence number that came with it.
    sequence: u8,
    /// Whether it is asked for once more with "?".
    is_repeat: bool,
}

impl Responder {
    /// All boards of `room`, which have not been asked anything yet.
    #[must_use]
    pub const fn new(room: Room, options: ResponderOptions) -> Self {
        Self { room, options, previous: None }
    }

    /// The answers to a packet, each as the bytes to send, in the order in which to send them. Usually one; none to
    /// what no board understands or is addressed by; any number to a scan.
    pub fn respond(&mut self, packet: &Packet) -> Vec<Vec<u8>> {
        let previous = self.previous.take();
        // Boards keep their time slots and stay silent (§9.4).
        if packet.board & address::SAVE != 0 {
            return Vec::new();
        }
        let Ok(received) = Request::try_from(packet) else {
            return Vec::new();
        };
        if received.command.since() > self.options.protocol {
            return Vec::new();
        }
        let is_repeat = received.command == Command::Repeat;
        let request = if is_repeat { previous } else { Some(received) };
        let Some(request) = request else {
            return Vec::new();
        };
        let answers = self.answer(Asked { request: &request, sequence: packet.sequence, is_repeat });
        self.previous = Some(request);
        answers
    }

    fn answer(&mut self, asked: Asked<'_>) -> Vec<Vec<u8>> {
        match asked.request.command {
            Command::Scan => self.scan(asked),
            Command::Version => self.version(asked),
            _ => self.ask_devices(asked),
        }
    }

    fn version(&mut self, asked: Asked<'_>) -> Vec<Vec<u8>> {
        let options = self.options;
        let answers = self.room.boards_with_id(asked.request.board).map(|board| match asked.is_repeat {
            true => board.next_retry_version(),
            false => board.version.clone(),
        });
        answers.filter_map(|answer| options.render(answer, asked)).collect()
    }

    fn ask_devices(&mut self, asked: Asked<'_>) -> Vec<Vec<u8>> {
        let options = self.options;
        let request = asked.request;
        let devices = self
            .room
            .boards_with_id(request.board)
            .flat_map(|board| &mut board.devices)
            .filter(|device| device.id.0 == request.device && options.reaches(request, device.kind));
        devices
            .map(|device| device.answer(&request.command, asked.is_repeat))
            .filter_map(|answer| options.render(answer, asked))
            .collect()
    }

    fn scan(&mut self, asked: Asked<'_>) -> Vec<Vec<u8>> {
        let is_scan_all = asked.request.is_scan_all();
        let is_shuffle = asked.request.board & address::SHUFFLE != 0;
        let damaged = match is_scan_all && !asked.is_repeat {
            true => self.room.scan_faults.on_scan(is_shuffle),
            false => None,
        };
        let mut answers = Vec::new();
        for board in &mut self.room.boards {
            if !is_scan_all && board.id.0 != asked.request.board {
                continue;
            }
            let mut packets = self.options.scan_board(board, asked);
            if damaged.as_ref() == Some(&board.name) {
                packets.iter_mut().for_each(|packet| scan_fault::damage(packet));
            }
            answers.append(&mut packets);
        }
        answers
    }
}

impl Room {
    /// All boards with this id: a configuration may hold several, which then all answer.
    fn boards_with_id(&mut self, id: u32) -> impl Iterator<Item = &mut Board> {
        self.boards.iter_mut().filter(move |board| board.id.0 == id)
    }
}

impl Board {
    fn next_retry_version(&mut self) -> Answer {
        let answer = self.retry_version.as_mut().and_then(|answers| answers.advance());
        answer.cloned().unwrap_or(Answer::Silence)
    }
}

impl ResponderOptions {
    /// The answers of one board to a scan.
    fn scan_board(self, board: &mut Board, asked: Asked<'_>) -> Vec<Vec<u8>> {
        let raw = match asked.is_repeat {
            true => board.retry_raw_scan.as_mut(),
            false => board.raw_scan.as_mut(),
        };
        if let Some(scans) = raw {
            let packets = scans.advance().into_iter().flatten();
            return packets.map(|packet| packet.render(asked.sequence)).collect();
        }
        if asked.is_repeat {
            return Vec::new();
        }
        let packets = board.devices.iter().map(|device| Packet {
            sequence: self.sequence(asked),
            kind_code: kind::code(device.kind),
            board: board.id.0,
            device: device.id.0,
            data: vec![kind::code(device.kind)],
        });
        packets.filter_map(|packet| packet.encode().ok()).collect()
    }

    /// The bytes of an answer to anything but a scan; `None` for silence.
    fn render(self, answer: Answer, asked: Asked<'_>) -> Option<Vec<u8>> {
        match answer {
            Answer::Silence => None,
            Answer::Raw(template) => Some(template.render(asked.sequence)),
            // What a packet cannot hold was refused with the configuration or did not fit the request either.
            Answer::Data(data) => self.packet(data, asked).encode().ok(),
        }
    }

    fn packet(self, data: Vec<u8>, asked: Asked<'_>) -> Packet {
        let sequence = self.sequence(asked);
        let request = asked.request;
        let is_asset_text = matches!(request.command, Command::AssetText | Command::SetAssetText(_));
        match self.headers {
            Headers::Legacy if !is_asset_text => Packet {
                sequence,
                kind_code: kind::NONE,
                board: address::NO_BOARD,
                device: address::WHOLE_BOARD,
                data,
            },
            Headers::Legacy | Headers::Full => Packet {
                sequence,
                kind_code: request.kind_code,
                board: request.board,
                device: request.device,
                data,
            },
        }
    }

    fn sequence(self, asked: Asked<'_>) -> u8 {
        match self.protocol {
            Protocol::V1_1 => FIXED_SEQUENCE,
            Protocol::V1_2 | Protocol::V1_3 => asked.sequence,
        }
    }

    /// Whether a device of this kind takes the request as meant for its kind.
    fn reaches(self, request: &Request, device: DeviceKind) -> bool {
        let is_power = matches!(request.command, Command::Power(_) | Command::PowerStatus);
        if is_power && self.protocol >= Protocol::V1_3 {
            return has_power_switch(device);
        }
        if is_for_servers(&request.command) && request.kind_code != kind::SYSTEM {
            return false;
        }
        let asked = kind::from_code(request.kind_code, self.protocol);
        asked == device
            || asked == DeviceKind::FanSpeed && device == DeviceKind::VaporFan
            || is_renamed(asked, device)
    }
}

const fn has_power_switch(kind: DeviceKind) -> bool {
    use DeviceKind::{Power, VaporBattery, VaporRectifier};
    matches!(kind, Power | VaporRectifier | VaporBattery)
}

/// Whether a command is for devices of the type `system` only, whatever answers others have (§7).
const fn is_for_servers(command: &Command) -> bool {
    matches!(
        command,
        Command::AssetInfo | Command::BootTarget | Command::SetBootTarget(_) | Command::HostInfo
    )
}

/// Whether two names stand for one type code in different protocol generations (§6).
fn is_renamed(asked: DeviceKind, device: DeviceKind) -> bool {
    kind::code(asked) != kind::NONE && kind::code(asked) == kind::code(device)
}
