//! What sensors measured over a time: in figures and as a small chart, or as the server tells it.

use std::io;
use std::ops::Range;

use jiff::Timestamp;
use serde::Deserialize;

use crate::cli::HistoryArgs;
use crate::exit::Exit;

use super::answer::rounded;
use super::board::dash;
use super::chart::chart;
use super::http::{Http, Request};
use super::{Answer, ClientError, Console};

/// How wide a line is where there is no terminal.
const USUAL_WIDTH: usize = 100;
/// How narrow and how wide a chart may be.
const CHART: std::ops::RangeInclusive<usize> = 10..=60;
/// What is between two columns.
const GAP: usize = 2;
const HEADER: [&str; 8] = ["BOARD", "DEVICE", "QUANTITY", "MIN", "AVG", "MAX", "LAST", "CHART"];

/// A series, as it is shown.
#[derive(Deserialize)]
struct Series {
    board_name: String,
    device: String,
    device_name: Option<String>,
    quantity: String,
    unit: String,
    points: Vec<Point>,
}

/// When a step begins, the mean, least and greatest of its samples, and how many there are.
#[derive(Deserialize)]
struct Point(Timestamp, f64, f64, f64, u32);

/// `history`: series with their figures.
pub(super) async fn run(
    http: &Http,
    args: &HistoryArgs,
    console: &mut Console<'_>,
) -> Result<Exit, ClientError> {
    let request = Request::get(&["history"])
        .with("nodes", &args.nodes.nodes)
        .with_optional("device", args.device.as_deref())
        .with_optional("quantity", args.quantity.as_deref())
        .with("from", &args.from)
        .with("to", &args.to)
        .with_optional("step", args.step.as_deref());
    if args.csv {
        http.parts(&request.with("format", "csv"), |part| console.bytes(part)).await?;
    } else if console.is_for_programs() {
        http.each(&request, |_, series| console.json(&series)).await?;
    } else {
        show(http, &request, console).await?;
    }
    Ok(Exit::Done)
}

async fn show(http: &Http, request: &Request, console: &mut Console<'_>) -> Result<(), ClientError> {
    let mut all: Vec<Series> = Vec::new();
    let add = |_: &str, item: Answer| {
        all.push(item.read()?);
        Ok(())
    };
    let rest = http.each(request, add).await?;
    let (from, to): (Timestamp, Timestamp) = (rest.member("from")?, rest.member("to")?);
    all.retain(|series| !series.points.is_empty());
    if all.is_empty() {
        return console.note(&format!("nothing was measured from {from:.0} to {to:.0}"));
    }
    let rows: Vec<Vec<String>> = all.iter().map(Series::figures).collect();
    let time = from.as_millisecond()..to.as_millisecond();
    let width = room(&rows, terminal_width()).clamp(*CHART.start(), *CHART.end());
    let rows = all.iter().zip(rows).map(|(series, mut row)| {
        row.push(series.chart(&time, width));
        row
    });
    console.rows(&HEADER, rows)
}

/// How wide the lines may be.
fn terminal_width() -> usize {
    rustix::termios::tcgetwinsize(io::stdout()).map_or(USUAL_WIDTH, |size| match size.ws_col {
        0 => USUAL_WIDTH,
        columns => columns.into(),
    })
}

/// What is left of a line of this width beside the widest cells.
fn room(rows: &[Vec<String>], width: usize) -> usize {
    let widest = |(column, header): (usize, &&str)| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain([header.len()]).max().unwrap_or(0) + GAP
    };
    let used: usize = HEADER.iter().take(HEADER.len() - 1).enumerate().map(widest).sum();
    width.saturating_sub(used)
}

impl Series {
    /// Its row, without the chart.
    fn figures(&self) -> Vec<String> {
        let value =
            |value: f64| format!("{} {}", rounded(&value.to_string()), self.unit).trim_end().to_owned();
        let least = self.points.iter().map(|point| point.2).reduce(f64::min);
        let greatest = self.points.iter().map(|point| point.3).reduce(f64::max);
        let last = self.points.last().map(|point| point.1);
        let figures = [least, self.mean(), greatest, last].map(|figure| figure.map_or_else(dash, value));
        let device = self.device_name.clone().unwrap_or_else(|| self.device.clone());
        [self.board_name.clone(), device, self.quantity.clone()].into_iter().chain(figures).collect()
    }

    /// The mean of all samples.
    fn mean(&self) -> Option<f64> {
        let count: f64 = self.points.iter().map(|point| f64::from(point.4)).sum();
        let sum: f64 = self.points.iter().map(|point| point.1 * f64::from(point.4)).sum();
        (count > 0.0).then(|| sum / count)
    }

    fn chart(&self, time: &Range<i64>, width: usize) -> String {
        chart(self.points.iter().map(|point| (point.0.as_millisecond(), point.1)), time, width)
    }
}
