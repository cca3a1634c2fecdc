//! What cannot be understood is refused, with the place of the mistake.

use http::Request;
use http_body_util::Full;
use serde_json::json;

use crate::support::{BASE, Room};

#[tokio::test]
async fn a_parameter_that_cannot_be_understood_is_named() {
    let room = Room::new().await;
    for (path, code, parameter, position) in [
        ("/boards?stat=present", "unknown_parameter", "stat", Some(0)),
        ("/boards?nodes=%C3%A4&stat=present", "unknown_parameter", "stat", Some(13)),
        ("/boards?group=", "unknown_parameter", "group", Some(0)),
        ("/about?x", "unknown_parameter", "x", Some(0)),
        ("/boards?state=", "bad_parameter", "state", Some(0)),
        ("/boards?sort=", "unknown_field", "sort", Some(0)),
        ("/readings?kind=", "bad_parameter", "kind", Some(0)),
        ("/boards/11/readings?kind=sofa", "bad_parameter", "kind", Some(0)),
        ("/jobs?state=running", "unknown_parameter", "state", Some(0)),
        ("/boards?state=absent", "bad_parameter", "state", Some(0)),
        ("/boards?kind=sofa", "bad_parameter", "kind", Some(0)),
        ("/boards?limit=1001", "bad_parameter", "limit", Some(0)),
        ("/boards?limit=-1", "bad_parameter", "limit", Some(0)),
        ("/boards?limit=1&limit=2", "bad_parameter", "limit", Some(0)),
        ("/boards?label=web", "bad_parameter", "label", Some(0)),
        ("/boards?fields=id,nmae", "unknown_field", "fields", Some(3)),
        ("/boards?sort=id,-nmae", "unknown_field", "sort", Some(3)),
        ("/boards?fields=", "unknown_field", "fields", Some(0)),
        ("/boards?after=x", "bad_cursor", "after", Some(0)),
        ("/boards?after=%5B1,2%5D", "bad_cursor", "after", Some(0)),
        ("/devices?capability=fly", "bad_parameter", "capability", Some(0)),
        ("/readings?max_age=soon", "bad_parameter", "max_age", Some(0)),
        ("/changes?limit=0", "bad_parameter", "limit", Some(0)),
        ("/changes?wait=51", "bad_parameter", "wait", Some(0)),
        ("/changes?after=-1", "bad_parameter", "after", Some(0)),
        ("/jobs/x?wait=9999", "bad_parameter", "wait", Some(0)),
        ("/boards?nodes=web-%5B01", "bad_range", "nodes", None),
        ("/boards?nodes=all,-all", "empty_range", "nodes", Some(0)),
        ("/boards?nodes=", "bad_range", "nodes", Some(0)),
    ] {
        // What can be read, but means nothing here, is told apart from what cannot be read.
        let status = if ["bad_cursor", "bad_range", "empty_range"].contains(&code) { 422 } else { 400 };
        let body = room.get(path).await.problem(status, code);
        assert_eq!(body["parameter"], parameter, "{path}");
        if let Some(position) = position {
            assert_eq!(body["position"], position, "{path}");
        }
    }
    let body = room.get("/boards?nodes=web-01,nobody").await.problem(404, "unknown_name");
    assert_eq!((&body["parameter"], &body["position"]), (&json!("nodes"), &json!(7)));
    room.get("/boards?nodes=web-%5B1-99999%5D").await.problem(422, "range_too_large");
    assert!(room.bus.take_calls().is_empty() && room.bmcs.take_calls().is_empty());
}

#[tokio::test]
async fn what_is_possible_is_listed() {
    let room = Room::new().await;
    for (path, candidates) in [
        ("/racks?x", json!(["after", "fields", "limit", "sort"])),
        ("/about?x", json!(null)),
        ("/boards?state=absent", json!(["unknown", "present", "missing"])),
        ("/racks?sort=nmae", json!(["id", "boards", "present", "missing", "unknown", "health"])),
        ("/labels?fields=nmae", json!(["boards", "key", "value"])),
    ] {
        let answer = room.get(path).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["candidates"]), (400, &candidates), "{path}");
        for candidate in candidates.as_array().into_iter().flatten() {
            let detail = answer.json()["detail"].as_str().unwrap().to_owned();
            assert!(detail.contains(candidate.as_str().unwrap()), "{path}: {detail}");
        }
    }
}

#[tokio::test]
async fn a_filter_by_a_name_that_nothing_has_is_refused() {
    let room = Room::new().await;
    for (path, code, parameter) in [
        ("/boards?rack=attic", "unknown_rack", "rack"),
        ("/boards?rack=", "unknown_rack", "rack"),
        ("/boards?rack=RACK_1", "unknown_rack", "rack"),
        ("/boards?label=owner=web&label=row=7", "unknown_name", "label"),
        ("/boards?driver=modbus", "unknown_name", "driver"),
        ("/boards?driver=", "unknown_name", "driver"),
        ("/bmcs?nodes=attic", "unknown_name", "nodes"),
        ("/sources?nodes=attic", "unknown_name", "nodes"),
        ("/changes?nodes=attic", "unknown_name", "nodes"),
    ] {
        let body = room.get(path).await.problem(404, code);
        assert_eq!((&body["parameter"], &body["position"]), (&json!(parameter), &json!(0)), "{path}");
    }
    let body = room.get("/boards?driver=modbus").await.json();
    assert_eq!(body["candidates"], json!(["hat", "ipmi"]));
}

#[tokio::test]
async fn a_body_that_cannot_be_understood_is_refused_with_its_member() {
    let room = Room::new().await;
    for (path, body, pointer, position, detail) in [
        ("/power", r#"{"action": "on"}"#, "/nodes", 15, "it is missing"),
        ("/power", r#"{"nodes": 11, "action": "on"}"#, "/nodes", 10, "it must be a text, not a number"),
        ("/fan", r#"{"nodes": "11", "rpm": 1.5}"#, "/rpm", 23, "1.5 is no whole number from 0 to 10000"),
        ("/fan", r#"{"nodes": "11", "rpm": "fast"}"#, "/rpm", 23, "it must be a number, not a text"),
        (
            "/asset",
            r#"{"nodes": "11", "text": ""}"#,
            "/text",
            24,
            "an asset text has 1 to 127 printable ASCII characters",
        ),
        ("/scan", r#"{"noeds": "11"}"#, "/noeds", 1, "there is no such member here; there are nodes"),
        ("/jobs/1/abort", r#"{"now": 1}"#, "/now", 1, "there is no such member here, nor any other"),
    ] {
        let request = Request::post(format!("{BASE}{path}")).header("content-type", "application/json");
        let answer = room.send(request.body(Full::from(body)).unwrap()).await.problem(400, "bad_value");
        assert_eq!((&answer["pointer"], &answer["position"]), (&json!(pointer), &json!(position)), "{body}");
        assert_eq!(answer["detail"], format!("{pointer} in the body is wrong: {detail}"), "{body}");
    }
    let wrong = room.post("/boot", &json!({"nodes": "web-01", "target": "tape"})).await;
    let candidates = wrong.problem(400, "bad_value")["candidates"].as_array().unwrap().clone();
    assert!(candidates.contains(&json!("pxe")), "{candidates:?}");
}

#[tokio::test]
async fn what_no_board_can_do_is_not_taken_up() {
    let room = Room::new().await;
    let order = |nodes: &str| json!({"nodes": nodes, "text": "row 8"});
    let refused = room.post("/asset", &order("web-[01-02]")).await.problem(422, "unsupported");
    let detail = refused["detail"].as_str().unwrap();
    assert!(detail.contains("asset_text_control") && detail.contains("nothing was sent"), "{detail}");
    room.post("/asset?wait=0", &order("web-01")).await.problem(422, "unsupported");
    assert_eq!(room.json("/jobs").await["total"], 0);
    // A board of the bus can, so that each says for itself what came of it.
    assert_eq!(room.post("/asset", &order("11,web-01")).await.json()["counts"]["total"], 2);
}

#[tokio::test]
async fn what_is_not_there_is_404_and_what_is_not_clear_is_409() {
    let room = Room::new().await;
    for (path, code) in [
        ("/boards/nobody", "unknown_board"),
        ("/boards/99/readings", "unknown_board"),
        ("/racks/attic", "unknown_rack"),
        ("/racks/attic/readings", "unknown_rack"),
        ("/groups/nobody", "unknown_group"),
        ("/jobs/1", "unknown_job"),
        ("/jobs/0000000000000001", "unknown_job"),
        ("/boards/11/devices/0001", "unknown_device"),
        ("/boards/web-01/devices/fan9/readings", "unknown_device"),
        ("/boards/11/readings?device=0001", "unknown_device"),
        ("/boards/11/boot?device=nobody", "unknown_device"),
    ] {
        room.get(path).await.problem(404, code);
    }
    room.bmcs.boards.lock().unwrap()[1].hostnames = vec!["web-01".to_owned()];
    room.refresh().await;
    let body = room.get("/boards/web-01").await.problem(409, "ambiguous_name");
    assert_eq!(body["candidates"].as_array().unwrap().len(), 2, "{body}");
    room.get("/boards?nodes=web-01").await.problem(409, "ambiguous_name");
}

#[tokio::test]
async fn what_a_board_cannot_do_is_said_before_it_is_asked() {
    let room = Room::new().await;
    for path in ["/boards/11/boot", "/boards/11/host?device=4001", "/boards/11/boot?device=4001"] {
        let body = room.get(path).await.problem(422, "unsupported");
        assert!(body["detail"].as_str().unwrap().contains("nothing was sent"), "{body}");
    }
    let order = json!({"nodes": "all", "target": "pxe"});
    let body = room.post("/boot", &order).await.problem(422, "unsupported");
    assert_eq!(body["candidates"], json!(["board 00000011 (rack_1)", "board 00000012 (rack_1)"]));
    assert!(room.bus.take_calls().is_empty() && room.bmcs.take_calls().is_empty());
}
