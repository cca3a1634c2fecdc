//! The whole gateway, as it is installed, in front of many BMCs.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::cost;
use crate::fleet::PRODUCT;

/// A running gateway. It ends when this goes away.
pub(crate) struct Gateway {
    child: Child,
    address: SocketAddr,
    _directory: tempfile::TempDir,
}

impl Gateway {
    /// Starts it and waits until it answers.
    pub(crate) fn start(bmcs: &[SocketAddr]) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("its address");
        drop(listener);
        let log = directory.path().join("log");
        std::fs::create_dir(&log).expect("a log directory");
        let mut text = format!("[server]\nlisten = \"{address}\"\n[log]\ndirectory = {log:?}\n");
        for bmc in bmcs {
            let access = "username = \"ADMIN\"\npassword = \"ADMIN\"";
            writeln!(text, "[[ipmi]]\nrack = \"r\"\naddress = \"{bmc}\"\n{access}").expect("text");
        }
        let config = directory.path().join("opendcre.toml");
        std::fs::write(&config, text).expect("a configuration");
        let mut command = Command::new(PRODUCT);
        command.arg("serve").arg("--config").arg(config).stdout(Stdio::null()).stderr(Stdio::null());
        let gateway = Self { child: command.spawn().expect("the gateway"), address, _directory: directory };
        while TcpStream::connect(address).is_err() {
            std::thread::sleep(Duration::from_millis(10));
        }
        gateway
    }

    /// Asks for the power state of a BMC by its position in the configuration, from 0.
    pub(crate) fn power_status(&self, bmc: usize) {
        let mut stream = TcpStream::connect(self.address).expect("a server");
        let path = format!("/opendcre/1.1/power/status/40000000/{:04x}", bmc + 1);
        write!(stream, "GET {path} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n").expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    /// What is resident now.
    pub(crate) fn megabytes(&self) -> f64 {
        cost::megabytes(self.child.id(), "VmRSS")
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }
}
