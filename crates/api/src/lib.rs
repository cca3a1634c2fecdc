//! The HTTP side: the server with its limits, and the generations of the API.
//!
//! A request becomes a command for the [`Gateway`](opendcre_gateway::Gateway), and its outcome becomes the JSON
//! of the generation that was asked. This crate knows no driver and touches no equipment by itself.

mod access;
mod api;
mod error;
mod limits;
mod method;
mod probe;
mod reply;
mod request_id;
mod server;
pub mod v1_1;
mod v2;

pub use api::Api;
pub use limits::Limits;
pub use server::{BindError, Server};
