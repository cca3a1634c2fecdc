//! Archives in tar format that depend on nothing but what is put into them.
//!
//! Entries are sorted, owned by root and as old as the commit. Knows nothing of what is packed.

use std::collections::BTreeMap;
use std::io::Write;

use anyhow::{Context, Result};
use flate2::{Compression, GzBuilder};
use tar::{Builder, EntryType, Header};

/// The folders above an entry are made with this mode.
const FOLDER_MODE: u32 = 0o755;

/// What is to be packed.
#[derive(Default)]
pub(crate) struct Archive {
    entries: BTreeMap<String, Entry>,
}

struct Entry {
    owner: u64,
    mode: u32,
    content: Content,
}

enum Content {
    Folder,
    File(Vec<u8>),
    Link(String),
}

impl Archive {
    /// Adds a file of root.
    pub(crate) fn file(&mut self, path: impl Into<String>, mode: u32, bytes: impl Into<Vec<u8>>) {
        self.add(path.into(), Entry { owner: 0, mode, content: Content::File(bytes.into()) });
    }

    /// Adds a folder of the user and the group with the number `owner`.
    pub(crate) fn folder(&mut self, path: impl Into<String>, mode: u32, owner: u64) {
        self.add(path.into(), Entry { owner, mode, content: Content::Folder });
    }

    /// Adds a symbolic link that leads to `to`.
    pub(crate) fn link(&mut self, path: impl Into<String>, to: impl Into<String>) {
        self.add(path.into(), Entry { owner: 0, mode: 0o777, content: Content::Link(to.into()) });
    }

    fn add(&mut self, path: String, entry: Entry) {
        for (end, _) in path.match_indices('/') {
            let folder = path.get(..end).unwrap_or_default().to_owned();
            let above = Entry { owner: 0, mode: FOLDER_MODE, content: Content::Folder };
            self.entries.entry(folder).or_insert(above);
        }
        self.entries.insert(path, entry);
    }

    /// The archive as bytes; every entry was changed at `time`, in seconds since 1970.
    ///
    /// # Errors
    /// A path is too long for the format.
    pub(crate) fn tar(&self, time: u64) -> Result<Vec<u8>> {
        let mut builder = Builder::new(Vec::new());
        for (path, entry) in &self.entries {
            let mut header = header(entry, time);
            let packed = match &entry.content {
                Content::Folder => builder.append_data(&mut header, format!("{path}/"), &[][..]),
                Content::File(bytes) => builder.append_data(&mut header, path, bytes.as_slice()),
                Content::Link(to) => builder.append_link(&mut header, path, to),
            };
            packed.with_context(|| format!("cannot pack {path}"))?;
        }
        builder.into_inner().map_err(Into::into)
    }

    /// The archive as [`Self::tar`] makes it, compressed.
    ///
    /// # Errors
    /// A path is too long for the format.
    pub(crate) fn tar_gz(&self, time: u64) -> Result<Vec<u8>> {
        compress(&self.tar(time)?)
    }
}

fn header(entry: &Entry, time: u64) -> Header {
    let mut header = Header::new_gnu();
    let (kind, size) = match &entry.content {
        Content::Folder => (EntryType::Directory, 0),
        Content::File(bytes) => (EntryType::Regular, bytes.len()),
        Content::Link(_) => (EntryType::Symlink, 0),
    };
    header.set_entry_type(kind);
    header.set_size(size as u64);
    header.set_mode(entry.mode);
    header.set_uid(entry.owner);
    header.set_gid(entry.owner);
    header.set_mtime(time);
    header
}

/// `bytes` in gzip format, without a name and a time.
///
/// # Errors
/// There is no room in memory.
pub(crate) fn compress(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = GzBuilder::new().write(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    encoder.finish().map_err(Into::into)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    const TIME: u64 = 1_750_000_000;

    #[test]
    fn an_archive_is_the_same_whatever_the_order() {
        let mut one = Archive::default();
        one.file("bin/opendcre", 0o755, *b"program");
        one.folder("logs", 0o750, 990);
        one.link("opendcre/start.sh", "/bin/opendcre");
        let mut other = Archive::default();
        other.link("opendcre/start.sh", "/bin/opendcre");
        other.folder("logs", 0o750, 990);
        other.file("bin/opendcre", 0o755, *b"program");
        assert_eq!(one.tar_gz(TIME).unwrap(), other.tar_gz(TIME).unwrap());
    }

    #[test]
    fn entries_come_with_the_folders_above_them() {
        let mut archive = Archive::default();
        archive.file("usr/bin/opendcre", 0o755, *b"program");
        archive.folder("usr", 0o700, 7);
        let bytes = archive.tar(TIME).unwrap();
        let mut unpacked = tar::Archive::new(bytes.as_slice());
        let mut seen = Vec::new();
        for entry in unpacked.entries().unwrap() {
            let mut entry = entry.unwrap();
            let mut content = String::new();
            entry.read_to_string(&mut content).unwrap();
            let header = entry.header();
            assert_eq!(header.mtime().unwrap(), TIME);
            let path = entry.path().unwrap().display().to_string();
            seen.push((path, header.mode().unwrap(), header.uid().unwrap(), content));
        }
        let entry =
            |path: &str, mode, owner, content: &str| (path.to_owned(), mode, owner, content.to_owned());
        assert_eq!(
            seen,
            [
                entry("usr/", 0o700, 7, ""),
                entry("usr/bin/", 0o755, 0, ""),
                entry("usr/bin/opendcre", 0o755, 0, "program"),
            ]
        );
    }
}
