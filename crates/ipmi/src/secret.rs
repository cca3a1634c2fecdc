//! Passwords and keys, which nothing can print.

use std::fmt;

use secrecy::{ExposeSecret, SecretSlice};
use thiserror::Error;

/// The longest password of IPMI 2.0, and the length of a key K_G (IPMI 2.0 §13.31, §22.30).
pub const MAX_SECRET: usize = 20;
/// The longest password of IPMI 1.5 (IPMI 2.0 §22.30).
pub const MAX_SECRET_1_5: usize = 16;

/// A password or key K_G of at most [`MAX_SECRET`] bytes. It is wiped from memory when dropped and never printed.
#[derive(Clone)]
pub struct Secret(SecretSlice<u8>);

/// A password or key that is too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a password or key of IPMI has at most {MAX_SECRET} bytes, not {0}")]
pub struct SecretTooLong(pub usize);

impl Secret {
    /// Keeps `bytes`. An empty password is the one of a user without password.
    ///
    /// # Errors
    /// When there are more than [`MAX_SECRET`] bytes.
    pub fn new(bytes: &[u8]) -> Result<Self, SecretTooLong> {
        if bytes.len() > MAX_SECRET {
            return Err(SecretTooLong(bytes.len()));
        }
        Ok(Self(SecretSlice::from(bytes.to_vec())))
    }

    /// How many bytes it has.
    #[must_use]
    pub fn length(&self) -> usize {
        self.0.expose_secret().len()
    }

    /// The bytes. Keep them as short as possible, and never in anything that can be printed.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        self.0.expose_secret()
    }

    /// The first `N` bytes, filled up with zeros.
    pub(crate) fn padded<const N: usize>(&self) -> [u8; N] {
        let mut padded = [0; N];
        for (to, from) in padded.iter_mut().zip(self.expose()) {
            *to = *from;
        }
        padded
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_padded_and_not_printed() {
        let secret = Secret::new(b"calvin").unwrap();
        assert_eq!(secret.padded::<8>(), *b"calvin\0\0");
        assert_eq!(secret.padded::<3>(), *b"cal");
        assert_eq!(format!("{secret:?}"), "Secret");
        assert_eq!(Secret::new(&[1; 21]).unwrap_err(), SecretTooLong(21));
    }
}
