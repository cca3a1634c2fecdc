//! The BMC emulator from outside: configuration in, datagrams in and out, in virtual time.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails may panic"
)]

mod command;
mod config;
mod console;
mod fault;
mod fleet;
mod hostile;
mod machine;
mod session_1_5;
mod session_2_0;
