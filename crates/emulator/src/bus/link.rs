//! A symbolic link with a name of the user's choice to a pseudo-terminal with a name of the kernel's choice.

use std::io;
use std::path::{Path, PathBuf};

use super::emulated_bus::EmulatorError;

/// A link that is removed when it is dropped, unless it points to something else by then.
#[derive(Debug)]
pub(super) struct Link {
    path: PathBuf,
    target: PathBuf,
}

impl Link {
    /// Makes the link, or lets a link that is there point to `target`. Anything but a link is left alone.
    pub(super) fn create(path: PathBuf, target: &Path) -> Result<Self, EmulatorError> {
        place(&path, target)?;
        Ok(Self { path, target: target.to_owned() })
    }

    /// Lets the link point to something else.
    pub(super) fn retarget(&mut self, target: &Path) -> Result<(), EmulatorError> {
        place(&self.path, target)?;
        target.clone_into(&mut self.target);
        Ok(())
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        let is_ours = std::fs::read_link(&self.path).is_ok_and(|target| target == self.target);
        if is_ours && let Err(error) = std::fs::remove_file(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "cannot remove the link to the emulated bus");
        }
    }
}

fn place(path: &Path, target: &Path) -> Result<(), EmulatorError> {
    let failed = |source| EmulatorError::Link { path: path.to_owned(), source };
    match std::fs::symlink_metadata(path) {
        Ok(found) if !found.is_symlink() => {
            return Err(EmulatorError::LinkOccupied { path: path.to_owned() });
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        Ok(_) | Err(_) => {}
    }
    replace(path, target).map_err(failed)
}

/// Makes the link under another name and moves it into place, so that there is never a moment without a link.
fn replace(path: &Path, target: &Path) -> io::Result<()> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
    let mut temporary = std::ffi::OsString::from(".");
    temporary.push(name);
    temporary.push(format!(".{}", std::process::id()));
    let temporary = path.with_file_name(temporary);
    std::os::unix::fs::symlink(target, &temporary)?;
    std::fs::rename(&temporary, path).inspect_err(|_| remove_leftover(&temporary))
}

fn remove_leftover(temporary: &Path) {
    if let Err(error) = std::fs::remove_file(temporary) {
        tracing::warn!(path = %temporary.display(), %error, "cannot remove a temporary link");
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_link_replaces_a_link_and_goes_away_with_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bus");
        let first = Link::create(path.clone(), Path::new("/dev/pts/1000")).unwrap();
        let mut second = Link::create(path.clone(), Path::new("/dev/pts/1001")).unwrap();
        drop(first);
        assert_eq!(fs::read_link(&path).unwrap(), Path::new("/dev/pts/1001"));
        second.retarget(Path::new("/dev/pts/1002")).unwrap();
        assert_eq!(fs::read_link(&path).unwrap(), Path::new("/dev/pts/1002"));
        drop(second);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left");
    }

    #[test]
    fn what_is_no_link_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bus");
        fs::write(&path, "precious").unwrap();
        let error = Link::create(path.clone(), Path::new("/dev/pts/1000")).unwrap_err();
        assert!(matches!(error, EmulatorError::LinkOccupied { .. }), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
        let nowhere = folder.path().join("missing").join("bus");
        let error = Link::create(nowhere, Path::new("/dev/pts/1000")).unwrap_err();
        assert!(matches!(error, EmulatorError::Link { .. }), "{error}");
    }
}
