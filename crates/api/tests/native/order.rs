//! Orders, and the jobs that they become.

use std::time::Duration;

use http::{Method, Request};
use http_body_util::Full;
use opendcre_api::Limits;
use opendcre_gateway::Settings;
use opendcre_model::{Action, BoardId, Capability, DeviceKind, DriverError, Fault};
use serde_json::{Value, json};

use crate::support::{Answer, BASE, Call, Room, device};

fn states(job: &Value) -> Vec<&str> {
    job["results"].as_array().unwrap().iter().map(|result| result["state"].as_str().unwrap()).collect()
}

async fn named(room: &Room, key: &str, body: &Value) -> Answer {
    let request = Request::post(format!("{BASE}/power"))
        .header("content-type", "application/json")
        .header("idempotency-key", key)
        .body(Full::from(body.to_string()));
    room.send(request.unwrap()).await
}

#[tokio::test]
async fn an_order_is_done_by_every_target() {
    let room = Room::new().await;
    let answer = room.post("/power", &json!({"nodes": "all", "action": "cycle"})).await;
    assert_eq!(answer.status, 200);
    let job = answer.json();
    assert_eq!((&job["kind"], &job["state"]), (&json!("power"), &json!("done")));
    assert_eq!(job["request"], json!({"nodes": "all", "action": "cycle"}));
    assert_eq!(states(&job), ["ok"; 4]);
    assert_eq!(job["counts"]["ok"], 4);
    assert_eq!(job["results"][0]["result"]["power_state"], "on");
    let switched = room.bus.take_calls();
    assert!(switched.iter().all(|call| matches!(call, Call::Perform(Action::Power { .. }))), "{switched:?}");
    assert_eq!(switched.len(), 2);
    let id = job["id"].as_str().unwrap();
    assert_eq!(room.json(&format!("/jobs/{id}")).await, job);
    assert_eq!(room.json("/jobs").await["items"][0]["id"], id);
    let aborted = room.ask(Method::POST, &format!("/jobs/{id}/abort")).await;
    assert_eq!(aborted.json()["state"], "done");
    room.ask(Method::POST, "/jobs/0000000000000000/abort").await.problem(404, "unknown_job");
}

#[tokio::test]
async fn every_kind_of_order_finds_its_devices() {
    let room = Room::new().await;
    for (path, order, targets) in [
        ("/boot", json!({"nodes": "web-[01-02]", "target": "pxe", "persistent": true}), 2),
        ("/led", json!({"nodes": "all", "on": false}), 4),
        ("/identify", json!({"nodes": "web-01", "seconds": 15}), 1),
        ("/identify", json!({"nodes": "web-01", "on": false}), 1),
        ("/asset", json!({"nodes": "rack_1", "text": "row 8"}), 2),
        ("/power", json!({"nodes": "11", "device": "4002", "action": "off"}), 1),
        ("/scan", json!({"nodes": "web-01"}), 1),
    ] {
        let answer = room.post(path, &order).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        assert_eq!(states(&answer.json()), vec!["ok"; targets], "{path}");
    }
}

#[tokio::test]
async fn a_search_finds_boards_that_nobody_knew() {
    let room = Room::unseen(Limits::default(), Settings::default());
    assert_eq!(room.json("/boards").await["total"], 2);
    let answer = room.ask(Method::POST, "/scan").await;
    assert_eq!(states(&answer.json()), ["ok"; 4]);
    assert_eq!(room.json("/boards?state=present").await["total"], 4);
}

#[tokio::test]
async fn nothing_is_sent_while_anything_is_unclear() {
    let room = Room::new().await;
    let switch = device(0x4009, DeviceKind::Power, None, &[Capability::PowerControl]);
    room.bus.boards.lock().unwrap()[0].devices.push(switch);
    room.refresh().await;
    let body = room.post("/power", &json!({"nodes": "all", "action": "off"})).await;
    let body = body.problem(409, "ambiguous_device");
    assert_eq!(body["candidates"], json!(["device 4002 (power)", "device 4009 (power)"]));
    for (path, order, status, code) in [
        ("/power", json!({"nodes": "rack_1", "device": "nobody", "action": "off"}), 404, "unknown_device"),
        ("/power", json!({"nodes": "nobody", "action": "off"}), 404, "unknown_name"),
        ("/power", json!({"nodes": "12", "device": "4001", "action": "off"}), 422, "unsupported"),
        ("/fan", json!({"nodes": "12", "rpm": 4000}), 422, "unsupported"),
        ("/fan", json!({"nodes": "12", "rpm": 10001}), 400, "bad_value"),
        ("/led", json!({"nodes": "12"}), 422, "invalid"),
        ("/led", json!({"nodes": "12", "color": "ff8800"}), 422, "unsupported"),
        ("/led", json!({"nodes": "12", "color": "orange"}), 400, "bad_value"),
        ("/identify", json!({"nodes": "web-01"}), 422, "invalid"),
        ("/identify", json!({"nodes": "web-01", "on": true, "seconds": 1}), 422, "invalid"),
        ("/identify", json!({"nodes": "web-01", "seconds": 0}), 400, "bad_value"),
        ("/asset", json!({"nodes": "12", "text": "Möbel"}), 400, "bad_value"),
        ("/asset", json!({"nodes": "12", "text": ""}), 400, "bad_value"),
        ("/jobs/1/abort", json!({"now": true}), 400, "bad_value"),
        ("/power", json!(["12", null, "off"]), 400, "bad_value"),
    ] {
        room.post(path, &order).await.problem(status, code);
    }
    assert!(room.bus.take_calls().is_empty() && room.bmcs.take_calls().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_long_job_is_answered_as_it_is_and_can_be_aborted() {
    let room = Room::new().await;
    room.bus.permits.forget_permits(usize::MAX);
    let order = json!({"nodes": "11", "action": "off"});
    let answer = room.post("/power?wait=0", &order).await;
    assert_eq!(answer.status, 202);
    let job = answer.json();
    assert_eq!((&job["state"], &job["finished"]), (&json!("running"), &json!(null)));
    let path = format!("/jobs/{}", job["id"].as_str().unwrap());
    assert_eq!(answer.header("location"), Some(format!("{BASE}{path}").as_str()));
    let start = tokio::time::Instant::now();
    assert_eq!(room.json(&format!("{path}?wait=7")).await["state"], "running");
    assert_eq!(start.elapsed(), Duration::from_secs(7));
    room.bus.permits.add_permits(9);
    assert_eq!(room.json(&format!("{path}?wait=50")).await["state"], "done");
}

#[tokio::test]
async fn a_named_order_is_taken_up_once() {
    let room = Room::new().await;
    let order = json!({"nodes": "11", "action": "off"});
    let first = named(&room, "night-7", &order).await;
    let again = named(&room, "night-7", &json!({"action": "off", "nodes": "11"})).await;
    assert_eq!(first.json(), again.json());
    assert_eq!(
        (first.header("idempotency-replayed"), again.header("idempotency-replayed")),
        (None, Some("true"))
    );
    assert_eq!(room.bus.take_calls().len(), 1);
    let other = named(&room, "night-7", &json!({"nodes": "12", "action": "off"})).await;
    other.problem(422, "idempotency_mismatch");
    for bad in ["", "two words", &"x".repeat(256)] {
        let body = named(&room, bad, &order).await.problem(400, "bad_parameter");
        assert_eq!(body["parameter"], "idempotency-key");
    }
    assert!(room.bus.take_calls().is_empty());
}

#[tokio::test]
async fn a_named_order_is_known_before_anything_is_looked_for() {
    let room = Room::new().await;
    let search = || {
        let request = Request::post(format!("{BASE}/scan")).header("idempotency-key", "morning");
        room.send(request.body(Full::default()).unwrap())
    };
    let first = search().await.json();
    let order = json!({"nodes": "11", "action": "off"});
    let switched = named(&room, "night-8", &order).await.json();
    room.bus.take_calls();
    assert_eq!(search().await.json(), first);
    assert!(room.bus.take_calls().is_empty());

    let switch = device(0x4009, DeviceKind::Power, None, &[Capability::PowerControl]);
    room.bus.boards.lock().unwrap()[0].devices.push(switch);
    room.refresh().await;
    named(&room, "night-9", &order).await.problem(409, "ambiguous_device");
    assert_eq!(named(&room, "night-8", &order).await.json(), switched);
}

#[tokio::test]
async fn a_job_is_shown_without_its_results_on_demand() {
    let room = Room::new().await;
    let mut job = room.post("/power", &json!({"nodes": "all", "action": "off"})).await.json();
    let path = format!("/jobs/{}", job["id"].as_str().unwrap());
    assert_eq!(room.json(&format!("{path}?results=true")).await, job);
    assert_eq!(job["condensed"], false);
    job.as_object_mut().unwrap().remove("results").unwrap();
    assert_eq!(room.json(&format!("{path}?results=false")).await, job);
    room.get(&format!("{path}?results=no")).await.problem(400, "bad_parameter");
}

#[tokio::test]
async fn a_target_that_fails_does_not_fail_the_others() {
    let room = Room::new().await;
    room.bmcs.fail(Some(DriverError::new(Fault::Uncertain, "the answer is lost")));
    let job = room.post("/power", &json!({"nodes": "11,web-01", "action": "off"})).await.json();
    assert_eq!(states(&job), ["ok", "uncertain"]);
    assert_eq!(job["results"][1]["code"], "uncertain");
    assert_eq!(job["results"][1]["board"], BoardId(0x4000_0001).to_string());
    assert_eq!(job["state"], "done");
}
