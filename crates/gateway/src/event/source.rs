//! Events about the wires on which equipment is reached.

use opendcre_model::DriverError;

use super::{EventKind, NewEvent, Severity};

/// A wire cannot be used any more.
pub(crate) fn source_down(driver: &str, failure: &DriverError) -> NewEvent {
    let message = format!("{driver} cannot be used: {failure}");
    let event = NewEvent::new(EventKind::SourceDown, Severity::Critical, message);
    event.with("source", driver).with("code", failure.code)
}

/// A wire can be used again.
pub(crate) fn source_up(driver: &str) -> NewEvent {
    NewEvent::new(EventKind::SourceUp, Severity::Info, format!("{driver} can be used again"))
        .with("source", driver)
}
