//! Messages of syslog (RFC 5424 §6). It is pure.

use std::fmt::Write;

use jiff::Timestamp;
use opendcre_gateway::{Event, Severity};
use serde_json::Value;

use super::SyslogSettings;
use crate::notice::{Missed, Notice};

/// What tells UTF-8 from other texts (RFC 5424 §6.4). It is left out before ASCII, which looks the same in all of them.
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// The longest value of a parameter in bytes, before it is escaped, but for the details.
const MAX_VALUE: usize = 200;

macro_rules! facilities {
    ($($(#[$doc:meta])* $variant:ident = $code:literal $name:literal,)+) => {
        /// The part of a system that messages come from (RFC 5424 §6.2.1).
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub enum Facility {
            $($(#[$doc])* $variant,)+
        }

        impl Facility {
            /// Every facility.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The word for it, as in the configuration of syslog servers.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            const fn code(self) -> u8 {
                match self {
                    $(Self::$variant => $code,)+
                }
            }
        }
    };
}

facilities! {
    /// Programs of users.
    User = 1 "user",
    /// Services of the system.
    Daemon = 3 "daemon",
    /// Security and authorisation.
    Auth = 4 "auth",
    /// Security and authorisation, for few eyes.
    AuthPriv = 10 "authpriv",
    /// For local use.
    #[default]
    Local0 = 16 "local0",
    /// For local use.
    Local1 = 17 "local1",
    /// For local use.
    Local2 = 18 "local2",
    /// For local use.
    Local3 = 19 "local3",
    /// For local use.
    Local4 = 20 "local4",
    /// For local use.
    Local5 = 21 "local5",
    /// For local use.
    Local6 = 22 "local6",
    /// For local use.
    Local7 = 23 "local7",
}

/// What is the same in every message.
#[derive(Debug)]
pub(super) struct Header {
    facility: Facility,
    hostname: String,
    app_name: String,
    process: u32,
    /// The name of the structured data.
    data: String,
}

impl Header {
    pub(super) fn new(settings: &SyslogSettings, hostname: &str) -> Self {
        Self {
            facility: settings.facility,
            hostname: printable(hostname, 255),
            app_name: printable(&settings.app_name, 48),
            process: std::process::id(),
            data: format!("opendcre@{}", settings.enterprise),
        }
    }

    /// A message of at most `limit` bytes, which are at least 2048: the details are left out, and the end of the text is cut
    /// off, as far as there is no room.
    pub(super) fn message(&self, notice: &Notice, limit: usize) -> Vec<u8> {
        let mut message = match notice {
            Notice::Event(event) => self.event(event, limit),
            Notice::Missed(missed) => self.missed(*missed),
        };
        message.truncate(message.floor_char_boundary(limit));
        message.into_bytes()
    }

    fn event(&self, event: &Event, limit: usize) -> String {
        let mut line = self.start(event.severity, Some(event.time), event.kind.name());
        parameter(&mut line, "sequence", &event.sequence.to_string());
        let board = event.board.map(|board| board.to_string());
        let device = event.device.map(|device| device.to_string());
        let optional = [("rack", &event.rack), ("board", &board), ("name", &event.name), ("device", &device)];
        for (key, value) in optional {
            if let Some(value) = value {
                parameter(
                    &mut line,
                    key,
                    value.get(..value.floor_char_boundary(MAX_VALUE)).unwrap_or_default(),
                );
            }
        }
        let mut text = String::new();
        end(&mut text, &event.message);
        let mut detail = String::new();
        if !event.detail.is_empty() {
            parameter(&mut detail, "detail", &Value::from(event.detail.clone()).to_string());
        }
        if line.len() + detail.len() + text.len() <= limit {
            line.push_str(&detail);
        }
        line + &text
    }

    fn missed(&self, missed: Missed) -> String {
        // What is missing was at no certain time.
        let mut line = self.start(Severity::Warning, None, "missed");
        parameter(&mut line, "after", &missed.after.to_string());
        parameter(&mut line, "count", &missed.count.to_string());
        end(&mut line, &missed.message());
        line
    }

    /// Everything up to the parameters of the structured data.
    fn start(&self, severity: Severity, time: Option<Timestamp>, id: &str) -> String {
        let Self { facility, hostname, app_name, process, data } = self;
        let priority = facility.code() * 8 + severity_code(severity);
        // At most six digits of a second (RFC 5424 §6.2.3).
        let time =
            time.map_or_else(|| "-".to_owned(), |time| time.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string());
        format!("<{priority}>1 {time} {hostname} {app_name} {process} {id} [{data}")
    }
}

/// RFC 5424 §6.2.1, table 2.
const fn severity_code(severity: Severity) -> u8 {
    match severity {
        Severity::Critical => 2,
        Severity::Warning => 4,
        Severity::Info => 6,
    }
}

/// A parameter of structured data, with everything escaped that must be (RFC 5424 §6.3.3).
fn parameter(line: &mut String, name: &str, value: &str) {
    // Writing to a text cannot fail.
    let _ = write!(line, " {name}=\"");
    for character in value.chars().map(visible) {
        if matches!(character, '"' | '\\' | ']') {
            line.push('\\');
        }
        line.push(character);
    }
    line.push('"');
}

/// The end of the structured data, and the message.
fn end(line: &mut String, message: &str) {
    line.push_str("] ");
    if !message.is_ascii() {
        line.push_str(BYTE_ORDER_MARK);
    }
    line.extend(message.chars().map(visible));
}

/// Some of what is told the equipment says, which must not begin a line of its own somewhere.
fn visible(character: char) -> char {
    if character.is_control() { ' ' } else { character }
}

/// The characters of `text` that may stand in the header (RFC 5424 §6: PRINTUSASCII), at most so many; `-` without any.
fn printable(text: &str, longest: usize) -> String {
    let printable: String = text.chars().filter(char::is_ascii_graphic).take(longest).collect();
    if printable.is_empty() { "-".to_owned() } else { printable }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::notice::testing::event;
    use crate::syslog::tests::settings;

    fn header() -> Header {
        Header { process: 7, ..Header::new(&settings(), "dcre-1") }
    }

    fn text(event: Event) -> String {
        String::from_utf8(header().message(&Notice::Event(Box::new(event)), 2048)).unwrap()
    }

    #[test]
    fn an_event_is_a_line_with_structured_data() {
        let expected = "<130>1 2027-01-15T08:00:00.000000Z dcre-1 opendcre 7 health_changed [opendcre@32473 sequence=\"12\" \
                        rack=\"rack_1\" board=\"00000011\" name=\"web-01\" device=\"0dff\" \
                        detail=\"{\\\"value\\\":47}\"] \u{feff}inlet of web-01 is critical: 47 °C";
        assert_eq!(text(event(12)), expected);
    }

    #[test]
    fn what_is_missing_is_a_warning_without_a_time() {
        let message = header().message(&Notice::Missed(Missed { count: 3, after: 7 }), 2048);
        let expected = "<132>1 - dcre-1 opendcre 7 missed [opendcre@32473 after=\"7\" count=\"3\"] 3 events are missing here, \
                        because they were not kept until they could be delivered";
        assert_eq!(String::from_utf8(message).unwrap(), expected);
    }

    #[test]
    fn severities_and_facilities_make_the_priority() {
        let priority = |facility, severity| {
            let header = Header { facility, ..header() };
            header.start(severity, None, "x").split('>').next().unwrap().to_owned()
        };
        assert_eq!(priority(Facility::User, Severity::Info), "<14");
        assert_eq!(priority(Facility::Local7, Severity::Critical), "<186");
        assert_eq!(priority(Facility::AuthPriv, Severity::Warning), "<84");
    }

    #[test]
    fn nobody_can_break_out_of_a_value_or_begin_a_line() {
        let text = text(Event {
            name: Some("a\"] b\\\n<1>1".to_owned()),
            message: "one\r\n<0>1 two".to_owned(),
            ..event(1)
        });
        assert!(text.contains("name=\"a\\\"\\] b\\\\ <1>1\""), "{text}");
        assert!(text.ends_with("] one  <0>1 two"), "{text}");
    }

    #[test]
    fn the_header_is_printable_ascii() {
        assert_eq!(printable("d c\u{e9}\n1", 255), "dc1");
        assert_eq!(printable(" ", 255), "-");
        assert_eq!(printable("aaaa", 3), "aaa");
    }

    proptest! {
        #[test]
        fn messages_are_bounded_lines(name in ".{0,600}", message in ".{0,600}", detail in ".{0,600}", limit in 2048..4096_usize) {
            let detail = serde_json::Map::from_iter([("text".to_owned(), Value::from(detail))]);
            let event = Event { rack: Some(name.clone()), name: Some(name), message, detail, ..event(u64::MAX) };
            let message = header().message(&Notice::Event(Box::new(event)), limit);
            let text = String::from_utf8(message).unwrap();
            prop_assert!(text.len() <= limit && !text.contains(char::is_control));
            // The structured data end, however much is cut off.
            prop_assert!(text.contains("\"] "));
        }
    }
}
