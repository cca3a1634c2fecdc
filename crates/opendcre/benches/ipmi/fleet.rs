//! What is asked: many BMCs on consecutive ports, either ours in one process or OpenIPMI's in several.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use crate::cost;
use crate::simulator::{Simulator, host, wait_for_pong};

pub(crate) const PRODUCT: &str = env!("CARGO_BIN_EXE_opendcre");
/// Below the ports that the system gives to clients.
const FIRST_PORT: u16 = 20_000;

/// Running BMCs. They end when this goes away.
pub(crate) struct Fleet {
    pub(crate) name: &'static str,
    pub(crate) addresses: Vec<SocketAddr>,
    target: Target,
    _directory: tempfile::TempDir,
}

enum Target {
    Emulator(Child),
    Simulator(Simulator),
}

impl Fleet {
    /// Our emulated BMCs.
    pub(crate) fn emulated(count: u16) -> Self {
        let addresses = addresses(count);
        let directory = tempfile::tempdir().expect("a directory");
        let mut command = Command::new(PRODUCT);
        command.args([
            "emulate",
            "bmc",
            "--count",
            &count.to_string(),
            "--listen",
            &addresses[0].to_string(),
        ]);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the emulator");
        addresses.iter().for_each(wait_for_pong);
        Self {
            name: "`opendcre emulate bmc`",
            addresses,
            target: Target::Emulator(child),
            _directory: directory,
        }
    }

    /// BMCs of OpenIPMI's simulator.
    pub(crate) fn simulated(count: u16) -> Self {
        let addresses = addresses(count);
        let directory = tempfile::tempdir().expect("a directory");
        let simulator = Simulator::start(directory.path(), &addresses);
        Self { name: "`ipmi_sim`", addresses, target: Target::Simulator(simulator), _directory: directory }
    }

    /// Its processes.
    pub(crate) fn processes(&self) -> Vec<u32> {
        match &self.target {
            Target::Emulator(child) => vec![child.id()],
            Target::Simulator(simulator) => simulator.processes.iter().map(Child::id).collect(),
        }
    }

    /// Resident memory of all its processes.
    pub(crate) fn megabytes(&self) -> f64 {
        self.processes().into_iter().map(|process| cost::megabytes(process, "VmRSS")).sum()
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        if let Target::Emulator(child) = &mut self.target {
            child.kill().expect("it runs");
            child.wait().expect("it ends");
        }
    }
}

fn addresses(count: u16) -> Vec<SocketAddr> {
    (FIRST_PORT..FIRST_PORT + count).map(|port| SocketAddr::from((host(), port))).collect()
}
