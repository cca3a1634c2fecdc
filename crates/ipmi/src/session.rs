//! The commands that find out how to begin a session, begin one of IPMI 1.5, and manage an open one (IPMI 2.0 §22.13
//! to §22.19). The client uses them by itself; they are public for those who play the other side.

use crate::packet::v1_5::AuthType;
use crate::wire::Reader;
use crate::{Command, DecodeError, NetFn, Privilege, Request};

/// Get Channel Authentication Capabilities (§22.13).
pub const GET_CHANNEL_AUTH_CAPABILITIES: u8 = 0x38;
/// Get Session Challenge (§22.16).
pub const GET_SESSION_CHALLENGE: u8 = 0x39;
/// Activate Session (§22.17).
pub const ACTIVATE_SESSION: u8 = 0x3a;
/// Set Session Privilege Level (§22.18).
pub const SET_SESSION_PRIVILEGE: u8 = 0x3b;
/// Close Session (§22.19).
pub const CLOSE_SESSION: u8 = 0x3c;
/// Get Channel Cipher Suites (§22.15).
pub const GET_CHANNEL_CIPHER_SUITES: u8 = 0x54;

/// The channel over which a request comes (§22.13, "current channel").
pub const THIS_CHANNEL: u8 = 0x0e;

/// The most suite data that one answer brings (§22.15).
pub const CIPHER_SUITE_CHUNK: usize = 16;
/// The last index of a list of suites (§22.15: six bits).
pub const MAX_CIPHER_SUITE_INDEX: u8 = 0x3f;

/// Asks what a session of IPMI 1.5 needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GetChannelAuthCapabilities {
    /// What the session is to be allowed.
    pub privilege: Privilege,
    /// Also ask for what IPMI 2.0 added. Some BMCs of 1.5 refuse this.
    pub extended: bool,
}

/// What a session needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChannelAuthCapabilities {
    /// The number of the channel.
    pub channel: u8,
    /// A bit for each authentication type, by its number; bit 7 says that `extended` counts.
    pub auth_types: u8,
    /// Bit 5: K_G is set; bit 4: messages need no code of their own; bit 3: reading needs no code; bits 2 to 0: there
    /// are named users, users without a name, and a user without name and password.
    pub status: u8,
    /// Bit 1: IPMI 2.0 is spoken; bit 0: IPMI 1.5.
    pub extended: u8,
}

impl Command for GetChannelAuthCapabilities {
    type Output = ChannelAuthCapabilities;
    const NAME: &'static str = "Get Channel Authentication Capabilities";

    fn request(&self) -> Request {
        let channel = THIS_CHANNEL | if self.extended { 0x80 } else { 0 };
        Request::new(NetFn::APP, GET_CHANNEL_AUTH_CAPABILITIES, &[channel, self.privilege.number()])
    }

    fn parse(&self, data: &[u8]) -> Result<ChannelAuthCapabilities, DecodeError> {
        let mut reader = Reader::new("the authentication capabilities", data);
        let [channel, auth_types, status, extended] = reader.array()?;
        Ok(ChannelAuthCapabilities { channel: channel & 0x0f, auth_types, status, extended })
    }
}

impl ChannelAuthCapabilities {
    /// Whether sessions may use this type.
    #[must_use]
    pub const fn offers(&self, auth_type: AuthType) -> bool {
        self.auth_types & (1 << auth_type.number()) != 0
    }

    /// Whether packets after the first come without a code.
    #[must_use]
    pub const fn per_message_disabled(&self) -> bool {
        self.status & 0x10 != 0
    }

    /// The data of the answer.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        vec![self.channel, self.auth_types, self.status, self.extended, 0, 0, 0, 0]
    }
}

/// Asks for a part of the list of cipher suites.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GetChannelCipherSuites {
    /// Which part of [`CIPHER_SUITE_CHUNK`] bytes, up to [`MAX_CIPHER_SUITE_INDEX`].
    pub index: u8,
}

impl Command for GetChannelCipherSuites {
    /// The part; the last one is shorter than [`CIPHER_SUITE_CHUNK`].
    type Output = Vec<u8>;
    const NAME: &'static str = "Get Channel Cipher Suites";

    fn request(&self) -> Request {
        // For IPMI messages, listed by suite and not by algorithm.
        let index = 0x80 | self.index & MAX_CIPHER_SUITE_INDEX;
        Request::new(NetFn::APP, GET_CHANNEL_CIPHER_SUITES, &[THIS_CHANNEL, 0, index])
    }

    fn parse(&self, data: &[u8]) -> Result<Vec<u8>, DecodeError> {
        let mut reader = Reader::new("the list of cipher suites", data);
        reader.u8()?;
        if reader.remaining() > CIPHER_SUITE_CHUNK {
            return Err(reader.invalid("the length", u32::try_from(data.len()).unwrap_or(u32::MAX)));
        }
        Ok(reader.rest().to_vec())
    }
}

/// Asks for a challenge for a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetSessionChallenge {
    /// How the session will be authenticated.
    pub auth_type: AuthType,
    /// The user, at most 16 bytes; the rest is cut off.
    pub username: Vec<u8>,
}

/// What must be sent back to begin a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionChallenge {
    /// The session id until the session is active.
    pub temporary_session: u32,
    /// What must be sent back.
    pub challenge: [u8; 16],
}

impl Command for GetSessionChallenge {
    type Output = SessionChallenge;
    const NAME: &'static str = "Get Session Challenge";

    fn request(&self) -> Request {
        let mut data = [0; 17];
        let name = std::iter::once(self.auth_type.number()).chain(self.username.iter().copied());
        for (to, from) in data.iter_mut().zip(name) {
            *to = from;
        }
        Request::new(NetFn::APP, GET_SESSION_CHALLENGE, &data)
    }

    fn parse(&self, data: &[u8]) -> Result<SessionChallenge, DecodeError> {
        let mut reader = Reader::new("a session challenge", data);
        Ok(SessionChallenge { temporary_session: reader.u32()?, challenge: reader.array()? })
    }
}

/// Begins a session of IPMI 1.5.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActivateSession {
    /// As in the challenge.
    pub auth_type: AuthType,
    /// The greatest privilege that is wanted.
    pub privilege: Privilege,
    /// As it came.
    pub challenge: [u8; 16],
    /// The number of the first packet that the BMC is to send; not 0.
    pub first_inbound: u32,
}

/// A session of IPMI 1.5 that has begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActiveSession {
    /// How the packets from now on are authenticated, by number.
    pub auth_type: u8,
    /// The session id.
    pub session: u32,
    /// The number of the first packet that the BMC expects.
    pub first_outbound: u32,
    /// The greatest privilege that is possible, by number.
    pub privilege: u8,
}

impl Command for ActivateSession {
    type Output = ActiveSession;
    const NAME: &'static str = "Activate Session";

    fn request(&self) -> Request {
        let mut data = vec![self.auth_type.number(), self.privilege.number()];
        data.extend(self.challenge);
        data.extend(self.first_inbound.to_le_bytes());
        Request { netfn: NetFn::APP, lun: 0, command: ACTIVATE_SESSION, data }
    }

    fn parse(&self, data: &[u8]) -> Result<ActiveSession, DecodeError> {
        let mut reader = Reader::new("an active session", data);
        Ok(ActiveSession {
            auth_type: reader.u8()? & 0x0f,
            session: reader.u32()?,
            first_outbound: reader.u32()?,
            privilege: reader.u8()? & 0x0f,
        })
    }
}

impl ActiveSession {
    /// The data of the answer.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut data = vec![self.auth_type];
        data.extend(self.session.to_le_bytes());
        data.extend(self.first_outbound.to_le_bytes());
        data.push(self.privilege);
        data
    }
}

/// Changes what an open session may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SetSessionPrivilege(pub Privilege);

impl Command for SetSessionPrivilege {
    /// The level from now on; nothing for a number that is not one.
    type Output = Option<Privilege>;
    const NAME: &'static str = "Set Session Privilege Level";

    fn request(&self) -> Request {
        Request::new(NetFn::APP, SET_SESSION_PRIVILEGE, &[self.0.number()])
    }

    fn parse(&self, data: &[u8]) -> Result<Option<Privilege>, DecodeError> {
        Reader::new("a privilege level", data).u8().map(|number| Privilege::from_number(number & 0x0f))
    }
}

/// Ends a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CloseSession {
    /// The id that the BMC chose.
    pub session: u32,
}

impl Command for CloseSession {
    type Output = ();
    const NAME: &'static str = "Close Session";

    fn request(&self) -> Request {
        Request::new(NetFn::APP, CLOSE_SESSION, &self.session.to_le_bytes())
    }

    fn parse(&self, _data: &[u8]) -> Result<(), DecodeError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_those_of_the_specification() {
        let capabilities = GetChannelAuthCapabilities { privilege: Privilege::Administrator, extended: true };
        assert_eq!(capabilities.request().data, [0x8e, 4]);
        assert_eq!(GetChannelCipherSuites { index: 1 }.request().data, [0x0e, 0, 0x81]);
        let challenge = GetSessionChallenge { auth_type: AuthType::Md5, username: b"ADMIN".to_vec() };
        assert_eq!(challenge.request().data, *b"\x02ADMIN\0\0\0\0\0\0\0\0\0\0\0");
        let long = GetSessionChallenge { auth_type: AuthType::Md5, username: vec![b'x'; 40] };
        assert_eq!(long.request().data.len(), 17);
        assert_eq!(CloseSession { session: 0x0403_0201 }.request().data, [1, 2, 3, 4]);
    }

    #[test]
    fn answers_lead_back_to_what_was_encoded() {
        let session = ActiveSession { auth_type: 2, session: 5, first_outbound: 6, privilege: 4 };
        let activate = ActivateSession {
            auth_type: AuthType::Md5,
            privilege: Privilege::Operator,
            challenge: [7; 16],
            first_inbound: 8,
        };
        assert_eq!(activate.parse(&session.encode()), Ok(session));
        activate.parse(&session.encode()[..9]).unwrap_err();
        let capabilities =
            ChannelAuthCapabilities { channel: 1, auth_types: 0x96, status: 0x14, extended: 3 };
        let get = GetChannelAuthCapabilities { privilege: Privilege::User, extended: false };
        assert_eq!(get.parse(&capabilities.encode()), Ok(capabilities));
        assert!(capabilities.offers(AuthType::Md5) && capabilities.offers(AuthType::Password));
        assert!(!capabilities.offers(AuthType::None) && capabilities.per_message_disabled());
    }
}
