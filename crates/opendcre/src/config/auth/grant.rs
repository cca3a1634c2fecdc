//! Roles, and who has them where.

use std::collections::HashSet;

use opendcre_gateway as gateway;
use opendcre_model::Extent;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::check::Findings;

/// What a role permits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    /// Look at equipment.
    Read,
    /// Change what it does: power, lamps, fans, boot target.
    Control,
    /// Change what it is: asset texts, event logs, raw commands.
    Configure,
    /// Read the audit log.
    Audit,
}

/// A role besides viewer, operator, admin and auditor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Role {
    /// Its name: 1 to 32 letters, digits, `-` and `_`, unique.
    pub name: String,
    /// What it permits.
    pub verbs: Vec<Verb>,
}

/// Who has a role, and where. What is given of racks, boards, devices, groups of boards, labels and nodes must all be
/// fulfilled; nothing given is everywhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// The role.
    pub role: String,
    /// Users: a name, or `login:provider/name`, such as `ldap:corp/ada`; `*` stands for any text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub users: Vec<String>,
    /// Groups of users: a name, or `login:provider/name`; `*` stands for any text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// Racks; `*` stands for any text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub racks: Vec<String>,
    /// Boards: ids, names, host names or IP addresses; `*` stands for any text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub boards: Vec<String>,
    /// Devices: ids, names or kinds; `*` stands for any text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<String>,
    /// Groups of boards; `*` stands for any text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub board_groups: Vec<String>,
    /// Labels of boards, as `key=value`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// A node range.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nodes: Option<String>,
}

impl Role {
    pub(super) fn check(&self, path: &str, findings: &mut Findings) {
        if gateway::Role::BUILT_IN.contains(&self.name.as_str()) {
            let message = format!("{:?} is a role that always exists; choose another name", self.name);
            findings.add(format!("{path}.name"), message);
        }
        if self.verbs.is_empty() {
            findings.add(format!("{path}.verbs"), "permits nothing; write at least \"read\"");
        }
    }
}

impl Grant {
    /// Where the role holds.
    #[must_use]
    pub fn extent(&self) -> Extent {
        Extent {
            racks: self.racks.clone(),
            boards: self.boards.clone(),
            devices: self.devices.clone(),
            board_groups: self.board_groups.clone(),
            labels: self.labels.clone(),
            nodes: self.nodes.clone(),
        }
    }

    /// Whether it may be for requests that do not say who sends them.
    pub(super) fn is_for_strangers(&self) -> bool {
        self.users.iter().any(|user| user.starts_with("anonymous:"))
    }

    pub(super) fn check(&self, path: &str, roles: &HashSet<&str>, findings: &mut Findings) {
        check_role(&format!("{path}.role"), &self.role, roles, findings);
        if self.users.is_empty() && self.groups.is_empty() {
            findings.add(path, "is for nobody; name users or groups");
        }
    }
}

/// A role that somebody is given must exist.
pub(super) fn check_role(path: &str, role: &str, own: &HashSet<&str>, findings: &mut Findings) {
    if !gateway::Role::BUILT_IN.contains(&role) && !own.contains(role) {
        let message = format!(
            "there is no role {role:?}; use {}, or add it as [[auth.role]]",
            gateway::Role::BUILT_IN.join(", ")
        );
        findings.add(path, message);
    }
}
