//! The door decides: whether somebody may give a command, and what they may see at all.
//!
//! What somebody may not read does not exist for them. What they may read but not change is forbidden. Every refusal is
//! noted.

use std::iter;
use std::sync::Arc;

use opendcre_model::{BoardId, DeviceAddress, Login, Scope, Subject};

use crate::audit::{AuditEntry, AuditKind, AuditWho};
use crate::gateway::Gateway;
use crate::look::Findings;
use crate::policy::{Asked, Explanation, Place, Question, Reach, Rights, Verb, WhyError};
use crate::view::View;
use crate::{Command, CredentialError, GatewayError, Principal, ScanReport};

/// Why somebody without any role is refused.
const NO_ROLE: &str = "no role for this is granted to them; the owner of the service can grant one";
/// Why changes are refused to everybody.
const READ_ONLY: &str = "this service only reads; its configuration says read_only";
/// Why a board is not there for somebody.
const HIDDEN: &str = "it is outside of what they may read";
/// Why the audit log is refused.
const NOT_AUDITOR: &str =
    "only a role that includes audit and holds everywhere permits to read the audit log";
/// Why somebody does not learn what others may do.
const NOT_OWNER: &str =
    "only a role that includes configure and holds everywhere permits to ask about others";

/// Somebody who has not proved who they are.
#[derive(Debug, Clone, Copy)]
pub struct RefusedLogin<'a> {
    /// Who they claimed to be, as far as that could be read.
    pub claimed: Option<&'a str>,
    /// Where the request came from.
    pub remote: &'a str,
    /// The id of the request.
    pub request_id: &'a str,
    /// What the client was told, for programs.
    pub code: &'static str,
    /// Why, which the client is not told.
    pub reason: &'a str,
}

/// A request that goes no further, whatever its sender may do.
#[derive(Debug, Clone, Copy)]
pub struct RefusedRequest<'a> {
    /// Who sent it, if that was found out.
    pub who: Option<&'a Subject>,
    /// Where it came from.
    pub remote: &'a str,
    /// The id of the request.
    pub request_id: &'a str,
    /// What was asked for: a method and a path.
    pub asked: &'a str,
    /// What the client was told, for programs.
    pub code: &'static str,
    /// Why, in a few words.
    pub reason: &'a str,
}

/// What a command is about.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Target {
    /// Whatever there is.
    Anything,
    Board(BoardId),
    Device(DeviceAddress),
}

/// Who asks, and how far their hand reaches; looked up once for many commands.
struct Judge<'a> {
    gateway: &'a Gateway,
    principal: &'a Principal,
    read: &'a Reach,
    /// The verb that was asked about last.
    change: Option<(Verb, Reach)>,
}

impl Gateway {
    /// What `principal` may look at.
    ///
    /// # Errors
    /// [`GatewayError::Forbidden`] if they may look at nothing at all.
    pub fn view(&self, principal: Principal) -> Result<View, GatewayError> {
        let reach = self.reach(&principal.subject, Verb::Read);
        if reach.is_nothing() {
            return Err(self.refuse(&principal, Verb::Read, "the inventory", NO_ROLE));
        }
        Ok(View::new(self.clone(), principal, reach))
    }

    /// Whether `principal` may look at anything, without noting that somebody tried.
    #[must_use]
    pub fn may_look(&self, principal: &Principal) -> bool {
        !self.reach(&principal.subject, Verb::Read).is_nothing()
    }

    /// Whether `principal` may give `command` now. It is not given.
    ///
    /// # Errors
    /// [`GatewayError::Forbidden`], [`GatewayError::UnknownBoard`], [`GatewayError::UnknownDevice`] and
    /// [`GatewayError::ShuttingDown`].
    pub fn authorise(&self, principal: &Principal, command: &Command) -> Result<(), GatewayError> {
        self.authorise_all(principal, iter::once(command))
    }

    /// Whether `principal` may read the audit log, which is not divided by what it is about.
    ///
    /// # Errors
    /// [`GatewayError::Forbidden`].
    pub fn authorise_audit(&self, principal: &Principal) -> Result<(), GatewayError> {
        if self.reach(&principal.subject, Verb::Audit).is_everything() {
            return Ok(());
        }
        Err(self.refuse(principal, Verb::Audit, "the audit log", NOT_AUDITOR))
    }

    /// What `principal` may do. Everybody may know it of themselves.
    #[must_use]
    pub fn rights(&self, principal: &Principal) -> Rights {
        let subject = &principal.subject;
        let roles = self.policy().roles(subject);
        let reaches = Verb::ALL.map(|verb| (verb, self.reach(subject, verb)));
        let inventory = self.inventory();
        let verbs = reaches.iter().map(|(verb, reach)| (*verb, Place::of(reach, &inventory)));
        Rights { roles, verbs: verbs.collect() }
    }

    /// Why somebody may do something, or may not. Everybody may ask about themselves.
    ///
    /// # Errors
    /// Every [`WhyError`].
    pub async fn why(&self, principal: &Principal, question: &Question) -> Result<Explanation, WhyError> {
        let verb = question.verb()?;
        let is_owner = self.reach(&principal.subject, Verb::Configure).is_everything();
        let subject = self.subject_of(principal, question, is_owner).await?;
        let target = match &question.target {
            // The audit log is not divided.
            Some(nodes) if verb != Verb::Audit => {
                let view = self.view(principal.clone()).map_err(WhyError::Refused)?;
                Some(view.select(nodes).map_err(WhyError::Target)?)
            }
            _ => None,
        };
        let asked = Asked { verb, target, device: question.device.clone() };
        asked.check()?;
        let mut explanation = self.policy().explain(subject, &asked, &self.inventory(), is_owner);
        if explanation.is_permitted && verb.is_change() && self.is_read_only() {
            explanation.is_permitted = false;
            READ_ONLY.clone_into(&mut explanation.reason);
        }
        Ok(explanation)
    }

    /// Who a question is about: whoever asks, or somebody whom it describes.
    async fn subject_of(
        &self,
        principal: &Principal,
        question: &Question,
        is_owner: bool,
    ) -> Result<Arc<Subject>, WhyError> {
        let asking = &principal.subject;
        let Some(user) = &question.user else { return Ok(Arc::clone(asking)) };
        let described = question.described(user)?;
        let is_called = question.login.is_none() && question.provider.is_none() && *user == asking.name;
        let is_plain = question.groups.is_empty() && question.roles.is_empty();
        if is_plain && (is_called || is_same(&described, asking)) {
            return Ok(Arc::clone(asking));
        }
        if is_owner {
            let is_hypothetical = !question.roles.is_empty();
            return if is_hypothetical { Ok(described) } else { self.with_token(described).await }
                .map(Arc::new);
        }
        let target = format!("what {} may do", described.name);
        Err(WhyError::Refused(self.refuse(principal, Verb::Configure, &target, NOT_OWNER)))
    }

    /// Somebody who was described, with what their token brings if they have one.
    async fn with_token(&self, described: Subject) -> Result<Subject, WhyError> {
        let Some(credentials) = self.credentials.as_ref().filter(|_| described.login == Login::Token) else {
            return Ok(described);
        };
        match credentials.bearer(&described.name).await {
            Ok(bearer) => Ok(bearer),
            // Where nobody logs in, tokens count for nothing, and everybody may do everything.
            Err(_) if self.policy().is_open() => Ok(described),
            Err(CredentialError::Void { reason }) => Err(WhyError::UnknownToken { reason }),
            Err(error) => Err(WhyError::Refused(GatewayError::Credential(error))),
        }
    }

    /// Where `subject` may do `verb`.
    pub(crate) fn reach(&self, subject: &Subject, verb: Verb) -> Reach {
        self.policy().reach(subject, verb, || self.inventory())
    }

    /// Whether `principal` may give all of `commands` now.
    pub(crate) fn authorise_all<'a>(
        &self,
        principal: &Principal,
        mut commands: impl Iterator<Item = &'a Command>,
    ) -> Result<(), GatewayError> {
        let read = self.reach(&principal.subject, Verb::Read);
        let mut judge = self.judge(principal, &read)?;
        commands.try_for_each(|command| judge.check(command))
    }

    /// Whoever decides what `principal` may do, who may read what is within `read`.
    fn judge<'a>(&'a self, principal: &'a Principal, read: &'a Reach) -> Result<Judge<'a>, GatewayError> {
        if self.is_closed() {
            return Err(GatewayError::ShuttingDown);
        }
        Ok(Judge { gateway: self, principal, read, change: None })
    }

    /// Whether `principal` may have a board forgotten, which is to change what the configuration of the room is.
    pub(crate) fn authorise_forgetting(
        &self,
        principal: &Principal,
        board: BoardId,
    ) -> Result<(), GatewayError> {
        let read = self.reach(&principal.subject, Verb::Read);
        self.judge(principal, &read)?.decide(Verb::Configure, Target::Board(board))
    }

    /// What `subject` is told of a search: what they may read. Fails if every driver did, with the error of the first one
    /// that holds something of theirs.
    pub(crate) fn told(&self, subject: &Subject, findings: Findings) -> Result<ScanReport, GatewayError> {
        let Findings { report, is_nothing } = findings;
        let report = self.readable(subject, report);
        match report.failures.first() {
            Some((_, error)) if is_nothing => Err(error.clone().into()),
            _ => Ok(report),
        }
    }

    /// What of `report` `subject` may read.
    fn readable(&self, subject: &Subject, report: ScanReport) -> ScanReport {
        // Looked up after the search: it may have brought boards within reach.
        let reach = self.reach(subject, Verb::Read);
        if reach.is_everything() {
            return report;
        }
        let failures = report.failures.into_iter();
        let inventory = self.inventory();
        let holds_some =
            |driver: &str| inventory.records().any(|board| board.driver == driver && reach.has(board.id));
        ScanReport {
            boards: report.boards.iter().filter_map(|board| reach.part_of(board)).collect(),
            failures: failures.filter(|(driver, _)| holds_some(driver)).collect(),
        }
    }

    /// Refuses somebody something that they know of.
    pub(crate) fn refuse(
        &self,
        principal: &Principal,
        verb: Verb,
        target: &str,
        reason: &'static str,
    ) -> GatewayError {
        self.note_refusal(principal, verb, target, reason);
        GatewayError::Forbidden { principal: principal.name().to_owned(), reason }
    }

    /// Notes that somebody was refused something.
    pub(crate) fn note_refusal(&self, principal: &Principal, verb: Verb, target: &str, reason: &str) {
        let refused = AuditEntry {
            action: verb.name().to_owned(),
            parameters: target.to_owned(),
            code: "forbidden".to_owned(),
            ..AuditEntry::new(AuditKind::Refused, self.inner.clock.now()).by(principal)
        };
        self.inner.audit.note_refused(refused.saying(reason));
    }

    /// Notes that somebody did not prove who they are, for which they need not be known.
    pub fn note_refused_login(&self, login: RefusedLogin<'_>) {
        let RefusedLogin { claimed, remote, request_id, code, reason } = login;
        let refused = AuditEntry {
            who: claimed.map(AuditWho::claimed),
            remote: remote.to_owned(),
            request_id: request_id.to_owned(),
            action: "login".to_owned(),
            code: code.to_owned(),
            ..AuditEntry::new(AuditKind::LoginRefused, self.inner.clock.now())
        };
        self.inner.audit.note_refused(refused.saying(reason));
    }

    /// Notes that a request went no further, for which its sender need not be known.
    pub fn note_refused_request(&self, request: RefusedRequest<'_>) {
        let RefusedRequest { who, remote, request_id, asked, code, reason } = request;
        let refused = AuditEntry {
            who: who.map(AuditWho::from),
            remote: remote.to_owned(),
            request_id: request_id.to_owned(),
            action: "request".to_owned(),
            parameters: asked.to_owned(),
            code: code.to_owned(),
            ..AuditEntry::new(AuditKind::Refused, self.inner.clock.now())
        };
        self.inner.audit.note_refused(refused.saying(reason));
    }

    /// Notes that somebody asked for something that is there, but not for them.
    pub(crate) fn note_hidden(&self, principal: &Principal, verb: Verb, target: &str) {
        self.note_refusal(principal, verb, target, HIDDEN);
    }
}

impl View {
    /// Whether whoever looks may give `command`, as far as that was so when the view was made. It is not given.
    pub(crate) fn authorise(&self, command: &Command) -> Result<(), GatewayError> {
        self.gateway.judge(&self.principal, &self.reach)?.check(command)
    }
}

impl Judge<'_> {
    fn check(&mut self, command: &Command) -> Result<(), GatewayError> {
        let (verb, target) = demand(command);
        self.decide(verb, target)
    }

    fn decide(&mut self, verb: Verb, target: Target) -> Result<(), GatewayError> {
        if self.read.is_nothing() {
            return Err(self.gateway.refuse(self.principal, verb, &target.describe(), NO_ROLE));
        }
        if !covers(self.read, target) {
            return Err(self.hide(verb, target));
        }
        if !verb.is_change() {
            return Ok(());
        }
        if self.gateway.is_read_only() {
            return Err(self.gateway.refuse(self.principal, verb, &target.describe(), READ_ONLY));
        }
        if covers(self.reach(verb), target) {
            return Ok(());
        }
        Err(self.gateway.refuse(self.principal, verb, &target.describe(), beyond(verb)))
    }

    fn reach(&mut self, verb: Verb) -> &Reach {
        let known = self.change.take().filter(|(known, _)| *known == verb);
        let (gateway, subject) = (self.gateway, &self.principal.subject);
        let (_, reach) = self.change.insert(known.unwrap_or_else(|| (verb, gateway.reach(subject, verb))));
        reach
    }

    /// What is outside of what somebody may read does not exist for them.
    fn hide(&self, verb: Verb, target: Target) -> GatewayError {
        let (error, board) = match target {
            Target::Device(device) if self.read.has(device.board) => {
                (GatewayError::UnknownDevice(device), device.board)
            }
            Target::Device(DeviceAddress { board, .. }) | Target::Board(board) => {
                (GatewayError::UnknownBoard(board), board)
            }
            Target::Anything => return self.gateway.refuse(self.principal, verb, "everything", NO_ROLE),
        };
        if self.gateway.record(board).is_some() {
            self.gateway.note_hidden(self.principal, verb, &target.describe());
        }
        error
    }
}

impl Target {
    /// In a few words, for the audit.
    pub(crate) fn describe(self) -> String {
        match self {
            Self::Anything => "everything".to_owned(),
            Self::Board(board) => format!("board {board}"),
            Self::Device(device) => device.to_string(),
        }
    }
}

/// What a command demands, and of what.
pub(crate) const fn demand(command: &Command) -> (Verb, Target) {
    match command {
        Command::List(scope) | Command::Scan(scope) | Command::Refresh(scope) => match scope {
            Scope::All => (Verb::Read, Target::Anything),
            Scope::Board(board) => (Verb::Read, Target::Board(*board)),
        },
        Command::Query(query) => match query.device() {
            Some(device) => (Verb::Read, Target::Device(device)),
            None => (Verb::Read, Target::Board(query.board())),
        },
        Command::Action(action) => (Verb::of(action), Target::Device(action.device())),
    }
}

fn covers(reach: &Reach, target: Target) -> bool {
    match target {
        Target::Anything => !reach.is_nothing(),
        Target::Board(board) => reach.has(board),
        Target::Device(device) => reach.has_device(device),
    }
}

const fn beyond(verb: Verb) -> &'static str {
    match verb {
        Verb::Read => "none of their roles permits to read it",
        Verb::Control => "none of their roles permits to control it",
        Verb::Configure => "none of their roles permits to configure it",
        Verb::Audit => NOT_AUDITOR,
    }
}

/// Whether it is whoever asks who is described. A token is known by its name or its id, which stands for its provider.
fn is_same(described: &Subject, asking: &Subject) -> bool {
    let is_named = described.name == asking.name;
    described.login == asking.login
        && match asking.login {
            Login::Token => described.provider.is_empty() && (is_named || described.name == asking.provider),
            _ => is_named && described.provider == asking.provider,
        }
}
