//! API 2 as its clients see it: every answer is also held against the description that the service gives of it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

mod audit;
mod bmc;
mod change;
mod describe;
mod event;
mod history;
mod http_rules;
mod inventory;
mod live;
mod order;
mod page;
mod poll;
mod reading;
mod refusal;
mod stream;
mod support;
