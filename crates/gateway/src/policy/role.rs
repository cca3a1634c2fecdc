//! Roles: names for sets of verbs. It does not know who has which.

use std::collections::BTreeMap;

use super::error::RoleDefect;
use super::{PolicyError, Verb};

/// A role of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// Its name.
    pub name: String,
    /// What it permits. Whoever may change something may also read, so both are named.
    pub verbs: Vec<Verb>,
}

impl Role {
    /// The names of the roles that are always there.
    pub const BUILT_IN: [&str; 4] = [BUILT_IN[0].0, BUILT_IN[1].0, BUILT_IN[2].0, BUILT_IN[3].0];
}

/// A set of verbs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Verbs(u8);

/// The roles that are always there.
const BUILT_IN: [(&str, Verbs); 4] = [
    ("viewer", Verbs::of(&[Verb::Read])),
    ("operator", Verbs::of(&[Verb::Read, Verb::Control])),
    ("admin", Verbs::of(&Verb::ALL)),
    ("auditor", Verbs::of(&[Verb::Read, Verb::Audit])),
];

/// All roles by their names.
#[derive(Debug)]
pub(super) struct Roles(BTreeMap<String, Verbs>);

impl Verbs {
    const fn of(verbs: &[Verb]) -> Self {
        let mut set = 0;
        let mut rest = verbs;
        while let [verb, others @ ..] = rest {
            set |= 1 << *verb as u8;
            rest = others;
        }
        Self(set)
    }

    /// Whether `verb` is one of them.
    pub(crate) const fn has(self, verb: Verb) -> bool {
        self.0 & (1 << verb as u8) != 0
    }
}

impl Roles {
    /// The roles that are always there.
    pub(super) fn built_in() -> Self {
        Self(BUILT_IN.iter().map(|(name, verbs)| ((*name).to_owned(), *verbs)).collect())
    }

    /// The built-in roles and `own`.
    pub(super) fn new(own: &[Role]) -> Result<Self, PolicyError> {
        let Self(mut roles) = Self::built_in();
        for role in own {
            let verbs = check(role, &roles)
                .map_err(|defect| PolicyError::Role { role: role.name.clone(), defect })?;
            roles.insert(role.name.clone(), verbs);
        }
        Ok(Self(roles))
    }

    /// What a role permits; nothing if there is no such role.
    pub(super) fn verbs(&self, name: &str) -> Option<Verbs> {
        self.0.get(name).copied()
    }

    /// The names of all roles.
    pub(super) fn names(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }
}

/// The longest name of a role.
const MAX_NAME: usize = 64;

fn check(role: &Role, others: &BTreeMap<String, Verbs>) -> Result<Verbs, RoleDefect> {
    let verbs = Verbs::of(&role.verbs);
    if !(1..=MAX_NAME).contains(&role.name.len())
        || role.name.contains(|c: char| c.is_whitespace() || c.is_control())
    {
        return Err(RoleDefect::BadName);
    }
    if others.contains_key(&role.name) {
        return Err(RoleDefect::Exists);
    }
    if role.verbs.is_empty() {
        return Err(RoleDefect::NoVerb);
    }
    // What somebody may not read does not exist for them, so there would be nothing to change.
    if role.verbs.iter().any(|verb| verb.is_change()) && !verbs.has(Verb::Read) {
        return Err(RoleDefect::ChangesUnseen);
    }
    Ok(verbs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verbs(roles: &Roles, name: &str) -> Vec<&'static str> {
        let set = roles.verbs(name).unwrap();
        Verb::ALL.into_iter().filter(|verb| set.has(*verb)).map(Verb::name).collect()
    }

    fn own(name: &str, verbs: &[Verb]) -> Role {
        Role { name: name.to_owned(), verbs: verbs.to_vec() }
    }

    #[test]
    fn built_in_roles_are_there_and_own_ones_besides() {
        let roles = Roles::new(&[own("night-shift", &[Verb::Control, Verb::Read])]).unwrap();
        assert_eq!(verbs(&roles, "viewer"), ["read"]);
        assert_eq!(verbs(&roles, "operator"), ["read", "control"]);
        assert_eq!(verbs(&roles, "admin"), ["read", "control", "configure", "audit"]);
        assert_eq!(verbs(&roles, "auditor"), ["read", "audit"]);
        assert_eq!(verbs(&roles, "night-shift"), ["read", "control"]);
        assert_eq!(roles.verbs("root"), None);
    }

    #[test]
    fn a_role_that_makes_no_sense_is_refused_by_name() {
        for (role, defect) in [
            (own("admin", &[Verb::Read]), RoleDefect::Exists),
            (own("", &[Verb::Read]), RoleDefect::BadName),
            (own("two words", &[Verb::Read]), RoleDefect::BadName),
            (own("idle", &[]), RoleDefect::NoVerb),
            (own("blind", &[Verb::Control]), RoleDefect::ChangesUnseen),
            (own("blind", &[Verb::Configure, Verb::Audit]), RoleDefect::ChangesUnseen),
        ] {
            let name = role.name.clone();
            assert_eq!(Roles::new(&[role]).unwrap_err(), PolicyError::Role { role: name, defect });
        }
        assert!(Roles::new(&[own("paper", &[Verb::Audit])]).is_ok());
        let twice = [own("a", &[Verb::Read]), own("a", &[Verb::Read])];
        assert!(matches!(Roles::new(&twice), Err(PolicyError::Role { defect: RoleDefect::Exists, .. })));
    }
}
