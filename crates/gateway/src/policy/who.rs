//! Patterns for users and groups: a name, or a login, its provider and a name, such as `ldap:corp/ada`.
//!
//! A name alone is that of any provider, but never that of a token or of a request that presents nothing: what those
//! may do is not to be had by choosing a name. Such a name is also never taken apart, so that nobody can be called
//! `ldap:corp/ada` at one provider and be taken for somebody of another.

use opendcre_model::{Login, Subject};

use crate::glob::Glob;

/// Every way to prove who one is.
const LOGINS: [Login; 7] = [
    Login::Anonymous,
    Login::Local,
    Login::Token,
    Login::Oidc,
    Login::Ldap,
    Login::Certificate,
    Login::Proxy,
];

/// A pattern for a user or a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Who {
    /// As it was written.
    text: String,
    login: Option<Login>,
    /// Nothing: any provider.
    provider: Option<Glob>,
    name: Glob,
}

/// A login, a provider and a name, as `login:provider/name` or `login:name` say it.
pub(super) struct Qualified<'a> {
    pub(super) login: Login,
    pub(super) provider: Option<&'a str>,
    pub(super) name: &'a str,
}

impl Who {
    /// A pattern; nothing if a part of it is empty or too long.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let Some(Qualified { login, provider, name }) = qualified(text) else {
            return Some(Self { text: text.to_owned(), login: None, provider: None, name: Glob::new(text)? });
        };
        let provider = match provider {
            Some(provider) => Some(Glob::new(provider)?),
            None => None,
        };
        Some(Self { text: text.to_owned(), login: Some(login), provider, name: Glob::new(name)? })
    }

    /// The pattern as it was written.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Whether somebody called `name` is meant, if only they logged in as the pattern says.
    pub(super) fn fits_namesake(&self, name: &str) -> bool {
        self.login.is_some() && self.name.matches(name)
    }

    /// Whether the name of `subject` is meant, or that of a group of theirs.
    pub(super) fn fits(&self, subject: &Subject, name: &str) -> bool {
        let is_named = match self.login {
            None => !matches!(subject.login, Login::Token | Login::Anonymous),
            Some(login) => login == subject.login,
        };
        is_named
            && self.provider.as_ref().is_none_or(|provider| provider.matches(&subject.provider))
            && self.name.matches(name)
    }
}

/// Takes a text apart that begins with a login. Tokens, and users of this machine, have no provider.
pub(super) fn qualified(text: &str) -> Option<Qualified<'_>> {
    let (login, rest) = text.split_once(':')?;
    let login = LOGINS.into_iter().find(|known| known.name() == login)?;
    let has_provider = !matches!(login, Login::Anonymous | Login::Local | Login::Token);
    Some(match rest.split_once('/').filter(|_| has_provider) {
        Some((provider, name)) => Qualified { login, provider: Some(provider), name },
        None => Qualified { login, provider: None, name: rest },
    })
}

/// The login of this name.
pub(super) fn login(name: &str) -> Option<Login> {
    LOGINS.into_iter().find(|login| login.name() == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(login: Login, provider: &str, name: &str) -> Subject {
        Subject { name: name.to_owned(), login, provider: provider.to_owned(), ..Subject::anonymous() }
    }

    fn fits(pattern: &str, login: Login, provider: &str, name: &str) -> bool {
        Who::parse(pattern).unwrap().fits(&subject(login, provider, name), name)
    }

    #[test]
    fn a_name_alone_is_that_of_any_provider() {
        assert!(fits("ada", Login::Ldap, "corp", "ada"));
        assert!(fits("a*", Login::Oidc, "sso", "ada"));
        assert!(fits("*", Login::Certificate, "", "ada"));
        assert!(!fits("ada", Login::Ldap, "corp", "Ada"));
    }

    #[test]
    fn a_login_and_its_provider_count_where_they_are_given() {
        assert!(fits("ldap:corp/*", Login::Ldap, "corp", "ada"));
        assert!(fits("ldap:*/ada", Login::Ldap, "corp", "ada"));
        assert!(fits("ldap:ada", Login::Ldap, "corp", "ada"));
        assert!(!fits("ldap:corp/*", Login::Ldap, "lab", "ada"));
        assert!(!fits("ldap:corp/*", Login::Oidc, "corp", "ada"));
        assert!(fits("oidc:sso//ops/night", Login::Oidc, "sso", "/ops/night"));
    }

    #[test]
    fn nobody_becomes_somebody_else_by_a_name() {
        assert!(!fits("ldap:corp/ada", Login::Proxy, "nginx", "ldap:corp/ada"));
        assert!(!fits("ldap:corp/ada", Login::Ldap, "lab", "corp/ada"));
        assert!(!fits("ldap:ada", Login::Proxy, "nginx", "ldap:ada"));
        assert!(!fits("ada", Login::Token, "", "ada"));
        assert!(!fits("*", Login::Token, "", "ada"));
        assert!(!fits("*", Login::Anonymous, "", "anonymous"));
    }

    #[test]
    fn tokens_and_anonymous_requests_are_meant_if_they_are_named() {
        assert!(fits("token:backup", Login::Token, "", "backup"));
        assert!(fits("token:a/b", Login::Token, "", "a/b"));
        assert!(fits("anonymous:*", Login::Anonymous, "", "anonymous"));
        assert!(!fits("token:backup", Login::Token, "", "backup2"));
    }

    #[test]
    fn a_pattern_has_no_empty_parts() {
        for text in ["", "ldap:", "ldap:/ada", "ldap:corp/", "token:"] {
            assert_eq!(Who::parse(text), None, "{text}");
        }
        assert!(Who::parse("urn:example:ada").is_some(), "a name with a colon");
    }
}
