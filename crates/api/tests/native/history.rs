//! The history: which series are answered, in which steps, and in which form.

use std::sync::Arc;

use http::Method;
use jiff::{SignedDuration, Timestamp};
use opendcre_gateway::{EventSettings, Sample, SeriesKey};
use opendcre_model::{BoardId, DeviceId, Quantity};
use serde_json::{Value, json};

use crate::support::{Room, now, request};

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
