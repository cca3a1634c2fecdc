//! How a BMC is attached to the LAN (IPMI 2.0 §23.1 and §23.2, table 23-4). Reads only: a wrong write would cut the line
//! over which it came. Leaves out IPv6 and alert destinations, and the community string, which is a secret.

use std::fmt;
use std::net::Ipv4Addr;

use crate::user::PrivilegeLimit;
use crate::wire::Reader;
use crate::{Command, CommandError, Completion, DecodeError, NetFn, Procedure, Request, Response, Step};

/// Set LAN Configuration Parameters (IPMI 2.0 §23.1).
pub const SET_LAN_CONFIGURATION: u8 = 0x01;
/// Get LAN Configuration Parameters (IPMI 2.0 §23.2).
pub const GET_LAN_CONFIGURATION: u8 = 0x02;

/// Completion code: the BMC does not have this parameter (IPMI 2.0 §23.2).
pub const PARAMETER_NOT_SUPPORTED: Completion = Completion(0x80);

/// The numbers of the parameters (IPMI 2.0 table 23-4).
pub mod parameter {
    /// Authentication type support.
    pub const AUTH_TYPE_SUPPORT: u8 = 1;
    /// Authentication type enables.
    pub const AUTH_TYPE_ENABLES: u8 = 2;
    /// IP address.
    pub const ADDRESS: u8 = 3;
    /// IP address source.
    pub const ADDRESS_SOURCE: u8 = 4;
    /// MAC address.
    pub const MAC: u8 = 5;
    /// Subnet mask.
    pub const NETMASK: u8 = 6;
    /// Primary RMCP port number.
    pub const PORT: u8 = 8;
    /// Default gateway address.
    pub const GATEWAY: u8 = 12;
    /// Default gateway MAC address.
    pub const GATEWAY_MAC: u8 = 13;
    /// Backup gateway address.
    pub const BACKUP_GATEWAY: u8 = 14;
    /// Backup gateway MAC address.
    pub const BACKUP_GATEWAY_MAC: u8 = 15;
    /// 802.1q VLAN id.
    pub const VLAN: u8 = 20;
    /// 802.1q VLAN priority.
    pub const VLAN_PRIORITY: u8 = 21;
    /// RMCP+ messaging cipher suite entry support.
    pub const CIPHER_SUITE_COUNT: u8 = 22;
    /// RMCP+ messaging cipher suite entries.
    pub const CIPHER_SUITES: u8 = 23;
    /// RMCP+ messaging cipher suite privilege levels.
    pub const CIPHER_SUITE_PRIVILEGES: u8 = 24;
}

/// One parameter as Get LAN Configuration Parameters answers it (IPMI 2.0 §23.2, table 23-3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LanParameter {
    /// The revision of the parameter and, in the lower four bits, the oldest one that it is compatible with.
    pub revision: u8,
    /// Its data.
    pub data: Vec<u8>,
}

impl LanParameter {
    /// The revision that IPMI 2.0 defines.
    pub const REVISION: u8 = 0x11;

    /// Reads the data of an answer.
    ///
    /// # Errors
    /// When there are none.
    pub fn decode(data: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new("a LAN parameter", data);
        Ok(Self { revision: reader.u8()?, data: reader.rest().to_vec() })
    }

    /// The data of an answer.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut data = vec![self.revision];
        data.extend(&self.data);
        data
    }
}

/// Asks for one parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GetLanParameter {
    /// The channel, 0 to 15; [`crate::app::CURRENT_CHANNEL`] is the one that is in use.
    pub channel: u8,
    /// One of [`parameter`].
    pub parameter: u8,
    /// Which one of several; 0 for parameters of which there is one.
    pub set: u8,
    /// Which block of a parameter that has several; 0 otherwise.
    pub block: u8,
}

impl GetLanParameter {
    /// Reads the data of a request.
    ///
    /// # Errors
    /// When they are fewer than four bytes.
    pub fn decode(data: &[u8]) -> Result<Self, DecodeError> {
        let [channel, parameter, set, block] = Reader::new("a request for a LAN parameter", data).array()?;
        Ok(Self { channel: channel & 0x0f, parameter, set, block })
    }
}

impl Command for GetLanParameter {
    type Output = LanParameter;

    const NAME: &'static str = "Get LAN Configuration Parameters";

    fn request(&self) -> Request {
        let data = [self.channel & 0x0f, self.parameter, self.set, self.block];
        Request::new(NetFn::TRANSPORT, GET_LAN_CONFIGURATION, &data)
    }

    fn parse(&self, data: &[u8]) -> Result<LanParameter, DecodeError> {
        LanParameter::decode(data)
    }
}

/// Where a BMC has its address from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AddressSource {
    /// The BMC does not say.
    Unspecified,
    /// Somebody set it.
    Static,
    /// DHCP.
    Dhcp,
    /// The BIOS or the host's software.
    Host,
    /// Another protocol of the BMC.
    Other,
    /// A number that the specification leaves free.
    Reserved(u8),
}

impl AddressSource {
    const fn from_number(number: u8) -> Self {
        match number & 0x0f {
            0 => Self::Unspecified,
            1 => Self::Static,
            2 => Self::Dhcp,
            3 => Self::Host,
            4 => Self::Other,
            other => Self::Reserved(other),
        }
    }

    const fn number(self) -> u8 {
        match self {
            Self::Unspecified => 0,
            Self::Static => 1,
            Self::Dhcp => 2,
            Self::Host => 3,
            Self::Other => 4,
            Self::Reserved(number) => number & 0x0f,
        }
    }
}

impl fmt::Display for AddressSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unspecified => "unspecified",
            Self::Static => "static",
            Self::Dhcp => "dhcp",
            Self::Host => "host",
            Self::Other => "other",
            Self::Reserved(number) => return write!(f, "reserved {number}"),
        })
    }
}

/// The address of a network interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MacAddress(pub [u8; 6]);

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// The VLAN of a BMC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Vlan {
    /// Whether it is used.
    pub enabled: bool,
    /// Its id, 12 bits.
    pub id: u16,
}

/// Which kinds of authentication of IPMI 1.5 there are, one bit each: 01h none, 02h MD2, 04h MD5, 10h password, 20h OEM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct AuthTypes(pub u8);

/// How a BMC is attached to the LAN. What it does not have, or does not tell, is nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LanConfig {
    /// The kinds of authentication of IPMI 1.5 that the channel has.
    pub auth_types: Option<AuthTypes>,
    /// Those that are enabled for callback, user, operator, administrator and OEM.
    pub enabled_auth_types: Option<[AuthTypes; 5]>,
    /// The address.
    pub address: Option<Ipv4Addr>,
    /// Where it comes from.
    pub source: Option<AddressSource>,
    /// The address of the network interface.
    pub mac: Option<MacAddress>,
    /// The netmask.
    pub netmask: Option<Ipv4Addr>,
    /// The UDP port of RMCP.
    pub port: Option<u16>,
    /// The gateway.
    pub gateway: Option<Ipv4Addr>,
    /// The gateway's network interface.
    pub gateway_mac: Option<MacAddress>,
    /// The gateway to use when the other one is not there.
    pub backup_gateway: Option<Ipv4Addr>,
    /// Its network interface.
    pub backup_gateway_mac: Option<MacAddress>,
    /// The VLAN.
    pub vlan: Option<Vlan>,
    /// The priority of its frames, 0 to 7.
    pub vlan_priority: Option<u8>,
    /// The numbers of the cipher suites, at most 16.
    pub cipher_suites: Option<Vec<u8>>,
    /// What each of them may be used for, in the same order.
    pub cipher_suite_limits: Option<[PrivilegeLimit; 16]>,
}

impl LanConfig {
    /// How many cipher suites there can be.
    pub const MAXIMUM_CIPHER_SUITES: usize = 16;

    /// The parameters that it knows, in the order in which they are read.
    const PARAMETERS: [u8; 15] = [
        parameter::ADDRESS,
        parameter::ADDRESS_SOURCE,
        parameter::MAC,
        parameter::NETMASK,
        parameter::GATEWAY,
        parameter::GATEWAY_MAC,
        parameter::BACKUP_GATEWAY,
        parameter::BACKUP_GATEWAY_MAC,
        parameter::VLAN,
        parameter::VLAN_PRIORITY,
        parameter::PORT,
        parameter::AUTH_TYPE_SUPPORT,
        parameter::AUTH_TYPE_ENABLES,
        parameter::CIPHER_SUITES,
        parameter::CIPHER_SUITE_PRIVILEGES,
    ];

    /// The cipher suites with what each may be used for.
    pub fn cipher_suite_privileges(&self) -> impl Iterator<Item = (u8, PrivilegeLimit)> {
        let suites = self.cipher_suites.iter().flatten().copied();
        suites.zip(self.cipher_suite_limits.into_iter().flatten())
    }

    /// Takes the data of one parameter. Those that it does not know are passed over.
    ///
    /// # Errors
    /// When they are too short.
    pub fn set(&mut self, number: u8, data: &[u8]) -> Result<(), DecodeError> {
        let mut reader = Reader::new("a LAN parameter", data);
        match number {
            parameter::AUTH_TYPE_SUPPORT => self.auth_types = Some(AuthTypes(reader.u8()?)),
            parameter::AUTH_TYPE_ENABLES => self.enabled_auth_types = Some(reader.array()?.map(AuthTypes)),
            parameter::ADDRESS => self.address = Some(ipv4(&mut reader)?),
            parameter::ADDRESS_SOURCE => self.source = Some(AddressSource::from_number(reader.u8()?)),
            parameter::MAC => self.mac = Some(MacAddress(reader.array()?)),
            parameter::NETMASK => self.netmask = Some(ipv4(&mut reader)?),
            parameter::PORT => self.port = Some(reader.u16()?),
            parameter::GATEWAY => self.gateway = Some(ipv4(&mut reader)?),
            parameter::GATEWAY_MAC => self.gateway_mac = Some(MacAddress(reader.array()?)),
            parameter::BACKUP_GATEWAY => self.backup_gateway = Some(ipv4(&mut reader)?),
            parameter::BACKUP_GATEWAY_MAC => self.backup_gateway_mac = Some(MacAddress(reader.array()?)),
            parameter::VLAN => {
                let vlan = reader.u16()?;
                self.vlan = Some(Vlan { enabled: vlan & 0x8000 != 0, id: vlan & 0x0fff });
            }
            parameter::VLAN_PRIORITY => self.vlan_priority = Some(reader.u8()? & 7),
            parameter::CIPHER_SUITES => {
                reader.u8()?;
                let mut suites: Vec<u8> =
                    reader.rest().iter().copied().take(Self::MAXIMUM_CIPHER_SUITES).collect();
                // Many BMCs fill the list up with zeros.
                while let [.., _, 0] = suites.as_slice() {
                    suites.pop();
                }
                self.cipher_suites = Some(suites);
            }
            parameter::CIPHER_SUITE_PRIVILEGES => {
                reader.u8()?;
                self.cipher_suite_limits = Some(nibbles(reader.array()?).map(PrivilegeLimit));
            }
            _ => {}
        }
        Ok(())
    }

    /// The data of one parameter; nothing for those that it does not know or that are not set.
    #[must_use]
    pub fn get(&self, number: u8) -> Option<Vec<u8>> {
        let ipv4 = |address: Option<Ipv4Addr>| Some(address?.octets().to_vec());
        let mac = |address: Option<MacAddress>| Some(address?.0.to_vec());
        match number {
            parameter::AUTH_TYPE_SUPPORT => Some(vec![self.auth_types?.0]),
            parameter::AUTH_TYPE_ENABLES => Some(self.enabled_auth_types?.map(|types| types.0).to_vec()),
            parameter::ADDRESS => ipv4(self.address),
            parameter::ADDRESS_SOURCE => Some(vec![self.source?.number()]),
            parameter::MAC => mac(self.mac),
            parameter::NETMASK => ipv4(self.netmask),
            parameter::PORT => Some(self.port?.to_le_bytes().to_vec()),
            parameter::GATEWAY => ipv4(self.gateway),
            parameter::GATEWAY_MAC => mac(self.gateway_mac),
            parameter::BACKUP_GATEWAY => ipv4(self.backup_gateway),
            parameter::BACKUP_GATEWAY_MAC => mac(self.backup_gateway_mac),
            parameter::VLAN => {
                let Vlan { enabled, id } = self.vlan?;
                Some((id & 0x0fff | u16::from(enabled) << 15).to_le_bytes().to_vec())
            }
            parameter::VLAN_PRIORITY => Some(vec![self.vlan_priority? & 7]),
            parameter::CIPHER_SUITE_COUNT => {
                let count = self.cipher_suites.as_ref()?.len().min(Self::MAXIMUM_CIPHER_SUITES);
                Some(vec![u8::try_from(count).unwrap_or(u8::MAX)])
            }
            parameter::CIPHER_SUITES => {
                let suites = self.cipher_suites.iter().flatten().take(Self::MAXIMUM_CIPHER_SUITES);
                self.cipher_suites.is_some().then(|| std::iter::once(&0).chain(suites).copied().collect())
            }
            parameter::CIPHER_SUITE_PRIVILEGES => {
                let limits = self.cipher_suite_limits?;
                let pairs = limits.as_chunks::<2>().0.iter();
                let bytes = pairs.map(|[low, high]| low.0 & 0x0f | high.0 << 4);
                Some(std::iter::once(0).chain(bytes).collect())
            }
            _ => None,
        }
    }
}

/// An address, whose most significant byte comes first.
fn ipv4(reader: &mut Reader<'_>) -> Result<Ipv4Addr, DecodeError> {
    reader.array::<4>().map(Ipv4Addr::from)
}

/// The halves of bytes, the lower one first.
fn nibbles(bytes: [u8; 8]) -> [u8; 16] {
    let mut halves = [0; 16];
    for (pair, byte) in halves.as_chunks_mut::<2>().0.iter_mut().zip(bytes) {
        *pair = [byte & 0x0f, byte >> 4];
    }
    halves
}

/// Reads how a BMC is attached to the LAN. Parameters that it does not have, or that it answers with too few bytes, are
/// left out.
#[derive(Debug, Clone)]
pub struct ReadLanConfig {
    channel: u8,
    config: LanConfig,
    /// The parameters that have not been asked for.
    remaining: std::slice::Iter<'static, u8>,
    /// The parameter that was asked for last.
    asked: u8,
}

impl ReadLanConfig {
    /// Reads the configuration of `channel`, 0 to 15.
    #[must_use]
    pub fn new(channel: u8) -> Self {
        Self { channel, config: LanConfig::default(), remaining: LanConfig::PARAMETERS.iter(), asked: 0 }
    }

    fn command(&self) -> GetLanParameter {
        GetLanParameter { channel: self.channel, parameter: self.asked, set: 0, block: 0 }
    }

    fn take(&mut self, response: &Response) -> Result<(), CommandError> {
        match self.command().read(response).and_then(|parameter| {
            self.config
                .set(self.asked, &parameter.data)
                .map_err(|problem| CommandError::Malformed { command: GetLanParameter::NAME, problem })
        }) {
            Err(CommandError::Refused { completion, .. }) if is_absent(completion) => Ok(()),
            Err(CommandError::Malformed { .. }) => Ok(()),
            result => result,
        }
    }
}

/// Whether a BMC says that it does not have a parameter.
fn is_absent(completion: Completion) -> bool {
    matches!(
        completion,
        PARAMETER_NOT_SUPPORTED
            | Completion::OUT_OF_RANGE
            | Completion::NOT_PRESENT
            | Completion::INVALID_FIELD
    )
}

impl Procedure for ReadLanConfig {
    type Output = LanConfig;

    fn advance(&mut self, answer: Option<&Response>) -> Result<Step<LanConfig>, CommandError> {
        if let Some(response) = answer {
            self.take(response)?;
        }
        match self.remaining.next() {
            Some(next) => {
                self.asked = *next;
                Ok(Step::Ask(self.command().request()))
            }
            None => Ok(Step::Done(std::mem::take(&mut self.config))),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn drive(bmc: impl Fn(u8) -> Response) -> (Vec<u8>, Result<LanConfig, CommandError>) {
        let mut procedure = ReadLanConfig::new(1);
        let (mut asked, mut last) = (Vec::new(), None);
        loop {
            match procedure.advance(last.as_ref()) {
                Ok(Step::Done(config)) => return (asked, Ok(config)),
                Err(error) => return (asked, Err(error)),
                Ok(Step::Ask(request)) => {
                    assert_eq!((request.netfn, request.command), (NetFn(0x0c), 0x02));
                    let question = GetLanParameter::decode(&request.data).unwrap();
                    asked.push(question.parameter);
                    last = Some(bmc(question.parameter));
                }
            }
        }
    }

    fn answer(completion: u8, data: &[u8]) -> Response {
        Response { completion: Completion(completion), data: data.to_vec() }
    }

    /// The layouts of IPMI 2.0 table 23-4; "ipmitool lan print" shows these bytes as they are expected here.
    fn bmc(parameter: u8) -> Response {
        answer(
            0x00,
            match parameter {
                1 => &[0x11, 0x17],
                2 => &[0x11, 0x17, 0x17, 0x16, 0x14, 0x00],
                3 => &[0x11, 0x0a, 0x01, 0x00, 0x14],
                4 => &[0x11, 0x02],
                5 => &[0x11, 0x00, 0x25, 0x90, 0x01, 0x02, 0xff],
                6 => &[0x11, 0xff, 0xff, 0x00, 0x00],
                12 => &[0x11, 0x0a, 0x01, 0x00, 0xfe],
                13 => &[0x11, 0x00, 0x11, 0x22, 0x33, 0x44, 0x55],
                20 => &[0x11, 0x64, 0x81],
                21 => &[0x11, 0x05],
                23 => &[0x11, 0x00, 0x01, 0x02, 0x03, 0x11],
                24 => &[0x11, 0x00, 0x40, 0x34, 0x44, 0x44, 0x44, 0x44, 0x44, 0x44],
                // Cut off, which must not spoil the rest.
                14 => &[0x11, 0x00],
                _ => return answer(0x80, &[]),
            },
        )
    }

    #[test]
    fn a_configuration_is_read_as_far_as_there_is_one() {
        let (asked, config) = drive(bmc);
        let config = config.unwrap();
        assert_eq!(asked, LanConfig::PARAMETERS);
        assert_eq!(config.address, Some(Ipv4Addr::new(10, 1, 0, 20)));
        assert_eq!(config.source, Some(AddressSource::Dhcp));
        assert_eq!(config.mac.unwrap().to_string(), "00:25:90:01:02:ff");
        assert_eq!(config.netmask, Some(Ipv4Addr::new(255, 255, 0, 0)));
        assert_eq!(config.gateway, Some(Ipv4Addr::new(10, 1, 0, 254)));
        assert_eq!(config.gateway_mac.unwrap().to_string(), "00:11:22:33:44:55");
        assert_eq!((config.backup_gateway, config.backup_gateway_mac, config.port), (None, None, None));
        assert_eq!(config.vlan, Some(Vlan { enabled: true, id: 356 }));
        assert_eq!(config.vlan_priority, Some(5));
        assert_eq!(config.auth_types, Some(AuthTypes(0x17)));
        assert_eq!(config.enabled_auth_types.unwrap()[3], AuthTypes(0x14));
        let privileges: Vec<(u8, u8)> =
            config.cipher_suite_privileges().map(|(suite, limit)| (suite, limit.0)).collect();
        assert_eq!(privileges, [(1, 0), (2, 4), (3, 4), (17, 3)]);
        assert_eq!(config.get(parameter::CIPHER_SUITE_COUNT), Some(vec![4]));
    }

    #[test]
    fn what_was_read_can_be_answered() {
        let config = drive(bmc).1.unwrap();
        for parameter in LanConfig::PARAMETERS {
            let Some(data) = config.get(parameter) else {
                assert!([8, 14, 15].contains(&parameter));
                continue;
            };
            let answer = LanParameter { revision: LanParameter::REVISION, data };
            assert_eq!(answer.encode(), bmc(parameter).data);
        }
    }

    #[test]
    fn the_question_is_that_of_the_specification() {
        let question = GetLanParameter { channel: 1, parameter: 3, set: 0, block: 0 };
        assert_eq!(question.request(), Request::new(NetFn(0x0c), 0x02, &[0x01, 0x03, 0x00, 0x00]));
    }

    #[test]
    fn who_may_not_ask_gets_the_refusal() {
        let (asked, result) = drive(|_| answer(0xd4, &[]));
        let completion = Completion::INSUFFICIENT_PRIVILEGE;
        assert_eq!(result, Err(CommandError::Refused { command: GetLanParameter::NAME, completion }));
        assert_eq!(asked.len(), 1);
    }

    proptest! {
        #[test]
        fn what_is_set_comes_back(parameter in 0_u8..26, data: Vec<u8>) {
            let mut config = LanConfig::default();
            if config.set(parameter, &data).is_ok() && let Some(known) = config.get(parameter) {
                let mut again = LanConfig::default();
                prop_assert_eq!(again.set(parameter, &known), Ok(()));
                prop_assert_eq!(again, config);
            }
        }

        #[test]
        fn it_comes_to_an_end_whatever_is_answered(code in any::<u8>(), data: Vec<u8>) {
            let (asked, _) = drive(|parameter| if parameter % 2 == 0 { answer(code, &data) } else { bmc(parameter) });
            prop_assert!(asked.len() <= 15);
        }
    }
}
