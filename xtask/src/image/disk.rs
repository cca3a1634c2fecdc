//! From a folder with a system to the image of a card: partition table, firmware, system, data.
//!
//! Needs neither loop devices nor mounts. The same folder gives the same bytes: times are those of the commit, names are
//! sorted, and the ids of the file systems are fixed. Knows nothing of what is in the folder.

use std::fs::{self, File};
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, bail};

use crate::debian::Archive;
use crate::step::{answer, program, run};

/// Where the first partition begins, MiB: the usual alignment of cards.
const START: u64 = 4;
/// The firmware partition, MiB: kernel and initrd, and room for the next ones.
const FIRMWARE: u64 = 128;
/// The system, MiB: what it takes, and room for its updates.
const SYSTEM: u64 = 1024;
/// The data until the first start lets them take the rest of the card, MiB.
const DATA: u64 = 256;

/// The version of mke2fs that reads archives and gives the same bytes each time is that of the release of the image.
const FILE_SYSTEM_TOOLS: &[&str] = &["e2fsprogs", "libarchive13t64"];

/// What makes file systems, and when.
pub(crate) struct Maker<'a> {
    /// A folder of ours for tools and pieces.
    pub(crate) scratch: &'a Path,
    /// Where tools come from.
    pub(crate) archive: &'a Archive,
    /// The time that stands everywhere, in seconds since 1970.
    pub(crate) time: &'a str,
}

impl Maker<'_> {
    /// Writes the image of a card with the system that lies in `root`.
    ///
    /// # Errors
    /// A tool fails, or something does not fit.
    pub(crate) fn write(&self, root: &Path, image: &Path) -> Result<()> {
        self.fetch_tools()?;
        let [firmware, system, data] =
            ["firmware.img", "system.img", "data.img"].map(|name| self.scratch.join(name));
        self.firmware(&root.join("boot/firmware"), &firmware)?;
        self.ext4(root, &["./boot/firmware/*", "./var/*"], &system, "openmistos-root", SYSTEM, 1)?;
        self.ext4(&root.join("var"), &[], &data, "openmistos-data", DATA, 2)?;
        File::create(image)?.set_len((START + FIRMWARE + SYSTEM + DATA) << 20)?;
        partition(image)?;
        for (part, start) in
            [(&firmware, START), (&system, START + FIRMWARE), (&data, START + FIRMWARE + SYSTEM)]
        {
            place(part, image, start)?;
            fs::remove_file(part)?;
        }
        Ok(())
    }

    /// The firmware partition. The board's own loader reads it: FAT.
    fn firmware(&self, folder: &Path, image: &Path) -> Result<()> {
        sized(image, FIRMWARE)?;
        let mut format =
            program("mkfs.vfat", &["-F", "32", "-n", "OPENMISTOS", "-i", "4f4d4f53", "--invariant"]);
        format.arg(image).stdout(Stdio::null());
        run(format)?;
        let mut date = program("find", &[]);
        date.arg(folder).args([
            "-exec",
            "touch",
            "--no-dereference",
            "--date",
            &format!("@{}", self.time),
            "{}",
            "+",
        ]);
        run(date)?;
        let mut names = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
        names.sort();
        let mut copy = program("mcopy", &["-m", "-s", "-i"]);
        copy.arg(image).args(names).arg("::").env("TZ", "UTC").env("MTOOLS_SKIP_CHECK", "1");
        run(copy)
    }

    /// A file system with everything in `folder` but what matches `without`. `number` tells its id from the others.
    fn ext4(
        &self,
        folder: &Path,
        without: &[&str],
        image: &Path,
        label: &str,
        size: u64,
        number: u8,
    ) -> Result<()> {
        let archive = image.with_extension("tar");
        self.pack(folder, without, &archive)?;
        sized(image, size)?;
        let ids = format!("6f6d6f73-0000-4000-8000-0000000000{number:02}");
        let mut make = program(self.scratch.join("tools/lib64/ld-linux-x86-64.so.2"), &["--library-path"]);
        make.arg(self.scratch.join("tools/lib/x86_64-linux-gnu"))
            .arg(self.scratch.join("tools/sbin/mke2fs"))
            // The blocks and inodes of a large file system, which it becomes.
            .args(["-q", "-t", "ext4", "-b", "4096", "-i", "16384", "-L", label, "-U", &ids, "-m", "1"])
            .args([
                "-E",
                &format!("hash_seed={ids},root_owner=0:0"),
                "-O",
                "^metadata_csum_seed,^orphan_file",
            ])
            .arg("-d")
            .args([&archive, image])
            .env("MKE2FS_CONFIG", self.scratch.join("tools/etc/mke2fs.conf"))
            .env("SOURCE_DATE_EPOCH", self.time);
        run(make)?;
        fs::remove_file(archive).map_err(Into::into)
    }

    fn pack(&self, folder: &Path, without: &[&str], archive: &Path) -> Result<()> {
        let mut pack = program("tar", &["--create", "--sort=name", "--numeric-owner", "--clamp-mtime"]);
        pack.args(["--xattrs", "--xattrs-include=*", "--format=posix"])
            .args(["--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime"])
            .arg(format!("--mtime=@{}", self.time))
            .args(without.iter().map(|pattern| format!("--exclude={pattern}")))
            .arg("--file")
            .arg(archive)
            .arg("--directory")
            .arg(folder)
            .arg(".");
        run(pack)
    }

    fn fetch_tools(&self) -> Result<()> {
        let tools = self.scratch.join("tools");
        if tools.join("complete").exists() {
            return Ok(());
        }
        self.archive.unpack(FILE_SYSTEM_TOOLS, &tools)?;
        merge_usr(&tools)?;
        fs::write(tools.join("complete"), "").map_err(Into::into)
    }
}

/// Makes `lib64`, `lib` and `sbin` lead into `usr`, as the release has it.
fn merge_usr(folder: &Path) -> Result<()> {
    for name in ["lib64", "lib", "sbin"] {
        let link = folder.join(name);
        if !link.exists() {
            std::os::unix::fs::symlink(Path::new("usr").join(name), &link)
                .with_context(|| format!("cannot make {}", link.display()))?;
        }
    }
    Ok(())
}

/// An empty file of so many MiB.
fn sized(path: &Path, size: u64) -> Result<()> {
    File::create(path)?.set_len(size << 20).map_err(Into::into)
}

/// Writes the partition table: MBR, because the loader of the Pi 2 knows no other.
fn partition(image: &Path) -> Result<()> {
    let table = partition_table();
    let script = image.with_extension("sfdisk");
    fs::write(&script, table)?;
    let mut command = program("sfdisk", &["--quiet"]);
    command.arg(image).stdin(File::open(&script)?);
    run(command)?;
    fs::remove_file(script).map_err(Into::into)
}

fn partition_table() -> String {
    // In sectors of 512 bytes.
    let sectors = |size: u64| size * 2048;
    let line = |start: u64, size: u64, kind: &str| {
        format!("start={}, size={}, type={kind}\n", sectors(start), sectors(size))
    };
    String::from("label: dos\nlabel-id: 0x4f4d4f53\nunit: sectors\n")
        + &line(START, FIRMWARE, "c, bootable")
        + &line(START + FIRMWARE, SYSTEM, "83")
        + &line(START + FIRMWARE + SYSTEM, DATA, "83")
}

/// Copies `part` into `image`, at `start` MiB. What is empty stays empty.
fn place(part: &Path, image: &Path, start: u64) -> Result<()> {
    let mut copy = program("dd", &["bs=1M", "conv=notrunc,sparse", "status=none"]);
    copy.arg(format!("if={}", part.display()))
        .arg(format!("of={}", image.display()))
        .arg(format!("seek={start}"));
    run(copy)
}

/// Takes a file out of the firmware partition of `image`, into `folder`.
///
/// # Errors
/// It is not there.
pub(crate) fn take_firmware(image: &Path, name: &str, folder: &Path) -> Result<()> {
    let mut copy = program("mcopy", &["-n", "-o", "-i", &firmware_of(image), &format!("::{name}")]);
    copy.arg(folder);
    run(copy)
}

/// Puts a file into the firmware partition of `image`, as one would who has the card in a reader.
///
/// # Errors
/// It cannot be written.
pub(crate) fn put_firmware(file: &Path, image: &Path) -> Result<()> {
    let mut copy = program("mcopy", &["-o", "-i", &firmware_of(image)]);
    copy.arg(file).arg("::");
    run(copy)
}

/// The name of the one file in the firmware partition of `image` that begins with `start`.
///
/// # Errors
/// There is none, or there are several.
pub(crate) fn firmware_file(image: &Path, start: &str) -> Result<String> {
    let listing = answer(program("mdir", &["-b", "-i", &firmware_of(image), "::"]))?;
    let names = listing.lines().filter_map(|line| line.trim().strip_prefix("::/"));
    let found: Vec<_> = names.filter(|name| name.starts_with(start)).collect();
    match found[..] {
        [name] => Ok(name.to_owned()),
        _ => bail!("the firmware partition of {} has {} files {start}*", image.display(), found.len()),
    }
}

/// How mtools call the firmware partition.
fn firmware_of(image: &Path) -> String {
    format!("{}@@{START}M", image.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_partitions_follow_each_other_without_a_gap() {
        let table = partition_table();
        assert!(table.contains("start=8192, size=262144, type=c, bootable\n"), "{table}");
        assert!(table.contains("start=270336, size=2097152, type=83\n"), "{table}");
        assert!(table.contains("start=2367488, size=524288, type=83\n"), "{table}");
    }
}
