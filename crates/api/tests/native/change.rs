//! The feed of changes.

use std::time::Duration;

use opendcre_model::BoardId;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::support::Room;

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
