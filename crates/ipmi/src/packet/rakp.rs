//! How a session of IPMI 2.0 begins: the open session messages and the four RAKP messages (IPMI 2.0 §13.17 to §13.24),
//! and the keys that come out of them (§13.31, §13.32).
//!
//! In the names of the specification, M is the remote console and C the managed system.

use std::fmt;

use crate::cipher::{AuthAlgorithm, CipherSuite, ConfidentialityAlgorithm};
use crate::crypto::{AES_BLOCK, Aes, Code, Keyed};
use crate::packet::v2_0::SessionKeys;
use crate::wire::Reader;
use crate::{DecodeError, Secret};

/// The longest user name (IPMI 2.0 §13.20, table 13-11).
pub const MAX_USERNAME: usize = 16;

/// Role bit 4: the user is looked up by name alone, not by name and privilege (table 13-11).
pub const NAME_ONLY: u8 = 0x10;

/// The constants from which the keys K1 and K2 are made (§13.32).
const CONSTANT_1: [u8; 20] = [1; 20];
const CONSTANT_2: [u8; 20] = [2; 20];

/// A status of the session set-up (table 13-15).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RakpStatus(pub u8);

macro_rules! statuses {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $text:literal;)+) => {
        impl RakpStatus {
            $($(#[$doc])* pub const $name: Self = Self($code);)+

            const fn meaning(self) -> &'static str {
                match self.0 {
                    $($code => $text,)+
                    _ => "a reason that the specification does not know",
                }
            }
        }
    };
}

statuses! {
    /// No error.
    OK = 0x00, "no error";
    /// All session slots are taken.
    INSUFFICIENT_RESOURCES = 0x01, "too many sessions are open";
    /// The session id is not known.
    INVALID_SESSION = 0x02, "the session id is not known";
    /// Not a payload type.
    INVALID_PAYLOAD = 0x03, "the payload type is not known";
    /// Not an authentication algorithm.
    INVALID_AUTHENTICATION = 0x04, "the authentication algorithm is not offered";
    /// Not an integrity algorithm.
    INVALID_INTEGRITY = 0x05, "the integrity algorithm is not offered";
    /// No matching authentication payload.
    NO_MATCHING_AUTHENTICATION = 0x06, "no authentication payload matches";
    /// No matching integrity payload.
    NO_MATCHING_INTEGRITY = 0x07, "no integrity payload matches";
    /// The session is inactive.
    INACTIVE_SESSION = 0x08, "the session is inactive";
    /// Not a role.
    INVALID_ROLE = 0x09, "the role is invalid";
    /// The user may not have this privilege.
    UNAUTHORIZED_ROLE = 0x0a, "the user may not have this privilege";
    /// The BMC has not enough room at this role.
    INSUFFICIENT_RESOURCES_FOR_ROLE = 0x0b, "too many sessions with this privilege are open";
    /// The user name has a wrong length.
    INVALID_NAME_LENGTH = 0x0c, "the length of the user name is invalid";
    /// There is no such user.
    UNAUTHORIZED_NAME = 0x0d, "there is no such user";
    /// The GUID is not authorised.
    UNAUTHORIZED_GUID = 0x0e, "the GUID is not authorized";
    /// The integrity check value is wrong: another password.
    INVALID_INTEGRITY_CHECK = 0x0f, "the integrity check value is wrong";
    /// Not a confidentiality algorithm.
    INVALID_CONFIDENTIALITY = 0x10, "the confidentiality algorithm is not offered";
    /// No cipher suite matches.
    NO_CIPHER_SUITE = 0x11, "no cipher suite matches";
    /// A parameter is not allowed.
    ILLEGAL_PARAMETER = 0x12, "a parameter is illegal or not recognized";
}

impl RakpStatus {
    /// Whether another cipher suite may be accepted.
    #[must_use]
    pub const fn is_about_the_suite(self) -> bool {
        matches!(
            self,
            Self::INVALID_AUTHENTICATION
                | Self::INVALID_INTEGRITY
                | Self::NO_MATCHING_AUTHENTICATION
                | Self::NO_MATCHING_INTEGRITY
                | Self::INVALID_CONFIDENTIALITY
                | Self::NO_CIPHER_SUITE
        )
    }

    /// Whether another privilege may be accepted.
    #[must_use]
    pub const fn is_about_the_role(self) -> bool {
        matches!(self, Self::INVALID_ROLE | Self::UNAUTHORIZED_ROLE | Self::INSUFFICIENT_RESOURCES_FOR_ROLE)
    }
}

impl fmt::Display for RakpStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (status {:02X}h)", self.meaning(), self.0)
    }
}

impl fmt::Debug for RakpStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RakpStatus({:#04x})", self.0)
    }
}

/// Asks for a session (table 13-9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenRequest {
    /// Repeated by the answer.
    pub tag: u8,
    /// The greatest privilege that is wanted; 0 for the greatest that the suite allows.
    pub privilege: u8,
    /// The id that the console chooses.
    pub console_session: u32,
    /// The algorithms that are proposed: authentication, integrity, confidentiality.
    pub algorithms: (u8, u8, u8),
}

/// Gives a session, or not (table 13-10).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenResponse {
    /// That of the request.
    pub tag: u8,
    /// Whether there is one.
    pub status: RakpStatus,
    /// That of the request.
    pub console_session: u32,
    /// What follows if there is a session.
    pub accepted: Option<Accepted>,
}

/// The second half of a successful [`OpenResponse`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    /// The greatest privilege that is possible.
    pub privilege: u8,
    /// The id that the BMC chooses.
    pub bmc_session: u32,
    /// The algorithms that are used.
    pub algorithms: (u8, u8, u8),
}

/// The console's random number and user (table 13-11).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message1 {
    /// Repeated by the answer.
    pub tag: u8,
    /// The id that the BMC chose.
    pub bmc_session: u32,
    /// A random number.
    pub console_random: [u8; 16],
    /// The privilege that is wanted, and [`NAME_ONLY`].
    pub role: u8,
    /// At most [`MAX_USERNAME`] bytes.
    pub username: Vec<u8>,
}

/// The BMC's random number, and its proof that it knows the password (table 13-12).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message2 {
    /// That of the request.
    pub tag: u8,
    /// Whether the user is known.
    pub status: RakpStatus,
    /// The id that the console chose.
    pub console_session: u32,
    /// What follows if the user is known.
    pub proof: Option<Proof2>,
}

/// The second half of a successful [`Message2`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof2 {
    /// A random number.
    pub bmc_random: [u8; 16],
    /// Who the BMC is.
    pub bmc_guid: [u8; 16],
    /// The key exchange authentication code.
    pub code: Vec<u8>,
}

/// The console's proof that it knows the password (table 13-13).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message3 {
    /// Repeated by the answer.
    pub tag: u8,
    /// Whether the console believes the BMC.
    pub status: RakpStatus,
    /// The id that the BMC chose.
    pub bmc_session: u32,
    /// The key exchange authentication code; empty with an error.
    pub code: Vec<u8>,
}

/// The BMC's last word (table 13-14).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message4 {
    /// That of the request.
    pub tag: u8,
    /// Whether the session is open.
    pub status: RakpStatus,
    /// The id that the console chose.
    pub console_session: u32,
    /// The integrity check value; empty with an error.
    pub code: Vec<u8>,
}

impl OpenRequest {
    /// The payload.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![self.tag, self.privilege, 0, 0];
        bytes.extend(self.console_session.to_le_bytes());
        bytes.extend(encode_algorithms(self.algorithms));
        bytes
    }

    /// Reads a payload.
    ///
    /// # Errors
    /// When it is too short or proposes no algorithms.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new("an open session request", bytes);
        let [tag, privilege, _, _] = reader.array()?;
        Ok(Self {
            tag,
            privilege: privilege & 0x0f,
            console_session: reader.u32()?,
            algorithms: decode_algorithms(&mut reader)?,
        })
    }
}

impl OpenResponse {
    /// The payload.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let privilege = self.accepted.map_or(0, |accepted| accepted.privilege);
        let mut bytes = vec![self.tag, self.status.0, privilege, 0];
        bytes.extend(self.console_session.to_le_bytes());
        if let Some(accepted) = self.accepted {
            bytes.extend(accepted.bmc_session.to_le_bytes());
            bytes.extend(encode_algorithms(accepted.algorithms));
        }
        bytes
    }

    /// Reads a payload.
    ///
    /// # Errors
    /// When it is too short for its status.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new("an open session response", bytes);
        let [tag, status] = reader.array()?;
        let status = RakpStatus(status);
        if status != RakpStatus::OK {
            return Ok(Self { tag, status, console_session: refused_session(&mut reader), accepted: None });
        }
        let [privilege, _] = reader.array()?;
        let console_session = reader.u32()?;
        let bmc_session = reader.u32()?;
        let algorithms = decode_algorithms(&mut reader)?;
        let accepted = Accepted { privilege: privilege & 0x0f, bmc_session, algorithms };
        Ok(Self { tag, status, console_session, accepted: Some(accepted) })
    }
}

/// The three algorithm payloads of eight bytes each (table 13-9).
fn encode_algorithms((authentication, integrity, confidentiality): (u8, u8, u8)) -> [u8; 24] {
    let [mut a, mut i, mut c] = [0, 1, 2].map(|kind| [kind, 0, 0, 8, 0, 0, 0, 0]);
    a[4] = authentication;
    i[4] = integrity;
    c[4] = confidentiality;
    let mut bytes = [0; 24];
    for (to, from) in bytes.iter_mut().zip([a, i, c].as_flattened()) {
        *to = *from;
    }
    bytes
}

fn decode_algorithms(reader: &mut Reader<'_>) -> Result<(u8, u8, u8), DecodeError> {
    let mut algorithm = |expected: u8| {
        let [kind, _, _, _, algorithm, _, _, _] = reader.array()?;
        if kind != expected {
            return Err(reader.invalid("a kind of algorithm", u32::from(kind)));
        }
        Ok(algorithm & 0x3f)
    };
    Ok((algorithm(0)?, algorithm(1)?, algorithm(2)?))
}

/// The console's session id behind a refusal; 0 from those BMCs that end with the status.
fn refused_session(reader: &mut Reader<'_>) -> u32 {
    reader.take(2).and_then(|_| reader.u32()).unwrap_or_default()
}

impl Message1 {
    /// The payload. A name of more than [`MAX_USERNAME`] bytes is cut off.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let name = self.username.get(..MAX_USERNAME).unwrap_or(&self.username);
        let mut bytes = vec![self.tag, 0, 0, 0];
        bytes.extend(self.bmc_session.to_le_bytes());
        bytes.extend(self.console_random);
        bytes.extend([self.role, 0, 0, name.len().to_le_bytes()[0]]);
        bytes.extend(name);
        bytes
    }

    /// Reads a payload.
    ///
    /// # Errors
    /// When it is too short or the name too long.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new("RAKP message 1", bytes);
        let [tag, _, _, _] = reader.array()?;
        let bmc_session = reader.u32()?;
        let console_random = reader.array()?;
        let [role, _, _, length] = reader.array()?;
        if usize::from(length) > MAX_USERNAME {
            return Err(reader.invalid("the length of the user name", u32::from(length)));
        }
        let username = reader.take(usize::from(length))?.to_vec();
        Ok(Self { tag, bmc_session, console_random, role, username })
    }
}

impl Message2 {
    /// The payload.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![self.tag, self.status.0, 0, 0];
        bytes.extend(self.console_session.to_le_bytes());
        if let Some(proof) = &self.proof {
            bytes.extend(proof.bmc_random);
            bytes.extend(proof.bmc_guid);
            bytes.extend(&proof.code);
        }
        bytes
    }

    /// Reads a payload.
    ///
    /// # Errors
    /// When it is too short for its status.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new("RAKP message 2", bytes);
        let [tag, status] = reader.array()?;
        let status = RakpStatus(status);
        if status != RakpStatus::OK {
            return Ok(Self { tag, status, console_session: refused_session(&mut reader), proof: None });
        }
        reader.take(2)?;
        let console_session = reader.u32()?;
        let bmc_random = reader.array()?;
        let bmc_guid = reader.array()?;
        let code = reader.rest().to_vec();
        Ok(Self { tag, status, console_session, proof: Some(Proof2 { bmc_random, bmc_guid, code }) })
    }
}

impl Message3 {
    /// The payload.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        encode_last(self.tag, self.status, self.bmc_session, &self.code)
    }

    /// Reads a payload.
    ///
    /// # Errors
    /// When it is too short.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new("RAKP message 3", bytes);
        let [tag, status, _, _] = reader.array()?;
        let bmc_session = reader.u32()?;
        Ok(Self { tag, status: RakpStatus(status), bmc_session, code: reader.rest().to_vec() })
    }
}

impl Message4 {
    /// The payload.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        encode_last(self.tag, self.status, self.console_session, &self.code)
    }

    /// Reads a payload.
    ///
    /// # Errors
    /// When it is too short for its status.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new("RAKP message 4", bytes);
        let [tag, status] = reader.array()?;
        let status = RakpStatus(status);
        if status != RakpStatus::OK {
            let console_session = refused_session(&mut reader);
            return Ok(Self { tag, status, console_session, code: Vec::new() });
        }
        reader.take(2)?;
        let console_session = reader.u32()?;
        Ok(Self { tag, status, console_session, code: reader.rest().to_vec() })
    }
}

fn encode_last(tag: u8, status: RakpStatus, session: u32, code: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag, status.0, 0, 0];
    bytes.extend(session.to_le_bytes());
    bytes.extend(code);
    bytes
}

/// Everything that both sides have said, from which every code and key follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// The algorithms.
    pub suite: CipherSuite,
    /// The id that the console chose.
    pub console_session: u32,
    /// The id that the BMC chose.
    pub bmc_session: u32,
    /// The console's random number.
    pub console_random: [u8; 16],
    /// The BMC's random number.
    pub bmc_random: [u8; 16],
    /// Who the BMC is.
    pub bmc_guid: [u8; 16],
    /// As in message 1.
    pub role: u8,
    /// As in message 1.
    pub username: Vec<u8>,
}

impl Exchange {
    /// The code of message 2 (§13.31.1).
    #[must_use]
    pub fn code2(&self, password: &Secret) -> Vec<u8> {
        self.proof2(password).bytes().to_vec()
    }

    /// Whether `code` is that of message 2.
    #[must_use]
    pub fn is_code2(&self, password: &Secret, code: &[u8]) -> bool {
        self.proof2(password).matches(code)
    }

    /// The code of message 3 (§13.31.2).
    #[must_use]
    pub fn code3(&self, password: &Secret) -> Vec<u8> {
        self.proof3(password).bytes().to_vec()
    }

    /// Whether `code` is that of message 3.
    #[must_use]
    pub fn is_code3(&self, password: &Secret, code: &[u8]) -> bool {
        self.proof3(password).matches(code)
    }

    /// The integrity check value of message 4 (§13.31.3, §13.28.1).
    #[must_use]
    pub fn code4(&self, keys: &SessionKeys) -> Vec<u8> {
        self.check4(keys).bytes().to_vec()
    }

    /// Whether `code` is that of message 4.
    #[must_use]
    pub fn is_code4(&self, keys: &SessionKeys, code: &[u8]) -> bool {
        self.check4(keys).matches(code)
    }

    /// The keys of the session (§13.31, §13.32). `bmc_key` is K_G; without one, the password takes its place.
    #[must_use]
    pub fn keys(&self, password: &Secret, bmc_key: Option<&Secret>) -> SessionKeys {
        let algorithm = self.suite.authentication;
        let key = Keyed::new(algorithm, bmc_key.unwrap_or(password).expose());
        let [role, length] = self.role_and_length();
        let sik = key.code(&[&self.console_random, &self.bmc_random, &[role, length], &self.username]);
        let session = Keyed::new(algorithm, sik.bytes());
        let k1 = session.code(&[&CONSTANT_1]);
        let k2 = session.code(&[&CONSTANT_2]);
        let (integrity, _) = self.suite.integrity.hmac();
        let aes = match self.suite.confidentiality {
            ConfidentialityAlgorithm::None => None,
            ConfidentialityAlgorithm::AesCbc128 => {
                k2.bytes().first_chunk::<AES_BLOCK>().map(|key| Aes::new(*key))
            }
        };
        SessionKeys { suite: self.suite, session, integrity: Keyed::new(integrity, k1.bytes()), aes }
    }

    fn proof2(&self, password: &Secret) -> Code {
        let [role, length] = self.role_and_length();
        self.user_key(password).code(&[
            &self.console_session.to_le_bytes(),
            &self.bmc_session.to_le_bytes(),
            &self.console_random,
            &self.bmc_random,
            &self.bmc_guid,
            &[role, length],
            &self.username,
        ])
    }

    fn proof3(&self, password: &Secret) -> Code {
        let [role, length] = self.role_and_length();
        self.user_key(password).code(&[
            &self.bmc_random,
            &self.console_session.to_le_bytes(),
            &[role, length],
            &self.username,
        ])
    }

    fn check4(&self, keys: &SessionKeys) -> Code {
        let code =
            keys.session.code(&[&self.console_random, &self.bmc_session.to_le_bytes(), &self.bmc_guid]);
        code.truncated(match self.suite.authentication {
            AuthAlgorithm::None => 0,
            AuthAlgorithm::HmacSha1 => 12,
            AuthAlgorithm::HmacMd5 | AuthAlgorithm::HmacSha256 => 16,
        })
    }

    fn user_key(&self, password: &Secret) -> Keyed {
        Keyed::new(self.suite.authentication, password.expose())
    }

    fn role_and_length(&self) -> [u8; 2] {
        [self.role, self.username.len().to_le_bytes()[0]]
    }
}
