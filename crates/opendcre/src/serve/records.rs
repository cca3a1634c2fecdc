//! Opening what the service keeps over restarts. The disk may hang, so that every file is opened where it holds up nothing
//! else.

use std::sync::Arc;

use anyhow::Context;
use opendcre_gateway::{AuditLog, Defect, EventLog, History, Records, SetAside, Store};
use opendcre_model::WallClock;
use tokio::task::spawn_blocking;

use crate::config::Config;

/// Everything that is kept, and what of it was lost or cannot be used. What cannot be kept is no reason not to serve; only
/// changes need a record, that of the audit, and are refused without it.
///
/// # Errors
/// When the system has no threads.
pub(super) async fn open(
    config: &Config,
    clock: &Arc<dyn WallClock>,
) -> anyhow::Result<(Records, Vec<Defect>)> {
    let mut defects = Vec::new();
    let path = config.inventory_file();
    let store = blocking(move || Store::open(path)).await?;
    let store = store.map(|(store, stored, set_aside)| ((store, stored), set_aside));
    let store = usable("inventory.file", "store_unavailable", store, &mut defects);

    let (path, settings, time) = (config.history_file(), config.history.settings(), Arc::clone(clock));
    let history = blocking(move || History::open(path, settings, time)).await?;
    let history = usable("history.file", "history_unavailable", history, &mut defects);

    let (path, settings, time) = (config.events_file(), config.events.settings(), Arc::clone(clock));
    let events = blocking(move || EventLog::open(path, settings, time)).await?;
    let events = usable("events.file", "events_unavailable", events, &mut defects);

    let (path, time) = (config.audit_file(), Arc::clone(clock));
    let audit = blocking(move || AuditLog::open(path, time)).await??;
    Ok((Records { audit, store, history, events }, defects))
}

async fn blocking<T: Send + 'static>(open: impl FnOnce() -> T + Send + 'static) -> anyhow::Result<T> {
    spawn_blocking(open).await.context("a file was not opened by a fault of this program")
}

/// What was opened, if it was; what is wrong goes to `defects`.
fn usable<T, E: std::error::Error>(
    name: &str,
    code: &'static str,
    opened: Result<(T, Option<SetAside>), E>,
    defects: &mut Vec<Defect>,
) -> Option<T> {
    match opened {
        Ok((opened, set_aside)) => {
            defects.extend(set_aside.map(|set_aside| lost(name, set_aside)));
            Some(opened)
        }
        Err(failure) => {
            let message = format!("{failure}; until the next start, nothing of it is kept");
            defects.push(Defect { name: name.to_owned(), code, message });
            None
        }
    }
}

/// What is lost with a file that could not be read.
fn lost(name: &str, SetAside { code, message, .. }: SetAside) -> Defect {
    Defect { name: name.to_owned(), code, message }
}
