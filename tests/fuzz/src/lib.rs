//! What the fuzzers do with the bytes they are given.
//!
//! Every target is a function that takes any bytes at all and panics if a promise of the product is broken. The fuzzers
//! under `fuzz/` only call these functions; ordinary tests replay the committed corpus through the same functions, so a
//! finding stays found without a nightly compiler. Nothing here knows about libFuzzer.

#![expect(clippy::panic, reason = "a fuzz target reports by panicking")]

mod api_path;
mod clock;
mod command;
mod emulator_config;
mod emulator_request;
mod entropy;
mod fru;
mod hostile;
mod ipmi_bmc;
mod ipmi_client;
mod master;
mod noderange;
mod packet;
mod rakp;
mod rmcp;
mod sdr;
mod sel;

pub use api_path::api_path;
pub use command::command;
pub use emulator_config::emulator_config;
pub use emulator_request::emulator_request;
pub use fru::fru;
pub use ipmi_bmc::ipmi_bmc;
pub use ipmi_client::ipmi_client;
pub use master::master;
pub use noderange::noderange;
pub use packet::packet;
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
    ("command", command),
    ("emulator_config", emulator_config),
    ("emulator_request", emulator_request),
    ("fru", fru),
    ("ipmi_bmc", ipmi_bmc),
    ("ipmi_client", ipmi_client),
    ("master", master),
    ("noderange", noderange),
    ("packet", packet),
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
