//! The licences of others whose work is in the binary, with the texts that they came with.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::step::{answer, program};
use crate::target::Target;

/// How the names of files with licences begin.
const BEGINNINGS: [&str; 4] = ["LICENSE", "LICENCE", "COPYING", "NOTICE"];

/// The licence of the C library, as every Debian system has it.
const LGPL: &str = "/usr/share/common-licenses/LGPL-2.1";

const HEAD: &str = "\
The work of others that is in the binary `opendcre`, and under which licences.

GNU C Library (LGPL-2.1-or-later): linked statically. To link with another one, build the binary from its sources, with
`cargo xtask dist` or any other way.
Rust standard library (MIT OR Apache-2.0).
SQLite (public domain), within libsqlite3-sys.
";

/// A package as `cargo tree` names it, with its licence: `serde 1.0.0, MIT OR Apache-2.0`.
type Package = String;

/// All licences of what the binary for `target` is made of; each text stands once, with all that it is for.
///
/// # Errors
/// Cargo does not know the packages, or a text cannot be read.
pub(crate) fn third_party(target: Target) -> Result<String> {
    let packages = packages(target)?;
    let folders = folders()?;
    let mut texts: BTreeMap<String, BTreeSet<&Package>> = BTreeMap::new();
    let mut without_text = Vec::new();
    for (id, package) in &packages {
        let folder = folders.get(id).with_context(|| format!("cargo does not know where {id} is"))?;
        let found = texts_in(Path::new(folder))?;
        if found.is_empty() {
            without_text.push(package);
        }
        for text in found {
            texts.entry(text).or_default().insert(package);
        }
    }
    let lgpl = fs::read_to_string(LGPL).with_context(|| format!("cannot read {LGPL}"))?;
    let mut all = HEAD.to_owned();
    for package in without_text {
        writeln!(all, "{package}: comes without a text of its own.")?;
    }
    for (text, packages) in texts {
        section(&mut all, packages.into_iter().map(String::as_str), &text)?;
    }
    section(&mut all, ["GNU C Library, LGPL-2.1-or-later"].into_iter(), &lgpl)?;
    Ok(all)
}

fn section<'a>(all: &mut String, names: impl Iterator<Item = &'a str>, text: &str) -> Result<()> {
    let names: Vec<_> = names.collect();
    writeln!(all, "\n{}\n{}\n\n{}", "=".repeat(80), names.join("\n"), text.trim_end()).map_err(Into::into)
}

/// The packages of others in the binary for `target`, by name and version.
fn packages(target: Target) -> Result<BTreeMap<String, Package>> {
    let tree = ["tree", "--locked", "--package", "opendcre", "--edges", "normal", "--prefix", "none"];
    let mut command = program("cargo", &tree);
    command.args(["--format", "{p}\t{l}", "--target", target.triple()]);
    let lines = answer(command)?;
    let mut packages = BTreeMap::new();
    for line in lines.lines() {
        let (package, licence) = line.split_once('\t').unwrap_or((line, ""));
        let mut words = package.split(' ');
        let (name, version) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let is_ours = words.next().is_some_and(|word| word.starts_with("(/"));
        if !is_ours {
            let id = format!("{name} {}", version.trim_start_matches('v'));
            packages.insert(id.clone(), format!("{id}, {}", licence.trim_end_matches(" (*)")));
        }
    }
    Ok(packages)
}

/// Where the sources of each package are, by name and version.
fn folders() -> Result<BTreeMap<String, String>> {
    let metadata = answer(program("cargo", &["metadata", "--locked", "--format-version", "1"]))?;
    let metadata: Value = serde_json::from_str(&metadata).context("cargo's metadata are no JSON")?;
    let packages = metadata.get("packages").and_then(Value::as_array);
    let packages = packages.context("cargo's metadata name no packages")?;
    let folder = |package: &Value| {
        let text = |key| package.get(key).and_then(Value::as_str);
        let id = format!("{} {}", text("name")?, text("version")?);
        Some((id, text("manifest_path")?.trim_end_matches("Cargo.toml").to_owned()))
    };
    packages.iter().map(|package| folder(package).context("cargo's metadata are incomplete")).collect()
}

/// The texts of licences that lie in `folder`.
fn texts_in(folder: &Path) -> Result<BTreeSet<String>> {
    let mut texts = BTreeSet::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().to_uppercase();
        let is_text = BEGINNINGS.iter().any(|beginning| name.starts_with(beginning));
        if is_text && entry.path().is_file() {
            let bytes = fs::read(entry.path())?;
            texts.insert(String::from_utf8_lossy(&bytes).into_owned());
        }
    }
    Ok(texts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_package_in_the_binary_has_a_licence_and_ours_are_not_among_them() {
        let packages = packages(Target::X86_64).unwrap();
        assert!(packages.values().any(|package| package.starts_with("tokio 1.")), "{packages:?}");
        for (id, package) in &packages {
            assert!(!id.starts_with("opendcre"), "{id}");
            assert!(!package.ends_with(", "), "{package}");
        }
    }

    #[test]
    fn only_files_with_licences_are_texts() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("LICENSE-MIT"), "do what you like").unwrap();
        fs::write(folder.path().join("license.html"), "so be it").unwrap();
        fs::write(folder.path().join("README.md"), "hello").unwrap();
        let texts = texts_in(folder.path()).unwrap();
        assert_eq!(texts, BTreeSet::from(["do what you like".to_owned(), "so be it".to_owned()]));
    }
}
