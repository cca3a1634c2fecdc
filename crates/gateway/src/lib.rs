//! The application: the one door through which every command to equipment passes.
//!
//! [`Gateway::execute`] authorises a command, finds the driver that holds the board, records the intent of a
//! change on disk, lets the driver do it, and records the outcome. Whoever asks – HTTP today, schedules and other
//! protocols later – asks here. This crate knows neither HTTP nor any protocol of the equipment.

mod audit;
mod error;
mod gateway;
mod inventory;
mod journal;
mod mount;
mod policy;
mod principal;
mod resolve;

pub use audit::{AuditError, AuditLog};
pub use error::GatewayError;
pub use gateway::{Command, Defect, Gateway, Outcome, Readiness, ScanReport, Settings};
pub use mount::Mount;
pub use principal::Principal;
