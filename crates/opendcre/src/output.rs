//! Printing the result of a command: as text, as a table for people, as JSON for programs. It knows nothing of what is
//! printed.

use std::fmt::Display;
use std::io::{self, Write};

use anyhow::Context;
use comfy_table::{Table, presets};
use serde::Serialize;

use crate::cli::OutputFormat;

/// Prints `text` and makes sure that it has arrived.
///
/// # Errors
/// When it cannot be written; the system's error can be found by a downcast.
pub(crate) fn print(out: &mut impl Write, text: &str) -> anyhow::Result<()> {
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.context("cannot write to standard output")
}

/// Prints a table without any blanks at the ends of its lines.
pub(crate) fn print_table(out: &mut dyn Write, mut table: Table) -> io::Result<()> {
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    writeln!(out, "{}", table.trim_fmt())?;
    out.flush()
}

/// Prints a value as one line of JSON.
pub(crate) fn print_json(out: &mut dyn Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    writeln!(out)?;
    out.flush()
}

/// Prints why a command failed, on one line.
pub(crate) fn print_failure(
    err: &mut dyn Write,
    format: OutputFormat,
    message: &impl Display,
    body: &impl Serialize,
) -> io::Result<()> {
    match format {
        OutputFormat::Table => writeln!(err, "error: {}", visible(&message.to_string())),
        OutputFormat::Json => print_json(err, body),
    }
}

/// A table of plain columns, which people and `awk` read equally well.
pub(crate) fn empty_table() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table
}

/// Escapes what a terminal would act upon instead of showing it.
pub(crate) fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
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
