//! Who is it? Everything that can prove who sends a request, behind one question: [`Authenticator::authenticate`].
//!
//! API tokens of this gateway, tokens of `OpenID` Connect and OAuth 2 providers, names and passwords that a directory
//! knows (LDAP, Active Directory), client certificates, and reverse proxies that are trusted. What somebody may do is
//! decided elsewhere: this crate knows neither roles nor equipment, and it serves nobody; it only asks.

mod attempt;
mod authenticator;
pub mod certificate;
pub mod http_client;
pub mod ldap;
pub mod oidc;
pub mod proxy;
pub mod throttle;
pub mod token;

pub use attempt::{Attempt, Failure, Refusal};
pub use authenticator::{Authenticator, Providers};
