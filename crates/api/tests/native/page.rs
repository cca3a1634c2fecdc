//! Listings: pages, order, fields.

use std::collections::BTreeSet;

use opendcre_model::{Board, BoardId};
use serde_json::{Value, json};

use crate::support::{BASE, Room};

fn ids(listing: &Value) -> Vec<&str> {
    listing["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap()).collect()
}

/// The path of the next page, as the tests write paths.
fn next(listing: &Value) -> String {
    listing["next"].as_str().unwrap().strip_prefix(BASE).unwrap().to_owned()
}

#[tokio::test]
async fn pages_follow_each_other_to_the_last() {
    let room = Room::new().await;
    let mut path = "/boards?limit=3&fields=id".to_owned();
    let first = room.json(&path).await;
    assert_eq!(ids(&first), ["00000011", "00000012", "40000001"]);
    assert_eq!(first["total"], 4);
    path = next(&first);
    assert!(path.starts_with("/boards?limit=3&fields=id&after="), "{path}");
    let second = room.json(&path).await;
    assert_eq!(
        (ids(&second), &second["next"], &second["total"]),
        (vec!["40000002"], &json!(null), &json!(4))
    );
    assert_eq!(ids(&room.json("/boards?limit=0").await).len(), 4);
}

#[tokio::test]
async fn a_page_goes_on_where_the_last_one_ended_whatever_comes_and_goes() {
    let room = Room::new().await;
    *room.bus.boards.lock().unwrap() = (10..20).map(|id| Board::new(BoardId(id), Vec::new())).collect();
    room.refresh().await;
    let first = room.json("/boards?limit=4&sort=-id&state=present").await;
    assert_eq!(ids(&first), ["40000002", "40000001", "00000013", "00000012"]);
    // The last of the page goes, and another one comes before it.
    room.bus.boards.lock().unwrap().retain(|board| board.id != BoardId(0x12));
    room.bus.boards.lock().unwrap().push(Board::new(BoardId(0x20), Vec::new()));
    room.refresh().await;
    let second = room.json(&next(&first)).await;
    assert_eq!(ids(&second), ["00000011", "00000010", "0000000f", "0000000e"]);
}

#[tokio::test]
async fn listings_are_sorted_by_several_fields_in_both_directions() {
    let room = Room::new().await;
    let sorted = async |sort: &str| {
        let listing = room.json(&format!("/devices?limit=0&fields=board_name,kind&sort={sort}")).await;
        let items = listing["items"].as_array().unwrap().iter();
        items
            .map(|item| format!("{} {}", item["board_name"], item["kind"]).replace('"', ""))
            .collect::<Vec<_>>()
    };
    let by_kind = sorted("kind,-board_name").await;
    assert_eq!(
        by_kind[..4],
        ["led web-02", "led web-01", "led 00000012", "led 00000011"].map(|text| {
            let (kind, name) = text.split_once(' ').unwrap();
            format!("{name} {kind}")
        })
    );
    let by_name = sorted("-board_name,name").await;
    assert_eq!(by_name[..4], ["web-02 temperature", "web-02 led", "web-02 power", "web-02 system"]);
    for page in [
        "/racks?sort=-missing,id",
        "/groups?sort=-name",
        "/labels?sort=boards",
        "/sources?sort=-state",
        "/jobs?sort=-created",
    ] {
        room.json(page).await;
    }
}

#[tokio::test]
async fn jobs_are_listed_newest_first_unless_the_request_says_otherwise() {
    let room = Room::new().await;
    let mut made = Vec::new();
    for _ in 0..3 {
        let job = room.post("/power", &json!({"nodes": "11", "action": "on"})).await.json();
        made.push(job["id"].as_str().unwrap().to_owned());
    }
    let oldest_first = room.json("/jobs?sort=id").await;
    assert_eq!(ids(&oldest_first), made);
    made.reverse();
    let first = room.json("/jobs?limit=2").await;
    assert_eq!(ids(&first), made[..2]);
    assert_eq!(ids(&room.json(&next(&first)).await), made[2..]);
}

#[tokio::test]
async fn only_the_fields_that_are_asked_for_are_answered_in_their_order() {
    let room = Room::new().await;
    let answer = room.get("/boards?fields=state,id,state&limit=1").await;
    let expected = r#"{"items":[{"state":"present","id":"00000011"}],"next":"#;
    assert!(answer.text().starts_with(expected), "{}", answer.text());
}

#[tokio::test]
async fn a_long_listing_is_sent_piece_by_piece() {
    let room = Room::new().await;
    *room.bus.boards.lock().unwrap() = (1..=2000).map(|id| Board::new(BoardId(id), Vec::new())).collect();
    room.refresh().await;
    let answer = room.get("/boards?limit=0").await;
    assert_eq!(answer.length, None);
    let listing = answer.json();
    let ids: BTreeSet<&str> = ids(&listing).into_iter().collect();
    assert_eq!(ids.len(), 2002);
    assert_eq!(listing["total"], 2002);
}
