//! Opening what the service keeps over restarts. The disk may hang, so that every file is opened where it holds up nothing
//! else.

use std::sync::Arc;

use anyhow::Context;
use opendcre_gateway::{AuditLog, Defect, EventLog, History, Records, SetAside, Store, StoreError};
use opendcre_model::WallClock;
use tokio::task::spawn_blocking;

use crate::config::Config;

/// The key in the configuration of what cannot be used.
const INVENTORY: &str = "inventory.file";

/// Everything that is kept, and what of the inventory was lost or cannot be used. What cannot be kept is no reason not to
/// serve; only changes need a record, that of the audit, and are refused without it.
///
/// # Errors
/// When the system has no threads.
pub(super) async fn open(
    config: &Config,
    clock: &Arc<dyn WallClock>,
) -> anyhow::Result<(Records, Vec<Defect>)> {
    let mut defects = Vec::new();
    let path = config.inventory_file();
    let store = match blocking(move || Store::open(path)).await? {
        Ok((store, stored, set_aside)) => {
            defects.extend(set_aside.map(lost));
            Some((store, stored))
        }
        Err(failure) => {
            defects.push(unusable(&failure));
            None
        }
    };

    let (path, settings, time) = (config.history_file(), config.history.settings(), Arc::clone(clock));
    let (history, _) = blocking(move || History::open(path, settings, time)).await??;

    let (path, settings, time) = (config.events_file(), config.events.settings(), Arc::clone(clock));
    let (events, _) = blocking(move || EventLog::open(path, settings, time)).await??;

    let (path, time) = (config.audit_file(), Arc::clone(clock));
    let audit = blocking(move || AuditLog::open(path, time)).await??;
    // What becomes of history and events they tell themselves, as long as they are open.
    Ok((Records { audit, store, history: Some(history), events: Some(events) }, defects))
}

async fn blocking<T: Send + 'static>(open: impl FnOnce() -> T + Send + 'static) -> anyhow::Result<T> {
    spawn_blocking(open).await.context("a file was not opened by a fault of this program")
}

/// What is lost with a file of the inventory that could not be read.
fn lost(SetAside { code, message, .. }: SetAside) -> Defect {
    Defect { name: INVENTORY.to_owned(), code, message }
}

fn unusable(failure: &StoreError) -> Defect {
    let message = format!("{failure}; until the next start, nothing of it is kept");
    Defect { name: INVENTORY.to_owned(), code: "store_unavailable", message }
}
