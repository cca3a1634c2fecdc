//! What may be done, by whom, and where: the one place that decides it.
//!
//! A [`Role`] is a set of [`Verb`]s. A [`Rule`] grants a role to users and groups, within an [`Extent`]; tokens and
//! providers bring grants of their own. Whoever has no grant may do nothing. It knows neither how somebody has proved
//! who they are, nor what becomes of a refusal; the door asks it about every command.

mod error;
mod explain;
mod reach;
mod rights;
mod role;
mod selector;
#[cfg(test)]
mod tests;
mod verb;
mod who;

use std::collections::BTreeSet;
use std::ops::Deref;

use opendcre_model::{Extent, Grant, Login, Subject, excerpt};

pub use error::{GrantDefect, PolicyError, RoleDefect};
pub use explain::{Considered, Explanation, Question, WhyError};
pub use rights::{Place, Rights};
pub use role::Role;
pub use verb::Verb;

pub(crate) use explain::Asked;
pub(crate) use reach::Reach;
pub(crate) use selector::{names_board, names_device};

use crate::inventory::Inventory;
use reach::Regions;
use role::{Roles, Verbs};
use selector::Selector;
use who::Who;

/// What the configuration says about who may do what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PolicySettings {
    /// Roles besides `viewer`, `operator`, `admin` and `auditor`.
    pub roles: Vec<Role>,
    /// Who has which role, and where.
    pub rules: Vec<Rule>,
    /// The role of requests that present nothing, everywhere. Without it they may do nothing, unless a rule names
    /// `anonymous:*`.
    pub anonymous_role: Option<String>,
    /// Everybody may do everything, whatever else is said.
    pub open: bool,
}

/// A role for users and groups.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rule {
    /// The name of the role.
    pub role: String,
    /// Patterns for users: a name, or a login, a provider and a name, as in `ldap:corp/ada`. A token is meant only by
    /// `token:NAME`.
    pub users: Vec<String>,
    /// Patterns for groups: a name, or a login, a provider and a name, as in `oidc:sso/ops`.
    pub groups: Vec<String>,
    /// Where the role holds.
    pub extent: Extent,
}

/// Who may do what, and where.
#[derive(Debug)]
pub struct Policy {
    roles: Roles,
    rules: Vec<Understood>,
    anonymous_role: Option<String>,
    is_open: bool,
    regions: Regions,
}

/// A rule that was understood.
#[derive(Debug)]
struct Understood {
    role: String,
    verbs: Verbs,
    users: Vec<Who>,
    groups: Vec<Who>,
    extent: Extent,
}

/// Whom a rule is for that names how they log in.
#[derive(Debug, Clone, Copy)]
enum Namesake<'a> {
    User(&'a Who),
    Member(&'a Who),
}

/// A role that somebody has.
#[derive(Debug, Clone, Copy)]
struct Held<'a> {
    source: Source,
    role: &'a str,
    verbs: Verbs,
    extent: &'a Extent,
}

/// Where a role comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// The rule at this place, from 0.
    Rule(usize),
    /// What proves who they are, such as a token.
    Proof,
    /// That they present nothing.
    Anonymous,
}

/// Where a role holds that has no limits.
static EVERYWHERE: Extent = Extent {
    racks: Vec::new(),
    boards: Vec::new(),
    devices: Vec::new(),
    board_groups: Vec::new(),
    labels: Vec::new(),
    nodes: None,
};

impl Policy {
    /// What `settings` say.
    ///
    /// # Errors
    /// When a role, a rule or the role of anonymous requests makes no sense.
    pub fn new(settings: PolicySettings) -> Result<Self, PolicyError> {
        let PolicySettings { roles, rules, anonymous_role, open } = settings;
        let roles = Roles::new(&roles)?;
        if let Some(role) = anonymous_role.as_ref().filter(|role| roles.verbs(role).is_none()) {
            return Err(PolicyError::Anonymous { role: excerpt(role), defect: unknown_role(&roles) });
        }
        let rules = rules.into_iter().enumerate().map(|(index, rule)| {
            let role = excerpt(&rule.role);
            understand(rule, &roles).map_err(|defect| PolicyError::Rule { number: index + 1, role, defect })
        });
        let rules = rules.collect::<Result<_, _>>()?;
        Ok(Self { roles, rules, anonymous_role, is_open: open, regions: Regions::default() })
    }

    /// Everybody may do everything: for a service that only its owner can reach.
    #[must_use]
    pub fn open() -> Self {
        Self {
            roles: Roles::built_in(),
            rules: Vec::new(),
            anonymous_role: None,
            is_open: true,
            regions: Regions::default(),
        }
    }

    /// Whether everybody may do everything.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.is_open
    }

    /// Checks a grant that shall come with a token, so that whoever makes it learns of a mistake.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self, grant: &Grant) -> Result<(), GrantDefect> {
        if self.roles.verbs(&grant.role).is_none() {
            return Err(unknown_role(&self.roles));
        }
        Selector::of(&grant.extent).map(drop)
    }

    /// The roles that `subject` has.
    fn held<'a>(&'a self, subject: &'a Subject) -> impl Iterator<Item = Held<'a>> {
        let rules = self.rules.iter().enumerate().filter(|(_, rule)| rule.is_for(subject));
        let rules = rules.map(|(index, rule)| rule.held(index));
        let own = subject.grants.iter().filter_map(|grant| {
            let verbs = self.roles.verbs(&grant.role)?;
            Some(Held { source: Source::Proof, role: &grant.role, verbs, extent: &grant.extent })
        });
        let role = self.anonymous_role.as_deref().filter(|_| subject.login == Login::Anonymous);
        let anonymous = role.and_then(|role| {
            let verbs = self.roles.verbs(role)?;
            Some(Held { source: Source::Anonymous, role, verbs, extent: &EVERYWHERE })
        });
        anonymous.into_iter().chain(own).chain(rules)
    }

    /// The names of the roles that `subject` has, each once.
    pub(crate) fn roles(&self, subject: &Subject) -> Vec<String> {
        let names: BTreeSet<&str> = self.held(subject).map(|held| held.role).collect();
        names.into_iter().map(str::to_owned).collect()
    }

    /// Where `subject` may do `verb`. The inventory is needed only for whoever may not do it everywhere.
    pub(crate) fn reach<I: Deref<Target = Inventory>>(
        &self,
        subject: &Subject,
        verb: Verb,
        inventory: impl FnOnce() -> I,
    ) -> Reach {
        if self.is_open {
            return Reach::Everything;
        }
        let mut extents = Vec::new();
        for held in self.held(subject).filter(|held| held.verbs.has(verb)) {
            if held.extent.is_everywhere() {
                return Reach::Everything;
            }
            extents.push(held.extent);
        }
        if extents.is_empty() {
            return Reach::Regions(Vec::new());
        }
        let inventory = inventory();
        Reach::Regions(extents.into_iter().map(|extent| self.regions.get(extent, &inventory)).collect())
    }
}

impl Understood {
    fn is_for(&self, subject: &Subject) -> bool {
        let is_user = self.users.iter().any(|user| user.fits(subject, &subject.name));
        let is_member = |group: &Who| subject.groups.iter().any(|name| group.fits(subject, name));
        is_user || self.groups.iter().any(is_member)
    }

    /// What somebody of the same name, or in a group of the same name, would have to be for the rule to be for them.
    fn namesake(&self, subject: &Subject) -> Option<Namesake<'_>> {
        let user = self.users.iter().find(|user| user.fits_namesake(&subject.name)).map(Namesake::User);
        let is_member = |group: &&Who| subject.groups.iter().any(|name| group.fits_namesake(name));
        user.or_else(|| self.groups.iter().find(is_member).map(Namesake::Member))
    }

    fn held(&self, index: usize) -> Held<'_> {
        Held { source: Source::Rule(index), role: &self.role, verbs: self.verbs, extent: &self.extent }
    }
}

fn understand(rule: Rule, roles: &Roles) -> Result<Understood, GrantDefect> {
    let Rule { role, users, groups, extent } = rule;
    let verbs = roles.verbs(&role).ok_or_else(|| unknown_role(roles))?;
    if users.is_empty() && groups.is_empty() {
        return Err(GrantDefect::Nobody);
    }
    let (users, groups) = (people("users", &users)?, people("groups", &groups)?);
    Selector::of(&extent)?;
    Ok(Understood { role, verbs, users, groups, extent })
}

fn people(list: &'static str, texts: &[String]) -> Result<Vec<Who>, GrantDefect> {
    let bad = |text: &String| GrantDefect::BadGlob { list, text: excerpt(text) };
    texts.iter().map(|text| Who::parse(text).ok_or_else(|| bad(text))).collect()
}

fn unknown_role(roles: &Roles) -> GrantDefect {
    GrantDefect::UnknownRole { known: roles.names().into_iter().map(str::to_owned).collect() }
}
