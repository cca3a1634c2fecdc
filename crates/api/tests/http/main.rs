//! The API as its clients see it: in process for what is answered, over a socket for how it is served.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

mod answers;
mod bridge;
mod failures;
mod log;
mod methods;
mod metrics;
mod path;
mod probes;
mod server;
mod support;
mod turned_away;
mod v1_2;
mod v1_3;
mod v1_paths;
