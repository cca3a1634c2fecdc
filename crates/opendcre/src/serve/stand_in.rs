//! Emulated boards in the place of a bus on which nobody answers, where the configuration wants that.
//!
//! Whether somebody answers is found out once, at the start: boards that came and went between real and emulated would be
//! believed by nobody.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use opendcre_drivers::devicebus::{BusConfig, DeviceBus};
use opendcre_emulator::bus::{EmulatedBus, Handle, Options, Room};
use opendcre_gateway::Defect;
use opendcre_model::{Context as Deadline, Driver, Priority, Scope, WallClock};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::demo::ROOM;

/// How long boards have to answer. A scan of a line of which all slots are in use takes a few seconds.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long the line is waited for afterwards, until it can be opened again.
const CLOSING: Duration = Duration::from_secs(1);

/// An emulated bus that takes the place of a real one.
pub(super) struct StandIn {
    /// How to reach it. Its name says what it is.
    pub(super) bus: BusConfig,
    /// What serves it, as long as it is kept.
    pub(super) handle: Handle,
    /// What is said of it wherever the service tells of itself.
    pub(super) defect: Defect,
}

/// Somebody who takes the place of `bus`, if nobody answers there.
///
/// # Errors
/// There is no room for an emulated bus on this machine.
pub(super) async fn find(bus: BusConfig, clock: &Arc<dyn WallClock>) -> anyhow::Result<Option<StandIn>> {
    let Err(reason) = ask(&bus, clock).await else { return Ok(None) };
    let (name, device) = (&bus.name, bus.device.display());
    let message = format!(
        "these boards are emulated, because at the start nothing real answered on {device}: {reason}; connect it, and start \
         the service again"
    );
    let defect = Defect { name: format!("devicebus.{name}"), code: "emulated", message };
    let options = Options { baud: Some(bus.baud), ..Options::default() };
    let room = Room::from_json(ROOM).context("the built-in room")?;
    let handle = EmulatedBus::open(room, options)?.spawn()?;
    let standing = BusConfig::new(format!("{name}-emulator"), handle.tty());
    Ok(Some(StandIn { bus: standing, handle, defect }))
}

/// Whether somebody answers on `bus`.
///
/// # Errors
/// Nobody does; the text says why.
async fn ask(bus: &BusConfig, clock: &Arc<dyn WallClock>) -> Result<(), String> {
    let (driver, owner) =
        DeviceBus::open(bus.clone(), Arc::clone(clock)).map_err(|error| error.to_string())?;
    let stop = CancellationToken::new();
    let mut owners = JoinSet::new();
    owners.spawn(owner.run(stop.clone()));
    let deadline = Deadline { deadline: (Instant::now() + PATIENCE).into_std(), priority: Priority::Scan };
    let answer = timeout(PATIENCE, driver.discover(Scope::All, deadline)).await;
    stop.cancel();
    // Dropped afterwards, which ends an owner that hangs: the line must be free for whoever serves it.
    if timeout(CLOSING, owners.join_next()).await.is_err() {
        tracing::warn!(
            bus = bus.name,
            "the line was not given back in time after the boards were looked for"
        );
    }
    match answer {
        Ok(Ok(boards)) if boards.is_empty() => Err("no board answers".to_owned()),
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no board answers within {PATIENCE:?}")),
    }
}
