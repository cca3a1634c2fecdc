//! How the polling goes.

use std::time::Duration;

use opendcre_gateway::PollSettings;
use opendcre_model::{DriverError, Fault};
use serde_json::json;
use tokio_util::sync::CancellationToken;

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

#[tokio::test(start_paused = true)]
async fn boards_that_do_not_answer_fail_and_say_why() {
    let room = Room::new().await;
    room.bmcs.fail(Some(DriverError::new(Fault::Timeout, "the BMC is silent").with_code("unreachable")));
    let (stop, gateway, settings) =
        (CancellationToken::new(), room.api.gateway().clone(), PollSettings::default());
    let looking = async {
        tokio::time::sleep(Duration::from_secs(90)).await;
        let polls = room.json("/polls?state=failing").await;
        let names: Vec<_> =
            polls["items"].as_array().unwrap().iter().map(|poll| &poll["board_name"]).collect();
        assert_eq!(names, ["web-01", "web-02"]);
        let poll = &polls["items"][0];
        assert_eq!((&poll["state"], &poll["answered_at"]), (&json!("failing"), &json!(null)));
        assert_eq!((&poll["values"], &poll["failed"]), (&json!(2), &json!(2)));
        let failure = json!({"device": "0100", "device_name": "power", "code": "unreachable", "message": "the BMC is silent"});
        assert_eq!(poll["failures"][0], failure);
        assert_eq!((&polls["counts"]["failing"], &polls["counts"]["waiting"]), (&json!(2), &json!(2)));
        assert_eq!(room.json("/polls?state=failing&nodes=rack_1").await["items"], json!([]));
        room.bmcs.fail(None);
        tokio::time::sleep(Duration::from_secs(900)).await;
        let polls = room.json("/polls").await;
        assert_eq!(polls["counts"]["failing"], json!(0));
        assert!(
            polls["items"].as_array().unwrap().iter().all(|poll| poll["failures"] == json!([])),
            "{polls}"
        );
        stop.cancel();
    };
    tokio::join!(gateway.keep_polling(&settings, stop.clone()), looking);
}
