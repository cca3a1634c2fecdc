//! The stream of events where not everything is well: clients that do not read, that may not read any more, that take too
//! many streams, and that ask for boards which are forgotten.

use std::net::SocketAddr;
use std::time::Duration;

use http::{Method, Request};
use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use opendcre_api::{Limits, Listen, Server};
use opendcre_gateway::{EventKind, EventSettings, NewEvent, Policy, PolicySettings, Rule, Severity};
use opendcre_model::{BoardId, DeviceAddress, DeviceId, DeviceKind, Extent, Observation, PowerState, Query};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::event::{Stream, event, listen, messages, room};
use crate::support::{BASE, Room, bus_board, power_report, remote};

/// For how long something is waited for that comes over a socket.
const SOON: Duration = Duration::from_secs(60);

/// How many events happen at once, each of more than a kilobyte.
const BATCH: usize = 1000;

async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(SOON, future).await.unwrap_or_else(|_| panic!("waited {SOON:?} in vain: {what}"))
}

/// A rule that gives everybody a role in these racks.
fn rule(role: &str, racks: &[&str]) -> Rule {
    let extent = Extent { racks: racks.iter().map(|rack| (*rack).to_owned()).collect(), ..Extent::default() };
    Rule { role: role.to_owned(), users: vec!["anonymous:*".to_owned()], groups: Vec::new(), extent }
}

fn policy(rules: Vec<Rule>) -> Policy {
    Policy::new(PolicySettings { rules, ..PolicySettings::default() }).unwrap()
}

impl Room {
    /// Much happens at once.
    async fn much_happens(&self) {
        let detail = json!({ "text": "y".repeat(500) });
        let long = |number| NewEvent {
            message: "x".repeat(500),
            detail: detail.as_object().unwrap().clone(),
            ..event(number, Severity::Info, None)
        };
        self.happen((0..BATCH).map(long)).await;
    }

    /// Serves the room while somebody does something with its address.
    async fn served(&self, client: impl AsyncFnOnce(SocketAddr)) {
        let server = Server::bind([Listen::Tcp("127.0.0.1:0".parse().unwrap())]).await.unwrap();
        let (address, stop) = (server.address().unwrap(), CancellationToken::new());
        let serving = server.run(self.api.clone(), None, stop.clone());
        tokio::join!(serving, async {
            client(address).await;
            stop.cancel();
        });
    }
}

/// A connection on which a stream was asked for, and of which nothing but the head is read.
async fn lazy(address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut stream = socket.connect(address).await.unwrap();
    let head = format!("GET {BASE}/events HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut first = [0; 12];
    soon("an answer begins", stream.read_exact(&mut first)).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    stream
}

/// The numbers of the events in a part of a stream.
fn numbers(part: &str) -> impl Iterator<Item = u64> {
    let ids = part.lines().filter_map(|line| line.strip_prefix("id: "));
    ids.map(|id| id.parse().unwrap())
}

#[tokio::test]
async fn who_does_not_read_holds_up_nobody_and_is_told_what_is_missing() {
    let limits = Limits { send_timeout: Duration::from_secs(3600), ..Limits::default() };
    let room = Room::observed_within(limits, EventSettings { most: 10, ..EventSettings::default() }).await;
    let before = room.latest().await;
    room.served(async |address| {
        let mut lazy = lazy(address).await;
        let connection = TokioIo::new(TcpStream::connect(address).await.unwrap());
        let (mut sender, connection) = http1::handshake(connection).await.unwrap();
        let request = Request::get(format!("http://{address}{BASE}/events"))
            .header("host", "localhost")
            .header("accept", "text/event-stream");
        let attentive = async {
            let request = request.body(Empty::<Bytes>::new()).unwrap();
            let mut stream = Stream::of(sender.send_request(request).await.unwrap());
            soon("the stream begins", stream.part()).await.unwrap();
            let mut told = before;
            for batch in 1..=16 {
                room.much_happens().await;
                while told < before + batch * BATCH as u64 {
                    let part = soon("an event is told", stream.part()).await.unwrap();
                    for number in numbers(&part) {
                        // While nothing happens, the last one is told again.
                        assert!((told..=told + 1).contains(&number), "{number} after {told}: one is missing");
                        told = number;
                    }
                }
                room.refresh().await;
            }
            told
        };
        let told = tokio::select! {
            told = attentive => told,
            ended = connection => panic!("{ended:?}"),
        };
        let mut text = String::new();
        let missing = loop {
            let mut bytes = vec![0; 1 << 16];
            let count = soon("the stream goes on", lazy.read(&mut bytes)).await.unwrap();
            text.push_str(std::str::from_utf8(&bytes[..count]).unwrap());
            let (_, rest) = text.split_once("event: missed\ndata: {\"missed\":").unwrap_or_default();
            if let Some((missing, _)) = rest.split_once("}\n\nid: ") {
                break missing.parse::<u64>().unwrap();
            }
        };
        let last = numbers(&text).filter(|number| *number < told - 8192).last().unwrap();
        assert!(missing > 0 && last + missing <= told, "{last}, {missing} missing, {told}");
    })
    .await;
}

#[tokio::test]
async fn who_takes_nothing_for_too_long_is_cut_off() {
    let room = room().await;
    room.latest().await;
    room.served(async |address| {
        let mut lazy = lazy(address).await;
        for _ in 0..8 {
            room.much_happens().await;
        }
        tokio::time::pause();
        tokio::time::sleep(2 * Limits::default().send_timeout).await;
        tokio::time::resume();
        let mut rest = Vec::new();
        let ended = soon("the connection ends", lazy.read_to_end(&mut rest)).await;
        assert!(ended.is_err() || !rest.ends_with(b"0\r\n\r\n"), "the stream ends as if it were over");
    })
    .await;
}

#[tokio::test]
async fn what_may_not_be_read_any_more_is_not_told_any_more() {
    let room = room().await;
    room.latest().await;
    let mut stream = Stream::of(room.api.respond(listen("/events", None), remote()).await);
    stream.part().await.unwrap();
    room.api.gateway().replace_policy(policy(vec![rule("viewer", &["rack_1"])]));
    let of_rack_1 = |number| NewEvent {
        rack: Some("rack_1".to_owned()),
        board: Some(BoardId(0x11)),
        ..event(number, Severity::Info, None)
    };
    room.happen([event(0, Severity::Info, Some(0x4000_0001)), of_rack_1(1), event(2, Severity::Info, None)])
        .await;
    let part = stream.part().await.unwrap();
    assert!(part.contains("event 1") && numbers(&part).count() == 1, "{part}");
    room.api.gateway().replace_policy(policy(Vec::new()));
    room.happen([of_rack_1(3)]).await;
    let part = stream.part().await.unwrap();
    assert!(part.starts_with("event: end\ndata: {\"code\":\"forbidden\""), "{part}");
    assert_eq!(stream.part().await, None);
}

#[tokio::test]
async fn a_board_that_is_forgotten_is_told_of_to_its_end() {
    let room = room().await;
    room.latest().await;
    let mut stream = Stream::of(room.api.respond(listen("/events?nodes=12", None), remote()).await);
    stream.part().await.unwrap();
    room.bus.boards.lock().unwrap().retain(|board| board.id == BoardId(0x11));
    room.refresh().await;
    let part = stream.part().await.unwrap();
    assert!(part.contains("event: board_missing\n"), "{part}");
    assert_eq!(room.ask(Method::DELETE, "/boards/12").await.status, 200);
    let mut told = String::new();
    while !told.contains("event: board_removed\n") {
        told.push_str(&stream.part().await.unwrap());
    }
    assert!(told.starts_with("event: unresolved\ndata: {\"code\":\"unknown_name\",\"message\":"), "{told}");
    // It is said once, and is over when there is such a board again.
    room.happen([event(0, Severity::Info, Some(0x12)), event(1, Severity::Info, Some(0x11))]).await;
    let part = stream.part().await.unwrap();
    assert!(part.starts_with("id: ") && part.contains("event 0") && !part.contains("event 1"), "{part}");
    room.bus.boards.lock().unwrap().push(bus_board(0x12));
    room.refresh().await;
    let part = stream.part().await.unwrap();
    assert!(part.starts_with("id: ") && part.contains("event: board_appeared\n"), "{part}");
    room.get("/events?nodes=13").await.problem(404, "unknown_name");
}

#[tokio::test]
async fn only_auditors_of_everything_learn_who_did_what() {
    let room = room().await;
    let before = room.latest().await;
    let action = NewEvent { kind: EventKind::Action, ..event(0, Severity::Info, Some(0x4000_0001)) };
    room.happen([action]).await;
    let told = async |rules| {
        room.api.gateway().replace_policy(policy(rules));
        messages(&room.json(&format!("/events?after={before}&kinds=action")).await).len()
    };
    assert_eq!(told(vec![rule("viewer", &[])]).await, 0);
    assert_eq!(told(vec![rule("auditor", &["rack_2"])]).await, 0);
    assert_eq!(told(vec![rule("auditor", &[])]).await, 1);
}

#[tokio::test]
async fn whoever_ordered_that_power_is_switched_is_named_only_to_auditors() {
    let room = room().await;
    let before = room.latest().await;
    room.json("/boards/11/devices/4002/readings").await;
    let order = json!({ "nodes": "11", "action": "off" });
    assert_eq!(room.post("/power", &order).await.status, 200);
    let device = DeviceAddress { board: BoardId(0x11), device: DeviceId(0x4002) };
    let switched = Observation::Power(power_report(PowerState::Off));
    room.bus.answer(Query::Power { device, kind: DeviceKind::Power }, Ok(switched));
    room.json("/boards/11/devices/4002/readings?max_age=0").await;
    room.latest().await;
    let page = room.json(&format!("/events?after={before}&kinds=power_changed")).await;
    let changed = &page["items"][0];
    assert_eq!(changed["detail"]["ordered"], true, "{page}");
    assert!(!changed.to_string().contains("anonymous"), "{changed}");
    let page = room.json(&format!("/events?after={before}&kinds=action")).await;
    assert_eq!(page["items"][0]["detail"]["who"], "anonymous", "{page}");
}

#[tokio::test]
async fn one_sender_cannot_take_every_stream() {
    let room = room().await;
    let open = async |last: u8| {
        let remote = format!("192.0.2.{last}:4711").parse().unwrap();
        room.api.respond(listen("/events", None), remote).await
    };
    let mut streams = Vec::new();
    for sender in 0..4 {
        for _ in 0..64 {
            streams.push(open(sender).await);
        }
        if sender == 0 {
            let refused = open(0).await;
            assert_eq!(refused.status(), 429);
            assert_eq!(refused.headers()["retry-after"], "10");
        }
    }
    assert!(streams.iter().all(|stream| stream.status() == 200));
    assert_eq!(open(4).await.status(), 503);
    streams.pop();
    assert_eq!(open(4).await.status(), 200);
}
