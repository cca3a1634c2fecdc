//! The real server behind a real socket: its limits, and how it stops.

use std::net::SocketAddr;
use std::time::Duration;

use opendcre_api::{BindError, Limits, Listen, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::support::Room;

/// A running server.
struct Running {
    room: Room,
    address: SocketAddr,
    shutdown: CancellationToken,
    server: JoinSet<()>,
}

impl Running {
    async fn start(limits: Limits) -> Self {
        let room = Room::with(1, limits);
        let server = Server::bind([loopback()]).await.unwrap();
        let address = server.address().unwrap();
        let shutdown = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(server.run(room.api.clone(), None, shutdown.clone()));
        Self { room, address, shutdown, server: tasks }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends `bytes` on a new connection and reads until the server closes it.
    async fn exchange(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect().await;
        stream.write_all(bytes).await.unwrap();
        read_to_end(&mut stream).await
    }

    /// Waits until the server is gone.
    async fn stopped(mut self) {
        self.server.join_next().await.unwrap().unwrap();
    }
}

/// Any free port.
fn loopback() -> Listen {
    Listen::Tcp("127.0.0.1:0".parse().unwrap())
}

/// Everything until the server closes; a reset after the answer counts as closing, as the server may not have read
/// everything that was sent.
async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
        bytes.extend_from_slice(&buffer[..count]);
    }
    String::from_utf8(bytes).unwrap()
}

/// Reads one answer and leaves the connection open.
async fn read_answer(stream: &mut TcpStream, end: &str) -> String {
    let mut text = String::new();
    while !text.ends_with(end) {
        let mut buffer = [0; 1024];
        let count = stream.read(&mut buffer).await.unwrap();
        assert_ne!(count, 0, "closed after {text:?}");
        text.push_str(std::str::from_utf8(&buffer[..count]).unwrap());
    }
    text
}

const TEST: &[u8] = b"GET /opendcre/1.1/test HTTP/1.1\r\nHost: x\r\n\r\n";
const TEST_AND_CLOSE: &[u8] = b"GET /opendcre/1.1/test HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
const VERSION: &[u8] = b"GET /opendcre/1.1/version/1 HTTP/1.1\r\nHost: x\r\n\r\n";

#[tokio::test]
async fn answers_over_the_wire() {
    let running = Running::start(Limits::default()).await;
    let answer = running.exchange(TEST_AND_CLOSE).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("\r\ncontent-length: 15\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n{\"status\":\"ok\"}"), "{answer}");

    let mut stream = running.connect().await;
    for _ in 0..3 {
        stream.write_all(TEST).await.unwrap();
        read_answer(&mut stream, "{\"status\":\"ok\"}").await;
    }
}

#[tokio::test]
async fn a_client_that_has_said_everything_gets_its_answer() {
    let running = Running::start(Limits::default()).await;
    let mut stream = running.connect().await;
    stream.write_all(b"GET /opendcre/1.1/test HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    stream.shutdown().await.unwrap();
    let answer = read_to_end(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
}

#[tokio::test]
async fn head_has_no_body_and_promises_none() {
    let running = Running::start(Limits::default()).await;
    for path in ["test", "scan/zz"] {
        let request = format!("HEAD /opendcre/1.1/{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let answer = running.exchange(request.as_bytes()).await;
        assert!(answer.ends_with("\r\n\r\n"), "{answer}");
        assert!(answer.contains("content-type: application/json"), "{answer}");
        assert!(!answer.contains("content-length"), "{answer}");
    }
}

#[tokio::test]
async fn too_much_header_is_431() {
    let running = Running::start(Limits::default()).await;
    let long = format!("GET /opendcre/1.1/test HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(16 * 1024));
    let many = format!("GET /opendcre/1.1/test HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(101));
    let path = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(17 * 1024));
    for request in [long, many, path] {
        let answer = running.exchange(request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer:?}");
    }
}

#[tokio::test]
async fn what_is_not_http_is_400() {
    let running = Running::start(Limits::default()).await;
    for request in ["GET\r\n\r\n", "\x16\x03\x01\x02\x00\x01 hello\r\n\r\n", "GET /a b HTTP/1.1\r\n\r\n"] {
        let answer = running.exchange(request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer:?}");
    }
    assert!(running.exchange(TEST_AND_CLOSE).await.contains(" 200 OK"));
}

#[tokio::test]
async fn too_much_body_is_413_and_nothing_is_done() {
    let running = Running::start(Limits::default()).await;
    let announced =
        "POST /opendcre/1.1/power/on/1/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 65537\r\n\r\n".to_owned();
    let chunk = format!("{:x}\r\n{}\r\n", 0x8000, "x".repeat(0x8000));
    let head = "POST /opendcre/1.1/power/on/1/1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunked = format!("{head}{chunk}{chunk}{chunk}");
    for request in [announced, chunked] {
        let mut stream = running.connect().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        let answer = read_answer(&mut stream, "}").await;
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
        assert!(answer.contains("\"code\":\"body_too_large\""), "{answer}");
    }
    assert!(running.room.bus.calls().is_empty());
}

#[tokio::test]
async fn a_broken_body_does_nothing() {
    let running = Running::start(Limits::default()).await;
    let head = "POST /opendcre/1.1/power/on/1/1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    let answer = running.exchange(format!("{head}zz\r\n").as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(running.room.bus.calls().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_slow_or_idle_is_dropped() {
    let running = Running::start(Limits::default()).await;
    for beginning in ["", "GET /opendcre/1.1/te"] {
        let start = Instant::now();
        let answer = running.exchange(beginning.as_bytes()).await;
        assert_eq!(answer, "");
        assert!(start.elapsed() >= Duration::from_secs(10));
        assert!(start.elapsed() < Duration::from_secs(11));
    }
}

#[tokio::test]
async fn one_connection_too_many_takes_the_place_of_an_idle_one() {
    let limits = Limits { connections: 1, ..Limits::default() };
    let running = Running::start(limits).await;
    let mut first = running.connect().await;
    first.write_all(TEST).await.unwrap();
    read_answer(&mut first, "{\"status\":\"ok\"}").await;

    let mut second = running.connect().await;
    second.write_all(TEST).await.unwrap();
    read_answer(&mut second, "{\"status\":\"ok\"}").await;
    assert_eq!(read_to_end(&mut first).await, "");
}

#[tokio::test]
async fn one_connection_too_many_waits_for_those_that_are_answered() {
    let limits = Limits { connections: 1, ..Limits::default() };
    let running = Running::start(limits).await;
    running.room.bus.permits.forget_permits(100);
    let mut busy = running.connect().await;
    busy.write_all(VERSION).await.unwrap();
    running.room.bus.called.notified().await;

    let mut waiting = running.connect().await;
    waiting.write_all(TEST).await.unwrap();
    running.room.bus.permits.add_permits(1);
    let answer = read_answer(&mut busy, "\"api_version\":\"1.1\"}").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    read_answer(&mut waiting, "{\"status\":\"ok\"}").await;
}

#[tokio::test]
async fn stopping_finishes_the_running_request() {
    let running = Running::start(Limits::default()).await;
    running.room.bus.permits.forget_permits(100);
    let mut idle = running.connect().await;
    let mut busy = running.connect().await;
    busy.write_all(VERSION).await.unwrap();
    running.room.bus.called.notified().await;

    running.shutdown.cancel();
    assert_eq!(read_to_end(&mut idle).await, "");
    TcpStream::connect(running.address).await.unwrap_err();

    running.room.bus.permits.add_permits(1);
    let answer = read_to_end(&mut busy).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");
    assert!(answer.ends_with("\"api_version\":\"1.1\"}"), "{answer}");
    let gateway = running.room.api.gateway().clone();
    running.stopped().await;
    assert!(gateway.readiness().shutting_down);
}

#[tokio::test(start_paused = true)]
async fn stopping_does_not_wait_for_ever() {
    let running = Running::start(Limits::default()).await;
    running.room.bus.permits.forget_permits(100);
    let mut stuck = running.connect().await;
    stuck.write_all(VERSION).await.unwrap();
    running.room.bus.called.notified().await;

    let start = Instant::now();
    running.shutdown.cancel();
    running.stopped().await;
    assert!(start.elapsed() >= Duration::from_secs(30));
    assert!(start.elapsed() < Duration::from_secs(31));
    assert_eq!(read_to_end(&mut stuck).await, "");
}

#[tokio::test]
async fn a_port_in_use_is_said_in_one_sentence() {
    let first = Server::bind([loopback()]).await.unwrap();
    let address = first.address().unwrap();
    let error = Server::bind([address.into()]).await.unwrap_err();
    assert!(matches!(error, BindError::InUse(taken) if taken == address));
    let port = address.port();
    let expected = format!(
        "port {port} on 127.0.0.1 is in use by another program; stop that program or listen on another port"
    );
    assert_eq!(error.to_string(), expected);
}

#[tokio::test]
async fn an_address_that_is_not_there_yet_is_listened_on_and_told() {
    for (address, codes) in [
        ("192.0.2.1:0", &["address_missing"][..]),
        ("[2001:db8::1]:0", &["address_missing"]),
        ("127.0.0.1:0", &[]),
    ] {
        let server = Server::bind([Listen::Tcp(address.parse().unwrap())]).await.unwrap();
        let room = Room::new();
        server.watch_addresses(room.api.gateway());
        let told: Vec<_> = room.api.gateway().readiness().defects.iter().map(|defect| defect.code).collect();
        assert_eq!(told, codes, "{address}");
    }
}
