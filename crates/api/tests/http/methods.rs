//! Which method does what on which path.

use http::Method;

use crate::support::{Room, power};

const READ: &str = "GET, HEAD, OPTIONS";
const CONTROL: &str = "GET, HEAD, POST, OPTIONS";

const PATHS: [(&str, &str); 13] = [
    ("/test", CONTROL),
    ("/version/1", READ),
    ("/scan", READ),
    ("/scan/1", READ),
    ("/scan/40000000", READ),
    ("/read/thermistor/1/1", READ),
    ("/read/power/1/1/info", READ),
    ("/write/power/1/1/info/x", CONTROL),
    ("/write/power/1/1", READ),
    ("/power/on/1/1", CONTROL),
    ("/power/off/1/1", CONTROL),
    ("/power/cycle/1/1", CONTROL),
    ("/power/status/1/1", READ),
];

/// Paths that are routed, with values that are not.
const BAD_VALUES: [(&str, &str); 9] = [
    ("/version/zz", READ),
    ("/scan/zz", READ),
    ("/scan/20000000", READ),
    ("/read/sofa/1/1", READ),
    ("/read/led/1/1/info", READ),
    ("/write/led/1/1/info/x", CONTROL),
    ("/power/foo/1/1", CONTROL),
    ("/power/on/zz/1", CONTROL),
    ("/power/Status/1/zz", READ),
];

#[tokio::test]
async fn options_lists_the_methods_and_does_nothing() {
    let room = Room::new();
    for (path, methods) in PATHS.into_iter().chain(BAD_VALUES) {
        let answer = room.ask(Method::OPTIONS, path).await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.header("allow"), Some(methods), "{path}");
        assert_eq!(answer.text, "");
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    }
    assert!(room.bus.calls().is_empty());
}

#[tokio::test]
async fn other_methods_are_405() {
    let room = Room::new();
    for (path, methods) in PATHS.into_iter().chain(BAD_VALUES) {
        for method in [Method::PUT, Method::DELETE, Method::PATCH, Method::TRACE] {
            let answer = room.ask(method, path).await;
            answer.failure(405, "method_not_allowed");
            assert_eq!(answer.header("allow"), Some(methods), "{path}");
        }
        if methods == READ {
            room.ask(Method::POST, path).await.failure(405, "method_not_allowed");
        }
    }
    assert!(room.bus.calls().is_empty());
}

#[tokio::test]
async fn a_right_method_tells_what_is_wrong_with_the_values() {
    let room = Room::new();
    for (path, methods) in BAD_VALUES {
        assert_eq!(room.get(path).await.status, 500, "{path}");
        if methods == CONTROL {
            assert_eq!(room.ask(Method::POST, path).await.status, 500, "{path}");
        }
    }
    room.ask(Method::OPTIONS, "/nothing").await.failure(404, "not_found");
    assert!(room.bus.calls().is_empty());
}

#[tokio::test]
async fn head_checks_but_never_performs() {
    let room = Room::new();
    for (path, _) in PATHS {
        let answer = room.ask(Method::HEAD, path).await;
        let expected = if path == "/write/power/1/1" { 501 } else { 200 };
        assert_eq!(answer.status, expected, "{path}");
        assert_eq!(answer.text, "");
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    }
    for (path, status) in [
        ("/power/explode/1/1", 500),
        ("/power/on/40000001/1", 500),
        ("/scan/20000000", 500),
        ("/version/zz", 500),
        ("/nothing", 404),
    ] {
        let answer = room.ask(Method::HEAD, path).await;
        assert_eq!(answer.status, status, "{path}");
        assert_eq!(answer.text, "");
    }
    assert!(room.bus.calls().is_empty());
}

#[tokio::test]
async fn control_is_also_done_by_post() {
    let room = Room::new();
    assert_eq!(room.ask(Method::POST, "/test").await.text, r#"{"status":"ok"}"#);
    room.bus.answers(power(None));
    for path in ["/power/on/1/1", "/power/off/1/1", "/power/cycle/1/1"] {
        let posted = room.ask(Method::POST, path).await;
        assert_eq!(posted.status, 200);
        assert_eq!(posted.text, room.get(path).await.text);
    }
    assert_eq!(room.bus.calls().len(), 6);
}
