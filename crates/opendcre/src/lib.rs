//! The `opendcre` program: one command line for the gateway, its emulators and its client.
//!
//! This crate reads the command line and the configuration and wires the other rooms together. It has no logic
//! of its own: it knows neither the bytes of a protocol nor the rules of the API.

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use crate::cli::{Cli, Command, CompletionsArgs};
use crate::exit::Exit;
use crate::original::Script;
use crate::serve::Source;

mod audit;
pub mod cli;
mod client;
mod clock;
pub mod config;
mod demo;
mod emulate;
mod exit;
mod input;
mod ipmi;
mod log;
mod login;
mod original;
mod output;
mod secret;
mod serve;
mod token;

/// The commit that the program was built from, or `unknown`; the build script finds it.
const COMMIT: &str = env!("OPENDCRE_COMMIT");

/// Runs the program with the given command line, whose first element is the name of the program.
///
/// The meaning of the exit code is part of `opendcre --help`.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    install_ring();
    let args: Vec<OsString> = args.into_iter().collect();
    if let Some(script) = Script::called_by(&args) {
        return script.run(&mut io::stdout()).map_or_else(|error| report(&error), |()| Exit::Done.into());
    }
    match Cli::try_parse_from(args) {
        Ok(cli) => dispatch(cli),
        Err(usage) => explain(&usage),
    }
}

/// Makes ring the provider of cryptography wherever TLS is spoken and none is named.
fn install_ring() {
    // An error says that there is one already, as in tests that run the program several times.
    let (Ok(()) | Err(_)) = rustls::crypto::ring::default_provider().install_default();
}

/// Hands over to the one module that does what was asked.
fn dispatch(cli: Cli) -> ExitCode {
    let mut out = io::stdout();
    let done = match cli.command {
        Command::Client(command) => {
            return client::run(&command, &cli.client, &mut out, &mut io::stderr()).into();
        }
        Command::Audit(args) => match audit::run(&args.command, cli.client.output, &mut out) {
            Ok(exit) => return exit.into(),
            Err(error) => Err(error),
        },
        Command::Completions(args) => print_completions(&args, &mut out),
        Command::Config(args) => config::run(&args.command, &mut out),
        Command::Demo(args) => demo::run(&args, &mut out),
        Command::Emulate(args) => emulate::run(&args.command, &mut out),
        Command::Ipmi(args) => return ipmi::run(&args, &cli.client, &mut out, &mut io::stderr()).into(),
        Command::Login(args) => login::login(&args, &cli.client, &mut out),
        Command::Logout => login::logout(&cli.client, &mut out),
        Command::Ready(args) => {
            return client::ready(&args, &cli.client, &mut out, &mut io::stderr()).into();
        }
        Command::Secret(args) => secret::run(&args.command, &mut out, &mut io::stderr()),
        Command::Serve(args) => serve::run(&Source::of(&args)),
        Command::Token(args) => {
            token::run(&args.command, cli.client.output, &clock::SystemClock, &mut out, &mut io::stderr())
        }
    };
    done.map_or_else(|error| report(&error), |()| Exit::Done.into())
}

/// Prints help, version or a usage error where each belongs: clap knows.
fn explain(usage: &clap::Error) -> ExitCode {
    let printed = usage.print();
    if usage.use_stderr() {
        // Without a place to complain, the exit code must say it all.
        return Exit::Usage.into();
    }
    printed.map_or_else(|error| report(&error.into()), |()| Exit::Done.into())
}

fn print_completions(args: &CompletionsArgs, out: &mut impl Write) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "opendcre", &mut script);
    output::print(out, &String::from_utf8(script)?)
}

/// Ends a command that failed, with one line that says why. A reader that went away, as `head` does, has all it
/// wanted: that is no failure.
fn report(error: &anyhow::Error) -> ExitCode {
    let cause = error.downcast_ref::<io::Error>();
    if cause.is_some_and(|cause| cause.kind() == io::ErrorKind::BrokenPipe) {
        return Exit::Done.into();
    }
    // Without a place to write to, the exit code must say it all.
    match writeln!(io::stderr(), "error: {error:#}") {
        Ok(()) | Err(_) => Exit::Failed.into(),
    }
}
