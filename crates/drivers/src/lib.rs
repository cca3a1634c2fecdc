//! Wire owners: one module per protocol.
//!
//! A wire (a serial line, later a BMC session) has exactly one task that may use it. Everybody else asks that
//! owner through a bounded queue. Nothing here knows of HTTP, configuration files or databases.

pub mod devicebus;
pub mod ipmi;
