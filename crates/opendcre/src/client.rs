//! The client: asks a running server, or gives it an order, and prints what it answers.
//!
//! It knows the paths of API 2 and how to print JSON. It decides nothing: what exists, what a node range stands for and
//! what is allowed is for the server to say.

mod answer;
mod auth;
mod board;
mod console;
mod error;
mod failure;
mod feed;
mod http;
mod job;
mod listing;
mod order;
mod problem;
mod reading;
mod sheet;
mod split;
mod survey;
mod watch;

use std::io::{self, BufRead, IsTerminal, Write};

use tokio::runtime;

use crate::cli::{
    AssetCommand, AuthCommand, ClientCommand, ClientOptions, FanCommand, LedCommand, NodeBootCommand,
};
use crate::exit::Exit;

use self::answer::Answer;
use self::console::{Console, Style};
use self::error::ClientError;
use self::http::{Http, Request, ServerUrl};

/// Performs one client command. Answers go to `out`, errors to `err`.
pub(crate) fn run(
    command: &ClientCommand,
    options: &ClientOptions,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Exit {
    let progress = io::stderr().is_terminal();
    // Whoever cannot see a question cannot answer it.
    let is_there = progress && io::stdin().is_terminal();
    let mut input = io::stdin().lock();
    let person = is_there.then_some(&mut input as &mut dyn BufRead);
    let style = Style { format: options.output, fold: !options.no_fold, progress };
    let mut console = Console::new(style, out, err, person);
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
    match command {
        ClientCommand::List(args) => board::list(http, args, console).await,
        ClientCommand::Scan(args) => job::scan(http, args, console).await,
        ClientCommand::Read(args) => reading::read(http, args, console).await,
        ClientCommand::Watch(args) => {
            let read = async || reading::round(http, args).await;
            watch::run(watch::Schedule::from(args), interrupt(), read, console).await
        }
        ClientCommand::Power(args) => match args.command.action() {
            None => reading::power(http, args, console).await,
            Some(action) => job::carry_out(http, &order::power(args, action), console).await,
        },
        ClientCommand::Asset(args) => match &args.command {
            AssetCommand::Get(targets) => survey::of_targets(http, &survey::ASSET, targets, console).await,
            AssetCommand::Set { nodes, text, device, change } => {
                job::carry_out(http, &order::asset(nodes, text, device, change), console).await
            }
        },
        ClientCommand::Boot(args) => match &args.command {
            NodeBootCommand::Get(targets) => survey::of_targets(http, &survey::BOOT, targets, console).await,
            NodeBootCommand::Set { nodes, boot, device, change } => {
                job::carry_out(http, &order::boot(nodes, boot, device, change), console).await
            }
        },
        ClientCommand::Led(args) => match args.command {
            LedCommand::Status => reading::led(http, args, console).await,
            LedCommand::On | LedCommand::Off => job::carry_out(http, &order::led(args), console).await,
        },
        ClientCommand::Fan(args) => match &args.command {
            FanCommand::Get { nodes, device } => {
                reading::fan(http, &nodes.nodes, device.as_deref(), console).await
            }
            FanCommand::Set { nodes, rpm, device, change } => {
                job::carry_out(http, &order::fan(nodes, *rpm, device, change), console).await
            }
        },
        ClientCommand::Identify(args) => job::carry_out(http, &order::identify(args), console).await,
        ClientCommand::Location(args) => board::location(http, args, console).await,
        ClientCommand::Version(args) => match &args.nodes {
            None => introduce(http, console).await,
            Some(nodes) => survey::ask(http, &survey::VERSION, nodes, None, console).await,
        },
        ClientCommand::Host(targets) => survey::of_targets(http, &survey::HOST, targets, console).await,
        ClientCommand::Groups(args) => listing::groups(http, args, console).await,
        ClientCommand::Racks => listing::racks(http, console).await,
        ClientCommand::Bmcs => listing::bmcs(http, console).await,
        ClientCommand::Sources => listing::sources(http, console).await,
        ClientCommand::Jobs(args) => job::jobs(http, args, console).await,
        ClientCommand::Changes(args) => feed::run(http, args, console).await,
        ClientCommand::Auth(args) => match &args.command {
            AuthCommand::Me => auth::me(http, console).await,
            AuthCommand::Why(args) => auth::why(http, args, console).await,
        },
        ClientCommand::Expand(args) => board::expand(http, args, console).await,
    }
}

/// Tells the versions of both sides.
async fn introduce(http: &Http, console: &mut Console<'_>) -> Result<Exit, ClientError> {
    let answer = http.send(&Request::get(&["about"])).await?;
    let answer = answer.preceded_by("server", &http.server().to_string())?;
    console.fields(&answer.preceded_by("client_version", env!("CARGO_PKG_VERSION"))?)?;
    Ok(Exit::Done)
}

/// Waits for Ctrl-C, for ever if this process cannot receive it.
async fn interrupt() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
