//! A log file that starts anew every day and whenever it has grown large, and that deletes its oldest
//! predecessors, so that it never fills the disk.
//!
//! The current file is `NAME`; its predecessors are `NAME.YYYY-MM-DD.N`, with the day (UTC) on which they were
//! begun and a number that counts up within the day. It knows lines, not what they say.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::civil::Date;
use jiff::{Timestamp, tz};
use opendcre_model::WallClock;

/// Readable for the group, so that people who may see logs need not be root. Request lines name clients, so not
/// for everybody.
const MODE: u32 = 0o640;

/// How large things may grow.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// The current file. A single longer line is written all the same.
    pub(super) file_bytes: u64,
    /// How many rotated files are kept.
    pub(super) rotated_files: usize,
    /// All files together.
    pub(super) total_bytes: u64,
}

/// Lines that arrive together are written together, up to this many bytes.
const BATCH_BYTES: usize = 32 << 10;

/// A writer that takes whole lines: what is written of them at once is written whole or, after a failure, not at all.
pub(super) struct RotatingFile {
    path: PathBuf,
    bounds: Bounds,
    clock: Arc<dyn WallClock>,
    /// Missing after a failure, until the next line opens it again.
    current: Option<Current>,
}

struct Current {
    file: File,
    identity: Identity,
    size: u64,
    day: Date,
}

/// Tells one file from another that has taken its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
}

/// A predecessor of the current file. Ordered by age, oldest first.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rotated {
    day: Date,
    number: u32,
    path: PathBuf,
    size: u64,
}

impl RotatingFile {
    /// Opens the file at `path`, making its directory if needed, and continues it if it is there.
    pub(super) fn open(path: PathBuf, bounds: Bounds, clock: Arc<dyn WallClock>) -> io::Result<Self> {
        let mut file = Self { path, bounds, clock, current: None };
        file.current = Some(file.open_current()?);
        file.delete_oldest();
        Ok(file)
    }

    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        // Somebody may have moved or removed the file, and would wait for lines where it was.
        let current = self.current.take().filter(|current| current.is_at(&self.path));
        let mut current = match current {
            Some(current) => current,
            None => self.open_current()?,
        };
        if self.is_full(&current, lines.len() as u64) {
            self.rotate(&current)?;
            current = self.open_current()?;
            self.delete_oldest();
        }
        if current.size == 0 {
            // An empty file belongs to the day of its first line.
            current.day = utc_day(self.clock.now());
        }
        if let Err(error) = current.file.write_all(lines) {
            // A full disk may have taken half a line; the next one must not continue it. If that fails as well, the first
            // error is the cause of both.
            current.file.set_len(current.size).ok();
            return Err(error);
        }
        current.size += lines.len() as u64;
        self.current = Some(current);
        Ok(())
    }

    fn is_full(&self, current: &Current, more: u64) -> bool {
        let too_large = current.size + more > self.bounds.file_bytes;
        let too_old = current.day != utc_day(self.clock.now());
        current.size > 0 && (too_large || too_old)
    }

    /// Opens the file, in a directory that is made if it is missing.
    fn open_current(&self) -> io::Result<Current> {
        if let Some(directory) = self.path.parent() {
            fs::create_dir_all(directory)?;
        }
        let file = OpenOptions::new().append(true).create(true).mode(MODE).open(&self.path)?;
        let metadata = file.metadata()?;
        // A time that no calendar knows makes the file old, which only rotates it.
        let modified = metadata.modified()?.try_into().unwrap_or(Timestamp::MIN);
        let day = utc_day(modified);
        Ok(Current { file, identity: Identity::of(&metadata), size: metadata.len(), day })
    }

    /// Makes a predecessor of the current file.
    fn rotate(&self, current: &Current) -> io::Result<()> {
        let of_that_day = self.rotated()?.into_iter().filter(|file| file.day == current.day);
        let number = of_that_day.map(|file| file.number).max().unwrap_or(0).saturating_add(1);
        fs::rename(&self.path, self.rotated_path(current.day, number))
    }

    fn rotated_path(&self, day: Date, number: u32) -> PathBuf {
        let mut path = self.path.clone().into_os_string();
        path.push(format!(".{day}.{number}"));
        path.into()
    }

    /// Keeps the predecessors within their bounds, with room for the current file to grow. One that cannot be
    /// deleted stays in place of a younger one; it must not cost the lines that wait.
    fn delete_oldest(&self) {
        let mut files = self.rotated().unwrap_or_default();
        files.sort();
        let mut count = files.len();
        let mut bytes: u64 = files.iter().map(|file| file.size).sum();
        for file in files {
            if count <= self.bounds.rotated_files && bytes + self.bounds.file_bytes <= self.bounds.total_bytes
            {
                break;
            }
            if fs::remove_file(&file.path).is_ok() {
                count -= 1;
                bytes -= file.size;
            }
        }
    }

    /// The predecessors, without those that vanish meanwhile.
    fn rotated(&self) -> io::Result<Vec<Rotated>> {
        let directory = self.path.parent().unwrap_or(Path::new("."));
        let mut files = Vec::new();
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            if let Some((day, number)) = self.parse_rotated(&path)
                && let Ok(metadata) = fs::symlink_metadata(&path)
            {
                files.push(Rotated { day, number, path, size: metadata.len() });
            }
        }
        Ok(files)
    }

    /// The day and number in the name of a predecessor; nothing for any other file.
    fn parse_rotated(&self, path: &Path) -> Option<(Date, u32)> {
        let name = self.path.file_name()?.to_str()?;
        let suffix = path.file_name()?.to_str()?.strip_prefix(name)?.strip_prefix('.')?;
        let (day, number) = suffix.split_once('.')?;
        Some((day.parse().ok()?, number.parse().ok()?))
    }
}

impl Current {
    fn is_at(&self, path: &Path) -> bool {
        fs::metadata(path).is_ok_and(|metadata| Identity::of(&metadata) == self.identity)
    }
}

impl Identity {
    fn of(metadata: &Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino() }
    }
}

impl Write for RotatingFile {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        // What is written together shares a file, so it may not be larger than one.
        let limit = BATCH_BYTES.min(usize::try_from(self.bounds.file_bytes).unwrap_or(BATCH_BYTES));
        let (batch, _) = lines.split_at(batch_length(lines, limit));
        self.append(batch)?;
        Ok(batch.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// How long the first whole lines are that have no more than `limit` bytes together; a longer line stands alone.
fn batch_length(lines: &[u8], limit: usize) -> usize {
    let end_of_line = |byte: &u8| *byte == b'\n';
    let Some((start, rest)) = lines.split_at_checked(limit) else { return lines.len() };
    match start.iter().rposition(end_of_line) {
        Some(last) => last + 1,
        None => limit + rest.iter().position(end_of_line).map_or(rest.len(), |first| first + 1),
    }
}

fn utc_day(time: Timestamp) -> Date {
    tz::Offset::UTC.to_datetime(time).date()
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use jiff::{SignedDuration, ToSpan};
    use tempfile::TempDir;

    use super::*;

    struct SetClock(Mutex<Timestamp>);

    impl WallClock for SetClock {
        fn now(&self) -> Timestamp {
            *self.0.lock().unwrap()
        }
    }

    struct Bench {
        folder: TempDir,
        clock: Arc<SetClock>,
    }

    const LINE: &[u8] = b"123456789\n";
    const BOUNDS: Bounds = Bounds { file_bytes: 30, rotated_files: 3, total_bytes: 1000 };

    impl Bench {
        fn new() -> Self {
            let midnight_soon = "2026-02-28T23:59:00Z".parse().unwrap();
            Self {
                folder: tempfile::tempdir().unwrap(),
                clock: Arc::new(SetClock(Mutex::new(midnight_soon))),
            }
        }

        fn open(&self, bounds: Bounds) -> RotatingFile {
            let clock = Arc::clone(&self.clock);
            RotatingFile::open(self.folder.path().join("app.log"), bounds, clock).unwrap()
        }

        fn pass(&self, time: SignedDuration) {
            *self.clock.0.lock().unwrap() += time;
        }

        /// Names and sizes, sorted by name.
        fn files(&self) -> Vec<(String, u64)> {
            let entries = fs::read_dir(self.folder.path()).unwrap().map(Result::unwrap);
            let mut files: Vec<_> = entries
                .map(|entry| (entry.file_name().into_string().unwrap(), entry.metadata().unwrap().len()))
                .collect();
            files.sort();
            files
        }
    }

    fn write_lines(file: &mut RotatingFile, count: usize) {
        for _ in 0..count {
            file.write_all(LINE).unwrap();
        }
    }

    fn named(files: &[(&str, u64)]) -> Vec<(String, u64)> {
        files.iter().map(|(name, size)| ((*name).to_owned(), *size)).collect()
    }

    #[test]
    fn a_file_that_is_full_makes_room_for_the_next() {
        let bench = Bench::new();
        let mut file = bench.open(BOUNDS);
        write_lines(&mut file, 3);
        assert_eq!(bench.files(), named(&[("app.log", 30)]));
        write_lines(&mut file, 4);
        let expected = [("app.log", 10), ("app.log.2026-02-28.1", 30), ("app.log.2026-02-28.2", 30)];
        assert_eq!(bench.files(), named(&expected));
    }

    #[test]
    fn lines_that_come_together_fill_no_file_beyond_its_bound() {
        let bench = Bench::new();
        let mut file = bench.open(BOUNDS);
        file.write_all(&LINE.repeat(4)).unwrap();
        assert_eq!(bench.files(), named(&[("app.log", 10), ("app.log.2026-02-28.1", 30)]));
    }

    #[test]
    fn lines_are_cut_nowhere_but_at_their_ends() {
        for (lines, limit, length) in [
            ("a\nb\n", 4, 4),
            ("a\nb\nc\n", 5, 4),
            ("a\nb\n", 2, 2),
            ("long\nb\n", 2, 5),
            ("long\nb\n", 4, 5),
            ("endless", 2, 7),
            ("short", 9, 5),
        ] {
            assert_eq!(batch_length(lines.as_bytes(), limit), length, "{lines:?} in {limit}");
        }
    }

    #[test]
    fn a_line_longer_than_a_file_has_its_own_file() {
        let bench = Bench::new();
        let mut file = bench.open(BOUNDS);
        file.write_all(&[b'x'; 50]).unwrap();
        write_lines(&mut file, 1);
        assert_eq!(bench.files(), named(&[("app.log", 10), ("app.log.2026-02-28.1", 50)]));
    }

    #[test]
    fn a_new_day_starts_a_new_file() {
        let bench = Bench::new();
        let mut file = bench.open(BOUNDS);
        write_lines(&mut file, 1);
        bench.pass(SignedDuration::from_secs(59));
        write_lines(&mut file, 1);
        assert_eq!(bench.files(), named(&[("app.log", 20)]));
        bench.pass(SignedDuration::from_secs(1));
        write_lines(&mut file, 2);
        assert_eq!(bench.files(), named(&[("app.log", 20), ("app.log.2026-02-28.1", 20)]));
    }

    #[test]
    fn an_empty_file_belongs_to_the_day_of_its_first_line() {
        let bench = Bench::new();
        let mut file = bench.open(BOUNDS);
        bench.pass(SignedDuration::from_hours(24));
        write_lines(&mut file, 2);
        assert_eq!(bench.files(), named(&[("app.log", 20)]));
    }

    #[test]
    fn a_file_of_an_earlier_run_is_continued_on_its_day_only() {
        let bench = Bench::new();
        let path = bench.folder.path().join("app.log");
        fs::write(&path, LINE).unwrap();
        let yesterday = bench.clock.now() - 24.hours();
        File::open(&path).unwrap().set_modified(yesterday.into()).unwrap();
        let mut file = bench.open(BOUNDS);
        write_lines(&mut file, 1);
        assert_eq!(bench.files(), named(&[("app.log", 10), ("app.log.2026-02-27.1", 10)]));
    }

    #[test]
    fn the_oldest_go_when_there_are_too_many() {
        let bench = Bench::new();
        let mut file = bench.open(BOUNDS);
        write_lines(&mut file, 3 * 12 + 1);
        let numbers: Vec<String> = bench.files().into_iter().map(|(name, _)| name).collect();
        let expected = ["app.log", "app.log.2026-02-28.10", "app.log.2026-02-28.11", "app.log.2026-02-28.12"];
        assert_eq!(numbers, expected);
    }

    #[test]
    fn all_together_stay_within_their_bound_at_every_moment() {
        let bench = Bench::new();
        let bounds = Bounds { rotated_files: 100, total_bytes: 95, ..BOUNDS };
        let mut file = bench.open(bounds);
        for _ in 0..100 {
            write_lines(&mut file, 1);
            bench.pass(SignedDuration::from_hours(5));
            let total: u64 = bench.files().iter().map(|(_, size)| size).sum();
            assert!(total <= 95, "{:?}", bench.files());
        }
        assert!(bench.files().len() > 2, "{:?}", bench.files());
    }

    #[test]
    fn files_of_others_are_left_alone() {
        let bench = Bench::new();
        let others = ["app.log.bak", "app.log.2026-02-28", "app.log.2026-02-28.x", "other.log.2026-02-28.1"];
        for name in others {
            fs::write(bench.folder.path().join(name), LINE).unwrap();
        }
        let mut file = bench.open(Bounds { rotated_files: 1, ..BOUNDS });
        write_lines(&mut file, 20);
        let left = bench.files();
        assert!(others.iter().all(|name| left.iter().any(|(left, _)| left == name)), "{left:?}");
        assert_eq!(left.len(), others.len() + 2);
    }

    #[test]
    fn a_directory_that_goes_is_made_again() {
        let bench = Bench::new();
        let path = bench.folder.path().join("logs/app.log");
        let mut file = RotatingFile::open(path.clone(), BOUNDS, bench.clock.clone()).unwrap();
        write_lines(&mut file, 1);
        fs::remove_dir_all(path.parent().unwrap()).unwrap();
        write_lines(&mut file, 2);
        assert_eq!(fs::read(&path).unwrap(), LINE.repeat(2));
    }

    #[test]
    fn a_directory_that_cannot_be_made_costs_the_lines_until_it_can() {
        let bench = Bench::new();
        let path = bench.folder.path().join("logs/app.log");
        let directory = path.parent().unwrap();
        let mut file = RotatingFile::open(path.clone(), BOUNDS, bench.clock.clone()).unwrap();
        fs::remove_dir_all(directory).unwrap();
        fs::write(directory, "in the way").unwrap();
        for _ in 0..2 {
            file.write_all(LINE).unwrap_err();
        }
        fs::remove_file(directory).unwrap();
        write_lines(&mut file, 1);
        assert_eq!(fs::read(&path).unwrap(), LINE);
    }

    #[test]
    fn a_file_that_is_moved_or_replaced_gets_no_more_lines() {
        let bench = Bench::new();
        let mut file = bench.open(BOUNDS);
        let moved = bench.folder.path().join("moved");
        write_lines(&mut file, 1);
        fs::rename(&file.path, &moved).unwrap();
        write_lines(&mut file, 2);
        assert_eq!(bench.files(), named(&[("app.log", 20), ("moved", 10)]));
        let other = bench.folder.path().join("other");
        File::create(&other).unwrap();
        fs::rename(&other, &file.path).unwrap();
        write_lines(&mut file, 1);
        assert_eq!(bench.files(), named(&[("app.log", 10), ("moved", 10)]));
    }

    #[test]
    fn a_predecessor_that_cannot_be_read_or_deleted_costs_no_line() {
        let bench = Bench::new();
        let mut file = bench.open(Bounds { total_bytes: 1 << 20, rotated_files: 2, ..BOUNDS });
        fs::create_dir(bench.folder.path().join("app.log.2026-01-01.1")).unwrap();
        let dangling = bench.folder.path().join("app.log.2026-01-01.2");
        std::os::unix::fs::symlink("nowhere", &dangling).unwrap();
        write_lines(&mut file, 3 * 4 + 1);
        let names: Vec<String> = bench.files().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["app.log", "app.log.2026-01-01.1", "app.log.2026-02-28.4"]);
    }

    #[test]
    fn a_full_disk_is_named_and_survived() {
        let bench = Bench::new();
        let mut file = bench.open(BOUNDS);
        let path = std::mem::replace(&mut file.path, PathBuf::from("/dev/full"));
        for _ in 0..2 {
            assert_eq!(file.write_all(LINE).unwrap_err().kind(), io::ErrorKind::StorageFull);
        }
        file.path = path;
        write_lines(&mut file, 1);
        assert_eq!(bench.files(), named(&[("app.log", 10)]));
    }

    #[test]
    fn only_owner_and_group_may_read() {
        use std::os::unix::fs::PermissionsExt;
        let bench = Bench::new();
        let file = bench.open(BOUNDS);
        let mode = fs::metadata(&file.path).unwrap().permissions().mode();
        assert_eq!(mode & 0o007, 0);
    }
}
