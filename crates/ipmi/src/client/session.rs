//! An open session: numbers, proves and encrypts what goes out, and believes only what belongs to it.

use std::time::Instant;

use super::window::Window;
use super::{Access, Entropy, Stray};
use crate::packet::Datagram;
use crate::packet::v1_5::{AuthType, Packet};
use crate::packet::v2_0::{self, PayloadType, SessionKeys};
use crate::{Message, Privilege};

/// An open session.
pub(super) struct Session {
    protection: Protection,
    next_outbound: u32,
    window: Window,
    /// What the session may do now.
    pub(super) privilege: Privilege,
    /// What was asked for at login.
    pub(super) role: Privilege,
    /// What it may do at most, which can be less.
    pub(super) ceiling: Privilege,
    /// When the BMC last answered in it.
    pub(super) heard_at: Instant,
}

/// How packets are protected.
pub(super) enum Protection {
    V2_0 {
        keys: Box<SessionKeys>,
        /// The id that we chose, by which the BMC addresses us.
        console: u32,
        /// The id that the BMC chose.
        bmc: u32,
    },
    V1_5 {
        auth_type: AuthType,
        session: u32,
        /// The BMC may answer without a code.
        unsigned_answers: bool,
    },
}

impl Session {
    pub(super) const fn new(
        protection: Protection,
        first_outbound: u32,
        first_inbound: u32,
        role: Privilege,
        ceiling: Privilege,
        now: Instant,
    ) -> Self {
        Self {
            protection,
            next_outbound: first_outbound,
            window: Window::before(first_inbound),
            // Whatever was asked for at login (IPMI 2.0 §22.18).
            privilege: Privilege::User,
            role,
            ceiling,
            heard_at: now,
        }
    }

    /// The id that the BMC chose.
    pub(super) const fn bmc_session(&self) -> u32 {
        match self.protection {
            Protection::V2_0 { bmc, .. } => bmc,
            Protection::V1_5 { session, .. } => session,
        }
    }

    /// The next packet of the session.
    pub(super) fn seal(&mut self, message: &Message, access: &Access, entropy: &mut dyn Entropy) -> Vec<u8> {
        let sequence = self.next_outbound;
        // 0 means "outside of sessions".
        self.next_outbound = sequence.checked_add(1).unwrap_or(1);
        let payload = message.encode();
        match &self.protection {
            Protection::V2_0 { keys, bmc, .. } => {
                let mut iv = [0; 16];
                entropy.fill(&mut iv);
                v2_0::seal(keys, *bmc, sequence, &payload, iv)
            }
            Protection::V1_5 { auth_type, session, .. } => {
                Packet::signed(*auth_type, &access.password, sequence, *session, payload).encode()
            }
        }
    }

    /// The message in a packet of this session.
    pub(super) fn open(&mut self, datagram: &Datagram<'_>, access: &Access) -> Result<Message, Stray> {
        let (sequence, payload) = match (&self.protection, datagram) {
            (Protection::V2_0 { keys, console, .. }, Datagram::V2_0(envelope)) => {
                if envelope.session != *console || envelope.payload_type != PayloadType::Ipmi {
                    return Err(Stray::Foreign);
                }
                (envelope.sequence, envelope.open(keys).map_err(|_| Stray::NotAuthentic)?)
            }
            (Protection::V1_5 { auth_type, session, unsigned_answers }, Datagram::V1_5(packet)) => {
                if packet.session != *session {
                    return Err(Stray::Foreign);
                }
                let unsigned = packet.auth_type == AuthType::None && *unsigned_answers;
                let signed = packet.auth_type == *auth_type && packet.is_authentic(&access.password);
                if !unsigned && !signed {
                    return Err(Stray::NotAuthentic);
                }
                (packet.sequence, packet.payload.clone())
            }
            _ => return Err(Stray::Foreign),
        };
        let message = Message::decode(&payload).map_err(|_| Stray::Undecodable)?;
        if !self.window.arrive(sequence) {
            return Err(Stray::Repeated);
        }
        Ok(message)
    }
}
