//! Printing the result of a command on standard output. It knows nothing of what is printed.

use std::io::Write;

use anyhow::Context;

/// Prints `text` and makes sure that it has arrived.
///
/// # Errors
/// When it cannot be written; the system's error can be found by a downcast.
pub(crate) fn print(out: &mut impl Write, text: &str) -> anyhow::Result<()> {
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.context("cannot write to standard output")
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    /// A place that is always full.
    struct Full;

    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_cannot_be_printed_is_said_once_and_can_be_looked_into() {
        let error = print(&mut Full, "text").unwrap_err();
        assert_eq!(format!("{error:#}"), "cannot write to standard output: no storage space");
        let cause = error.downcast_ref::<io::Error>().unwrap();
        assert_eq!(cause.kind(), io::ErrorKind::StorageFull);
    }
}
