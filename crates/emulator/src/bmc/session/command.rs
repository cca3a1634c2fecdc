//! The commands about sessions: what can be had before there is one, and how an open one is changed, looked at and
//! ended (IPMI 2.0 §22.13, §22.15, §22.18 to §22.20, §22.24).

use opendcre_ipmi::app::{ChannelInfo, Medium, Protocol, SessionSupport};
use opendcre_ipmi::session::{CIPHER_SUITE_CHUNK, ChannelAuthCapabilities, MAX_CIPHER_SUITE_INDEX};
use opendcre_ipmi::{Completion, Privilege};

use super::{Link, Session, Sessions};
use crate::bmc::command::{Answer, only_lan_channel};
use crate::bmc::model::{LAN_CHANNEL, Model};

/// Refusals of Set Session Privilege Level (§22.18) and Close Session (§22.19).
const PRIVILEGE_EXCEEDED: Completion = Completion(0x81);
const INVALID_SESSION_ID: Completion = Completion(0x87);
const INVALID_SESSION_HANDLE: Completion = Completion(0x88);
/// Get Channel Authentication Capabilities (table 22-15): extended data are wanted, and given; K_G is set; there are
/// users with names; what is spoken.
const EXTENDED: u8 = 0x80;
const KG_IS_SET: u8 = 0x20;
const NAMED_USERS: u8 = 0x04;
const SPEAKS_1_5: u8 = 0x01;
const SPEAKS_2_0: u8 = 0x02;
/// Get Session Info (table 22-25): which session is meant; the protocol is RMCP+.
const BY_HANDLE: u8 = 0xfe;
const BY_ID: u8 = 0xff;
const RMCP_PLUS: u8 = 0x10;

/// Answers Get Channel Authentication Capabilities (§22.13).
pub(in crate::bmc) fn auth_capabilities(model: &Model, data: &[u8]) -> Answer {
    let [channel, privilege] = *data.as_array().ok_or(Completion::LENGTH_INVALID)?;
    only_lan_channel(channel)?;
    if !(1..=5).contains(&(privilege & 0x0f)) {
        return Err(Completion::INVALID_FIELD.into());
    }
    let extended = channel & EXTENDED != 0 && !model.suites.is_empty();
    let auth_types: u8 = model.auth_types.iter().map(|auth_type| 1 << auth_type.number()).sum();
    let speaks_1_5 = if model.auth_types.is_empty() { 0 } else { SPEAKS_1_5 };
    let capabilities = ChannelAuthCapabilities {
        channel: LAN_CHANNEL,
        auth_types: auth_types | if extended { EXTENDED } else { 0 },
        status: NAMED_USERS | if extended && model.kg.is_some() { KG_IS_SET } else { 0 },
        extended: if extended { SPEAKS_2_0 | speaks_1_5 } else { 0 },
    };
    Ok(capabilities.encode())
}

/// Answers Get Channel Cipher Suites (§22.15); always by suite.
pub(in crate::bmc) fn cipher_suites(model: &Model, data: &[u8]) -> Answer {
    let [channel, _payload_type, index] = *data.as_array().ok_or(Completion::LENGTH_INVALID)?;
    only_lan_channel(channel)?;
    let start = usize::from(index & MAX_CIPHER_SUITE_INDEX) * CIPHER_SUITE_CHUNK;
    let mut answer = vec![LAN_CHANNEL];
    answer.extend(model.suite_records.iter().skip(start).take(CIPHER_SUITE_CHUNK));
    Ok(answer)
}

impl Session {
    /// Answers Set Session Privilege Level (§22.18). 0 asks for the present level.
    pub(in crate::bmc) fn set_privilege(&mut self, data: &[u8]) -> Answer {
        let [level] = data.as_array().ok_or(Completion::LENGTH_INVALID)?;
        if level & 0x0f != 0 {
            let wanted = Privilege::from_number(level & 0x0f).filter(|level| *level > Privilege::Callback);
            let wanted = wanted.ok_or(Completion::INVALID_FIELD)?;
            if wanted > self.limit {
                return Err(PRIVILEGE_EXCEEDED.into());
            }
            self.privilege = wanted;
        }
        Ok(vec![self.privilege.number()])
    }
}

impl Sessions {
    /// Answers Close Session (§22.19), which everybody may for themselves and administrators for others.
    pub(in crate::bmc) fn on_close(&mut self, own: u32, data: &[u8]) -> Answer {
        let (id, handle) = match data {
            [a, b, c, d] => (u32::from_le_bytes([*a, *b, *c, *d]), None),
            [0, 0, 0, 0, handle] => (0, Some(*handle)),
            _ => return Err(Completion::LENGTH_INVALID.into()),
        };
        let is_meant =
            |session: &&Session| handle.map_or(session.id == id, |handle| session.handle == handle);
        let refusal = if handle.is_some() { INVALID_SESSION_HANDLE } else { INVALID_SESSION_ID };
        let closed = self.active.iter().find(is_meant).map(|session| session.id).ok_or(refusal)?;
        let is_administrator = self.get(own).is_some_and(|own| own.privilege >= Privilege::Administrator);
        if closed != own && !is_administrator {
            return Err(Completion::INSUFFICIENT_PRIVILEGE.into());
        }
        self.close(closed);
        Ok(Vec::new())
    }

    /// Answers Get Channel Info (§22.24), which users may ask: an Ethernet with these sessions.
    pub(in crate::bmc) fn channel_info(&self, own: u32, data: &[u8]) -> Answer {
        if self.get(own).is_none_or(|own| own.privilege < Privilege::User) {
            return Err(Completion::INSUFFICIENT_PRIVILEGE.into());
        }
        let [channel] = *data.as_array().ok_or(Completion::LENGTH_INVALID)?;
        only_lan_channel(channel)?;
        let info = ChannelInfo {
            number: LAN_CHANNEL,
            medium: Medium::LAN,
            protocol: Protocol::IPMB,
            sessions: SessionSupport::Multiple,
            active_sessions: self.active.len().to_le_bytes()[0],
            vendor: ChannelInfo::IPMI_VENDOR,
            auxiliary: [0; 2],
        };
        Ok(info.encode())
    }

    /// Answers Get Session Info (§22.20).
    pub(in crate::bmc) fn info(&self, model: &Model, own: u32, data: &[u8]) -> Answer {
        let session = match data {
            [0] => self.get(own),
            [BY_HANDLE, handle] => self.active.iter().find(|session| session.handle == *handle),
            [BY_ID, a, b, c, d] => self.get(u32::from_le_bytes([*a, *b, *c, *d])),
            [index @ 1..BY_HANDLE] => self.active.get(usize::from(*index) - 1),
            _ => return Err(Completion::LENGTH_INVALID.into()),
        };
        let mut answer = vec![
            session.map_or(0, |session| session.handle),
            model.session_limit,
            self.active.len().to_le_bytes()[0],
        ];
        if let Some(session) = session {
            let protocol = match session.link {
                Link::V1_5(_) => 0,
                Link::V2_0 { .. } => RMCP_PLUS,
            };
            // User ids begin with that of the user without a name.
            let user = session.user.to_le_bytes()[0].wrapping_add(2);
            answer.extend([user, session.privilege.number(), protocol | LAN_CHANNEL]);
            answer.extend(session.peer.ip().octets());
            // The hardware address of the console is not known.
            answer.extend([0; 6]);
            answer.extend(session.peer.port().to_le_bytes());
        }
        Ok(answer)
    }
}
