//! A symbolic link with a name of the user's choice to a pseudo-terminal with a name of the kernel's choice. Takes
//! a link away from no terminal that is alive; knows nothing of what the terminal serves.

use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, open};
use rustix::io::{Errno, retry_on_intr};
use rustix::termios::isatty;

use super::emulated_bus::EmulatorError;

/// A link that is removed when it is dropped, unless it points to something else by then.
#[derive(Debug)]
pub(super) struct Link {
    path: PathBuf,
    target: PathBuf,
}

impl Link {
    /// Makes the link, or lets a link whose terminal is gone point to `target`. A link to another terminal that is
    /// alive is left alone, and so is anything but a link.
    pub(super) fn create(path: PathBuf, target: &Path) -> Result<Self, EmulatorError> {
        refuse_if_in_use(&path, target)?;
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

/// Refuses a link that leads to another terminal that is alive. Another program may have got the terminal of an
/// emulator that was killed; nobody can tell, so that is refused too.
fn refuse_if_in_use(link: &Path, target: &Path) -> Result<(), EmulatorError> {
    match std::fs::read_link(link) {
        // The kernel has given the name of a terminal that is gone to ours.
        Ok(found) if found == target => Ok(()),
        Ok(found) if is_alive_terminal(link) => {
            Err(EmulatorError::LinkInUse { link: link.to_owned(), target: found })
        }
        // What is no link, or cannot be looked at, is complained about where the link is made.
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Whether a path leads to a terminal that somebody serves. Only a device is opened to find out.
fn is_alive_terminal(path: &Path) -> bool {
    if !std::fs::metadata(path).is_ok_and(|found| found.file_type().is_char_device()) {
        return false;
    }
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    match retry_on_intr(|| open(path, flags, Mode::empty())) {
        Ok(terminal) => isatty(&terminal),
        // Nobody is behind it, or it has gone just now.
        Err(Errno::IO | Errno::NOENT | Errno::NXIO | Errno::NODEV) => false,
        // Somebody else's, or in exclusive use.
        Err(_) => true,
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
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::symlink;

    use super::super::pty::Pty;
    use super::*;

    #[test]
    fn a_link_replaces_a_stale_link_and_goes_away_with_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bus");
        let terminal = |name| folder.path().join("gone").join(name);
        let first = Link::create(path.clone(), &terminal("0")).unwrap();
        let mut second = Link::create(path.clone(), &terminal("1")).unwrap();
        drop(first);
        assert_eq!(fs::read_link(&path).unwrap(), terminal("1"), "it is not the first one's any more");
        second.retarget(&terminal("2")).unwrap();
        assert_eq!(fs::read_link(&path).unwrap(), terminal("2"));
        drop(second);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left");
    }

    #[test]
    fn a_link_that_somebody_else_has_led_away_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bus");
        let mut link = Link::create(path.clone(), Path::new("/nowhere/0")).unwrap();
        link.retarget(Path::new("/nowhere/1")).unwrap();
        fs::remove_file(&path).unwrap();
        // Not even its former target makes it ours again.
        symlink("/nowhere/0", &path).unwrap();
        drop(link);
        assert_eq!(fs::read_link(&path).unwrap(), Path::new("/nowhere/0"));
    }

    #[test]
    fn a_link_to_a_terminal_that_is_alive_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bus");
        let (other, ours) = (Pty::open().unwrap(), Pty::open().unwrap());
        let link = Link::create(path.clone(), other.tty()).unwrap();
        let error = Link::create(path.clone(), ours.tty()).unwrap_err().to_string();
        let (link_name, other_name) = (path.display(), other.tty().display());
        assert_eq!(
            error,
            format!(
                "{link_name} already leads to {other_name}, which another emulator may be using; choose another name \
                 or remove it"
            )
        );
        assert_eq!(fs::read_link(&path).unwrap(), other.tty(), "nothing has changed");
        let again = Link::create(path.clone(), other.tty()).unwrap();
        assert_eq!(
            fs::read_link(&path).unwrap(),
            other.tty(),
            "a name that was given once more is no obstacle"
        );
        drop((link, again));
        assert!(!path.is_symlink());
    }

    #[test]
    fn a_link_to_a_terminal_without_an_emulator_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bus");
        let killed = Pty::open().unwrap();
        let name = killed.tty().to_owned();
        // As long as a client stays, nobody else is given the name.
        let client = open(&name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
        drop(killed);
        let ours = Pty::open().unwrap();
        let still_open = PathBuf::from(format!("/proc/self/fd/{}", client.as_raw_fd()));
        assert_eq!(open(&still_open, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap_err(), Errno::IO);
        for stale in [name, still_open, "/dev/null".into(), folder.path().to_owned()] {
            symlink(&stale, &path).unwrap();
            let link = Link::create(path.clone(), ours.tty()).unwrap();
            assert_eq!(fs::read_link(&path).unwrap(), ours.tty(), "instead of {}", stale.display());
            drop(link);
        }
    }

    #[test]
    fn what_is_no_link_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bus");
        fs::write(&path, "precious").unwrap();
        let error = Link::create(path.clone(), Path::new("/nowhere/0")).unwrap_err();
        assert!(matches!(error, EmulatorError::LinkOccupied { .. }), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
        let nowhere = folder.path().join("missing").join("bus");
        let error = Link::create(nowhere, Path::new("/nowhere/0")).unwrap_err();
        assert!(matches!(error, EmulatorError::Link { .. }), "{error}");
    }
}
