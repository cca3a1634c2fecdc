//! HTTP/2: the same limits, and those that only it needs.

use std::time::Duration;

use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use opendcre_api::Limits;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use crate::client::{http2, read_to_end, request, taken_apart};
use crate::room::Room;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Settings without any (RFC 9113 §6.5).
const NO_SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
const GO_AWAY: u8 = 7;

/// One frame: its type and its payload.
async fn read_frame<S: AsyncRead + Unpin>(stream: &mut S) -> Option<(u8, Vec<u8>)> {
    let mut head = [0; 9];
    stream.read_exact(&mut head).await.ok()?;
    let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
    stream.read_exact(&mut payload).await.ok()?;
    Some((head[3], payload))
}

/// A connection on which HTTP/2 has begun, and the settings of the server.
async fn begin(room: &Room) -> (TcpStream, Vec<(u16, u32)>) {
    let mut stream = room.connect().await;
    // In two parts, as a preface may come.
    stream.write_all(&PREFACE[..5]).await.unwrap();
    tokio::task::yield_now().await;
    stream.write_all(&PREFACE[5..]).await.unwrap();
    stream.write_all(NO_SETTINGS).await.unwrap();
    let (kind, payload) = read_frame(&mut stream).await.unwrap();
    assert_eq!(kind, 4);
    let setting = |one: &[u8]| {
        (u16::from_be_bytes([one[0], one[1]]), u32::from_be_bytes([one[2], one[3], one[4], one[5]]))
    };
    let settings = payload.chunks(6).map(setting).collect();
    (stream, settings)
}

#[tokio::test]
async fn the_limits_are_told() {
    let room = Room::plain(Limits::default()).await;
    let (_, settings) = begin(&room).await;
    for expected in [(3, 32), (4, 65_536), (6, 16_384)] {
        assert!(settings.contains(&expected), "{settings:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed_with_a_notice_whatever_it_chatters() {
    let room = Room::plain(Limits::default()).await;
    let (mut stream, _) = begin(&room).await;
    let start = Instant::now();
    let mut kinds = Vec::new();
    let ping = [&[0, 0, 8, 6, 0, 0, 0, 0, 0][..], &[1; 8]].concat();
    loop {
        match timeout(Duration::from_secs(1), read_frame(&mut stream)).await {
            Ok(Some((kind, _))) => kinds.push(kind),
            Ok(None) => break,
            Err(_) => drop(stream.write_all(&ping).await),
        }
    }
    assert!(kinds.contains(&GO_AWAY), "{kinds:?}");
    assert!(start.elapsed() >= Duration::from_secs(10) && start.elapsed() < Duration::from_secs(13));
}

#[tokio::test(start_paused = true)]
async fn a_preface_that_never_ends_is_not_waited_for() {
    let room = Room::plain(Limits::default()).await;
    for end in [false, true] {
        let mut stream = room.connect().await;
        stream.write_all(&PREFACE[..20]).await.unwrap();
        if end {
            stream.shutdown().await.unwrap();
        }
        let start = Instant::now();
        read_to_end(&mut stream).await;
        assert!(start.elapsed() < Duration::from_secs(21), "{:?}", start.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_comes_byte_by_byte_is_not_waited_for() {
    const HEADERS: u8 = 1;
    let room = Room::plain(Limits::default()).await;
    let (mut stream, _) = begin(&room).await;
    // POST http://x/opendcre/1.1/test, as in `a_flood_of_resets_ends_the_connection`.
    let path = b"/opendcre/1.1/test";
    let fields = [&[0x83, 0x86, 0x41, 1, b'x', 0x44, 18][..], path].concat();
    stream.write_all(&[0, 0, 25, 1, 4, 0, 0, 0, 1]).await.unwrap();
    stream.write_all(&fields).await.unwrap();
    let start = Instant::now();
    let (mut reader, mut writer) = stream.into_split();
    let dripping = async {
        while writer.write_all(&[0, 0, 1, 0, 0, 0, 0, 0, 1, b'x']).await.is_ok() {
            sleep(Duration::from_secs(1)).await;
        }
    };
    let answering = async {
        while let Some((kind, _)) = read_frame(&mut reader).await {
            if kind == HEADERS {
                return start.elapsed();
            }
        }
        panic!("no answer after {:?}", start.elapsed());
    };
    let time = tokio::select! { time = answering => time, () = dripping => panic!("it was cut off") };
    assert!(time >= Duration::from_secs(60) && time < Duration::from_secs(62), "{time:?}");
}

#[tokio::test]
async fn headers_have_the_same_limits() {
    let room = Room::plain(Limits::default()).await;
    let mut client = http2(room.connect().await, 65_535).await;
    let asking = async {
        let with = |name: &str, value: &str, count: usize| {
            let mut request = Request::get("http://localhost/opendcre/1.1/test");
            for index in 0..count {
                request = request.header(format!("{name}{index}"), value);
            }
            request.body(Empty::<Bytes>::new()).unwrap()
        };
        for (request, status) in
            [(with("x", "y", 100), 200), (with("x", "y", 101), 431), (with("x", &"y".repeat(2000), 7), 200)]
        {
            let response = client.sender.send_request(request).await.unwrap();
            let has_empty_field = response.headers().values().any(|value| value.is_empty());
            assert!(!has_empty_field, "{response:?}");
            assert_eq!(taken_apart(response).await.0.as_u16(), status);
        }
        // The client library keeps to the limit that it was told, if it is told at all.
        let large = client.sender.send_request(with("x", &"y".repeat(2000), 9)).await;
        assert!(large.is_err() || large.is_ok_and(|response| response.status() == 431));
    };
    tokio::select! { () = asking => {}, ended = client.driver => panic!("{ended:?}") }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_not_taken_is_given_up() {
    let room = Room::plain(Limits::default()).await;
    // A window of one byte: every answer is stuck at once, while the connection is free.
    let mut client = http2(room.connect().await, 1).await;
    let start = Instant::now();
    let asking = async {
        let response = client.sender.send_request(request("/opendcre/2/openapi.json")).await.unwrap();
        assert_eq!(response.status(), 200);
        std::future::pending::<()>().await;
        drop(response);
    };
    tokio::select! { () = asking => {}, ended = client.driver => drop(ended) }
    assert!(start.elapsed() >= Duration::from_secs(30), "{:?}", start.elapsed());
    assert!(start.elapsed() < Duration::from_secs(45), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_large_answer_arrives_whole_through_a_small_window() {
    let room = Room::plain(Limits::default()).await;
    let mut lengths = Vec::new();
    for window in [100, 65_535, 1 << 20] {
        let mut client = http2(room.connect().await, window).await;
        let asking = async {
            let response = client.sender.send_request(request("/opendcre/2/openapi.json")).await.unwrap();
            response.into_body().collect().await.unwrap().to_bytes()
        };
        let body = tokio::select! { body = asking => body, ended = client.driver => panic!("{ended:?}") };
        serde_json::from_slice::<serde_json::Value>(&body).unwrap();
        lengths.push(body.len());
    }
    assert!(lengths[0] > 50_000 && lengths.iter().all(|length| *length == lengths[0]), "{lengths:?}");
}

#[tokio::test]
async fn stopping_tells_the_client_and_finishes() {
    let room = Room::plain(Limits::default()).await;
    let mut client = http2(room.connect().await, 65_535).await;
    let mut driver = std::pin::pin!(client.driver);
    let response = tokio::select! {
        response = client.sender.send_request(request("/opendcre/1.1/test")) => response.unwrap(),
        ended = driver.as_mut() => panic!("{ended:?}"),
    };
    drop(response);
    let (ended, ()) = tokio::join!(driver, room.stop());
    ended.unwrap();
}

#[tokio::test(start_paused = true)]
async fn stopping_cuts_off_what_never_ends() {
    let limits = Limits { send_timeout: Duration::from_secs(3600), ..Limits::default() };
    let room = Room::plain(limits).await;
    let mut client = http2(room.connect().await, 1).await;
    let mut driver = std::pin::pin!(client.driver);
    let _stuck = tokio::select! {
        response = client.sender.send_request(request("/opendcre/2/openapi.json")) => response.unwrap(),
        ended = driver.as_mut() => panic!("{ended:?}"),
    };
    let start = Instant::now();
    let (_, ()) = tokio::join!(driver, room.stop());
    assert!(start.elapsed() >= Duration::from_secs(30) && start.elapsed() < Duration::from_secs(31));
}

#[tokio::test]
async fn a_flood_of_resets_ends_the_connection() {
    let room = Room::plain(Limits::default()).await;
    let (mut stream, _) = begin(&room).await;
    // GET http://x/ (RFC 7541, appendix A: 2, 6, 4, and the authority as a literal), then RST_STREAM with CANCEL.
    let mut flood = Vec::new();
    for stream in (1_u32..2001).step_by(2) {
        let id = stream.to_be_bytes();
        flood.extend([0, 0, 6, 1, 5, id[0], id[1], id[2], id[3], 0x82, 0x86, 0x84, 0x41, 1, b'x']);
        flood.extend([0, 0, 4, 3, 0, id[0], id[1], id[2], id[3], 0, 0, 0, 8]);
    }
    let _ = stream.write_all(&flood).await;
    let mut kinds = Vec::new();
    while let Some((kind, _)) = read_frame(&mut stream).await {
        kinds.push(kind);
    }
    assert!(kinds.contains(&GO_AWAY), "{kinds:?}");
}
