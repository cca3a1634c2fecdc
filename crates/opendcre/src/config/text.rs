//! Values that are written as text in the configuration – durations, sizes, ranges of boards, addresses, versions – and
//! the words for those that are often written otherwise.

use std::fmt;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::str::FromStr;

use opendcre_model::BoardId;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::SeqAccessDeserializer;
use serde::de::{self, IntoDeserializer};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A number of bytes, written as `10MiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

/// The boards from `first` to `last`, both included, written as `00000001-00ffffff`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BoardRange {
    /// The lowest.
    pub first: BoardId,
    /// The highest, not below `first`.
    pub last: BoardId,
}

const UNITS: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

impl ByteSize {
    /// So many times 1,048,576 bytes.
    #[must_use]
    pub const fn mebibytes(count: u32) -> Self {
        Self((count as u64) << 20)
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = UNITS.iter().find(|(_, unit)| self.0.is_multiple_of(*unit));
        match whole {
            Some((name, unit)) if self.0 > 0 => write!(f, "{}{name}", self.0 / unit),
            _ => write!(f, "{}B", self.0),
        }
    }
}

impl FromStr for ByteSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not a size such as \"512KiB\", \"10MiB\" or \"1GiB\"");
        let split = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let (digits, unit) = text.split_at(split);
        let count: u64 = digits.parse().map_err(|_| wrong())?;
        let bytes = UNITS.iter().find(|(name, _)| *name == unit.trim_start());
        let bytes = bytes.and_then(|(_, bytes)| count.checked_mul(*bytes));
        bytes.map(Self).ok_or_else(wrong)
    }
}

impl fmt::Display for BoardRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

impl BoardRange {
    /// Whether any board is in both.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }
}

impl FromStr for BoardRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not a range of boards such as \"00000001-00ffffff\"");
        let (first, last) = text.split_once('-').ok_or_else(wrong)?;
        let first: BoardId = first.trim().parse().map_err(|_| wrong())?;
        let last: BoardId = last.trim().parse().map_err(|_| wrong())?;
        if first > last {
            return Err(format!("{text:?} ends before it begins; write the lower board first"));
        }
        Ok(Self { first, last })
    }
}

/// For `#[serde(deserialize_with)]`: where to listen.
pub(super) fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    fn parse(text: &str) -> Result<SocketAddr, String> {
        text.parse().map_err(|_| {
            format!(
                "{text:?} will not do; write an address and a port, such as \"127.0.0.1:5000\"; \
                 names are not possible"
            )
        })
    }
    deserializer.deserialize_str(TextVisitor { expected: "an address such as \"127.0.0.1:5000\"", parse })
}

/// For `#[serde(deserialize_with)]`: a version in quotes. Without them it is a number, and 1.1 the same as 1.10.
pub(super) fn version<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    struct Version<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> de::Visitor<'de> for Version<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a version in quotes such as \"1.3\"")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
            T::deserialize(text.into_deserializer())
        }

        fn visit_f64<E: de::Error>(self, number: f64) -> Result<T, E> {
            Err(E::custom(format!("write it in quotes: \"{number}\"")))
        }
    }

    deserializer.deserialize_any(Version(PhantomData))
}

/// For `#[serde(deserialize_with)]`: the tables of the device buses.
pub(super) fn buses<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    tables(deserializer, "a table for each bus; write [[devicebus]], with two brackets")
}

/// For `#[serde(deserialize_with)]`: the tables of the BMCs.
pub(super) fn bmcs<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    tables(deserializer, "a table for each BMC; write [[ipmi]], with two brackets")
}

/// For `#[serde(deserialize_with)]`: the tables of single boards.
pub(super) fn boards<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    tables(deserializer, "a table for each board; write [[board]], with two brackets")
}

/// For `#[serde(deserialize_with)]`: the tables of roles.
pub(super) fn roles<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    tables(deserializer, "a table for each role; write [[auth.role]], with two brackets")
}

/// For `#[serde(deserialize_with)]`: the tables of grants.
pub(super) fn grants<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    tables(deserializer, "a table for each grant; write [[auth.grant]], with two brackets")
}

/// For `#[serde(deserialize_with)]`: the tables of directories.
pub(super) fn directories<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    tables(deserializer, "a table for each directory; write [[auth.ldap]], with two brackets")
}

/// For `#[serde(deserialize_with)]`: the tables of providers.
pub(super) fn providers<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    tables(deserializer, "a table for each provider; write [[auth.oidc]], with two brackets")
}

/// For `#[serde(deserialize_with)]`: the tables of proxies.
pub(super) fn proxies<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    tables(deserializer, "a table for each proxy; write [[auth.proxy]], with two brackets")
}

/// For `#[serde(deserialize_with)]`: the tables of thresholds.
pub(super) fn thresholds<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    tables(deserializer, "a table for each threshold; write [[threshold]], with two brackets")
}

/// For `#[serde(deserialize_with)]`: the tables of webhooks.
pub(super) fn webhooks<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    tables(deserializer, "a table for each webhook; write [[webhook]], with two brackets")
}

/// For `#[serde(deserialize_with)]`: the tables of syslog servers.
pub(super) fn syslogs<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    tables(deserializer, "a table for each syslog server; write [[syslog]], with two brackets")
}

/// For `#[serde(deserialize_with)]`: the tables of MQTT brokers.
pub(super) fn mqtts<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    tables(deserializer, "a table for each MQTT broker; write [[mqtt]], with two brackets")
}

/// For `#[serde(deserialize_with)]`: the tables of receivers of OTLP.
pub(super) fn otlps<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    tables(deserializer, "a table for each receiver of OTLP; write [[otlp]], with two brackets")
}

/// The tables of an array, which are often written as one table.
fn tables<'de, D, T>(deserializer: D, expected: &'static str) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    struct Tables<T>(&'static str, PhantomData<T>);

    impl<'de, T: Deserialize<'de>> de::Visitor<'de> for Tables<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }

        fn visit_seq<A: de::SeqAccess<'de>>(self, sequence: A) -> Result<Vec<T>, A::Error> {
            Vec::deserialize(SeqAccessDeserializer::new(sequence))
        }
    }

    deserializer.deserialize_seq(Tables(expected, PhantomData))
}

/// Reads a value from text only, and tells what was expected instead of anything else.
struct TextVisitor<T> {
    expected: &'static str,
    parse: fn(&str) -> Result<T, String>,
}

impl<T> de::Visitor<'_> for TextVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        (self.parse)(text).map_err(E::custom)
    }
}

macro_rules! travels_as_text {
    ($type:ident, $expected:literal, $pattern:literal) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(TextVisitor {
                    expected: $expected,
                    parse: str::parse,
                })
            }
        }

        impl JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({"type": "string", "pattern": $pattern})
            }
        }
    };
}

travels_as_text!(ByteSize, "a size such as \"10MiB\"", "^[0-9]+ *(B|KiB|MiB|GiB)$");
travels_as_text!(
    BoardRange,
    "a range of boards such as \"00000001-00ffffff\"",
    "^[0-9a-fA-F]+ *- *[0-9a-fA-F]+$"
);

/// For `#[serde(with)]`: where a BMC is, for instance `10.1.0.20` or `[fd00::20]:6230`.
pub(super) mod bmc_address {
    use std::net::{IpAddr, SocketAddr};

    use schemars::{Schema, SchemaGenerator, json_schema};
    use serde::{Deserializer, Serializer};

    use super::TextVisitor;
    use crate::config::legacy::PORT;

    pub(crate) fn serialize<S: Serializer>(address: &SocketAddr, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&print(address))
    }

    /// The shortest text that means `address`.
    pub(crate) fn print(address: &SocketAddr) -> String {
        if address.port() == PORT { address.ip().to_string() } else { address.to_string() }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
        deserializer.deserialize_str(TextVisitor { expected: "an address such as \"10.1.0.20\"", parse })
    }

    pub(crate) fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "examples": ["10.1.0.20", "10.1.0.20:6230", "fd00::20", "[fd00::20]:6230"]})
    }

    fn parse(text: &str) -> Result<SocketAddr, String> {
        let address = text.parse::<IpAddr>().map(|ip| SocketAddr::from((ip, PORT)));
        let address = address.or_else(|_| text.parse());
        address.map_err(|_| {
            format!(
                "{text:?} will not do; write an IP address such as \"10.1.0.20\", with a port if it is not {PORT}; \
                 names are not possible"
            )
        })
    }
}

/// For `#[serde(with)]`: a duration as text, for instance `250ms` or `1m 30s`.
pub(super) mod duration {
    use std::time::Duration;

    use jiff::fmt::friendly::{SpanParser, SpanPrinter};
    use schemars::{Schema, SchemaGenerator, json_schema};
    use serde::{Deserializer, Serializer};

    use super::TextVisitor;

    pub(crate) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&print(*duration))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        deserializer
            .deserialize_str(TextVisitor { expected: "a duration such as \"250ms\" or \"5s\"", parse })
    }

    pub(crate) fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "examples": ["250ms", "5s", "1m 30s"]})
    }

    /// The shortest text that means `duration`.
    pub(crate) fn print(duration: Duration) -> String {
        SpanPrinter::new().unsigned_duration_to_string(&duration)
    }

    fn parse(text: &str) -> Result<Duration, String> {
        SpanParser::new()
            .parse_unsigned_duration(text)
            .map_err(|_| format!("{text:?} is not a duration such as \"250ms\", \"5s\" or \"1m 30s\""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_written_the_same_way() {
        for (text, bytes) in
            [("0B", 0), ("1500B", 1500), ("64KiB", 65_536), ("10MiB", 10 << 20), ("3GiB", 3 << 30)]
        {
            assert_eq!(text.parse(), Ok(ByteSize(bytes)));
            assert_eq!(ByteSize(bytes).to_string(), text);
        }
        assert_eq!("10 MiB".parse(), Ok(ByteSize::mebibytes(10)));
        for text in ["", "10", "MiB", "10MB", "-1B", "1.5MiB", "99999999999GiB", "99999999999999999999B"] {
            assert!(text.parse::<ByteSize>().is_err(), "{text}");
        }
    }

    #[test]
    fn ranges_of_boards() {
        let range: BoardRange = "1-00FF".parse().unwrap();
        assert_eq!(range.to_string(), "00000001-000000ff");
        let beyond: BoardRange = "100-1ff".parse().unwrap();
        let across: BoardRange = "ff-100".parse().unwrap();
        assert!(!range.overlaps(&beyond) && !beyond.overlaps(&range));
        assert!(range.overlaps(&across) && across.overlaps(&beyond));
        for text in ["", "1", "2-1", "x-y", "1-2-3"] {
            assert!(text.parse::<BoardRange>().is_err(), "{text}");
        }
    }
}
