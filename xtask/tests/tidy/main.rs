//! Rules about the workspace itself that no compiler checks.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod arrows;
mod cargo;
mod files;
