//! What every request can rely on: methods, names, compression, entity tags, bodies, other sites.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Method, Request};
use http_body_util::Full;
use hyper::body::Bytes;
use opendcre_api::Limits;
use opendcre_gateway::Settings;
use opendcre_model::{Board, BoardId, DeviceAddress, DeviceId, DeviceKind, Health, Query};
use serde_json::{Value, json};

use crate::support::{BASE, Room, reading, request};

fn with(mut request: Request<Full<Bytes>>, name: &'static str, value: &str) -> Request<Full<Bytes>> {
    request.headers_mut().append(name, value.parse().unwrap());
    request
}

#[tokio::test]
async fn the_entry_is_there_with_and_without_its_slash() {
    let room = Room::new().await;
    assert_eq!(room.json("").await, room.json("/").await);
    for path in
        ["//", "/boards/", "//boards", "/boards/11/", "/nothing", "0/boards", "/boards/11/devices/1/1"]
    {
        let request = Request::get(format!("{BASE}{path}")).body(Full::default()).unwrap();
        let answer = room.send(request).await;
        assert_eq!(answer.status, 404, "{path}");
        assert_eq!(answer.json()["code"], if path == "/boards/" { "unknown_board" } else { "not_found" });
    }
}

#[tokio::test]
async fn head_is_get_without_a_body() {
    let room = Room::new().await;
    for path in ["/", "/boards", "/boards/11", "/readings", "/boards/nobody", "/docs", "/boards?limit=x"] {
        let (get, head) = (room.get(path).await, room.ask(Method::HEAD, path).await);
        assert_eq!(get.status, head.status, "{path}");
        for name in ["content-type", "etag", "vary"] {
            assert_eq!(get.header(name), head.header(name), "{path}");
        }
        assert!(head.bytes.is_empty(), "{path}");
    }
}

#[tokio::test]
async fn other_methods_are_refused_by_name() {
    let room = Room::new().await;
    for (method, path, allowed) in [
        (Method::POST, "/boards", "GET, HEAD, OPTIONS"),
        (Method::DELETE, "/racks/rack_1", "GET, HEAD, OPTIONS"),
        (Method::PUT, "/boards/11", "GET, HEAD, DELETE, OPTIONS"),
        (Method::GET, "/power", "POST, OPTIONS"),
        (Method::HEAD, "/power", "POST, OPTIONS"),
        (Method::PUT, "/jobs/1/abort", "POST, OPTIONS"),
    ] {
        let answer = room.ask(method.clone(), path).await;
        assert_eq!(answer.status, 405, "{method} {path}");
        assert_eq!(answer.header("allow"), Some(allowed));
        if method != Method::HEAD {
            answer.problem(405, "method_not_allowed");
        }
    }
}

#[tokio::test]
async fn long_answers_are_compressed_for_who_takes_it() {
    let room = Room::new().await;
    for path in ["/devices", "/openapi.json", "/docs"] {
        let plain = room.get(path).await;
        let pressed = room.send(with(request(Method::GET, path), "accept-encoding", "gzip")).await;
        let encodings = (plain.header("content-encoding"), pressed.header("content-encoding"));
        assert_eq!(encodings, (None, Some("gzip")), "{path}");
        assert!(pressed.bytes.len() < plain.bytes.len() / 2, "{path}");
        assert_eq!(plain.text(), pressed.text());
        assert_eq!(pressed.length, Some(pressed.bytes.len() as u64));
        for answer in [plain, pressed] {
            assert_eq!(answer.header("vary"), Some("accept-encoding"));
        }
    }
    let short = room.send(with(request(Method::GET, "/boards/11/version"), "accept-encoding", "gzip")).await;
    assert_eq!(short.header("content-encoding"), None);
}

#[tokio::test]
async fn who_has_a_listing_gets_it_again_only_when_it_changes() {
    let room = Room::new().await;
    for path in ["/boards", "/racks", "/devices?kind=led", "/groups", "/labels", "/boards/11"] {
        let first = room.get(path).await;
        let tag = first.header("etag").unwrap();
        let again = || with(request(Method::GET, path), "if-none-match", tag);
        let second = room.send(again()).await;
        assert_eq!((second.status.as_u16(), second.bytes.len()), (304, 0), "{path}");
        assert_eq!(second.header("etag"), Some(tag));
    }
    let old = room.get("/boards").await;
    let tag = old.header("etag").unwrap();
    room.bus.boards.lock().unwrap().retain(|board| board.id == BoardId(0x11));
    room.refresh().await;
    let new = room.send(with(request(Method::GET, "/boards"), "if-none-match", tag)).await;
    assert_eq!(new.status, 200);
    assert_ne!(new.header("etag"), Some(tag));
    assert_eq!(room.get("/readings").await.header("etag"), None);
    for (path, status, code) in
        [("/boards?limit=x", 400, "bad_parameter"), ("/boards/nobody", 404, "unknown_board")]
    {
        room.send(with(request(Method::GET, path), "if-none-match", "*")).await.problem(status, code);
    }
}

#[tokio::test]
async fn a_listing_changes_when_the_health_of_a_board_does() {
    let room = Room::new().await;
    for path in ["/boards", "/boards/web-01", "/boards?fields=id&limit=0"] {
        let device = DeviceAddress { board: BoardId(0x4000_0001), device: DeviceId(0x0030) };
        let kind = DeviceKind::Temperature;
        let tag = room.get(path).await.header("etag").unwrap().to_owned();
        for (health, status) in [(Health::Warning, 200), (Health::Warning, 304), (Health::Failed, 200)] {
            let latest = room.get(path).await.header("etag").unwrap().to_owned();
            room.bmcs.answer(Query::Sensor { device, kind }, Ok(reading(kind, 99.0, health)));
            room.json("/boards/web-01/readings?kind=temperature&max_age=0").await;
            let again = room.send(with(request(Method::GET, path), "if-none-match", &latest)).await;
            assert_eq!(again.status, status, "{path} {health}");
        }
        assert_ne!(room.get(path).await.header("etag"), Some(tag.as_str()));
        room.bmcs.answer(Query::Sensor { device, kind }, Ok(reading(kind, 20.0, Health::Ok)));
        // What is better is believed when it is said again.
        for _ in 0..2 {
            room.json("/boards/web-01/readings?kind=temperature&max_age=0").await;
        }
    }
}

/// What all tests of this program log together.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_access_log_counts_what_was_sent_piece_by_piece() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().json().with_writer(move || writer.clone());
    tracing::subscriber::set_global_default(subscriber.finish()).unwrap();
    let room = Room::new().await;
    *room.bus.boards.lock().unwrap() = (1..=500).map(|id| Board::new(BoardId(id), Vec::new())).collect();
    room.refresh().await;
    let answer =
        room.send(with(request(Method::GET, "/boards?limit=0"), "x-request-id", "long-listing")).await;
    assert_eq!(answer.length, None);
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let mut lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let line = lines.find(|line| line["fields"]["request_id"] == "long-listing").unwrap();
    assert_eq!(
        (&line["fields"]["bytes"], &line["fields"]["status"]),
        (&json!(answer.bytes.len()), &json!(200))
    );
}

#[tokio::test]
async fn a_request_keeps_its_name() {
    let room = Room::new().await;
    let answer = room.send(with(request(Method::GET, "/boards/nobody"), "x-request-id", "night-7")).await;
    assert_eq!(answer.problem(404, "unknown_board")["request_id"], "night-7");
}

#[tokio::test]
async fn a_name_may_hold_a_slash_or_anything_else_if_it_is_encoded() {
    let room = Room::new().await;
    assert_eq!(room.json("/boards/%31%31").await["id"], "00000011");
    assert_eq!(room.json("/boards/web%2d01/devices/CPU1%20Temp").await["id"], "0030");
    room.get("/racks/a%2Fb").await.problem(404, "unknown_rack");
    room.get("/racks/%ff").await.problem(404, "unknown_rack");
}

#[tokio::test]
async fn a_body_is_measured_before_it_is_read() {
    let room = Room::new().await;
    let post = |media_type: &str, body: String| {
        let request = Request::post(format!("{BASE}/power")).header("content-type", media_type);
        room.send(request.body(Full::from(body)).unwrap())
    };
    let json = "application/json";
    post(json, "x".repeat(65_537)).await.problem(413, "body_too_large");
    assert_eq!(post(json, "[".repeat(60_000)).await.problem(400, "too_deep")["position"], 16);
    assert_eq!(post(json, "{\"nodes\": x}".to_owned()).await.problem(400, "bad_json")["position"], 10);
    post("text/plain", "{}".to_owned()).await.problem(415, "unsupported_media_type");
    let unknown = post(json, json!({"nodes": "all", "action": "on", "noeds": 1}).to_string()).await;
    assert_eq!(unknown.problem(400, "bad_value")["pointer"], "/noeds");
    post(json, json!({"nodes": "all", "action": "explode"}).to_string()).await.problem(400, "bad_value");
    post(json, String::new()).await.problem(400, "bad_value");
    assert!(room.bus.take_calls().is_empty() && room.bmcs.take_calls().is_empty());
}

#[tokio::test]
async fn pages_of_other_sites_cannot_order() {
    let room = Room::new().await;
    let order = |site: &str| {
        let body = json!({"nodes": "11", "action": "on"}).to_string();
        let request = Request::post(format!("{BASE}/power")).header("content-type", "application/json");
        with(request.body(Full::from(body)).unwrap(), "sec-fetch-site", site)
    };
    room.send(order("cross-site")).await.problem(403, "cross_site");
    room.send(order("same-site")).await.problem(403, "cross_site");
    let forget = with(request(Method::DELETE, "/boards/11"), "sec-fetch-site", "cross-site");
    room.send(forget).await.problem(403, "cross_site");
    assert!(room.bus.take_calls().is_empty());
    assert_eq!(room.send(order("same-origin")).await.status, 200);
    assert_eq!(
        room.send(with(request(Method::GET, "/boards"), "sec-fetch-site", "cross-site")).await.status,
        200
    );
}

#[tokio::test(start_paused = true)]
async fn a_request_that_takes_too_long_is_504() {
    let settings = Settings { read_timeout: Duration::from_secs(600), ..Settings::default() };
    let room = Room::unseen(Limits::default(), settings);
    room.refresh().await;
    room.bus.permits.forget_permits(usize::MAX);
    room.get("/boards/11/version").await.problem(504, "timeout");
}
