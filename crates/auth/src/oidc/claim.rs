//! What a token or a provider says about somebody, and which part of that is the name, the groups and the roles.
//!
//! It knows neither signatures nor who has said it.

use std::fmt;

use opendcre_model::{Extent, Grant, Login, Subject};
use serde::Deserialize;
use serde_json::Value;

use super::json::Object;
use crate::attempt::is_name;

/// The most groups, and the most roles, of one subject.
const MAX_NAMES: usize = 1000;

/// Where something stands in the claims: the name of a claim, or names that lead into objects, divided by dots.
///
/// A claim whose name is the whole path counts first, as `https://example.com/groups` has dots that lead nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimPath(String);

impl ClaimPath {
    /// Where `text` leads.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for ClaimPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Which claims say what.
#[derive(Debug, Clone)]
pub struct ClaimPaths {
    /// The name of the user.
    pub name: ClaimPath,
    /// Their groups, an array of names; without it, nobody has any.
    pub groups: Option<ClaimPath>,
    /// Roles that they have everywhere, an array of names; without it, nobody has any.
    pub roles: Option<ClaimPath>,
}

/// The claims.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(transparent)]
pub(super) struct Claims(Object);

impl Claims {
    /// A claim by its name.
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.0.0.get(name)
    }

    /// A claim that is a text.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Value::as_str)
    }

    /// The same with one more claim, unless it has one of that name.
    pub(super) fn or(mut self, name: &str, value: Value) -> Self {
        self.0.0.entry(name).or_insert(value);
        self
    }

    /// What stands at the end of a path.
    fn at(&self, path: &ClaimPath) -> Option<&Value> {
        self.get(&path.0).or_else(|| {
            let mut names = path.0.split('.');
            let first = self.get(names.next()?)?;
            names.try_fold(first, |value, name| value.as_object()?.get(name))
        })
    }

    /// Whether a claim that says who it is meant for names one of `audience` (RFC 7519 §4.1.3).
    pub(super) fn is_for(&self, audience: &[String]) -> bool {
        let is_ours =
            |value: &Value| value.as_str().is_some_and(|text| audience.iter().any(|ours| ours == text));
        match self.get("aud") {
            Some(Value::Array(several)) => several.iter().any(is_ours),
            Some(one) => is_ours(one),
            None => false,
        }
    }

    /// Who it is.
    ///
    /// # Errors
    /// Why the claims do not say so, in words for the log.
    pub(super) fn subject(&self, provider: &str, paths: &ClaimPaths) -> Result<Subject, String> {
        let name = self.at(&paths.name).and_then(Value::as_str);
        let name =
            name.ok_or_else(|| format!("there is no text at {}, which should be the name", paths.name))?;
        if !is_name(name) {
            return Err(format!("what stands at {} cannot be a name", paths.name));
        }
        let roles = self.names(paths.roles.as_ref())?.into_iter();
        Ok(Subject {
            name: name.to_owned(),
            login: Login::Oidc,
            provider: provider.to_owned(),
            groups: self.names(paths.groups.as_ref())?,
            grants: roles.map(|role| Grant { role, extent: Extent::default() }).collect(),
        })
    }

    /// An array of names. One that is not there is empty; anything else but an array might be read in several ways.
    fn names(&self, path: Option<&ClaimPath>) -> Result<Vec<String>, String> {
        let Some((path, value)) = path.and_then(|path| Some((path, self.at(path)?))) else {
            return Ok(Vec::new());
        };
        let Value::Array(values) = value else { return Err(format!("what stands at {path} is no array")) };
        if values.len() > MAX_NAMES {
            return Err(format!("there are more than {MAX_NAMES} names at {path}"));
        }
        let name = |value: &Value| value.as_str().filter(|name| is_name(name)).map(ToOwned::to_owned);
        let names: Option<Vec<String>> = values.iter().map(name).collect();
        names.ok_or_else(|| format!("what stands at {path} is no array of names"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn claims(value: &Value) -> Claims {
        serde_json::from_str(&value.to_string()).unwrap()
    }

    fn paths(name: &str, groups: &str, roles: &str) -> ClaimPaths {
        let path = |text: &str| (!text.is_empty()).then(|| ClaimPath(text.to_owned()));
        ClaimPaths { name: ClaimPath(name.to_owned()), groups: path(groups), roles: path(roles) }
    }

    #[test]
    fn name_groups_and_roles_come_from_any_depth() {
        let said = claims(&json!({
            "sub": "7", "preferred_username": "ada", "https://example.com/groups": ["ops"],
            "resource_access": {"opendcre": {"roles": ["operator", "auditor"]}},
        }));
        let wanted =
            paths("preferred_username", "https://example.com/groups", "resource_access.opendcre.roles");
        let subject = said.subject("sso", &wanted).unwrap();
        assert_eq!((subject.name.as_str(), subject.provider.as_str()), ("ada", "sso"));
        assert_eq!((subject.login, subject.groups), (Login::Oidc, vec!["ops".to_owned()]));
        let roles: Vec<_> = subject.grants.iter().map(|grant| grant.role.as_str()).collect();
        assert_eq!(roles, ["operator", "auditor"]);
        assert!(subject.grants.iter().all(|grant| grant.extent.is_everywhere()));
    }

    #[test]
    fn roles_and_groups_count_only_where_the_configuration_says_so() {
        let said = claims(&json!({"sub": "ada", "groups": ["admins"], "roles": ["admin"]}));
        let subject = said.subject("sso", &paths("sub", "", "")).unwrap();
        assert!(subject.groups.is_empty() && subject.grants.is_empty());
    }

    #[test]
    fn nobody_is_named_by_anything_but_a_short_plain_text() {
        for name in [json!(null), json!(7), json!(["ada"]), json!(""), json!("a\nb"), json!("a".repeat(257))]
        {
            let said = claims(&json!({ "sub": name }));
            assert!(said.subject("sso", &paths("sub", "", "")).is_err(), "{said:?}");
        }
        assert!(claims(&json!({})).subject("sso", &paths("sub", "", "")).is_err());
        assert!(claims(&json!({"sub": "a"})).subject("sso", &paths("sub.x", "", "")).is_err());
    }

    #[test]
    fn groups_are_an_array_of_texts_or_absent() {
        let many: Vec<String> = (0..1001).map(|number| format!("g{number}")).collect();
        for groups in [
            json!("admins"),
            json!({"admins": true}),
            json!(null),
            json!([1]),
            json!([["a"]]),
            json!([""]),
            json!(many),
        ] {
            let said = claims(&json!({ "sub": "ada", "groups": groups }));
            assert!(said.subject("sso", &paths("sub", "groups", "")).is_err(), "{groups}");
            assert!(said.subject("sso", &paths("sub", "", "groups")).is_err(), "{groups}");
        }
        assert!(claims(&json!({"sub": "ada"})).subject("sso", &paths("sub", "groups", "r")).is_ok());
    }

    #[test]
    fn an_audience_is_one_of_ours_and_not_a_part_of_it() {
        let ours = ["opendcre".to_owned(), "https://dcre".to_owned()];
        for (audience, expected) in [
            (json!("opendcre"), true),
            (json!(["other", "https://dcre"]), true),
            (json!("opendcre.evil"), false),
            (json!([]), false),
            (json!(["x"]), false),
            (json!({"opendcre": true}), false),
            (json!(null), false),
        ] {
            assert_eq!(claims(&json!({ "aud": audience })).is_for(&ours), expected, "{audience}");
        }
        assert!(!claims(&json!({})).is_for(&ours));
    }
}
