//! The way to an open session, step by step: each sends one datagram and waits for one answer.
//!
//! IPMI 2.0: list of suites, open session, RAKP 1 and 2, RAKP 3 and 4 (IPMI 2.0 §13.14). IPMI 1.5: capabilities,
//! challenge, activation (§6.12.10). It knows nothing of the request for which the session is opened.

mod lan;
mod plus;

use std::time::Instant;

use super::counter::Stray;
use super::knowledge::Knowledge;
use super::session::Session;
use super::timing::{Attempt, Timing};
use super::{Access, Entropy, Failure, Protocol};
use crate::packet::Datagram;
use crate::packet::v1_5::Packet;
use crate::{CipherSuite, Completion, Message, Privilege, REMOTE_CONSOLE, Request, Response};

/// How often the list of suites is asked for. It is only a help, and some BMCs never answer.
const SUITE_LIST_TRIES: u8 = 1;
/// How often the activation of a session of IPMI 1.5 is sent, because a BMC says by silence that the password is wrong.
const ACTIVATION_TRIES: u8 = 2;

/// What surrounds a setup.
pub(super) struct Context<'a> {
    pub(super) access: &'a Access,
    pub(super) timing: &'a Timing,
    pub(super) knowledge: &'a mut Knowledge,
    pub(super) entropy: &'a mut dyn Entropy,
    pub(super) now: Instant,
}

/// What comes of a datagram or of silence.
pub(super) enum Progress {
    /// The BMC has no time now; it is asked again when the time for its answer is over.
    Wait,
    /// The new datagram of the setup is to be sent.
    Send,
    /// It is done.
    Opened(Box<Session>),
    /// It is over. The datagram, if any, tells the BMC.
    Failed(Failure, Option<Vec<u8>>),
}

/// A session that is being opened.
pub(super) struct Setup {
    step: Step,
    datagram: Vec<u8>,
    attempt: Attempt,
    /// The privilege that is asked for.
    role: Privilege,
    /// Less than this is useless.
    needed: Privilege,
    refused_roles: Vec<Privilege>,
    /// The suites that are still worth a try, the best one first.
    candidates: Vec<CipherSuite>,
    /// What the BMC said it offers.
    offered: Vec<u8>,
    /// It was asked what it offers.
    listed: bool,
    /// The BMC has answered something.
    answered: bool,
    /// It has answered that it has no time.
    busy: bool,
    /// Something came that is no IPMI.
    noise: bool,
    /// It has begun anew, because an answer may have been damaged, or that to another of several equal datagrams.
    restarted: bool,
    sequence: u8,
}

/// Which answer is waited for.
enum Step {
    Plus(plus::Step),
    Lan(lan::Step),
}

impl Setup {
    /// Begins to open a session that may do at least `needed`.
    pub(super) fn begin(needed: Privilege, context: &mut Context<'_>) -> (Self, Progress) {
        let range = context.access.privilege;
        let login = context.knowledge.login.unwrap_or(range.login);
        let mut setup = Self {
            step: Step::Lan(lan::Step::Capabilities),
            datagram: Vec::new(),
            attempt: Attempt::new(context.now, context.timing.first),
            role: login.max(needed).min(range.most),
            needed,
            refused_roles: Vec::new(),
            candidates: Vec::new(),
            offered: Vec::new(),
            listed: false,
            answered: false,
            busy: false,
            noise: false,
            restarted: false,
            sequence: 0,
        };
        let progress = setup.first_step(context);
        (setup, progress)
    }

    /// What to send.
    pub(super) fn datagram(&self) -> Vec<u8> {
        self.datagram.clone()
    }

    /// Whether anything has come from there.
    pub(super) const fn has_heard(&self) -> bool {
        self.answered || self.noise
    }

    /// When [`Setup::on_silence`] is due.
    pub(super) const fn due(&self) -> Instant {
        self.attempt.due
    }

    /// Takes a datagram from the BMC.
    pub(super) fn on_datagram(
        &mut self,
        datagram: &Datagram<'_>,
        context: &mut Context<'_>,
    ) -> Result<Progress, Stray> {
        let progress = match &self.step {
            Step::Plus(_) => self.on_plus(datagram, context)?,
            Step::Lan(_) => self.on_lan(datagram, context)?,
        };
        self.answered = true;
        Ok(progress)
    }

    /// Takes note of something that is no IPMI.
    pub(super) const fn on_noise(&mut self) {
        self.noise = true;
    }

    /// The time is up.
    pub(super) fn on_silence(&mut self, context: &mut Context<'_>) -> Progress {
        let tries = match &self.step {
            Step::Plus(plus::Step::Suites { .. }) => SUITE_LIST_TRIES,
            Step::Lan(lan::Step::Activate { .. }) => ACTIVATION_TRIES,
            _ => u8::MAX,
        };
        let timing = Timing { tries: tries.min(context.timing.tries), ..*context.timing };
        if let Some(attempt) = self.attempt.again(context.now, &timing) {
            self.attempt = attempt;
            return Progress::Send;
        }
        match &self.step {
            Step::Plus(plus::Step::Suites { .. }) => self.on_suite_list(&[], context),
            Step::Plus(plus::Step::Open { list_refused: true, .. }) => fail(Failure::OnlyIpmi15),
            _ if self.busy => fail(Failure::Declined(Completion::NODE_BUSY)),
            // A BMC of 1.5 drops what is signed with another password (IPMI 2.0 §6.12.7).
            // Once, it may have been lost, or the BMC may have gone away.
            Step::Lan(lan::Step::Activate { .. }) => self.restart_or(Failure::WrongPassword, context),
            _ if self.answered => fail(Failure::Silent { sent: false }),
            _ if self.noise => fail(Failure::NotIpmi),
            _ => fail(Failure::Unreachable),
        }
    }

    fn first_step(&mut self, context: &mut Context<'_>) -> Progress {
        match &context.access.protocol {
            Protocol::V2_0(suites) => self.first_plus_step(suites, context),
            Protocol::V1_5(_) => self.first_lan_step(context),
        }
    }

    /// Sends `datagram` next and waits for the answer that belongs to `step`.
    fn send(&mut self, step: Step, datagram: Vec<u8>, context: &Context<'_>) -> Progress {
        self.step = step;
        self.datagram = datagram;
        self.attempt = Attempt::new(context.now, context.timing.first);
        Progress::Send
    }

    /// The BMC has no time for the present step.
    const fn wait(&mut self) -> Progress {
        self.busy = true;
        Progress::Wait
    }

    /// Begins anew with another privilege, after `self.role` was refused with `failure`.
    fn next_role(&mut self, failure: Failure, context: &mut Context<'_>) -> Progress {
        self.refused_roles.push(self.role);
        let roles = [Privilege::Operator, Privilege::Administrator, Privilege::User];
        let possible = |role: &Privilege| {
            *role >= self.needed
                && *role <= context.access.privilege.most
                && !self.refused_roles.contains(role)
        };
        match roles.into_iter().find(possible) {
            None => fail(failure),
            Some(role) => {
                self.role = role;
                self.first_step(context)
            }
        }
    }

    /// Begins anew, once, because an answer may have been damaged, or that to another of several equal datagrams, or
    /// the BMC may have forgotten what it said; the second time it is over.
    fn restart_or(&mut self, failure: Failure, context: &mut Context<'_>) -> Progress {
        if self.restarted {
            return fail(failure);
        }
        self.restarted = true;
        self.first_step(context)
    }

    /// The privilege that was asked for first, for the error.
    fn refused_role(&self) -> Failure {
        let needed = self.refused_roles.first().copied().unwrap_or(self.role);
        Failure::InsufficientPrivilege { needed }
    }

    /// A message outside of sessions.
    fn message(&mut self, request: &Request) -> Message {
        self.sequence = (self.sequence + 1) & 0x3f;
        Message::request(request, self.sequence)
    }

    /// The answer to the last message outside of sessions.
    fn answer(&self, packet: &Packet, request: &Request) -> Result<Response, Stray> {
        let message = Message::decode(&packet.payload).map_err(|_| Stray::Undecodable)?;
        answer(&message, request, self.sequence)
    }
}

fn fail(failure: Failure) -> Progress {
    Progress::Failed(failure, None)
}

/// The answer in a message, if it is that to `request`.
pub(super) fn answer(message: &Message, request: &Request, sequence: u8) -> Result<Response, Stray> {
    let matches = message.netfn == request.netfn.response()
        && message.command == request.command
        && message.sequence == sequence
        && message.to == REMOTE_CONSOLE;
    if !matches {
        return Err(Stray::Unmatched);
    }
    let (completion, data) = message.data.split_first().ok_or(Stray::Undecodable)?;
    Ok(Response { completion: Completion(*completion), data: data.to_vec() })
}
