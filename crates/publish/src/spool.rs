//! What a destination keeps on the disk: how far it has come, and its dead letters. It blocks on the disk.
//!
//! `NAME.json` holds the position, and is replaced as a whole. `NAME.dead.jsonl` holds what could not be delivered, one
//! letter a line; when it is full, it replaces `NAME.dead.1.jsonl`, so that there are never more than two. Whoever renames
//! one of them to `NAME.again.jsonl` has its letters delivered again.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::notice::Notice;

/// Only for the service: events say who did what.
const FILE_MODE: u32 = 0o600;
const DIRECTORY_MODE: u32 = 0o700;

/// A file with more in it holds no position.
const MAX_POSITION_BYTES: u64 = 4096;

/// How large a file of dead letters grows before it is put away: a thousand letters of the usual size.
const FULL_BYTES: u64 = 1 << 20;

/// What is read at most of letters that are to be delivered again, twice what such a file ever has.
const MAX_AGAIN_BYTES: u64 = 2 * FULL_BYTES;

/// What a destination keeps on the disk.
#[derive(Debug)]
pub(crate) struct Spool {
    directory: PathBuf,
    name: String,
}

/// How far a destination has come.
#[derive(Debug, Serialize, Deserialize)]
struct Position {
    /// The number of the last event that it need not be told any more.
    cursor: u64,
}

/// What could not be delivered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct DeadLetter {
    /// When it was given up.
    pub(crate) time: Timestamp,
    /// Why.
    pub(crate) reason: String,
    /// What it is.
    #[serde(flatten)]
    pub(crate) notice: Notice,
}

impl Spool {
    /// The spool of a destination, and how far it has come, if it has ever run. The directory is made.
    ///
    /// # Errors
    /// The directory cannot be made, or the position cannot be read.
    pub(crate) fn open(directory: &Path, name: &str) -> io::Result<(Self, Option<u64>)> {
        fs::DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(directory)?;
        let spool = Self { directory: directory.to_owned(), name: name.to_owned() };
        let cursor = spool.load()?;
        Ok((spool, cursor))
    }

    fn load(&self) -> io::Result<Option<u64>> {
        let Some(file) = existing(&self.path("json"))? else { return Ok(None) };
        let position: Position = serde_json::from_reader(file.take(MAX_POSITION_BYTES))?;
        Ok(Some(position.cursor))
    }

    /// Keeps a position, for certain.
    ///
    /// # Errors
    /// It is not on the disk. The one before is.
    pub(crate) fn save(&self, cursor: u64) -> io::Result<()> {
        let fresh = self.path("json.new");
        let mut file = private().create(true).truncate(true).open(&fresh)?;
        file.write_all(&serde_json::to_vec(&Position { cursor })?)?;
        file.sync_all()?;
        fs::rename(&fresh, self.path("json"))?;
        self.sync_directory()
    }

    /// Keeps a dead letter, for certain.
    ///
    /// # Errors
    /// It is not on the disk.
    pub(crate) fn bury(&self, letter: &DeadLetter) -> io::Result<()> {
        let path = self.dead_letters();
        let mut line = serde_json::to_vec(letter)?;
        line.push(b'\n');
        if size(&path)?.is_some_and(|size| size + line.len() as u64 > FULL_BYTES) {
            fs::rename(&path, self.path("dead.1.jsonl"))?;
        }
        let mut file = private().create(true).append(true).open(&path)?;
        file.write_all(&line)?;
        file.sync_all()?;
        self.sync_directory()
    }

    /// Where dead letters are.
    pub(crate) fn dead_letters(&self) -> PathBuf {
        self.path("dead.jsonl")
    }

    /// Whether there are dead letters.
    ///
    /// # Errors
    /// The disk does not say.
    pub(crate) fn has_dead_letters(&self) -> io::Result<bool> {
        Ok(size(&self.dead_letters())?.is_some() || size(&self.path("dead.1.jsonl"))?.is_some())
    }

    /// Where letters are put that are to be delivered again.
    pub(crate) fn letters_again(&self) -> PathBuf {
        self.path("again.jsonl")
    }

    /// The letters that are to be delivered again, if there are any.
    ///
    /// # Errors
    /// The disk does not say, or something there is no dead letter: nothing is delivered then.
    pub(crate) fn again(&self) -> io::Result<Option<Vec<DeadLetter>>> {
        let path = self.letters_again();
        let Some(size) = size(&path)? else { return Ok(None) };
        if size > MAX_AGAIN_BYTES {
            return Err(io::Error::other(format!("it is larger than {MAX_AGAIN_BYTES} bytes; split it")));
        }
        let Some(file) = existing(&path)? else { return Ok(None) };
        let mut letters = Vec::new();
        for (index, line) in BufReader::new(file.take(MAX_AGAIN_BYTES)).lines().enumerate() {
            let wrong = |error| io::Error::other(format!("line {} is no dead letter: {error}", index + 1));
            letters.push(serde_json::from_str(&line?).map_err(wrong)?);
        }
        Ok(Some(letters))
    }

    /// Forgets the letters that were to be delivered again.
    ///
    /// # Errors
    /// They are still there.
    pub(crate) fn forget_again(&self) -> io::Result<()> {
        fs::remove_file(self.letters_again())?;
        self.sync_directory()
    }

    fn path(&self, suffix: &str) -> PathBuf {
        self.directory.join(format!("{}.{suffix}", self.name))
    }

    fn sync_directory(&self) -> io::Result<()> {
        File::open(&self.directory)?.sync_all()
    }
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).mode(FILE_MODE);
    options
}

fn existing(path: &Path) -> io::Result<Option<File>> {
    match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        opened => opened.map(Some),
    }
}

fn size(path: &Path) -> io::Result<Option<u64>> {
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        found => found.map(|found| Some(found.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notice::testing::event;

    fn letter(sequence: u64) -> DeadLetter {
        let notice = Notice::Event(Box::new(event(sequence)));
        DeadLetter { time: Timestamp::UNIX_EPOCH, reason: "status 404".to_owned(), notice }
    }

    #[test]
    fn a_position_is_there_the_next_time() {
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path().join("publish");
        let (spool, cursor) = Spool::open(&directory, "webhook-noc").unwrap();
        assert_eq!(cursor, None);
        spool.save(7).unwrap();
        spool.save(1 << 53).unwrap();
        assert_eq!(Spool::open(&directory, "webhook-noc").unwrap().1, Some(1 << 53));
        assert_eq!(Spool::open(&directory, "webhook-soc").unwrap().1, None);
    }

    #[test]
    fn a_position_that_is_none_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        for text in ["", "{}", "{\"cursor\":-1}", "\u{0}"] {
            fs::write(folder.path().join("webhook-noc.json"), text).unwrap();
            assert!(Spool::open(folder.path(), "webhook-noc").is_err(), "{text:?}");
        }
    }

    #[test]
    fn dead_letters_are_read_again_after_a_rename() {
        let folder = tempfile::tempdir().unwrap();
        let (spool, _) = Spool::open(folder.path(), "webhook-noc").unwrap();
        assert!(!spool.has_dead_letters().unwrap() && spool.again().unwrap().is_none());
        spool.bury(&letter(1)).unwrap();
        spool.bury(&letter(2)).unwrap();
        assert!(spool.has_dead_letters().unwrap());
        fs::rename(spool.dead_letters(), spool.letters_again()).unwrap();
        assert_eq!(spool.again().unwrap().unwrap(), [letter(1), letter(2)]);
        spool.forget_again().unwrap();
        assert!(spool.again().unwrap().is_none());
        fs::write(spool.letters_again(), "{\"time\":\"yesterday\"}\n").unwrap();
        assert!(spool.again().unwrap_err().to_string().starts_with("line 1 is no dead letter"));
    }

    #[test]
    fn dead_letters_take_a_bounded_part_of_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let (spool, _) = Spool::open(folder.path(), "webhook-noc").unwrap();
        let mut long = letter(1);
        long.reason = "x".repeat(100_000);
        for _ in 0..50 {
            spool.bury(&long).unwrap();
        }
        let sizes: Vec<u64> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().metadata().unwrap().len())
            .collect();
        assert_eq!(sizes.len(), 2);
        assert!(sizes.iter().all(|size| *size <= FULL_BYTES), "{sizes:?}");
    }
}
