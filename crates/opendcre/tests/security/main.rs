//! Logins, TLS and abuse, tried with the programs that others run: directories, an OpenID provider, nginx, `testssl.sh`,
//! `slowhttptest`, `h2load`.
//!
//! `cargo xtask services` starts them and these tests beside them; tests/services holds their configurations. Every
//! gateway writes all that it can write, and when its test is over, none of it may be a secret and its audit must be
//! whole.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

mod active_directory;
mod certificate;
mod flood;
mod gateway;
mod ldap;
mod login;
mod oidc;
mod proxy;
mod relay;
mod request;
mod service;
#[allow(dead_code, reason = "other tests use the rest of it")]
#[path = "../product/support.rs"]
mod support;
mod tls;
