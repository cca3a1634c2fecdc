//! Copies of the sources: what is, or is about to be, in the repository, and nothing that a build has left.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::root;
use crate::step::{answer, program};

/// Makes `folder` a copy of the sources, except for what a build has left there in `folder/target`.
///
/// # Errors
/// A file cannot be read or written.
pub(crate) fn sources(folder: &Path) -> Result<()> {
    let names = answer(program("git", &["ls-files", "-z", "--cached", "--others", "--exclude-standard"]))?;
    for name in names.split_terminator('\0') {
        let (from, to) = (root().join(name), folder.join(name));
        // A file that was deleted a moment ago is still in the index.
        if !from.is_file() {
            continue;
        }
        fs::create_dir_all(to.parent().unwrap_or(folder))?;
        fs::copy(&from, &to)
            .with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    }
    Ok(())
}
