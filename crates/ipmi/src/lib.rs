//! IPMI 1.5 and 2.0 over LAN, without I/O.
//!
//! Bytes and time go in, bytes and events come out: no sockets, no clock, no randomness of its own, no runtime. The
//! same code serves a client, an emulated BMC, a fuzzer and tests in virtual time. "IPMI 2.0" in comments means the
//! specification, version 2.0, revision 1.1.

pub mod cipher;
pub mod client;
mod completion;
mod crypto;
mod error;
mod message;
pub mod packet;
mod privilege;
mod procedure;
mod secret;
pub mod session;
pub mod wire;

pub use cipher::CipherSuite;
pub use completion::Completion;
pub use error::{CommandError, DecodeError};
pub use message::{BMC_ADDRESS, Message, NetFn, REMOTE_CONSOLE, Request, Response};
pub use privilege::Privilege;
pub use procedure::{Command, Procedure, Single, Step};
pub use secret::{MAX_SECRET, MAX_SECRET_1_5, Secret, SecretTooLong};
