//! IPMI 1.5 and 2.0 over LAN, without I/O.
//!
//! Bytes and time go in, bytes and events come out: no sockets, no clock, no randomness of its own, no runtime. The
//! same code serves a client, an emulated BMC, a fuzzer and tests in virtual time. "IPMI 2.0" in comments means the
//! specification, version 2.0, revision 1.1.

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
