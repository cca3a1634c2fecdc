//! The original's `bmc_config.json`, in the forms of its releases 1.1, 1.2 and 1.3.
//!
//! The original ignored the whole file when an entry lacked a key, without a word. Here every fault names the entry and
//! the key, what cannot be served is told, and what the original silently took for something else is a warning. No
//! message and no type shows a password.

mod entry;
mod v1_1;
mod v1_2;
mod v1_3;

use std::collections::HashSet;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde_json::Value;
use thiserror::Error;

use self::entry::{ADDRESS, Entry};
use super::bmc::Bmc;
use crate::input::read_text;

/// More than ten thousand entries of the longest kind.
const MAX_FILE_BYTES: u64 = 8 << 20;
/// What becomes of an entry that repeats another one.
const REPEATED: &str = "an earlier entry has it, too; this one is not served";
/// The rack of the BMCs of a file that knows none.
const RACK: &str = "ipmi";
/// The port of a BMC whose entry names none.
pub(super) const PORT: u16 = 623;

/// What the file says.
#[derive(Debug, Default)]
pub(super) struct LegacyFile {
    /// Its BMCs, each with a board and an address of its own.
    pub(super) bmcs: Vec<Bmc>,
    /// The entries that cannot be served, each with the reason.
    pub(super) unserved: Vec<String>,
    /// What is probably not meant as it stands.
    pub(super) warnings: Vec<String>,
    /// Those of `bmcs`.
    addresses: HashSet<SocketAddr>,
}

/// Why a `bmc_config.json` cannot be used.
#[derive(Debug, Error)]
pub(super) enum LegacyError {
    /// The file cannot be read.
    #[error("cannot read {}: {reason}; correct legacy.bmc_config or remove it", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
    /// Something in it is wrong.
    #[error("{}: {message}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong, where, and what it should be.
        message: String,
    },
}

/// Reads and checks the file at `path`.
///
/// # Errors
/// When it cannot be read or anything in it is wrong; the first fault is reported.
pub(super) fn read_bmcs(path: &Path) -> Result<LegacyFile, LegacyError> {
    let unreadable = |reason| LegacyError::Unreadable { path: path.to_owned(), reason };
    let text = read_text(path, MAX_FILE_BYTES).map_err(unreadable)?;
    parse(&text).map_err(|message| LegacyError::Invalid { path: path.to_owned(), message })
}

/// Each form has a key that the others do not have.
fn parse(text: &str) -> Result<LegacyFile, String> {
    let document: Value = serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))?;
    if document.get("racks").is_some() {
        return v1_3::parse(&document);
    }
    let bmcs = document.get("bmcs").and_then(Value::as_array);
    let bmcs = bmcs.ok_or("needs a list \"bmcs\" or \"racks\" at the top")?;
    let entries: Vec<Entry<'_>> = entry::entries("bmcs".to_owned(), bmcs).collect::<Result<_, _>>()?;
    if entries.iter().any(v1_1::is_entry) { v1_1::parse(&entries) } else { v1_2::parse(&entries) }
}

impl LegacyFile {
    /// Adds a BMC, unless an earlier one has its address: two sessions with one BMC would only hinder each other.
    fn add(&mut self, entry: &Entry<'_>, bmc: Bmc) {
        if self.addresses.insert(bmc.address) {
            self.bmcs.push(bmc);
        } else {
            self.unserved.push(entry.wrong(ADDRESS, REPEATED));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_as_a_whole() {
        assert!(parse("").unwrap_err().starts_with("not JSON: "));
        for text in ["[]", "{}", r#"{"bmcs": {}}"#] {
            assert_eq!(parse(text).unwrap_err(), "needs a list \"bmcs\" or \"racks\" at the top");
        }
        assert_eq!(parse(r#"{"bmcs": [7]}"#).unwrap_err(), "bmcs[0]: must be an object");
        for text in [r#"{"bmcs": []}"#, r#"{"racks": []}"#] {
            let file = parse(text).unwrap();
            assert!(file.bmcs.is_empty() && file.unserved.is_empty() && file.warnings.is_empty());
        }
    }
}
