//! What cannot be understood is refused, with the place of the mistake.

use serde_json::json;

use crate::support::Room;

#[tokio::test]
async fn a_parameter_that_cannot_be_understood_is_named() {
    let room = Room::new().await;
    for (path, code, parameter, position) in [
        ("/boards?stat=present", "unknown_parameter", "stat", None),
        ("/about?x", "unknown_parameter", "x", None),
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
