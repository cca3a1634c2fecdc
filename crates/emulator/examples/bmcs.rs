//! Serves emulated BMCs until it is killed, for trying clients out: `cargo run --example bmcs -- [CONFIG.toml]`.
//! Without a configuration it is one BMC at 127.0.0.1:9623.
#![allow(clippy::print_stdout, reason = "it tells where it listens")]

use opendcre_emulator::bmc::{Fleet, FleetConfig, StopFlag};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let config = match std::env::args().nth(1) {
        Some(path) => FleetConfig::from_toml(&std::fs::read_to_string(path)?)?,
        None => FleetConfig::default(),
    };
    let fleet = Fleet::bind(&config)?;
    let addresses = fleet.bmcs().addresses();
    println!("{} BMCs from {:?} to {:?}", addresses.len(), addresses.first(), addresses.last());
    Ok(fleet.run(&StopFlag::new()?)?)
}
