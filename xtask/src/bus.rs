//! The power-line bus of a trial: boards that the product's own emulator plays, on a pseudo-terminal of this machine.
//!
//! Knows nothing of what is tried with them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::root;

/// How often, and how long apart, the terminal is looked for.
const TRIES: u32 = 300;
const PAUSE: Duration = Duration::from_millis(100);

/// A bus with boards that answer. They end with this value.
pub(crate) struct Bus {
    process: Child,
    tty: PathBuf,
}

impl Bus {
    /// Lets `opendcre` play the boards of `room`, a file of the project, as fast as the HAT's line is. The terminal gets the
    /// name `link`.
    ///
    /// # Errors
    /// The program cannot be started, or makes no terminal.
    pub(crate) fn start(opendcre: &Path, room: &str, link: &Path) -> Result<Self> {
        if link.is_symlink() {
            // Of a trial before, and perhaps the name of somebody else's terminal by now.
            fs::remove_file(link).with_context(|| format!("cannot remove {}", link.display()))?;
        }
        let mut command = Command::new(opendcre);
        command.args(["emulate", "bus", "--baud", "115200", "--config"]).arg(root().join(room));
        command.arg("--link").arg(link).stdout(Stdio::null());
        let process = command.spawn().context("cannot start the emulated bus")?;
        let mut bus = Self { process, tty: PathBuf::new() };
        for _ in 0..TRIES {
            if let Ok(tty) = link.canonicalize() {
                bus.tty = tty;
                return Ok(bus);
            }
            thread::sleep(PAUSE);
        }
        bail!("the emulated bus did not make {}", link.display())
    }

    /// The terminal itself, not the link to it.
    pub(crate) fn tty(&self) -> &Path {
        &self.tty
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        // It has ended already, or ends now.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
