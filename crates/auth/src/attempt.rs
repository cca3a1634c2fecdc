//! What a request presents to prove who sends it, and how that can fail.

use std::net::IpAddr;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use thiserror::Error;

use crate::certificate::PeerCertificate;

/// What a request presents.
#[derive(Debug, Clone, Copy)]
pub struct Attempt<'a> {
    /// Its header fields.
    pub headers: &'a HeaderMap,
    /// The address of the other end; nothing if it came over a Unix socket.
    pub remote: Option<IpAddr>,
    /// The client certificate, whose chain the TLS layer has verified.
    pub certificate: Option<&'a PeerCertificate>,
}

/// The bytes of a name or of a group, as far as headers tell them.
pub(crate) const MAX_NAME: usize = 256;

/// The only field called `name`, if there is one.
///
/// # Errors
/// There are several. Whoever reads the last one would see somebody else than whoever reads the first one.
pub(crate) fn single<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> Result<Option<&'a HeaderValue>, Failure> {
    let mut values = headers.get_all(name).iter();
    let value = values.next();
    match values.next() {
        None => Ok(value),
        Some(_) => Err(Failure::Rejected { reason: format!("there are several headers {name}") }),
    }
}

/// Whether `name` may be that of somebody: not empty, not long, and what it looks like.
pub(crate) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= MAX_NAME && name.trim() == name && !is_deceptive(name)
}

/// Whether a text is not what it looks like.
pub(crate) fn is_deceptive(text: &str) -> bool {
    text.chars().any(|character| character.is_control() || is_invisible(character))
}

/// Whether a character changes a text, or its direction, without being seen: two names that look alike would be
/// different people.
const fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
    )
}

/// Why a provider does not vouch for somebody.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Failure {
    /// What was presented proves nothing.
    #[error("{reason}")]
    Rejected {
        /// Why, for the log and the audit; never for the client, who could learn from it.
        reason: String,
    },
    /// The provider cannot be asked, so that nobody knows.
    #[error("{provider} cannot be asked: {reason}")]
    Unavailable {
        /// Its name in the configuration.
        provider: String,
        /// Why, for the log; never for the client.
        reason: String,
    },
}

/// Why nobody is let in.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// The request does not say who sends it.
    #[error("the request does not say who sends it; log in")]
    Missing,
    /// What was presented proves nothing.
    #[error("what was presented does not prove who sends the request")]
    Rejected {
        /// Who it was said to be, as far as that could be read.
        claimed: Option<String>,
        /// Why, for the log and the audit; never for the client.
        reason: String,
    },
    /// Too many attempts have failed.
    #[error("too many attempts to log in have failed; try again in {} s", retry_after.as_secs())]
    Locked {
        /// Who it was said to be.
        claimed: Option<String>,
        /// When an attempt is considered again.
        retry_after: Duration,
    },
    /// A provider cannot be asked, so that nobody knows. It never means that somebody is let in.
    #[error("who sends the request cannot be verified at the moment, because {provider} does not answer")]
    Unavailable {
        /// Who it was said to be.
        claimed: Option<String>,
        /// The name of the provider in the configuration.
        provider: String,
        /// Why, for the log; never for the client.
        reason: String,
    },
}
