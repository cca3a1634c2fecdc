//! The file in which logins are kept, one for each server.
//!
//! It belongs to its user alone and is replaced as a whole, so that a command that dies in between leaves the old one.
//! Whoever wants to change it holds its lock.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use super::LoginError;
use super::saved::Login;
use crate::input::read_text;

/// The folder below that for configurations.
const FOLDER: &str = "opendcre";
const FILE: &str = "credentials.json";
/// Beside the file, which is replaced and therefore cannot be locked itself.
const LOCK: &str = "credentials.lock";
/// A file with more in it holds something else.
const MAX_FILE_BYTES: u64 = 1024 * 1024;
/// The form of the file.
const VERSION: u32 = 1;

/// The logins by the servers that they are for.
pub(super) type Servers = BTreeMap<String, Login>;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    version: u32,
    servers: Servers,
}

/// The file.
#[derive(Debug, Clone)]
pub(super) struct Store {
    folder: PathBuf,
}

/// Keeps others from changing the file while it lives.
#[derive(Debug)]
pub(super) struct Lock(#[expect(dead_code, reason = "the lock goes when the file is closed")] File);

impl Store {
    /// The one of the user.
    pub(super) fn of_user() -> Result<Self, LoginError> {
        let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
        folder(variable).map(|folder| Self { folder }).ok_or(LoginError::NoHome)
    }

    /// Everything that is kept; nothing if there is no file.
    pub(super) fn load(&self) -> Result<Servers, LoginError> {
        let path = self.folder.join(FILE);
        let text = match self.read(&path) {
            Err(LoginError::Store { reason, .. }) if reason.kind() == io::ErrorKind::NotFound => {
                return Ok(Servers::new());
            }
            other => other?,
        };
        let malformed = |reason: String| LoginError::Malformed { path: path.clone(), reason };
        // The reason of the library could repeat a part of the file.
        let place = |error: serde_json::Error| format!("line {} is not as it should be", error.line());
        let content: Content = serde_json::from_str(&text).map_err(|error| malformed(place(error)))?;
        match content.version {
            VERSION => Ok(content.servers),
            other => Err(malformed(format!("it has version {other}, not {VERSION}"))),
        }
    }

    fn read(&self, path: &Path) -> Result<String, LoginError> {
        let at = |reason| LoginError::Store { path: path.to_owned(), reason };
        let mode = path.metadata().map_err(at)?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(LoginError::Exposed(path.to_owned()));
        }
        read_text(path, MAX_FILE_BYTES).map_err(at)
    }

    /// Changes what is kept, and returns what `change` returns. Waits for its turn.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Servers) -> T) -> Result<T, LoginError> {
        let _lock = self.lock(FlockOperation::LockExclusive)?.ok_or(LoginError::Locked)?;
        self.change_locked(change)
    }

    /// The same for whoever holds the lock.
    pub(super) fn change_locked<T>(&self, change: impl FnOnce(&mut Servers) -> T) -> Result<T, LoginError> {
        let mut servers = self.load()?;
        let result = change(&mut servers);
        self.save(servers)?;
        Ok(result)
    }

    /// The lock, if nobody else holds it.
    pub(super) fn try_lock(&self) -> Result<Option<Lock>, LoginError> {
        self.lock(FlockOperation::NonBlockingLockExclusive)
    }

    fn lock(&self, operation: FlockOperation) -> Result<Option<Lock>, LoginError> {
        let path = self.folder.join(LOCK);
        let at = |reason| LoginError::Store { path: path.clone(), reason };
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder).map_err(at)?;
        let mut options = OpenOptions::new();
        let file = options.write(true).create(true).truncate(false).mode(0o600).open(&path).map_err(at)?;
        match flock(&file, operation) {
            Ok(()) => Ok(Some(Lock(file))),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(at(error.into())),
        }
    }

    fn save(&self, servers: Servers) -> Result<(), LoginError> {
        let path = self.folder.join(FILE);
        let written = || {
            // Only its owner can read a temporary file.
            let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
            serde_json::to_writer_pretty(&mut file, &Content { version: VERSION, servers })?;
            file.write_all(b"\n")?;
            file.as_file().sync_all()?;
            file.persist(&path)?;
            Ok(())
        };
        written().map_err(|reason: io::Error| LoginError::Store { path: path.clone(), reason })
    }
}

/// The folder for the file; `variable` looks into the environment.
fn folder(variable: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    // A path that is not absolute does not count (XDG Base Directory Specification 0.8).
    let chosen = variable("XDG_CONFIG_HOME").filter(|path| path.is_absolute());
    let home = || variable("HOME").filter(|path| path.is_absolute()).map(|home| home.join(".config"));
    chosen.or_else(home).map(|folder| folder.join(FOLDER))
}

#[cfg(test)]
impl Store {
    /// One for a test.
    pub(super) fn at(folder: &Path) -> Self {
        Self { folder: folder.join(FOLDER) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::login;
    use super::*;

    #[test]
    fn what_is_kept_is_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(folder.path());
        assert!(store.load().unwrap().is_empty());
        store.change(|servers| servers.insert("https://a".to_owned(), login("token-a"))).unwrap();
        store.change(|servers| servers.insert("https://b".to_owned(), login("token-b"))).unwrap();
        assert_eq!(store.load().unwrap().keys().collect::<Vec<_>>(), ["https://a", "https://b"]);
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        let path = folder.path().join("opendcre");
        assert_eq!((mode(&path), mode(&path.join(FILE)), mode(&path.join(LOCK))), (0o700, 0o600, 0o600));
        std::fs::set_permissions(path.join(FILE), std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(store.load(), Err(LoginError::Exposed(_))));
    }

    #[test]
    fn a_file_that_is_not_ours_is_left_alone_and_not_repeated() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(folder.path());
        store.change(|_| ()).unwrap();
        let path = folder.path().join("opendcre").join(FILE);
        for text in ["secret", r#"{"version":1,"servers":{"a":"secret"}}"#, r#"{"version":2,"servers":{}}"#] {
            std::fs::write(&path, text).unwrap();
            let refused = store.change(|servers| servers.clear()).unwrap_err().to_string();
            assert!(refused.contains("log in again") && !refused.contains("secret"), "{refused}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
    }

    #[test]
    fn one_changes_it_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(folder.path());
        let lock = store.try_lock().unwrap();
        assert!(lock.is_some() && store.try_lock().unwrap().is_none());
        drop(lock);
        assert!(store.try_lock().unwrap().is_some());
    }

    #[test]
    fn the_file_is_where_configurations_are() {
        let environment = |config: &'static str, home: &'static str| {
            move |name: &str| match name {
                "XDG_CONFIG_HOME" => Some(PathBuf::from(config)),
                "HOME" => Some(PathBuf::from(home)),
                _ => None,
            }
        };
        assert_eq!(folder(environment("/c", "/home/ada")), Some(PathBuf::from("/c/opendcre")));
        assert_eq!(folder(environment("c", "/home/ada")), Some(PathBuf::from("/home/ada/.config/opendcre")));
        assert_eq!(folder(environment("", "")), None);
    }
}
