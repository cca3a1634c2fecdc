//! The table of the health of every device, as it was told last. It is as large as the inventory, and what it is told of
//! devices that it does not know it does not keep.

use opendcre_model::{BoardId, Device, DeviceAddress, DeviceId, Health, Observation, Quantity};

use super::limit::{Crossed, Limit};
use super::statement::{Statement, Values};
use super::threshold::{Rule, Thresholds};
use super::{Cause, Condition, HealthChange};
use crate::hash::HashMap;
use crate::{BoardRecord, BoardState};

/// The most devices of one board that are judged.
const MOST_DEVICES: usize = 4096;

/// The health of every device.
#[derive(Debug)]
pub(crate) struct HealthTracker {
    thresholds: Thresholds,
    /// The devices of each board, by id.
    boards: HashMap<BoardId, Vec<Tracked>>,
}

/// A device.
#[derive(Debug)]
struct Tracked {
    id: DeviceId,
    /// What was told last; nothing before the first answer.
    told: Option<Health>,
    /// What the equipment said last.
    said: Health,
    /// Whether there was nothing to measure the last time.
    was_absent: bool,
    /// The thresholds that count for it.
    watched: Box<[Watched]>,
}

/// A threshold that counts for a device.
#[derive(Debug)]
struct Watched {
    threshold: u16,
    crossed: Crossed,
}

/// What one answer means for one threshold.
struct Crossing<'t> {
    quantity: &'t Quantity,
    /// What was measured, if it was.
    value: Option<f64>,
    /// The worst limit that is crossed, or was until now.
    limit: Option<&'t Limit>,
    before: Health,
    after: Health,
}

impl HealthTracker {
    pub(crate) fn new(thresholds: Thresholds) -> Self {
        Self { thresholds, boards: HashMap::default() }
    }

    /// Notes what a board holds and what it is called, which decides about the thresholds that count. To be told once of
    /// every board, and of each again when its record has changed. What is known of its devices stays.
    pub(crate) fn learn(&mut self, board: &BoardRecord) {
        let candidates = self.thresholds.of_board(board);
        let mut before = self.boards.remove(&board.id).unwrap_or_default();
        let mut devices: Vec<Tracked> = board.devices.iter().take(MOST_DEVICES).map(Tracked::new).collect();
        devices.sort_by_key(|device| device.id);
        devices.dedup_by_key(|device| device.id);
        for known in before.drain(..) {
            if let Some(device) = find(&mut devices, known.id) {
                *device = known;
            }
        }
        for device in &board.devices {
            if let Some(tracked) = find(&mut devices, device.id) {
                tracked.watch(self.thresholds.of_device(&candidates, device));
            }
        }
        self.boards.insert(board.id, devices);
    }

    /// Forgets a board that is no more.
    pub(crate) fn forget(&mut self, board: BoardId) {
        self.boards.remove(&board);
    }

    /// Notes what was told of a device before the service started, so that it is not told again.
    pub(crate) fn recall(&mut self, device: DeviceAddress, told: Health) {
        let devices = self.boards.get_mut(&device.board);
        if let Some(tracked) = devices.and_then(|devices| find(devices, device.device)) {
            tracked.told = Some(told);
        }
    }

    /// Judges an answer that a device has just given, each answer once. Nothing if that is no news.
    pub(crate) fn note(&mut self, device: DeviceAddress, answer: &Observation) -> Option<HealthChange> {
        let statement = Statement::of(answer)?;
        let devices = self.boards.get_mut(&device.board)?;
        let (from, to, cause) = find(devices, device.device)?.judge(&statement, &self.thresholds)?;
        Some(HealthChange { device, from, to, cause })
    }

    /// The health of a device; nothing before its first answer.
    pub(crate) fn device(&self, device: DeviceAddress) -> Option<Health> {
        let devices = self.boards.get(&device.board)?;
        let position = devices.binary_search_by_key(&device.device, |tracked| tracked.id).ok()?;
        devices.get(position)?.told
    }

    /// How a board is, as far as `board` shows it, which may be a part of its record: as bad as the worst of its devices,
    /// but missing if it does not answer, whatever they said before.
    pub(crate) fn condition(&self, board: &BoardRecord) -> Condition {
        let has_failed = board.state == BoardState::Unknown && board.failure.is_some();
        if board.state == BoardState::Missing || has_failed {
            return Condition::Missing;
        }
        let address = |device: &Device| DeviceAddress { board: board.id, device: device.id };
        let healths = board.devices.iter().filter_map(|device| self.device(address(device)));
        healths.max().map_or(Condition::Unknown, Condition::from)
    }
}

fn find(devices: &mut [Tracked], id: DeviceId) -> Option<&mut Tracked> {
    let position = devices.binary_search_by_key(&id, |tracked| tracked.id).ok()?;
    devices.get_mut(position)
}

impl Tracked {
    fn new(device: &Device) -> Self {
        Self { id: device.id, told: None, said: Health::Ok, was_absent: false, watched: Box::default() }
    }

    /// Lets these thresholds count from now on. Those that did before know what is crossed.
    fn watch(&mut self, thresholds: Vec<u16>) {
        let crossed = |threshold| {
            let before = self.watched.iter().find(|watched| watched.threshold == threshold);
            before.map_or_else(Crossed::default, |watched| watched.crossed)
        };
        let watched =
            thresholds.into_iter().map(|threshold| Watched { threshold, crossed: crossed(threshold) });
        self.watched = watched.collect();
    }

    /// What was told before, what is to be told now, and why, if these differ.
    fn judge(
        &mut self,
        statement: &Statement<'_>,
        thresholds: &Thresholds,
    ) -> Option<(Health, Health, Cause)> {
        // The worse of the last two: worse at once, and better when it was said twice.
        let said = statement.health.max(std::mem::replace(&mut self.said, statement.health));
        let crossings = self.cross(&statement.values, thresholds);
        let to = crossings.iter().map(|crossing| crossing.after).fold(said, Health::max);
        let from = self.told.replace(to).unwrap_or_default();
        if to == from {
            return None;
        }
        let is_cause = |crossing: &&Crossing<'_>| {
            if to > from { crossing.after == to } else { crossing.before == from && crossing.after < from }
        };
        let cause = crossings.iter().find(is_cause).and_then(Crossing::cause);
        let cause = cause.unwrap_or_else(|| match statement.values {
            Values::Absent => Cause::NoValue,
            _ => Cause::Equipment(statement.words.to_vec()),
        });
        Some((from, to, cause))
    }

    /// Compares values with the limits of every threshold.
    fn cross<'t>(&mut self, values: &Values<'_>, thresholds: &'t Thresholds) -> Vec<Crossing<'t>> {
        let is_absent = *values == Values::Absent;
        let is_gone = std::mem::replace(&mut self.was_absent, is_absent) && is_absent;
        let cross = |watched: &mut Watched| {
            let Rule { quantity, limits, .. } = thresholds.rule(watched.threshold)?;
            let value = value_of(values, quantity);
            let before = watched.crossed;
            watched.crossed = match value {
                Some(value) => limits.cross(before, value),
                None if is_gone => Crossed::default(),
                None => before,
            };
            let (was, is) = (limits.health(before), limits.health(watched.crossed));
            let limit = limits.worst(if is < was { before } else { watched.crossed });
            Some(Crossing { quantity, value, limit, before: was, after: is })
        };
        self.watched.iter_mut().filter_map(cross).collect()
    }
}

impl Crossing<'_> {
    /// As the cause of a change, if there is a value.
    fn cause(&self) -> Option<Cause> {
        let (value, limit) = self.value.zip(self.limit)?;
        Some(Cause::Limit { quantity: self.quantity.clone(), value, limit: limit.value, side: limit.side })
    }
}

fn value_of(values: &Values<'_>, quantity: &Quantity) -> Option<f64> {
    let Values::Measured(measured) = values else { return None };
    measured.iter().find(|measurement| measurement.quantity == *quantity).map(|measurement| measurement.value)
}
