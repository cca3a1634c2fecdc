//! What this machine knows of Debian's archive, and its way of writing examples.

use anyhow::{Context, Result};

use crate::step::{answer, program};

/// The address of the archive from which this machine gets its own packages.
///
/// # Errors
/// apt names none.
pub(crate) fn archive() -> Result<String> {
    let format = ["indextargets", "--format", "$(SITE)", "Created-By: Packages", "Component: main"];
    let sites = answer(program("apt-get", &format))?;
    // Security updates have an archive of their own, which holds no complete system.
    let complete = |site: &&str| !site.contains("security");
    sites.lines().find(complete).map(str::to_owned).context("apt knows no archive of Debian")
}

/// An example with everything in it that is commented out: the lines that begin with `#` and no space.
pub(crate) fn uncommented(example: &str) -> String {
    let line = |line: &str| match line.strip_prefix('#') {
        Some(rest) if !rest.starts_with(' ') => format!("{rest}\n"),
        _ => format!("{line}\n"),
    };
    example.lines().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_examples_are_uncommented() {
        assert_eq!(uncommented("# Text.\n#\n#[table]\nkey = 1\n"), "# Text.\n\n[table]\nkey = 1\n");
    }
}
