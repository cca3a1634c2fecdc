//! Failed logins: how many, by whom, from where, and how long they have to wait.

/// Counts failed logins.
#[derive(Debug, Default)]
pub struct Throttle {}
