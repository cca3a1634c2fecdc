//! How a session of IPMI 2.0 begins: Open Session and the four RAKP messages (IPMI 2.0 §13.17 to §13.24). Every step
//! that comes once more is answered once more, with the same bytes.

use std::net::SocketAddrV4;
use std::time::Duration;

use opendcre_ipmi::packet::rakp::{
    Accepted, Exchange, MAX_USERNAME, Message1, Message2, Message3, Message4, NAME_ONLY, OpenRequest,
    OpenResponse, Proof2, RakpStatus,
};
use opendcre_ipmi::packet::v2_0::{self, PayloadType};
use opendcre_ipmi::{CipherSuite, Privilege};

use super::{Link, Opened, Sessions, push_bounded};
use crate::bmc::model::Model;
use crate::random::SplitMix64;

/// Where the length of the user name stands in RAKP message 1 (table 13-11).
const NAME_LENGTH: usize = 27;

/// Somebody is opening a session.
#[derive(Debug)]
pub(super) struct Opening {
    /// The id that the BMC chose.
    pub(super) id: u32,
    pub(super) since: Duration,
    pub(super) peer: SocketAddrV4,
    console_session: u32,
    suite: CipherSuite,
    /// What came last, and what was answered.
    last: (Vec<u8>, Vec<u8>),
    /// Who it is, once they have said so.
    claim: Option<Claim>,
}

/// Who somebody claims to be.
#[derive(Debug)]
struct Claim {
    exchange: Exchange,
    user: usize,
    limit: Privilege,
}

/// What every step needs.
pub(in crate::bmc) struct Step<'a> {
    pub model: &'a Model,
    /// Who the BMC is.
    pub guid: [u8; 16],
    pub peer: SocketAddrV4,
    pub random: &'a mut SplitMix64,
    pub now: Duration,
}

impl Sessions {
    /// Answers the payload of a packet that opens a session; nothing for those that are not to be answered.
    pub(in crate::bmc) fn on_opening(
        &mut self,
        step: &mut Step<'_>,
        payload_type: PayloadType,
        payload: &[u8],
    ) -> Option<Vec<u8>> {
        let is_known = |opening: &&Opening| opening.peer == step.peer && opening.last.0 == payload;
        if let Some(opening) = self.openings.iter().find(is_known) {
            return Some(opening.last.1.clone());
        }
        match payload_type {
            PayloadType::OpenSessionRequest => self.on_open_request(step, payload),
            PayloadType::Rakp1 | PayloadType::Rakp3 if self.is_of_another(session_in(payload), step.peer) => {
                None
            }
            PayloadType::Rakp1 => self.on_message_1(step, payload),
            PayloadType::Rakp3 => self.on_message_3(step, payload),
            _ => None,
        }
    }

    fn on_open_request(&mut self, step: &mut Step<'_>, payload: &[u8]) -> Option<Vec<u8>> {
        let response = |tag, console_session, status, accepted| {
            let response = OpenResponse { tag, status, console_session, accepted };
            v2_0::plain(PayloadType::OpenSessionResponse, &response.encode())
        };
        let Ok(request) = OpenRequest::decode(payload) else {
            let tag = *payload.first()?;
            return Some(response(tag, session_in(payload), RakpStatus::ILLEGAL_PARAMETER, None));
        };
        let OpenRequest { tag, console_session, .. } = request;
        let suite = match self.admit(step.model, &request) {
            Ok(suite) => suite,
            Err(status) => return Some(response(tag, console_session, status, None)),
        };
        let channel = step.model.channel_limit.number();
        let privilege = if request.privilege == 0 { channel } else { request.privilege.min(channel) };
        let id = self.new_id(step.random);
        let accepted = Accepted { privilege, bmc_session: id, algorithms: suite.algorithms() };
        let reply = response(tag, console_session, RakpStatus::OK, Some(accepted));
        let opening = Opening {
            id,
            since: step.now,
            peer: step.peer,
            console_session,
            suite,
            last: (payload.to_vec(), reply.clone()),
            claim: None,
        };
        push_bounded(&mut self.openings, opening);
        Some(reply)
    }

    /// The suite for a session, if there can be one.
    fn admit(&self, model: &Model, request: &OpenRequest) -> Result<CipherSuite, RakpStatus> {
        if request.console_session == 0 {
            return Err(RakpStatus::INVALID_SESSION);
        }
        if !self.has_room(model) {
            return Err(RakpStatus::INSUFFICIENT_RESOURCES);
        }
        let (authentication, integrity, confidentiality) = request.algorithms;
        let suites = &model.suites;
        if let Some(suite) = suites.iter().find(|suite| suite.algorithms() == request.algorithms) {
            return Ok(*suite);
        }
        if !suites.iter().any(|suite| suite.algorithms().0 == authentication) {
            return Err(RakpStatus::INVALID_AUTHENTICATION);
        }
        if !suites.iter().any(|suite| suite.algorithms().1 == integrity) {
            return Err(RakpStatus::INVALID_INTEGRITY);
        }
        if !suites.iter().any(|suite| suite.algorithms().2 == confidentiality) {
            return Err(RakpStatus::INVALID_CONFIDENTIALITY);
        }
        Err(RakpStatus::NO_CIPHER_SUITE)
    }

    fn on_message_1(&mut self, step: &mut Step<'_>, payload: &[u8]) -> Option<Vec<u8>> {
        let tag = *payload.first()?;
        let opening = self.openings.iter_mut().find(|opening| opening.id == session_in(payload));
        let console_session = opening.as_ref().map_or(0, |opening| opening.console_session);
        let proof = match opening {
            Some(opening) => opening.claim(step, payload),
            None => Err(RakpStatus::INVALID_SESSION),
        };
        let (status, proof) = match proof {
            Ok(proof) => (RakpStatus::OK, Some(proof)),
            Err(status) => (status, None),
        };
        let message = Message2 { tag, status, console_session, proof };
        let reply = v2_0::plain(PayloadType::Rakp2, &message.encode());
        if let Some(opening) = self.openings.iter_mut().find(|opening| opening.id == session_in(payload)) {
            opening.last = (payload.to_vec(), reply.clone());
        }
        Some(reply)
    }

    fn on_message_3(&mut self, step: &mut Step<'_>, payload: &[u8]) -> Option<Vec<u8>> {
        let id = session_in(payload);
        if let Some(reply) = self.find(id).and_then(|session| session.reopened(payload)) {
            return Some(reply);
        }
        let message = Message3::decode(payload).ok()?;
        let position = self.openings.iter().position(|opening| opening.id == id && opening.claim.is_some());
        let opening = position.and_then(|position| self.openings.remove(position));
        let console_session = opening.as_ref().map_or(0, |opening| opening.console_session);
        if message.status != RakpStatus::OK {
            // The console gives up, and expects no answer (§13.22).
            return None;
        }
        let answer = |status, code| {
            let message = Message4 { tag: message.tag, status, console_session, code };
            v2_0::plain(PayloadType::Rakp4, &message.encode())
        };
        let Some((opening, claim)) = opening.and_then(Opening::split) else {
            return Some(answer(RakpStatus::INVALID_SESSION, Vec::new()));
        };
        let password = &step.model.users.get(claim.user)?.password;
        if !claim.exchange.is_code3(password, &message.code) {
            return Some(answer(RakpStatus::INVALID_INTEGRITY_CHECK, Vec::new()));
        }
        if !self.has_room(step.model) {
            return Some(answer(RakpStatus::INSUFFICIENT_RESOURCES, Vec::new()));
        }
        let keys = Box::new(claim.exchange.keys(password, step.model.kg.as_ref()));
        let reply = answer(RakpStatus::OK, claim.exchange.code4(&keys));
        let opened = Opened {
            id,
            user: claim.user,
            peer: opening.peer,
            limit: claim.limit,
            link: Link::V2_0 {
                console_session,
                keys,
                opening: Some(Box::new((payload.to_vec(), reply.clone()))),
            },
            first_inbound: 1,
            first_outbound: 1,
        };
        self.open(opened, step.now);
        Some(reply)
    }
}

impl super::Session {
    /// The answer to the RAKP message 3 that opened this session, if this is it once more.
    fn reopened(&self, payload: &[u8]) -> Option<Vec<u8>> {
        match &self.link {
            Link::V2_0 { opening: Some(opening), .. } if opening.0 == payload => Some(opening.1.clone()),
            _ => None,
        }
    }
}

impl Opening {
    /// Takes note of who somebody claims to be, and proves that the BMC knows their password.
    fn claim(&mut self, step: &mut Step<'_>, payload: &[u8]) -> Result<Proof2, RakpStatus> {
        let Ok(message) = Message1::decode(payload) else {
            return Err(match payload.get(NAME_LENGTH) {
                Some(length) if usize::from(*length) > MAX_USERNAME => RakpStatus::INVALID_NAME_LENGTH,
                _ => RakpStatus::ILLEGAL_PARAMETER,
            });
        };
        let role =
            Privilege::from_number(message.role & 0x0f).filter(|role| *role <= Privilege::Administrator);
        let role = role.ok_or(RakpStatus::INVALID_ROLE)?;
        let by_name_only = message.role & NAME_ONLY != 0;
        let users = step.model.users.iter().enumerate();
        let mut users = users.filter(|(_, user)| user.name == message.username);
        let found = users.find(|(_, user)| by_name_only || user.limit >= role);
        let (index, user) = found.ok_or(RakpStatus::UNAUTHORIZED_NAME)?;
        if role > user.limit.min(step.model.channel_limit) {
            return Err(RakpStatus::UNAUTHORIZED_ROLE);
        }
        let exchange = Exchange {
            suite: self.suite,
            console_session: self.console_session,
            bmc_session: self.id,
            console_random: message.console_random,
            bmc_random: step.random.bytes(),
            bmc_guid: step.guid,
            role: message.role,
            username: message.username,
        };
        let code = exchange.code2(&user.password);
        let proof = Proof2 { bmc_random: exchange.bmc_random, bmc_guid: step.guid, code };
        self.claim = Some(Claim { exchange, user: index, limit: role });
        Ok(proof)
    }

    fn split(mut self) -> Option<(Self, Claim)> {
        let claim = self.claim.take()?;
        Some((self, claim))
    }
}

/// The session id that stands in the same place in all these messages; 0 if there is none.
fn session_in(payload: &[u8]) -> u32 {
    payload.get(4..8).and_then(<[u8]>::as_array::<4>).copied().map_or(0, u32::from_le_bytes)
}
