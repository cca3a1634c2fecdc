//! Entrances for the fuzzers: what a directory says, and what is made of names and filters, without a connection.
//!
//! No part of the interface, and promised to nobody. Nothing here decides anything.

use super::filter::{Filter, FilterError};
use super::message::{self, Response};
use super::name::{self, BindName};
use super::{ber, diagnosis};

/// How many octets the message that begins `octets` has; nothing if that is not known yet.
///
/// # Errors
/// What begins there is no message.
pub fn length(octets: &[u8]) -> Result<Option<usize>, String> {
    ber::message_length(octets).map_err(|error| error.to_string())
}

/// What a message of a server says, as the program shows it for debugging.
///
/// # Errors
/// Why it says nothing.
pub fn decode(octets: &[u8]) -> Result<String, String> {
    message::decode(octets).map(|said| format!("{said:?}")).map_err(|error| error.to_string())
}

/// What is noted about a login, if `octets` are the answer of a server to it.
#[must_use]
pub fn refusal(octets: &[u8]) -> Option<String> {
    match message::decode(octets) {
        Ok((_, Response::Bind(outcome))) => Some(diagnosis::of_refusal(&outcome)),
        _ => None,
    }
}

/// The encoded filter for a user.
///
/// # Errors
/// `text` is no filter.
pub fn filter(text: &str, user: &str) -> Result<Vec<u8>, FilterError> {
    Filter::parse(text).map(|filter| filter.encode(user))
}

/// The value of `attribute` in the first component of a distinguished name.
#[must_use]
pub fn first_value(dn: &str, attribute: &str) -> Option<String> {
    name::first_value(dn, attribute)
}

/// The name with which `user` binds where `template` is configured.
#[must_use]
pub fn bind_name(template: &str, user: &str) -> Option<String> {
    BindName::new(template).of(user)
}
