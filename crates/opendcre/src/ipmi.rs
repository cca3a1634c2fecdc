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
mod interruptible;
mod link;
mod ping;
mod raw;
mod sel;
mod sensor;
mod service;
#[cfg(test)]
mod tests;

use std::io::{self, Write};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use opendcre_model::{PowerAction, WallClock};
use tokio::runtime;

use crate::cli::{
    BootCommand, ClientOptions, DcmiCommand, IpmiArgs, IpmiCommand, IpmiPowerCommand, LimitCommand,
    SelCommand,
};
use crate::clock::SystemClock;
use crate::exit::Exit;
use crate::serve::Signals;
use crate::{config, log};
use console::Console;
use error::{Interruption, IpmiError};
use link::Link;
use service::Service;

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
    let outcome = runtime.block_on(async {
        let mut signals = Signals::new().map_err(|error| IpmiError::Runtime(io::Error::other(error)))?;
        converse(args, timeout, &clock, signals.stop(), console).await
    });
    // The system may still look for an address that nobody waits for any more.
    runtime.shutdown_background();
    outcome
}

/// Performs one command, or as much of it as is possible until it is `interrupted`.
async fn converse(
    args: &IpmiArgs,
    timeout: Duration,
    clock: &Arc<dyn WallClock>,
    interrupted: impl Future<Output = ()>,
    console: &mut Console<'_>,
) -> Result<Exit, IpmiError> {
    let mut interrupted = pin!(interrupted);
    let address = tokio::select! {
        address = connect::resolve(args.bmc.host.as_ref()) => address?,
        () = interrupted.as_mut() => return Err(IpmiError::Interrupted(Interruption::OfQuestion)),
    };
    if matches!(args.command, IpmiCommand::Ping) {
        let presence = tokio::select! {
            presence = ping::ping(address, timeout) => presence?,
            () = interrupted => return Err(IpmiError::Interrupted(Interruption::OfQuestion)),
        };
        console.print(&presence)?;
        return Ok(Exit::Done);
    }
    let (link, owner) = Link::open(address, &args.bmc, timeout, clock)?;
    let mut service = Service::new(owner);
    let outcome = service.during(async {
        tokio::select! {
            outcome = answer(&args.command, &link, console) => outcome,
            () = interrupted => Err(IpmiError::Interrupted(link.interruption())),
        }
    });
    let outcome = outcome.await;
    if link.was_heard() {
        // A change that has begun keeps its session to the end.
        service.during(link.finish()).await;
    }
    if link.has_session() {
        service.close().await;
    } else {
        link.given_up.cancel();
        drop(service);
        link.finish().await;
    }
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
        IpmiCommand::Power { command } => answer_power(*command, link, console).await?,
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

async fn answer_power(
    command: IpmiPowerCommand,
    link: &Link,
    console: &mut Console<'_>,
) -> Result<(), IpmiError> {
    let action = match command {
        IpmiPowerCommand::Status => return console.print(&chassis::status(link).await?),
        IpmiPowerCommand::Policy { policy: None } => return console.print(&chassis::policy(link).await?),
        IpmiPowerCommand::Policy { policy: Some(policy) } => {
            return console.print(&chassis::set_policy(link, policy).await?);
        }
        IpmiPowerCommand::On => PowerAction::On,
        IpmiPowerCommand::Off => PowerAction::Off,
        IpmiPowerCommand::Cycle => PowerAction::Cycle,
        IpmiPowerCommand::Reset => PowerAction::Reset,
        IpmiPowerCommand::Soft => PowerAction::Soft,
        IpmiPowerCommand::Diag => PowerAction::Diagnostic,
    };
    console.print(&chassis::switch(link, action).await?)
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
