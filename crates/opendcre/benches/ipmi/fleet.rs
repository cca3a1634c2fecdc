//! What is asked: many BMCs, either ours in one process or OpenIPMI's in several.

use std::net::SocketAddr;
use std::process::Child;

use tempfile::TempDir;

use crate::emulator::Emulator;
use crate::measure::megabytes;
use crate::simulator::{Simulator, host};

/// Below the ports that the system gives to clients.
const FIRST_PORT: u16 = 20_000;

/// Running BMCs. They end when this goes away.
pub(crate) struct Fleet {
    pub(crate) name: &'static str,
    pub(crate) addresses: Vec<SocketAddr>,
    target: Target,
}

enum Target {
    Emulator(Emulator),
    /// With the folder of its files.
    Simulator(Simulator, #[expect(dead_code, reason = "is removed when it goes away")] TempDir),
}

impl Fleet {
    /// Our emulated BMCs.
    pub(crate) fn emulated(count: u16) -> Self {
        let emulator = Emulator::start(count, "");
        Self {
            name: "`opendcre emulate bmc`",
            addresses: emulator.addresses.clone(),
            target: Target::Emulator(emulator),
        }
    }

    /// BMCs of OpenIPMI's simulator.
    pub(crate) fn simulated(count: u16) -> Self {
        let addresses = addresses(count);
        let directory = tempfile::tempdir().expect("a directory");
        let simulator = Simulator::start(directory.path(), &addresses);
        Self { name: "`ipmi_sim`", addresses, target: Target::Simulator(simulator, directory) }
    }

    /// Its processes.
    pub(crate) fn processes(&self) -> Vec<u32> {
        match &self.target {
            Target::Emulator(emulator) => vec![emulator.child.id()],
            Target::Simulator(simulator, _) => simulator.processes.iter().map(Child::id).collect(),
        }
    }

    /// Resident memory of all its processes.
    pub(crate) fn megabytes(&self) -> f64 {
        self.processes().into_iter().map(|process| megabytes(process, "VmRSS")).sum()
    }
}

fn addresses(count: u16) -> Vec<SocketAddr> {
    (FIRST_PORT..FIRST_PORT + count).map(|port| SocketAddr::from((host(), port))).collect()
}
