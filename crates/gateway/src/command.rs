//! What may be asked at the door, and what comes of it.

use std::sync::Arc;

use opendcre_model::{Action, DriverError, Observation, Query, Scope};

use crate::inventory::BoardRecord;

/// What may be asked at the door.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Tell what is known, if everything was looked for not longer ago than [`crate::Settings::cache`]; otherwise look.
    List(Scope),
    /// Search the buses. Boards of the configuration are only listed.
    Scan(Scope),
    /// Search the buses, and ask every board of the configuration who it is and what it holds.
    Refresh(Scope),
    /// Ask one question.
    Query(Query),
    /// Change something.
    Action(Action),
}

/// What came of a command.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Answer to [`Command::List`], [`Command::Scan`] and [`Command::Refresh`].
    Scan(ScanReport),
    /// Answer to [`Command::Query`] and [`Command::Action`].
    Observation(Observation),
}

/// What a scan found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScanReport {
    /// The boards, driver by driver in the order of the mounts. Those of the configuration may be in any state.
    pub boards: Vec<Arc<BoardRecord>>,
    /// The drivers that could not be scanned, by name; their boards are missing.
    pub failures: Vec<(String, DriverError)>,
}
