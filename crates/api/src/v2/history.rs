//! The history of sensors: which series are meant, and what they were like, as JSON or CSV.

mod csv;
mod step;

use std::sync::Arc;
use std::time::Duration;

use http::header::{ACCEPT, VARY};
use http::{HeaderMap, HeaderValue, StatusCode};
use jiff::Timestamp;
use opendcre_gateway::{BoardRecord, HistoryQuery, Point, SeriesKey, Track, View};
use opendcre_model::{BoardId, Device, DeviceId, DeviceKind, Quantity};
use schemars::{JsonSchema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::OwnedSemaphorePermit;

use super::answer::{Answer, Documented};
use super::call::Call;
use super::listing;
use super::moment::Moment;
use super::nodes::{self, Called};
use super::reading::too_many;
use super::route::NoPath;
use super::schema::{BoardIdText, DeviceIdText, KindWord, MomentText, NodesText, StepText};
use crate::problem::{Code, Problem};
use crate::reply::{self, Reply};

use step::Step;

/// Of how long ago there is something to tell unless the request says otherwise.
const USUAL_TIME: Duration = Duration::from_secs(60 * 60);

/// The most points of an answer, of all series together.
const MAX_POINTS: usize = 100_000;

/// How many readings take as much memory as so many points.
const WEIGHT: usize = MAX_POINTS / 20;

/// What is wanted.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(super) struct HistoryParameters {
    /// Series of the boards of this node range. Without it and `board`, of all boards.
    #[schemars(with = "Option<NodesText>")]
    nodes: Option<String>,
    /// Series of the board with this id, name, host name or IP address.
    board: Option<String>,
    /// Series of the device with this id or name, of every board that has it.
    device: Option<String>,
    /// Series of this quantity.
    quantity: Option<QuantityWord>,
    /// From this moment on; an hour ago unless given.
    #[schemars(with = "Option<MomentText>")]
    from: Option<Moment>,
    /// Before this moment; now unless given.
    #[schemars(with = "Option<MomentText>")]
    to: Option<Moment>,
    /// The time of one point; unless given, one with which there are at most 300 points. From a minute on it is made whole
    /// minutes, from an hour on whole hours.
    #[schemars(with = "Option<StepText>")]
    step: Option<Step>,
    /// The form of the answer; unless given, what `Accept` asks for.
    format: Option<Format>,
}

/// What a series is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
enum QuantityWord {
    Temperature,
    Humidity,
    Pressure,
    Speed,
    Voltage,
    Current,
    Power,
    /// Anything without a name of its own.
    Value,
}

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
enum Format {
    Json,
    Csv,
}

/// Some time, seen in steps.
#[derive(Debug, Clone, Copy)]
struct Period {
    from: Timestamp,
    to: Timestamp,
    step: Duration,
}

/// A series with everything that is said of it.
struct Series {
    board: Arc<BoardRecord>,
    device: Device,
    quantity: Quantity,
    points: Vec<Point>,
}

/// What was asked for.
pub(super) struct History {
    format: Format,
    period: Period,
    series: Vec<Series>,
    /// Given back when it is sent.
    room: OwnedSemaphorePermit,
}

/// What sensors said.
#[derive(JsonSchema)]
#[schemars(rename = "History")]
#[expect(dead_code, reason = "only described; its text is written series by series")]
struct HistoryBody<'a> {
    /// The series, by board and device. Those without points are there, too.
    items: Vec<SeriesBody<'a>>,
    /// When the time begins that was looked at.
    from: Timestamp,
    /// When it ends.
    to: Timestamp,
    /// The time of one point in seconds; 0 if the points are the samples themselves. Where samples are not kept any more,
    /// points are as fine as is still known.
    step_s: f64,
}

/// A series: one quantity of one device.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Series")]
struct SeriesBody<'a> {
    #[schemars(with = "BoardIdText")]
    board: BoardId,
    /// What the board is called.
    board_name: &'a str,
    /// The rack that holds the board.
    rack: &'a str,
    #[schemars(with = "DeviceIdText")]
    device: DeviceId,
    /// What the board calls the device; null for devices on a bus.
    device_name: Option<&'a str>,
    #[schemars(with = "KindWord")]
    kind: DeviceKind,
    /// What is measured, such as `temperature`; `value` for anything without a name of its own.
    quantity: &'static str,
    /// The symbol of the unit; empty for a plain number.
    unit: &'a str,
    /// What there was, oldest first. Times without samples have no points.
    points: Vec<PointBody>,
}

/// When a step begins, the mean, least and greatest of its samples, and how many there are.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Point")]
struct PointBody(Timestamp, f64, f64, f64, u32);

/// `GET /history`.
pub(super) async fn get(call: Call, _: NoPath, query: HistoryParameters) -> Result<History, Problem> {
    let period = query.period(call.gateway().now())?;
    let view = call.view()?;
    let mut series = query.series(&call, &view)?;
    let room = call.api.room_for(WEIGHT).ok_or_else(too_many)?;
    let Period { from, to, step } = period;
    let keys = series.iter().map(Series::key).collect();
    let tracks = view.history(HistoryQuery { series: keys, from, to, step, limit: MAX_POINTS }).await?;
    for (series, Track { points, .. }) in series.iter_mut().zip(tracks) {
        series.points = points;
    }
    let format = query.format.unwrap_or_else(|| Format::accepted(&call.head.headers));
    Ok(History { format, period, series, room })
}

impl HistoryParameters {
    fn period(&self, now: Timestamp) -> Result<Period, Problem> {
        let from = self.from.unwrap_or(Moment::Ago(USUAL_TIME)).seen_from(now);
        let to = self.to.unwrap_or(Moment::Ago(Duration::ZERO)).seen_from(now);
        let time = Duration::try_from(to.duration_since(from)).ok().filter(|time| !time.is_zero());
        let Some(time) = time else {
            let detail = format!("the time from {from:.3} to {to:.3} is none; let it begin before it ends");
            return Err(Problem::new(Code::CONTRADICTION, detail).in_parameter("from").at(0));
        };
        Ok(Period { from, to, step: self.step.unwrap_or_else(|| Step::fit_for(time)).0 })
    }

    /// The series that are meant, without points, by board and device.
    fn series(&self, call: &Call, view: &View) -> Result<Vec<Series>, Problem> {
        let called = self.device.as_deref().map(Called::of);
        let is_meant = |series: &Series| {
            called.as_ref().is_none_or(|called| called.fits(&series.device))
                && self.quantity.is_none_or(|quantity| quantity.name() == series.quantity.name())
        };
        let mut all = Vec::new();
        for board in self.boards(call, view)? {
            let keys = view.series(&board)?.into_iter();
            all.extend(keys.filter_map(|key| Series::of(&board, key)).filter(is_meant));
        }
        if let (Some(device), []) = (&self.device, all.as_slice()) {
            let device = opendcre_model::excerpt(device);
            let detail = format!("none of these boards has a device {device:?} of which anything is kept");
            return Err(Problem::new(Code::UNKNOWN_DEVICE, detail).in_parameter("device").at(0));
        }
        all.sort_by_key(|series| (series.board.id, series.device.id, series.quantity.name()));
        Ok(all)
    }

    fn boards(&self, call: &Call, view: &View) -> Result<Vec<Arc<BoardRecord>>, Problem> {
        match (&self.board, &self.nodes) {
            (None, nodes) => nodes::select(call, nodes.as_deref()),
            (Some(board), None) => {
                Ok(vec![view.lookup(board).map_err(|error| Problem::from(error).in_parameter("board"))?])
            }
            (Some(_), Some(_)) => {
                let detail = "board and nodes cannot be given together; give one of them";
                Err(Problem::new(Code::CONTRADICTION, detail).in_parameter("board").at(0))
            }
        }
    }
}

impl QuantityWord {
    /// As quantities are called.
    const fn name(self) -> &'static str {
        match self {
            Self::Temperature => Quantity::TemperatureCelsius.name(),
            Self::Humidity => Quantity::HumidityPercent.name(),
            Self::Pressure => Quantity::PressureKilopascals.name(),
            Self::Speed => Quantity::SpeedRpm.name(),
            Self::Voltage => Quantity::VoltageVolts.name(),
            Self::Current => Quantity::CurrentAmperes.name(),
            Self::Power => Quantity::PowerWatts.name(),
            Self::Value => "value",
        }
    }
}

impl Format {
    /// The form that a client accepts.
    fn accepted(headers: &HeaderMap) -> Self {
        let mut ranges = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let is_csv = |range: &str| {
            range.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("text/csv"))
        };
        if ranges.any(|value| value.split(',').any(is_csv)) { Self::Csv } else { Self::Json }
    }
}

impl Series {
    /// That of a device that the board has.
    fn of(board: &Arc<BoardRecord>, key: SeriesKey) -> Option<Self> {
        let device = board.device(key.device)?.clone();
        Some(Self { board: Arc::clone(board), device, quantity: key.quantity, points: Vec::new() })
    }

    fn key(&self) -> SeriesKey {
        SeriesKey { board: self.board.id, device: self.device.id, quantity: self.quantity.clone() }
    }

    /// Its JSON.
    fn text(&self) -> Vec<u8> {
        let body = SeriesBody {
            board: self.board.id,
            board_name: &self.board.name,
            rack: &self.board.rack,
            device: self.device.id,
            device_name: self.device.name.as_deref(),
            kind: self.device.kind,
            quantity: self.quantity.name(),
            unit: self.quantity.unit(),
            points: self.points.iter().map(PointBody::from).collect(),
        };
        // A body of plain fields can always be written.
        serde_json::to_vec(&body).unwrap_or_default()
    }
}

impl From<&Point> for PointBody {
    fn from(&Point { time, min, max, avg, count }: &Point) -> Self {
        Self(time, avg, min, max, count)
    }
}

impl Answer for History {
    fn document(generator: &mut SchemaGenerator) -> Vec<Documented> {
        let description = "The series, as JSON or as CSV.";
        let body = generator.subschema_for::<HistoryBody<'_>>();
        let csv = json_schema!({
            "type": "string",
            "description": "A line of names, then a line for each point (RFC 4180). An apostrophe stands before a text \
                that begins with `=` or `@`, or with `+` or `-` if more than letters, digits, spaces, points and \
                underscores follow, so that a spreadsheet does not carry it out.",
        });
        let csv =
            Documented { media_type: csv::MEDIA_TYPE, ..Documented::json(StatusCode::OK, description, csv) };
        vec![Documented::json(StatusCode::OK, description, body), csv]
    }

    fn into_reply(self) -> Result<Reply, Problem> {
        let mut reply = match self.format {
            Format::Json => self.into_json(),
            Format::Csv => csv::reply(self.series, self.room),
        };
        reply.headers_mut().insert(VARY, HeaderValue::from_static("accept"));
        Ok(reply)
    }
}

impl History {
    fn into_json(self) -> Reply {
        let Self { period: Period { from, to, step }, series, room, .. } = self;
        let rest = json!({ "from": from, "to": to, "step_s": step.as_secs_f64() }).to_string();
        let end = format!("],{}", rest.trim_start_matches('{'));
        let texts = series.into_iter().map(move |series| {
            let _room = &room;
            series.text()
        });
        reply::json_body(StatusCode::OK, listing::pieces(b"{\"items\":[".to_vec(), texts, end))
    }
}
