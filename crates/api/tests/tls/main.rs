//! The server on the wire: TLS, both versions of HTTP, and clients that are slow, greedy, or not what they say.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

mod abuse;
mod client;
mod files;
mod handshake;
mod http2;
mod reload;
mod revocation;
mod room;
mod socket;
mod tool;
