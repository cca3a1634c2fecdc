//! What the fuzzers do with the bytes they are given.
//!
//! Every target is a function that takes any bytes at all and panics if a promise of the product is broken. The fuzzers
//! under `fuzz/` only call these functions; ordinary tests replay the committed corpus through the same functions, so a
//! finding stays found without a nightly compiler. Nothing here knows about libFuzzer.

#![expect(clippy::panic, reason = "a fuzz target reports by panicking")]

mod api_path;
mod certificate;
mod clock;
mod command;
mod config;
mod credentials;
mod emulator_config;
mod emulator_request;
mod entropy;
mod fru;
mod history;
mod hostile;
mod ipmi_bmc;
mod ipmi_client;
mod ldap;
mod master;
mod noderange;
mod oidc;
mod packet;
mod policy;
mod rakp;
mod rmcp;
mod runtime;
mod sdr;
mod sel;

pub use api_path::api_path;
pub use certificate::certificate;
pub use command::command;
pub use config::config;
pub use credentials::credentials;
pub use emulator_config::emulator_config;
pub use emulator_request::emulator_request;
pub use fru::fru;
pub use history::history;
pub use ipmi_bmc::ipmi_bmc;
pub use ipmi_client::ipmi_client;
pub use ldap::ldap;
pub use master::master;
pub use noderange::noderange;
pub use oidc::oidc;
pub use packet::packet;
pub use policy::policy;
pub use rakp::rakp;
pub use rmcp::rmcp;
pub use sdr::sdr;
pub use sel::sel;

use opendcre_ipmi::Secret;

/// A fuzz target: takes any bytes, panics if a promise is broken.
pub type Target = fn(&[u8]);

/// Every target by the name of its fuzzer and its corpus.
pub const TARGETS: &[(&str, Target)] = &[
    ("api_path", api_path),
    ("certificate", certificate),
    ("command", command),
    ("config", config),
    ("credentials", credentials),
    ("emulator_config", emulator_config),
    ("emulator_request", emulator_request),
    ("fru", fru),
    ("history", history),
    ("ipmi_bmc", ipmi_bmc),
    ("ipmi_client", ipmi_client),
    ("ldap", ldap),
    ("master", master),
    ("noderange", noderange),
    ("oidc", oidc),
    ("packet", packet),
    ("policy", policy),
    ("rakp", rakp),
    ("rmcp", rmcp),
    ("sdr", sdr),
    ("sel", sel),
];

/// A password or key of at most 20 bytes.
fn secret(bytes: &[u8]) -> Secret {
    match Secret::new(bytes) {
        Ok(secret) => secret,
        Err(error) => panic!("{error}"),
    }
}

/// Whether a text can do nothing to the terminal that shows it.
fn is_printable(text: &str) -> bool {
    text.chars().all(|c| !c.is_control() && !matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'))
}

/// Whether a name can be that of somebody: it is as short as it has to be, and looks like what it is.
fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= 256 && name.trim() == name && !name.chars().any(is_unseen)
}

/// Whether a character is not shown, or changes how others are shown.
fn is_unseen(character: char) -> bool {
    let is_format = matches!(character, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{feff}');
    let is_layout = matches!(character, '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}');
    character.is_control() || is_format || is_layout
}
