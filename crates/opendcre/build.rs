//! Finds out which commit the program is built from: `OPENDCRE_COMMIT` of the environment says it where there is no
//! repository, otherwise git does, and where neither knows it is `unknown`.

use std::path::{Path, PathBuf};
use std::process::Command;

const VARIABLE: &str = "OPENDCRE_COMMIT";

/// What git writes to whenever another commit is checked out or made.
const TRACES: [&str; 2] = ["HEAD", "logs/HEAD"];

/// Longer than any hash.
const MAX_LENGTH: usize = 128;

fn main() -> Result<(), String> {
    let mut out = format!("cargo::rerun-if-changed=build.rs\ncargo::rerun-if-env-changed={VARIABLE}\n");
    let commit = match std::env::var(VARIABLE) {
        Ok(commit) if is_name(&commit) => commit,
        Ok(commit) if !commit.is_empty() => {
            return Err(format!("{VARIABLE} is {commit:?}; a commit is letters, digits, `-`, `.` and `+`"));
        }
        Ok(_) | Err(_) => {
            let repository = Repository::around(Path::new(env!("CARGO_MANIFEST_DIR")));
            let traces = repository.iter().flat_map(Repository::traces);
            out.extend(traces.map(|trace| format!("cargo::rerun-if-changed={}\n", trace.display())));
            repository.and_then(|repository| repository.commit()).unwrap_or_else(|| "unknown".to_owned())
        }
    };
    out += &format!("cargo::rustc-env={VARIABLE}={commit}\n");
    std::io::Write::write_all(&mut std::io::stdout(), out.as_bytes()).map_err(|error| error.to_string())
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

    fn commit(&self) -> Option<String> {
        self.ask(&["rev-parse", "--verify", "HEAD"]).filter(|commit| is_name(commit))
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
