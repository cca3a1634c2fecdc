//! Replays what the fuzzers have found worth keeping, with an ordinary compiler.
//!
//! `fuzz/corpus` holds inputs that reach every part of a target, `fuzz/regressions` inputs that once broke a promise.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use opendcre_fuzz_targets::TARGETS;

/// A corpus beyond this is not minimised; every clone and every test run pays for it.
const MAX_FILES: usize = 200;
const MAX_BYTES: usize = 300_000;

#[test]
fn every_kept_input_is_survived() {
    for (name, target) in TARGETS {
        let corpus = inputs(&fuzz().join("corpus").join(name));
        assert!(!corpus.is_empty(), "{name} has no corpus");
        let regressions = inputs(&fuzz().join("regressions").join(name));
        for path in corpus.iter().chain(&regressions) {
            // Shown only when the target panics: the last line names the input.
            println!("{}", path.display());
            target(&fs::read(path).unwrap());
        }
    }
}

#[test]
fn corpora_are_small() {
    for (name, _) in TARGETS {
        let corpus = inputs(&fuzz().join("corpus").join(name));
        let bytes: usize = corpus.iter().map(|path| fs::read(path).unwrap().len()).sum();
        assert!(corpus.len() <= MAX_FILES, "{name}: {} files", corpus.len());
        assert!(bytes <= MAX_BYTES, "{name}: {bytes} bytes");
    }
}

#[test]
fn every_fuzzer_has_a_target_and_every_target_a_fuzzer() {
    let fuzzers = entries(&fuzz().join("fuzz_targets"));
    let fuzzers: BTreeSet<_> = fuzzers.iter().filter_map(|path| path.file_stem()).collect();
    let targets = TARGETS.iter().map(|(name, _)| (*name).as_ref());
    assert_eq!(fuzzers, targets.collect());
}

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

/// The files of a folder in the order of their names; none if there is no such folder.
fn inputs(folder: &Path) -> Vec<PathBuf> {
    match folder.exists() {
        true => entries(folder),
        false => Vec::new(),
    }
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}
