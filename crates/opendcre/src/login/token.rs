//! A token, as providers send it and the file keeps it. Nothing else can be done with one by accident: it is never shown.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A token or a code that is worth one.
#[derive(Clone)]
pub(super) struct Token(SecretString);

impl Token {
    /// The token itself, to be sent to whom it belongs.
    pub(super) fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// The token, to be passed on.
    pub(super) fn secret(&self) -> SecretString {
        self.0.clone()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

impl<'de> Deserialize<'de> for Token {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(text.into()))
    }
}

/// Into the file of its owner.
impl Serialize for Token {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.expose())
    }
}
