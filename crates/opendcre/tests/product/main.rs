//! The product as its users meet it: processes, ttys, sockets, and programs that others wrote.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

mod appliance;
mod bmc;
mod buses;
mod demo;
mod fault;
mod inventory;
mod ipmi;
mod luck;
mod metrics;
#[cfg(feature = "mqtt")]
mod mqtt;
mod nodes;
#[cfg(feature = "otlp")]
mod otlp;
mod peer;
mod publish;
mod readme;
mod ready;
mod secret;
mod serve;
mod start;
mod support;
