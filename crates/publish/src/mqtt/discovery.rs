//! What Home Assistant is told so that it finds boards and their values by itself: its "MQTT discovery", a message for each
//! entity. It is pure.
//!
//! Keys are written out, not abbreviated, as the documents of the integrations "MQTT", "MQTT sensor" and "MQTT binary
//! sensor" name them.

use opendcre_gateway::BoardRecord;
use opendcre_model::Device;
use serde_json::{Value, json};

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

impl Discovery<'_> {
    /// How the board is. It is told also when the board does not answer.
    pub(crate) fn of_board(&self) -> Value {
        let subject = Subject { board: self.board.id, device: None };
        let topic = self.topics.board(self.board.id);
        let mut config = self.config(subject, &Entity::CONDITION, &topic);
        config["name"] = "condition".into();
        config["entity_category"] = "diagnostic".into();
        config["availability"] = json!([{"topic": self.topics.availability()}]);
        config
    }

    /// A value of a device.
    pub(crate) fn of_device(&self, device: &Device, entity: &Entity) -> Value {
        let board = self.board.id;
        let subject = Subject { board, device: Some(device.id) };
        let topic = self.topics.device(board, device.id);
        let mut config = self.config(subject, entity, &topic);
        config["name"] = name(device, entity).into();
        config["availability"] = json!([
            {"topic": self.topics.availability()},
            {"topic": self.topics.board_availability(board)},
        ]);
        config["json_attributes_topic"] = topic.into();
        config
    }

    fn config(&self, subject: Subject, entity: &Entity, topic: &str) -> Value {
        let mut config = json!({
            "unique_id": format!("{}_{}", self.client, subject.object(entity)),
            "state_topic": topic,
            // What is not known now is none, which Home Assistant shows as unknown.
            "value_template": format!("{{{{ value_json.{} | default(none) }}}}", entity.what),
            "availability_mode": "all",
            "qos": self.qos,
            "device": self.device(),
            "origin": {"name": "OpenDCRE", "sw_version": env!("CARGO_PKG_VERSION")},
        });
        if let Some(class) = entity.class {
            config["device_class"] = class.into();
        }
        if let Some(unit) = &entity.unit {
            config["unit_of_measurement"] = plain(unit).into();
        }
        match entity.component {
            Component::Sensor => config["state_class"] = "measurement".into(),
            Component::Word(words) => config["options"] = words.into(),
            Component::Switch => {
                config["payload_on"] = "on".into();
                config["payload_off"] = "off".into();
            }
        }
        config
    }

    /// The board, which Home Assistant calls a device.
    fn device(&self) -> Value {
        let BoardRecord { id, name, rack, firmware, .. } = self.board;
        let mut device = json!({
            "identifiers": [format!("{}_{id}", self.client)],
            "name": plain(name),
            "suggested_area": plain(rack),
        });
        if let Some(firmware) = firmware {
            device["sw_version"] = plain(firmware).into();
        }
        device
    }
}

/// What a value is called within its board.
fn name(device: &Device, entity: &Entity) -> String {
    let own = device.name.as_deref().map(plain).filter(|name| !name.is_empty());
    let own = own.unwrap_or_else(|| format!("{} {}", device.kind.name().replace('_', " "), device.id));
    if entity.what == device.kind.name() { own } else { format!("{own} {}", entity.what.replace('_', " ")) }
}

/// The beginning of a text without what cannot be shown.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MAX_NAME).collect()
}
