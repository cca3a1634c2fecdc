//! Man pages, from the same description of the command line that `opendcre --help` prints.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::{root, say};

/// Writes one page for `opendcre` and one for each of its subcommands to target/man.
///
/// # Errors
/// The folder cannot be written.
pub(crate) fn write() -> Result<()> {
    let folder = folder();
    write_to(&folder).with_context(|| format!("cannot write man pages to {}", folder.display()))?;
    say(&format!("man pages are in {}", folder.display())).map_err(Into::into)
}

/// The names and texts of all pages, which it writes as [`write()`] does.
///
/// # Errors
/// The folder cannot be written.
pub(crate) fn pages() -> Result<Vec<(String, Vec<u8>)>> {
    write()?;
    let mut pages = Vec::new();
    for entry in fs::read_dir(folder())? {
        let entry = entry?;
        pages.push((entry.file_name().to_string_lossy().into_owned(), fs::read(entry.path())?));
    }
    Ok(pages)
}

fn folder() -> PathBuf {
    root().join("target/man")
}

fn write_to(folder: &Path) -> Result<()> {
    // Pages of commands that are no more must not stay.
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)?;
    clap_mangen::generate_to(opendcre::cli::command(), folder).map_err(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page_and_only_those() {
        let folder = tempfile::tempdir().unwrap();
        let stale = folder.path().join("opendcre-dance.1");
        fs::write(&stale, "once there was a dance").unwrap();
        write_to(folder.path()).unwrap();
        assert!(!stale.exists());
        for command in opendcre::cli::command().get_subcommands() {
            let name = command.get_name();
            let page = fs::read_to_string(folder.path().join(format!("opendcre-{name}.1"))).unwrap();
            assert!(page.contains(&format!("opendcre\\-{name}")), "{page}");
        }
        assert!(folder.path().join("opendcre.1").exists());
    }
}
