//! Many emulated BMCs in one process.

use std::io::{BufRead, BufReader};
use std::net::{IpAddr, SocketAddr};
use std::process::{Child, Command, Stdio};

use crate::server::PRODUCT;

/// Below the ports that the system gives to clients.
const FIRST_PORT: u16 = 20_000;

/// A running emulator. It ends when this goes away.
pub(crate) struct Emulator {
    pub(crate) child: Child,
    pub(crate) addresses: Vec<SocketAddr>,
}

impl Emulator {
    /// Starts so many BMCs on consecutive ports of `host`, and waits until they listen.
    pub(crate) fn start(host: IpAddr, count: u16) -> Self {
        let mut command = Command::new(PRODUCT);
        let first = SocketAddr::from((host, FIRST_PORT)).to_string();
        command.args(["emulate", "bmc", "--count", &count.to_string(), "--listen", &first]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the emulator");
        let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let addresses =
            lines.take(count.into()).map(|line| line.expect("a line").parse().expect("an address"));
        Self { addresses: addresses.collect(), child }
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }
}
