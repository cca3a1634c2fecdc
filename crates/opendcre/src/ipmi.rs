//! `opendcre ipmi`: asks, or changes, one BMC by itself, without a server in between.
//!
//! Questions go to the BMC through the same broker that the gateway uses, with a session of their own. Changes go
//! through a gateway of their own: nothing is sent before it is recorded. This module knows what is asked and how the
//! answers are shown; it knows no bytes.

mod chassis;
mod connect;
mod console;
mod dcmi;
mod door;
mod error;
mod fru;
mod info;
mod link;
mod ping;
mod raw;
mod sel;
mod sensor;
#[cfg(test)]
mod tests;

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use opendcre_model::WallClock;
use tokio::runtime;
use tokio_util::sync::CancellationToken;

use crate::cli::{BootCommand, ClientOptions, DcmiCommand, IpmiArgs, IpmiCommand, LimitCommand, SelCommand};
use crate::clock::SystemClock;
use crate::exit::Exit;
use crate::serve::Signals;
use crate::{config, log};
use console::Console;
use error::IpmiError;
use link::Link;

/// Performs one command. Answers go to `out`, errors to `err`.
pub(crate) fn run(
    args: &IpmiArgs,
    options: &ClientOptions,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Exit {
    let mut console = Console::new(options.output, out, err);
    match perform(args, options.timeout, &mut console) {
        Ok(exit) => exit,
        Err(error) => console.report(&error),
    }
}

fn perform(args: &IpmiArgs, timeout: Duration, console: &mut Console<'_>) -> Result<Exit, IpmiError> {
    let clock: Arc<dyn WallClock> = Arc::new(SystemClock);
    let settings = config::Log { level: "error".to_owned(), files: false, ..config::Log::default() };
    let _logging = log::start(&settings, config::level_of_environment().as_deref(), &clock)
        .map_err(|error| IpmiError::Usage(error.to_string()))?;
    let runtime = runtime::Builder::new_current_thread().enable_all().build().map_err(IpmiError::Runtime)?;
    runtime.block_on(async {
        let mut signals = Signals::new().map_err(|error| IpmiError::Runtime(io::Error::other(error)))?;
        converse(args, timeout, &clock, signals.stop(), console).await
    })
}

/// Performs one command, or as much of it as is possible until it is `interrupted`.
async fn converse(
    args: &IpmiArgs,
    timeout: Duration,
    clock: &Arc<dyn WallClock>,
    interrupted: impl Future<Output = ()>,
    console: &mut Console<'_>,
) -> Result<Exit, IpmiError> {
    let address = connect::resolve(args.bmc.host.as_ref()).await?;
    if matches!(args.command, IpmiCommand::Ping) {
        let presence = tokio::select! {
            presence = ping::ping(address, timeout) => presence?,
            () = interrupted => return Err(IpmiError::Interrupted),
        };
        console.print(&presence)?;
        return Ok(Exit::Done);
    }
    let (link, owner) = Link::open(address, &args.bmc, timeout, clock)?;
    let stop = CancellationToken::new();
    let conversation = async {
        let outcome = tokio::select! {
            outcome = answer(&args.command, &link, console) => outcome,
            () = interrupted => Err(IpmiError::Interrupted),
        };
        link.finish().await;
        // Only now, so that a change that has begun keeps its session to the end.
        stop.cancel();
        outcome
    };
    let (outcome, ()) = tokio::join!(conversation, owner.run(stop.clone()));
    outcome
}

/// Does what one command says, and prints the answer.
async fn answer(command: &IpmiCommand, link: &Link, console: &mut Console<'_>) -> Result<Exit, IpmiError> {
    match command {
        // Asked without a session, before there is a link.
        IpmiCommand::Ping => {}
        IpmiCommand::Info => console.print(&info::read(link).await?)?,
        IpmiCommand::Sensors { thresholds } => console.print(&sensor::read(link, *thresholds).await?)?,
        IpmiCommand::Sel { command: SelCommand::Info } => console.print(&sel::info(link).await?)?,
        IpmiCommand::Sel { command: SelCommand::List { after } } => {
            console.print(&sel::list(link, *after).await?)?;
        }
        IpmiCommand::Sel { command: SelCommand::Clear } => console.print(&sel::clear(link).await?)?,
        IpmiCommand::Fru { device } => console.print(&fru::read(link, *device).await?)?,
        IpmiCommand::Power { command } => match command.action() {
            None => console.print(&chassis::status(link).await?)?,
            Some(action) => console.print(&chassis::switch(link, action).await?)?,
        },
        IpmiCommand::Boot { command: BootCommand::Get } => console.print(&chassis::boot(link).await?)?,
        IpmiCommand::Boot { command: BootCommand::Set(args) } => {
            console.print(&chassis::set_boot(link, *args).await?)?;
        }
        IpmiCommand::Identify { identify } => console.print(&chassis::identify(link, identify.0).await?)?,
        IpmiCommand::Dcmi { command } => answer_dcmi(command, link, console).await?,
        IpmiCommand::Raw(args) => {
            let answer = raw::send(link, args).await?;
            console.print(&answer)?;
            return Ok(answer.exit());
        }
    }
    Ok(Exit::Done)
}

async fn answer_dcmi(command: &DcmiCommand, link: &Link, console: &mut Console<'_>) -> Result<(), IpmiError> {
    match command {
        DcmiCommand::Info => console.print(&dcmi::info(link).await?),
        DcmiCommand::Power => console.print(&dcmi::power(link).await?),
        DcmiCommand::Limit { command: LimitCommand::Get } => console.print(&dcmi::limit(link).await?),
        DcmiCommand::Limit { command: LimitCommand::Set(args) } => {
            console.print(&dcmi::set_limit(link, Some(*args)).await?)
        }
        DcmiCommand::Limit { command: LimitCommand::Off } => {
            console.print(&dcmi::set_limit(link, None).await?)
        }
        DcmiCommand::Temps => console.print(&dcmi::temperatures(link).await?),
        DcmiCommand::AssetTag => console.print(&dcmi::asset_tag(link).await?),
    }
}
