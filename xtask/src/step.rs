//! Named steps, run one after the other until one fails, with a summary at the end.
//!
//! Knows how to run and to time a step; knows nothing of what the steps are.

use std::ffi::OsStr;
use std::io::Write;
use std::iter;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};

use crate::root;

/// Something that passes or fails.
pub(crate) struct Step {
    name: &'static str,
    /// What it does, in a few words or as one would type it.
    what: String,
    run: Box<dyn FnOnce() -> Result<()>>,
}

impl Step {
    /// A step that is a function.
    pub(crate) fn function(
        name: &'static str,
        what: impl Into<String>,
        run: impl FnOnce() -> Result<()> + 'static,
    ) -> Self {
        Self { name, what: what.into(), run: Box::new(run) }
    }

    /// A step that is a program.
    pub(crate) fn command(name: &'static str, command: Command) -> Self {
        Self::function(name, command_line(&command), || run(command))
    }
}

/// A program that runs in the root of the workspace with these arguments.
pub(crate) fn program(name: impl AsRef<OsStr>, args: &[&str]) -> Command {
    let mut command = Command::new(name);
    command.args(args).current_dir(root());
    command
}

/// Runs a program, whose output goes to the screen.
///
/// # Errors
/// The program cannot be started, or does not exit with 0.
pub(crate) fn run(mut command: Command) -> Result<()> {
    let line = command_line(&command);
    let status = command.status().with_context(|| format!("cannot start `{line}`"))?;
    if !status.success() {
        bail!("`{line}` ended with {status}");
    }
    Ok(())
}

/// What a program prints, without space around it.
///
/// # Errors
/// The program cannot be started, does not exit with 0, or prints what is not text.
pub(crate) fn answer(mut command: Command) -> Result<String> {
    let line = command_line(&command);
    command.stderr(Stdio::inherit());
    let output = command.output().with_context(|| format!("cannot start `{line}`"))?;
    if !output.status.success() {
        bail!("`{line}` ended with {}", output.status);
    }
    let text = String::from_utf8(output.stdout).with_context(|| format!("`{line}` prints no text"))?;
    Ok(text.trim().to_owned())
}

/// The command as one would type it; the arguments used here hold nothing that would need quotes.
fn command_line(command: &Command) -> String {
    let words = iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<_> = words.map(OsStr::to_string_lossy).collect();
    words.join(" ")
}

/// What became of a step.
struct Outcome {
    name: &'static str,
    passed: bool,
    duration: Duration,
}

/// Runs the steps until one fails, then writes a table of what ran and how long it took.
///
/// # Errors
/// The one that stopped it, with the name of the step.
pub(crate) fn run_all(steps: Vec<Step>, out: &mut impl Write) -> Result<()> {
    let mut outcomes = Vec::new();
    let mut result = Ok(());
    for Step { name, what, run } in steps {
        writeln!(out, "\n==> {name}: {what}")?;
        let started = now();
        result = run().map_err(|error| anyhow!("step {name:?} failed: {error:#}"));
        outcomes.push(Outcome { name, passed: result.is_ok(), duration: started.elapsed() });
        if result.is_err() {
            break;
        }
    }
    writeln!(out, "{}", summary(&outcomes))?;
    result
}

/// One line per step, and the totals alone on the last line, where programs look for them.
fn summary(outcomes: &[Outcome]) -> String {
    let total: Duration = outcomes.iter().map(|outcome| outcome.duration).sum();
    let failed = outcomes.iter().filter(|outcome| !outcome.passed).count();
    let passed = outcomes.len() - failed;
    let line = |name: &str, verdict: &str, duration: Duration| {
        format!("{name:<12} {verdict:<8} {:>7.1} s\n", duration.as_secs_f64())
    };
    let verdict = |passed| if passed { "passed" } else { "FAILED" };
    let mut table = String::from("\n==> summary\n");
    for outcome in outcomes {
        table += &line(outcome.name, verdict(outcome.passed), outcome.duration);
    }
    table += &line("all", verdict(failed == 0), total);
    table + &format!("{passed} passed, {failed} failed")
}

#[expect(clippy::disallowed_methods, reason = "a chore tells how long it took; no logic depends on it")]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_failure_stops_and_is_named() {
        let steps = vec![
            Step::command("first", program("true", &["indeed"])),
            Step::function("second", "drink", || bail!("out of coffee")),
            Step::function("third", "work", || panic!("runs although the second step failed")),
        ];
        let mut screen = Vec::new();
        let error = run_all(steps, &mut screen).unwrap_err();
        assert_eq!(error.to_string(), "step \"second\" failed: out of coffee");
        let screen = String::from_utf8(screen).unwrap();
        assert!(
            screen.starts_with("\n==> first: true indeed\n\n==> second: drink\n\n==> summary\n"),
            "{screen}"
        );
        assert!(screen.ends_with("\n1 passed, 1 failed\n"), "{screen}");
    }

    #[test]
    fn a_program_that_fails_is_an_error_that_shows_its_command_line() {
        assert!(run(program("true", &[])).is_ok());
        let error = run(program("false", &["a", "b"])).unwrap_err();
        assert_eq!(error.to_string(), "`false a b` ended with exit status: 1");
        let error = run(program("opendcre-no-such-program", &[])).unwrap_err();
        assert_eq!(error.to_string(), "cannot start `opendcre-no-such-program`");
    }

    #[test]
    fn the_summary_ends_with_the_totals_alone_on_a_line() {
        let outcome = |name, passed| Outcome { name, passed, duration: Duration::from_millis(1250) };
        let text = summary(&[outcome("format", true), outcome("lints", false)]);
        let lines: Vec<_> = text.lines().skip(2).collect();
        assert_eq!(
            lines,
            [
                "format       passed       1.2 s",
                "lints        FAILED       1.2 s",
                "all          FAILED       2.5 s",
                "1 passed, 1 failed",
            ]
        );
    }
}
