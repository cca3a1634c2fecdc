//! What boards say about themselves when they are asked, and what becomes of it when they do not.

use std::time::Duration;

use opendcre_model::{BoardId, DriverError, Fault, Observation, Query};
use serde_json::json;

use crate::support::{Call, Room};

#[tokio::test]
async fn boards_are_asked_and_their_answers_shown() {
    let room = Room::new().await;
    assert_eq!(room.json("/boards/11/version").await, json!({"board": "00000011", "firmware": "PLC fw 3.2"}));
    assert_eq!(
        room.json("/boards/web-01/boot").await,
        json!({"board": "40000001", "device": "0200", "target": "pxe", "persistent": false, "efi": true})
    );
    assert_eq!(
        room.json("/boards/10.1.0.32/host").await,
        json!({
            "board": "40000001", "device": "0200", "hostnames": ["web-01.example"], "ip_addresses": ["10.1.0.32"],
        })
    );
    let asset = room.json("/boards/web-01/asset").await;
    assert_eq!((&asset["asset_text"], &asset["management_address"]), (&json!("row 7"), &json!("10.1.0.32")));
    assert_eq!(asset["product_info"]["serial_number"], "");
    let asset = room.json("/boards/11/asset").await;
    assert_eq!((&asset["asset_text"], &asset["product_info"]), (&json!("row 7"), &json!(null)));
}

#[tokio::test]
async fn each_fault_has_its_status() {
    let room = Room::new().await;
    for (fault, status) in [
        (Fault::Timeout, 504),
        (Fault::Corrupt, 502),
        (Fault::Malformed, 502),
        (Fault::Gone, 502),
        (Fault::NotPermitted, 502),
        (Fault::Refused, 409),
        (Fault::Unsupported, 422),
        (Fault::Invalid, 422),
        (Fault::Busy { retry_after: Duration::from_millis(1200) }, 503),
    ] {
        room.bus.fail(Some(DriverError::new(fault, "it is so")));
        let answer = room.get("/boards/11/version").await;
        let body = answer.problem(status, fault.code());
        assert_eq!(body["detail"], "it is so");
        let wait = matches!(fault, Fault::Busy { .. }).then_some(2);
        assert_eq!(body.get("retry_after_s"), wait.map(|seconds| json!(seconds)).as_ref());
        assert_eq!(answer.header("retry-after"), wait.map(|_| "2"));
    }
    room.bus.fail(Some(DriverError::new(Fault::NotPermitted, "no").with_code("wrong_password")));
    room.get("/boards/11/version").await.problem(502, "wrong_password");
    room.bus.fail(Some(DriverError::new(Fault::Unsupported, "no").with_code("unknown_device")));
    room.get("/boards/11/version").await.problem(404, "unknown_device");
    room.bus.fail(None);
    room.bus.answer(Query::Version(BoardId(0x11)), Ok(Observation::Done));
    room.get("/boards/11/version").await.problem(502, "malformed");
}

#[tokio::test]
async fn a_service_that_stops_asks_nobody() {
    let room = Room::new().await;
    room.api.gateway().shutdown().await;
    let answer = room.get("/boards/11/version").await;
    answer.problem(503, "shutting_down");
    assert!(answer.header("retry-after").is_some());
    assert_eq!(room.json("/boards").await["total"], 4);
    assert!(!room.bus.take_calls().iter().any(|call| matches!(call, Call::Read(_))));
}
