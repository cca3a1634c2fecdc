//! A history as a table for spreadsheets (RFC 4180), written while it is sent.

use std::borrow::Cow;
use std::ops::Range;

use futures_util::stream;
use http::StatusCode;
use hyper::body::Bytes;
use opendcre_gateway::Point;
use tokio::sync::OwnedSemaphorePermit;

use super::Series;
use crate::body::Body;
use crate::reply::{self, Reply};

/// The media type of a table (RFC 4180 §3), whose first line has names.
pub(super) const MEDIA_TYPE: &str = "text/csv";

const WITH_PARAMETERS: &str = "text/csv; charset=utf-8; header=present";

const HEADER: &str = "time,rack,board,board_name,device,device_name,kind,quantity,unit,avg,min,max,count\r\n";

/// How many lines are written at once.
const LINES: usize = 256;

/// The table of some series.
pub(super) fn reply(series: Vec<Series>, room: OwnedSemaphorePermit) -> Reply {
    let lines = series.into_iter().flat_map(move |series| {
        let _room = &room;
        let count = series.points.len();
        let parts = (0..count).step_by(LINES).map(move |start| start..count.min(start + LINES));
        parts.map(move |part| lines(&series, part))
    });
    let body =
        Body::pieces(stream::iter(std::iter::once(Bytes::from_static(HEADER.as_bytes())).chain(lines)));
    reply::of_type(WITH_PARAMETERS, StatusCode::OK, body)
}

fn lines(series: &Series, part: Range<usize>) -> Bytes {
    let Series { board, device, quantity, points } = series;
    let (name, rack, unit) = (cell(&board.name), cell(&board.rack), cell(quantity.unit()));
    let device_name = cell(device.name.as_deref().unwrap_or_default());
    let place = format!("{rack},{},{name},{},{device_name},{}", board.id, device.id, device.kind);
    let kind = format!("{},{unit}", quantity.name());
    let line = |&Point { time, min, max, avg, count }: &Point| {
        format!("{time},{place},{kind},{avg},{min},{max},{count}\r\n")
    };
    points.get(part).unwrap_or_default().iter().map(line).collect::<String>().into()
}

/// A text as a cell: in quotes where it must be (RFC 4180 §2), and nothing that a spreadsheet would carry out. Equipment
/// may call itself whatever it likes.
fn cell(text: &str) -> Cow<'_, str> {
    let text = if is_formula(text) { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) };
    if text.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\"")).into()
    } else {
        text
    }
}

/// Whether a spreadsheet could carry something out. Names such as `+12V` and `-5V SB` are no more than sums without calls
/// and references to other files; programs that compare names must find them as they are.
fn is_formula(text: &str) -> bool {
    let is_harmless = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '.' | '_');
    match text.strip_prefix(['+', '-']) {
        Some(rest) => !rest.chars().all(is_harmless),
        None => text.starts_with(['=', '@', '\t', '\r', '\n']),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_breaks_out_or_is_a_formula() {
        for (text, written) in [
            ("CPU1 Temp", "CPU1 Temp"),
            ("", ""),
            ("a,b", "\"a,b\""),
            ("7\" fan", "\"7\"\" fan\""),
            ("two\r\nlines", "\"two\r\nlines\""),
            ("=1+1", "'=1+1"),
            ("+12V", "+12V"),
            ("-5.2V SB_2", "-5.2V SB_2"),
            ("-", "-"),
            ("+1+A1", "'+1+A1"),
            ("-cmd|' /C calc'!A0", "'-cmd|' /C calc'!A0"),
            ("+HYPERLINK(\"x\")", "\"'+HYPERLINK(\"\"x\"\")\""),
            ("@SUM(A1,A2)", "\"'@SUM(A1,A2)\""),
            ("\t=1", "'\t=1"),
            ("a=b", "a=b"),
        ] {
            assert_eq!(cell(text), written);
        }
    }
}
