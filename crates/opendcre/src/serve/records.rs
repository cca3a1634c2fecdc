//! Opening what the service keeps over restarts. The disk may hang, so that every file is opened where it holds up nothing
//! else.

use std::sync::Arc;

use anyhow::Context;
use opendcre_gateway::{AuditLog, Defect, EventLog, History, Records, SetAside, Store};
use opendcre_model::WallClock;
use tokio::task::spawn_blocking;

use crate::config::Config;

/// Everything that is kept, and what of the inventory was lost. Values and events that cannot be kept are no reason not to
/// serve.
///
/// # Errors
/// When the inventory or the audit cannot be used, or the system has no threads.
pub(super) async fn open(
    config: &Config,
    clock: &Arc<dyn WallClock>,
) -> anyhow::Result<(Records, Vec<Defect>)> {
    let mut defects = Vec::new();
    let path = config.inventory_file();
    let (store, stored, set_aside) = blocking(move || Store::open(path)).await??;
    defects.extend(set_aside.map(|set_aside| lost("inventory.file", set_aside)));

    let (path, settings, time) = (config.history_file(), config.history.settings(), Arc::clone(clock));
    let (history, _) = blocking(move || History::open(path, settings, time)).await??;

    let (path, settings, time) = (config.events_file(), config.events.settings(), Arc::clone(clock));
    let (events, _) = blocking(move || EventLog::open(path, settings, time)).await??;

    let (path, time) = (config.audit_file(), Arc::clone(clock));
    let audit = blocking(move || AuditLog::open(path, time)).await??;
    // What becomes of history and events they tell themselves, as long as they are open.
    Ok((
        Records { audit, store: Some((store, stored)), history: Some(history), events: Some(events) },
        defects,
    ))
}

async fn blocking<T: Send + 'static>(open: impl FnOnce() -> T + Send + 'static) -> anyhow::Result<T> {
    spawn_blocking(open).await.context("a file was not opened by a fault of this program")
}

/// What is lost with a file that could not be read.
fn lost(name: &str, SetAside { code, message, .. }: SetAside) -> Defect {
    Defect { name: name.to_owned(), code, message }
}
