//! The feed of changes.

use std::time::Duration;

use opendcre_api::Server;
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
async fn who_waits_after_a_change_that_never_happened_is_told_so_at_once() {
    let room = Room::new().await;
    let start = Instant::now();
    room.get("/changes?after=5&wait=30").await.problem(410, "gone_cursor");
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test]
async fn a_server_that_stops_keeps_nobody_waiting() {
    let room = Room::new().await;
    let server = Server::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let mut client = TcpStream::connect(server.address()).await.unwrap();
    let stop = CancellationToken::new();
    let serving = server.run(room.api.clone(), stop.clone());
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
