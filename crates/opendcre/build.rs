//! Finds out which commit the program is built from, and from when that is: `OPENDCRE_COMMIT` and `SOURCE_DATE_EPOCH` of
//! the environment say it where there is no repository, otherwise git does. Where neither knows, the commit is `unknown`, and
//! the time is 1970.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

const COMMIT: &str = "OPENDCRE_COMMIT";

/// When the sources were last changed, as builds that can be repeated know it (reproducible-builds.org).
const BUILT: &str = "SOURCE_DATE_EPOCH";

/// What git writes to whenever another commit is checked out or made.
const TRACES: [&str; 2] = ["HEAD", "logs/HEAD"];

/// Longer than any hash.
const MAX_LENGTH: usize = 128;

fn main() -> Result<(), String> {
    let repository = Repository::around(Path::new(env!("CARGO_MANIFEST_DIR")));
    let ask = |arguments: &[&str]| repository.as_ref().and_then(|repository| repository.ask(arguments));
    let commit = given(COMMIT).or_else(|| ask(&["rev-parse", "--verify", "HEAD"]));
    let built = given(BUILT).or_else(|| ask(&["log", "-1", "--format=%ct"]));
    let commit = commit.unwrap_or_else(|| "unknown".to_owned());
    let built = built.unwrap_or_else(|| "0".to_owned());
    if !is_name(&commit) {
        return Err(format!("{COMMIT} is {commit:?}; a commit is letters, digits, `-`, `.` and `+`"));
    }
    if built.parse::<u32>().is_err() {
        return Err(format!("{BUILT} is {built:?}; it is a number of seconds since 1970"));
    }
    let mut out = format!("cargo::rustc-env={COMMIT}={commit}\ncargo::rustc-env=OPENDCRE_BUILT={built}\n");
    out += "cargo::rerun-if-changed=build.rs\n";
    out.extend([COMMIT, BUILT].map(|name| format!("cargo::rerun-if-env-changed={name}\n")));
    let traces = repository.iter().flat_map(Repository::traces);
    out.extend(traces.map(|trace| format!("cargo::rerun-if-changed={}\n", trace.display())));
    std::io::stdout().write_all(out.as_bytes()).map_err(|error| error.to_string())
}

/// What the environment says.
fn given(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Whether `text` can stand for a commit, also in a line for cargo.
fn is_name(text: &str) -> bool {
    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'+');
    (1..=MAX_LENGTH).contains(&text.len()) && text.bytes().all(is_fit)
}

/// The checkout that holds the sources.
struct Repository {
    root: PathBuf,
}

impl Repository {
    /// The repository of the workspace around `package`; nothing where the sources merely lie within one of others.
    fn around(package: &Path) -> Option<Self> {
        let root = package.ancestors().nth(2)?;
        root.join(".git").exists().then(|| Self { root: root.to_owned() })
    }

    /// The files whose change tells that there may be another commit. One that is missing would make cargo build again
    /// every time.
    fn traces(&self) -> Vec<PathBuf> {
        let branch = self.ask(&["symbolic-ref", "--quiet", "HEAD"]);
        let names = TRACES.into_iter().map(str::to_owned).chain(branch);
        let paths = names.filter_map(|name| self.ask(&["rev-parse", "--git-path", &name]));
        paths.map(|path| self.root.join(path)).filter(|path| path.exists()).collect()
    }

    /// What git answers, if it does.
    fn ask(&self, arguments: &[&str]) -> Option<String> {
        let output = Command::new("git").arg("-C").arg(&self.root).args(arguments).output().ok()?;
        let answer = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| answer.trim_end().to_owned())
    }
}
