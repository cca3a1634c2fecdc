//! Passwords and keys: where they come from, and that they go nowhere.
//!
//! A secret has no `Serialize`, its `Debug` shows nothing, and no error repeats any part of one.

use std::fmt;
use std::io;
use std::path::Path;

use opendcre_ipmi::{Secret, SecretTooLong};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, de};
use thiserror::Error;

use crate::input::read_text;

/// A file with more in it holds something else than a password.
const MAX_FILE_BYTES: u64 = 4096;
/// How a key in hexadecimal begins.
const HEXADECIMAL: &str = "0x";

/// A password that stands in the configuration itself.
#[derive(Clone)]
pub struct InlinePassword(SecretString);

/// Why there is no secret.
#[derive(Debug, Error)]
pub enum SecretError {
    /// The file cannot be read.
    #[error("cannot read it: {0}; write the secret there, readable for the service alone")]
    Unreadable(io::Error),
    /// The file says nothing.
    #[error("it is empty; write the secret there, or `password = \"\"` for a user without password")]
    Empty,
    /// There is no such variable, or it is not text.
    #[error("the environment has no variable of the name that stands there; set it, or use password_file")]
    NoVariable,
    /// The sealed store does not give it.
    #[error("{0}")]
    Sealed(String),
    /// The secret is longer than the protocol allows.
    #[error("{0}")]
    TooLong(SecretTooLong),
    /// The key is not what it looks like.
    #[error("what follows 0x must be 40 hexadecimal digits")]
    BadKey,
}

impl InlinePassword {
    /// Keeps `password`.
    #[must_use]
    pub fn new(password: &str) -> Self {
        Self(password.into())
    }

    /// How many bytes it has.
    pub(super) fn length(&self) -> usize {
        self.0.expose_secret().len()
    }

    /// Whether it is the one of a user without password, which gives nothing away.
    pub(super) fn is_empty(&self) -> bool {
        self.length() == 0
    }
}

/// What stands in the configuration; no password is an empty one.
pub(super) fn inline_password(password: Option<&InlinePassword>) -> Result<Secret, SecretError> {
    secret(password.map_or("", |password| password.0.expose_secret()).as_bytes())
}

/// What the file at `path` says, without the end of its line.
pub(super) fn password_of_file(path: &Path) -> Result<Secret, SecretError> {
    secret(line_of_file(path)?.expose_secret().as_bytes())
}

/// What the environment says; `variable` looks it up.
pub(super) fn password_of_variable(variable: Option<String>) -> Result<Secret, SecretError> {
    let text = SecretString::from(variable.ok_or(SecretError::NoVariable)?);
    secret(text.expose_secret().as_bytes())
}

/// What the sealed store says.
pub(super) fn password_of_text(text: &SecretString) -> Result<Secret, SecretError> {
    secret(text.expose_secret().as_bytes())
}

/// A key K_G: up to 20 characters, or its 20 bytes as `0x` and 40 hexadecimal digits.
pub(super) fn key_of_file(path: &Path) -> Result<Secret, SecretError> {
    let line = line_of_file(path)?;
    match line.expose_secret().strip_prefix(HEXADECIMAL) {
        Some(digits) => secret(&key(digits).ok_or(SecretError::BadKey)?),
        None => secret(line.expose_secret().as_bytes()),
    }
}

/// The secret of somebody else than a BMC: what the file says, or the variable of the environment.
pub(crate) fn text(file: Option<&Path>, variable: Option<&str>) -> Result<Option<SecretString>, SecretError> {
    match (file, variable) {
        (Some(path), _) => line_of_file(path).map(Some),
        (None, Some(name)) => {
            std::env::var(name).map(|text| Some(text.into())).map_err(|_| SecretError::NoVariable)
        }
        (None, None) => Ok(None),
    }
}

fn line_of_file(path: &Path) -> Result<SecretString, SecretError> {
    let text = SecretString::from(read_text(path, MAX_FILE_BYTES).map_err(SecretError::Unreadable)?);
    let line = text.expose_secret();
    let line = line.strip_suffix('\n').unwrap_or(line);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.is_empty() { Err(SecretError::Empty) } else { Ok(line.into()) }
}

fn key(digits: &str) -> Option<[u8; 20]> {
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    let mut key = [0; 20];
    if pairs.len() != key.len() || !rest.is_empty() {
        return None;
    }
    for (byte, [high, low]) in key.iter_mut().zip(pairs) {
        let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(key)
}

fn secret(bytes: &[u8]) -> Result<Secret, SecretError> {
    Secret::new(bytes).map_err(SecretError::TooLong)
}

impl fmt::Debug for InlinePassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InlinePassword")
    }
}

/// Only to tell whether the configuration has changed.
impl PartialEq for InlinePassword {
    fn eq(&self, other: &Self) -> bool {
        self.0.expose_secret() == other.0.expose_secret()
    }
}

impl JsonSchema for InlinePassword {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "InlinePassword".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "writeOnly": true, "maxLength": 20})
    }
}

impl<'de> Deserialize<'de> for InlinePassword {
    /// The usual errors repeat a value of the wrong type, which may be a password without its quotes.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = InlinePassword;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text in quotes")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<InlinePassword, E> {
                Ok(InlinePassword::new(text))
            }

            fn visit_bool<E: de::Error>(self, _: bool) -> Result<InlinePassword, E> {
                Err(not_text())
            }

            fn visit_i64<E: de::Error>(self, _: i64) -> Result<InlinePassword, E> {
                Err(not_text())
            }

            fn visit_u64<E: de::Error>(self, _: u64) -> Result<InlinePassword, E> {
                Err(not_text())
            }

            fn visit_i128<E: de::Error>(self, _: i128) -> Result<InlinePassword, E> {
                Err(not_text())
            }

            fn visit_u128<E: de::Error>(self, _: u128) -> Result<InlinePassword, E> {
                Err(not_text())
            }

            fn visit_f64<E: de::Error>(self, _: f64) -> Result<InlinePassword, E> {
                Err(not_text())
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

fn not_text<E: de::Error>() -> E {
    E::custom("write it in quotes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_holds_one_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bmc");
        for (text, password) in
            [("calvin", "calvin"), ("calvin\n", "calvin"), ("calvin\r\n", "calvin"), (" a b \n", " a b ")]
        {
            std::fs::write(&path, text).unwrap();
            assert_eq!(password_of_file(&path).unwrap().expose(), password.as_bytes());
        }
        std::fs::write(&path, "\n").unwrap();
        assert!(matches!(password_of_file(&path), Err(SecretError::Empty)));
        std::fs::write(&path, "s3cr3t".repeat(4)).unwrap();
        let error = password_of_file(&path).unwrap_err();
        assert!(matches!(error, SecretError::TooLong(_)));
        assert!(!format!("{error} {error:?}").contains("s3cr3t"));
        assert!(matches!(password_of_file(&path.join("x")), Err(SecretError::Unreadable(_))));
        assert!(matches!(password_of_variable(None), Err(SecretError::NoVariable)));
    }

    #[test]
    fn a_key_is_text_or_hexadecimal() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kg");
        std::fs::write(&path, "our key\n").unwrap();
        assert_eq!(key_of_file(&path).unwrap().expose(), b"our key");
        std::fs::write(&path, format!("0x{}ff", "0A".repeat(19))).unwrap();
        assert_eq!(key_of_file(&path).unwrap().expose(), [&[10; 19][..], &[0xff]].concat());
        for bad in ["0x", "0x0a", &format!("0x{}", "0g".repeat(20)), &format!("0x{}", "0a".repeat(21))] {
            std::fs::write(&path, bad).unwrap();
            assert!(matches!(key_of_file(&path), Err(SecretError::BadKey)), "{bad}");
        }
    }
}
