//! The HTTP side: the server with its limits, and the generations of the API.
//!
//! A request becomes a command for the [`Gateway`](opendcre_gateway::Gateway), and its outcome becomes the JSON
//! of the generation that was asked. This crate knows no driver and touches no equipment by itself.

mod access;
mod api;
mod body;
mod browser;
mod encoding;
mod entrance;
mod error;
mod etag;
mod limits;
mod method;
mod metrics;
mod peer;
mod probe;
mod problem;
mod rate;
mod reply;
mod request_id;
mod route;
mod sender;
mod server;
mod site;
mod streams;
mod tls;
mod traffic;
mod upload;
mod v1;
pub mod v1_1;
mod v1_2;
mod v1_3;
mod v2;
mod vitals;

pub use api::Api;
pub use body::Body;
pub use entrance::{Entrance, LoginProvider};
pub use limits::Limits;
pub use route::routes;
pub use server::{BindError, Listen, Server};
pub use tls::{ClientCertificates, MakeError, Tls, TlsError, TlsFiles, WATCH_INTERVAL};
