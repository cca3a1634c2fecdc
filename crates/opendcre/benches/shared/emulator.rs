//! Many emulated BMCs in one process.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use crate::server::product;

/// A running emulator. It ends when this goes away.
pub(crate) struct Emulator {
    pub(crate) child: Child,
    pub(crate) addresses: Vec<SocketAddr>,
}

impl Emulator {
    /// Starts so many BMCs on free ports, and waits until they listen. `config` says what they are like, as in
    /// `docs/emulator.md`.
    pub(crate) fn start(count: u16, config: &str) -> Self {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(config.as_bytes()).expect("a configuration");
        let mut command = Command::new(product());
        command.args(["emulate", "bmc", "--count", &count.to_string(), "--listen", "127.0.0.1:0"]);
        command.arg("--config").arg(file.path());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the emulator");
        let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let address = |line: Result<String, _>| line.expect("a line").parse().expect("an address");
        let addresses: Vec<SocketAddr> = lines.take(count.into()).map(address).collect();
        assert_eq!(addresses.len(), usize::from(count), "the emulator ended by itself");
        Self { child, addresses }
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }
}
