//! The temperatures that every BMC with DCMI has, found without walking its sensor records (DCMI 1.5 §6.5.2, §6.7.3).

use super::{GET_SENSOR_INFO, GET_TEMPERATURE_READINGS, body, reader, request};
use crate::{Command, CommandError, Completion, DecodeError, Procedure, Request, Response, Step};

/// The sensor type "temperature" (IPMI 2.0 table 42-3).
const TEMPERATURE: u8 = 0x01;

/// Where a temperature is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Entity {
    /// The air that flows in.
    Inlet,
    /// The processors.
    Processor,
    /// The board.
    Baseboard,
}

impl Entity {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Inlet, Self::Processor, Self::Baseboard];

    /// The entity ids that mean it: that of DCMI 1.1 and 1.5, and that of IPMI (IPMI 2.0 table 43-13), which DCMI 1.0
    /// used and later versions still allow.
    #[must_use]
    pub const fn ids(self) -> [u8; 2] {
        match self {
            Self::Inlet => [0x40, 0x37],
            Self::Processor => [0x41, 0x03],
            Self::Baseboard => [0x42, 0x07],
        }
    }

    /// The entity of either id.
    #[must_use]
    pub fn from_id(id: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|entity| entity.ids().contains(&id))
    }
}

/// What is asked about an entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntityQuery {
    /// The entity's id.
    pub entity: u8,
    /// One instance of it; 0 means all.
    pub instance: u8,
    /// With which instance to begin, when there are more than fit into one answer. Some BMCs count from 0 and some
    /// from 1.
    pub start: u8,
}

impl EntityQuery {
    /// Reads the data of a request.
    ///
    /// # Errors
    /// When they are too short, not DCMI's, or not about temperatures.
    pub fn decode(data: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = reader("a request for temperatures", data)?;
        let [sensor_type, entity, instance, start] = reader.array()?;
        if sensor_type != TEMPERATURE {
            return Err(reader.invalid("sensor type", sensor_type.into()));
        }
        Ok(Self { entity, instance, start })
    }

    fn request(self, command: u8) -> Request {
        request(command, &[TEMPERATURE, self.entity, self.instance, self.start])
    }
}

/// Some of what there is to an entity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// How many instances there are in all.
    pub total: u8,
    /// Those of this answer; eight at most on the wire.
    pub items: Vec<T>,
}

impl<T> Page<T> {
    /// How many instances fit into an answer.
    pub const MAXIMUM: usize = 8;

    /// Reads the data of an answer, whose items are two bytes each.
    fn read(data: &[u8], item: impl Fn([u8; 2]) -> T) -> Result<Self, DecodeError> {
        let mut reader = reader("temperatures", data)?;
        let [total, count] = reader.array()?;
        let items = (0..count).map(|_| reader.array().map(&item)).collect::<Result<_, _>>()?;
        Ok(Self { total, items })
    }

    /// The data of an answer: as many of the items as fit.
    fn write(&self, item: impl Fn(&T) -> [u8; 2]) -> Vec<u8> {
        let items: Vec<[u8; 2]> = self.items.iter().take(Self::MAXIMUM).map(item).collect();
        let count = u8::try_from(items.len()).unwrap_or(u8::MAX);
        body([self.total, count].into_iter().chain(items.into_iter().flatten()))
    }
}

impl Page<u16> {
    /// Reads the data of an answer to Get DCMI Sensor Info: record ids.
    ///
    /// # Errors
    /// When they are too short, or not DCMI's.
    pub fn decode(data: &[u8]) -> Result<Self, DecodeError> {
        Self::read(data, u16::from_le_bytes)
    }

    /// The data of an answer.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        self.write(|record| record.to_le_bytes())
    }
}

/// One temperature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Temperature {
    /// Which one of several of its entity.
    pub instance: u8,
    /// The temperature, -127 to 127.
    pub celsius: i8,
}

impl Temperature {
    /// The sign and the magnitude come apart (DCMI 1.5 §6.7.3).
    const NEGATIVE: u8 = 0x80;

    fn read([value, instance]: [u8; 2]) -> Self {
        let magnitude = (value & !Self::NEGATIVE).cast_signed();
        Self { instance, celsius: if value & Self::NEGATIVE == 0 { magnitude } else { -magnitude } }
    }

    fn write(self) -> [u8; 2] {
        let sign = if self.celsius < 0 { Self::NEGATIVE } else { 0 };
        [self.celsius.unsigned_abs().min(!Self::NEGATIVE) | sign, self.instance]
    }
}

impl Page<Temperature> {
    /// Reads the data of an answer to Get Temperature Readings.
    ///
    /// # Errors
    /// When they are too short, or not DCMI's.
    pub fn decode(data: &[u8]) -> Result<Self, DecodeError> {
        Self::read(data, Temperature::read)
    }

    /// The data of an answer.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        self.write(|temperature| temperature.write())
    }
}

/// A command that asks about an entity.
pub trait EntityCommand: Command<Output = Page<Self::Item>> {
    /// What there is to an entity.
    type Item;

    /// Asks this.
    fn new(query: EntityQuery) -> Self;

    /// What tells an item from all others of its entity.
    fn key(item: &Self::Item) -> u16;
}

/// Asks which sensor records measure an entity's temperature.
#[derive(Debug, Clone, Copy)]
pub struct GetSensorInfo(pub EntityQuery);

impl Command for GetSensorInfo {
    type Output = Page<u16>;

    const NAME: &'static str = "Get DCMI Sensor Info";

    fn request(&self) -> Request {
        self.0.request(GET_SENSOR_INFO)
    }

    fn parse(&self, data: &[u8]) -> Result<Page<u16>, DecodeError> {
        Page::<u16>::decode(data)
    }
}

impl EntityCommand for GetSensorInfo {
    type Item = u16;

    fn new(query: EntityQuery) -> Self {
        Self(query)
    }

    fn key(record: &u16) -> u16 {
        *record
    }
}

/// Asks for an entity's temperatures. Since DCMI 1.5.
#[derive(Debug, Clone, Copy)]
pub struct GetTemperatureReadings(pub EntityQuery);

impl Command for GetTemperatureReadings {
    type Output = Page<Temperature>;

    const NAME: &'static str = "Get Temperature Readings";

    fn request(&self) -> Request {
        self.0.request(GET_TEMPERATURE_READINGS)
    }

    fn parse(&self, data: &[u8]) -> Result<Page<Temperature>, DecodeError> {
        Page::<Temperature>::decode(data)
    }
}

impl EntityCommand for GetTemperatureReadings {
    type Item = Temperature;

    fn new(query: EntityQuery) -> Self {
        Self(query)
    }

    fn key(temperature: &Temperature) -> u16 {
        temperature.instance.into()
    }
}

/// Asks about all three entities, each under its newer id first and under its older one when that brings nothing.
///
/// BMCs disagree whether the first instance is number 0 or 1. So every next page begins with the number of those that
/// are known, which at worst brings the last of them again; what is known already is not taken twice. A page that
/// brings nothing new ends its entity, and so does the 255th item.
#[derive(Debug, Clone)]
pub struct WalkEntities<C: EntityCommand> {
    found: Vec<(Entity, C::Item)>,
    /// The ids that remain, last one first.
    ids: Vec<u8>,
    /// What was asked last.
    query: EntityQuery,
}

/// Finds the sensor records of all temperatures: their record ids.
pub type FindTemperatureSensors = WalkEntities<GetSensorInfo>;
/// Reads all temperatures.
pub type ReadTemperatures = WalkEntities<GetTemperatureReadings>;

impl<C: EntityCommand> WalkEntities<C> {
    /// Nothing has been asked yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            found: Vec::new(),
            ids: Entity::ALL.into_iter().flat_map(Entity::ids).rev().collect(),
            query: EntityQuery { entity: 0, instance: 0, start: 0 },
        }
    }

    /// Takes an answer, and says whether the entity has more.
    fn take(&mut self, response: &Response) -> Result<bool, CommandError> {
        let page = match C::new(self.query).read(response) {
            Ok(page) => page,
            Err(CommandError::Refused { completion, .. }) if is_absent(completion) => return Ok(false),
            Err(error) => return Err(error),
        };
        let Some(entity) = Entity::from_id(self.query.entity) else {
            return Ok(false);
        };
        let known = self.of(entity).count();
        for item in page.items {
            let is_known = self.of(entity).any(|other| C::key(other) == C::key(&item));
            if !is_known && self.of(entity).count() < page.total.into() {
                self.found.push((entity, item));
            }
        }
        let count = self.of(entity).count();
        self.query.start = u8::try_from(count).unwrap_or(u8::MAX);
        Ok(count > known && count < page.total.into())
    }

    /// What is known of an entity.
    fn of(&self, entity: Entity) -> impl Iterator<Item = &C::Item> {
        self.found.iter().filter(move |(of, _)| *of == entity).map(|(_, item)| item)
    }

    /// The next id of whose entity nothing is known.
    fn next_id(&mut self) -> Option<u8> {
        while let Some(id) = self.ids.pop() {
            if Entity::from_id(id).is_some_and(|entity| self.of(entity).next().is_none()) {
                return Some(id);
            }
        }
        None
    }
}

impl<C: EntityCommand> Default for WalkEntities<C> {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether a BMC says that it does not have an entity.
const fn is_absent(completion: Completion) -> bool {
    matches!(completion, Completion::NOT_PRESENT | Completion::OUT_OF_RANGE | Completion::INVALID_FIELD)
}

impl<C: EntityCommand> Procedure for WalkEntities<C> {
    type Output = Vec<(Entity, C::Item)>;

    fn advance(&mut self, answer: Option<&Response>) -> Result<Step<Self::Output>, CommandError> {
        let more = answer.map_or(Ok(false), |response| self.take(response))?;
        if !more {
            let Some(entity) = self.next_id() else {
                return Ok(Step::Done(std::mem::take(&mut self.found)));
            };
            self.query = EntityQuery { entity, instance: 0, start: 0 };
        }
        Ok(Step::Ask(C::new(self.query).request()))
    }
}

#[cfg(test)]
mod tests;
