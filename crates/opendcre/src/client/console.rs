//! Prints answers and errors, as tables for people or as JSON for programs, and asks people.
//!
//! Texts come from equipment. In tables their control characters are escaped, so that none of them can drive
//! the terminal; JSON has that property by itself.

use std::fmt::Display;
use std::io::{self, BufRead, Write};

use comfy_table::Table;

use crate::cli::OutputFormat;
use crate::exit::Exit;
use crate::output::{empty_table, print_failure, print_json, print_table, visible};

use super::failure::{self, Failure};
use super::sheet::Sheet;
use super::{Answer, ClientError};

/// Where a command prints, and how.
pub(super) struct Console<'a> {
    style: Style,
    out: &'a mut dyn Write,
    err: &'a mut dyn Write,
    person: Option<&'a mut dyn BufRead>,
    /// Whether the last line on the terminal is one about progress.
    has_progress: bool,
}

/// How a command prints.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    pub(super) format: OutputFormat,
    /// Whether boards that say the same share a line of a table.
    pub(super) fold: bool,
    /// Whether errors go to a terminal, where a line can be written over.
    pub(super) progress: bool,
}

impl<'a> Console<'a> {
    /// Prints answers to `out` and errors to `err`, and asks `person`, if there is one.
    pub(super) fn new(
        style: Style,
        out: &'a mut dyn Write,
        err: &'a mut dyn Write,
        person: Option<&'a mut dyn BufRead>,
    ) -> Self {
        Self { style, out, err, person, has_progress: false }
    }

    /// Whether answers are for programs.
    pub(super) fn is_for_programs(&self) -> bool {
        self.style.format == OutputFormat::Json
    }

    /// Whether somebody sees progress.
    pub(super) const fn is_watched(&self) -> bool {
        self.style.progress
    }

    /// Prints one item as a line of JSON, exactly as the server sent its values.
    pub(super) fn json(&mut self, item: &Answer) -> Result<(), ClientError> {
        self.clear_progress()?;
        Ok(print_json(self.out, item)?)
    }

    /// Prints an answer, one row per member.
    pub(super) fn fields(&mut self, answer: &Answer) -> Result<(), ClientError> {
        if self.is_for_programs() {
            return self.json(answer);
        }
        let mut table = empty_table();
        table.add_rows(answer.texts().map(|(name, text)| [visible(&name), visible(&text)]));
        self.table(table)
    }

    /// Prints lines about boards.
    pub(super) fn sheet(&mut self, sheet: Sheet) -> Result<(), ClientError> {
        if sheet.is_empty() { Ok(()) } else { self.table(sheet.into_table(self.style.fold)) }
    }

    /// Prints rows below a header.
    pub(super) fn rows(
        &mut self,
        header: &[&str],
        rows: impl IntoIterator<Item = Vec<String>>,
    ) -> Result<(), ClientError> {
        let mut table = empty_table();
        table.set_header(header);
        table.add_rows(rows.into_iter().map(|row| row.iter().map(|cell| visible(cell)).collect::<Vec<_>>()));
        self.table(table)
    }

    /// Prints a line of its own.
    pub(super) fn line(&mut self, text: &str) -> Result<(), ClientError> {
        self.clear_progress()?;
        writeln!(self.out, "{}", visible(text))?;
        Ok(self.out.flush()?)
    }

    /// Prints something as it is, for programs.
    pub(super) fn bytes(&mut self, bytes: &[u8]) -> Result<(), ClientError> {
        self.clear_progress()?;
        self.out.write_all(bytes)?;
        Ok(self.out.flush()?)
    }

    fn table(&mut self, table: Table) -> Result<(), ClientError> {
        self.clear_progress()?;
        Ok(print_table(self.out, table)?)
    }

    /// Prints what failed and says how a command ends at which this failed.
    pub(super) fn failures(&mut self, failures: Vec<Failure>) -> Result<Exit, ClientError> {
        self.clear_progress()?;
        let exit = failure::exit(&failures);
        match self.style.format {
            OutputFormat::Json => {
                failures.iter().try_for_each(|failure| print_json(self.err, failure.answer()))?;
            }
            OutputFormat::Table => {
                let lines = failure::lines(failures, self.style.fold);
                lines.iter().try_for_each(|line| writeln!(self.err, "error: {}", visible(line)))?;
            }
        }
        Ok(exit)
    }

    /// Tells people something that is no error.
    pub(super) fn note(&mut self, text: &dyn Display) -> Result<(), ClientError> {
        self.clear_progress()?;
        writeln!(self.err, "note: {}", visible(&text.to_string()))?;
        Ok(())
    }

    /// Shows how far something is, on a line that the next output replaces; only on a terminal.
    pub(super) fn progress(&mut self, text: &str) -> Result<(), ClientError> {
        if self.style.progress {
            write!(self.err, "\r\x1b[K{}", visible(text))?;
            self.err.flush()?;
            self.has_progress = true;
        }
        Ok(())
    }

    fn clear_progress(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.has_progress) {
            write!(self.err, "\r\x1b[K")?;
            self.err.flush()?;
        }
        Ok(())
    }

    /// Asks a question that can be answered with yes or no; nothing if there is nobody to ask.
    pub(super) fn ask(&mut self, question: &str) -> Result<Option<bool>, ClientError> {
        let Some(person) = &mut self.person else { return Ok(None) };
        write!(self.err, "{} [y/N] ", visible(question))?;
        self.err.flush()?;
        let mut reply = String::new();
        person.read_line(&mut reply)?;
        Ok(Some(matches!(reply.trim().to_ascii_lowercase().as_str(), "y" | "yes")))
    }

    /// Prints an error and says how a command ends that fails with it.
    pub(super) fn report(&mut self, error: &ClientError) -> Exit {
        let exit = error.exit();
        if exit == Exit::Done {
            return exit;
        }
        // Without a place to complain, the exit code must say it all.
        match self.explain(error) {
            Ok(()) | Err(_) => exit,
        }
    }

    fn explain(&mut self, error: &ClientError) -> io::Result<()> {
        self.clear_progress()?;
        print_failure(self.err, self.style.format, error, &error.body())?;
        match self.style.format {
            OutputFormat::Table => {
                error.explanation().iter().try_for_each(|line| writeln!(self.err, "{line}"))
            }
            OutputFormat::Json => Ok(()),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// What `print` leaves on standard output and standard error.
    pub(crate) fn printed(format: OutputFormat, print: impl FnOnce(&mut Console<'_>)) -> (String, String) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let style = Style { format, fold: true, progress: false };
        print(&mut Console::new(style, &mut out, &mut err, None));
        (String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
    }

    #[test]
    fn fields_are_rows_and_cannot_drive_the_terminal() {
        let body = r#"{"raw": "0,1,2", "power_ok": true, "input_power": 198.57686579513486,
                       "asset_text": "a\u001b[2J\nb\u009b"}"#;
        let answer = Answer::parse(body).unwrap();
        let (out, _) = printed(OutputFormat::Table, |console| console.fields(&answer).unwrap());
        insta::assert_snapshot!(out, @r"
        raw          0,1,2
        power_ok     true
        input_power  198.57686579513486
        asset_text   a\u{1b}[2J\nb\u{9b}
        ");
    }

    #[test]
    fn an_error_is_one_line_on_standard_error() {
        let problem = super::super::problem::Problem::unexplained("busy\r\nwith \u{1b}[31m".to_owned());
        let error = ClientError::Refused { status: 503, problem: Box::new(problem) };
        let mut exit = Exit::Done;
        let (out, err) = printed(OutputFormat::Table, |console| exit = console.report(&error));
        assert_eq!((out.as_str(), exit), ("", Exit::Busy));
        assert_eq!(err, "error: busy\\r\\nwith \\u{1b}[31m (HTTP 503)\n");
    }

    #[test]
    fn a_closed_pipe_is_no_error() {
        let error = ClientError::Output(io::ErrorKind::BrokenPipe.into());
        let mut exit = Exit::Failed;
        let (_, err) = printed(OutputFormat::Table, |console| exit = console.report(&error));
        assert_eq!((err.as_str(), exit), ("", Exit::Done));
    }

    #[test]
    fn progress_is_written_over_and_only_on_a_terminal() {
        for (progress, expected) in [(true, "\r\x1b[K1 of 2 done\r\x1b[K2 of 2 done\r\x1b[K"), (false, "")] {
            let (mut out, mut err) = (Vec::new(), Vec::new());
            let style = Style { format: OutputFormat::Table, fold: true, progress };
            let mut console = Console::new(style, &mut out, &mut err, None);
            console.progress("1 of 2 done").unwrap();
            console.progress("2 of 2 done").unwrap();
            console.line("done").unwrap();
            assert_eq!((err, out), (expected.as_bytes().to_vec(), b"done\n".to_vec()));
        }
    }
}
