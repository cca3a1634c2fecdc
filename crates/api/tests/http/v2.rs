//! The native API.

use std::time::Duration;

use http::Method;
use opendcre_model::{BoardId, DeviceAddress, DeviceId, LinkState, LinkStatistics};
use serde_json::json;

use crate::support::{Room, now, request};

#[tokio::test]
async fn what_is_known_of_every_bmc_without_asking_it() {
    let room = Room::with_bridge();
    let link = |device, state, latency| LinkStatistics {
        device: DeviceAddress { board: BoardId(0x4000_0000), device: DeviceId(device) },
        address: "10.1.0.20:623".parse().unwrap(),
        state,
        since: now(),
        requests: 12,
        retries: 3,
        timeouts: 2,
        session_opens: 1,
        latency,
    };
    *room.second.links.lock().unwrap() =
        vec![link(1, LinkState::Up, Some(Duration::from_micros(1850))), link(2, LinkState::Unknown, None)];
    let answer = room.send(request(Method::GET, "/opendcre/2/bmcs")).await;
    assert_eq!(answer.status, 200);
    let bmc = |device, state, latency: Option<u64>| {
        json!({
            "board_id": "40000000", "device_id": device, "address": "10.1.0.20:623", "state": state,
            "since": "2026-12-01T10:00:00Z", "requests": 12, "retries": 3, "timeouts": 2,
            "session_opens": 1, "latency_us": latency,
        })
    };
    assert_eq!(answer.json(), json!({"bmcs": [bmc("0001", "up", Some(1850)), bmc("0002", "unknown", None)]}));
    assert!(room.second.calls().is_empty());
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
