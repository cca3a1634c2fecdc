//! The steps of IPMI 1.5.

use super::{Context, Progress, Setup, Stray, fail};
use crate::client::session::{Protection, Session};
use crate::client::{Failure, Protocol};
use crate::packet::Datagram;
use crate::packet::v1_5::{AuthType, Packet};
use crate::session::{ActivateSession, GetChannelAuthCapabilities, GetSessionChallenge, SessionChallenge};
use crate::{Command, Completion, Privilege, Request, Response};

/// Completion codes of Get Session Challenge (IPMI 2.0 table 22-21).
const INVALID_USER: Completion = Completion(0x81);
const NULL_USER_DISABLED: Completion = Completion(0x82);
/// Completion codes of Activate Session (IPMI 2.0 table 22-22).
const NO_SLOT: Completion = Completion(0x81);
const NO_SLOT_FOR_USER: Completion = Completion(0x82);
const NO_SLOT_FOR_PRIVILEGE: Completion = Completion(0x83);
const PRIVILEGE_EXCEEDED: Completion = Completion(0x86);

/// Which answer is waited for.
pub(super) enum Step {
    Capabilities,
    Challenge { unsigned_answers: bool },
    Activate { request: ActivateSession, unsigned_answers: bool },
}

impl Setup {
    pub(super) fn first_lan_step(&mut self, context: &Context<'_>) -> Progress {
        let request = self.capabilities().request();
        self.send_plain(Step::Capabilities, &request, context)
    }

    pub(super) fn on_lan(
        &mut self,
        datagram: &Datagram<'_>,
        context: &mut Context<'_>,
    ) -> Result<Progress, Stray> {
        let Datagram::V1_5(packet) = datagram else { return Err(Stray::Foreign) };
        match &self.step {
            super::Step::Lan(Step::Capabilities) => {
                let response = self.answer(packet, &self.capabilities().request())?;
                Ok(self.on_capabilities(&response, context))
            }
            super::Step::Lan(Step::Challenge { unsigned_answers }) => {
                let unsigned_answers = *unsigned_answers;
                let request = challenge(context);
                let response = self.answer(packet, &request.request())?;
                Ok(self.on_challenge(&request, &response, unsigned_answers, context))
            }
            super::Step::Lan(Step::Activate { request, unsigned_answers }) => {
                let (request, unsigned_answers) = (*request, *unsigned_answers);
                let response = self.answer(packet, &request.request())?;
                let proved =
                    packet.auth_type == request.auth_type && packet.is_authentic(&context.access.password);
                // A refusal may come without proof: a BMC that does not believe us has none to give. Who lets us in must
                // prove who he is, also where later answers come without proof.
                if !proved && response.completion.is_ok() {
                    return Err(Stray::NotAuthentic);
                }
                Ok(self.on_activation(&request, &response, unsigned_answers, context))
            }
            super::Step::Plus(_) => Err(Stray::Unmatched),
        }
    }

    fn capabilities(&self) -> GetChannelAuthCapabilities {
        GetChannelAuthCapabilities { privilege: self.role, extended: false }
    }

    fn send_plain(&mut self, step: Step, request: &Request, context: &Context<'_>) -> Progress {
        let datagram = Packet::plain(self.message(request).encode()).encode();
        self.send(super::Step::Lan(step), datagram, context)
    }

    fn on_capabilities(&mut self, response: &Response, context: &mut Context<'_>) -> Progress {
        match self.capabilities().read(response) {
            Err(_) if response.completion == Completion::NODE_BUSY => self.wait(),
            Ok(capabilities) if !capabilities.offers(auth_type(context)) => fail(Failure::NoCommonAuthType),
            Ok(capabilities) => {
                let unsigned_answers = capabilities.per_message_disabled();
                let request = challenge(context).request();
                self.send_plain(Step::Challenge { unsigned_answers }, &request, context)
            }
            Err(_) if response.completion.is_ok() => {
                fail(Failure::Broken("the authentication capabilities are too short"))
            }
            Err(_) => fail(Failure::Declined(response.completion)),
        }
    }

    fn on_challenge(
        &mut self,
        request: &GetSessionChallenge,
        response: &Response,
        unsigned_answers: bool,
        context: &mut Context<'_>,
    ) -> Progress {
        match (response.completion, request.read(response)) {
            (_, Ok(challenge)) => self.activate(challenge, unsigned_answers, context),
            (Completion::NODE_BUSY, _) => self.wait(),
            (INVALID_USER | NULL_USER_DISABLED, _) => fail(Failure::WrongUser),
            (Completion::OK, _) => fail(Failure::Broken("the session challenge is too short")),
            (completion, _) => fail(Failure::Declined(completion)),
        }
    }

    fn activate(
        &mut self,
        challenge: SessionChallenge,
        unsigned_answers: bool,
        context: &mut Context<'_>,
    ) -> Progress {
        let mut first_inbound = [0; 4];
        context.entropy.fill(&mut first_inbound);
        let request = ActivateSession {
            auth_type: auth_type(context),
            privilege: self.role,
            challenge: challenge.challenge,
            // Not 0, and far from where numbers begin anew.
            first_inbound: u32::from_le_bytes(first_inbound) >> 1 | 1,
        };
        let message = self.message(&request.request());
        // The first packet of a session has no number yet (IPMI 2.0 §22.17).
        let packet = Packet::signed(
            request.auth_type,
            &context.access.password,
            0,
            challenge.temporary_session,
            message.encode(),
        );
        let step = Step::Activate { request, unsigned_answers };
        self.send(super::Step::Lan(step), packet.encode(), context)
    }

    fn on_activation(
        &mut self,
        request: &ActivateSession,
        response: &Response,
        unsigned_answers: bool,
        context: &mut Context<'_>,
    ) -> Progress {
        let active = match (response.completion, request.read(response)) {
            (_, Ok(active)) => active,
            (Completion::NODE_BUSY, _) => return self.wait(),
            (NO_SLOT | NO_SLOT_FOR_USER, _) => return fail(Failure::SessionLimit),
            (NO_SLOT_FOR_PRIVILEGE, _) => return self.next_role(Failure::SessionLimit, context),
            (PRIVILEGE_EXCEEDED | Completion::INSUFFICIENT_PRIVILEGE, _) => {
                let failure = self.refused_role();
                return self.next_role(failure, context);
            }
            (Completion::OK, _) => return fail(Failure::Broken("the active session is too short")),
            (completion, _) => return self.restart_or(Failure::Declined(completion), context),
        };
        let auth_type = match AuthType::from_number(active.auth_type) {
            Some(auth_type) if auth_type == request.auth_type => auth_type,
            Some(AuthType::None) if unsigned_answers => AuthType::None,
            _ => {
                return fail(Failure::Broken("the session uses another authentication type than was agreed"));
            }
        };
        context.knowledge.login = Some(self.role);
        let ceiling = Privilege::from_number(active.privilege).unwrap_or(self.role).min(self.role);
        let protection = Protection::V1_5 { auth_type, session: active.session, unsigned_answers };
        let (outbound, inbound) = (active.first_outbound, request.first_inbound);
        let session = Session::new(protection, outbound, inbound, self.role, ceiling, context.now);
        Progress::Opened(Box::new(session))
    }
}

const fn auth_type(context: &Context<'_>) -> AuthType {
    match context.access.protocol {
        Protocol::V1_5(auth_type) => auth_type,
        Protocol::V2_0(_) => AuthType::None,
    }
}

fn challenge(context: &Context<'_>) -> GetSessionChallenge {
    GetSessionChallenge { auth_type: auth_type(context), username: context.access.username.clone() }
}
