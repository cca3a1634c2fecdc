//! Emulated equipment: the other side of the protocols that OpenDCRE speaks.
//!
//! [`bus`] plays all boards of a serial device bus on a pseudo-terminal of its own. What answers is pure code (bytes
//! and time in, bytes and time out); only the thread that serves the pseudo-terminal does I/O. [`bmc`] plays any number
//! of BMCs on UDP sockets in the same manner, with one event loop. Nothing here knows the gateway.

pub mod bmc;
pub mod bus;
mod clock;
mod random;
