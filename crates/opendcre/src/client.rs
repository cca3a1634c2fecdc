//! The client: asks a running server, or gives it an order, and prints what it answers.
//!
//! It knows the paths of API 2 and how to print JSON. It decides nothing: what exists, what a node range stands for and
//! what is allowed is for the server to say.

mod answer;
mod auth;
mod board;
mod chart;
mod console;
mod credential;
mod error;
mod event;
mod event_stream;
mod failure;
mod feed;
mod forget;
mod history;
mod http;
mod job;
mod listing;
mod order;
pub(crate) mod password;
mod poll;
mod problem;
mod reading;
mod ready;
mod server_url;
mod sheet;
mod split;
mod survey;
mod tls;
mod watch;

use std::io::{self, BufRead, IsTerminal, Write};

use rustls::RootCertStore;
use serde::Deserialize;
use tokio::runtime::{self, Runtime};

use crate::COMMIT;
use crate::cli::{
    AssetCommand, AuthCommand, ClientCommand, ClientOptions, FanCommand, LedCommand, NodeBootCommand,
    PollCommand, ReadyArgs,
};
use crate::exit::Exit;

use self::answer::Answer;
use self::console::{Console, Style};
use self::credential::CredentialError;
use self::error::ClientError;
use self::http::{Http, Request};
use self::server_url::ServerUrl;

/// Performs one client command. Answers go to `out`, errors to `err`.
pub(crate) fn run(
    command: &ClientCommand,
    options: &ClientOptions,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Exit {
    let is_watched = io::stderr().is_terminal();
    // Whoever cannot see a question cannot answer it.
    let is_there = is_watched && io::stdin().is_terminal();
    let mut input = io::stdin().lock();
    let person = is_there.then_some(&mut input as &mut dyn BufRead);
    let mut console = Console::new(style(options, is_watched), out, err, person);
    match perform(command, options, &mut console) {
        Ok(exit) => exit,
        Err(error) => console.report(&error),
    }
}

const fn style(options: &ClientOptions, progress: bool) -> Style {
    Style { format: options.output, fold: !options.no_fold, progress }
}

/// Says whether a server can do its work. Whatever keeps it from saying so means that it cannot.
pub(crate) fn ready(
    args: &ReadyArgs,
    options: &ClientOptions,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Exit {
    let options = match ready::addressed(args, options) {
        Ok(options) => options,
        Err(error) => {
            // Without a place to complain, the exit code must say it all.
            let (Ok(()) | Err(_)) = writeln!(err, "error: {error:#}");
            return Exit::Failed;
        }
    };
    let mut console = Console::new(style(&options, false), out, err, None);
    let asked = Http::new(&options).and_then(|http| runtime()?.block_on(ready::ask(&http, &mut console)));
    match asked {
        Ok(true) => Exit::Done,
        Ok(false) => Exit::Failed,
        Err(error) => {
            console.report(&error);
            Exit::Failed
        }
    }
}

fn runtime() -> Result<Runtime, ClientError> {
    runtime::Builder::new_current_thread().enable_all().build().map_err(ClientError::Runtime)
}

fn perform(
    command: &ClientCommand,
    options: &ClientOptions,
    console: &mut Console<'_>,
) -> Result<Exit, ClientError> {
    if matches!(command, ClientCommand::Version(args) if args.client) {
        return introduce_client(console);
    }
    let http = Http::new(options)?;
    runtime()?.block_on(converse(command, &http, console))
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
        ClientCommand::Forget(args) => forget::run(http, args, console).await,
        ClientCommand::Groups(args) => listing::groups(http, args, console).await,
        ClientCommand::Racks => listing::racks(http, console).await,
        ClientCommand::Bmcs(args) => listing::bmcs(http, args, console).await,
        ClientCommand::Sources(args) => listing::sources(http, args, console).await,
        ClientCommand::Jobs(args) => job::jobs(http, args, console).await,
        ClientCommand::Changes(args) => feed::run(http, args, console).await,
        ClientCommand::Events(args) => event::run(http, args, console).await,
        ClientCommand::History(args) => history::run(http, args, console).await,
        ClientCommand::Poll(args) => match &args.command {
            PollCommand::Status(args) => poll::status(http, args, console).await,
        },
        ClientCommand::Auth(args) => match &args.command {
            AuthCommand::Me => auth::me(http, console).await,
            AuthCommand::Why(args) => auth::why(http, args, console).await,
        },
        ClientCommand::Expand(args) => board::expand(http, args, console).await,
    }
}

/// The server that somebody logs in to, in the words under which a login is kept for it.
///
/// # Errors
/// The option does not name a server, or nothing that proves who somebody is may be sent to it.
pub(crate) fn login_target(options: &ClientOptions) -> anyhow::Result<String> {
    let server: ServerUrl = options.server.parse()?;
    anyhow::ensure!(server.is_private(), CredentialError::Insecure(server.to_string()));
    Ok(server.to_string())
}

/// The authorities that `options` name, or those of the system.
///
/// # Errors
/// They cannot be read.
pub(crate) fn authorities(options: &ClientOptions) -> anyhow::Result<RootCertStore> {
    Ok(tls::authorities(&options.access)?)
}

/// What the server says that may be asked without a login.
///
/// # Errors
/// There is no answer, or another one.
pub(crate) async fn ask_openly<T: for<'a> Deserialize<'a>>(
    options: &ClientOptions,
    path: &[&str],
) -> anyhow::Result<T> {
    let answer = Http::unnamed(options)?.send(&Request::get(path)).await?;
    Ok(answer.read()?)
}

/// Tells the versions of both sides.
async fn introduce(http: &Http, console: &mut Console<'_>) -> Result<Exit, ClientError> {
    let answer = http.send(&Request::get(&["about"])).await?;
    let mut both = client()?.followed_by("server", &http.server().to_string())?;
    both.extend(answer);
    console.fields(&both)?;
    Ok(Exit::Done)
}

/// Tells the version of this program alone.
fn introduce_client(console: &mut Console<'_>) -> Result<Exit, ClientError> {
    console.fields(&client()?)?;
    Ok(Exit::Done)
}

/// What this program is.
fn client() -> Result<Answer, ClientError> {
    let version = Answer::default().followed_by("client_version", env!("CARGO_PKG_VERSION"))?;
    version.followed_by("client_commit", COMMIT)
}

/// Waits for Ctrl-C, for ever if this process cannot receive it.
async fn interrupt() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
