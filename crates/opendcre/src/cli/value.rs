//! Option values that need more than a type's own `FromStr`.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use clap::ValueEnum;
use jiff::fmt::friendly::SpanParser;
use opendcre_ipmi::CipherSuite;

use super::telemetry::Since;

/// The shortest and longest duration that any option takes.
const DURATION_RANGE: std::ops::RangeInclusive<Duration> =
    Duration::from_millis(1)..=Duration::from_secs(24 * 60 * 60);

/// Reads a duration such as `500ms`, `5s` or `1m30s`, from a millisecond to a day.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let duration = SpanParser::new()
        .parse_unsigned_duration(text)
        .map_err(|_| "not a duration; write it like 500ms, 5s or 1m30s".to_owned())?;
    if DURATION_RANGE.contains(&duration) {
        Ok(duration)
    } else {
        Err("a duration must lie between 1ms and 24h".to_owned())
    }
}

/// Reads a duration of whole seconds, up to the 65535 that fit into a field of two bytes.
pub(super) fn whole_seconds(text: &str) -> Result<Duration, String> {
    let duration = duration(text)?;
    match duration.subsec_nanos() == 0 && u16::try_from(duration.as_secs()).is_ok() {
        true => Ok(duration),
        false => Err("write whole seconds, up to 18h".to_owned()),
    }
}

fn without_prefix(text: &str) -> &str {
    text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text)
}

/// Reads how old something may be: a duration of up to a day, which may be nothing.
pub(super) fn age(text: &str) -> Result<Duration, String> {
    match text {
        "0" | "0s" => Ok(Duration::ZERO),
        _ => duration(text),
    }
}

/// Reads where events begin: a number of one, or how long ago that is.
pub(super) fn since(text: &str) -> Result<Since, String> {
    if let Ok(number) = text.parse() {
        return Ok(Since::Number(number));
    }
    let span = SpanParser::new().parse_unsigned_duration(text);
    span.map(Since::Ago).map_err(|_| "write the number of an event, or a time like 30m, 24h or 7d".to_owned())
}

/// Takes a node range. What it stands for is for the server to say.
pub(super) fn nodes(text: &str) -> Result<String, &'static str> {
    if text.trim().is_empty() {
        Err("name at least one board; write all for all of them")
    } else {
        Ok(text.to_owned())
    }
}

/// Takes the id of a device, with or without `0x`, or its name.
pub(super) fn device(text: &str) -> Result<String, &'static str> {
    match text.trim().is_empty() {
        true => Err("give the id or the name of a device"),
        false => Ok(without_prefix(text).to_owned()),
    }
}

/// The characters of an asset text that a device keeps.
const MAX_ASSET_TEXT: usize = 127;

/// Takes a text that a device can store.
pub(super) fn asset_text(text: &str) -> Result<String, String> {
    match text {
        "" => Err("the text must not be empty".to_owned()),
        _ if !text.is_ascii() => Err("the text must be ASCII".to_owned()),
        _ if text.len() > MAX_ASSET_TEXT => {
            Err(format!("the text has {} characters, but a device keeps {MAX_ASSET_TEXT}", text.len()))
        }
        _ => Ok(text.to_owned()),
    }
}

/// How often a fault happens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FaultRate<K> {
    /// What goes wrong.
    pub kind: K,
    /// How often, from 0 (never) to 1 (always).
    pub rate: f64,
}

impl<K: ValueEnum + 'static> FromStr for FaultRate<K> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, rate) = text.split_once('=').ok_or_else(|| {
            let example = names::<K>().next().unwrap_or_default();
            format!("write a fault as KIND=RATE, for example {example}=0.05")
        })?;
        let kind = K::from_str(kind, true).map_err(|_| {
            format!("{kind:?} is not a fault; use {}", names::<K>().collect::<Vec<_>>().join(", "))
        })?;
        match rate.parse() {
            Ok(rate) if (0.0..=1.0).contains(&rate) => Ok(Self { kind, rate }),
            _ => Err(format!("{rate:?} is not a rate between 0 and 1")),
        }
    }
}

/// The words for the values of an enumeration.
fn names<K: ValueEnum + 'static>() -> impl Iterator<Item = String> {
    let values = K::value_variants().iter().filter_map(ValueEnum::to_possible_value);
    values.map(|value| value.get_name().to_owned())
}

/// SHA-256 of a certificate (of its whole DER encoding).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint(pub [u8; 32]);

/// Written as openssl and browsers do: bytes in hexadecimal, divided by colons.
impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.0.map(|byte| format!("{byte:02X}"));
        f.pad(&bytes.join(":"))
    }
}

/// Reads a fingerprint: 64 hexadecimal digits, with or without colons between the bytes and `SHA256:` before them.
pub(super) fn fingerprint(text: &str) -> Result<Fingerprint, String> {
    let wrong = || "not a SHA-256 fingerprint; write its 64 hexadecimal digits".to_owned();
    let digits: String = text.trim_start_matches("SHA256:").chars().filter(|digit| *digit != ':').collect();
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    let mut fingerprint = [0; 32];
    if pairs.len() != fingerprint.len() || !rest.is_empty() {
        return Err(wrong());
    }
    for (value, pair) in fingerprint.iter_mut().zip(pairs) {
        *value = std::str::from_utf8(pair)
            .map_err(|_| wrong())
            .and_then(|pair| byte(pair).map_err(|_| wrong()))?;
    }
    Ok(Fingerprint(fingerprint))
}

/// Reads a byte in hexadecimal, with or without `0x`.
pub(super) fn byte(text: &str) -> Result<u8, String> {
    let digits = without_prefix(text);
    let is_byte = (1..=2).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    let byte = is_byte.then(|| u8::from_str_radix(digits, 16).ok()).flatten();
    byte.ok_or_else(|| "not a byte in hexadecimal; write it like 2c or 0x2c".to_owned())
}

/// Reads a network function of a request, in hexadecimal: even, and below 0x40.
pub(super) fn netfn(text: &str) -> Result<u8, String> {
    match byte(text)? {
        netfn if netfn < 0x40 && netfn % 2 == 0 => Ok(netfn),
        _ => Err("a request has an even network function below 40".to_owned()),
    }
}

/// Reads the id of an event log entry, in hexadecimal.
pub(super) fn entry_id(text: &str) -> Result<u16, String> {
    u16::from_str_radix(without_prefix(text), 16)
        .map_err(|_| "not the id of an entry; write it in hexadecimal, as `sel list` shows it".to_owned())
}

/// Reads the number of a cipher suite that is implemented.
pub(super) fn cipher_suite(text: &str) -> Result<u8, String> {
    let suite = text.parse().ok().and_then(CipherSuite::from_id);
    suite.map(|suite| suite.id).ok_or_else(|| {
        let known: Vec<String> = CipherSuite::ALL.iter().map(|suite| suite.id.to_string()).collect();
        format!("not a cipher suite that can be used; use 17 or 3, or else one of {}", known.join(", "))
    })
}

/// Takes a user name that fits into the messages of a login.
pub(super) fn user_name(text: &str) -> Result<String, String> {
    match text.len() {
        0..=MAX_USER_NAME => Ok(text.to_owned()),
        length => Err(format!("a user name of IPMI has at most {MAX_USER_NAME} bytes, not {length}")),
    }
}

/// The bytes of a user name (IPMI 2.0 §13.22, §22.16).
const MAX_USER_NAME: usize = 16;

/// Reads an address or a name, with a port or without.
pub(super) fn host(text: &str) -> Result<Host, String> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(Host { name: address.to_string(), port: IPMI_PORT });
    }
    if let Ok(address) = text.parse::<SocketAddr>()
        && address.port() != 0
    {
        return Ok(Host { name: address.ip().to_string(), port: address.port() });
    }
    let (name, port) = match text.rsplit_once(':') {
        Some((name, digits)) => (name, port(digits)?),
        None => (text, IPMI_PORT),
    };
    let is_name =
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    match is_name {
        true => Ok(Host { name: name.to_owned(), port }),
        false => {
            Err("not a host; write it like 10.1.0.20, 10.1.0.20:9623, [fd00::20]:623 or bmc.example"
                .to_owned())
        }
    }
}

/// Reads a port that something can be sent to.
fn port(digits: &str) -> Result<u16, String> {
    match digits.parse() {
        Ok(port @ 1..) => Ok(port),
        _ => Err(format!("{digits:?} is not a port; use one from 1 to 65535")),
    }
}

/// Where a BMC is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Its address, or the name that leads to it.
    pub name: String,
    /// The UDP port.
    pub port: u16,
}

/// The port of IPMI over LAN (IPMI 2.0 §13.1.2).
const IPMI_PORT: u16 = 623;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{BmcFaultKind, FaultKind};

    #[test]
    fn durations_have_units_and_bounds() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("5s"), Ok(Duration::from_secs(5)));
        assert_eq!(duration("1m30s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("24h"), Ok(Duration::from_secs(86_400)));
        for text in ["", "5", "-5s", "soon", "1 fortnight"] {
            assert!(duration(text).unwrap_err().contains("not a duration"), "{text:?}");
        }
        for text in ["0s", "1us", "25h", "9999999h"] {
            assert!(duration(text).unwrap_err().contains("between"), "{text:?}");
        }
    }

    #[test]
    fn an_age_may_be_nothing() {
        assert_eq!(
            (age("0"), age("0s"), age("5s")),
            (Ok(Duration::ZERO), Ok(Duration::ZERO), Ok(Duration::from_secs(5)))
        );
        assert!(age("5").is_err() && age("25h").is_err());
    }

    #[test]
    fn devices_may_be_written_as_numbers_of_a_program() {
        for (text, expected) in
            [("1ff", "1ff"), ("0x1FF", "1FF"), ("power", "power"), ("CPU 1 Temp", "CPU 1 Temp")]
        {
            assert_eq!(device(text).as_deref(), Ok(expected), "{text}");
        }
        assert!(device(" ").is_err() && nodes("").is_err());
        assert_eq!(nodes("db-[01-04]").as_deref(), Ok("db-[01-04]"));
    }

    #[test]
    fn texts_that_a_device_would_not_keep_are_refused() {
        let longest = "x".repeat(127);
        assert_eq!(asset_text(&longest), Ok(longest.clone()));
        assert_eq!(asset_text("rack 7/8, 12% .."), Ok("rack 7/8, 12% ..".to_owned()));
        assert!(asset_text(&format!("{longest}x")).unwrap_err().contains("128 characters"));
        assert!(asset_text("Gerät").unwrap_err().contains("ASCII"));
        assert!(asset_text("").is_err());
    }

    #[test]
    fn a_fault_has_a_kind_and_a_rate() {
        let drop = FaultRate { kind: FaultKind::Drop, rate: 0.05 };
        assert_eq!("drop=0.05".parse(), Ok(drop));
        assert_eq!("silence=1".parse::<FaultRate<FaultKind>>().unwrap().kind, FaultKind::Silence);
        insta::assert_snapshot!(
            "fire=0.5".parse::<FaultRate<FaultKind>>().unwrap_err(),
            @r#""fire" is not a fault; use drop, corrupt, delay, duplicate, noise, truncate, silence"#
        );
        for text in ["drop", "drop=", "drop=1.5", "drop=-0.1", "drop=NaN", "=0.5"] {
            assert!(text.parse::<FaultRate<FaultKind>>().is_err(), "{text:?}");
        }
        let forgets = FaultRate { kind: BmcFaultKind::SessionLoss, rate: 0.5 };
        assert_eq!("session-loss=0.5".parse(), Ok(forgets));
        assert!("loss".parse::<FaultRate<BmcFaultKind>>().unwrap_err().ends_with("for example loss=0.05"));
    }

    #[test]
    fn bytes_are_hexadecimal() {
        for (text, expected) in [("0", 0), ("2c", 0x2c), ("0x2C", 0x2c), ("10", 0x10), ("ff", 0xff)] {
            assert_eq!(byte(text), Ok(expected), "{text}");
        }
        for text in ["", "0x", "100", "+1", "-1", "g0", "0x0x1"] {
            assert!(byte(text).is_err(), "{text:?}");
        }
        assert_eq!(netfn("2c"), Ok(0x2c));
        assert!(netfn("07").is_err() && netfn("40").is_err());
        assert_eq!((entry_id("0x001f"), entry_id("ffff")), (Ok(0x1f), Ok(0xffff)));
        assert!(entry_id("1ffff").is_err());
    }

    #[test]
    fn a_host_is_an_address_or_a_name_with_a_port_or_without() {
        let of = |name: &str, port| Ok(Host { name: name.to_owned(), port });
        assert_eq!(host("10.1.0.20"), of("10.1.0.20", 623));
        assert_eq!(host("127.0.0.1:9623"), of("127.0.0.1", 9623));
        assert_eq!(host("fd00::20"), of("fd00::20", 623));
        assert_eq!(host("[fd00::20]:9623"), of("fd00::20", 9623));
        assert_eq!(host("bmc-7.example"), of("bmc-7.example", 623));
        assert_eq!(host("bmc-7.example:9623"), of("bmc-7.example", 9623));
        for text in [
            "",
            ":623",
            "bmc:",
            "bmc:70000",
            "bmc:0",
            "10.1.0.20:0",
            "[fd00::20]:0",
            "user@bmc",
            "http://bmc",
            "a b",
        ] {
            assert!(host(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn only_suites_that_are_implemented_can_be_named() {
        assert_eq!((cipher_suite("17"), cipher_suite("0")), (Ok(17), Ok(0)));
        for text in ["4", "255", "x", ""] {
            assert!(
                cipher_suite(text).unwrap_err().ends_with("one of 0, 1, 2, 3, 6, 7, 8, 15, 16, 17"),
                "{text:?}"
            );
        }
    }

    #[test]
    fn a_fingerprint_is_written_as_tools_write_it() {
        let plain = "0f".repeat(32);
        let colons = vec!["0F"; 32].join(":");
        for text in [plain.as_str(), &colons, &format!("SHA256:{plain}")] {
            assert_eq!(fingerprint(text), Ok(Fingerprint([15; 32])), "{text}");
        }
        assert_eq!(Fingerprint([15; 32]).to_string(), colons);
        for text in ["", "0f", &format!("{plain}0"), &plain.replace("0f", "0x"), &plain.replace("0f", "ä")] {
            assert!(fingerprint(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_user_name_fits_into_the_messages() {
        assert_eq!(user_name(&"x".repeat(16)), Ok("x".repeat(16)));
        assert_eq!(user_name(""), Ok(String::new()));
        let error = user_name("sixteen bytes öö").unwrap_err();
        assert_eq!(error, "a user name of IPMI has at most 16 bytes, not 18");
    }
}
