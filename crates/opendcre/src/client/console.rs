//! Prints answers and errors, as tables for people or as JSON for programs.
//!
//! Texts come from equipment. In tables their control characters are escaped, so that none of them can drive
//! the terminal; JSON has that property by itself.

use std::io::Write;

use comfy_table::Table;
use jiff::Timestamp;
use serde::Deserialize;

use crate::cli::OutputFormat;
use crate::exit::Exit;
use crate::output::{empty_table, print_failure, print_json, print_table, visible};

use super::{Answer, ClientError};

/// Where a command prints, and how.
pub(super) struct Console<'a> {
    format: OutputFormat,
    out: &'a mut dyn Write,
    err: &'a mut dyn Write,
}

/// A board in the answer of a scan.
#[derive(Deserialize)]
struct ScannedBoard {
    board_id: String,
    devices: Vec<ScannedDevice>,
}

/// A device in the answer of a scan.
#[derive(Deserialize)]
struct ScannedDevice {
    device_id: String,
    device_type: String,
}

impl<'a> Console<'a> {
    /// Prints answers to `out` and errors to `err`.
    pub(super) fn new(format: OutputFormat, out: &'a mut dyn Write, err: &'a mut dyn Write) -> Self {
        Self { format, out, err }
    }

    /// Prints the answer of a scan, one row per device; a board without devices has a row of its own.
    ///
    /// Buses that could not be scanned are named on the error output, in either format.
    pub(super) fn scan(&mut self, answer: &Answer) -> Result<(), ClientError> {
        if let Some(buses) = answer.missing_buses() {
            writeln!(self.err, "warning: the boards of these buses are missing: {}", visible(buses))?;
        }
        match self.format {
            OutputFormat::Table => {
                let boards: Vec<ScannedBoard> = answer.member("boards")?;
                Ok(print_table(self.out, scan_table(&boards))?)
            }
            OutputFormat::Json => Ok(print_json(self.out, answer)?),
        }
    }

    /// Prints an answer, one row per member.
    pub(super) fn fields(&mut self, answer: &Answer) -> Result<(), ClientError> {
        match self.format {
            OutputFormat::Table => {
                let mut table = empty_table();
                table.add_rows(answer.texts().map(|(name, text)| [visible(name), visible(&text)]));
                Ok(print_table(self.out, table)?)
            }
            OutputFormat::Json => Ok(print_json(self.out, answer)?),
        }
    }

    /// Prints one of many readings on one line.
    pub(super) fn reading(&mut self, time: Timestamp, answer: Answer) -> Result<(), ClientError> {
        let time = format!("{time:.3}");
        match self.format {
            OutputFormat::Table => {
                write!(self.out, "{time}")?;
                for (name, text) in answer.texts() {
                    write!(self.out, "  {}={}", visible(name), visible(&text))?;
                }
                writeln!(self.out)?;
                Ok(self.out.flush()?)
            }
            OutputFormat::Json => Ok(print_json(self.out, &answer.preceded_by("time", &time)?)?),
        }
    }

    /// Prints an error on one line and says how a command ends that fails with it.
    pub(super) fn report(&mut self, error: &ClientError) -> Exit {
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

fn scan_table(boards: &[ScannedBoard]) -> Table {
    let mut table = empty_table();
    table.set_header(["BOARD", "DEVICE", "KIND"]);
    for board in boards {
        let id = visible(&board.board_id);
        if board.devices.is_empty() {
            table.add_row([id.as_str(), "-", "-"]);
        }
        for device in &board.devices {
            table.add_row([&id, &visible(&device.device_id), &visible(&device.device_type)]);
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    /// What `print` leaves on standard output and standard error.
    fn printed(format: OutputFormat, print: impl FnOnce(&mut Console<'_>)) -> (String, String) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        print(&mut Console::new(format, &mut out, &mut err));
        (String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
    }

    const SCAN: &str = r#"{"boards": [
        {"board_id": "00000001", "devices": [
            {"device_id": "01ff", "device_type": "thermistor"},
            {"device_id": "0dff", "device_type": "power"}]},
        {"board_id": "40000000", "devices": []}]}"#;

    #[test]
    fn a_scan_is_a_table_with_a_row_for_an_empty_board() {
        let answer = Answer::parse(SCAN).unwrap();
        let (out, _) = printed(OutputFormat::Table, |console| console.scan(&answer).unwrap());
        insta::assert_snapshot!(out, @r"
        BOARD     DEVICE  KIND
        00000001  01ff    thermistor
        00000001  0dff    power
        40000000  -       -
        ");
    }

    #[test]
    fn a_scan_for_programs_is_one_line() {
        let answer = Answer::parse(SCAN).unwrap();
        let (out, _) = printed(OutputFormat::Json, |console| console.scan(&answer).unwrap());
        insta::assert_snapshot!(out, @r#"{"boards":[{"board_id":"00000001","devices":[{"device_id":"01ff","device_type":"thermistor"},{"device_id":"0dff","device_type":"power"}]},{"board_id":"40000000","devices":[]}]}"#);
    }

    #[test]
    fn an_answer_that_is_no_scan_is_refused() {
        for body in [r#"{"boards": 7}"#, r#"{"status": "ok"}"#] {
            let answer = Answer::parse(body).unwrap();
            printed(OutputFormat::Table, |console| {
                assert!(matches!(console.scan(&answer), Err(ClientError::Malformed(_))), "{body}");
            });
        }
    }

    #[test]
    fn fields_are_rows_and_cannot_drive_the_terminal() {
        let body = r#"{"pmbus_raw": "0,1,2", "power_ok": true, "input_power": 198.57686579513486,
                       "asset_info": "a\u001b[2J\nb\u009b"}"#;
        let answer = Answer::parse(body).unwrap();
        let (out, _) = printed(OutputFormat::Table, |console| console.fields(&answer).unwrap());
        insta::assert_snapshot!(out, @r"
        pmbus_raw    0,1,2
        power_ok     true
        input_power  198.57686579513486
        asset_info   a\u{1b}[2J\nb\u{9b}
        ");
    }

    #[test]
    fn a_reading_is_a_line_that_begins_with_its_time() {
        let time: Timestamp = "2026-05-01T12:00:00.1234Z".parse().unwrap();
        for (format, expected) in [
            (OutputFormat::Table, "2026-05-01T12:00:00.123Z  device_raw=656  temperature_c=28.78\n"),
            (
                OutputFormat::Json,
                "{\"time\":\"2026-05-01T12:00:00.123Z\",\"device_raw\":656,\"temperature_c\":28.78}\n",
            ),
        ] {
            let answer = Answer::parse(r#"{"device_raw": 656, "temperature_c": 28.78}"#).unwrap();
            let (out, _) = printed(format, |console| console.reading(time, answer).unwrap());
            assert_eq!(out, expected);
        }
    }

    #[test]
    fn an_error_is_one_line_on_standard_error() {
        let error =
            ClientError::Refused { status: 503, code: None, message: "busy\r\nwith \u{1b}[31m".to_owned() };
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
}
