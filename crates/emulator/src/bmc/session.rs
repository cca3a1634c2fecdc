//! The sessions of an emulated BMC: who is in, with which privilege, since when silent; and those that are just being
//! opened. Tables with bounds and time-outs; how they are filled is in [`challenge`] and [`handshake`].

pub(super) mod challenge;
mod command;
pub(super) mod handshake;
mod window;

use std::collections::VecDeque;
use std::net::SocketAddrV4;
use std::time::Duration;

use opendcre_ipmi::packet::v1_5::AuthType;
use opendcre_ipmi::packet::v2_0::SessionKeys;
use opendcre_ipmi::{Message, Privilege, Response};

use self::challenge::Challenge;
pub(super) use self::command::{auth_capabilities, cipher_suites};
use self::handshake::Opening;
use self::window::{Reach, Window};
use super::model::Model;
use crate::random::SplitMix64;

/// So many sessions can be in the course of being opened; another one takes the place of the oldest.
const MAX_HALF_OPEN: usize = 8;
/// For so long a session can be in the course of being opened (IPMI 2.0 §6.12.15 leaves it to the BMC).
const HALF_OPEN_TIMEOUT: Duration = Duration::from_secs(15);
/// For so long a repeated request is known as one (IPMB §4, "sequence number expiration interval").
const REPEAT_TIMEOUT: Duration = Duration::from_secs(5);

/// All sessions of a BMC.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    active: Vec<Session>,
    challenges: VecDeque<Challenge>,
    openings: VecDeque<Opening>,
    last_handle: u8,
}

/// An open session.
#[derive(Debug)]
pub(super) struct Session {
    /// The id that the BMC chose.
    pub id: u32,
    pub handle: u8,
    /// The user, as an index into those of the model.
    pub user: usize,
    pub peer: SocketAddrV4,
    /// The most that it may ever do.
    pub limit: Privilege,
    /// What it may do now.
    pub privilege: Privilege,
    pub link: Link,
    last_seen: Duration,
    inbound: Window,
    outbound: u32,
    last_effect: Option<Box<Effect>>,
    is_closed: bool,
}

/// How the packets of a session are protected.
#[derive(Debug)]
pub(super) enum Link {
    /// As IPMI 1.5 does.
    V1_5(AuthType),
    /// As IPMI 2.0 does.
    V2_0 {
        /// The id that the console chose.
        console_session: u32,
        keys: Box<SessionKeys>,
        /// RAKP message 3 and the answer to it, until the first packet of the session has come.
        opening: Option<Box<(Vec<u8>, Vec<u8>)>>,
    },
}

/// A request that has changed something, and what was answered.
#[derive(Debug)]
struct Effect {
    request: Message,
    response: Response,
    at: Duration,
}

impl Sessions {
    /// The open sessions.
    pub(super) fn active(&self) -> &[Session] {
        &self.active
    }

    /// The open session with this id.
    pub(super) fn find(&mut self, id: u32) -> Option<&mut Session> {
        self.active.iter_mut().find(|session| session.id == id)
    }

    /// The open session with this id, to look at only.
    pub(super) fn get(&self, id: u32) -> Option<&Session> {
        self.active.iter().find(|session| session.id == id)
    }

    /// Whether the session with this id, open or half-open, is that of somebody else. Such packets are dropped, whatever
    /// they prove.
    pub(super) fn is_of_another(&self, id: u32, peer: SocketAddrV4) -> bool {
        self.owners().any(|(owned, owner)| owned == id && owner != peer)
    }

    /// The ids of all sessions, open and half-open, and whose they are.
    fn owners(&self) -> impl Iterator<Item = (u32, SocketAddrV4)> {
        let active = self.active.iter().map(|session| (session.id, session.peer));
        let challenges = self.challenges.iter().map(|challenge| (challenge.id, challenge.peer));
        let openings = self.openings.iter().map(|opening| (opening.id, opening.peer));
        active.chain(challenges).chain(openings)
    }

    /// Ends a session. It stays until [`Sessions::sweep`], so that the answer can still go out in it.
    pub(super) fn close(&mut self, id: u32) {
        if let Some(session) = self.find(id) {
            session.is_closed = true;
        }
    }

    /// Forgets the sessions that have been ended.
    pub(super) fn sweep(&mut self) {
        self.active.retain(|session| !session.is_closed);
    }

    /// Forgets everybody.
    pub(super) fn clear(&mut self) {
        *self = Self { last_handle: self.last_handle, ..Self::default() };
    }

    /// Forgets whoever was silent for too long.
    pub(super) fn expire(&mut self, model: &Model, now: Duration) {
        let is_alive = |since: Duration, timeout| now.saturating_sub(since) < timeout;
        self.active.retain(|session| is_alive(session.last_seen, model.session_timeout));
        self.challenges.retain(|challenge| is_alive(challenge.since, HALF_OPEN_TIMEOUT));
        self.openings.retain(|opening| is_alive(opening.since, HALF_OPEN_TIMEOUT));
    }

    /// Whether there is room for another session.
    fn has_room(&self, model: &Model) -> bool {
        self.active.len() < usize::from(model.session_limit)
    }

    /// Opens a session. The caller has made sure that there is room.
    fn open(&mut self, opened: Opened, now: Duration) {
        let Opened { id, user, peer, limit, link, first_inbound, first_outbound } = opened;
        let reach = match link {
            Link::V1_5(_) => Reach::V1_5,
            Link::V2_0 { .. } => Reach::V2_0,
        };
        self.last_handle = self.last_handle.checked_add(1).unwrap_or(1);
        self.active.push(Session {
            id,
            handle: self.last_handle,
            user,
            peer,
            limit,
            // Every session begins here and asks for more (IPMI 2.0 §6.8, §22.18).
            privilege: limit.min(Privilege::User),
            link,
            last_seen: now,
            inbound: Window::new(reach, first_inbound),
            outbound: first_outbound,
            last_effect: None,
            is_closed: false,
        });
    }

    /// An id that no session has, nor is about to have; not 0, which stands for no session (IPMI 2.0 table 13-8).
    fn new_id(&self, random: &mut SplitMix64) -> u32 {
        loop {
            let id = u32::from_le_bytes(random.bytes());
            if id != 0 && !self.owners().any(|(owned, _)| owned == id) {
                return id;
            }
        }
    }
}

/// What a new session begins with.
struct Opened {
    id: u32,
    user: usize,
    peer: SocketAddrV4,
    limit: Privilege,
    link: Link,
    first_inbound: u32,
    first_outbound: u32,
}

impl Session {
    /// Takes note of an authentic packet with this number. False says that it does not count: it has come before, or
    /// its number is out of the window.
    pub(super) fn accept(&mut self, sequence: u32, now: Duration) -> bool {
        // Packets without authentication need no number (IPMI 2.0 §6.12.13).
        let is_unnumbered = sequence == 0 && matches!(self.link, Link::V1_5(AuthType::None));
        if !is_unnumbered && !self.inbound.accept(sequence) {
            return false;
        }
        self.last_seen = now;
        if let Link::V2_0 { opening, .. } = &mut self.link {
            *opening = None;
        }
        true
    }

    /// The number of the next packet to send. 0 is left out (IPMI 2.0 §6.12.13).
    pub(super) fn next_outbound(&mut self) -> u32 {
        let sequence = self.outbound;
        self.outbound = sequence.checked_add(1).unwrap_or(1);
        sequence
    }

    /// The answer to a request that has changed something, if this is it once more.
    pub(super) fn repeated(&self, request: &Message, now: Duration) -> Option<Response> {
        let effect = self.last_effect.as_ref()?;
        let is_recent = now.saturating_sub(effect.at) < REPEAT_TIMEOUT;
        (is_recent && effect.request == *request).then(|| effect.response.clone())
    }

    /// Remembers a request that has changed something, in case it comes once more.
    pub(super) fn remember(&mut self, request: Message, response: Response, at: Duration) {
        self.last_effect = Some(Box::new(Effect { request, response, at }));
    }
}

/// Adds to a table of the half-open; the oldest goes if there is no room.
fn push_bounded<T>(table: &mut VecDeque<T>, entry: T) {
    if table.len() >= MAX_HALF_OPEN {
        table.pop_front();
    }
    table.push_back(entry);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers of a generator with this seed begin with four bytes of 0.
    const FOUR_ZEROS: u64 = 0x0001_2dd9_3f0c;

    #[test]
    fn no_session_has_the_id_0() {
        assert_eq!(SplitMix64::new(FOUR_ZEROS).bytes(), [0; 4]);
        assert_ne!(Sessions::default().new_id(&mut SplitMix64::new(FOUR_ZEROS)), 0);
    }
}
