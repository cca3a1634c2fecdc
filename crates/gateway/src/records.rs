//! What the gateway keeps over restarts, each in a file of its own.

use crate::event::EventLog;
use crate::history::History;
use crate::{AuditLog, Store, Stored};

/// What the gateway keeps over restarts.
pub struct Records {
    /// What was changed, by whom. Without it, nothing is changed.
    pub audit: AuditLog,
    /// What is known of the equipment, and the jobs. Without it, they are forgotten when the process ends.
    pub store: Option<(Store, Stored)>,
    /// What sensors said. Without it, only the latest values are known.
    pub history: Option<History>,
    /// What happened. Without it, nobody is told.
    pub events: Option<EventLog>,
}

impl From<AuditLog> for Records {
    /// Only what cannot be left out.
    fn from(audit: AuditLog) -> Self {
        Self { audit, store: None, history: None, events: None }
    }
}
