//! The device bus emulator: plays all boards of one serial device bus.
//!
//! * [`Room`] is the configuration: `Room::from_json` reads the JSON formats of OpenDCRE 1.1, 1.2 and 1.3.
//! * [`Requests`] finds the requests in the bytes that the line brings. No I/O, no time.
//! * [`Responder`] answers requests: packets in, byte strings out. No I/O, no time.
//! * [`Faults`] spoils answers as a [`FaultPlan`] says, repeatably by its seed. No I/O, no clock.
//! * [`Line`] computes when bytes are through on a line of a given speed. No I/O, no clock.
//! * [`EmulatedBus`] puts these behind a pseudo-terminal and serves it on a thread, so that any program that
//!   speaks the protocol can talk to it as to a serial port.
//!
//! ```no_run
//! use opendcre_emulator::bus::{EmulatedBus, Options, Room};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let room = Room::from_json(&std::fs::read_to_string("simple.json")?)?;
//! let options = Options { baud: Some(115_200), link: Some("/tmp/bus".into()), ..Options::default() };
//! let handle = EmulatedBus::open(room, options)?.spawn()?;
//! println!("serving {}", handle.tty().display());
//! // … until the handle is dropped, which unplugs the bus.
//! # Ok(())
//! # }
//! ```
//!
//! A program that serves in its own thread calls [`EmulatedBus::run`] with a [`StopFlag`] instead of `spawn`.
//!
//! Section numbers in this module refer to the OpenDCRE device bus protocol description.

mod answer;
mod config;
mod device;
mod emulated_bus;
mod fault;
mod json;
mod line;
mod link;
mod pty;
mod request;
mod responder;
mod room;
mod scan_fault;
mod stop;
mod template;

pub use config::ConfigError;
pub use emulated_bus::{EmulatedBus, EmulatorError, Handle, Options, Statistics};
pub use fault::{FaultPlan, Faults, TimedAnswer};
pub use line::{Line, Transmission};
pub use request::Requests;
pub use responder::{Headers, Responder, ResponderOptions};
pub use room::Room;
pub use stop::StopFlag;

pub use opendcre_devicebus::Protocol;
