//! The two files of the sealed store. Both are readable for their owner alone, and replaced as a whole. Whoever wants to
//! change the store holds its lock from before it is read until it is written.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, chown};
use std::path::{Path, PathBuf};

use ring::aead::LessSafeKey;
use rustix::process::geteuid;
use secrecy::zeroize::Zeroizing;

use super::{Content, StoreError, VERSION, key};
use crate::input::read_text;

/// The bytes of a key of ChaCha20-Poly1305 (RFC 8439 §2.8).
const KEY_LENGTH: usize = 32;

/// Secrets for 65,535 BMCs.
const MAX_FILE: u64 = 64 << 20;

/// Who may read and write: the owner.
const MODE: u32 = 0o600;

/// Keeps others from changing the store while it lives.
pub(super) struct Lock(#[expect(dead_code, reason = "the lock goes when the folder is closed")] File);

impl Lock {
    /// Waits for the lock of the store at `path`. It is its folder that is locked: the file itself is replaced.
    pub(super) fn wait(path: &Path) -> Result<Self, StoreError> {
        let folder = folder(path);
        let wrong = |reason: io::Error| match reason.kind() {
            io::ErrorKind::NotFound => StoreError::NoFolder(folder.to_owned()),
            _ => StoreError::File { what: "lock", path: folder.to_owned(), reason },
        };
        let file = File::open(folder).map_err(wrong)?;
        file.lock().map_err(wrong)?;
        Ok(Self(file))
    }
}

/// What the file at `path` says; nothing if there is none.
pub(super) fn read(path: &Path) -> Result<Content, StoreError> {
    let text = match read_text(path, MAX_FILE) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(Content { version: VERSION, secrets: Default::default() });
        }
        Err(reason) => return Err(StoreError::File { what: "read", path: path.to_owned(), reason }),
    };
    let damaged = |reason: String| StoreError::Damaged { path: path.to_owned(), reason };
    let content: Content = serde_json::from_str(&text).map_err(|error| damaged(error.to_string()))?;
    if content.version != VERSION {
        return Err(damaged(format!("its form {} is that of another release", content.version)));
    }
    Ok(content)
}

/// Replaces the file; either the old one or the new one is there at any moment.
pub(super) fn write(path: &Path, content: &Content) -> Result<(), StoreError> {
    let wrong = |reason| StoreError::File { what: "write", path: path.to_owned(), reason };
    let mut text = serde_json::to_vec_pretty(content).map_err(|error| wrong(error.into()))?;
    text.push(b'\n');
    replace(path, &text).map_err(wrong)
}

/// The key in the file at `path`.
pub(super) fn read_key(path: &Path) -> Result<LessSafeKey, StoreError> {
    // A key, the end of a line, and no more.
    let text = match read_text(path, 2 * KEY_LENGTH as u64 + 2) {
        Ok(text) => Zeroizing::new(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(StoreError::NoKey(path.to_owned()));
        }
        Err(reason) => return Err(StoreError::File { what: "read", path: path.to_owned(), reason }),
    };
    let bytes = bytes(text.trim_end()).ok_or_else(|| StoreError::BadKey(path.to_owned()))?;
    key(&*bytes).ok_or_else(|| StoreError::BadKey(path.to_owned()))
}

/// Makes a key where there is none.
pub(super) fn make_key(path: &Path) -> Result<(), StoreError> {
    let wrong = |reason| StoreError::File { what: "write", path: path.to_owned(), reason };
    let mut bytes = Zeroizing::new([0; KEY_LENGTH]);
    getrandom::fill(&mut *bytes).map_err(|error| wrong(io::Error::other(error)))?;
    let mut text = Zeroizing::new(String::with_capacity(2 * KEY_LENGTH + 1));
    for byte in *bytes {
        text.push_str(&format!("{byte:02x}"));
    }
    text.push('\n');
    replace(path, text.as_bytes()).map_err(wrong)
}

fn bytes(digits: &str) -> Option<Zeroizing<[u8; KEY_LENGTH]>> {
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    let mut bytes = Zeroizing::new([0; KEY_LENGTH]);
    if pairs.len() != KEY_LENGTH || !rest.is_empty() {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(pairs) {
        let text = std::str::from_utf8(pair).ok().filter(|text| !text.starts_with('+'))?;
        *byte = u8::from_str_radix(text, 16).ok()?;
    }
    Some(bytes)
}

fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let folder = folder(path);
    let new = beside(path);
    // One that a crash has left is of no use to anybody.
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(&new)?;
    file.write_all(content)?;
    file.sync_all()?;
    give_to_owner_of(folder, &new)?;
    fs::rename(&new, path)?;
    File::open(folder)?.sync_all()
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// What root writes belongs to whom the folder belongs to, so that the service can read it.
fn give_to_owner_of(folder: &Path, path: &Path) -> io::Result<()> {
    if !geteuid().is_root() {
        return Ok(());
    }
    let owner = fs::metadata(folder)?;
    chown(path, Some(owner.uid()), Some(owner.gid()))
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    name.into()
}
