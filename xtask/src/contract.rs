//! The contract of API 2: a program that others wrote reads the OpenAPI document of a running demo, makes requests of
//! all sorts of it, and compares what comes back with what the document promises.

use std::io::{self, BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;

use anyhow::{Context, Result};

use crate::root;
use crate::step::{program, run};
use crate::tool;

/// How many requests are made of each operation. More find little; nightly runs may.
const EXAMPLES: &str = "25";
/// Where a failure can be repeated with the same requests.
const SEED: &str = "20";

/// More than the longest time that an answer may be waited for, in seconds.
const PATIENCE: &str = "60";

/// Starts a demo and checks its answers.
///
/// # Errors
/// An answer is not as the document says, or something cannot be started.
pub(crate) fn check() -> Result<()> {
    run(program("cargo", &["build", "--locked", "-p", "opendcre"]))?;
    let demo = Demo::start()?;
    run(schemathesis(&demo.url))
}

fn schemathesis(url: &str) -> Command {
    let document = format!("{url}/opendcre/2/openapi.json");
    let mut command = program(tool::schemathesis(), &["--config-file", "xtask/schemathesis.toml", "run"]);
    command.args([&document, "--checks", "all", "--max-examples", EXAMPLES, "--seed", SEED, "--no-color"]);
    // Those who ask for changes may wait for what does not come.
    command.args(["--request-timeout", PATIENCE, "--max-response-time", PATIENCE]);
    command
}

/// A running demo. It ends with this value.
struct Demo {
    process: Child,
    url: String,
}

impl Demo {
    fn start() -> Result<Self> {
        let path: PathBuf = root().join("target/debug/opendcre");
        let mut command = Command::new(&path);
        command.args(["demo", "--listen", "127.0.0.1:0"]).stdout(Stdio::piped());
        let process = command.spawn().with_context(|| format!("cannot start {}", path.display()))?;
        let mut demo = Self { process, url: String::new() };
        demo.url = url_of(demo.process.stdout.take().context("the demo has no output")?)?;
        Ok(demo)
    }
}

/// Where a demo says that it serves. Its output is read to the end, because a demo that cannot print ends.
fn url_of(output: ChildStdout) -> Result<String> {
    let mut lines = BufReader::new(output).lines();
    let url = lines.by_ref().map_while(io::Result::ok).find_map(|line| {
        let (url, _) = line.split_once("curl ")?.1.split_once("/opendcre/")?;
        Some(url.trim_start_matches('\'').to_owned())
    });
    thread::spawn(move || lines.map_while(io::Result::ok).for_each(drop));
    url.context("the demo did not say where it serves")
}

impl Drop for Demo {
    fn drop(&mut self) {
        // It may have ended by itself, which is then the failure that is reported.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
