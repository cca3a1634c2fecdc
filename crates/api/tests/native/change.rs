//! The feed of changes.

use std::time::Duration;

use http::Method;
use opendcre_api::{Limits, Listen, Server};
use opendcre_gateway::Settings;
use opendcre_model::BoardId;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::support::{BASE, Room};

fn kinds(feed: &Value) -> Vec<&str> {
    feed["items"].as_array().unwrap().iter().map(|change| change["kind"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn the_feed_tells_what_happened_since_a_change() {
    let room = Room::new().await;
    let feed = room.json("/changes").await;
    assert_eq!(kinds(&feed), ["appeared"; 4]);
    assert_eq!((&feed["oldest"], &feed["latest"]), (&json!(1), &json!(4)));
    assert_eq!(kinds(&room.json("/changes?limit=2").await).len(), 2);
    room.bus.boards.lock().unwrap().retain(|board| board.id == BoardId(0x11));
    room.refresh().await;
    let feed = room.json("/changes?after=4").await;
    assert_eq!(kinds(&feed), ["vanished"]);
    assert_eq!(feed["items"][0]["board"], "00000012");
    assert_eq!(room.json("/boards/12").await["state"], "missing");
    assert_eq!(room.json("/racks/rack_1").await["missing"], 1);
    room.get("/changes?after=99").await.problem(410, "gone_cursor");
}

#[tokio::test(start_paused = true)]
async fn who_waits_is_answered_with_the_next_change() {
    let room = Room::new().await;
    let start = Instant::now();
    assert_eq!(kinds(&room.json("/changes?after=4&wait=30").await), [""; 0]);
    assert_eq!(start.elapsed(), Duration::from_secs(30));
    let change = async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        room.bus.boards.lock().unwrap().clear();
        room.refresh().await;
    };
    let (feed, ()) = tokio::join!(room.json("/changes?after=4&wait=50"), change);
    assert!(kinds(&feed).starts_with(&["vanished"]), "{feed}");
    assert_eq!(start.elapsed(), Duration::from_secs(35));
    assert_eq!(kinds(&room.json("/changes?after=4&wait=50").await), ["vanished"; 2]);
    assert_eq!(start.elapsed(), Duration::from_secs(35));
}

#[tokio::test(start_paused = true)]
async fn the_feed_can_be_that_of_some_boards() {
    let room = Room::new().await;
    let feed = room.json("/changes?nodes=rack_1,-11").await;
    assert_eq!((kinds(&feed), &feed["latest"]), (vec!["appeared"], &json!(4)));
    assert_eq!(feed["items"][0]["board"], "00000012");
    let start = Instant::now();
    let changes = async {
        for gone in [0x11, 0x12] {
            tokio::time::sleep(Duration::from_secs(5)).await;
            room.bus.boards.lock().unwrap().retain(|board| board.id != BoardId(gone));
            room.refresh().await;
        }
    };
    let (feed, ()) = tokio::join!(room.json("/changes?nodes=12&after=4&wait=50"), changes);
    assert_eq!((kinds(&feed), &feed["items"][0]["board"]), (vec!["vanished"], &json!("00000012")));
    assert_eq!(start.elapsed(), Duration::from_secs(10), "what happens to others is no answer");
    let none = room.json("/changes?nodes=web-01&after=6&wait=7").await;
    assert_eq!((kinds(&none), start.elapsed()), (vec![], Duration::from_secs(17)));
}

#[tokio::test]
async fn a_board_that_has_left_is_forgotten() {
    let room = Room::new().await;
    let forget = async |board: &str| room.ask(Method::DELETE, &format!("/boards/{board}")).await;
    let body = forget("12").await.problem(409, "not_missing");
    assert!(body["detail"].as_str().unwrap().contains("is not missing but present"), "{body}");
    room.bus.boards.lock().unwrap().retain(|board| board.id == BoardId(0x11));
    room.refresh().await;
    let known = room.json("/boards/12").await;
    let answer = forget("12").await;
    assert_eq!((answer.status.as_u16(), answer.json()), (200, known));
    assert_eq!(answer.header("etag"), None);
    room.get("/boards/12").await.problem(404, "unknown_board");
    forget("12").await.problem(404, "unknown_board");
    assert_eq!(room.json("/boards").await["total"], 3);
    let feed = room.json("/changes?after=5").await;
    assert_eq!((kinds(&feed), &feed["items"][0]["board"]), (vec!["forgotten"], &json!("00000012")));
    room.ask(Method::DELETE, "/boards/11?force=true").await.problem(400, "unknown_parameter");
    assert!(room.bus.take_calls().is_empty());
}

#[tokio::test]
async fn a_service_that_only_reads_forgets_nothing() {
    let settings = Settings { read_only: true, ..Settings::default() };
    let room = Room::unseen(Limits::default(), settings);
    room.refresh().await;
    room.bus.boards.lock().unwrap().clear();
    room.refresh().await;
    room.ask(Method::DELETE, "/boards/11").await.problem(403, "forbidden");
    assert_eq!(room.json("/boards/11").await["state"], "missing");
}

#[tokio::test(start_paused = true)]
async fn who_waits_after_a_change_that_never_happened_is_told_so_at_once() {
    let room = Room::new().await;
    let start = Instant::now();
    room.get("/changes?after=5&wait=30").await.problem(410, "gone_cursor");
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test]
async fn a_server_that_stops_keeps_nobody_waiting() {
    let room = Room::new().await;
    let server = Server::bind([Listen::Tcp("127.0.0.1:0".parse().unwrap())]).await.unwrap();
    let mut client = TcpStream::connect(server.address().unwrap()).await.unwrap();
    let stop = CancellationToken::new();
    let serving = server.run(room.api.clone(), None, stop.clone());
    let asking = async {
        let get = |path: &str| format!("GET {BASE}{path} HTTP/1.1\r\nHost: x\r\n\r\n");
        // When the first answer is there, the second request is being answered.
        client.write_all((get("/nothing") + &get("/changes?after=4&wait=50")).as_bytes()).await.unwrap();
        let mut answers = String::new();
        while !answers.ends_with('}') {
            let mut buffer = [0; 1024];
            let count = client.read(&mut buffer).await.unwrap();
            answers.push_str(std::str::from_utf8(&buffer[..count]).unwrap());
        }
        stop.cancel();
        client.read_to_string(&mut answers).await.unwrap();
        answers
    };
    let start = Instant::now();
    let ((), answers) = tokio::join!(serving, asking);
    assert!(answers.contains("HTTP/1.1 200 OK") && answers.ends_with('}'), "{answers}");
    assert!(start.elapsed() < Duration::from_secs(25));
}
