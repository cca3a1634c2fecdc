//! The tty itself: raw, 8N1, ours alone.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::termios::{self, ControlModes, OptionalActions};
use serial2_tokio::{CharSize, FlowControl, Parity, SerialPort, Settings, StopBits};
use thiserror::Error;

/// Why a tty cannot be used. The message says what to do about it.
#[derive(Debug, Error)]
pub enum LineError {
    /// There is no such file.
    #[error("{device}: no such tty; plug in the adapter, or correct `device` of the bus", device = .0.display())]
    Missing(PathBuf),
    /// The file may not be opened.
    #[error("{device}: permission denied; add the user to the group that owns it (usually dialout)", device = .0.display())]
    Permission(PathBuf),
    /// Another program uses it.
    #[error("{device}: in use by another program; stop that program, or correct `device` of the bus", device = .0.display())]
    Busy(PathBuf),
    /// The file is no tty, or a tty that cannot do the settings.
    #[error("{device}: cannot be set to {baud} baud 8N1 raw: {reason}", device = .device.display())]
    Settings {
        /// The file.
        device: PathBuf,
        /// The speed that was asked for.
        baud: u32,
        /// What the system said.
        reason: io::Error,
    },
    /// Anything else.
    #[error("{device}: cannot be opened: {reason}", device = .device.display())]
    Open {
        /// The file.
        device: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
}

/// An open serial line. Closing it gives the tty back.
#[derive(Debug)]
pub(super) struct Line {
    port: SerialPort,
    /// Holds the lock for as long as the line is open.
    guard: OwnedFd,
}

impl Line {
    /// Opens the tty, locks it against other programs and sets it to raw 8N1.
    pub(super) fn open(device: &Path, baud: u32) -> Result<Self, LineError> {
        let guard = lock(device)?;
        let settings = |reason| LineError::Settings { device: device.to_owned(), baud, reason };
        if !termios::isatty(&guard) {
            return Err(settings(io::Error::other("not a tty")));
        }
        let port =
            SerialPort::open(device, |current| raw_8n1(current, baud)).map_err(|source| {
                match source.kind() {
                    io::ErrorKind::ResourceBusy => LineError::Busy(device.to_owned()),
                    _ => settings(source),
                }
            })?;
        ignore_modem_lines(&guard).map_err(|error| settings(error.into()))?;
        // The lock keeps out programs that ask for it; this keeps out everybody else but root.
        termios::ioctl_tiocexcl(&guard).map_err(|error| settings(error.into()))?;
        port.discard_buffers().map_err(settings)?;
        Ok(Self { port, guard })
    }

    /// Reads what has arrived, at least one byte.
    pub(super) async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.port.read(buffer).await? {
            0 => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the tty hung up")),
            count => Ok(count),
        }
    }

    pub(super) async fn write(&self, bytes: &[u8]) -> io::Result<()> {
        self.port.write_all(bytes).await
    }

    pub(super) fn discard_input(&self) -> io::Result<()> {
        self.port.discard_input_buffer()
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        // The exclusive mode belongs to the tty, not to our file: it would outlive us on a tty that others keep open.
        // Nothing is left to do about a tty that is already gone.
        termios::ioctl_tiocnxcl(&self.guard).ok();
    }
}

/// The lock that well-behaved programs take on a tty.
fn lock(device: &Path) -> Result<OwnedFd, LineError> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let guard =
        rustix::fs::open(device, flags, Mode::empty()).map_err(|error| open_error(device, error.into()))?;
    match rustix::fs::flock(&guard, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(guard),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(LineError::Busy(device.to_owned())),
        Err(error) => Err(open_error(device, error.into())),
    }
}

fn open_error(device: &Path, source: io::Error) -> LineError {
    let device = device.to_owned();
    match source.kind() {
        io::ErrorKind::NotFound => LineError::Missing(device),
        io::ErrorKind::PermissionDenied => LineError::Permission(device),
        io::ErrorKind::ResourceBusy => LineError::Busy(device),
        _ => LineError::Open { device, reason: source },
    }
}

/// There is no modem on the bus. Unless told so, the system hangs up a line whose unwired carrier detect drops.
fn ignore_modem_lines(tty: &OwnedFd) -> rustix::io::Result<()> {
    let mut attributes = termios::tcgetattr(tty)?;
    attributes.control_modes |= ControlModes::CLOCAL | ControlModes::CREAD;
    termios::tcsetattr(tty, OptionalActions::Now, &attributes)
}

fn raw_8n1(mut settings: Settings, baud: u32) -> io::Result<Settings> {
    settings.set_raw();
    settings.set_baud_rate(baud)?;
    settings.set_char_size(CharSize::Bits8);
    settings.set_parity(Parity::None);
    settings.set_stop_bits(StopBits::One);
    settings.set_flow_control(FlowControl::None);
    Ok(settings)
}
