//! Asks for a password on the terminal, without showing it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use secrecy::SecretString;
use secrecy::zeroize::Zeroizing;

/// The longest password.
const MAX_BYTES: usize = 1024;

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

/// A terminal hands over one line at a time.
fn read_line(mut terminal: &File) -> io::Result<SecretString> {
    let mut buffer = Zeroizing::new([0; MAX_BYTES]);
    let length = terminal.read(buffer.as_mut())?;
    let line = buffer.get(..length).and_then(|line| line.strip_suffix(b"\n"));
    let line = line.ok_or_else(|| io::Error::other("it was not given, or is too long"))?;
    let line = std::str::from_utf8(line).map_err(|_| io::Error::other("it is not UTF-8"))?;
    Ok(line.into())
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
