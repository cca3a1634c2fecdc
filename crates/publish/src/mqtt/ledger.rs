//! What a broker was told, so that only news are told: for each board what was told of it, by digests. It is pure.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use opendcre_model::{BoardId, DeviceId};
use serde::Serialize;
use tokio::time::Instant;

use super::discovery::{Config, Discovery};
use super::entity::Entity;
use super::link::Message;
use super::state::{Said, Scene};
use super::topic::{Subject, Topics};

/// How long after it was told a value is told again though it is the same, if it was measured again since.
const REFRESH: Duration = Duration::from_secs(5 * 60);

/// How messages are told.
#[derive(Debug, Clone)]
pub(crate) struct Manner {
    pub(crate) topics: Topics,
    /// What the broker knows the gateway as.
    pub(crate) client: String,
    /// Whether the broker keeps the last value of everything.
    pub(crate) retain: bool,
    pub(crate) qos: u8,
}

/// What a broker was told since the connection to it was made. It has as many entries as there are boards and devices.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    boards: BTreeMap<BoardId, ToldBoard>,
}

#[derive(Debug, Default)]
struct ToldBoard {
    is_online: Option<bool>,
    state: u64,
    described: u64,
    devices: BTreeMap<DeviceId, ToldDevice>,
}

#[derive(Debug, Default)]
struct ToldDevice {
    /// What the device looked like then, see [`Said::look`].
    look: u64,
    state: u64,
    at: Option<Instant>,
    described: u64,
    /// Every value that it ever had: one that is not known now comes back.
    entities: Vec<Entity>,
}

impl Ledger {
    /// What is to be told of a board now.
    pub(crate) fn tell(&mut self, manner: &Manner, scene: &Scene<'_>) -> Vec<Message> {
        let told = self.boards.entry(scene.board.id).or_default();
        let mut news = News { manner, scene, messages: Vec::new() };
        news.of_board(told);
        for said in &scene.devices {
            news.of_device(said, told.devices.entry(said.device.id).or_default());
        }
        let gone = |device: &DeviceId| scene.board.device(*device).is_none();
        for (device, told) in told.devices.extract_if(.., |device, _| gone(device)) {
            news.messages.extend(manner.clear_device(scene.board.id, device, &told));
        }
        news.messages
    }

    /// Takes it that nothing was told of a board.
    pub(crate) fn forget(&mut self, board: BoardId) {
        self.boards.remove(&board);
    }

    /// The boards of which something was told and that are not among those that are there.
    pub(crate) fn gone(&self, is_there: impl Fn(BoardId) -> bool) -> Vec<BoardId> {
        self.boards.keys().copied().filter(|board| !is_there(*board)).collect()
    }

    /// What takes back everything that was told of a board.
    pub(crate) fn clear(&self, manner: &Manner, board: BoardId) -> Vec<Message> {
        let Some(told) = self.boards.get(&board) else { return Vec::new() };
        let subject = Subject { board, device: None };
        let topics = &manner.topics;
        let of_board = [topics.config(subject, &Entity::CONDITION), Some(topics.board(board))];
        let of_board = of_board.into_iter().flatten().chain([topics.board_availability(board)]);
        let devices = told.devices.iter();
        let of_devices = devices.flat_map(|(device, told)| manner.clear_device(board, *device, told));
        of_devices.chain(of_board.map(Message::clear)).collect()
    }
}

impl Manner {
    fn clear_device(&self, board: BoardId, device: DeviceId, told: &ToldDevice) -> Vec<Message> {
        let subject = Subject { board, device: Some(device) };
        let configs = told.entities.iter().filter_map(|entity| self.topics.config(subject, entity));
        configs.chain([self.topics.device(board, device)]).map(Message::clear).collect()
    }
}

/// What is new of a board.
struct News<'a> {
    manner: &'a Manner,
    scene: &'a Scene<'a>,
    messages: Vec<Message>,
}

impl News<'_> {
    fn of_board(&mut self, told: &mut ToldBoard) {
        let (board, topics) = (self.scene.board, &self.manner.topics);
        let described = self.described(&[]);
        if told.described != described {
            told.described = described;
            let subject = Subject { board: board.id, device: None };
            let config = topics.config(subject, &Entity::CONDITION);
            self.push_kept(config, &self.discovery().of_board());
        }
        // Nobody knows of a board that was never asked, but the broker may keep an answer from before.
        let is_online = self.scene.is_up == Some(true);
        if told.is_online != Some(is_online) {
            told.is_online = Some(is_online);
            let word = if is_online { "online" } else { "offline" };
            let topic = topics.board_availability(board.id);
            self.messages.push(Message { topic, payload: word.into(), retain: true });
        }
        let state = self.scene.state();
        let text = text(&state);
        if told.state != digest(&text) {
            told.state = digest(&text);
            self.push_state(topics.board(board.id), text);
        }
    }

    fn of_device(&mut self, said: &Said<'_>, told: &mut ToldDevice) {
        let (board, topics) = (self.scene.board, &self.manner.topics);
        let look = digest(&(said.look(self.scene.stale), self.described(&[])));
        if told.look == look {
            return;
        }
        told.look = look;
        let (mut state, entities) = said.tell(self.scene.stale);
        let fresh: Vec<Entity> =
            entities.into_iter().filter(|entity| !told.entities.contains(entity)).collect();
        told.entities.extend(fresh);
        let described = digest(&(said.device, self.described(&told.entities)));
        if told.described != described {
            told.described = described;
            let subject = Subject { board: board.id, device: Some(said.device.id) };
            for entity in &told.entities {
                let config = self.discovery().of_device(said.device, entity);
                self.push_kept(topics.config(subject, entity), &config);
            }
        }
        let time = state.time.take();
        let content = digest(&text(&state));
        if told.state == content && told.at.is_some_and(|at| at.elapsed() < REFRESH) {
            return;
        }
        (told.state, told.at, state.time) = (content, Some(Instant::now()), time);
        self.push_state(topics.device(board.id, said.device.id), text(&state));
    }

    /// A number that is the same as long as the descriptions of these parts are.
    fn described(&self, entities: &[Entity]) -> u64 {
        let board = self.scene.board;
        digest(&(&board.name, &board.rack, &board.firmware, entities))
    }

    fn discovery(&self) -> Discovery<'_> {
        let Manner { topics, client, qos, .. } = self.manner;
        Discovery { topics, client, qos: *qos, board: self.scene.board }
    }

    fn push_kept(&mut self, topic: Option<String>, config: &Config) {
        let message = |topic| Message { topic, payload: text(config).into_bytes(), retain: true };
        self.messages.extend(topic.map(message));
    }

    fn push_state(&mut self, topic: String, text: String) {
        self.messages.push(Message { topic, payload: text.into_bytes(), retain: self.manner.retain });
    }
}

fn text(state: &impl Serialize) -> String {
    // Only maps with keys that are no text cannot be written.
    serde_json::to_string(state).unwrap_or_default()
}

fn digest(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
