//! The BMC emulator: any number of BMCs that speak IPMI 1.5 and 2.0 over LAN, with machines behind them.
//!
//! * [`FleetConfig`] says what they are like; `FleetConfig::from_toml` reads it.
//! * [`Bmc`] is one BMC: datagrams and time in, datagrams and delays out. No I/O, no clock; the random numbers come
//!   from a seed.
//! * [`FaultPlan`] says what goes wrong, repeatably by its seed.
//! * [`Fleet`] serves all BMCs on UDP sockets with one event loop; [`Bmcs`] reaches into them meanwhile.
//!
//! They really authenticate: IPMI 1.5 with none, password, MD2 and MD5; RMCP+ with every cipher suite that
//! [`opendcre_ipmi`] knows. Wrong passwords, too much privilege and too many sessions are refused as the specification
//! says. Nothing here is fit to protect anything: random numbers can be foretold.
//!
//! ```no_run
//! use opendcre_emulator::bmc::{Fleet, FleetConfig};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let config = FleetConfig { count: 1000, ..FleetConfig::default() };
//! let handle = Fleet::bind(&config)?.spawn()?;
//! println!("serving from {:?} on", handle.bmcs().addresses().first());
//! // … until the handle is dropped.
//! # Ok(())
//! # }
//! ```
//!
//! A configuration says only what differs from one running server without faults:
//!
//! ```
//! # use opendcre_emulator::bmc::FleetConfig;
//! let config = FleetConfig::from_toml(
//!     r#"
//!     listen = "127.1.0.1:623"
//!     spread = "addresses"     # 127.1.0.1, 127.1.0.2, …
//!     count = 40
//!     [access]
//!     users = [{ name = "root", password = "secret", privilege = "administrator" }]
//!     cipher_suites = [3, 17]
//!     [machine]
//!     is_on = false
//!     power_up_delay = "10s"
//!     [faults]
//!     loss = 0.01              # of every hundred datagrams one is lost
//!     dead = 0.05              # of every hundred BMCs five are silent
//!     "#,
//! )?;
//! assert_eq!(config.count, 40);
//! # Ok::<(), opendcre_emulator::bmc::ConfigError>(())
//! ```
//!
//! A program that serves in its own thread calls [`Fleet::run`] with a [`StopFlag`] instead of `spawn`.

mod command;
mod config;
mod device;
mod emulated_bmc;
mod event_log;
mod fault;
mod fleet;
mod fru;
mod knob;
mod machine;
mod model;
mod reservation;
mod sdr;
mod sensor;
mod session;

pub use config::{
    AccessConfig, ConfigError, FleetConfig, FruConfig, MachineConfig, SensorConfig, Spread, UserConfig,
};
pub use emulated_bmc::{Bmc, Counters};
pub use fault::{Defects, FaultPlan, Reply};
pub use fleet::{Bmcs, Fleet, FleetError, Handle};
pub use machine::{ChassisAction, Pin};
pub use sensor::SensorKind;

pub use crate::bus::StopFlag;
