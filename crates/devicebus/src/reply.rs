//! What boards answer (§7.1 to §7.7): the data field of a reply, decoded.
//!
//! Each function reads one form of answer. None of them knows which request it belongs to.

use thiserror::Error;

use opendcre_model::{AssetInfo, BoardAsset, ChassisAsset, HostInfo, Number, PowerState, ProductAsset};

use crate::{BootTarget, Protocol, kind};

/// Why an answer cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ReplyError {
    /// The answer is not text.
    #[error("the answer \"{0}\" is not ASCII text")]
    NotText(String),
    /// The answer is not a number.
    #[error("the answer {0:?} is not a number")]
    NotANumber(String),
    /// The answer does not have the fields it must have.
    #[error("the answer {text:?} is not {expected}")]
    Form {
        /// The answer.
        text: String,
        /// The form it should have.
        expected: &'static str,
    },
    /// The device refused a write.
    #[error("the device refused with {0:?}")]
    Refused(String),
}

fn ascii(data: &[u8]) -> Result<&str, ReplyError> {
    match std::str::from_utf8(data) {
        Ok(text) if text.is_ascii() => Ok(text),
        _ => Err(ReplyError::NotText(data.escape_ascii().to_string())),
    }
}

fn form(text: &str, expected: &'static str) -> ReplyError {
    ReplyError::Form { text: text.to_owned(), expected }
}

/// The type code in a scan answer (§7.1): the first data byte; [`kind::NONE`] if there is none, so that a device
/// which does not say what it is still shows up.
#[must_use]
pub fn scanned_kind(data: &[u8]) -> u8 {
    data.first().copied().unwrap_or(kind::NONE)
}

/// A firmware version or an asset text, which may be empty.
///
/// # Errors
/// [`ReplyError::NotText`] if it is not ASCII.
pub fn text(data: &[u8]) -> Result<String, ReplyError> {
    ascii(data).map(str::to_owned)
}

/// The number of a sensor (§7.2).
///
/// # Errors
/// [`ReplyError::NotText`] and [`ReplyError::NotANumber`].
pub fn number(data: &[u8]) -> Result<Number, ReplyError> {
    let text = ascii(data)?;
    text.parse().map_err(|_| ReplyError::NotANumber(text.to_owned()))
}

/// The number of a sensor that counts in whole numbers, which is every one but those of temperature and pressure
/// (§7.2).
///
/// # Errors
/// [`ReplyError::NotText`], [`ReplyError::NotANumber`], and [`ReplyError::Form`] for a fraction.
pub fn integer(data: &[u8]) -> Result<Number, ReplyError> {
    match number(data)? {
        Number::Decimal(_) => Err(form(ascii(data)?, "an integer")),
        integer @ Number::Integer(_) => Ok(integer),
    }
}

/// The bits of the power status word (§7.3).
mod status {
    pub(super) const UNDER_VOLTAGE: i64 = 0x0008;
    pub(super) const OVER_CURRENT: i64 = 0x0010;
    pub(super) const OUTPUT_OFF: i64 = 0x0040;
    pub(super) const POWER_NOT_GOOD: i64 = 0x0800;
}

/// The answer of a power device (§7.3): four numbers as the device sent them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PowerStatus {
    /// Status word.
    pub status: i64,
    /// Raw input power.
    pub power: i64,
    /// Raw input voltage.
    pub voltage: i64,
    /// Raw output current.
    pub current: i64,
}

impl PowerStatus {
    /// On or off.
    #[must_use]
    pub const fn state(&self) -> PowerState {
        if self.status & status::OUTPUT_OFF == 0 { PowerState::On } else { PowerState::Off }
    }

    /// The output is good.
    #[must_use]
    pub const fn power_ok(&self) -> bool {
        self.status & status::POWER_NOT_GOOD == 0
    }

    /// Too much current flows.
    #[must_use]
    pub const fn over_current(&self) -> bool {
        self.status & status::OVER_CURRENT != 0
    }

    /// The voltage is too low.
    #[must_use]
    pub const fn under_voltage(&self) -> bool {
        self.status & status::UNDER_VOLTAGE != 0
    }
}

/// Reads `status,power,voltage,current`. Fields behind the fourth are ignored, as before 1.3.
///
/// # Errors
/// [`ReplyError::NotText`], and [`ReplyError::Form`] if a number is missing or is not an integer.
pub fn power(data: &[u8]) -> Result<PowerStatus, ReplyError> {
    let text = ascii(data)?;
    let malformed = || form(text, "four integers (status,power,voltage,current)");
    let mut fields = text.split(',').map(|field| field.trim().parse::<i64>());
    let mut next = || fields.next().and_then(Result::ok).ok_or_else(malformed);
    Ok(PowerStatus { status: next()?, power: next()?, voltage: next()?, current: next()? })
}

/// The charge of a battery unit (§7.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatteryStatus {
    /// A word such as `charging`.
    pub state: String,
    /// Charge in percent, as the device sent it.
    pub charge_percent: i64,
}

/// Reads `battery_status,charge`.
///
/// # Errors
/// [`ReplyError::NotText`], and [`ReplyError::Form`] if there are not exactly a word and an integer.
pub fn battery(data: &[u8]) -> Result<BatteryStatus, ReplyError> {
    let text = ascii(data)?;
    let malformed = || form(text, "a word and an integer (battery_status,charge)");
    let (state, charge) = text.split_once(',').ok_or_else(malformed)?;
    let charge_percent = charge.trim().parse().map_err(|_| malformed())?;
    Ok(BatteryStatus { state: state.to_owned(), charge_percent })
}

/// The answer to any power command: which form it has depends on the device (§7.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PowerAnswer {
    /// Of a switch or a rectifier.
    Status(PowerStatus),
    /// Of a battery unit.
    Battery(BatteryStatus),
}

/// Reads the answer to a power command. From 1.3 on two fields are those of a battery unit, and any number but two or
/// four is an error; before, there are no battery units, and fields behind the fourth are ignored.
///
/// # Errors
/// As those of [`power`] and [`battery`].
pub fn power_answer(data: &[u8], protocol: Protocol) -> Result<PowerAnswer, ReplyError> {
    let fields = data.split(|byte| *byte == b',').count();
    match (protocol, fields) {
        (Protocol::V1_3, 2) => battery(data).map(PowerAnswer::Battery),
        (Protocol::V1_3, 5..) => Err(form(ascii(data)?, "two or four fields")),
        _ => power(data).map(PowerAnswer::Status),
    }
}

/// Reads the answer to a write (§7.4): only "W1" means accepted.
///
/// # Errors
/// [`ReplyError::Refused`] for everything else.
pub fn write(data: &[u8]) -> Result<(), ReplyError> {
    match data {
        b"W1" => Ok(()),
        other => Err(ReplyError::Refused(other.escape_ascii().to_string())),
    }
}

/// Reads thirteen fields separated by commas (§7.5). The fields of the answer are in the order of [`AssetInfo`].
///
/// # Errors
/// [`ReplyError::NotText`], and [`ReplyError::Form`] for any other number of fields.
pub fn asset_info(data: &[u8]) -> Result<AssetInfo, ReplyError> {
    let text = ascii(data)?;
    let malformed = || form(text, "thirteen fields of asset information");
    let mut fields = text.split(',').map(str::to_owned);
    let mut next = || fields.next().ok_or_else(malformed);
    let board = BoardAsset {
        manufacturer: next()?,
        part_number: next()?,
        product_name: next()?,
        serial_number: next()?,
    };
    let chassis = ChassisAsset { chassis_type: next()?, part_number: next()?, serial_number: next()? };
    let product = ProductAsset {
        asset_tag: next()?,
        manufacturer: next()?,
        part_number: next()?,
        product_name: next()?,
        serial_number: next()?,
        version: next()?,
    };
    match fields.next() {
        Some(_) => Err(malformed()),
        None => Ok(AssetInfo { board, chassis, product, management_address: None }),
    }
}

/// Reads the answer to a boot target command: "B" and a code (§7).
///
/// # Errors
/// [`ReplyError::NotText`], and [`ReplyError::Form`] for any other text.
pub fn boot_target(data: &[u8]) -> Result<BootTarget, ReplyError> {
    let target = match data {
        [b'B', code] => BootTarget::from_code(*code),
        _ => None,
    };
    match target {
        Some(target) => Ok(target),
        None => Err(form(ascii(data)?, "a boot target (B0, B1 or B2)")),
    }
}

/// The state of a chamber lamp (§7.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChamberLedState {
    /// Lit.
    pub on: bool,
    /// Colour as the device sent it.
    pub color: String,
    /// Blinking.
    pub blinking: bool,
}

/// Reads `state,color,blink`.
///
/// # Errors
/// [`ReplyError::NotText`], and [`ReplyError::Form`] for any other number of fields.
pub fn chamber_led(data: &[u8]) -> Result<ChamberLedState, ReplyError> {
    let text = ascii(data)?;
    let fields: Vec<&str> = text.split(',').collect();
    match fields.as_slice() {
        [state, color, blink] => {
            Ok(ChamberLedState { on: *state == "1", color: (*color).to_owned(), blinking: *blink == "1" })
        }
        _ => Err(form(text, "three fields (state,color,blink)")),
    }
}

/// Reads a list of `h<host name>` and `i<IP address>` (§7.7).
///
/// # Errors
/// [`ReplyError::NotText`], and [`ReplyError::Form`] for a field that is neither, or is empty behind its letter.
pub fn host_info(data: &[u8]) -> Result<HostInfo, ReplyError> {
    let text = ascii(data)?;
    let malformed = || form(text, "a list of host names (h…) and IP addresses (i…)");
    let mut info = HostInfo::default();
    for field in text.split(',') {
        match field.split_at_checked(1) {
            Some(("h", name)) if !name.is_empty() => info.hostnames.push(name.to_owned()),
            Some(("i", address)) => info.ip_addresses.push(address.parse().map_err(|_| malformed())?),
            _ => return Err(malformed()),
        }
    }
    Ok(info)
}

/// Reads the number that a lamp answers to a read (§10.4): 1 is on, 0 is off.
///
/// # Errors
/// [`ReplyError::NotText`], [`ReplyError::NotANumber`], and [`ReplyError::Form`] for every other number.
pub fn led(data: &[u8]) -> Result<bool, ReplyError> {
    match number(data)?.to_i64() {
        Some(0) => Ok(false),
        Some(1) => Ok(true),
        _ => Err(form(ascii(data)?, "a lamp state (1 or 0)")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_words_of_the_table() {
        let table = [
            (0, "on", true, false, false),
            (8, "on", true, false, true),
            (16, "on", true, true, false),
            (64, "off", true, false, false),
            (2048, "on", false, false, false),
            (2056, "on", false, false, true),
            (2064, "on", false, true, false),
            (2072, "on", false, true, true),
            (2136, "off", false, true, true),
        ];
        for (word, state, ok, over, under) in table {
            let status = power(format!("{word},0,0,0").as_bytes()).unwrap();
            assert_eq!(status.state().to_string(), state, "{word}");
            assert_eq!((status.power_ok(), status.over_current(), status.under_voltage()), (ok, over, under));
        }
    }

    #[test]
    fn power_answers_need_four_integers() {
        let extra = power(b"0,1,2,3,4").unwrap();
        assert_eq!(extra, PowerStatus { status: 0, power: 1, voltage: 2, current: 3 });
        for bad in ["", "0", "0,1,2", "aaaa", "0,1,2,x", "0,,2,3"] {
            assert!(matches!(power(bad.as_bytes()), Err(ReplyError::Form { .. })), "{bad}");
        }
        assert!(matches!(power(&[0xff, 0x80]), Err(ReplyError::NotText(_))));
    }

    #[test]
    fn battery_answers_are_a_word_and_a_number() {
        let expected = BatteryStatus { state: "charging".into(), charge_percent: 88 };
        assert_eq!(battery(b"charging,88"), Ok(expected));
        assert!(battery(b"charging").is_err());
        assert!(battery(b"charging,88,9").is_err());
    }

    #[test]
    fn only_w1_accepts() {
        assert_eq!(write(b"W1"), Ok(()));
        for refusal in ["W0", "", "w1", "W1 "] {
            assert_eq!(write(refusal.as_bytes()), Err(ReplyError::Refused(refusal.into())));
        }
        assert_eq!(write(b"W\xff"), Err(ReplyError::Refused("W\\xff".into())));
    }

    #[test]
    fn asset_information_has_thirteen_fields() {
        let info = asset_info(b"a,b,c,d,e,f,g,h,i,j,k,l,m").unwrap();
        let chassis =
            ChassisAsset { chassis_type: "e".into(), part_number: "f".into(), serial_number: "g".into() };
        assert_eq!((info.board.manufacturer.as_str(), info.product.version.as_str()), ("a", "m"));
        assert_eq!((info.chassis, info.product.asset_tag.as_str()), (chassis, "h"));
        assert_eq!(asset_info(b",,,,,,,,,,,,").unwrap(), AssetInfo::default());
        assert!(asset_info(b"a,b,c").is_err());
        assert!(asset_info(b"a,b,c,d,e,f,g,h,i,j,k,l,m,n").is_err());
    }

    #[test]
    fn two_fields_are_a_battery_unit_from_1_3_on() {
        let status = PowerAnswer::Status(PowerStatus { status: 64, power: 1, voltage: 2, current: 3 });
        let unit = PowerAnswer::Battery(BatteryStatus { state: "charging".into(), charge_percent: 88 });
        for protocol in [Protocol::V1_1, Protocol::V1_2, Protocol::V1_3] {
            assert_eq!(power_answer(b"64,1,2,3", protocol).as_ref(), Ok(&status));
            for bad in [b"".as_slice(), b"0", b"1,2,3", b"0,1,2,x", b"charging,x"] {
                assert!(power_answer(bad, protocol).is_err(), "{protocol} {bad:?}");
            }
        }
        assert_eq!(power_answer(b"charging,88", Protocol::V1_3), Ok(unit));
        assert!(power_answer(b"charging,88", Protocol::V1_2).is_err());
        assert_eq!(power_answer(b"64,1,2,3,9", Protocol::V1_2), Ok(status));
        assert!(power_answer(b"64,1,2,3,9", Protocol::V1_3).is_err());
    }

    #[test]
    fn host_information_is_names_and_addresses() {
        let hosts = host_info(b"hnode4,i10.2.0.4,i2001:db8::4,hnode4-bmc").unwrap();
        assert_eq!(hosts.hostnames, ["node4", "node4-bmc"]);
        let addresses: Vec<String> = hosts.ip_addresses.iter().map(ToString::to_string).collect();
        assert_eq!(addresses, ["10.2.0.4", "2001:db8::4"]);
        for bad in ["", "hnode4,", "xnode4", "h", "i", "i10.2.0", "i10.2.0.4 ", "inode4"] {
            assert!(matches!(host_info(bad.as_bytes()), Err(ReplyError::Form { .. })), "{bad}");
        }
    }

    #[test]
    fn integers_have_no_fraction() {
        assert_eq!(integer(b" -7 ").unwrap().to_i64(), Some(-7));
        for bad in ["12.5", "1e3", "x", ""] {
            assert!(integer(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn small_answers() {
        assert_eq!(boot_target(b"B2"), Ok(BootTarget::Pxe));
        assert!(boot_target(b"B3").is_err());
        assert!(boot_target(b"").is_err());
        let led_state = chamber_led(b"1,ff8800,1").unwrap();
        assert!(led_state.on && led_state.blinking && led_state.color == "ff8800");
        assert!(chamber_led(b"1,ff8800").is_err());
        assert_eq!((led(b"1"), led(b"0")), (Ok(true), Ok(false)));
        assert!(led(b"2").is_err());
        assert_eq!(scanned_kind(&[0x9c, 1]), 0x9c);
        assert_eq!(scanned_kind(&[]), kind::NONE);
    }
}
