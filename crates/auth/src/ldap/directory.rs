//! One attempt to log in: which server is asked, as whom, and for what.
//!
//! Every user binds on a connection of its own. The connection that searches is lent to one attempt at a time and kept
//! afterwards; an attempt that ends early takes it along, so that nobody reads an answer that was meant for another.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use opendcre_model::{Login as LoginKind, Subject};
use secrecy::SecretString;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout, timeout_at};

use super::account::Identity;
use super::cache::Answer;
use super::connection::{Connection, ConnectionError, describe};
use super::decoy::Decoy;
use super::diagnosis;
use super::failover::Failover;
use super::filter::Filter;
use super::guard::{BindGuard, End, refusal};
use super::message::{Code, Entry, Outcome, Scope, Search};
use super::name::{has_single_blanks, is_acceptable};
use super::server::Server;
use super::settings::{Direct, Login, Rules, UserEntry, UserSearch};
use crate::Failure;

/// How many attempts are made at the same time; the others wait.
const CONCURRENT_LOGINS: usize = 8;
/// How long a connection without work is kept. Firewalls forget those that are quiet for some minutes.
const IDLE: Duration = Duration::from_secs(60);
/// How many entries a search for a user may find: one is right, and of two it is known that they are not.
const USERS: i32 = 2;

/// Why an attempt on one server does not say who it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The directory says that it is nobody. This is final.
    Rejected(String),
    /// It is not asked, so that it does not lock the account. This is final too, but no answer.
    Held(String),
    /// This server cannot say; another one may.
    Unsure(String),
    /// This server does not work, and is best left alone for a while.
    Down(String),
}

impl From<ConnectionError> for Trouble {
    fn from(error: ConnectionError) -> Self {
        match &error {
            ConnectionError::Search(outcome) if !is_overload(outcome.code) => Self::Unsure(error.to_string()),
            ConnectionError::TooMany => Self::Unsure(error.to_string()),
            _ => Self::Down(error.to_string()),
        }
    }
}

fn is_overload(code: Code) -> bool {
    matches!(code, Code::BUSY | Code::UNAVAILABLE)
}

/// The servers of a directory.
pub(super) struct Directory {
    rules: Rules,
    failover: Mutex<Failover>,
    idle: Mutex<Option<Idle>>,
    logins: Semaphore,
    guard: Arc<BindGuard>,
}

/// A connection that waits for the next search.
struct Idle {
    server: usize,
    connection: Connection,
    since: Instant,
}

impl Directory {
    pub(super) fn new(rules: Rules, guard: Arc<BindGuard>) -> Self {
        let failover = Mutex::new(Failover::new(rules.servers.len()));
        let logins = Semaphore::new(CONCURRENT_LOGINS);
        Self { rules, failover, idle: Mutex::new(None), logins, guard }
    }

    pub(super) fn name(&self) -> &str {
        &self.rules.name
    }

    /// Whether `name` can be the name of anybody here.
    pub(super) fn accepts(&self, name: &str) -> bool {
        let is_searched_for = matches!(self.rules.login, Login::Search(..));
        is_acceptable(name) && (is_searched_for || has_single_blanks(name))
    }

    /// Asks one server after the other until one knows: who it is, or why it is nobody.
    ///
    /// # Errors
    /// The directory has not answered: none of its servers can be asked, or none should be, for the sake of the account.
    pub(super) async fn ask(&self, name: &str, password: &SecretString) -> Result<Answer, Failure> {
        let deadline = Instant::now() + self.rules.timeout;
        let Ok(Ok(_permit)) = timeout_at(deadline, self.logins.acquire()).await else {
            return Err(self.unavailable(format!("{CONCURRENT_LOGINS} other logins take too long")));
        };
        let candidates = self.candidates();
        if candidates.is_empty() {
            let wait = self.failover().wait(Instant::now()).as_millis();
            return Err(self.unavailable(format!(
                "all servers were down a moment ago; they are asked again in {wait} ms"
            )));
        }
        let mut reasons = Vec::new();
        for (place, (index, server)) in candidates.iter().copied().enumerate() {
            // A share of what is left: a server that never answers must leave time for the others.
            let left = deadline.saturating_duration_since(Instant::now());
            let share = left / u32::try_from(candidates.len() - place).unwrap_or(u32::MAX);
            let answer = timeout(share, self.ask_one(index, server, name, password)).await;
            let late = |_| Err(Trouble::Down(format!("no answer within {} ms", share.as_millis())));
            match answer.unwrap_or_else(late) {
                Ok(subject) => {
                    self.answered(index, server);
                    return Ok(Ok(subject));
                }
                Err(Trouble::Rejected(reason)) => {
                    self.answered(index, server);
                    return Ok(Err(reason));
                }
                Err(Trouble::Held(reason)) => return Err(Failure::Rejected { reason }),
                Err(Trouble::Unsure(reason)) => reasons.push(format!("{server}: {reason}")),
                Err(Trouble::Down(reason)) => {
                    self.failed(index, server, &reason);
                    reasons.push(format!("{server}: {reason}"));
                }
            }
        }
        Err(self.unavailable(reasons.join("; ")))
    }

    fn unavailable(&self, reason: String) -> Failure {
        Failure::Unavailable { provider: self.name().to_owned(), reason }
    }

    async fn ask_one(
        &self,
        index: usize,
        server: &Server,
        name: &str,
        password: &SecretString,
    ) -> Result<Subject, Trouble> {
        let (mut service, answer);
        match &self.rules.login {
            Login::Search(search, decoy) => {
                service = self.service(index, server).await?;
                answer = match self.find_below(&mut service, search, name).await {
                    Ok(entry) => self.bind_found(server, &entry, &mut service, name, password).await,
                    Err(Trouble::Rejected(reason)) => {
                        Err(self.bind_nobody(server, decoy, name, reason).await)
                    }
                    Err(trouble) => Err(trouble),
                };
            }
            Login::Direct(direct) if self.rules.service.is_some() => {
                service = self.service(index, server).await?;
                answer = self.bind_then_search(server, direct, Some(&mut service), name, password).await;
            }
            Login::Direct(direct) => {
                return self.bind_then_search(server, direct, None, name, password).await;
            }
        }
        if matches!(answer, Ok(_) | Err(Trouble::Rejected(_) | Trouble::Held(_))) {
            self.keep(index, service);
        }
        answer
    }

    /// Binds with the name of the entry that was found.
    async fn bind_found(
        &self,
        server: &Server,
        entry: &Entry,
        reader: &mut Connection,
        name: &str,
        password: &SecretString,
    ) -> Result<Subject, Trouble> {
        let identity = match canonical_name(entry, &self.rules.name_attribute, name) {
            Ok(called) => Identity::entry_called(&entry.dn, self.rules.realm, &called),
            Err(_) => Identity::entry(&entry.dn),
        };
        self.bind(server, &entry.dn, identity, password).await?;
        self.subject(reader, entry, name).await
    }

    /// Rejects a name that nobody has for `reason`, but only after as many questions as a wrong password takes.
    async fn bind_nobody(&self, server: &Server, decoy: &Decoy, name: &str, reason: String) -> Trouble {
        let identity = Identity::nobody(self.rules.realm, name);
        match self.bind(server, &decoy.dn, identity, &decoy.password).await {
            Ok(_) | Err(Trouble::Rejected(_)) => Trouble::Rejected(reason),
            Err(Trouble::Held(_)) => Trouble::Held(reason),
            Err(trouble) => trouble,
        }
    }

    /// Binds at once; searches happen on the connection of the service account, or else on that of the user.
    async fn bind_then_search(
        &self,
        server: &Server,
        direct: &Direct,
        mut service: Option<&mut Connection>,
        name: &str,
        password: &SecretString,
    ) -> Result<Subject, Trouble> {
        let bound = direct.template.of(name);
        let bound = bound.ok_or_else(|| Trouble::Rejected("nobody can have the name".to_owned()))?;
        let identity = match &direct.entry {
            UserEntry::Named(_) => Identity::entry_typed(&bound, self.rules.realm, name),
            UserEntry::Found(_) => self.guard.with_entry(Identity::typed(self.rules.realm, name)),
        };
        let spelling = identity.spelling;
        let mut user = self.bind(server, &bound, identity, password).await?;
        if service.is_none() {
            self.check(&mut user).await?;
        }
        let reader = service.as_deref_mut().unwrap_or(&mut user);
        let entry = match &direct.entry {
            UserEntry::Named(filter) => self.read(reader, &bound, filter, name).await?,
            UserEntry::Found(search) => {
                let entry = self.find_below(reader, search, name).await?;
                // It must be the entry of whoever knows the password: a search may find another account than the one
                // that was bound.
                let identity = Identity::entry(&entry.dn);
                self.bind_on(&mut user, &entry.dn, identity.clone(), password).await?;
                self.guard.remember(spelling, &identity);
                entry
            }
        };
        self.subject(service.unwrap_or(&mut user), &entry, name).await
    }

    async fn bind(
        &self,
        server: &Server,
        name: &str,
        identity: Identity,
        password: &SecretString,
    ) -> Result<Connection, Trouble> {
        let mut connection = Connection::open(server, &self.rules.tls).await?;
        self.bind_on(&mut connection, name, identity, password).await?;
        Ok(connection)
    }

    /// Binds, unless too many binds as this account have failed.
    async fn bind_on(
        &self,
        connection: &mut Connection,
        name: &str,
        identity: Identity,
        password: &SecretString,
    ) -> Result<(), Trouble> {
        let bind =
            self.guard.begin(identity).await.map_err(|account| Trouble::Held(refusal(account).to_owned()))?;
        // Whoever stops waiting here drops `bind`, which counts: the server may have seen the password.
        let outcome = connection.bind(name, password).await?;
        bind.finish(match outcome.code {
            Code::SUCCESS => End::Succeeded,
            code if is_overload(code) => End::Unchecked,
            _ => End::Failed,
        });
        verdict(&outcome)
    }

    /// The connection that searches: the one that was kept, or a new one.
    async fn service(&self, index: usize, server: &Server) -> Result<Connection, Trouble> {
        if let Some(connection) = self.take_idle(index) {
            return Ok(connection);
        }
        let mut connection = Connection::open(server, &self.rules.tls).await?;
        if let Some(account) = &self.rules.service {
            let outcome = connection.bind(&account.dn, &account.password).await?;
            if outcome.code != Code::SUCCESS {
                // Left alone for a while, so that a wrong password does not lock the account of the service.
                return Err(Trouble::Down(format!("it refuses `bind_dn` ({})", describe(&outcome))));
            }
        }
        self.check(&mut connection).await?;
        Ok(connection)
    }

    async fn check(&self, reader: &mut Connection) -> Result<(), Trouble> {
        match &self.rules.groups {
            Some(groups) => groups.check(reader).await,
            None => Ok(()),
        }
    }

    /// Searches for the one entry of the user.
    async fn find_below(
        &self,
        reader: &mut Connection,
        search: &UserSearch,
        name: &str,
    ) -> Result<Entry, Trouble> {
        let found =
            reader.search(&self.user_search(&search.base, Scope::Subtree, &search.filter, name)).await?;
        let several = found.truncated || found.entries.len() > 1;
        match found.entries.into_iter().next() {
            // Bound with an empty name a server may take everybody for anonymous (RFC 4513 §5.1.1).
            Some(entry) if entry.dn.is_empty() => Err(Trouble::Unsure("the entry has no name".to_owned())),
            Some(entry) if !several => Ok(entry),
            Some(_) => Err(Trouble::Rejected("several entries have the name".to_owned())),
            None => Err(Trouble::Rejected("no entry has the name".to_owned())),
        }
    }

    /// Reads the entry of the user, whose name is known.
    async fn read(
        &self,
        reader: &mut Connection,
        dn: &str,
        filter: &Filter,
        name: &str,
    ) -> Result<Entry, Trouble> {
        let found = match reader.search(&self.user_search(dn, Scope::Base, filter, name)).await {
            Err(ConnectionError::Search(outcome)) if outcome.code == Code::NO_SUCH_OBJECT => Vec::new(),
            found => found?.entries,
        };
        found
            .into_iter()
            .next()
            .ok_or_else(|| Trouble::Rejected("the entry of the user cannot be read".to_owned()))
    }

    fn user_search<'a>(&'a self, base: &'a str, scope: Scope, filter: &Filter, name: &str) -> Search<'a> {
        let mut attributes = vec![self.rules.name_attribute.as_str()];
        if let Some(groups) = &self.rules.groups {
            attributes.extend_from_slice(groups.user_attributes());
        }
        Search { base, scope, filter: filter.encode(name), attributes, size_limit: USERS, page: None }
    }

    /// Who the user is, now that this is proved.
    async fn subject(&self, reader: &mut Connection, entry: &Entry, typed: &str) -> Result<Subject, Trouble> {
        let name = canonical_name(entry, &self.rules.name_attribute, typed)?;
        let groups = match &self.rules.groups {
            Some(groups) => groups.of(entry, reader).await?,
            None => Vec::new(),
        };
        let provider = self.rules.name.clone();
        Ok(Subject { name, login: LoginKind::Ldap, provider, groups, grants: Vec::new() })
    }

    fn candidates(&self) -> Vec<(usize, &Server)> {
        let order = self.failover().candidates(Instant::now()).into_iter();
        order.filter_map(|index| Some((index, self.rules.servers.get(index)?))).collect()
    }

    fn answered(&self, index: usize, server: &Server) {
        if self.failover().answered(index) {
            tracing::info!(provider = self.name(), %server, "a directory server answers again");
        }
    }

    fn failed(&self, index: usize, server: &Server, reason: &str) {
        if self.failover().failed(index, Instant::now()) {
            tracing::warn!(provider = self.name(), %server, reason, "a directory server does not work");
        }
    }

    fn failover(&self) -> MutexGuard<'_, Failover> {
        self.failover.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn idle(&self) -> MutexGuard<'_, Option<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the connection that was kept, if it is one to this server and still good.
    fn take_idle(&self, server: usize) -> Option<Connection> {
        let idle = self.idle().take()?;
        let is_good = idle.server == server && idle.since.elapsed() < IDLE && idle.connection.is_quiet();
        is_good.then_some(idle.connection)
    }

    fn keep(&self, server: usize, connection: Connection) {
        *self.idle() = Some(Idle { server, connection, since: Instant::now() });
    }
}

/// What the answer to the bind of a user says about the user.
fn verdict(outcome: &Outcome) -> Result<(), Trouble> {
    match outcome.code {
        Code::SUCCESS => Ok(()),
        Code::INVALID_CREDENTIALS
        | Code::CONSTRAINT_VIOLATION
        | Code::INAPPROPRIATE_AUTHENTICATION
        | Code::INSUFFICIENT_ACCESS
        | Code::NO_SUCH_OBJECT => Err(Trouble::Rejected(diagnosis::of_refusal(outcome))),
        code if is_overload(code) => Err(Trouble::Down(format!("it does not check passwords ({code})"))),
        code => Err(Trouble::Unsure(format!("it does not check the password ({code})"))),
    }
}

/// The name by which the user is known here, whatever was typed.
fn canonical_name(entry: &Entry, attribute: &str, typed: &str) -> Result<String, Trouble> {
    let names = entry.texts(attribute).filter(|name| is_acceptable(name)).collect::<Vec<_>>();
    let rejected = |what| Err(Trouble::Rejected(format!("the entry of the user shows {what} `{attribute}`")));
    match (names.iter().find(|name| name.eq_ignore_ascii_case(typed)), names.as_slice()) {
        (Some(name), _) | (None, [name]) => Ok((*name).to_owned()),
        (None, []) => rejected("no"),
        (None, _) => rejected("more than one"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(names: &[&str]) -> Entry {
        let values = names.iter().map(|name| name.as_bytes().to_vec()).collect();
        Entry { dn: "uid=ada".to_owned(), attributes: vec![("uid".to_owned(), values)] }
    }

    #[test]
    fn the_name_is_the_one_of_the_directory() {
        let name = |names: &[&str], typed: &str| canonical_name(&entry(names), "UID", typed).ok();
        assert_eq!(name(&["ada"], "ADA").as_deref(), Some("ada"));
        assert_eq!(name(&["ada"], "ada@example").as_deref(), Some("ada"));
        assert_eq!(name(&["lovelace", "ada"], "Ada").as_deref(), Some("ada"));
        assert_eq!(name(&["lovelace", "ada"], "al"), None);
        assert_eq!(name(&[], "ada"), None);
        assert_eq!(name(&["a\nb"], "ada"), None);
    }

    #[test]
    fn only_a_refusal_is_a_verdict() {
        let of = |code| verdict(&Outcome { code: Code(code), diagnostic: String::new() });
        assert_eq!(of(0), Ok(()));
        for code in [19, 32, 48, 49, 50] {
            assert!(matches!(of(code), Err(Trouble::Rejected(_))), "{code}");
        }
        for code in [51, 52] {
            assert!(matches!(of(code), Err(Trouble::Down(_))), "{code}");
        }
        for code in [1, 2, 8, 10, 13, 14, 34, 53, 80, -1, 4096] {
            assert!(matches!(of(code), Err(Trouble::Unsure(_))), "{code}");
        }
    }
}
