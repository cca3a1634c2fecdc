//! Who the holders of client certificates are.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who the holders of client certificates are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Certificate {
    /// Where the name is taken from; the first that a certificate has counts.
    pub name_from: Vec<NameSource>,
    /// Whether the organisational units of the subject count as groups.
    pub groups_from_ou: bool,
}

/// A part of a certificate that can be a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NameSource {
    /// The user principal name among the alternative names.
    Upn,
    /// The first mail address among the alternative names.
    Email,
    /// The first DNS name among the alternative names.
    Dns,
    /// The first URI among the alternative names.
    Uri,
    /// The common name of the subject.
    CommonName,
    /// The whole subject, as RFC 4514 writes it.
    Subject,
}

impl Default for Certificate {
    fn default() -> Self {
        let name_from = vec![NameSource::Upn, NameSource::Email, NameSource::Dns, NameSource::CommonName];
        Self { name_from, groups_from_ou: false }
    }
}
