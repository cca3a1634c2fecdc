//! What is told of a board and of a device: bodies of messages. It is pure.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use jiff::Timestamp;
use opendcre_gateway::{BoardRecord, Condition, Known, Latest};
use opendcre_model::{BoardId, Device, DeviceId, DeviceKind, Health, Observation, Quality};
use serde::Serialize;
use serde_json::Value;

use super::entity::Entity;

/// What is known of a board when it is looked at.
pub(crate) struct Scene<'a> {
    pub(crate) board: &'a BoardRecord,
    /// Whether it answers; nothing if nobody has asked it yet.
    pub(crate) is_up: Option<bool>,
    /// How old values may become until they are not current any more.
    pub(crate) stale: Duration,
    pub(crate) condition: Condition,
    pub(crate) devices: Vec<Said<'a>>,
}

/// What is known of a device: the answers to all questions to it.
pub(crate) struct Said<'a> {
    pub(crate) device: &'a Device,
    pub(crate) answers: Vec<Latest>,
    pub(crate) health: Option<Health>,
}

/// What is told of a board.
#[derive(Debug, Serialize)]
pub(crate) struct BoardState<'a> {
    board: BoardId,
    name: &'a str,
    rack: &'a str,
    condition: Condition,
}

/// What is told of a device.
#[derive(Debug, Serialize)]
pub(crate) struct DeviceState<'a> {
    device: DeviceId,
    kind: DeviceKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    health: Option<Health>,
    /// `stale` where the values are too old to be told.
    quality: &'static str,
    /// What sensors report in words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    states: Vec<&'a str>,
    /// When the oldest of the values was measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) time: Option<Timestamp>,
    #[serde(flatten)]
    values: BTreeMap<String, Value>,
}

impl<'a> Scene<'a> {
    /// What is told of the board itself.
    pub(crate) fn state(&self) -> BoardState<'a> {
        let BoardRecord { id, name, rack, .. } = self.board;
        BoardState { board: *id, name, rack, condition: self.condition }
    }

    /// The devices of a board with the answers that there are, of which `known` has one entry for each question.
    pub(crate) fn devices(known: &[Known<'a>], health: impl Fn(DeviceId) -> Option<Health>) -> Vec<Said<'a>> {
        let said = |answers: &[Known<'a>]| {
            let device = answers.first()?.device;
            let answers: Vec<Latest> = answers.iter().filter_map(|known| known.latest.clone()).collect();
            (!answers.is_empty()).then(|| Said { device, answers, health: health(device.id) })
        };
        known.chunk_by(|one, next| one.device.id == next.device.id).filter_map(said).collect()
    }
}

impl Said<'_> {
    /// A number that is the same as long as there is nothing new.
    pub(crate) fn look(&self, stale: Duration) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.health.hash(&mut hasher);
        for Latest { time, age, .. } in &self.answers {
            (time, *age > stale).hash(&mut hasher);
        }
        hasher.finish()
    }

    /// What is told of it, and of which entities that tells.
    pub(crate) fn tell(&self, stale: Duration) -> (DeviceState<'_>, Vec<Entity>) {
        let Device { id, kind, name, .. } = self.device;
        let fresh = || self.answers.iter().filter(|latest| latest.age <= stale);
        let mut state = DeviceState {
            device: *id,
            kind: *kind,
            name: name.as_deref(),
            health: self.health,
            quality: "stale",
            states: Vec::new(),
            time: fresh().map(|latest| latest.time).min(),
            values: BTreeMap::new(),
        };
        let mut entities = Vec::new();
        if fresh().next().is_some() {
            state.quality = Quality::Good.name();
        }
        for latest in fresh() {
            state.add(&latest.observation, &mut entities);
        }
        (state, entities)
    }
}

impl<'a> DeviceState<'a> {
    fn add(&mut self, observation: &'a Observation, entities: &mut Vec<Entity>) {
        match observation {
            Observation::Power(report) => {
                self.put(Entity::POWER_STATE, report.state.name().into(), entities);
            }
            Observation::Led { on } => {
                self.put(Entity::LED, if *on { "on" } else { "off" }.into(), entities);
            }
            Observation::Battery(report) => {
                return self.put(Entity::CHARGE, report.charge_percent.into(), entities);
            }
            Observation::Sensor(reading) => {
                self.quality = reading.quality.name();
                self.states.extend(reading.states.iter().map(String::as_str));
            }
            _ => {}
        }
        for measurement in observation.measurements().iter() {
            self.put(Entity::of_quantity(&measurement.quantity), measurement.value.into(), entities);
        }
    }

    /// Of several values for the same thing the first one counts.
    fn put(&mut self, entity: Entity, value: Value, entities: &mut Vec<Entity>) {
        if !self.values.contains_key(&*entity.what) {
            self.values.insert(entity.what.to_string(), value);
            entities.push(entity);
        }
    }
}
