//! Which provider to log in with, and what to ask it for.

use serde::Deserialize;

use super::LoginError;
use crate::cli::LoginArgs;

/// A provider, as the server or the options describe it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Provider {
    /// Its name in the configuration of the server.
    #[serde(default)]
    pub(super) name: String,
    /// Its URL.
    pub(super) issuer: String,
    /// Who this program is to it.
    pub(super) client_id: String,
    /// What to ask it for.
    #[serde(default)]
    pub(super) scopes: Vec<String>,
    /// For what (RFC 8707 §2).
    #[serde(default)]
    pub(super) resource: Option<String>,
}

/// What the server says about its providers.
#[derive(Debug, Deserialize)]
pub(super) struct Providers {
    items: Vec<Provider>,
}

impl Provider {
    /// The one that the options describe, if they do.
    pub(super) fn of_options(args: &LoginArgs) -> Option<Self> {
        let provider = Self {
            name: String::new(),
            issuer: args.issuer.clone()?,
            client_id: args.client_id.clone()?,
            scopes: vec!["openid".to_owned()],
            resource: None,
        };
        Some(provider.with(args))
    }

    fn with(mut self, args: &LoginArgs) -> Self {
        if !args.scopes.is_empty() {
            self.scopes.clone_from(&args.scopes);
        }
        self.resource = args.resource.clone().or(self.resource);
        self
    }

    /// The scopes in one text (RFC 6749 §3.3).
    pub(super) fn scope(&self) -> String {
        self.scopes.join(" ")
    }

    /// The parameters of a first request: who asks, for what.
    pub(super) fn parameters<'a>(&'a self, scope: &'a str) -> Vec<(&'a str, &'a str)> {
        let resource = self.resource.as_deref().map(|resource| ("resource", resource));
        [("client_id", self.client_id.as_str()), ("scope", scope)].into_iter().chain(resource).collect()
    }
}

/// The provider that `args` name, or the only one.
pub(super) fn choose(args: &LoginArgs, providers: Providers) -> Result<Provider, LoginError> {
    let names: Vec<String> = providers.items.iter().map(|provider| provider.name.clone()).collect();
    let no_provider = |reason: String| Err(LoginError::NoProvider(reason));
    let is_named = |provider: &Provider| args.provider.as_ref().is_none_or(|wanted| *wanted == provider.name);
    let mut fitting = providers.items.into_iter().filter(is_named);
    match (fitting.next(), fitting.next(), &args.provider) {
        (Some(provider), None, _) => Ok(provider.with(args)),
        (Some(_), Some(_), _) => no_provider(format!(
            "the server knows several providers; choose with --provider: {}",
            names.join(", ")
        )),
        (None, _, Some(wanted)) if !names.is_empty() => {
            no_provider(format!("the server knows no provider {wanted}; it knows {}", names.join(", ")))
        }
        (None, ..) => no_provider(
            "the server knows no provider to log in with; use a token, or --user for a directory".to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    fn args(words: &str) -> LoginArgs {
        match Cli::try_parse_from(format!("opendcre login {words}").split_whitespace()).unwrap().command {
            Command::Login(args) => args,
            _ => panic!("not a login"),
        }
    }

    fn providers(names: &[&str]) -> Providers {
        let one = |name: &&str| serde_json::json!({"name": name, "issuer": "https://sso", "client_id": "cli", "scopes": ["openid", "groups"]});
        serde_json::from_value(serde_json::json!({"items": names.iter().map(one).collect::<Vec<_>>()}))
            .unwrap()
    }

    #[test]
    fn the_only_provider_or_the_one_that_is_named_is_chosen() {
        let provider = choose(&args(""), providers(&["sso"])).unwrap();
        assert_eq!((provider.scope().as_str(), provider.resource.as_deref()), ("openid groups", None));
        let words = "--provider b --scope a --resource https://r";
        let provider = choose(&args(words), providers(&["a", "b"])).unwrap();
        assert_eq!(provider.name, "b");
        assert_eq!(
            provider.parameters("a"),
            [("client_id", "cli"), ("scope", "a"), ("resource", "https://r")]
        );
    }

    #[test]
    fn what_cannot_be_chosen_is_explained() {
        let refused =
            |words: &str, names: &[&str]| choose(&args(words), providers(names)).unwrap_err().to_string();
        assert!(refused("", &["a", "b"]).ends_with("choose with --provider: a, b"));
        assert!(refused("--provider x", &["a"]).ends_with("no provider x; it knows a"));
        assert!(refused("", &[]).contains("use a token"));
    }

    #[test]
    fn options_say_everything_themselves() {
        let provider = Provider::of_options(&args("--issuer https://sso --client-id cli --scope x")).unwrap();
        assert_eq!((provider.issuer.as_str(), provider.scope().as_str()), ("https://sso", "x"));
        assert_eq!(Provider::of_options(&args("")), None);
        assert!(Cli::try_parse_from(["opendcre", "login", "--issuer", "https://sso"]).is_err());
        assert!(Cli::try_parse_from(["opendcre", "login", "--device", "--browser"]).is_err());
    }
}
