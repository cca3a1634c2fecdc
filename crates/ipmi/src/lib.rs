//! IPMI 1.5 and 2.0 over LAN, without I/O.
//!
//! Bytes and time go in, bytes and events come out: no sockets, no clock, no randomness of its own, no runtime. The
//! same code serves a client, an emulated BMC, a fuzzer and tests in virtual time. "IPMI 2.0" in comments means the
//! specification, version 2.0, revision 1.1.
//!
//! * [`client::Client`] is the way to a BMC: it opens and keeps a session, repeats what may be repeated, and matches
//!   answers to questions.
//! * A [`Command`] is a question with a typed answer, a [`Procedure`] a walk of many: [`sdr::WalkSdr`],
//!   [`sensor::ReadSensors`], [`fru::ReadFru`], [`sel::ReadSel`] and others. Subjects have modules: [`app`],
//!   [`chassis`], [`dcmi`], [`fru`], [`lan`], [`sdr`], [`sel`], [`sensor`], [`user`].
//! * [`packet`], [`session`] and [`cipher`] are the bytes on the wire, for those who play a BMC themselves.
//!
//! Whoever has a socket and a clock drives a client like this; `examples/chassis_status.rs` is a whole program.
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Instant;
//!
//! use opendcre_ipmi::chassis::GetChassisStatus;
//! use opendcre_ipmi::client::{Access, Client, Entropy, Order, PrivilegeRange, Protocol, Timing, UserLookup};
//! use opendcre_ipmi::{CipherSuite, Command, Secret};
//!
//! struct System;
//!
//! impl Entropy for System {
//!     fn fill(&mut self, bytes: &mut [u8]) {
//!         getrandom::fill(bytes).expect("this system has random numbers");
//!     }
//! }
//!
//! let suites = [17, 3].into_iter().filter_map(CipherSuite::from_id).collect();
//! let access = Access {
//!     username: b"operator".to_vec(),
//!     password: Secret::new(b"secret")?,
//!     bmc_key: None,
//!     protocol: Protocol::V2_0(suites),
//!     lookup: UserLookup::default(),
//!     privilege: PrivilegeRange::default(),
//! };
//! let mut client = Client::new(Arc::new(access), Timing::default());
//! client.request(Order::read(GetChassisStatus.request()), Instant::now(), &mut System)?;
//!
//! let datagram = client.poll_transmit().expect("the first step to a session");
//! let deadline = client.next_deadline().expect("its answer does not take for ever");
//! // Send `datagram`; hand what arrives to `on_datagram`, and the time to `on_timer` when `deadline` is over; then
//! // look again what `poll_transmit` and `poll_event` have.
//! # let _ = (datagram, deadline);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod app;
pub mod chassis;
pub mod cipher;
pub mod client;
mod completion;
mod crypto;
pub mod dcmi;
mod error;
pub mod event;
pub mod fru;
pub mod lan;
mod message;
pub mod packet;
mod privilege;
mod procedure;
pub mod quirk;
pub mod sdr;
mod secret;
pub mod sel;
pub mod sensor;
pub mod session;
mod text;
pub mod user;
pub mod wire;

pub use cipher::CipherSuite;
pub use completion::Completion;
pub use error::{CommandError, DecodeError};
pub use message::{BMC_ADDRESS, Message, NetFn, REMOTE_CONSOLE, Request, Response};
pub use privilege::Privilege;
pub use procedure::{Command, Procedure, Single, Step};
pub use secret::{MAX_SECRET, MAX_SECRET_1_5, Secret, SecretTooLong};
