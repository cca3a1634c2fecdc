//! The whole gateway, as it is installed, in front of many BMCs.

use std::fmt::Write as _;
use std::net::SocketAddr;

use crate::measure::megabytes;
use crate::server::Server;

/// A running gateway. It ends when this goes away.
pub(crate) struct Gateway {
    server: Server,
    _directory: tempfile::TempDir,
}

impl Gateway {
    /// Starts it and waits until it is ready. It asks BMCs only when somebody asks for them.
    pub(crate) fn start(bmcs: &[SocketAddr]) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let mut text = "refresh = \"0s\"\n".to_owned();
        for bmc in bmcs {
            let access = "username = \"ADMIN\"\npassword = \"ADMIN\"";
            writeln!(text, "[[ipmi]]\nrack = \"r\"\naddress = \"{bmc}\"\n{access}").expect("text");
        }
        Self { server: Server::product(directory.path(), &text), _directory: directory }
    }

    /// Asks for the power state of a BMC by its position in the configuration, from 0.
    pub(crate) fn power_status(&self, bmc: usize) {
        let path = format!("/opendcre/1.1/power/status/40000000/{:04x}", bmc + 1);
        self.server.get(&path).expect("an answer");
    }

    /// What is resident now.
    pub(crate) fn megabytes(&self) -> f64 {
        megabytes(self.server.process(), "VmRSS")
    }
}
