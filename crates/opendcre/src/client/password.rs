//! Asks for a password on the terminal, without showing it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use secrecy::{SecretString, zeroize::Zeroizing};

/// The longest password.
const MAX_BYTES: u64 = 1024;

/// Asks for a password. The terminal is asked even where standard input comes from elsewhere.
///
/// # Errors
/// There is no terminal, or it says nothing.
pub(crate) fn ask(question: &str) -> io::Result<SecretString> {
    let mut terminal = OpenOptions::new().read(true).write(true).open("/dev/tty")?;
    let silence = Silence::begin(&terminal)?;
    write!(terminal, "{}", crate::output::visible(question))?;
    let line = read_line(&terminal);
    drop(silence);
    writeln!(terminal)?;
    line
}

fn read_line(terminal: &File) -> io::Result<SecretString> {
    let mut line = Zeroizing::new(Vec::new());
    // Byte by byte, because whoever buffers takes more than a line.
    for byte in terminal.take(MAX_BYTES).bytes() {
        match byte? {
            b'\n' => break,
            byte => line.push(byte),
        }
    }
    let text = std::str::from_utf8(&line).map_err(|_| io::ErrorKind::InvalidData)?;
    Ok(text.into())
}

/// While it lives, the terminal does not show what is typed.
struct Silence {
    terminal: File,
    before: Termios,
}

impl Silence {
    fn begin(terminal: &File) -> io::Result<Self> {
        let terminal = terminal.try_clone()?;
        let before = tcgetattr(&terminal)?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(&terminal, OptionalActions::Flush, &silent)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        // A terminal that has gone away shows nothing.
        let (Ok(()) | Err(_)) = tcsetattr(&self.terminal, OptionalActions::Flush, &self.before);
    }
}
