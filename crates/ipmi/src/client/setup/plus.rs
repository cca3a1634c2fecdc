//! The steps of IPMI 2.0.

use super::{Context, Progress, Setup, Stray, fail};
use crate::cipher::{self, CipherSuite};
use crate::client::session::{Protection, Session};
use crate::client::{Failure, Protocol, UserLookup};
use crate::packet::Datagram;
use crate::packet::rakp::{
    Exchange, Message1, Message2, Message3, Message4, NAME_ONLY, OpenRequest, OpenResponse, RakpStatus,
};
use crate::packet::v1_5::Packet;
use crate::packet::v2_0::{self, PayloadType, SessionKeys};
use crate::session::{CIPHER_SUITE_CHUNK, GetChannelCipherSuites, MAX_CIPHER_SUITE_INDEX};
use crate::{Command, Completion, Response};

/// Which answer is waited for.
pub(super) enum Step {
    Suites { request: GetChannelCipherSuites, records: Vec<u8> },
    Open { request: OpenRequest, suite: CipherSuite, list_refused: bool },
    Rakp1 { tag: u8, exchange: Exchange },
    Rakp3 { tag: u8, exchange: Exchange, keys: Box<SessionKeys> },
}

impl Setup {
    /// Asks for the list of suites, unless it is known which one works, or only one is permitted.
    pub(super) fn first_plus_step(&mut self, suites: &[CipherSuite], context: &mut Context<'_>) -> Progress {
        let known = context.knowledge.suite.filter(|suite| suites.contains(suite));
        if known.is_none() && suites.len() > 1 {
            return self.ask_for_suites(0, Vec::new(), context);
        }
        let others = suites.iter().copied().filter(|suite| Some(*suite) != known);
        self.candidates = known.into_iter().chain(others).collect();
        self.open_session(false, context)
    }

    pub(super) fn on_plus(
        &mut self,
        datagram: &Datagram<'_>,
        context: &mut Context<'_>,
    ) -> Result<Progress, Stray> {
        if let (super::Step::Plus(Step::Suites { request, .. }), Datagram::V1_5(packet)) =
            (&self.step, datagram)
        {
            let response = self.answer(packet, &request.request())?;
            return Ok(self.on_suites(&response, context));
        }
        let Datagram::V2_0(envelope) = datagram else { return Err(Stray::Foreign) };
        let payload = envelope.plain().map_err(|_| Stray::Foreign)?;
        match (&self.step, envelope.payload_type) {
            (super::Step::Plus(Step::Open { request, suite, .. }), PayloadType::OpenSessionResponse) => {
                let response = OpenResponse::decode(payload).map_err(|_| Stray::Undecodable)?;
                check(response.tag == request.tag, response.console_session, request.console_session)?;
                let (request, suite) = (*request, *suite);
                Ok(self.on_open(&response, &request, suite, context))
            }
            (super::Step::Plus(Step::Rakp1 { tag, exchange }), PayloadType::Rakp2) => {
                let message = Message2::decode(payload).map_err(|_| Stray::Undecodable)?;
                check(message.tag == *tag, message.console_session, exchange.console_session)?;
                let exchange = exchange.clone();
                Ok(self.on_message2(message, exchange, context))
            }
            (super::Step::Plus(Step::Rakp3 { tag, exchange, keys }), PayloadType::Rakp4) => {
                let message = Message4::decode(payload).map_err(|_| Stray::Undecodable)?;
                check(message.tag == *tag, message.console_session, exchange.console_session)?;
                let (exchange, keys) = (exchange.clone(), keys.clone());
                Ok(self.on_message4(&message, &exchange, keys, context))
            }
            _ => Err(Stray::Unmatched),
        }
    }

    fn ask_for_suites(&mut self, index: u8, records: Vec<u8>, context: &Context<'_>) -> Progress {
        let request = GetChannelCipherSuites { index };
        let message = self.message(&request.request());
        let datagram = Packet::plain(message.encode()).encode();
        self.send(super::Step::Plus(Step::Suites { request, records }), datagram, context)
    }

    fn on_suites(&mut self, response: &Response, context: &mut Context<'_>) -> Progress {
        let super::Step::Plus(Step::Suites { request, records }) = &mut self.step else {
            return fail(Failure::Broken("an answer without a question"));
        };
        let request = *request;
        if response.completion == Completion::NODE_BUSY {
            return self.wait();
        }
        let Ok(chunk) = request.read(response) else {
            // A BMC without the command, or one that ends its list in an odd way.
            let records = std::mem::take(records);
            return self.on_suite_list(&records, context);
        };
        records.extend(&chunk);
        let records = std::mem::take(records);
        let is_last = chunk.len() < CIPHER_SUITE_CHUNK || request.index == MAX_CIPHER_SUITE_INDEX;
        if is_last || lists_the_best(&records, context) {
            return self.on_suite_list(&records, context);
        }
        self.ask_for_suites(request.index + 1, records, context)
    }

    /// All that is permitted was refused. What the BMC offers helps those who must change that.
    fn without_suite(&mut self, context: &Context<'_>) -> Progress {
        if self.listed {
            return fail(Failure::NoCommonSuite { offered: self.offered.clone() });
        }
        self.ask_for_suites(0, Vec::new(), context)
    }

    /// Goes on with what the BMC offers; with everything that is permitted when it does not say.
    pub(super) fn on_suite_list(&mut self, records: &[u8], context: &mut Context<'_>) -> Progress {
        let permitted = permitted(context);
        self.offered = cipher::decode_records(records).unwrap_or_default();
        let offered = |suite: &&CipherSuite| self.offered.is_empty() || self.offered.contains(&suite.id);
        self.candidates = permitted.iter().filter(offered).copied().collect();
        self.listed = true;
        let list_refused = self.answered && self.offered.is_empty();
        self.open_session(list_refused, context)
    }

    /// Proposes the best suite that is left.
    fn open_session(&mut self, list_refused: bool, context: &mut Context<'_>) -> Progress {
        let Some(suite) = self.candidates.first().copied() else {
            return self.without_suite(context);
        };
        let mut id = [0; 5];
        context.entropy.fill(&mut id);
        let [tag, id @ ..] = id;
        let request = OpenRequest {
            tag,
            privilege: self.role.number(),
            // 0 means "outside of sessions".
            console_session: u32::from_le_bytes(id).max(1),
            algorithms: suite.algorithms(),
        };
        let datagram = v2_0::plain(PayloadType::OpenSessionRequest, &request.encode());
        self.send(super::Step::Plus(Step::Open { request, suite, list_refused }), datagram, context)
    }

    fn on_open(
        &mut self,
        response: &OpenResponse,
        request: &OpenRequest,
        suite: CipherSuite,
        context: &mut Context<'_>,
    ) -> Progress {
        let Some(accepted) = response.accepted else {
            return self.on_refusal(response.status, context);
        };
        if accepted.bmc_session == 0 {
            return fail(Failure::Broken("the session has the number 0, which means none"));
        }
        if accepted.algorithms != suite.algorithms() {
            // Somebody wants less protection than was proposed.
            return self.next_suite(context);
        }
        let mut console_random = [0; 16];
        context.entropy.fill(&mut console_random);
        let name_only = match context.access.lookup {
            UserLookup::Name => NAME_ONLY,
            UserLookup::NameAndPrivilege => 0,
        };
        let exchange = Exchange {
            suite,
            console_session: request.console_session,
            bmc_session: accepted.bmc_session,
            console_random,
            bmc_random: [0; 16],
            bmc_guid: [0; 16],
            role: self.role.number() | name_only,
            username: context.access.username.clone(),
        };
        let message = Message1 {
            tag: request.tag.wrapping_add(1),
            bmc_session: exchange.bmc_session,
            console_random,
            role: exchange.role,
            username: exchange.username.clone(),
        };
        let datagram = v2_0::plain(PayloadType::Rakp1, &message.encode());
        self.send(super::Step::Plus(Step::Rakp1 { tag: message.tag, exchange }), datagram, context)
    }

    fn on_message2(
        &mut self,
        message: Message2,
        mut exchange: Exchange,
        context: &mut Context<'_>,
    ) -> Progress {
        let Some(proof) = message.proof else {
            return self.on_refusal(message.status, context);
        };
        exchange.bmc_random = proof.bmc_random;
        exchange.bmc_guid = proof.bmc_guid;
        let password = &context.access.password;
        let mut reply = Message3 {
            tag: message.tag.wrapping_add(1),
            status: RakpStatus::OK,
            bmc_session: exchange.bmc_session,
            code: Vec::new(),
        };
        if !exchange.is_code2(password, &proof.code) {
            // Tells the BMC, so that it does not keep the place for us.
            reply.status = RakpStatus::INVALID_INTEGRITY_CHECK;
            let farewell = v2_0::plain(PayloadType::Rakp3, &reply.encode());
            return match self.restart_or(Failure::WrongPassword, context) {
                Progress::Failed(failure, _) => Progress::Failed(failure, Some(farewell)),
                progress => progress,
            };
        }
        reply.code = exchange.code3(password);
        let keys = Box::new(exchange.keys(password, context.access.bmc_key.as_ref()));
        let datagram = v2_0::plain(PayloadType::Rakp3, &reply.encode());
        self.send(super::Step::Plus(Step::Rakp3 { tag: reply.tag, exchange, keys }), datagram, context)
    }

    fn on_message4(
        &mut self,
        message: &Message4,
        exchange: &Exchange,
        keys: Box<SessionKeys>,
        context: &mut Context<'_>,
    ) -> Progress {
        if message.status != RakpStatus::OK {
            return self.on_refusal(message.status, context);
        }
        if !exchange.is_code4(&keys, &message.code) {
            return self.restart_or(Failure::WrongBmcKey, context);
        }
        context.knowledge.suite = Some(exchange.suite);
        context.knowledge.login = Some(self.role);
        let protection =
            Protection::V2_0 { keys, console: exchange.console_session, bmc: exchange.bmc_session };
        Progress::Opened(Box::new(Session::new(protection, 1, 1, self.role, self.role, context.now)))
    }

    fn on_refusal(&mut self, status: RakpStatus, context: &mut Context<'_>) -> Progress {
        match status {
            status if status.is_about_the_suite() => self.next_suite(context),
            RakpStatus::INSUFFICIENT_RESOURCES => fail(Failure::SessionLimit),
            RakpStatus::INSUFFICIENT_RESOURCES_FOR_ROLE => self.next_role(Failure::SessionLimit, context),
            status if status.is_about_the_role() => {
                let failure = self.refused_role();
                self.next_role(failure, context)
            }
            RakpStatus::UNAUTHORIZED_NAME | RakpStatus::INVALID_NAME_LENGTH => fail(Failure::WrongUser),
            RakpStatus::INVALID_INTEGRITY_CHECK => self.restart_or(Failure::WrongPassword, context),
            status => self.restart_or(Failure::Refused(status), context),
        }
    }

    fn next_suite(&mut self, context: &mut Context<'_>) -> Progress {
        // The one that was refused.
        self.candidates = self.candidates.split_off(self.candidates.len().min(1));
        context.knowledge.suite = None;
        self.open_session(false, context)
    }
}

fn permitted<'a>(context: &Context<'a>) -> &'a [CipherSuite] {
    match &context.access.protocol {
        Protocol::V2_0(suites) => suites,
        Protocol::V1_5(_) => &[],
    }
}

/// Whether the rest of the list cannot change what is chosen.
fn lists_the_best(records: &[u8], context: &Context<'_>) -> bool {
    let offered = cipher::decode_records(records).unwrap_or_default();
    permitted(context).first().is_some_and(|best| offered.contains(&best.id))
}

/// Whether an answer is that to our question. Some BMCs refuse without naming the session.
fn check(same_tag: bool, session: u32, ours: u32) -> Result<(), Stray> {
    if same_tag && (session == ours || session == 0) { Ok(()) } else { Err(Stray::Unmatched) }
}
