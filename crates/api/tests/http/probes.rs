//! Liveness, readiness and the names of requests.

use http::Method;
use opendcre_gateway::Defect;
use opendcre_model::Fault;
use serde_json::json;

use crate::support::{Room, request};

#[tokio::test]
async fn alive_whatever_the_equipment_does() {
    let room = Room::new();
    room.bus.fail(Fault::Gone);
    let answer = room.send(request(Method::GET, "/healthz")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.text, r#"{"status":"ok"}"#);
    assert!(answer.header("x-request-id").is_some());
}

#[tokio::test]
async fn ready_while_every_bus_can_be_used() {
    let room = Room::with_two_buses();
    let ready = room.send(request(Method::GET, "/readyz")).await;
    assert_eq!(ready.status, 200);
    let drivers = json!([{"name": "hat", "code": "ok"}, {"name": "loft", "code": "ok"}]);
    assert_eq!(ready.json(), json!({"status": "ok", "mode": "hardware", "drivers": drivers, "defects": []}));

    room.second.fail(Fault::Gone);
    let answer = room.send(request(Method::GET, "/readyz")).await;
    assert_eq!(answer.status, 503);
    let expected = json!({
        "message": "not usable: loft; see drivers for the reasons",
        "code": "not_ready",
        "http_code": 503,
        "mode": "hardware",
        "drivers": [
            {"name": "hat", "code": "ok"},
            {
                "name": "loft",
                "code": "gone",
                "message": "no answer within 250 ms; check that the board has power",
            },
        ],
        "defects": [],
    });
    assert_eq!(answer.json(), expected);
    let head = room.send(request(Method::HEAD, "/readyz")).await;
    assert_eq!((head.status.as_u16(), head.text.as_str()), (503, ""));
}

#[tokio::test]
async fn what_is_not_served_at_all_is_told_but_the_rest_is_ready() {
    let room = Room::with_a_defect(Defect {
        name: "legacy.bmc_config".to_owned(),
        code: "bad_bmc_config",
        message: "bmcs[0].bmc_ip: is missing".to_owned(),
    });
    let answer = room.send(request(Method::GET, "/readyz")).await;
    assert_eq!(answer.status, 200);
    let defect = json!({"name": "legacy.bmc_config", "code": "bad_bmc_config", "message": "bmcs[0].bmc_ip: is missing"});
    let drivers = json!([{"name": "hat", "code": "ok"}]);
    assert_eq!(
        answer.json(),
        json!({"status": "degraded", "mode": "hardware", "drivers": drivers, "defects": [defect]})
    );
}

#[tokio::test]
async fn not_ready_while_stopping() {
    let room = Room::new();
    room.api.gateway().shutdown().await;
    let answer = room.send(request(Method::GET, "/readyz")).await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.json()["message"], "the service is shutting down");
    assert_eq!(room.send(request(Method::GET, "/healthz")).await.status, 200);
}

#[tokio::test]
async fn probes_only_tell() {
    let room = Room::new();
    for path in ["/healthz", "/readyz"] {
        let answer = room.send(request(Method::POST, path)).await;
        answer.failure(405, "method_not_allowed");
        let answer = room.send(request(Method::OPTIONS, path)).await;
        assert_eq!(answer.header("allow"), Some("GET, HEAD, OPTIONS"));
    }
}

#[tokio::test]
async fn every_request_has_a_name() {
    let room = Room::new();
    let ask = |name: Option<&'static str>| {
        let mut request = request(Method::GET, "/opendcre/1.1/test");
        if let Some(name) = name {
            request.headers_mut().insert("x-request-id", name.parse().unwrap());
        }
        room.send(request)
    };
    assert_eq!(ask(Some("a.b_C-9")).await.header("x-request-id"), Some("a.b_C-9"));
    let made = ask(None).await.header("x-request-id").unwrap().to_owned();
    let other = ask(Some("no spaces")).await.header("x-request-id").unwrap().to_owned();
    assert_ne!(made, other);
    for name in [made, other] {
        assert!(name.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-'), "{name}");
    }
}
