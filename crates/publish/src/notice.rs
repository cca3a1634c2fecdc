//! What is delivered: an event, or that some are missing.

use opendcre_gateway::Event;
use serde::{Deserialize, Serialize};

use crate::courier::Failure;

/// What is delivered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Notice {
    /// Something happened.
    Event(Box<Event>),
    /// Events were given up by the log before they could be delivered.
    Missed(Missed),
}

/// Events that cannot be delivered any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Missed {
    /// How many there were, of every kind.
    pub(crate) count: u64,
    /// All of them have greater numbers than this.
    pub(crate) after: u64,
}

/// What receivers of JSON get.
#[derive(Debug, Serialize)]
pub(crate) struct Body<'a> {
    /// The host name of the gateway.
    pub(crate) source: &'a str,
    #[serde(flatten)]
    pub(crate) notice: &'a Notice,
}

impl Body<'_> {
    /// The same as JSON.
    ///
    /// # Errors
    /// It cannot be written so, and never will be.
    pub(crate) fn to_json(&self) -> Result<Vec<u8>, Failure> {
        serde_json::to_vec(self).map_err(|error| Failure::Never(error.to_string()))
    }
}

impl Notice {
    /// What tells it from every other one, also when it is delivered again.
    pub(crate) fn id(&self) -> String {
        match self {
            Self::Event(event) => event.sequence.to_string(),
            Self::Missed(missed) => format!("missed-{}", missed.after),
        }
    }
}

impl Missed {
    /// The same for people.
    pub(crate) fn message(&self) -> String {
        let Self { count, .. } = self;
        format!("{count} events are missing here, because they were not kept until they could be delivered")
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use jiff::Timestamp;
    use opendcre_gateway::{EventKind, Severity};
    use opendcre_model::{BoardId, DeviceId};

    use super::*;

    /// An event with this number.
    pub(crate) fn event(sequence: u64) -> Event {
        Event {
            sequence,
            time: Timestamp::from_second(1_800_000_000).unwrap(),
            kind: EventKind::HealthChanged,
            severity: Severity::Critical,
            rack: Some("rack_1".to_owned()),
            board: Some(BoardId(0x11)),
            name: Some("web-01".to_owned()),
            device: Some(DeviceId(0xdff)),
            message: "inlet of web-01 is critical: 47 °C".to_owned(),
            detail: serde_json::Map::from_iter([("value".to_owned(), 47.into())]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_is_read_back_as_it_was() {
        let missed = Notice::Missed(Missed { count: 3, after: 7 });
        let event = Notice::Event(Box::new(testing::event(12)));
        assert_eq!((missed.id().as_str(), event.id().as_str()), ("missed-7", "12"));
        for notice in [missed, event] {
            let text = serde_json::to_string(&notice).unwrap();
            assert_eq!(serde_json::from_str::<Notice>(&text).unwrap(), notice);
        }
    }
}
