//! The client against the smallest BMC that keeps the rules, in virtual time, on a network that a test decides about.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

mod bmc;
mod learning;
mod loss;
mod setup;
mod world;
