//! The pseudo-terminal that clients open as if it were a serial port. Moves bytes and notices whether a client is
//! there; knows nothing of packets.
//!
//! The client's side is not kept open here: only so does the emulator see a client leave.

use std::ffi::OsString;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags, fcntl_setfl, open};
use rustix::io::{Errno, read, retry_on_intr, write};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, QueueSelector, ioctl_tiocnxcl, tcflush, tcgetattr, tcsetattr};

use super::emulated_bus::EmulatorError;
use super::stop::StopFlag;

/// A client that takes in nothing for so long loses what was to be sent.
const CLIENT_PATIENCE: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };
const AT_ONCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };

/// What there is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    /// Bytes can be read.
    Input,
    /// No client has the terminal open.
    NoClient,
    /// The stop flag is raised.
    Stop,
}

/// What became of bytes that were to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    /// The client can read them.
    All,
    /// They are lost, because there is no client or it does not read.
    Lost,
    /// The stop flag is raised.
    Stop,
}

/// The emulator's side of a pseudo-terminal.
#[derive(Debug)]
pub(super) struct Pty {
    master: OwnedFd,
    tty: PathBuf,
}

impl Pty {
    /// Makes a pseudo-terminal that passes all bytes on unchanged.
    pub(super) fn open() -> Result<Self, EmulatorError> {
        let system = EmulatorError::system;
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = openpt(flags).map_err(system("open a pseudo-terminal"))?;
        grantpt(&master).map_err(system("grant access to the pseudo-terminal"))?;
        unlockpt(&master).map_err(system("unlock the pseudo-terminal"))?;
        fcntl_setfl(&master, OFlags::RDWR | OFlags::NONBLOCK)
            .map_err(system("make the pseudo-terminal non-blocking"))?;
        let name = ptsname(&master, Vec::new()).map_err(system("name the pseudo-terminal"))?;
        let tty = PathBuf::from(OsString::from_vec(name.into_bytes()));
        let pty = Self { master, tty };
        pty.make_raw().map_err(system("set the pseudo-terminal to raw bytes"))?;
        Ok(pty)
    }

    /// The name of the client's side.
    pub(super) fn tty(&self) -> &Path {
        &self.tty
    }

    fn make_raw(&self) -> Result<(), Errno> {
        let client_side = self.open_client_side()?;
        let mut settings = tcgetattr(&client_side)?;
        settings.make_raw();
        tcsetattr(&client_side, OptionalActions::Now, &settings)
    }

    fn open_client_side(&self) -> Result<OwnedFd, Errno> {
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        retry_on_intr(|| open(&self.tty, flags, Mode::empty()))
    }

    /// Waits until there is something to do.
    pub(super) fn wait(&self, stop: &StopFlag) -> Result<Event, EmulatorError> {
        let mut polled = [PollFd::new(&self.master, PollFlags::IN), PollFd::new(stop, PollFlags::IN)];
        retry_on_intr(|| poll(&mut polled, None)).map_err(EmulatorError::system("wait for requests"))?;
        let [master, stop] = polled.map(|polled| polled.revents());
        Ok(if !stop.is_empty() {
            Event::Stop
        } else if master.contains(PollFlags::IN) {
            Event::Input
        } else {
            Event::NoClient
        })
    }

    /// Reads what has arrived; nothing if the client has just left.
    pub(super) fn read(&self, buffer: &mut [u8]) -> Result<usize, EmulatorError> {
        match retry_on_intr(|| read(&self.master, &mut *buffer)) {
            Err(Errno::IO | Errno::AGAIN) => Ok(0),
            other => other.map_err(EmulatorError::system("read requests")),
        }
    }

    /// Sends bytes to the client, which may take a moment if it is slow to read.
    pub(super) fn write(&self, mut bytes: &[u8], stop: &StopFlag) -> Result<Sent, EmulatorError> {
        while !bytes.is_empty() {
            match self.wait_for_room(stop)? {
                Sent::All => {}
                other => return Ok(other),
            }
            let count = match retry_on_intr(|| write(&self.master, bytes)) {
                Err(Errno::AGAIN) => 0,
                Err(Errno::IO) => return Ok(Sent::Lost),
                other => other.map_err(EmulatorError::system("send an answer"))?,
            };
            bytes = bytes.get(count..).unwrap_or_default();
        }
        Ok(Sent::All)
    }

    /// Whether bytes can be sent now. What is sent without a client would reach the next one.
    fn wait_for_room(&self, stop: &StopFlag) -> Result<Sent, EmulatorError> {
        let mut polled = [PollFd::new(&self.master, PollFlags::OUT), PollFd::new(stop, PollFlags::IN)];
        retry_on_intr(|| poll(&mut polled, Some(&CLIENT_PATIENCE)))
            .map_err(EmulatorError::system("wait for the client to read"))?;
        let [master, stop] = polled.map(|polled| polled.revents());
        Ok(if !stop.is_empty() {
            Sent::Stop
        } else if master.contains(PollFlags::HUP) || !master.contains(PollFlags::OUT) {
            Sent::Lost
        } else {
            Sent::All
        })
    }

    /// Removes what a client that has left may leave behind: answers that it did not read, and its exclusive use of
    /// the terminal, which does not end with the client. Says whether other clients can open the terminal now.
    pub(super) fn clear_after_client(&self) -> Result<bool, EmulatorError> {
        match self.open_client_side() {
            Ok(client_side) => {
                let flushed = tcflush(&client_side, QueueSelector::IFlush);
                flushed
                    .and_then(|()| ioctl_tiocnxcl(&client_side))
                    .map_err(EmulatorError::system("clear the pseudo-terminal"))?;
                Ok(true)
            }
            // Another client may have come in the meantime, with an exclusive use of its own.
            Err(Errno::BUSY) => self.has_client(),
            Err(error) => Err(EmulatorError::system("open the pseudo-terminal again")(error)),
        }
    }

    /// Whether a client has the terminal open.
    pub(super) fn has_client(&self) -> Result<bool, EmulatorError> {
        let mut polled = [PollFd::from_borrowed_fd(self.master.as_fd(), PollFlags::OUT)];
        retry_on_intr(|| poll(&mut polled, Some(&AT_ONCE)))
            .map_err(EmulatorError::system("look for a client"))?;
        let [master] = polled.map(|polled| polled.revents());
        Ok(!master.contains(PollFlags::HUP))
    }
}
