//! Prints what a BMC answered, as tables for people or as one line of JSON for programs.

use std::io::Write;

use comfy_table::Table;
use serde::Serialize;

use super::error::IpmiError;
use crate::cli::OutputFormat;
use crate::exit::Exit;
use crate::output::{empty_table, print_failure, print_json, print_table, visible};

/// An answer. Its JSON is documented in docs/ipmi-cli.md and keeps its keys.
pub(super) trait Report: Serialize {
    /// The answer for people. Tables without rows are left out.
    fn tables(&self) -> Vec<Table>;

    /// What is missing or doubtful, one line each. In JSON it is part of the answer.
    fn problems(&self) -> &[String] {
        &[]
    }
}

/// Where a command prints, and how.
pub(super) struct Console<'a> {
    format: OutputFormat,
    out: &'a mut dyn Write,
    err: &'a mut dyn Write,
}

impl<'a> Console<'a> {
    /// Prints answers to `out`, errors and warnings to `err`.
    pub(super) fn new(format: OutputFormat, out: &'a mut dyn Write, err: &'a mut dyn Write) -> Self {
        Self { format, out, err }
    }

    /// Prints an answer.
    pub(super) fn print(&mut self, report: &impl Report) -> Result<(), IpmiError> {
        match self.format {
            OutputFormat::Table => self.print_tables(report),
            OutputFormat::Json => Ok(print_json(self.out, report)?),
        }
    }

    fn print_tables(&mut self, report: &impl Report) -> Result<(), IpmiError> {
        let tables = report.tables().into_iter().filter(|table| !table.is_empty());
        for (index, table) in tables.enumerate() {
            if index > 0 {
                writeln!(self.out)?;
            }
            print_table(self.out, table)?;
        }
        for problem in report.problems() {
            writeln!(self.err, "warning: {}", visible(problem))?;
        }
        Ok(())
    }

    /// Prints an error on one line and says how a command ends that fails with it.
    pub(super) fn report(&mut self, error: &IpmiError) -> Exit {
        let exit = error.exit();
        if exit == Exit::Done {
            return exit;
        }
        let printed = print_failure(self.err, self.format, error, &error.body());
        // Without a place to complain, the exit code must say it all.
        match printed {
            Ok(()) | Err(_) => exit,
        }
    }
}

/// One row for each field that is known.
pub(super) fn fields<'a>(rows: impl IntoIterator<Item = (&'a str, Option<String>)>) -> Table {
    let known = rows.into_iter().filter_map(|(name, value)| Some([name.to_owned(), visible(&value?)]));
    let mut table = empty_table();
    table.add_rows(known);
    table
}

/// A table with a header, without it when there are no rows.
pub(super) fn list<const N: usize>(header: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> Table {
    let mut table = empty_table();
    table.add_rows(rows.into_iter().map(|row| row.map(|cell| visible(&cell))));
    if !table.is_empty() {
        table.set_header(header);
    }
    table
}

/// Yes or no.
pub(super) fn yes_no(flag: bool) -> String {
    if flag { "yes" } else { "no" }.to_owned()
}

/// The names whose flag is set.
pub(super) fn set_names<const N: usize>(flags: [(bool, &'static str); N]) -> Vec<&'static str> {
    flags.into_iter().filter(|(flag, _)| *flag).map(|(_, name)| name).collect()
}

/// Words on one line; nothing when there are none.
pub(super) fn joined<T: AsRef<str>>(words: &[T]) -> Option<String> {
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    (!words.is_empty()).then(|| words.join(", "))
}

/// What is one word for programs, for people.
pub(super) fn words(word: &str) -> String {
    word.replace('_', " ")
}

/// Bytes in hexadecimal with blanks between them.
pub(super) fn hex(bytes: &[u8]) -> String {
    let bytes: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    bytes.join(" ")
}

/// A change after which there is nothing to report.
#[derive(Debug, Serialize)]
pub(super) struct Done {
    done: bool,
}

impl Done {
    pub(super) const fn new() -> Self {
        Self { done: true }
    }
}

impl Report for Done {
    fn tables(&self) -> Vec<Table> {
        let mut table = empty_table();
        table.add_row(["done"]);
        vec![table]
    }
}

/// What a report prints as tables, for the tests of reports.
#[cfg(test)]
pub(super) fn shown(report: &impl Report) -> String {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    Console::new(OutputFormat::Table, &mut out, &mut err).print(report).unwrap();
    String::from_utf8([out, err].concat()).unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Sample {
        problems: Vec<String>,
    }

    impl Report for Sample {
        fn tables(&self) -> Vec<Table> {
            vec![
                fields([("name", Some("a\u{1b}[2J".to_owned())), ("nothing", None)]),
                list(["EMPTY"], []),
                list(["ID", "NAME"], [["1".to_owned(), "x".to_owned()]]),
            ]
        }

        fn problems(&self) -> &[String] {
            &self.problems
        }
    }

    #[test]
    fn tables_are_apart_and_cannot_drive_the_terminal() {
        let sample = Sample { problems: vec!["one\nline".to_owned()] };
        insta::assert_snapshot!(shown(&sample), @r"
        name  a\u{1b}[2J

        ID  NAME
        1   x
        warning: one\nline
        ");
    }

    #[test]
    fn json_is_one_line_with_everything_in_it() {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let sample = Sample { problems: vec!["one".to_owned()] };
        Console::new(OutputFormat::Json, &mut out, &mut err).print(&sample).unwrap();
        assert_eq!((out.as_slice(), err.as_slice()), (&b"{\"problems\":[\"one\"]}\n"[..], &b""[..]));
    }
}
