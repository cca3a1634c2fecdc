//! What the master asks (§7): commands and the packets that carry them.

use thiserror::Error;

use crate::{Packet, PacketError, Protocol, address, kind};

/// The placeholder that every fan command carries for a motor pole setting (§7).
const MOTOR_POLES: u8 = 0xff;

/// A command with everything that its data field holds.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Command {
    /// "D": every device of the addressed boards answers with one packet; with [`address::SAVE`] nothing answers.
    Scan,
    /// "V": the firmware version of a board.
    Version,
    /// "R": the value of a sensor.
    Read,
    /// "RI": the free asset text of a power device (1.1).
    AssetText,
    /// "WI": stores the free asset text of a power device (1.1).
    SetAssetText(Vec<u8>),
    /// "P?": the power state.
    PowerStatus,
    /// "P0", "P1", "PC": changes the power state; the answer has the form of a status.
    Power(PowerSwitch),
    /// "W1", "W0": switches a lamp (1.2).
    WriteLed(bool),
    /// "W" and decimal text: sets a fan speed in revolutions per minute (1.2).
    WriteFan(String),
    /// "?": the last answer once more (1.2).
    Repeat,
    /// "A": the thirteen fields of asset information (1.3).
    AssetInfo,
    /// "B?": the boot target (1.3).
    BootTarget,
    /// "B0", "B1", "B2": sets the boot target (1.3).
    SetBootTarget(BootTarget),
    /// "L": sets the lamp of a chamber (1.3).
    ChamberLed(ChamberLed),
    /// "H": host names and addresses (1.3).
    HostInfo,
}

/// A change of power that the bus knows (§7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PowerSwitch {
    /// Switch on.
    On,
    /// Switch off at once.
    Off,
    /// Switch off, then on again.
    Cycle,
}

/// From where a server boots next (§7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BootTarget {
    /// As its firmware decides.
    NoOverride,
    /// From its hard disk.
    Hdd,
    /// From the network.
    Pxe,
}

impl BootTarget {
    /// The character on the bus.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::NoOverride => b'0',
            Self::Hdd => b'1',
            Self::Pxe => b'2',
        }
    }

    /// The target of a character, if it is one.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            b'0' => Some(Self::NoOverride),
            b'1' => Some(Self::Hdd),
            b'2' => Some(Self::Pxe),
            _ => None,
        }
    }
}

/// A setting that may also be left as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Override {
    /// Leave it ("-1").
    Keep,
    /// Switch it off, or to steady ("0").
    Off,
    /// Switch it on, or to blinking ("1").
    On,
}

impl Override {
    const fn text(self) -> &'static str {
        match self {
            Self::Keep => "-1",
            Self::Off => "0",
            Self::On => "1",
        }
    }

    fn from_text(text: &str) -> Option<Self> {
        [Self::Keep, Self::Off, Self::On].into_iter().find(|value| value.text() == text)
    }
}

impl From<Option<bool>> for Override {
    fn from(wanted: Option<bool>) -> Self {
        match wanted {
            None => Self::Keep,
            Some(false) => Self::Off,
            Some(true) => Self::On,
        }
    }
}

/// The wanted state of a chamber lamp (§7.6).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ChamberLed {
    /// On or off.
    pub state: Override,
    /// The rack that asks, as its id is written.
    pub rack: String,
    /// Six hexadecimal digits (red, green, blue), or `None` to leave the colour.
    pub color: Option<String>,
    /// Blinking or steady.
    pub blink: Override,
}

impl ChamberLed {
    fn encode(&self) -> String {
        let color = self.color.as_deref().unwrap_or(Override::Keep.text());
        format!("L{},{},{color},{}", self.state.text(), self.rack, self.blink.text())
    }

    /// Reads the text behind the "L". The rack stands in the middle, so it may hold commas.
    fn decode(text: &str) -> Option<Self> {
        let (state, rest) = text.split_once(',')?;
        let (rest, blink) = rest.rsplit_once(',')?;
        let (rack, color) = rest.rsplit_once(',')?;
        let color = match color {
            "-1" => None,
            digits if is_color(digits) => Some(digits.to_owned()),
            _ => return None,
        };
        let (state, blink) = (Override::from_text(state)?, Override::from_text(blink)?);
        Some(Self { state, rack: rack.to_owned(), color, blink })
    }
}

fn is_color(text: &str) -> bool {
    text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Data that is no command of any version.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{:?} is not a command", .0.escape_ascii().to_string())]
pub struct UnknownCommand(pub Vec<u8>);

impl Command {
    /// The data field.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Scan => b"D".to_vec(),
            Self::Version => b"V".to_vec(),
            Self::Read => b"R".to_vec(),
            Self::AssetText => b"RI".to_vec(),
            Self::SetAssetText(text) => [b"WI", text.as_slice()].concat(),
            Self::PowerStatus => b"P?".to_vec(),
            Self::Power(PowerSwitch::Off) => b"P0".to_vec(),
            Self::Power(PowerSwitch::On) => b"P1".to_vec(),
            Self::Power(PowerSwitch::Cycle) => b"PC".to_vec(),
            Self::WriteLed(true) => b"W1".to_vec(),
            Self::WriteLed(false) => b"W0".to_vec(),
            Self::WriteFan(rpm) => [&[b'W', MOTOR_POLES], rpm.as_bytes()].concat(),
            Self::Repeat => b"?".to_vec(),
            Self::AssetInfo => b"A".to_vec(),
            Self::BootTarget => b"B?".to_vec(),
            Self::SetBootTarget(target) => vec![b'B', target.code()],
            Self::ChamberLed(led) => led.encode().into_bytes(),
            Self::HostInfo => b"H".to_vec(),
        }
    }

    /// Reads a data field.
    ///
    /// # Errors
    /// [`UnknownCommand`] if no version knows it.
    pub fn decode(data: &[u8]) -> Result<Self, UnknownCommand> {
        let unknown = || UnknownCommand(data.to_vec());
        Ok(match data {
            b"D" => Self::Scan,
            b"V" => Self::Version,
            b"R" => Self::Read,
            b"RI" => Self::AssetText,
            b"P?" => Self::PowerStatus,
            b"P0" => Self::Power(PowerSwitch::Off),
            b"P1" => Self::Power(PowerSwitch::On),
            b"PC" => Self::Power(PowerSwitch::Cycle),
            b"W1" => Self::WriteLed(true),
            b"W0" => Self::WriteLed(false),
            b"?" => Self::Repeat,
            b"A" => Self::AssetInfo,
            b"B?" => Self::BootTarget,
            b"H" => Self::HostInfo,
            [b'B', code] => Self::SetBootTarget(BootTarget::from_code(*code).ok_or_else(unknown)?),
            [b'W', b'I', text @ ..] => Self::SetAssetText(text.to_vec()),
            [b'W', MOTOR_POLES, rpm @ ..] => Self::WriteFan(decimal(rpm).ok_or_else(unknown)?),
            [b'L', text @ ..] => {
                let led = std::str::from_utf8(text).ok().and_then(ChamberLed::decode);
                Self::ChamberLed(led.ok_or_else(unknown)?)
            }
            _ => return Err(unknown()),
        })
    }

    /// The release that brought the command (§7). The asset text went away again after 1.1, but boards that keep one
    /// answer to it whatever else they speak.
    #[must_use]
    pub const fn since(&self) -> Protocol {
        match self {
            Self::Scan
            | Self::Version
            | Self::Read
            | Self::AssetText
            | Self::SetAssetText(_)
            | Self::PowerStatus
            | Self::Power(_) => Protocol::V1_1,
            Self::WriteLed(_) | Self::WriteFan(_) | Self::Repeat => Protocol::V1_2,
            Self::AssetInfo
            | Self::BootTarget
            | Self::SetBootTarget(_)
            | Self::ChamberLed(_)
            | Self::HostInfo => Protocol::V1_3,
        }
    }

    /// Whether asking again changes nothing, so that the command may be repeated or shared.
    #[must_use]
    pub const fn is_safe(&self) -> bool {
        match self {
            Self::Scan
            | Self::Version
            | Self::Read
            | Self::AssetText
            | Self::PowerStatus
            | Self::Repeat
            | Self::AssetInfo
            | Self::BootTarget
            | Self::HostInfo => true,
            Self::SetAssetText(_)
            | Self::Power(_)
            | Self::WriteLed(_)
            | Self::WriteFan(_)
            | Self::SetBootTarget(_)
            | Self::ChamberLed(_) => false,
        }
    }
}

/// Digits as text, leading zeros kept.
fn decimal(bytes: &[u8]) -> Option<String> {
    let digits = !bytes.is_empty() && bytes.iter().all(u8::is_ascii_digit);
    digits.then(|| String::from_utf8_lossy(bytes).into_owned())
}

/// A command and whom it addresses: a packet without its sequence number.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Request {
    /// Type code of the addressed device; [`kind::NONE`] when a whole board is addressed.
    pub kind_code: u8,
    /// The addressed board, with flag bits for broadcasts.
    pub board: u32,
    /// The addressed device; [`address::WHOLE_BOARD`] when a whole board is addressed.
    pub device: u16,
    /// What is asked.
    pub command: Command,
}

impl Request {
    /// A command to a whole board, or to all boards: [`Command::Scan`] or [`Command::Version`].
    #[must_use]
    pub const fn to_board(board: u32, command: Command) -> Self {
        Self { kind_code: kind::NONE, board, device: address::WHOLE_BOARD, command }
    }

    /// A command to one device, which answers only if it has this type code.
    #[must_use]
    pub const fn to_device(kind_code: u8, board: u32, device: u16, command: Command) -> Self {
        Self { kind_code, board, device, command }
    }

    /// The request for the last answer once more: same addresses, other command (§9.1).
    #[must_use]
    pub const fn repeat(&self) -> Self {
        Self { kind_code: self.kind_code, board: self.board, device: self.device, command: Command::Repeat }
    }

    /// Whether every board may answer.
    #[must_use]
    pub const fn is_scan_all(&self) -> bool {
        matches!(self.command, Command::Scan) && self.board & address::SCAN_ALL != 0
    }

    /// The packet that carries this request.
    #[must_use]
    pub fn packet(&self, sequence: u8) -> Packet {
        let Self { kind_code, board, device, command } = self;
        let (kind_code, board, device) = (*kind_code, *board, *device);
        Packet { sequence, kind_code, board, device, data: command.encode() }
    }

    /// The bytes of that packet.
    ///
    /// # Errors
    /// [`PacketError::TooLong`] if a text is longer than a packet can carry.
    pub fn encode(&self, sequence: u8) -> Result<Vec<u8>, PacketError> {
        self.packet(sequence).encode()
    }
}

impl TryFrom<&Packet> for Request {
    type Error = UnknownCommand;

    fn try_from(packet: &Packet) -> Result<Self, UnknownCommand> {
        let Packet { sequence: _, kind_code, board, device, data } = packet;
        let (kind_code, board, device) = (*kind_code, *board, *device);
        Ok(Self { kind_code, board, device, command: Command::decode(data)? })
    }
}
