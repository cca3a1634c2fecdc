//! Clients that are slow, idle, or many, over HTTP/1.

use std::io::ErrorKind;
use std::time::Duration;

use opendcre_api::Limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, sleep, timeout};

use crate::client::{TEST, ask, connect, read_answer, read_to_end, usual};
use crate::files::{Authority, Folder};
use crate::room::Room;

/// A large answer: the description of the API.
const LARGE: &[u8] = b"GET /opendcre/2/openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n";

#[tokio::test(start_paused = true)]
async fn a_header_that_comes_byte_by_byte_is_not_waited_for() {
    let room = Room::plain(Limits::default()).await;
    let mut stream = room.connect().await;
    let start = Instant::now();
    stream.write_all(b"GET /").await.unwrap();
    while stream.write_all(b"x").await.is_ok() {
        sleep(Duration::from_millis(900)).await;
    }
    assert!(start.elapsed() >= Duration::from_secs(10) && start.elapsed() < Duration::from_secs(14));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_comes_byte_by_byte_is_not_waited_for() {
    let room = Room::plain(Limits::default()).await;
    let head = "POST /opendcre/1.1/test HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\n\r\n";
    let (mut reader, mut writer) = room.connect().await.into_split();
    writer.write_all(head.as_bytes()).await.unwrap();
    let start = Instant::now();
    let dripping = async {
        while writer.write_all(b"x").await.is_ok() {
            sleep(Duration::from_secs(1)).await;
        }
    };
    let (answer, ()) = tokio::join!(read_answer(&mut reader), dripping);
    assert_eq!(answer.unwrap().0, 504);
    assert!(start.elapsed() >= Duration::from_secs(60) && start.elapsed() < Duration::from_secs(65));
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed_after_its_time_and_not_before() {
    let authority = Authority::new("authority");
    let folder = Folder::with(&authority.server());
    let room = Room::encrypted(folder.files()).await;
    let mut stream = connect(&room, &usual(&room, &authority, None)).await.unwrap();
    for _ in 0..3 {
        sleep(Duration::from_secs(9)).await;
        assert_eq!(ask(&mut stream).await.unwrap().0, 200);
    }
    let start = Instant::now();
    assert_eq!(stream.read(&mut [0]).await.unwrap(), 0, "it is ended by a notice of TLS");
    assert!(start.elapsed() >= Duration::from_secs(10) && start.elapsed() < Duration::from_secs(11));
}

/// A connection that takes little at once.
async fn narrow(room: &Room) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(room.address).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_not_taken_is_given_up() {
    let room = Room::plain(Limits::default()).await;
    let mut stream = narrow(&room).await;
    for _ in 0..100 {
        stream.write_all(LARGE).await.unwrap();
    }
    let start = Instant::now();
    sleep(Duration::from_secs(35)).await;
    // What had been sent before is still there; then it ends in the middle.
    let bytes = timeout(Duration::from_secs(1), read_to_end(&mut stream)).await.unwrap();
    assert!(start.elapsed() < Duration::from_secs(37));
    assert!(!bytes.is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_taken_byte_by_byte_is_given_up() {
    let room = Room::plain(Limits::default()).await;
    let mut stream = narrow(&room).await;
    for _ in 0..100 {
        stream.write_all(LARGE).await.unwrap();
    }
    let start = Instant::now();
    // As long as the connection is open, its writing side takes bytes or is full.
    let is_open = |stream: &TcpStream| match stream.try_write(b"x") {
        Ok(_) => true,
        Err(error) => error.kind() == ErrorKind::WouldBlock,
    };
    while is_open(&stream) {
        assert!(start.elapsed() < Duration::from_secs(40));
        stream.read_exact(&mut [0]).await.unwrap();
        sleep(Duration::from_secs(1)).await;
    }
    assert!(start.elapsed() >= Duration::from_secs(30));
}

#[tokio::test]
async fn too_many_connections_of_one_address_cost_the_idle_ones_of_that_address() {
    let limits = Limits { connections_per_address: 3, ..Limits::default() };
    let room = Room::plain(limits).await;
    let mut slow = Vec::new();
    for _ in 0..3 {
        let mut stream = room.connect().await;
        stream.write_all(b"GET /op").await.unwrap();
        slow.push(stream);
    }
    let mut stream = room.connect().await;
    assert_eq!(ask(&mut stream).await.unwrap().0, 200);
    assert_eq!(read_to_end(&mut slow[0]).await, b"");
    slow[2].write_all(&TEST[7..]).await.unwrap();
    assert_eq!(read_answer(&mut slow[2]).await.unwrap().0, 200);
}

#[tokio::test]
async fn slow_clients_of_all_kinds_do_not_keep_a_health_check_out() {
    let limits = Limits { connections: 8, ..Limits::default() };
    let room = Room::plain(limits).await;
    let body = &b"POST /opendcre/1.1/test HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\n\r\nx"[..];
    let mut slow = Vec::new();
    for beginning in [&b""[..], b"GET /", b"PRI * HTTP/2.0\r\n\r\nSM", body].into_iter().cycle().take(32) {
        let mut stream = room.connect().await;
        stream.write_all(beginning).await.unwrap();
        slow.push(stream);
    }
    let mut stream = room.connect().await;
    assert_eq!(ask(&mut stream).await.unwrap().0, 200);
}
