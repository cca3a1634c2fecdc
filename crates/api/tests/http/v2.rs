//! The native API.

use std::time::Duration;

use http::Method;
use opendcre_model::{BoardId, DeviceAddress, DeviceId, DriverError, Fault, LinkState, LinkStatistics};
use serde_json::Value;

use crate::support::{Room, now, request};

/// What people read about it.
const PAGE: &str = include_str!("../../../../docs/api-2.md");

/// A BMC at 10.1.0.32 or behind it that nobody has asked for yet.
fn unknown(device: u16) -> LinkStatistics {
    LinkStatistics {
        device: DeviceAddress { board: BoardId(0x4000_0000), device: DeviceId(device) },
        address: format!("10.1.0.{}:623", 31 + device).parse().unwrap(),
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

fn up(device: u16) -> LinkStatistics {
    LinkStatistics {
        state: LinkState::Up,
        since: "2026-11-22T19:42:23.317459Z".parse().unwrap(),
        requests: 1204,
        retries: 3,
        session_opens: 1,
        latency: Some(Duration::from_micros(1850)),
        has_session: true,
        ..unknown(device)
    }
}

fn down(device: u16) -> LinkStatistics {
    let message = "bmc 0002 at 10.1.0.33:623: the BMC does not answer; check its address, its network and that IPMI \
                   over LAN is enabled in it";
    LinkStatistics {
        state: LinkState::Down,
        since: "2026-11-23T07:10:51.029114Z".parse().unwrap(),
        failure: Some(DriverError::new(Fault::Timeout, message).with_code("unreachable")),
        requests: 1,
        retries: 9,
        timeouts: 3,
        pause: Duration::from_millis(40),
        ..unknown(device)
    }
}

fn documented_example() -> Value {
    let (_, rest) = PAGE.split_once("```json").unwrap();
    let (example, _) = rest.split_once("```").unwrap();
    serde_json::from_str(example).unwrap()
}

#[tokio::test]
async fn what_is_known_of_every_bmc_is_told_as_documented_without_asking_it() {
    let room = Room::with_bridge();
    *room.second.links.lock().unwrap() = vec![up(1), down(2)];
    let answer = room.send(request(Method::GET, "/opendcre/2/bmcs")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json(), documented_example());
    assert!(room.second.calls().is_empty());
}

#[tokio::test]
async fn what_is_not_known_is_null() {
    let room = Room::with_bridge();
    *room.second.links.lock().unwrap() = vec![unknown(1)];
    let answer = room.send(request(Method::GET, "/opendcre/2/bmcs")).await.json();
    let bmc = answer["bmcs"][0].as_object().unwrap();
    let nulls: Vec<&str> =
        bmc.iter().filter(|(_, value)| value.is_null()).map(|(key, _)| key.as_str()).collect();
    assert_eq!(nulls, ["code", "latency_us", "message"]);
    for key in bmc.keys() {
        assert!(PAGE.contains(&format!("`{key}`")), "{key} has no line in the table of docs/api-2.md");
    }
}

#[tokio::test]
async fn it_only_tells() {
    let room = Room::new();
    let send = async |method, path| room.send(request(method, path)).await;
    assert_eq!(send(Method::GET, "/opendcre/2/bmcs").await.text, r#"{"bmcs":[]}"#);
    assert_eq!(send(Method::HEAD, "/opendcre/2/bmcs").await.text, "");
    assert_eq!(send(Method::OPTIONS, "/opendcre/2/bmcs").await.header("allow"), Some("GET, HEAD, OPTIONS"));
    send(Method::POST, "/opendcre/2/bmcs").await.failure(405, "method_not_allowed");
    for path in ["/opendcre/2", "/opendcre/2/", "/opendcre/2/bmcs/", "/opendcre/20/bmcs"] {
        send(Method::GET, path).await.failure(404, "not_found");
    }
}
