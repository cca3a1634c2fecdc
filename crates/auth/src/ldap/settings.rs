//! What the configuration says about a directory, and whether it makes sense.

use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use secrecy::SecretString;
use thiserror::Error;

use super::account::Realm;
use super::decoy::Decoy;
use super::filter::{Filter, FilterError, USER, description};
use super::name::{BindName, refused_password};
use super::server::Server;

/// How many servers a directory has at most.
const MAX_SERVERS: usize = 16;
/// In `group_name`: groups are called by their distinguished names.
const DN: &str = "dn";

/// A directory, as the configuration describes it.
#[derive(Debug, Clone)]
pub struct LdapSettings {
    /// Its name in the configuration.
    pub name: String,
    /// Its servers in the order in which they are asked: `ldaps://host[:port]`, or `ldap://host[:port]`, which means
    /// `StartTLS`. Nothing is ever sent in plain text.
    pub urls: Vec<String>,
    /// The authorities whose certificates are accepted; nothing: those of the system.
    pub roots: Option<Vec<CertificateDer<'static>>>,
    /// The service account that searches; nothing: searches are anonymous, or done by the user where `user_dn` is given.
    pub bind_dn: Option<String>,
    /// The password of the service account.
    pub bind_password: Option<SecretString>,
    /// Below which entry users are.
    pub user_base: Option<String>,
    /// Which entry is that of `{user}` (RFC 4515).
    pub user_filter: Option<String>,
    /// The name with which a user binds at once, without a search before it: a distinguished name or a user principal
    /// name with `{user}` in it.
    pub user_dn: Option<String>,
    /// The attribute that holds the name by which a user is known here.
    pub name_attribute: String,
    /// How groups are found; nothing: nobody has groups.
    pub groups: Option<GroupLookup>,
    /// Below which entry groups are.
    pub group_base: Option<String>,
    /// The attribute by which groups are called here, or `dn`. Only `dn` is unique by itself: with an attribute,
    /// whoever may make a group anywhere below `group_base` may choose its name.
    pub group_name: String,
    /// How long an attempt to log in may take altogether, all servers included.
    pub timeout: Duration,
    /// How long an accepted password is accepted without asking again. So long a change of groups may take to count.
    pub cache: Duration,
    /// How long a rejected password is rejected without asking again.
    pub negative_cache: Duration,
}

/// How the groups of a user are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupLookup {
    /// In the attribute `memberOf` of the user, as far as the server fills it in: some leave out nested groups, and
    /// Active Directory leaves out nested ones and the primary group.
    MemberOf,
    /// By `member` of the groups (`groupOfNames`, RFC 4519 §3.5), and of the groups that have those as members.
    GroupOfNames,
    /// By Active Directory, which follows nested groups itself ([MS-ADTS] §3.1.1.3.4.4,
    /// `LDAP_MATCHING_RULE_TRANSITIVE_EVAL`), and with the primary group.
    ActiveDirectory,
}

/// What is wrong with the description of a directory.
#[derive(Debug, Error)]
pub enum SettingsError {
    /// No server is named.
    #[error("ldap `{0}` has no server; give `urls`")]
    NoServer(String),
    /// Too many servers are named.
    #[error("ldap `{0}` has more than {MAX_SERVERS} servers in `urls`")]
    TooManyServers(String),
    /// The address of a server is not one.
    #[error(
        "ldap `{name}`: `{url}` is no address of a server; write ldaps://host[:port], or ldap://host[:port] for StartTLS"
    )]
    Url {
        /// The directory.
        name: String,
        /// The address.
        url: String,
    },
    /// A key that others ask for is missing.
    #[error("ldap `{name}` lacks `{key}`, which {reason}")]
    Missing {
        /// The directory.
        name: String,
        /// The key.
        key: &'static str,
        /// What needs it.
        reason: &'static str,
    },
    /// A template lacks the place for the name.
    #[error("ldap `{name}`: `{key}` lacks {USER}, so that it is the same for everybody")]
    NoUser {
        /// The directory.
        name: String,
        /// The key.
        key: &'static str,
    },
    /// A filter is not one.
    #[error("ldap `{name}`: `user_filter` is no filter: {reason}")]
    Filter {
        /// The directory.
        name: String,
        /// What is wrong with it.
        #[source]
        reason: FilterError,
    },
    /// An attribute is not one.
    #[error("ldap `{name}`: `{key}` is no name of an attribute")]
    Attribute {
        /// The directory.
        name: String,
        /// The key.
        key: &'static str,
    },
    /// The password of the service account would bind nobody.
    #[error("ldap `{name}`: `bind_password_file` is of no use: {reason}")]
    ServicePassword {
        /// The directory.
        name: String,
        /// Why.
        reason: &'static str,
    },
    /// A time of zero leaves no time to log in.
    #[error("ldap `{0}`: `timeout` is zero; give it at least a second")]
    NoTime(String),
    /// No authority can be trusted.
    #[error("ldap `{name}` trusts no authority: {reason}; give `ca`")]
    Roots {
        /// The directory.
        name: String,
        /// Why.
        reason: String,
    },
    /// TLS cannot be set up.
    #[error("ldap `{name}`: TLS cannot be set up: {reason}")]
    Tls {
        /// The directory.
        name: String,
        /// Why.
        #[source]
        reason: rustls::Error,
    },
    /// The system has no randomness for the key of the cache, or for a name that nobody has.
    #[error("ldap `{0}`: the system gives no random numbers")]
    Random(String),
}

/// What follows from the settings.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) name: String,
    pub(super) servers: Vec<Server>,
    pub(super) tls: Arc<ClientConfig>,
    pub(super) service: Option<Account>,
    pub(super) login: Login,
    /// Of whom the names of users are.
    pub(super) realm: Realm,
    pub(super) name_attribute: String,
    pub(super) groups: Option<GroupRules>,
    pub(super) timeout: Duration,
}

/// The service account.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) dn: String,
    pub(super) password: SecretString,
}

/// How a user proves who it is.
#[derive(Debug)]
pub(super) enum Login {
    /// The entry is searched for, and its name is bound with; where there is none, that of nobody.
    Search(UserSearch, Decoy),
    /// A name that is made of the typed one is bound with.
    Direct(Direct),
}

/// A bind without a search before it.
#[derive(Debug)]
pub(super) struct Direct {
    pub(super) template: BindName,
    pub(super) entry: UserEntry,
}

/// Where the entry of a user who is bound already is.
#[derive(Debug)]
pub(super) enum UserEntry {
    /// It has the name that was bound with, and this filter must be true for it.
    Named(Filter),
    /// It must be searched for.
    Found(UserSearch),
}

/// Where the entry of a user is.
#[derive(Debug)]
pub(super) struct UserSearch {
    pub(super) base: String,
    pub(super) filter: Filter,
}

/// How groups are found.
#[derive(Debug)]
pub(super) enum GroupRules {
    MemberOf { called: GroupName },
    GroupOfNames { base: String, called: GroupName },
    ActiveDirectory { base: String, called: GroupName },
}

/// What groups are called by.
#[derive(Debug)]
pub(super) enum GroupName {
    Dn,
    Attribute(String),
}

impl LdapSettings {
    /// Checks everything that can be checked without a server.
    pub(super) fn rules(self) -> Result<Rules, SettingsError> {
        if self.timeout.is_zero() {
            return Err(SettingsError::NoTime(self.name));
        }
        Ok(Rules {
            servers: self.servers()?,
            tls: self.tls()?,
            service: self.service()?,
            login: self.login()?,
            realm: self.realm(),
            name_attribute: self.attribute("name_attribute", &self.name_attribute)?,
            groups: self.group_rules()?,
            timeout: self.timeout,
            name: self.name,
        })
    }

    fn servers(&self) -> Result<Vec<Server>, SettingsError> {
        match self.urls.len() {
            0 => return Err(SettingsError::NoServer(self.name.clone())),
            1..=MAX_SERVERS => {}
            _ => return Err(SettingsError::TooManyServers(self.name.clone())),
        }
        let parse = |url: &String| {
            Server::parse(url).ok_or_else(|| SettingsError::Url { name: self.name.clone(), url: url.clone() })
        };
        self.urls.iter().map(parse).collect()
    }

    fn tls(&self) -> Result<Arc<ClientConfig>, SettingsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|reason| SettingsError::Tls { name: self.name.clone(), reason })?
            .with_root_certificates(self.root_store()?)
            .with_no_client_auth();
        Ok(Arc::new(config))
    }

    fn root_store(&self) -> Result<RootCertStore, SettingsError> {
        let failed = |reason| SettingsError::Roots { name: self.name.clone(), reason };
        let mut store = RootCertStore::empty();
        let Some(roots) = &self.roots else {
            let system = rustls_native_certs::load_native_certs();
            store.add_parsable_certificates(system.certs);
            return if store.is_empty() { Err(failed("the system has none".to_owned())) } else { Ok(store) };
        };
        for root in roots {
            store.add(root.clone()).map_err(|error| failed(error.to_string()))?;
        }
        if store.is_empty() { Err(failed("`ca` holds none".to_owned())) } else { Ok(store) }
    }

    fn service(&self) -> Result<Option<Account>, SettingsError> {
        match (&self.bind_dn, &self.bind_password) {
            (None, None) => Ok(None),
            (Some(dn), _) if dn.is_empty() => Err(self.missing("bind_dn", "must not be empty")),
            (Some(_), None) => Err(self.missing("bind_password_file", "goes with `bind_dn`")),
            (None, Some(_)) => Err(self.missing("bind_dn", "goes with `bind_password_file`")),
            (Some(dn), Some(password)) => match refused_password(password) {
                Some(reason) => Err(SettingsError::ServicePassword { name: self.name.clone(), reason }),
                None => Ok(Some(Account { dn: dn.clone(), password: password.clone() })),
            },
        }
    }

    fn login(&self) -> Result<Login, SettingsError> {
        let Some(template) = &self.user_dn else {
            let text = self.user_filter.as_deref();
            let text =
                text.ok_or_else(|| self.missing("user_filter", "finds users where `user_dn` is not given"))?;
            let search = self.user_search(self.user_filter(text)?)?;
            let decoy = Decoy::below(&search.base).map_err(|_| SettingsError::Random(self.name.clone()))?;
            return Ok(Login::Search(search, decoy));
        };
        if !template.contains(USER) {
            return Err(SettingsError::NoUser { name: self.name.clone(), key: "user_dn" });
        }
        let template = BindName::new(template);
        let given = self.user_filter.as_deref();
        let entry = match &template {
            BindName::Dn(_) => {
                let filter = given.map(|text| self.filter(text)).transpose()?;
                UserEntry::Named(filter.unwrap_or_else(Filter::anything))
            }
            BindName::Principal(name) => {
                let filter = match given {
                    Some(text) => self.user_filter(text)?,
                    None => self.user_filter(&format!("(userPrincipalName={name})"))?,
                };
                UserEntry::Found(self.user_search(filter)?)
            }
        };
        Ok(Login::Direct(Direct { template, entry }))
    }

    /// That of all users; where nobody says where they are, that of the names that are made for them.
    fn realm(&self) -> Realm {
        let base = self.user_base.as_deref().or(self.user_dn.as_deref());
        Realm::of(base.unwrap_or_default())
    }

    fn user_search(&self, filter: Filter) -> Result<UserSearch, SettingsError> {
        let base = self.user_base.clone();
        let base = base.ok_or_else(|| self.missing("user_base", "says below which entry users are"))?;
        Ok(UserSearch { base, filter })
    }

    fn user_filter(&self, text: &str) -> Result<Filter, SettingsError> {
        let filter = self.filter(text)?;
        if filter.wants_user() {
            Ok(filter)
        } else {
            Err(SettingsError::NoUser { name: self.name.clone(), key: "user_filter" })
        }
    }

    fn filter(&self, text: &str) -> Result<Filter, SettingsError> {
        Filter::parse(text).map_err(|reason| SettingsError::Filter { name: self.name.clone(), reason })
    }

    fn group_rules(&self) -> Result<Option<GroupRules>, SettingsError> {
        let Some(lookup) = self.groups else { return Ok(None) };
        let called = match self.group_name.as_str() {
            DN => GroupName::Dn,
            attribute => GroupName::Attribute(self.attribute("group_name", attribute)?),
        };
        let base = self.group_base.clone();
        let base = base.ok_or_else(|| self.missing("group_base", "says below which entry groups are"));
        Ok(Some(match lookup {
            GroupLookup::MemberOf => GroupRules::MemberOf { called },
            GroupLookup::GroupOfNames => GroupRules::GroupOfNames { base: base?, called },
            GroupLookup::ActiveDirectory => GroupRules::ActiveDirectory { base: base?, called },
        }))
    }

    fn attribute(&self, key: &'static str, text: &str) -> Result<String, SettingsError> {
        description(text).ok_or_else(|| SettingsError::Attribute { name: self.name.clone(), key })
    }

    fn missing(&self, key: &'static str, reason: &'static str) -> SettingsError {
        SettingsError::Missing { name: self.name.clone(), key, reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> LdapSettings {
        let root = rcgen::generate_simple_self_signed(["ca.example".to_owned()]).unwrap();
        LdapSettings {
            name: "corp".to_owned(),
            urls: vec!["ldaps://dc1.example".to_owned()],
            roots: Some(vec![root.cert.der().clone()]),
            bind_dn: Some("cn=svc,dc=example".to_owned()),
            bind_password: Some(SecretString::from("marked-secret")),
            user_base: Some("dc=example".to_owned()),
            user_filter: Some("(uid={user})".to_owned()),
            user_dn: None,
            name_attribute: "uid".to_owned(),
            groups: Some(GroupLookup::GroupOfNames),
            group_base: Some("dc=example".to_owned()),
            group_name: "cn".to_owned(),
            timeout: Duration::from_secs(5),
            cache: Duration::from_secs(60),
            negative_cache: Duration::from_secs(10),
        }
    }

    /// What is wrong with settings of which one thing was changed.
    fn wrong(change: impl FnOnce(&mut LdapSettings)) -> String {
        let mut settings = settings();
        change(&mut settings);
        settings.rules().unwrap_err().to_string()
    }

    #[test]
    fn accepts_each_way_to_log_in() {
        assert!(matches!(settings().rules().unwrap().login, Login::Search(..)));
        let dn = Some("uid={user},dc=example".to_owned());
        let rules = LdapSettings { user_dn: dn, user_base: None, user_filter: None, ..settings() }.rules();
        let Login::Direct(direct) = rules.unwrap().login else { panic!("not direct") };
        assert!(matches!(direct.entry, UserEntry::Named(_)));
        let upn = Some("{user}@ad.example".to_owned());
        let rules = LdapSettings { user_dn: upn, user_filter: None, ..settings() }.rules().unwrap();
        let Login::Direct(Direct { entry: UserEntry::Found(search), .. }) = rules.login else {
            panic!("no search")
        };
        assert_eq!(search.filter, Filter::parse("(userPrincipalName={user}@ad.example)").unwrap());
    }

    #[test]
    fn says_which_key_is_wrong() {
        assert!(wrong(|s| s.urls.clear()).contains("urls"));
        assert!(wrong(|s| s.urls = vec![String::new(); 17]).contains("urls"));
        assert!(wrong(|s| s.urls = vec!["http://x".to_owned()]).contains("http://x"));
        assert!(wrong(|s| s.roots = Some(Vec::new())).contains("`ca`"));
        assert!(wrong(|s| s.roots = Some(vec![CertificateDer::from(vec![1])])).contains("`ca`"));
        assert!(wrong(|s| s.bind_dn = None).contains("bind_dn"));
        assert!(wrong(|s| s.bind_dn = Some(String::new())).contains("empty"));
        assert!(wrong(|s| s.bind_password = None).contains("bind_password_file"));
        assert!(wrong(|s| s.bind_password = Some(SecretString::from(""))).contains("empty"));
        assert!(wrong(|s| s.user_base = None).contains("user_base"));
        assert!(wrong(|s| s.user_filter = None).contains("user_filter"));
        assert!(wrong(|s| s.user_filter = Some("(uid=ada)".to_owned())).contains("{user}"));
        assert!(wrong(|s| s.user_filter = Some("(uid={user}".to_owned())).contains("lacks `)`"));
        assert!(wrong(|s| s.user_dn = Some("uid=ada".to_owned())).contains("user_dn"));
        assert!(wrong(|s| s.name_attribute = "a b".to_owned()).contains("name_attribute"));
        assert!(wrong(|s| s.group_name = "(".to_owned()).contains("group_name"));
        assert!(wrong(|s| s.group_base = None).contains("group_base"));
        assert!(wrong(|s| s.timeout = Duration::ZERO).contains("timeout"));
    }

    #[test]
    fn nothing_shows_the_password() {
        assert!(!format!("{:?}", settings()).contains("marked-secret"));
        assert!(!format!("{:?}", settings().rules().unwrap()).contains("marked-secret"));
    }
}
