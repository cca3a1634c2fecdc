//! How the polling goes.

use serde_json::json;

use crate::support::Room;

#[tokio::test]
async fn polls_are_counted_and_chosen_by_board_and_state() {
    let room = Room::new().await;
    let all = room.json("/polls").await;
    let states = ["failing", "late", "partial", "pending", "running", "waiting"];
    assert_eq!(all["counts"].as_object().unwrap().keys().collect::<Vec<_>>(), states);
    assert_eq!(room.json("/polls?nodes=web-01&state=late").await["items"], json!([]));
    room.get("/polls?state=lazy").await.problem(400, "bad_parameter");
    room.get("/polls?nodes=nobody").await.problem(404, "unknown_name");
}
