//! What Home Assistant is told so that it finds boards and their values by itself: its "MQTT discovery", a message for each
//! entity. It is pure.
//!
//! Keys are written out, not abbreviated, as the documents of the integrations "MQTT", "MQTT sensor" and "MQTT binary
//! sensor" name them.

use opendcre_gateway::BoardRecord;
use opendcre_model::Device;
use serde::Serialize;

use super::entity::{Component, Entity};
use super::topic::{Subject, Topics};

/// The longest name of a board or device that is shown.
const MAX_NAME: usize = 64;

/// What everything is told with.
pub(crate) struct Discovery<'a> {
    pub(crate) topics: &'a Topics,
    /// What the broker knows the gateway as.
    pub(crate) client: &'a str,
    pub(crate) qos: u8,
    pub(crate) board: &'a BoardRecord,
}

/// What is told of an entity.
#[derive(Debug, Serialize)]
pub(crate) struct Config {
    name: String,
    unique_id: String,
    state_topic: String,
    value_template: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    json_attributes_topic: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device_class: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit_of_measurement: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    entity_category: Option<&'static str>,
    #[serde(flatten)]
    values: Values,
    availability: Vec<Availability>,
    /// All of them must say so.
    availability_mode: &'static str,
    qos: u8,
    device: Thing,
    origin: Origin,
}

/// Which values an entity has.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Values {
    Number { state_class: &'static str },
    Word { options: &'static [&'static str] },
    Switch { payload_on: &'static str, payload_off: &'static str },
}

/// Where is told whether something is there, as `online` and `offline`.
#[derive(Debug, Serialize)]
struct Availability {
    topic: String,
}

/// A board, which Home Assistant calls a device.
#[derive(Debug, Serialize)]
struct Thing {
    identifiers: [String; 1],
    name: String,
    suggested_area: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    sw_version: Option<String>,
}

/// Who tells of it.
#[derive(Debug, Serialize)]
struct Origin {
    name: &'static str,
    sw_version: &'static str,
}

impl Discovery<'_> {
    /// How the board is. It is told also when the board does not answer.
    pub(crate) fn of_board(&self) -> Config {
        let subject = Subject { board: self.board.id, device: None };
        let topic = self.topics.board(self.board.id);
        let config = self.config(subject, &Entity::CONDITION, topic);
        Config { name: "condition".to_owned(), entity_category: Some("diagnostic"), ..config }
    }

    /// A value of a device.
    pub(crate) fn of_device(&self, device: &Device, entity: &Entity) -> Config {
        let board = self.board.id;
        let subject = Subject { board, device: Some(device.id) };
        let topic = self.topics.device(board, device.id);
        let mut config = self.config(subject, entity, topic.clone());
        config.availability.push(Availability { topic: self.topics.board_availability(board) });
        Config { name: name(device, entity), json_attributes_topic: Some(topic), ..config }
    }

    fn config(&self, subject: Subject, entity: &Entity, state_topic: String) -> Config {
        Config {
            name: String::new(),
            unique_id: format!("{}_{}", self.client, subject.object(entity)),
            state_topic,
            // What is not known now is none, which Home Assistant shows as unknown.
            value_template: format!("{{{{ value_json.{} | default(none) }}}}", entity.what),
            json_attributes_topic: None,
            device_class: entity.class,
            unit_of_measurement: entity.unit.as_deref().map(plain),
            entity_category: None,
            values: match entity.component {
                Component::Sensor => Values::Number { state_class: "measurement" },
                Component::Word(options) => Values::Word { options },
                Component::Switch => Values::Switch { payload_on: "on", payload_off: "off" },
            },
            availability: vec![Availability { topic: self.topics.availability() }],
            availability_mode: "all",
            qos: self.qos,
            device: self.device(),
            origin: Origin { name: "OpenDCRE", sw_version: env!("CARGO_PKG_VERSION") },
        }
    }

    fn device(&self) -> Thing {
        let BoardRecord { id, name, rack, firmware, .. } = self.board;
        Thing {
            identifiers: [format!("{}_{id}", self.client)],
            name: plain(name),
            suggested_area: plain(rack),
            sw_version: firmware.as_deref().map(plain),
        }
    }
}

/// What a value is called within its board.
fn name(device: &Device, entity: &Entity) -> String {
    let own = device.name.as_deref().map(plain).filter(|name| !name.is_empty());
    let own = own.unwrap_or_else(|| format!("{} {}", device.kind.name().replace('_', " "), device.id));
    // What has no name of its own is the only thing that its sensor measures.
    let is_all = entity.what == device.kind.name() || entity.what.starts_with("value");
    if is_all { own } else { format!("{own} {}", entity.what.replace('_', " ")) }
}

/// The beginning of a text without what cannot be shown.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MAX_NAME).collect()
}
