//! A bind that must fail, for names that no entry has: so a directory is asked as often about them as about a wrong
//! password, and how soon somebody is refused does not tell which names there are.

use std::fmt::Write;

use ring::rand::{SecureRandom, SystemRandom};
use secrecy::SecretString;

/// How many octets of chance a name and a password have: nobody has them.
const CHANCE: usize = 16;

/// As whom to bind where there is nobody.
#[derive(Debug)]
pub(super) struct Decoy {
    pub(super) dn: String,
    pub(super) password: SecretString,
}

impl Decoy {
    /// An entry that is not there below `base`, where the directory looks for it as for any other.
    ///
    /// # Errors
    /// The system has no randomness.
    pub(super) fn below(base: &str) -> Result<Self, ring::error::Unspecified> {
        let separator = if base.is_empty() { "" } else { "," };
        let dn = format!("cn=opendcre-nobody-{}{separator}{base}", chance()?);
        Ok(Self { dn, password: chance()?.into() })
    }
}

fn chance() -> Result<String, ring::error::Unspecified> {
    let mut octets = [0; CHANCE];
    SystemRandom::new().fill(&mut octets)?;
    let mut text = String::with_capacity(2 * CHANCE);
    for octet in octets {
        write!(text, "{octet:02x}").map_err(|_| ring::error::Unspecified)?;
    }
    Ok(text)
}
