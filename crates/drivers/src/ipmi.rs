//! BMCs over LAN as a [`Driver`](opendcre_model::Driver): thousands of them behind a few sockets.
//!
//! [`Bmcs`] is the handle that everybody asks; [`BmcsOwner`] runs the one task, or the few, that own the sockets and all
//! sessions. Each BMC has one session at most, one command in flight, a bounded queue and a pace of its own: control
//! before reads before scans, equal reads once.
//!
//! Each BMC is a board with the devices that every server has, and one for each of its sensors. What a BMC is and which
//! sensors it has is asked once and kept; a discovery asks whether it is still the same.
//!
//! What happens is decided without I/O: `slot` is one BMC, `core` all BMCs of a task. Only `socket` and `worker`
//! know that there are sockets and a runtime.

mod asset;
#[cfg(test)]
mod bench;
mod bmcs;
mod board;
mod boot;
mod change;
mod config;
mod core;
mod discover;
mod driver;
mod error;
mod event_log;
mod knowledge;
mod lamp;
mod meter;
mod pace;
mod power;
mod queue;
mod rhythm;
mod sensor;
mod slot;
mod socket;
mod standing;
mod statistics;
mod survey;
mod timer;
mod worker;

pub use bmcs::{Bmcs, BmcsOwner, OpenError};
pub use config::{BackOff, BmcConfig, Pacing, Settings};

pub use error::{BmcError, Problem, Stage};
