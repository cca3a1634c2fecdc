//! Racks, boards, devices, groups, labels and sources, as they are listed.

use std::sync::Arc;

use opendcre_gateway::EventSettings;
use opendcre_model::{DriverError, Fault};
use serde_json::{Value, json};

use crate::support::Room;

fn column(listing: &Value, field: &str) -> Vec<Value> {
    listing["items"].as_array().unwrap().iter().map(|item| item[field].clone()).collect()
}

#[tokio::test]
async fn the_entry_leads_everywhere() {
    let room = Room::observed(EventSettings::default(), Arc::default()).await;
    let entry = room.json("/").await;
    assert_eq!(entry["links"]["boards"], "/opendcre/2/boards");
    for path in entry["links"].as_object().unwrap().values() {
        let path = path.as_str().unwrap().strip_prefix("/opendcre/2").unwrap();
        assert_eq!(room.get(path).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn a_board_is_found_by_each_of_its_names() {
    let room = Room::new().await;
    for name in ["40000001", "web-01", "WEB-01", "web-01.example", "10.1.0.32"] {
        let board = room.json(&format!("/boards/{name}")).await;
        assert_eq!(board["id"], "40000001", "{name}");
    }
    let board = room.json("/boards/web-01").await;
    assert_eq!(board["identity"], "uuid:00000001");
    assert_eq!(board["labels"], json!({"owner": "web"}));
    assert_eq!(board["devices"][3]["name"], "CPU1 Temp");
    assert_eq!(board["devices"][3]["location"], json!(null));
    let board = room.json("/boards/11").await;
    assert_eq!(board["devices"][0]["location"]["depth"], "front");
    assert_eq!(board["name"], "00000011");
}

#[tokio::test]
async fn listings_are_filtered_by_every_condition() {
    let room = Room::new().await;
    for (path, expected) in [
        ("/boards?nodes=web-[01-02],-web-01", vec!["40000002"]),
        ("/boards?rack=rack_1", vec!["00000011", "00000012"]),
        ("/boards?state=missing", vec![]),
        ("/boards?driver=ipmi&nodes=all", vec!["40000001", "40000002"]),
        ("/boards?kind=thermistor", vec!["00000011", "00000012"]),
        ("/boards?label=owner=web&label=owner%3Dweb", vec!["40000001", "40000002"]),
        ("/boards?label=owner=db", vec![]),
        ("/boards?rack=rack_1&driver=ipmi", vec![]),
        ("/boards?kind=door_lock", vec![]),
    ] {
        assert_eq!(column(&room.json(path).await, "id"), expected, "{path}");
    }
    assert_eq!(column(&room.json("/devices?capability=boot_target").await, "id"), ["0200", "0200"]);
    assert_eq!(column(&room.json("/devices?kind=led&nodes=11").await, "id"), ["4003"]);
    assert_eq!(column(&room.json("/boards/11/devices").await, "id"), ["4001", "4002", "4003"]);
}

#[tokio::test]
async fn racks_groups_and_labels_are_counted() {
    let room = Room::new().await;
    let racks = room.json("/racks").await;
    assert_eq!(column(&racks, "id"), ["rack_1", "rack_2"]);
    assert_eq!(column(&racks, "present"), [2, 2]);
    assert_eq!(racks["items"][0]["links"]["boards"], "/opendcre/2/boards?rack=rack_1");
    let groups = room.json("/groups").await;
    assert_eq!(column(&groups, "name"), ["cold", "frontend"]);
    assert_eq!(column(&groups, "members"), [json!("rack_1"), json!(null)]);
    assert_eq!(room.json("/groups/frontend").await["boards"], json!(["40000001", "40000002"]));
    let labels = room.json("/labels").await;
    assert_eq!(labels["items"], json!([{"key": "owner", "value": "web", "boards": 2}]));
}

#[tokio::test]
async fn a_source_that_is_broken_is_shown_beside_the_others() {
    let room = Room::new().await;
    room.bus.fail(Some(DriverError::new(Fault::Gone, "the adapter is unplugged")));
    let sources = room.json("/sources").await;
    assert_eq!(column(&sources, "name"), ["hat", "ipmi", "legacy.bmc_config"]);
    assert_eq!(column(&sources, "state"), ["failed", "ok", "failed"]);
    assert_eq!(column(&sources, "code"), [json!("gone"), json!(null), json!("bad_bmc_config")]);
    assert_eq!(column(&sources, "boards"), [2, 2, 0]);
    assert_eq!(column(&sources, "racks"), [json!(["rack_1"]), json!(["rack_2"]), json!([])]);
    let some = room.json("/sources?nodes=11").await;
    assert_eq!((column(&some, "name"), column(&some, "boards")), (vec![json!("hat")], vec![json!(2)]));
}

#[tokio::test]
async fn the_service_tells_what_it_is() {
    let room = Room::new().await;
    let about = room.json("/about").await;
    assert_eq!((&about["name"], &about["started"]), (&json!("OpenDCRE"), &json!("2026-12-01T10:00:00Z")));
    assert_eq!(about["commit"], "unknown", "nobody has said which one it is");
    assert_eq!(about["boards"], json!({"total": 4, "present": 4, "missing": 0, "unknown": 0}));
}
