//! Topics: what is told where. It is pure.
//!
//! A topic is made of what the configuration says, which is checked, and of the ids of boards and devices. Names are not in
//! it: they may hold anything, and a board that gets another name keeps its topics.

use opendcre_model::{BoardId, DeviceId};

use super::entity::Entity;

/// What subscribers take for an entity of a sensor (Home Assistant, MQTT discovery: `<component>` in the topic).
const CONFIG: &str = "config";

/// The topics of one gateway at one broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Topics {
    /// What all topics but those of discovery begin with: the prefix and the client id, so that gateways may share a prefix.
    base: String,
    /// What topics of discovery begin with, if they are wanted.
    discovery: Option<String>,
    client: String,
}

/// What a topic is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Subject {
    pub(crate) board: BoardId,
    /// Nothing where it is about the board itself.
    pub(crate) device: Option<DeviceId>,
}

impl Topics {
    /// The topics of the gateway that the broker knows as `client`: letters, digits, `-` and `_`.
    pub(crate) fn new(prefix: &str, client: &str, discovery: Option<&str>) -> Self {
        Self {
            base: format!("{prefix}/{client}"),
            discovery: discovery.map(str::to_owned),
            client: client.to_owned(),
        }
    }

    /// Whether the gateway is connected.
    pub(crate) fn availability(&self) -> String {
        format!("{}/availability", self.base)
    }

    /// What happens.
    pub(crate) fn events(&self) -> String {
        format!("{}/events", self.base)
    }

    /// How a board is.
    pub(crate) fn board(&self, board: BoardId) -> String {
        format!("{}/board/{board}", self.base)
    }

    /// Whether a board answers.
    pub(crate) fn board_availability(&self, board: BoardId) -> String {
        format!("{}/board/{board}/availability", self.base)
    }

    /// What a device said.
    pub(crate) fn device(&self, board: BoardId, device: DeviceId) -> String {
        format!("{}/board/{board}/device/{device}", self.base)
    }

    /// What tells Home Assistant of a part of a board or device, if it is to be told.
    pub(crate) fn config(&self, subject: Subject, entity: &Entity) -> Option<String> {
        let discovery = self.discovery.as_ref()?;
        let (component, client, object) = (entity.component.name(), &self.client, subject.object(entity));
        Some(format!("{discovery}/{component}/{client}/{object}/{CONFIG}"))
    }

    /// Everything that is told of boards, as filters of subscriptions.
    pub(crate) fn filters(&self) -> Vec<String> {
        let discovery = self.discovery.as_ref();
        let configs = discovery.map(|discovery| format!("{discovery}/+/{}/+/{CONFIG}", self.client));
        [format!("{}/board/#", self.base)].into_iter().chain(configs).collect()
    }

    /// What a topic is about that fits one of the filters; nothing if it is none that is ever told.
    pub(crate) fn subject(&self, topic: &str) -> Option<Subject> {
        let own = topic.strip_prefix(&self.base).and_then(|rest| rest.strip_prefix("/board/"));
        match own {
            Some(rest) => of_state(rest),
            None => self.of_config(topic),
        }
    }

    fn of_config(&self, topic: &str) -> Option<Subject> {
        let rest = topic.strip_prefix(self.discovery.as_ref()?)?.strip_prefix('/')?;
        let levels: Vec<&str> = rest.split('/').collect();
        let [_, client, object, CONFIG] = levels[..] else { return None };
        let (board, rest) = object.split_once('_').filter(|_| client == self.client)?;
        let device = rest.split_once('_').and_then(|(device, _)| canonical(device));
        Some(Subject { board: canonical(board)?, device })
    }
}

/// What the rest of a topic behind that of all boards is about.
fn of_state(rest: &str) -> Option<Subject> {
    let levels: Vec<&str> = rest.split('/').collect();
    match levels[..] {
        [board] | [board, "availability"] => Some(Subject { board: canonical(board)?, device: None }),
        [board, "device", device] => {
            Some(Subject { board: canonical(board)?, device: Some(canonical(device)?) })
        }
        _ => None,
    }
}

/// An id, if it is written the way in which we write it.
fn canonical<T: std::str::FromStr + ToString>(text: &str) -> Option<T> {
    text.parse().ok().filter(|id: &T| id.to_string() == text)
}

impl Subject {
    /// What its part `entity` is called among all of a gateway: letters, digits and `_`.
    pub(crate) fn object(self, entity: &Entity) -> String {
        let Self { board, device } = self;
        match device {
            Some(device) => format!("{board}_{device}_{}", entity.what),
            None => format!("{board}_{}", entity.what),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use opendcre_model::Quantity;
    use proptest::prelude::*;

    use super::*;

    const BOARD: BoardId = BoardId(0x4000_0001);

    fn topics() -> Topics {
        Topics::new("plant/opendcre", "dcre-1", Some("homeassistant"))
    }

    #[test]
    fn topics_are_made_of_ids() {
        let (topics, device) = (topics(), DeviceId(0x1ff));
        assert_eq!(topics.availability(), "plant/opendcre/dcre-1/availability");
        assert_eq!(topics.events(), "plant/opendcre/dcre-1/events");
        assert_eq!(topics.board(BOARD), "plant/opendcre/dcre-1/board/40000001");
        assert_eq!(topics.device(BOARD, device), "plant/opendcre/dcre-1/board/40000001/device/01ff");
        let subject = Subject { board: BOARD, device: Some(device) };
        let entity = Entity::of_quantity(&Quantity::TemperatureCelsius);
        let config = "homeassistant/sensor/dcre-1/40000001_01ff_temperature/config";
        assert_eq!(topics.config(subject, &entity).unwrap(), config);
        assert_eq!(Topics::new("opendcre", "dcre-1", None).config(subject, &entity), None);
    }

    #[test]
    fn what_is_told_is_known_again() {
        let topics = topics();
        let of_board = Subject { board: BOARD, device: None };
        let of_device = Subject { board: BOARD, device: Some(DeviceId(0x1ff)) };
        for (subject, topic) in [
            (of_board, topics.board(BOARD)),
            (of_board, topics.board_availability(BOARD)),
            (of_board, topics.config(of_board, &Entity::CONDITION).unwrap()),
            (of_device, topics.device(BOARD, DeviceId(0x1ff))),
            (of_device, topics.config(of_device, &Entity::POWER_STATE).unwrap()),
        ] {
            assert_eq!(topics.subject(&topic), Some(subject), "{topic}");
        }
    }

    #[test]
    fn what_is_never_told_is_nobodys() {
        let topics = topics();
        for topic in [
            "",
            "plant/opendcre/dcre-1",
            "plant/opendcre/dcre-1/availability",
            "plant/opendcre/dcre-2/board/40000001",
            "plant/opendcre/dcre-1/board/1",
            "plant/opendcre/dcre-1/board/40000001/x",
            "plant/opendcre/dcre-1/board/40000001/device/1FF",
            "homeassistant/sensor/dcre-2/40000001_01ff_temperature/config",
            "homeassistant/sensor/dcre-1/zigbee_01ff_temperature/config",
            "homeassistant/sensor/dcre-1/40000001_01ff_temperature/state",
        ] {
            assert_eq!(topics.subject(topic), None, "{topic}");
        }
    }

    proptest! {
        #[test]
        fn no_unit_gets_out_of_its_level(unit in ".*", topic in ".*") {
            let topics = topics();
            topics.subject(&topic);
            let subject = Subject { board: BOARD, device: Some(DeviceId(1)) };
            let topic = topics.config(subject, &Entity::of_quantity(&Quantity::Other(Cow::Owned(unit)))).unwrap();
            prop_assert!(topic.len() < 120 && topic.split('/').count() == 5, "{}", topic);
            prop_assert!(topic.chars().all(|c| c.is_ascii_alphanumeric() || "-_/".contains(c)), "{}", topic);
            prop_assert_eq!(topics.subject(&topic), Some(subject));
        }
    }
}
