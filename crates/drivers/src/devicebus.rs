//! The serial device bus as a [`Driver`](opendcre_model::Driver).
//!
//! [`DeviceBus`] is the handle that everybody asks; [`BusOwner`] is the one task that uses the tty. Between them
//! stands a bounded queue: control before reads before scans, equal reads once.

mod answer;
mod config;
mod driver;
mod effect;
mod line;
mod owner;
mod queue;
mod request;
mod scan;

pub use config::BusConfig;
pub use driver::DeviceBus;
pub use line::LineError;
pub use owner::BusOwner;
