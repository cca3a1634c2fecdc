//! Wire owners: one module per protocol.
//!
//! A wire (a serial line, a session with a BMC) has exactly one task that may use it. Everybody else asks that
//! owner through a bounded queue. Nothing here knows of HTTP, configuration files or databases.

mod clock;
pub mod devicebus;
pub mod ipmi;
