//! What a BMC can do of DCMI (DCMI 1.5 §6.1, Get DCMI Capabilities Info).

use std::marker::PhantomData;

use super::{GET_CAPABILITIES, RollingPeriod, Version, body, reader, request};
use crate::wire::Reader;
use crate::{Command, CommandError, Completion, DecodeError, Procedure, Request, Response, Step};

/// One of the parameters that Get DCMI Capabilities Info answers.
pub trait CapabilityParameter: Sized {
    /// Its number.
    const SELECTOR: u8;

    /// Reads what follows the parameter's revision. What later versions of DCMI added may be missing.
    ///
    /// # Errors
    /// When it is too short.
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError>;

    /// What follows the parameter's revision, in the layout of DCMI 1.5.
    fn encode(&self) -> Vec<u8>;
}

/// An answer to Get DCMI Capabilities Info.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capability<T> {
    /// The version of DCMI to which the BMC conforms.
    pub version: Version,
    /// The revision of the parameter: 1 in DCMI 1.0, 2 in 1.1 and 1.5.
    pub revision: u8,
    /// The parameter.
    pub parameter: T,
}

impl<T: CapabilityParameter> Capability<T> {
    /// Reads the data of an answer.
    ///
    /// # Errors
    /// When they are too short, or not DCMI's.
    pub fn decode(data: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = reader("DCMI capabilities", data)?;
        let [major, minor, revision] = reader.array()?;
        let parameter = T::decode(&mut reader)?;
        Ok(Self { version: Version { major, minor }, revision, parameter })
    }

    /// The data of an answer.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        body(
            [self.version.major, self.version.minor, self.revision]
                .into_iter()
                .chain(self.parameter.encode()),
        )
    }
}

/// Asks for one parameter of what a BMC can do of DCMI.
#[derive(Debug, Clone, Copy)]
pub struct GetCapability<T>(PhantomData<T>);

impl<T> GetCapability<T> {
    /// Asks for `T`.
    #[must_use]
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T> Default for GetCapability<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: CapabilityParameter> Command for GetCapability<T> {
    type Output = Capability<T>;

    const NAME: &'static str = "Get DCMI Capabilities Info";

    fn request(&self) -> Request {
        request(GET_CAPABILITIES, &[T::SELECTOR])
    }

    fn parse(&self, data: &[u8]) -> Result<Capability<T>, DecodeError> {
        Capability::decode(data)
    }
}

/// Parameter 1: what the platform supports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Supported {
    /// The functions that are mandatory. DCMI 1.0 names them: 01h identification, 02h SEL logging, 04h chassis power,
    /// 08h temperature monitoring; zero from 1.1 on.
    pub mandatory: u8,
    /// It measures and may limit power.
    pub power_management: bool,
    /// It can be reached by the host's own system interface.
    pub system_interface: bool,
    /// It can be reached by a serial line in terminal mode.
    pub serial: bool,
    /// It can be reached by a second LAN channel.
    pub secondary_lan: bool,
}

impl CapabilityParameter for Supported {
    const SELECTOR: u8 = 1;

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let [mandatory, optional, access] = reader.array()?;
        Ok(Self {
            mandatory,
            power_management: optional & 1 != 0,
            system_interface: access & 1 != 0,
            serial: access & 2 != 0,
            secondary_lan: access & 4 != 0,
        })
    }

    fn encode(&self) -> Vec<u8> {
        let access =
            u8::from(self.system_interface) | u8::from(self.serial) << 1 | u8::from(self.secondary_lan) << 2;
        vec![self.mandatory, u8::from(self.power_management), access]
    }
}

/// Parameter 2: attributes of the functions that are mandatory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MandatoryAttributes {
    /// The event log begins anew when it is full.
    pub sel_rollover: bool,
    /// It then loses all its entries. Since DCMI 1.1.
    pub sel_flush_all: bool,
    /// It then loses its oldest entries. Since DCMI 1.1.
    pub sel_flush_record: bool,
    /// How many entries the event log has room for, at most 4095.
    pub sel_entries: u16,
    /// DCMI 1.0: 01h GUID, 02h DHCP host name, 04h asset tag. Zero later.
    pub identification: u8,
    /// DCMI 1.0: which temperatures it measures, 01h inlet, 02h processors, 04h baseboard. Zero later.
    pub temperatures: u8,
    /// How many seconds lie between two measurements of temperature. Since DCMI 1.1.
    pub temperature_interval_s: Option<u8>,
}

impl CapabilityParameter for MandatoryAttributes {
    const SELECTOR: u8 = 2;

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let sel = reader.u16()?;
        let [identification, temperatures] = reader.array()?;
        Ok(Self {
            sel_rollover: sel & 0x8000 != 0,
            sel_flush_all: sel & 0x4000 != 0,
            sel_flush_record: sel & 0x2000 != 0,
            sel_entries: sel & 0x0fff,
            identification,
            temperatures,
            temperature_interval_s: reader.u8().ok(),
        })
    }

    fn encode(&self) -> Vec<u8> {
        let sel = self.sel_entries & 0x0fff
            | u16::from(self.sel_rollover) << 15
            | u16::from(self.sel_flush_all) << 14
            | u16::from(self.sel_flush_record) << 13;
        let mut data = sel.to_le_bytes().to_vec();
        data.extend([self.identification, self.temperatures]);
        data.extend(self.temperature_interval_s);
        data
    }
}

/// Parameter 3: which controller manages power.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PowerController {
    /// Its address on the IPMB, seven bits; 10h is the BMC itself.
    pub address: u8,
    /// The channel by which the BMC reaches it, 0 to 15.
    pub channel: u8,
    /// Its revision, 0 to 15.
    pub revision: u8,
}

impl CapabilityParameter for PowerController {
    const SELECTOR: u8 = 3;

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let [address, channel] = reader.array()?;
        Ok(Self { address: address >> 1, channel: channel >> 4, revision: channel & 0x0f })
    }

    fn encode(&self) -> Vec<u8> {
        vec![self.address << 1, self.channel << 4 | self.revision & 0x0f]
    }
}

/// Parameter 4: the channels by which the BMC can be reached from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AccessChannels {
    /// The LAN channel.
    pub primary_lan: Option<u8>,
    /// A second LAN channel.
    pub secondary_lan: Option<u8>,
    /// A serial line in terminal mode.
    pub serial: Option<u8>,
}

impl AccessChannels {
    /// The number that means "there is none".
    const NONE: u8 = 0xff;
}

impl CapabilityParameter for AccessChannels {
    const SELECTOR: u8 = 4;

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let [primary_lan, secondary_lan, serial] =
            reader.array()?.map(|channel: u8| (channel != Self::NONE).then_some(channel));
        Ok(Self { primary_lan, secondary_lan, serial })
    }

    fn encode(&self) -> Vec<u8> {
        [self.primary_lan, self.secondary_lan, self.serial]
            .map(|channel| channel.unwrap_or(Self::NONE))
            .to_vec()
    }
}

/// Parameter 5, since DCMI 1.1: the periods over which power can be averaged, at most 255.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RollingPeriods(pub Vec<RollingPeriod>);

impl CapabilityParameter for RollingPeriods {
    const SELECTOR: u8 = 5;

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let count = reader.u8()?;
        let periods = reader.take(count.into())?;
        Ok(Self(periods.iter().copied().map(RollingPeriod).collect()))
    }

    fn encode(&self) -> Vec<u8> {
        let count = u8::try_from(self.0.len()).unwrap_or(u8::MAX);
        std::iter::once(count).chain(self.0.iter().take(count.into()).map(|period| period.0)).collect()
    }
}

/// All that a BMC can do of DCMI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// The version of DCMI to which it conforms.
    pub version: Version,
    /// What it supports.
    pub supported: Supported,
    /// Attributes of what is mandatory.
    pub mandatory: Option<MandatoryAttributes>,
    /// Which controller manages power.
    pub power_controller: Option<PowerController>,
    /// By which channels it can be reached.
    pub channels: Option<AccessChannels>,
    /// The periods over which it averages power; empty when it does not.
    pub rolling_periods: Vec<RollingPeriod>,
}

/// Asks for all that a BMC can do of DCMI. Only parameter 1 has to be there.
#[derive(Debug, Clone, Default)]
pub struct ReadCapabilities {
    /// Which parameter was asked for last.
    selector: u8,
    known: Option<Capabilities>,
}

impl ReadCapabilities {
    /// Nothing has been asked yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the answer to the first question, on which all others depend.
    fn begin(response: &Response) -> Result<Capabilities, CommandError> {
        let Capability { version, parameter: supported, .. } =
            GetCapability::<Supported>::new().read(response)?;
        Ok(Capabilities {
            version,
            supported,
            mandatory: None,
            power_controller: None,
            channels: None,
            rolling_periods: Vec::new(),
        })
    }
}

/// The parameter that an answer carries; nothing when the BMC does not have it.
fn optional<T: CapabilityParameter>(response: &Response) -> Result<Option<T>, CommandError> {
    match GetCapability::<T>::new().read(response) {
        Ok(capability) => Ok(Some(capability.parameter)),
        Err(CommandError::Refused {
            completion:
                Completion::OUT_OF_RANGE
                | Completion::INVALID_FIELD
                | Completion::NOT_PRESENT
                | Completion::ILLEGAL_FOR_SENSOR,
            ..
        }) => Ok(None),
        Err(error) => Err(error),
    }
}

impl Procedure for ReadCapabilities {
    type Output = Capabilities;

    fn advance(&mut self, answer: Option<&Response>) -> Result<Step<Capabilities>, CommandError> {
        let known = match (answer, self.known.take()) {
            (None, _) => {
                self.selector = Supported::SELECTOR;
                return Ok(Step::Ask(GetCapability::<Supported>::new().request()));
            }
            (Some(response), None) => Self::begin(response)?,
            (Some(response), Some(mut known)) => {
                match self.selector {
                    MandatoryAttributes::SELECTOR => known.mandatory = optional(response)?,
                    PowerController::SELECTOR => known.power_controller = optional(response)?,
                    AccessChannels::SELECTOR => known.channels = optional(response)?,
                    _ => known.rolling_periods = optional::<RollingPeriods>(response)?.unwrap_or_default().0,
                }
                known
            }
        };
        if self.selector == RollingPeriods::SELECTOR {
            return Ok(Step::Done(known));
        }
        self.known = Some(known);
        self.selector += 1;
        Ok(Step::Ask(request(GET_CAPABILITIES, &[self.selector])))
    }
}

#[cfg(test)]
mod tests;
