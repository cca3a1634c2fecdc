//! Every way to fail: status, code, a message that helps, and nothing sent that should not be.

use std::time::Duration;

use http::{Method, Request};
use http_body_util::Full;
use opendcre_model::{DeviceKind, Fault, Number};

use crate::support::{BASE, BUSY, Room, asset_text, reading, remote, request};

#[tokio::test]
async fn what_is_wrong_with_a_path_is_said_and_nothing_is_sent() {
    let room = Room::new();
    for (path, status, code, message) in [
        ("", 404, "not_found", "no such path"),
        ("/", 404, "not_found", "no such path"),
        ("0/test", 404, "not_found", "no such path"),
        ("/scan/", 404, "not_found", "no such path"),
        ("/version", 404, "not_found", "no such path"),
        ("/write/power/1/1/1", 404, "not_found", "no such path"),
        ("/write/power/1/1", 501, "not_implemented", "asset information"),
        ("/write/sofa/zz/zz", 501, "not_implemented", "asset information"),
        ("/version/zz", 500, "invalid_id", "board id \"zz\""),
        ("/version/-1", 500, "invalid_id", "out of range"),
        ("/scan/100000000", 500, "invalid_id", "out of range; use 0 to ffffff;"),
        (
            "/read/thermistor/1/10000",
            500,
            "invalid_id",
            "device id \"10000\" is out of range; use 0 to ffff;",
        ),
        (
            "/read/sofa/1/1ff",
            500,
            "unknown_kind",
            "\"sofa\" is not a device type, so device 01ff of board 00000001",
        ),
        ("/power/explode/1/1ff", 500, "unknown_command", "use on, off, cycle or status"),
        ("/power/soft/40000000/1", 500, "unknown_command", "use on, off, cycle or status"),
        ("/read/Power/1/1ff/info", 500, "unsupported", "type power, in lower case"),
        ("/write/led/1/1ff/info/x", 500, "unsupported", "device 01ff of board 00000001"),
        ("/write/power/1/1ff/info/%C3%A4", 500, "invalid_text", "ASCII"),
        ("/write/power/1/1ff/info/%FF", 500, "invalid_text", "ASCII"),
        ("/version/1000000", 500, "unknown_board", "01000000 is no board"),
        ("/scan/20000001", 500, "unknown_board", "20000001 is no board"),
        ("/scan/40000001", 500, "unknown_board", "40000001 is no board"),
        ("/version/80000000", 500, "unknown_board", "80000000 is no board"),
        ("/power/on/80000000/1", 500, "unknown_board", "80000000 is no board"),
        ("/read/power/40000000/1", 500, "unsupported", "BMCs have no readings"),
        ("/power/status/40000000/1", 500, "unknown_device", "device 0001 of board 40000000"),
        ("/power/on/40000000/1", 500, "unknown_device", "device 0001 of board 40000000"),
        ("/read/power/40000000/1/info", 500, "unknown_device", "device 0001 of board 40000000"),
        ("/write/power/40000000/1/info/x", 500, "unknown_device", "device 0001 of board 40000000"),
    ] {
        let answer = room.get(path).await;
        let told = answer.failure(status, code);
        assert!(told.contains(message), "{path}: {told}");
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{path}");
    }
    assert!(room.bus.calls().is_empty());
}

#[tokio::test]
async fn outside_of_the_api_there_is_nothing() {
    let room = Room::new();
    for path in ["/", "/opendcre", "/opendcre/1.0/test", "/healthz/", "//healthz"] {
        let answer = room.send(request(Method::GET, path)).await;
        answer.failure(404, "not_found");
        assert_eq!(answer.header("access-control-allow-origin"), None, "{path}");
    }
}

#[tokio::test]
async fn a_fault_of_the_equipment_is_500_and_names_what_was_asked() {
    let room = Room::new();
    for fault in [
        Fault::Timeout,
        Fault::Corrupt,
        Fault::Refused,
        Fault::NotPermitted,
        Fault::Unsupported,
        Fault::Invalid,
        Fault::Malformed,
        Fault::Gone,
        Fault::Uncertain,
    ] {
        room.bus.fail(fault);
        for (path, subject) in [
            ("/read/thermistor/1/1ff", "thermistor reading of device 01ff of board 00000001: no answer"),
            ("/power/cycle/1/1ff", "power cycle of device 01ff of board 00000001: no answer"),
            ("/power/status/1/1ff", "power status of device 01ff of board 00000001: no answer"),
            ("/read/power/1/1ff/info", "asset information of device 01ff of board 00000001: no answer"),
            (
                "/write/power/1/1ff/info/x",
                "new asset information of device 01ff of board 00000001: no answer",
            ),
            ("/version/a", "version of board 0000000a: no answer"),
            ("/scan/a", "scan of board 0000000a: no answer"),
            ("/scan", "scan of all boards: no answer"),
        ] {
            let answer = room.get(path).await;
            let message = answer.failure(500, fault.code());
            assert!(message.starts_with(subject), "{message}");
            assert_eq!(answer.header("retry-after"), None);
        }
    }
}

#[tokio::test]
async fn a_backlog_is_503_and_says_when_to_come_back() {
    let room = Room::new();
    room.bus.fail(BUSY);
    let answer = room.get("/read/thermistor/1/1ff").await;
    answer.failure(503, "busy");
    assert_eq!(answer.header("retry-after"), Some("2"));
}

#[tokio::test]
async fn a_service_that_stops_is_503() {
    let room = Room::new();
    room.api.gateway().shutdown().await;
    let answer = room.get("/version/1").await;
    answer.failure(503, "shutting_down");
    assert!(answer.header("retry-after").is_some());
    assert_eq!(room.get("/test").await.status, 200);
}

#[tokio::test]
async fn without_a_bus_every_board_is_unknown() {
    let room = Room::with(0, opendcre_api::Limits::default());
    let message = room.get("/version/1").await.failure(500, "unknown_board");
    assert!(
        message.starts_with("version of board 00000001: no bus and no configured server is board 00000001"),
        "{message}"
    );
}

#[tokio::test]
async fn a_board_on_two_buses_is_ambiguous() {
    let room = Room::with_two_buses();
    let message = room.get("/power/off/1/1ff").await.failure(500, "ambiguous_board");
    assert!(message.contains("(hat, loft)"), "{message}");
}

#[tokio::test]
async fn answers_that_do_not_fit_are_malformed() {
    let room = Room::new();
    room.bus.answers(reading(DeviceKind::Temperature, Number::Decimal(21.5), None));
    let message = room.get("/read/temperature/1/1ff").await.failure(500, "malformed");
    assert!(message.contains("answered 21.5, where this API carries integers only"), "{message}");

    room.bus.answers(reading(DeviceKind::Thermistor, Number::from(656), None));
    let message = room.get("/read/thermistor/1/1ff").await.failure(500, "malformed");
    assert!(message.contains("656 is outside the range of a thermistor"), "{message}");

    room.bus.answers(asset_text("x"));
    room.get("/read/thermistor/1/1ff").await.failure(500, "malformed");
    room.get("/version/1").await.failure(500, "malformed");
}

/// The model knows more power actions than this generation has.
#[tokio::test]
async fn newer_power_actions_are_as_unknown_as_any_other_word() {
    let room = Room::new();
    for word in ["explode", "reset", "Soft", "diag"] {
        let expected = format!(
            concat!(
                r#"{{"message":"\"{}\" is not a power command, so device 01ff of board 00000001 was not asked; "#,
                r#"use on, off, cycle or status","code":"unknown_command","http_code":500}}"#,
            ),
            word
        );
        assert_eq!(room.get(&format!("/power/{word}/1/1ff")).await.text, expected);
    }
    assert!(room.bus.calls().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_request_that_takes_too_long_is_504() {
    let room = Room::new();
    room.bus.permits.forget_permits(100);
    let start = tokio::time::Instant::now();
    let answer = room.get("/read/thermistor/1/1ff").await;
    let message = answer.failure(504, "timeout");
    assert!(message.contains("60 s"), "{message}");
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert_eq!(start.elapsed(), Duration::from_secs(60));
}

#[tokio::test]
async fn a_body_is_ignored_up_to_its_limit() {
    let room = Room::new();
    let post = |length: usize| {
        let uri = format!("{BASE}/power/on/1/1ff");
        let request = Request::post(uri).body(Full::from("x".repeat(length)));
        room.send(request.unwrap())
    };
    room.bus.answers(crate::support::power(None));
    assert_eq!(post(65_536).await.status, 200);
    let message = post(65_537).await.failure(413, "body_too_large");
    assert!(message.contains("65536"), "{message}");
    assert_eq!(room.bus.calls().len(), 1);
}

#[tokio::test]
async fn pages_of_other_sites_cannot_control() {
    let room = Room::new();
    room.bus.answers(crate::support::power(None));
    let from = |sites: &[&'static str], method: Method, path: &str| {
        let mut request = request(method, &format!("{BASE}{path}"));
        for site in sites {
            request.headers_mut().append("sec-fetch-site", site.parse().unwrap());
        }
        room.send(request)
    };
    for site in [
        &["cross-site"][..],
        &["same-site"],
        &["Cross-Site"],
        &[""],
        &["x"],
        &["same-origin, cross-site"],
        &["same-origin", "cross-site"],
    ] {
        for path in [
            "/power/on/1/1",
            "/power/off/1/1",
            "/power/cycle/1/1",
            "/power/foo/1/1",
            "/write/power/1/1/info/x",
        ] {
            for method in [Method::GET, Method::POST] {
                from(site, method, path).await.failure(403, "cross_site");
            }
            assert_eq!(from(site, Method::HEAD, path).await.status, 403);
        }
    }
    assert!(room.bus.calls().is_empty());

    assert_eq!(from(&["cross-site"], Method::GET, "/power/status/1/1").await.status, 200);
    for site in [&[][..], &["same-origin"], &["none"], &["Same-Origin"], &["none", "same-origin"]] {
        for method in [Method::GET, Method::POST] {
            assert_eq!(from(site, method, "/power/on/1/1").await.status, 200, "{site:?}");
        }
    }
}

#[tokio::test]
async fn a_client_that_leaves_does_not_stop_a_change() {
    let room = Room::new();
    room.bus.permits.forget_permits(100);
    let request = request(Method::POST, &format!("{BASE}/power/off/1/1ff"));
    tokio::select! {
        biased;
        _ = room.api.respond(request, remote()) => panic!("the bus has not answered yet"),
        () = room.bus.called.notified() => {}
    }
    room.bus.permits.add_permits(1);
    room.api.gateway().shutdown().await;
    assert_eq!(room.bus.permits.available_permits(), 0, "the change took its permit");
}
