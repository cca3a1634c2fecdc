//! The last configuration with which the service has started: kept beside its state, and served when the file of the owner
//! is refused, for those who want that (`--fall-back`).
//!
//! To serve it is no way around the owner's intent. It is a text that the owner wrote and that was in force until the next
//! one, which says something that cannot be understood; what it leaves open was open before. Nothing of it is guessed or
//! left out, it passes the same checks, and what is taken from somebody outside of it – a token that is revoked, a
//! certificate – stays taken. Whoever can write its file can make tokens in the same folder, so that it opens no new door.
//! And it is said in the log, in `/readyz`, as an event and to the supervisor.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use tempfile::NamedTempFile;

use crate::config::{Config, ConfigError, State};

/// A place for the text of a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LastGood {
    path: PathBuf,
}

impl LastGood {
    /// That of a service with this configuration.
    pub(crate) fn of(config: &Config) -> Self {
        Self { path: config.last_good_file() }
    }

    /// That of a service whose configuration at `file` is refused: in `state` if that is given, otherwise where the file
    /// says that its state is, if that much of it can be read, and otherwise where the state usually is.
    pub(crate) fn find(state: Option<&Path>, file: &Path) -> Self {
        let given = state.map(|directory| State { directory: directory.to_owned() });
        Self { path: given.or_else(|| state_of(file)).unwrap_or_default().last_good_file() }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The text that is kept.
    ///
    /// # Errors
    /// There is none, or it cannot be read.
    pub(crate) fn read(&self) -> Result<String, ConfigError> {
        Config::read(&self.path)
    }

    /// Keeps `text`, which may hold passwords, for this user alone. Whatever happens meanwhile, either this text or the one
    /// before is there. One that is there already is not written again, because memory cards wear out.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn keep(&self, text: &str) -> io::Result<()> {
        if self.read().is_ok_and(|kept| kept == text) {
            return Ok(());
        }
        let folder = self.path.parent().unwrap_or(Path::new("."));
        // Made with mode 0600.
        let mut file = NamedTempFile::new_in(folder)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(&self.path)?;
        File::open(folder)?.sync_all()
    }
}

/// What `file` says about where the state is, if it is TOML and says it in the way that is meant.
fn state_of(file: &Path) -> Option<State> {
    /// Everything else in a file is not looked at.
    #[derive(Deserialize)]
    struct Part {
        #[serde(default)]
        state: State,
    }
    let text = Config::read(file).ok()?;
    Some(toml::from_str::<Part>(&text).ok()?.state)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn what_is_kept_is_for_one_user_and_replaced_as_a_whole() {
        let folder = tempfile::tempdir().unwrap();
        let place = LastGood::find(Some(folder.path()), Path::new("/none"));
        assert!(place.read().is_err());
        for text in ["[log]\nlevel = 'info'\n", "[log]\nlevel = 'debug'\n"] {
            place.keep(text).unwrap();
            assert_eq!(place.read().unwrap(), text);
            assert_eq!(fs::metadata(place.path()).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left behind");
        assert!(LastGood::find(Some(Path::new("/proc/none")), Path::new("/none")).keep("").is_err());
    }

    #[test]
    fn the_state_is_found_as_long_as_its_place_can_be_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("opendcre.toml");
        fs::write(&file, "[state]\ndirectory = '/data'\n[log]\nlevel = 7\nnonsense = 1\n").unwrap();
        assert_eq!(LastGood::find(None, &file).path(), Path::new("/data/last-good.toml"));
        assert_eq!(
            LastGood::find(Some(Path::new("/state")), &file).path(),
            Path::new("/state/last-good.toml")
        );
        for text in ["[state\n", "state = 7\n", ""] {
            fs::write(&file, text).unwrap();
            assert_eq!(LastGood::find(None, &file).path(), Path::new("/var/lib/opendcre/last-good.toml"));
        }
    }
}
