//! The sealed store: secrets in one file that is of no use without its key.
//!
//! Each secret is sealed by itself with ChaCha20-Poly1305 (RFC 8439) and a random nonce. What is authenticated with it is
//! [`CONTEXT`] and its name, so that nobody who can write the file can give one secret the name of another. Names are no
//! secrets. The key is made with the first secret; better give it another place than the file, such as a systemd
//! credential that the TPM of the machine keeps.

mod command;
mod file;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub(crate) use command::run;

use file::Lock;

/// What seals belong to, whatever their name.
const CONTEXT: &str = "opendcre sealed secret 1\0";

/// The form of the file that this program writes.
const VERSION: u32 = 1;

/// The longest name of a secret.
const MAX_NAME: usize = 64;

/// The longest secret.
const MAX_SECRET: usize = 1024;

/// Why the store is of no use.
#[derive(Debug, Error)]
pub(crate) enum StoreError {
    /// A file cannot be read or written.
    #[error("cannot {what} {}: {reason}", path.display())]
    File {
        /// Read, or write.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: io::Error,
    },
    /// There is no folder for it.
    #[error("{} is missing; make it, for the user of the service alone (mode 700)", .0.display())]
    NoFolder(PathBuf),
    /// The key is missing.
    #[error(
        "there is no key of the sealed secrets in {}; put it back, or name its place in secrets.key_file",
        .0.display()
    )]
    NoKey(PathBuf),
    /// The key is not one.
    #[error("{} does not hold a key: write 64 hexadecimal digits", .0.display())]
    BadKey(PathBuf),
    /// The file is not one.
    #[error("{path} holds no sealed secrets: {reason}; restore it, or move it away and set the secrets anew", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// There is no such secret.
    #[error("there is no sealed secret {0:?}; add it with `opendcre secret set`")]
    Unknown(String),
    /// The seal does not fit.
    #[error(
        "the sealed secret {0:?} was changed, or sealed with another key; use the right key, or set it anew"
    )]
    Broken(String),
    /// It cannot be sealed.
    #[error("{0}")]
    Unfit(&'static str),
}

/// The sealed secrets, and the key that opens them.
pub(crate) struct SealedStore {
    path: PathBuf,
    key: LessSafeKey,
    content: Content,
}

/// What stands in the file.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    version: u32,
    secrets: BTreeMap<String, Sealed>,
}

/// One secret, both parts in Base64.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sealed {
    nonce: String,
    sealed: String,
}

impl SealedStore {
    /// Opens the store at `path` with the key at `key`. A store that is not there is empty.
    ///
    /// # Errors
    /// Every [`StoreError`] about the two files.
    pub(crate) fn open(path: &Path, key: &Path) -> Result<Self, StoreError> {
        let key = file::read_key(key)?;
        Ok(Self { path: path.to_owned(), key, content: file::read(path)? })
    }

    /// As [`open`](Self::open), for whoever holds its lock; makes a key if there is neither key nor store.
    fn create(path: &Path, key: &Path, _: &Lock) -> Result<Self, StoreError> {
        if !key.exists() && !path.exists() {
            file::make_key(key)?;
        }
        Self::open(path, key)
    }

    /// The secret of this name.
    ///
    /// # Errors
    /// There is none, or its seal is broken.
    pub(crate) fn get(&self, name: &str) -> Result<SecretString, StoreError> {
        let sealed = self.content.secrets.get(name).ok_or_else(|| StoreError::Unknown(name.to_owned()))?;
        self.unseal(name, sealed).ok_or_else(|| StoreError::Broken(name.to_owned()))
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.content.secrets.keys().map(String::as_str)
    }

    /// Adds or replaces a secret, and returns when it is on the disk. Needs the lock that the store was opened under.
    fn set(&mut self, name: &str, secret: &SecretString, _: &Lock) -> Result<(), StoreError> {
        check_name(name)?;
        if secret.expose_secret().is_empty() || secret.expose_secret().len() > MAX_SECRET {
            return Err(StoreError::Unfit("a secret has 1 to 1024 bytes"));
        }
        let sealed = self.seal(name, secret)?;
        self.content.secrets.insert(name.to_owned(), sealed);
        file::write(&self.path, &self.content)
    }

    /// Removes a secret, and returns when that is on the disk. Needs the lock that the store was opened under.
    fn remove(&mut self, name: &str, _: &Lock) -> Result<(), StoreError> {
        if self.content.secrets.remove(name).is_none() {
            return Err(StoreError::Unknown(name.to_owned()));
        }
        file::write(&self.path, &self.content)
    }

    fn seal(&self, name: &str, secret: &SecretString) -> Result<Sealed, StoreError> {
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce).map_err(|_| StoreError::Unfit("the system has no chance to give"))?;
        let mut text = Zeroizing::new(secret.expose_secret().as_bytes().to_vec());
        let nonce_text = STANDARD.encode(nonce);
        self.key
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), context(name), &mut *text)
            .map_err(|_| StoreError::Unfit("the secret is too long"))?;
        Ok(Sealed { nonce: nonce_text, sealed: STANDARD.encode(&*text) })
    }

    fn unseal(&self, name: &str, Sealed { nonce, sealed }: &Sealed) -> Option<SecretString> {
        let nonce = Nonce::try_assume_unique_for_key(&STANDARD.decode(nonce).ok()?).ok()?;
        let mut text = Zeroizing::new(STANDARD.decode(sealed).ok()?);
        let text = self.key.open_in_place(nonce, context(name), &mut text).ok()?;
        Some(std::str::from_utf8(text).ok()?.into())
    }
}

fn context(name: &str) -> Aad<Vec<u8>> {
    Aad::from([CONTEXT, name].concat().into_bytes())
}

fn key(bytes: &[u8]) -> Option<LessSafeKey> {
    UnboundKey::new(&CHACHA20_POLY1305, bytes).ok().map(LessSafeKey::new)
}

/// What may name a secret: what is safe in a configuration, a message and a shell.
fn check_name(name: &str) -> Result<(), StoreError> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if (1..=MAX_NAME).contains(&name.len()) && name.chars().all(is_plain) {
        return Ok(());
    }
    Err(StoreError::Unfit("the name of a secret has 1 to 64 letters, digits, -, _ and ."))
}

#[cfg(test)]
mod tests;
