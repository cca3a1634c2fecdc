//! How the connections to BMCs are doing.

use std::time::Duration;

use http::Method;
use opendcre_model::{BoardId, DriverError, Fault, LinkState, LinkStatistics};
use serde_json::{Value, json};

use crate::support::{Room, now};

/// What people read about it.
const PAGE: &str = include_str!("../../../../docs/api-2.md");

/// A BMC that nobody has asked for yet.
fn unknown(number: u32) -> LinkStatistics {
    LinkStatistics {
        board: BoardId(0x4000_0000 | number),
        address: format!("10.1.0.{}:623", 31 + number).parse().unwrap(),
        state: LinkState::Unknown,
        since: now(),
        failure: None,
        requests: 0,
        retries: 0,
        timeouts: 0,
        session_opens: 0,
        dropped: 0,
        latency: None,
        pause: Duration::ZERO,
        waiting: 0,
        has_session: false,
    }
}

fn up(number: u32) -> LinkStatistics {
    LinkStatistics {
        state: LinkState::Up,
        since: "2026-11-22T19:42:23.317459Z".parse().unwrap(),
        requests: 1204,
        retries: 3,
        session_opens: 1,
        latency: Some(Duration::from_micros(1850)),
        has_session: true,
        ..unknown(number)
    }
}

fn down(number: u32) -> LinkStatistics {
    let message = "bmc 40000002 at 10.1.0.33:623: the BMC does not answer; check its address, its network and that IPMI \
                   over LAN is enabled in it";
    LinkStatistics {
        state: LinkState::Down,
        since: "2026-11-23T07:10:51.029114Z".parse().unwrap(),
        failure: Some(DriverError::new(Fault::Timeout, message).with_code("unreachable")),
        requests: 1,
        retries: 9,
        timeouts: 3,
        pause: Duration::from_millis(40),
        ..unknown(number)
    }
}

fn documented_example() -> Value {
    let (_, section) = PAGE.split_once("`GET /bmcs` says").unwrap();
    let (_, rest) = section.split_once("```json\n").unwrap();
    let (example, _) = rest.split_once("```").unwrap();
    serde_json::from_str(example).unwrap()
}

#[tokio::test]
async fn what_is_known_of_every_bmc_is_told_as_documented_without_asking_it() {
    let room = Room::new().await;
    *room.bmcs.links.lock().unwrap() = vec![up(1), down(2)];
    assert_eq!(room.json("/bmcs").await, documented_example());
    let second = room.json("/bmcs?nodes=rack_2,-web-01").await;
    assert_eq!(second["items"], json!([documented_example()["items"][1]]));
    assert_eq!(room.json("/bmcs?nodes=rack_1").await["items"], json!([]));
    assert!(room.bmcs.take_calls().is_empty());
}

#[tokio::test]
async fn a_bmc_whose_board_was_forgotten_is_not_listed() {
    let room = Room::new().await;
    room.bmcs.fail(Some(DriverError::new(Fault::Timeout, "no answer")));
    room.refresh().await;
    *room.bmcs.links.lock().unwrap() = vec![up(1), down(2)];
    assert_eq!(room.ask(Method::DELETE, "/boards/web-01").await.status, 200);
    let bmcs = room.json("/bmcs").await;
    assert_eq!(
        (bmcs["items"].as_array().unwrap().len(), &bmcs["items"][0]["board"]),
        (1, &json!("40000002"))
    );
}

#[tokio::test]
async fn what_is_not_known_is_null() {
    let room = Room::new().await;
    *room.bmcs.links.lock().unwrap() = vec![unknown(1)];
    let answer = room.json("/bmcs").await;
    let bmc = answer["items"][0].as_object().unwrap();
    let nulls: Vec<&str> =
        bmc.iter().filter(|(_, value)| value.is_null()).map(|(key, _)| key.as_str()).collect();
    assert_eq!(nulls, ["code", "latency_us", "message"]);
    for key in bmc.keys() {
        assert!(PAGE.contains(&format!("`{key}`")), "{key} has no line in the table of docs/api-2.md");
    }
}
