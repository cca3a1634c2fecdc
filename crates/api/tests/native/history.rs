//! The history: which series are answered, in which steps, and in which form.

use std::sync::Arc;

use http::Method;
use jiff::{SignedDuration, Timestamp};
use opendcre_gateway::{EventSettings, Sample, SeriesKey};
use opendcre_model::{Board, BoardId, Capability, DeviceId, DeviceKind, Quantity};
use serde_json::{Value, json};

use crate::support::{Room, device, now, request};

const TEMPERATURE: (u32, u16, Quantity) = (0x4000_0001, 0x0030, Quantity::TemperatureCelsius);

/// A room in which a temperature was measured every 30 s for two hours, and a power every minute.
async fn room() -> Room {
    let room = Room::observed(EventSettings::default(), Arc::default()).await;
    let history = room.history.as_ref().unwrap();
    let sample = |(board, device, quantity): (u32, u16, Quantity), age: i64, value: f64| Sample {
        key: SeriesKey { board: BoardId(board), device: DeviceId(device), quantity },
        time: now() - SignedDuration::from_secs(age),
        value,
    };
    // Older ones come first, as they do.
    let ages = (1..=240).rev();
    history.record(
        ages.clone().map(|step| sample(TEMPERATURE, step * 30, if step % 2 == 0 { 20.0 } else { 22.0 })),
    );
    let power = (0x4000_0002, 0x0100, Quantity::PowerWatts);
    history.record(ages.filter(|step| step % 2 == 0).map(|step| sample(power.clone(), step * 30, -270.5)));
    room
}

fn point(time: &str, values: [f64; 3], count: u32) -> Value {
    let time: Timestamp = time.parse().unwrap();
    json!([time, values[0], values[1], values[2], count])
}

#[tokio::test]
async fn series_are_chosen_by_board_device_and_quantity() {
    let room = room().await;
    for (query, expected) in [
        ("", vec!["web-01 temperature", "web-02 power"]),
        ("?nodes=web-01", vec!["web-01 temperature"]),
        ("?board=WEB-02", vec!["web-02 power"]),
        ("?device=cpu1+temp", vec!["web-01 temperature"]),
        ("?quantity=power&nodes=rack_2", vec!["web-02 power"]),
        ("?quantity=humidity", vec![]),
    ] {
        let answer = room.json(&format!("/history{query}")).await;
        let name = |item: &Value| format!("{} {}", item["board_name"], item["quantity"]).replace('"', "");
        let names: Vec<String> = answer["items"].as_array().unwrap().iter().map(name).collect();
        assert_eq!(names, expected, "{query}");
    }
    assert!(room.bus.take_calls().is_empty() && room.bmcs.take_calls().is_empty());
}

#[tokio::test]
async fn points_are_means_of_their_steps() {
    let room = room().await;
    let answer = room.json("/history?nodes=web-01&from=-10m&step=5m").await;
    assert_eq!((&answer["step_s"], &answer["from"]), (&json!(300.0), &json!("2026-12-01T09:50:00Z")));
    let series = &answer["items"][0];
    assert_eq!(
        (&series["unit"], &series["device_name"], &series["rack"]),
        (&json!("°C"), &json!("CPU1 Temp"), &json!("rack_2"))
    );
    let expected = [
        point("2026-12-01T09:50:00Z", [21.0, 20.0, 22.0], 10),
        point("2026-12-01T09:55:00Z", [21.0, 20.0, 22.0], 10),
    ];
    assert_eq!(series["points"], json!(expected));
    let raw =
        room.json("/history?nodes=web-01&from=2026-12-01T09:59:00Z&to=2026-12-01T09:59:30Z&step=raw").await;
    assert_eq!(raw["items"][0]["points"], json!([point("2026-12-01T09:59:00Z", [20.0, 20.0, 20.0], 1)]));
    let usual = room.json("/history?nodes=web-01").await;
    assert_eq!(
        (&usual["step_s"], usual["items"][0]["points"].as_array().unwrap().len()),
        (&json!(15.0), 120)
    );
}

#[tokio::test]
async fn a_table_has_a_line_for_each_point() {
    let room = room().await;
    let by_name = room.get("/history?from=-1m&step=raw&format=csv").await;
    let mut accepting = request(Method::GET, "/history?from=-1m&step=raw");
    accepting.headers_mut().insert("accept", "text/csv, */*;q=0.1".parse().unwrap());
    let by_type = room.send(accepting).await;
    assert_eq!(by_name.text(), by_type.text());
    assert_eq!(by_name.header("content-type"), Some("text/csv; charset=utf-8; header=present"));
    assert_eq!(
        by_name.text(),
        "time,rack,board,board_name,device,device_name,kind,quantity,unit,avg,min,max,count\r\n\
         2026-12-01T09:59:00Z,rack_2,40000001,web-01,0030,CPU1 Temp,temperature,temperature,°C,20,20,20,1\r\n\
         2026-12-01T09:59:30Z,rack_2,40000001,web-01,0030,CPU1 Temp,temperature,temperature,°C,22,22,22,1\r\n\
         2026-12-01T09:59:00Z,rack_2,40000002,web-02,0100,power,power,power,W,-270.5,-270.5,-270.5,1\r\n"
    );
    let long = room.get("/history?from=-2h&step=raw&format=csv").await;
    assert_eq!(long.text().lines().count(), 1 + 240 + 120);
    let json = room.get("/history?from=-2h&step=raw&format=json").await;
    assert_eq!(json.json()["items"][1]["points"].as_array().unwrap().len(), 120);
}

#[tokio::test]
async fn what_cannot_be_answered_says_why() {
    let room = room().await;
    for (query, status, code, parameter) in [
        ("from=yesterday", 400, "bad_parameter", "from"),
        ("from=-1h&to=-2h", 422, "contradiction", "from"),
        ("from=2026-12-01T09:00:00Z&to=2026-12-01T09:00:00Z", 422, "contradiction", "from"),
        ("from=2026-12-01T10:00:01Z", 422, "contradiction", "from"),
        ("step=9999999999s", 400, "bad_parameter", "step"),
        ("step=0", 400, "bad_parameter", "step"),
        ("quantity=beauty", 400, "bad_parameter", "quantity"),
        ("format=xml", 400, "bad_parameter", "format"),
        ("board=web-01&nodes=web-02", 422, "contradiction", "board"),
        ("nodes=nobody", 404, "unknown_name", "nodes"),
        ("board=nobody", 404, "unknown_board", "board"),
        ("device=nobody", 404, "unknown_device", "device"),
    ] {
        let problem = room.get(&format!("/history?{query}")).await.problem(status, code);
        assert_eq!(problem["parameter"], parameter, "{query}");
    }
    Room::new().await.get("/history").await.problem(404, "not_kept");
}

#[tokio::test]
async fn a_time_without_samples_has_no_points_and_a_huge_step_has_one() {
    let room = room().await;
    let points = async |query: &str| {
        let answer = room.json(&format!("/history?nodes=web-01&{query}")).await;
        answer["items"][0]["points"].as_array().unwrap().clone()
    };
    for nothing in [
        "from=-9d&to=-8d",
        "from=2026-12-02T00:00:00Z&to=2026-12-03T00:00:00Z",
        "from=1970-01-01T00:00:00Z&to=1970-01-01T00:00:01Z&step=raw",
        "from=9999-01-01T00:00:00Z&to=9999-12-30T00:00:00Z",
    ] {
        assert_eq!(points(nothing).await, [json!(null); 0], "{nothing}");
    }
    for step in ["999999999d", "999999999s", "3650d"] {
        let points = points(&format!("from=-2h&step={step}")).await;
        let [point] = points.as_slice() else { panic!("{step}: {points:?}") };
        assert_eq!(point[4], 240, "{step}: {point}");
    }
    let always = points("from=0001-01-01T00:00:00Z&to=9999-12-30T00:00:00Z").await;
    assert_eq!(always.iter().map(|point| point[4].as_u64().unwrap()).sum::<u64>(), 240);
    let empty = room.get("/history?from=-9d&to=-8d&format=csv").await;
    assert_eq!(empty.text().lines().count(), 1, "the names of the columns are there");
}

#[tokio::test]
async fn an_answer_that_would_be_too_long_is_refused() {
    let room = room().await;
    let long = (0..100_100_u32).rev().map(|age| Sample {
        key: SeriesKey {
            board: BoardId(0x4000_0001),
            device: DeviceId(0x0100),
            quantity: Quantity::PowerWatts,
        },
        time: now() - SignedDuration::from_millis(i64::from(age) * 500),
        value: f64::from(age % 100),
    });
    room.history.as_ref().unwrap().record(long);
    let of_power = "/history?nodes=web-01&quantity=power&from=-1d";
    for format in ["json", "csv"] {
        let refused = room.get(&format!("{of_power}&step=raw&format={format}")).await;
        let problem = refused.problem(422, "too_many_points");
        assert!(problem["detail"].as_str().unwrap().contains("100000 points"), "{problem}");
    }
    let fewer = room.json(&format!("{of_power}&step=1m")).await;
    assert!(
        fewer["items"][0]["points"].as_array().unwrap().len() > 800,
        "{}",
        fewer["items"][0]["board_name"]
    );
}

#[tokio::test]
async fn names_in_a_table_are_quoted_and_never_carried_out() {
    let room = Room::observed(EventSettings::default(), Arc::default()).await;
    let names = ["=1+1", "+12V", "-cmd|' /C calc'!A0", "@SUM(A1)", "a,\"b\"\nc"];
    let mut board = Board::new(BoardId(0x4000_0001), Vec::new());
    for (id, name) in (1..).zip(names) {
        board.devices.push(device(id, DeviceKind::Voltage, Some(name), &[Capability::Reading]));
        let key = SeriesKey { board: board.id, device: DeviceId(id), quantity: Quantity::Other("=V".into()) };
        let sample = Sample { key, time: now() - SignedDuration::from_secs(1), value: -1.5 };
        room.history.as_ref().unwrap().record([sample]);
    }
    room.bmcs.boards.lock().unwrap()[0] = board;
    room.refresh().await;
    let table = room.get("/history?nodes=web-01&step=raw&format=csv").await.text();
    let written: Vec<&str> =
        ["'=1+1", "+12V", "'-cmd|' /C calc'!A0", "'@SUM(A1)", "\"a,\"\"b\"\"\nc\""].into();
    let line = |(id, name): (u16, &str)| {
        format!(
            "2026-12-01T09:59:59Z,rack_2,40000001,web-01,{id:04x},{name},voltage,value,'=V,-1.5,-1.5,-1.5,1\r\n"
        )
    };
    let expected: String = (1..).zip(written).map(line).collect();
    assert_eq!(table.split_once("\r\n").unwrap().1, expected);
    let named = room.json("/history?nodes=web-01&step=raw&device=%2B12V").await;
    assert_eq!(named["items"][0]["device_name"], "+12V", "JSON has every name as it is");
}
