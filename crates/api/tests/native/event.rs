//! Events: pages of them, and the stream.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use http::{Method, Request, Response};
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::{Body, Bytes};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use opendcre_api::{Listen, Server};
use opendcre_gateway::{EventKind, EventSettings, NewEvent, Severity};
use opendcre_model::BoardId;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::support::{BASE, Room, remote, request};

/// An observed room in which nothing is kept yet but that the service started and its boards appeared.
pub(crate) async fn room() -> Room {
    Room::observed(EventSettings::default(), Arc::default()).await
}

pub(crate) fn event(number: usize, severity: Severity, board: Option<u32>) -> NewEvent {
    NewEvent {
        kind: EventKind::HealthChanged,
        severity,
        rack: board.map(|_| "rack_2".to_owned()),
        board: board.map(BoardId),
        name: board.map(|_| "web-01".to_owned()),
        device: None,
        message: format!("event {number}"),
        detail: json!({ "number": number }).as_object().unwrap().clone(),
    }
}

impl Room {
    /// Makes something happen, and waits until it can be read.
    pub(crate) async fn happen(&self, events: impl IntoIterator<Item = NewEvent>) {
        let log = self.events.as_ref().unwrap();
        events.into_iter().for_each(|event| log.publish(event));
        log.flush().await.unwrap();
    }

    /// The number of the newest event, when everything so far can be read.
    pub(crate) async fn latest(&self) -> u64 {
        self.happen([]).await;
        self.events.as_ref().unwrap().statistics().latest
    }
}

pub(crate) fn messages(page: &Value) -> Vec<&str> {
    page["items"].as_array().unwrap().iter().map(|item| item["message"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_page_has_the_newest_events_or_those_after_a_cursor() {
    let room = room().await;
    let before = room.latest().await;
    room.happen((0..5).map(|number| event(number, Severity::Info, Some(0x4000_0001)))).await;
    let newest = room.json("/events?limit=2").await;
    assert_eq!(messages(&newest), ["event 3", "event 4"]);
    assert_eq!((&newest["cursor"], &newest["missed"]), (&newest["latest"], &json!(0)));
    let page = room.json(&format!("/events?after={before}&limit=3")).await;
    assert_eq!(messages(&page), ["event 0", "event 1", "event 2"]);
    assert_eq!(page["items"][0]["detail"], json!({ "number": 0 }));
    assert_eq!(page["items"][0]["board"], "40000001");
    let rest = room.json(&format!("/events?after={}", page["cursor"])).await;
    assert_eq!(messages(&rest), ["event 3", "event 4"]);
    let everything = room.json("/events?after=0&limit=1000").await;
    assert_eq!(everything["items"][0]["kind"], "service_started");
    assert_eq!(everything["items"].as_array().unwrap().len() as u64, before + 5);
}

#[tokio::test]
async fn events_are_chosen_by_board_kind_severity_and_time() {
    let room = room().await;
    let critical = event(1, Severity::Critical, Some(0x4000_0001));
    let of_service = NewEvent { kind: EventKind::Loss, ..event(2, Severity::Warning, None) };
    room.happen([event(0, Severity::Info, Some(0x4000_0002)), critical, of_service]).await;
    for (query, expected) in [
        ("nodes=web-01&kinds=health_changed", vec!["event 1"]),
        ("nodes=rack_2&kinds=health_changed,loss", vec!["event 0", "event 1"]),
        ("kinds=health_changed,loss&limit=2", vec!["event 1", "event 2"]),
        ("severity=critical", vec!["event 1"]),
        ("severity=warning&kinds=health_changed,loss", vec!["event 1", "event 2"]),
        ("severity=warning&kinds=health_changed,loss&from=-1h", vec!["event 1", "event 2"]),
        ("severity=warning&from=2026-12-01T10:00:01Z", vec![]),
    ] {
        assert_eq!(messages(&room.json(&format!("/events?{query}")).await), expected, "{query}");
    }
    let problem = room.get("/events?kinds=loss,sofa").await.problem(400, "bad_parameter");
    assert_eq!(problem["parameter"], "kinds");
    assert!(problem["detail"].as_str().unwrap().contains("sofa"), "{problem}");
    room.get("/events?after=1&from=-1h").await.problem(422, "contradiction");
    room.get("/events?limit=0").await.problem(400, "bad_parameter");
    let last = (1_u64 << 53) - 1;
    let beyond = room.get(&format!("/events?after={}", last + 1)).await.problem(400, "bad_parameter");
    assert_eq!((&beyond["parameter"], &beyond["position"]), (&json!("after"), &json!(0)));
    room.get(&format!("/events?after={}", u64::MAX)).await.problem(400, "bad_parameter");
    room.get("/events?after=-1").await.problem(400, "bad_parameter");
    assert_eq!(room.get(&format!("/events?after={last}")).await.status, 200);
    room.get("/events?nodes=nobody").await.problem(404, "unknown_name");
    Room::new().await.get("/events").await.problem(404, "not_kept");
}

#[tokio::test]
async fn who_waits_is_answered_with_the_next_event_that_is_wanted() {
    let room = room().await;
    let after = room.latest().await;
    let path = format!("/events?after={after}&severity=critical&wait=50");
    let happening = async {
        room.happen([event(0, Severity::Info, None)]).await;
        room.happen([event(1, Severity::Critical, None)]).await;
    };
    let (page, ()) = tokio::join!(room.json(&path), happening);
    assert_eq!(messages(&page), ["event 1"]);
}

/// What comes over a stream.
pub(crate) struct Stream<B> {
    body: B,
}

impl<B: Body<Data = Bytes, Error: std::fmt::Debug> + Unpin> Stream<B> {
    pub(crate) fn of(response: Response<B>) -> Self {
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert!(!response.headers().contains_key("content-encoding"));
        Self { body: response.into_body() }
    }

    /// The next part; nothing at the end.
    pub(crate) async fn part(&mut self) -> Option<String> {
        loop {
            let part = self.body.frame().await?.unwrap().into_data().unwrap();
            // The end of HTTP/2 may be an empty frame.
            if !part.is_empty() {
                return Some(String::from_utf8(part.to_vec()).unwrap());
            }
        }
    }
}

pub(crate) fn listen(path: &str, last: Option<&str>) -> Request<Full<Bytes>> {
    let mut request = request(Method::GET, path);
    for (name, value) in
        [("accept", Some("text/event-stream")), ("accept-encoding", Some("gzip")), ("last-event-id", last)]
    {
        if let Some(value) = value {
            request.headers_mut().insert(name, value.parse().unwrap());
        }
    }
    request
}

#[tokio::test]
async fn a_stream_tells_what_happens_and_goes_on_where_it_broke_off() {
    let room = room().await;
    let latest = room.latest().await;
    let mut stream = Stream::of(room.api.respond(listen("/events?severity=warning", None), remote()).await);
    assert_eq!(stream.part().await.unwrap(), format!("retry: 3000\nid: {latest}\n\n"));
    room.happen([event(0, Severity::Info, None), event(1, Severity::Warning, Some(0x4000_0001))]).await;
    let part = stream.part().await.unwrap();
    let (head, data) = part.split_once("\ndata: ").unwrap();
    assert_eq!(head, format!("id: {}\nevent: health_changed", latest + 2));
    let told: Value = serde_json::from_str(data.strip_suffix("\n\n").unwrap()).unwrap();
    let page = room.json(&format!("/events?after={}", latest + 1)).await;
    assert_eq!(told, page["items"][0]);
    drop(stream);

    let (first, second) = (latest.to_string(), (latest + 1).to_string());
    for (path, last, expected) in [
        ("/events", Some(&*second), latest + 2),
        ("/events?after=1", Some(&*second), latest + 2),
        (&*format!("/events?after={first}"), None, latest + 1),
        ("/events?from=-1m", None, 1),
    ] {
        let mut stream = Stream::of(room.api.respond(listen(path, last), remote()).await);
        stream.part().await.unwrap();
        let part = stream.part().await.unwrap();
        assert!(part.starts_with(&format!("id: {expected}\n")), "{path} {last:?}: {part}");
    }
    room.send(listen("/events", Some("x"))).await.problem(400, "bad_value");
    room.send(listen("/events?nodes=nobody", None)).await.problem(404, "unknown_name");
}

#[tokio::test]
async fn who_was_away_too_long_is_told_how_much_is_missing() {
    let room = Room::observed(EventSettings { most: 10, ..EventSettings::default() }, Arc::default()).await;
    // More than are kept in memory, too.
    for _ in 0..10 {
        room.happen((0..1000).map(|number| event(number, Severity::Info, None))).await;
    }
    let page = room.json("/events?after=1&limit=1").await;
    let missed = page["missed"].as_u64().unwrap();
    assert_eq!(page["items"][0]["sequence"].as_u64().unwrap(), missed + 2, "{page}");
    assert!(missed > 0);
    let mut stream = Stream::of(room.api.respond(listen("/events?after=1", None), remote()).await);
    stream.part().await.unwrap();
    let part = stream.part().await.unwrap();
    assert!(part.starts_with(&format!("event: missed\ndata: {{\"missed\":{missed}}}\n\nid: ")), "{part}");
}

#[tokio::test]
async fn whoever_may_not_read_any_more_is_cut_off() {
    let logins = Arc::default();
    let room = Room::observed(EventSettings::default(), Arc::clone(&logins)).await;
    room.latest().await;
    let mut stream = Stream::of(room.api.respond(listen("/events", None), remote()).await);
    stream.part().await.unwrap();
    logins.0.store(true, Relaxed);
    room.happen([event(0, Severity::Info, None)]).await;
    let part = stream.part().await.unwrap();
    assert!(part.starts_with("event: end\ndata: {\"code\":\"credential_revoked\""), "{part}");
    assert_eq!(stream.part().await, None);
}

#[tokio::test]
async fn a_silent_stream_is_kept_alive_for_an_hour_and_ends_with_the_server() {
    let room = room().await;
    room.latest().await;
    let server = Server::bind([Listen::Tcp("127.0.0.1:0".parse().unwrap())]).await.unwrap();
    let address = server.address().unwrap();
    let stop = CancellationToken::new();
    let serving = server.run(room.api.clone(), None, stop.clone());
    let get = || {
        let uri = format!("http://{address}{BASE}/events");
        Request::get(uri)
            .header("host", "localhost")
            .header("accept", "text/event-stream")
            .body(Empty::<Bytes>::new())
            .unwrap()
    };
    let connect = async || TokioIo::new(TcpStream::connect(address).await.unwrap());
    let listening = async {
        let (mut one, connection) = http1::handshake(connect().await).await.unwrap();
        let (mut two, connection_two) =
            http2::handshake(TokioExecutor::new(), connect().await).await.unwrap();
        let asking = async {
            let mut first = Stream::of(one.send_request(get()).await.unwrap());
            let mut second = Stream::of(two.send_request(get()).await.unwrap());
            first.part().await.unwrap();
            second.part().await.unwrap();
            // Not before: connections that are only beginning have less time.
            tokio::time::pause();
            let start = Instant::now();
            for mut stream in [first, second] {
                let mut parts = 0;
                while stream.part().await.is_some() {
                    parts += 1;
                }
                assert!((239..=242).contains(&parts), "{parts}");
            }
            assert!(
                start.elapsed() >= Duration::from_secs(3600) && start.elapsed() < Duration::from_secs(3660)
            );
            tokio::time::resume();
            let mut last = Stream::of(two.send_request(get()).await.unwrap());
            last.part().await.unwrap();
            stop.cancel();
            let end = last.part().await.unwrap();
            assert!(end.starts_with("event: end\ndata: {\"code\":\"shutting_down\""), "{end}");
            assert_eq!(last.part().await, None);
            drop((one, two));
        };
        let (_, _, ()) = tokio::join!(connection, connection_two, asking);
    };
    tokio::join!(serving, listening);
}
