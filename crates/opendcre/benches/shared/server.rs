//! A program that serves HTTP, as a process of its own: the product as it is installed, or anything else.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// The variable that names the program to measure.
const VARIABLE: &str = "OPENDCRE_PRODUCT";

/// The program to measure. The one that is built beside the measurements has, of its libraries, also what only tests need;
/// `cargo xtask bench` names the one that is installed.
pub(crate) fn product() -> PathBuf {
    std::env::var_os(VARIABLE).map_or_else(|| env!("CARGO_BIN_EXE_opendcre").into(), PathBuf::from)
}

/// A running server. It is stopped in order when this goes away.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Starts the product, which logs to files in `directory` and keeps what it knows there, and waits until it is
    /// ready. `equipment` is the part of its configuration that says what it serves.
    pub(crate) fn product(directory: &Path, equipment: &str) -> Self {
        let address = free_address();
        let log = directory.join("log");
        std::fs::create_dir_all(&log).expect("a log directory");
        let text = format!(
            "[server]\nlisten = \"{address}\"\n[log]\ndirectory = {log:?}\n[state]\ndirectory = {directory:?}\n[inventory]\n{equipment}"
        );
        let config = directory.join("opendcre.toml");
        std::fs::write(&config, text).expect("a configuration");
        let mut command = Command::new(product());
        // As the unit of the package does.
        command.env("MALLOC_ARENA_MAX", "1");
        Self::start(address, command.arg("serve").arg("--config").arg(config))
    }

    /// Starts a program that will listen on `address`, and waits until it is ready.
    pub(crate) fn start(address: SocketAddr, command: &mut Command) -> Self {
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
        let mut server = Self { child, address };
        while server.get("/readyz").is_err() {
            assert_eq!(server.child.try_wait().expect("a child"), None, "it ended by itself");
            std::thread::sleep(Duration::from_micros(200));
        }
        server
    }

    /// The body of an answer.
    ///
    /// # Errors
    /// There is no answer, or it does not say that all is well.
    pub(crate) fn get(&self, path: &str) -> io::Result<String> {
        let mut stream = TcpStream::connect(self.address)?;
        // Of HTTP 1.0, so that the body is sent as it is and the connection ends with it.
        write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        match answer.split_once("\r\n\r\n") {
            Some((head, body)) if head.split(' ').nth(1) == Some("200") => Ok(body.to_owned()),
            _ => Err(io::Error::other(answer)),
        }
    }

    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).expect("it runs");
        self.child.wait().expect("it ends");
    }
}

/// Where nobody listens.
pub(crate) fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("its address")
}
