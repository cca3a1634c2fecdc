//! The event log: read, described, cleared.

use comfy_table::Table;
use jiff::Timestamp;
use opendcre_ipmi::event::sensor_type_name;
use opendcre_ipmi::sel::{
    GetSelInfo, ReadSel, SelEntry, SelInfo, SelRecord, SelStart, SelTime, SystemEvent, When,
};
use opendcre_model::Action;
use serde::Serialize;

use super::console::{Done, Report, fields, hex, list as rows, yes_no};
use super::error::IpmiError;
use super::link::Link;

/// How the log is.
#[derive(Debug, Serialize)]
pub(super) struct State {
    entries: u16,
    free_bytes: u16,
    overflow: bool,
    last_addition: Moment,
    last_erase: Moment,
}

/// The entries of the log.
#[derive(Debug, Serialize)]
pub(super) struct Entries {
    entries: Vec<Entry>,
    problems: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Entry {
    id: u16,
    #[serde(rename = "type")]
    kind: u8,
    #[serde(flatten)]
    moment: Moment,
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<Event>,
}

/// What only entries of events have.
#[derive(Debug, Serialize)]
struct Event {
    generator: String,
    sensor_type: Option<&'static str>,
    sensor_number: u8,
    event_type: u8,
    asserted: bool,
    state: Option<&'static str>,
    details: Vec<String>,
    data: String,
}

/// A time by the clock of the BMC. At most one of them is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
struct Moment {
    /// In UTC, if the BMC's clock is.
    time: Option<Timestamp>,
    /// The BMC's clock was not set.
    seconds_since_start: Option<u32>,
}

impl From<SelTime> for Moment {
    fn from(time: SelTime) -> Self {
        match time.when() {
            When::Unspecified => Self { time: None, seconds_since_start: None },
            When::SinceStart(seconds) => Self { time: None, seconds_since_start: Some(seconds) },
            When::At(seconds) => {
                Self { time: Timestamp::from_second(seconds.into()).ok(), seconds_since_start: None }
            }
        }
    }
}

impl Moment {
    fn text(self) -> String {
        match (self.time, self.seconds_since_start) {
            (Some(time), _) => time.to_string(),
            (None, Some(seconds)) => format!("start + {seconds} s"),
            (None, None) => "-".to_owned(),
        }
    }
}

/// How many entries there are, and when the log changed.
pub(super) async fn info(link: &Link) -> Result<State, IpmiError> {
    Ok(State::from(link.ask(GetSelInfo).await?))
}

/// The entries behind `after`, or all.
pub(super) async fn list(link: &Link, after: Option<u16>) -> Result<Entries, IpmiError> {
    let start = after.map_or(SelStart::First, SelStart::After);
    let page = link.run(ReadSel::new(start, u16::MAX)).await?;
    let mut problems = Vec::new();
    if page.start_vanished {
        problems.push(
            "the entry to begin behind is not there any more, so the list begins with the first".to_owned(),
        );
    }
    problems.extend(page.cut_short.map(|error| format!("entries are missing: {error}")));
    Ok(Entries { entries: page.entries.into_iter().map(Entry::from).collect(), problems })
}

/// Removes all entries.
pub(super) async fn clear(link: &Link) -> Result<Done, IpmiError> {
    link.change(Action::ClearEventLog { device: Link::SYSTEM }).await?;
    Ok(Done::new())
}

impl From<SelInfo> for State {
    fn from(info: SelInfo) -> Self {
        let SelInfo { entries, free_bytes, overflow, last_addition, last_erase, .. } = info;
        Self {
            entries,
            free_bytes,
            overflow,
            last_addition: last_addition.into(),
            last_erase: last_erase.into(),
        }
    }
}

impl From<SelEntry> for Entry {
    fn from(entry: SelEntry) -> Self {
        let SelEntry { id, record } = entry;
        Self {
            id,
            kind: record.record_type(),
            moment: record.time().unwrap_or(SelTime::UNSPECIFIED).into(),
            text: record.to_string(),
            event: match &record {
                SelRecord::Event(event) => Some(Event::from(event)),
                _ => None,
            },
        }
    }
}

impl From<&SystemEvent> for Event {
    fn from(event: &SystemEvent) -> Self {
        Self {
            generator: event.generator.to_string(),
            sensor_type: sensor_type_name(event.sensor_type),
            sensor_number: event.sensor_number,
            event_type: event.event_type,
            asserted: event.asserted,
            state: event.state(),
            details: event.details(),
            data: hex(&event.data),
        }
    }
}

impl Report for State {
    fn tables(&self) -> Vec<Table> {
        // "That many or more" (IPMI 2.0 table 31-2).
        let free = if self.free_bytes == u16::MAX { "at least " } else { "" };
        vec![fields([
            ("entries", Some(self.entries.to_string())),
            ("free", Some(format!("{free}{} bytes", self.free_bytes))),
            ("events were lost", Some(yes_no(self.overflow))),
            ("last entry", Some(self.last_addition.text())),
            ("last cleared", Some(self.last_erase.text())),
        ])]
    }
}

impl Report for Entries {
    fn tables(&self) -> Vec<Table> {
        let row = |entry: &Entry| {
            let generator = entry.event.as_ref().map_or("-", |event| event.generator.as_str());
            [format!("{:04x}", entry.id), entry.moment.text(), generator.to_owned(), entry.text.clone()]
        };
        vec![rows(["ID", "TIME", "FROM", "EVENT"], self.entries.iter().map(row))]
    }

    fn problems(&self) -> &[String] {
        &self.problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipmi::console::shown;

    /// A temperature that went over its upper critical threshold, at 2026-05-01 12:02 UTC; the same by a clock that was
    /// not set; an entry of an OEM.
    fn sample() -> Entries {
        let event = [1, 0, 2, 0x40, 0x96, 0xf4, 0x69, 0x20, 0, 4, 1, 4, 1, 0x59, 0xb5, 0xb4];
        let early = [2, 0, 2, 0x2a, 0, 0, 0, 0x20, 0, 4, 1, 4, 0x81, 0x59, 0xb0, 0xb4];
        let oem = [3, 0, 0xe0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13];
        let entries = [event, early, oem].map(|bytes| Entry::from(SelEntry::decode(&bytes).unwrap()));
        Entries { entries: entries.into(), problems: Vec::new() }
    }

    #[test]
    fn entries_are_rows() {
        insta::assert_snapshot!(shown(&sample()), @r"
        ID    TIME                  FROM  EVENT
        0001  2026-05-01T12:02:08Z  BMC   Temperature, sensor 04h: upper critical, going high, reading B5h, threshold B4h
        0002  start + 42 s          BMC   Temperature, sensor 04h: upper critical, going high, reading B0h, threshold B4h (ended)
        0003  -                     -     OEM record E0h: 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d
        ");
    }

    #[test]
    fn keys_for_programs_stay() {
        insta::assert_snapshot!(serde_json::to_string(&sample()).unwrap(), @r#"{"entries":[{"id":1,"type":2,"time":"2026-05-01T12:02:08Z","seconds_since_start":null,"text":"Temperature, sensor 04h: upper critical, going high, reading B5h, threshold B4h","event":{"generator":"BMC","sensor_type":"Temperature","sensor_number":4,"event_type":1,"asserted":true,"state":"upper critical, going high","details":["reading B5h","threshold B4h"],"data":"59 b5 b4"}},{"id":2,"type":2,"time":null,"seconds_since_start":42,"text":"Temperature, sensor 04h: upper critical, going high, reading B0h, threshold B4h (ended)","event":{"generator":"BMC","sensor_type":"Temperature","sensor_number":4,"event_type":1,"asserted":false,"state":"upper critical, going high","details":["reading B0h","threshold B4h"],"data":"59 b0 b4"}},{"id":3,"type":224,"time":null,"seconds_since_start":null,"text":"OEM record E0h: 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d"}],"problems":[]}"#);
    }

    #[test]
    fn a_log_that_was_never_cleared_says_so() {
        let info =
            SelInfo::decode(&[0x51, 2, 0, 0xff, 0xff, 0x40, 0x96, 0xf4, 0x69, 0xff, 0xff, 0xff, 0xff, 0x02]);
        insta::assert_snapshot!(shown(&State::from(info.unwrap())), @r"
        entries           2
        free              at least 65535 bytes
        events were lost  no
        last entry        2026-05-01T12:02:08Z
        last cleared      -
        ");
    }
}
