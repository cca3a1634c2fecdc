//! How a session of IPMI 1.5 begins: a challenge, and its way back in a packet that knows the password (IPMI 2.0
//! §22.16, §22.17).

use std::net::SocketAddrV4;
use std::time::Duration;

use opendcre_ipmi::packet::v1_5::{AuthType, Packet};
use opendcre_ipmi::session::{ACTIVATE_SESSION, ActiveSession};
use opendcre_ipmi::wire::Reader;
use opendcre_ipmi::{Completion, Message, NetFn, Privilege};

use super::{Link, Opened, Session, Sessions, push_bounded};
use crate::bmc::command::{Answer, into_response, reply_to};
use crate::bmc::model::Model;
use crate::random::SplitMix64;

/// Refusals of Get Session Challenge (§22.16).
const INVALID_USER_NAME: Completion = Completion(0x81);
const NULL_USER_NAME: Completion = Completion(0x82);
/// Refusals of Activate Session (§22.17).
const NO_SESSION_SLOT: Completion = Completion(0x81);
const SEQUENCE_OUT_OF_RANGE: Completion = Completion(0x84);
const PRIVILEGE_EXCEEDED: Completion = Completion(0x86);

/// Somebody has asked for a challenge.
#[derive(Debug)]
pub(super) struct Challenge {
    /// The temporary session id.
    pub(super) id: u32,
    pub(super) since: Duration,
    /// Who has asked.
    pub(super) peer: SocketAddrV4,
    auth_type: AuthType,
    user: usize,
    challenge: [u8; 16],
    /// The packet that has activated a session, and what was answered.
    activated: Option<(Packet, Vec<u8>)>,
}

impl Sessions {
    /// Answers Get Session Challenge.
    pub(in crate::bmc) fn challenge(
        &mut self,
        model: &Model,
        peer: SocketAddrV4,
        data: &[u8],
        random: &mut SplitMix64,
        now: Duration,
    ) -> Answer {
        let mut reader = Reader::new("a request", data);
        let auth_type = AuthType::from_number(reader.u8()? & 0x0f);
        let auth_type = auth_type.filter(|auth_type| model.auth_types.contains(auth_type));
        let auth_type = auth_type.ok_or(Completion::INVALID_FIELD)?;
        let name: [u8; 16] = reader.array()?;
        let length = name.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        let name = name.get(..length).unwrap_or_default();
        if name.is_empty() {
            return Err(NULL_USER_NAME.into());
        }
        let user = model.users.iter().position(|user| user.name == name).ok_or(INVALID_USER_NAME)?;
        let challenge = Challenge {
            id: self.new_id(random),
            since: now,
            peer,
            auth_type,
            user,
            challenge: random.bytes(),
            activated: None,
        };
        let mut answer = challenge.id.to_le_bytes().to_vec();
        answer.extend(challenge.challenge);
        push_bounded(&mut self.challenges, challenge);
        Ok(answer)
    }

    /// Answers a packet with the id of a challenge. Packets that do not know the password are not answered, as the
    /// specification has it (§6.12.4). A BMC that `is_busy` says so, and keeps the challenge for the next attempt.
    pub(in crate::bmc) fn on_challenged(
        &mut self,
        model: &Model,
        packet: &Packet,
        is_busy: bool,
        random: &mut SplitMix64,
        now: Duration,
    ) -> Option<Vec<u8>> {
        let position = self.challenges.iter().position(|challenge| challenge.id == packet.session)?;
        let challenge = self.challenges.get(position)?;
        if let Some((activation, reply)) = &challenge.activated {
            return (activation == packet).then(|| reply.clone());
        }
        let (auth_type, user) = (challenge.auth_type, model.users.get(challenge.user)?);
        if packet.auth_type != auth_type || !packet.is_authentic(&user.password) {
            return None;
        }
        let request = Message::decode(&packet.payload).ok()?;
        if (request.netfn, request.command) != (NetFn::APP, ACTIVATE_SESSION) {
            return None;
        }
        let answer = match is_busy {
            true => Err(Completion::NODE_BUSY.into()),
            false => self.activate(model, position, &request.data, random, now),
        };
        let is_activated = answer.is_ok();
        // The first packet of the new session takes the first number, although it still has the temporary id.
        let session = if is_activated { self.active.last_mut() } else { None };
        let sequence = session.map_or(0, Session::next_outbound);
        let reply = reply_to(&request, &into_response(answer));
        let reply = Packet::signed(auth_type, &user.password, sequence, packet.session, reply).encode();
        if is_activated && let Some(challenge) = self.challenges.get_mut(position) {
            challenge.activated = Some((packet.clone(), reply.clone()));
        }
        Some(reply)
    }

    fn activate(
        &mut self,
        model: &Model,
        position: usize,
        data: &[u8],
        random: &mut SplitMix64,
        now: Duration,
    ) -> Answer {
        let mut reader = Reader::new("a request", data);
        let [auth_type, privilege] = reader.array()?;
        let challenge: [u8; 16] = reader.array()?;
        let first_outbound = reader.u32()?;
        let pending = self.challenges.get(position).ok_or(Completion::UNSPECIFIED)?;
        let user = model.users.get(pending.user).ok_or(Completion::UNSPECIFIED)?;
        if pending.challenge != challenge || pending.auth_type.number() != auth_type & 0x0f {
            return Err(Completion::INVALID_FIELD.into());
        }
        let wanted = Privilege::from_number(privilege & 0x0f).ok_or(Completion::INVALID_FIELD)?;
        let limit = user.limit.min(model.channel_limit);
        if wanted > limit {
            return Err(PRIVILEGE_EXCEEDED.into());
        }
        if first_outbound == 0 {
            return Err(SEQUENCE_OUT_OF_RANGE.into());
        }
        if !self.has_room(model) {
            return Err(NO_SESSION_SLOT.into());
        }
        let Challenge { auth_type, user, peer, .. } = *pending;
        let id = self.new_id(random);
        // Far enough from both ends that no session reaches 0.
        let first_inbound = 1 + u32::from(random.byte());
        let link = Link::V1_5(auth_type);
        self.open(Opened { id, user, peer, limit: wanted, link, first_inbound, first_outbound }, now);
        let opened = ActiveSession {
            auth_type: auth_type.number(),
            session: id,
            first_outbound: first_inbound,
            privilege,
        };
        Ok(opened.encode())
    }
}
