//! Who asks, how, and what for.

use crate::cipher::CipherSuite;
use crate::packet::v1_5::AuthType;
use crate::{Privilege, Request, Secret};

/// Everything that a BMC must be told before it talks.
#[derive(Debug, Clone)]
pub struct Access {
    /// The user, at most 16 bytes; empty for the user without a name.
    pub username: Vec<u8>,
    /// The user's password.
    pub password: Secret,
    /// The key K_G of the BMC, where one is set.
    pub bmc_key: Option<Secret>,
    /// How sessions are begun.
    pub protocol: Protocol,
    /// How the BMC finds the user.
    pub lookup: UserLookup,
    /// The privilege that is asked for at login, and the greatest that a session ever uses.
    pub privilege: PrivilegeRange,
}

/// How sessions are begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Protocol {
    /// IPMI 2.0 with one of these suites, the preferred one first.
    V2_0(Vec<CipherSuite>),
    /// IPMI 1.5, whose packets everybody on the network can read.
    V1_5(AuthType),
}

/// How a BMC finds a user (IPMI 2.0 §13.20, table 13-11). Does not matter for IPMI 1.5.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum UserLookup {
    /// By name alone.
    #[default]
    Name,
    /// By name and privilege: the first user with this name who may have the privilege.
    NameAndPrivilege,
}

/// What a session asks for and may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PrivilegeRange {
    /// Asked for at login, if nothing else was learned.
    pub login: Privilege,
    /// Never gone beyond.
    pub most: Privilege,
}

impl Default for PrivilegeRange {
    /// Login as OPERATOR, so that control is possible in the same session, and ADMINISTRATOR where a BMC insists.
    fn default() -> Self {
        Self { login: Privilege::Operator, most: Privilege::Administrator }
    }
}

/// Whether a request may be sent more than once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// It changes nothing that matters, so it is sent again when no answer comes.
    Safe,
    /// It is sent once. Without an answer it is unknown whether the BMC has carried it out.
    Never,
}

/// A request together with what it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// What to ask.
    pub request: Request,
    /// Whether it may be sent more than once.
    pub repeat: Repeat,
    /// The privilege that it needs, as far as is known. The client learns when a BMC wants more.
    pub privilege: Privilege,
}

impl Order {
    /// A question that a USER may ask.
    #[must_use]
    pub const fn read(request: Request) -> Self {
        Self { request, repeat: Repeat::Safe, privilege: Privilege::User }
    }

    /// A change that an OPERATOR may make.
    #[must_use]
    pub const fn control(request: Request) -> Self {
        Self { request, repeat: Repeat::Never, privilege: Privilege::Operator }
    }
}
