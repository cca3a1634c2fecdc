//! The file of the tokens as the system sees it: where it really is, whom it belongs to, who may write it. It knows
//! nothing of what is in it.

use std::ffi::OsString;
use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

/// Only for the service: whoever writes the file makes tokens.
const MODE: u32 = 0o600;

/// The bits of the mode that let others write.
const OTHERS_WRITE: u32 = 0o022;

/// How often, and how long apart, the lock of a folder is tried.
const LOCK_TRIES: u32 = 100;
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// Which file it is, whatever its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
}

/// A file that is there, in a folder that stays locked until this is dropped: of two processes that make a database at
/// the same time, SQLite refuses one.
pub(super) struct Prepared {
    /// Where the file really is: behind no link.
    pub(super) path: PathBuf,
    _folder: File,
}

/// Makes an empty file at `path` unless there is one.
///
/// # Errors
/// It cannot be made, it is no regular file, or others may write it.
pub(super) fn prepare(path: &Path) -> io::Result<Prepared> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let about = |error| about_folder(folder, error);
    let folder = fs::canonicalize(folder).map_err(about)?;
    let name = path.file_name().ok_or_else(|| io::Error::other("it is no name of a file"))?;
    let path = folder.join(name);
    let locked = lock(&folder).map_err(about)?;
    match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => create(&locked, &path)?,
        Err(error) => return Err(error),
        Ok(metadata) => check(&metadata)?,
    }
    Ok(Prepared { path, _folder: locked })
}

/// Says of an error what to do about the folder.
fn about_folder(folder: &Path, error: io::Error) -> io::Error {
    let folder = folder.display();
    let message = match error.kind() {
        io::ErrorKind::NotFound => {
            format!("its folder {folder} is missing; make it, for the user of the service alone (mode 700)")
        }
        io::ErrorKind::PermissionDenied => {
            format!(
                "its folder {folder} is not for everybody; run this as the user of the service, or as root"
            )
        }
        _ => return error,
    };
    io::Error::new(error.kind(), message)
}

/// Waits for the lock, but not for ever: everybody who can read the folder can hold it.
fn lock(folder: &Path) -> io::Result<File> {
    let folder = File::open(folder)?;
    for _ in 0..LOCK_TRIES {
        match folder.try_lock() {
            Ok(()) => return Ok(folder),
            Err(TryLockError::WouldBlock) => thread::sleep(LOCK_PAUSE),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Err(io::Error::other("another process keeps its folder locked; try again"))
}

/// Which file is at `path` now.
pub(super) fn identity(path: &Path) -> io::Result<Identity> {
    let metadata = path.symlink_metadata()?;
    Ok(Identity { device: metadata.dev(), inode: metadata.ino() })
}

fn check(metadata: &Metadata) -> io::Result<()> {
    if !metadata.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    if metadata.mode() & OTHERS_WRITE != 0 {
        return Err(io::Error::other(
            "others may write it, and so make tokens; take that from them (chmod 600)",
        ));
    }
    Ok(())
}

fn create(folder: &File, path: &Path) -> io::Result<()> {
    refuse_remains(path)?;
    let file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(path)?;
    give_to_owner(&file, folder)?;
    folder.sync_all()
}

/// The log of a database that is gone would be taken for that of the new one, and bring back what was in it.
fn refuse_remains(path: &Path) -> io::Result<()> {
    for suffix in ["-wal", "-journal"] {
        let mut remains = OsString::from(path);
        remains.push(suffix);
        if Path::new(&remains).symlink_metadata().is_ok() {
            let remains = remains.display();
            return Err(io::Error::other(format!("{remains} is left of a file that is gone; remove it")));
        }
    }
    Ok(())
}

/// What root makes for the service is the service's.
fn give_to_owner(file: &File, folder: &File) -> io::Result<()> {
    const ROOT: u32 = 0;
    let owner = folder.metadata()?;
    if file.metadata()?.uid() == ROOT && owner.uid() != ROOT {
        fchown(file, Some(owner.uid()), Some(owner.gid()))?;
    }
    Ok(())
}
