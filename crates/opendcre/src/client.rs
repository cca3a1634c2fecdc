//! The client: asks a running server one question, or gives it one order, and prints what it answers.
//!
//! It knows the paths of API 1.1 and how to print JSON. It decides nothing: what exists and what is allowed is
//! for the server to say.

mod answer;
mod console;
mod error;
mod http;
mod request;
mod watch;

use std::io::Write;

use tokio::runtime;

use crate::cli::{ClientCommand, ClientOptions};
use crate::clock::SystemClock;
use crate::exit::Exit;

use self::answer::Answer;
use self::console::Console;
use self::error::ClientError;
use self::http::{Http, ServerUrl};
use self::request::Request;

/// Performs one client command. Answers go to `out`, errors to `err`.
pub(crate) fn run(
    command: &ClientCommand,
    options: &ClientOptions,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Exit {
    let mut console = Console::new(options.output, out, err);
    match perform(command, options, &mut console) {
        Ok(exit) => exit,
        Err(error) => console.report(&error),
    }
}

fn perform(
    command: &ClientCommand,
    options: &ClientOptions,
    console: &mut Console<'_>,
) -> Result<Exit, ClientError> {
    let server: ServerUrl = options.server.parse()?;
    let http = Http::new(server, options.timeout)?;
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(ClientError::Runtime)?;
    runtime.block_on(converse(command, &http, console))
}

async fn converse(
    command: &ClientCommand,
    http: &Http,
    console: &mut Console<'_>,
) -> Result<Exit, ClientError> {
    let request = Request::from(command);
    match command {
        ClientCommand::Watch(args) => {
            let schedule = watch::Schedule::from(args);
            watch::run(schedule, interrupt(), &SystemClock, async || http.send(&request).await, console).await
        }
        ClientCommand::Scan(_) => {
            console.scan(&http.send(&request).await?)?;
            Ok(Exit::Done)
        }
        ClientCommand::Version(args) if args.board.is_none() => {
            let answer = http.send(&request).await?;
            console.fields(&introduce(answer, http.server())?)?;
            Ok(Exit::Done)
        }
        ClientCommand::Read(_)
        | ClientCommand::Power(_)
        | ClientCommand::Asset(_)
        | ClientCommand::Version(_) => {
            console.fields(&http.send(&request).await?)?;
            Ok(Exit::Done)
        }
    }
}

/// Puts in front of the server's answer who asked whom.
fn introduce(answer: Answer, server: &ServerUrl) -> Result<Answer, ClientError> {
    answer
        .preceded_by("server", &server.to_string())?
        .preceded_by("client_version", env!("CARGO_PKG_VERSION"))
}

/// Waits for Ctrl-C, for ever if this process cannot receive it.
async fn interrupt() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
