//! What devices measure and report, of many boards in one answer.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;

use crate::cli::{LedArgs, PowerArgs, ReadArgs, SensorArgs, WatchArgs};
use crate::exit::Exit;

use super::answer::Value;
use super::board::dash;
use super::failure::Failure;
use super::http::{Http, Request};
use super::sheet::Sheet;
use super::{Answer, ClientError, Console};

/// What was read, and what could not be.
#[derive(Debug, Default)]
pub(super) struct Readings {
    pub(super) items: Vec<Answer>,
    pub(super) failures: Vec<Failure>,
}

/// What a device said in one answer of its.
#[derive(Deserialize)]
struct Reading {
    board: String,
    board_name: String,
    device: String,
    device_name: Option<String>,
    kind: String,
    values: Vec<Value>,
    power_state: Option<String>,
    states: Vec<String>,
    health: Option<String>,
    quality: String,
    time: Timestamp,
}

/// `read`: what devices measure.
pub(super) async fn read(
    http: &Http,
    args: &ReadArgs,
    console: &mut Console<'_>,
) -> Result<Exit, ClientError> {
    show(sensors(http, &args.sensors, args.max_age).await?, values, console)
}

/// What one round of `watch` reads.
pub(super) async fn round(http: &Http, args: &WatchArgs) -> Result<Readings, ClientError> {
    sensors(http, &args.sensors, Some(args.max_age)).await
}

/// `power status`: whether devices are on. What else a power device measures is left out.
pub(super) async fn power(
    http: &Http,
    args: &PowerArgs,
    console: &mut Console<'_>,
) -> Result<Exit, ClientError> {
    let kinds = ["power", "vapor_rectifier", "vapor_battery"];
    let mut readings = now(http, kinds, &args.nodes.nodes, args.device.device.as_deref()).await?;
    readings.keep_switches()?;
    show(readings, switches, console)
}

/// `led status`: what lamps show.
pub(super) async fn led(http: &Http, args: &LedArgs, console: &mut Console<'_>) -> Result<Exit, ClientError> {
    let readings = now(http, ["led"], &args.nodes.nodes, args.device.device.as_deref()).await?;
    show(readings, values, console)
}

/// `fan get`: how fast fans turn.
pub(super) async fn fan(
    http: &Http,
    nodes: &str,
    device: Option<&str>,
    console: &mut Console<'_>,
) -> Result<Exit, ClientError> {
    show(now(http, ["fan_speed", "vapor_fan"], nodes, device).await?, values, console)
}

/// What sensors say. That there are none of the kind that is asked for is an error: it is most likely a mistake.
async fn sensors(http: &Http, args: &SensorArgs, max_age: Option<Duration>) -> Result<Readings, ClientError> {
    let request = of_nodes(&args.nodes.nodes, args.device.as_deref()).with_optional("kind", args.kind);
    let readings = gather(http, &request.with_optional("max_age", max_age.map(milliseconds))).await?;
    match args.kind {
        Some(kind) if readings.is_empty() => Err(ClientError::NoSuchKind(kind)),
        _ => Ok(readings),
    }
}

fn of_nodes(nodes: &str, device: Option<&str>) -> Request {
    Request::get(&["readings"]).with("nodes", nodes).with_optional("device", device)
}

/// As the API writes a time.
fn milliseconds(time: Duration) -> String {
    format!("{}ms", time.as_millis())
}

/// What devices of these kinds say now. A device that is named may be of any kind.
async fn now<const N: usize>(
    http: &Http,
    kinds: [&str; N],
    nodes: &str,
    device: Option<&str>,
) -> Result<Readings, ClientError> {
    let request = of_nodes(nodes, device).with("max_age", 0);
    if device.is_some() {
        return gather(http, &request).await;
    }
    let mut readings = Readings::default();
    for kind in kinds {
        let more = gather(http, &request.clone().with("kind", kind)).await?;
        readings.items.extend(more.items);
        readings.failures.extend(more.failures);
    }
    Ok(readings)
}

/// What the server answers to a question for readings.
async fn gather(http: &Http, request: &Request) -> Result<Readings, ClientError> {
    let mut readings = Readings::default();
    let sort = |list: &str, item: Answer| {
        match list {
            "failures" => readings.failures.push(Failure::read(item)?),
            _ => readings.items.push(item),
        }
        Ok(())
    };
    http.each(request, sort).await?;
    Ok(readings)
}

impl Readings {
    const fn is_empty(&self) -> bool {
        self.items.is_empty() && self.failures.is_empty()
    }

    /// Leaves out what a device measures beside its power state, and that this cannot be measured.
    fn keep_switches(&mut self) -> Result<(), ClientError> {
        let mut known = BTreeSet::new();
        let mut kept = Vec::new();
        for item in std::mem::take(&mut self.items) {
            let reading: Reading = item.read()?;
            if reading.power_state.is_some() || reading.kind != "power" {
                known.insert((reading.board, reading.device));
                kept.push(item);
            }
        }
        self.items = kept;
        self.failures.retain(|failure| failure.place().is_none_or(|place| !known.contains(&place)));
        Ok(())
    }
}

/// Prints readings: a single one in full, several as the table that `sheet` makes of them.
fn show(
    readings: Readings,
    sheet: impl FnOnce(&[Reading]) -> Sheet,
    console: &mut Console<'_>,
) -> Result<Exit, ClientError> {
    let Readings { items, failures } = readings;
    if console.is_for_programs() {
        items.iter().try_for_each(|item| console.json(item))?;
    } else if let [item] = items.as_slice() {
        console.fields(item)?;
    } else {
        let mut readings: Vec<Reading> = items.iter().map(Answer::read).collect::<Result<_, _>>()?;
        // Many come in the order in which they were answered. Of one device, its power state is what matters first.
        readings.sort_by(|left, right| left.rank().cmp(&right.rank()));
        console.sheet(sheet(&readings))?;
    }
    console.failures(failures)
}

/// What everything measures, a line for each device.
fn values(readings: &[Reading]) -> Sheet {
    let mut sheet = Sheet::new(&["DEVICE", "KIND", "VALUE", "HEALTH"]);
    for device in readings.chunk_by(|left, right| left.place() == right.place()) {
        let Some(first) = device.first() else { continue };
        let health = device.iter().find_map(|reading| reading.health.clone()).unwrap_or_else(dash);
        let cells = vec![first.called().to_owned(), first.kind.clone(), said(device), health];
        sheet.add(first.board_name.clone(), cells);
    }
    sheet
}

/// What a device said in all of its answers; those without a word in them count only if there is no other.
fn said(device: &[Reading]) -> String {
    let telling: Vec<String> =
        device.iter().filter(|reading| !reading.words().is_empty()).map(Reading::said).collect();
    match (telling.is_empty(), device.first()) {
        (true, Some(first)) => first.said(),
        _ => telling.join(", "),
    }
}

/// What is on. Devices are named only where a board has several.
fn switches(readings: &[Reading]) -> Sheet {
    let boards: BTreeSet<&str> = readings.iter().map(|reading| reading.board.as_str()).collect();
    let is_one_each = boards.len() == readings.len();
    let mut sheet = Sheet::new(if is_one_each { &["POWER"] } else { &["DEVICE", "POWER"] });
    for reading in readings {
        let power: Vec<&str> =
            reading.power_state.iter().chain(&reading.states).map(String::as_str).collect();
        let power = if power.is_empty() { reading.said() } else { power.join(", ") };
        let device = (!is_one_each).then(|| reading.called().to_owned());
        sheet.add(reading.board_name.clone(), device.into_iter().chain([power]).collect());
    }
    sheet
}

/// One reading on one line that begins with the time at which it was taken.
pub(super) fn line(item: &Answer) -> Result<String, ClientError> {
    let reading: Reading = item.read()?;
    let said = reading.said();
    Ok(format!("{:.3}  {}  {}  {said}", reading.time, reading.board_name, reading.called()))
}

impl Reading {
    /// The ids of board and device.
    fn place(&self) -> (&str, &str) {
        (&self.board, &self.device)
    }

    /// Where it stands among others.
    fn rank(&self) -> ((&str, &str), bool) {
        (self.place(), self.power_state.is_none())
    }

    /// The name of the device, or its id if it has none.
    fn called(&self) -> &str {
        self.device_name.as_deref().unwrap_or(&self.device)
    }

    /// Its power state, values and states.
    fn words(&self) -> Vec<String> {
        let measured = self.values.iter().map(|value| match self.values.len() {
            1 => value.text(),
            _ => format!("{} {}", value.quantity, value.text()),
        });
        self.power_state.iter().cloned().chain(measured).chain(self.states.iter().cloned()).collect()
    }

    /// What the device said, in a few words.
    fn said(&self) -> String {
        let words = self.words();
        match (words.is_empty(), self.quality.as_str()) {
            (true, "good") => dash(),
            (true, quality) => quality.to_owned(),
            (false, "good") => words.join(", "),
            (false, quality) => format!("{} ({quality})", words.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::cli::OutputFormat;
    use crate::client::console::tests::printed;

    use super::*;

    fn item(board: u8, device: &str, rest: &str) -> Answer {
        let json = format!(
            r#"{{"board":"4000000{board}","board_name":"db-0{board}","rack":"rack_8","device":"{device}","device_name":null,
               "states":[],"health":null,"quality":"good","raw":null,"time":"2026-05-01T12:00:00.1234Z","age_ms":3,
               "source":"ipmi","power_state":null,"values":[],{rest}}}"#
        );
        Answer::parse(&json).unwrap()
    }

    fn temperature(board: u8, celsius: &str) -> Answer {
        let rest = format!(
            r#""kind":"temperature","device_name":"inlet","values":[{{"quantity":"temperature","value":{celsius},"unit":"°C"}}]"#
        );
        let json = serde_json::to_string(&item(board, "0020", &rest)).unwrap();
        Answer::parse(&json.replacen(r#""device_name":null,"#, "", 1).replacen(r#""values":[],"#, "", 1))
            .unwrap()
    }

    fn power(board: u8, state: &str) -> Answer {
        let json = serde_json::to_string(&item(board, "0100", r#""kind":"power""#)).unwrap();
        Answer::parse(&json.replace(r#""power_state":null"#, &format!(r#""power_state":{state}"#))).unwrap()
    }

    fn shown(items: Vec<Answer>, sheet: fn(&[Reading]) -> Sheet) -> String {
        let readings = Readings { items, failures: Vec::new() };
        printed(OutputFormat::Table, |console| {
            show(readings, sheet, console).unwrap();
        })
        .0
    }

    fn room() -> Vec<Answer> {
        let (on, off) = ("\"on\"", "\"off\"");
        vec![temperature(3, "23.10"), power(2, on), power(1, on), temperature(1, "23.1"), power(3, off)]
    }

    #[test]
    fn the_lines_of_a_board_stay_together_and_boards_of_which_all_is_the_same_share_them() {
        let mut items = room();
        items.extend([temperature(2, "23.0996")]);
        insta::assert_snapshot!(shown(items, values), @"
        BOARD       DEVICE  KIND         VALUE    HEALTH
        db-[01-02]  inlet   temperature  23.1 °C  -
        db-[01-02]  0100    power        on       -
        db-03       inlet   temperature  23.1 °C  -
        db-03       0100    power        off      -
        ");
    }

    #[test]
    fn a_device_has_one_line_for_all_that_it_said() {
        let draw = item(1, "0100", r#""kind":"power""#);
        let draw = serde_json::to_string(&draw)
            .unwrap()
            .replace(r#""values":[]"#, r#""values":[{"quantity":"power","value":270.0,"unit":"W"}]"#);
        let nothing = item(2, "0500", r#""kind":"led""#);
        let items = vec![
            Answer::parse(&draw).unwrap(),
            power(1, "\"on\""),
            nothing.clone(),
            power(2, "null"),
            power(2, "\"off\""),
            nothing,
        ];
        insta::assert_snapshot!(shown(items, values), @"
        BOARD  DEVICE  KIND   VALUE      HEALTH
        db-01  0100    power  on, 270 W  -
        db-02  0100    power  off        -
        db-02  0500    led    -          -
        ");
    }

    #[test]
    fn switches_are_told_apart_only_where_that_is_needed() {
        insta::assert_snapshot!(shown(room().split_off(1), switches), @"
        BOARD  DEVICE  POWER
        db-01  inlet   23.1 °C
        db-01  0100    on
        db-02  0100    on
        db-03  0100    off
        ");
        let switches_alone = vec![power(1, "\"on\""), power(2, "\"on\""), power(3, "\"off\"")];
        insta::assert_snapshot!(shown(switches_alone, switches), @"
        BOARD       POWER
        db-[01-02]  on
        db-03       off
        ");
    }

    #[test]
    fn a_reading_alone_is_shown_in_full() {
        insta::assert_snapshot!(shown(vec![temperature(1, "23.10")], values), @"
        board        40000001
        board_name   db-01
        rack         rack_8
        device       0020
        quality      good
        time         2026-05-01T12:00:00Z
        age_ms       3
        source       ipmi
        kind         temperature
        device_name  inlet
        temperature  23.1 °C
        ");
    }

    #[test]
    fn a_line_begins_with_the_time_of_the_reading() {
        assert_eq!(
            line(&temperature(1, "23.10")).unwrap(),
            "2026-05-01T12:00:00.123Z  db-01  inlet  23.1 °C"
        );
    }

    #[test]
    fn the_power_state_is_told_without_what_else_is_measured() {
        let failure = |board: u8, device: &str| {
            let rest = r#""kind":"power","code":"timeout","message":"no answer""#;
            Failure::read(item(board, device, rest)).unwrap()
        };
        let mut readings = Readings {
            items: vec![power(1, "null"), power(1, "\"on\""), power(2, "\"off\"")],
            failures: vec![failure(2, "0100"), failure(3, "0100")],
        };
        readings.keep_switches().unwrap();
        assert_eq!((readings.items.len(), readings.failures.len()), (2, 1));
        assert_eq!(readings.failures[0].place(), Some(("40000003".to_owned(), "0100".to_owned())));
    }
}
