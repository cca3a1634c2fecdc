//! Who sends requests, where each sender may have only a part of something: by name, or by address where nobody is named.

use std::net::IpAddr;

use opendcre_model::{Login, Subject};

use crate::peer::network;

/// Somebody who sends requests.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Sender {
    /// By the login, the provider and the name there.
    Named(Login, String, String),
    /// By the address, or the network that it is in; nothing on this machine.
    Address(Option<IpAddr>),
}

impl Sender {
    /// Whom a request from `address` comes from.
    pub(crate) fn of(subject: &Subject, address: Option<IpAddr>) -> Self {
        match subject.login {
            Login::Anonymous => Self::Address(address.map(network)),
            login => Self::Named(login, subject.provider.clone(), subject.name.clone()),
        }
    }
}
