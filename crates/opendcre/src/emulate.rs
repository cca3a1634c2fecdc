//! `opendcre emulate`: plays the part of equipment for any program that speaks its protocol.

mod bmc;
mod bus;

use std::error::Error;
use std::io::Write;
use std::sync::Arc;

use anyhow::Context;
use opendcre_emulator::bus::StopFlag;

use crate::cli::EmulateCommand;
use crate::clock::SystemClock;
use crate::serve::Signals;
use crate::{config, log};

/// More than any room or fleet needs.
const MAX_FILE_BYTES: u64 = 16 << 20;

/// Emulates what `command` says until the process is told to stop. The first lines on `out` say where it can be
/// reached.
///
/// # Errors
/// When what is to be emulated is not sound, or there is no place for it.
pub(crate) fn run(command: &EmulateCommand, out: &mut impl Write) -> anyhow::Result<()> {
    let settings = config::Log { files: false, ..config::Log::default() };
    let level = config::level_of_environment();
    // Before anything is read: what is odd about it is said in the log.
    let _logging = log::start(&settings, level.as_deref(), &(Arc::new(SystemClock) as _))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot wait for signals")?;
    match command {
        EmulateCommand::Bus(args) => runtime.block_on(bus::run(args, out)),
        EmulateCommand::Bmc(args) => runtime.block_on(bmc::run(args, out)),
    }
}

/// Lets `serve` run in a thread of its own until the process is told to stop.
async fn until_stopped<E: Error + Send + Sync + 'static>(
    mut signals: Signals,
    serve: impl FnOnce(&StopFlag) -> Result<(), E> + Send + 'static,
) -> anyhow::Result<()> {
    let stop = StopFlag::new()?;
    let mut serving = tokio::task::spawn_blocking({
        let stop = stop.clone();
        move || serve(&stop)
    });
    tokio::select! {
        ended = &mut serving => return Ok(ended??),
        () = signals.stop() => stop.stop(),
    }
    Ok(serving.await??)
}
