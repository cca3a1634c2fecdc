//! Power: what a host draws, and what it may draw (DCMI 1.5 §6.6).

use std::time::Duration;

use super::{
    ACTIVATE_POWER_LIMIT, GET_POWER_LIMIT, GET_POWER_READING, SET_POWER_LIMIT, body, reader, request,
};
use crate::wire::Reader;
use crate::{Command, CommandError, Completion, DecodeError, Request, Response};

/// A period over which power is averaged: its unit in the upper two bits, 00 seconds, 01 minutes, 10 hours, 11 days;
/// how many in the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RollingPeriod(pub u8);

impl RollingPeriod {
    /// How long it is; zero means the present moment.
    #[must_use]
    pub fn duration(self) -> Duration {
        let unit_s = match self.0 >> 6 {
            0 => 1,
            1 => 60,
            2 => 3600,
            _ => 24 * 3600,
        };
        Duration::from_secs(unit_s * u64::from(self.0 & 0x3f))
    }
}

/// Which power readings are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Statistics {
    /// Those that every BMC with power management has, averaged since it chose to.
    System,
    /// Those averaged over one of the periods of [`super::RollingPeriods`]. Since DCMI 1.1.
    Enhanced(RollingPeriod),
}

/// What a host draws (DCMI 1.5 §6.6.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PowerReading {
    /// Now.
    pub current_w: u16,
    /// The least over the period.
    pub minimum_w: u16,
    /// The most over the period.
    pub maximum_w: u16,
    /// The average over the period.
    pub average_w: u16,
    /// When this was said, in seconds since 1970 by the BMC's clock.
    pub timestamp: u32,
    /// The period of the statistics, in milliseconds.
    pub period_ms: u32,
    /// Whether the BMC measures at all now; when it does not, the numbers mean nothing.
    pub measuring: bool,
}

impl PowerReading {
    /// Bit 6 of the power reading state.
    const MEASURING: u8 = 0x40;

    /// Reads the data of an answer.
    ///
    /// # Errors
    /// When they are fewer than 18 bytes, or not DCMI's.
    pub fn decode(data: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = reader("a power reading", data)?;
        Ok(Self {
            current_w: reader.u16()?,
            minimum_w: reader.u16()?,
            maximum_w: reader.u16()?,
            average_w: reader.u16()?,
            timestamp: reader.u32()?,
            period_ms: reader.u32()?,
            measuring: reader.u8()? & Self::MEASURING != 0,
        })
    }

    /// The data of an answer.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let watts = [self.current_w, self.minimum_w, self.maximum_w, self.average_w].map(u16::to_le_bytes);
        let times = [self.timestamp, self.period_ms].map(u32::to_le_bytes);
        let state = if self.measuring { Self::MEASURING } else { 0 };
        body(watts.into_iter().flatten().chain(times.into_iter().flatten()).chain([state]))
    }
}

/// Asks what a host draws.
#[derive(Debug, Clone, Copy)]
pub struct GetPowerReading {
    /// Which readings.
    pub statistics: Statistics,
}

impl GetPowerReading {
    /// Reads the data of a request.
    ///
    /// # Errors
    /// When they are too short, not DCMI's, or ask for unknown statistics.
    pub fn decode(data: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = reader("a request for power readings", data)?;
        let [mode, period] = reader.array()?;
        let statistics = match mode {
            1 => Statistics::System,
            2 => Statistics::Enhanced(RollingPeriod(period)),
            _ => return Err(reader.invalid("mode", mode.into())),
        };
        Ok(Self { statistics })
    }
}

impl Command for GetPowerReading {
    type Output = PowerReading;

    const NAME: &'static str = "Get Power Reading";

    fn request(&self) -> Request {
        let (mode, period) = match self.statistics {
            Statistics::System => (1, 0),
            Statistics::Enhanced(RollingPeriod(period)) => (2, period),
        };
        request(GET_POWER_READING, &[mode, period, 0])
    }

    fn parse(&self, data: &[u8]) -> Result<PowerReading, DecodeError> {
        PowerReading::decode(data)
    }
}

/// What happens when a power limit is not kept within its correction time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExceptionAction {
    /// Nothing.
    None,
    /// The host is powered off at once, and the event logged.
    PowerOff,
    /// The event is logged.
    Log,
    /// What the manufacturer defines (02h to 10h), or a number that nobody has defined.
    Oem(u8),
}

impl ExceptionAction {
    const fn from_number(number: u8) -> Self {
        match number {
            0x00 => Self::None,
            0x01 => Self::PowerOff,
            0x11 => Self::Log,
            _ => Self::Oem(number),
        }
    }

    const fn number(self) -> u8 {
        match self {
            Self::None => 0x00,
            Self::PowerOff => 0x01,
            Self::Log => 0x11,
            Self::Oem(number) => number,
        }
    }
}

/// What a host may draw (DCMI 1.5 §6.6.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PowerLimit {
    /// What happens when the limit is not kept.
    pub action: ExceptionAction,
    /// The limit.
    pub limit_w: u16,
    /// How long the host may draw more before [`PowerLimit::action`] is taken, in milliseconds.
    pub correction_ms: u32,
    /// Over how many seconds statistics are gathered.
    pub sampling_s: u16,
}

impl PowerLimit {
    /// Reads what follows the `reserved` bytes after the group extension.
    fn read(mut reader: Reader<'_>, reserved: usize) -> Result<Self, DecodeError> {
        reader.take(reserved)?;
        let action = ExceptionAction::from_number(reader.u8()?);
        let limit_w = reader.u16()?;
        let correction_ms = reader.u32()?;
        reader.take(2)?;
        Ok(Self { action, limit_w, correction_ms, sampling_s: reader.u16()? })
    }

    /// Reads the data of an answer to Get Power Limit.
    ///
    /// # Errors
    /// When they are fewer than 14 bytes, or not DCMI's.
    pub fn decode(data: &[u8]) -> Result<Self, DecodeError> {
        reader("a power limit", data).and_then(|reader| Self::read(reader, 2))
    }

    /// The data of an answer to Get Power Limit.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        body([0, 0].into_iter().chain(self.fields()))
    }

    /// What answers and requests have in common.
    fn fields(&self) -> Vec<u8> {
        let mut data = vec![self.action.number()];
        data.extend(self.limit_w.to_le_bytes());
        data.extend(self.correction_ms.to_le_bytes());
        data.extend([0, 0]);
        data.extend(self.sampling_s.to_le_bytes());
        data
    }
}

/// The power limit, and whether it is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PowerLimitState {
    /// Whether it is in force.
    pub active: bool,
    /// The limit; a BMC without an active one need not say which it remembers.
    pub limit: Option<PowerLimit>,
}

/// Asks what a host may draw.
#[derive(Debug, Clone, Copy)]
pub struct GetPowerLimit;

impl GetPowerLimit {
    /// Completion code: no limit is in force. The limit that is set, if any, follows as with success (DCMI 1.5 §6.6.2).
    pub const NOT_ACTIVE: Completion = Completion(0x80);
}

impl Command for GetPowerLimit {
    type Output = PowerLimitState;

    const NAME: &'static str = "Get Power Limit";

    fn request(&self) -> Request {
        request(GET_POWER_LIMIT, &[0, 0])
    }

    fn parse(&self, data: &[u8]) -> Result<PowerLimitState, DecodeError> {
        Ok(PowerLimitState { active: true, limit: Some(PowerLimit::decode(data)?) })
    }

    fn read(&self, response: &Response) -> Result<PowerLimitState, CommandError> {
        match response.completion {
            Completion::OK => self
                .parse(&response.data)
                .map_err(|problem| CommandError::Malformed { command: Self::NAME, problem }),
            Self::NOT_ACTIVE => {
                Ok(PowerLimitState { active: false, limit: PowerLimit::decode(&response.data).ok() })
            }
            completion => Err(CommandError::Refused { command: Self::NAME, completion }),
        }
    }
}

/// Sets what a host may draw (DCMI 1.5 §6.6.3). A limit that was not in force comes into force by
/// [`ActivatePowerLimit`]; setting one that is in force changes it at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SetPowerLimit(pub PowerLimit);

impl SetPowerLimit {
    /// Completion code: the BMC does not accept the limit.
    pub const LIMIT_OUT_OF_RANGE: Completion = Completion(0x84);
    /// Completion code: the BMC does not accept the correction time.
    pub const CORRECTION_OUT_OF_RANGE: Completion = Completion(0x85);
    /// Completion code: the BMC does not accept the sampling period.
    pub const SAMPLING_OUT_OF_RANGE: Completion = Completion(0x89);

    /// Reads the data of a request.
    ///
    /// # Errors
    /// When they are fewer than 15 bytes, or not DCMI's.
    pub fn decode(data: &[u8]) -> Result<Self, DecodeError> {
        reader("a power limit", data).and_then(|reader| PowerLimit::read(reader, 3)).map(Self)
    }
}

impl Command for SetPowerLimit {
    type Output = ();

    const NAME: &'static str = "Set Power Limit";

    fn request(&self) -> Request {
        let mut data = vec![0, 0, 0];
        data.extend(self.0.fields());
        request(SET_POWER_LIMIT, &data)
    }

    fn parse(&self, data: &[u8]) -> Result<(), DecodeError> {
        reader("an answer to Set Power Limit", data).map(drop)
    }
}

/// Puts the power limit into force, or out of it (DCMI 1.5 §6.6.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActivatePowerLimit {
    /// Into force, or out of it.
    pub active: bool,
}

impl ActivatePowerLimit {
    /// Reads the data of a request.
    ///
    /// # Errors
    /// When they are too short, not DCMI's, or say neither.
    pub fn decode(data: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = reader("a power limit's activation", data)?;
        match reader.u8()? {
            active @ (0 | 1) => Ok(Self { active: active == 1 }),
            other => Err(reader.invalid("activation", other.into())),
        }
    }
}

impl Command for ActivatePowerLimit {
    type Output = ();

    const NAME: &'static str = "Activate/Deactivate Power Limit";

    fn request(&self) -> Request {
        request(ACTIVATE_POWER_LIMIT, &[self.active.into(), 0, 0])
    }

    fn parse(&self, data: &[u8]) -> Result<(), DecodeError> {
        reader("an answer to Activate/Deactivate Power Limit", data).map(drop)
    }
}

#[cfg(test)]
mod tests;
