//! Changes: what is recorded when, and what happens when the caller or the service goes away.

use std::time::Duration;

use crate::support::{Call, MAX_CHANGES, Room, board, failure, power_off, somebody};
use opendcre_gateway::{Command, GatewayError, Outcome};
use opendcre_model::{
    Action, BoardId, BootOverride, BootTarget, DeviceAddress, DeviceId, DeviceKind, Fault, Identify,
    Observation, PowerAction, PowerLimit, PowerLimitException, Priority, Query, RawRequest, Scope,
};
use serde_json::json;
use tokio::time::Instant;

async fn switch_off(room: &Room) -> Result<Outcome, GatewayError> {
    switch_off_board(room, 1).await
}

async fn switch_off_board(room: &Room, board: u32) -> Result<Outcome, GatewayError> {
    room.gateway.execute(&somebody(), Command::Action(power_off(board))).await
}

/// Starts a change, lets it reach the driver, and abandons it there.
async fn abandon_a_change(room: &Room) {
    let before = room.drivers[0].calls().len();
    let reached = async {
        while room.drivers[0].calls().len() == before {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        result = switch_off(room) => panic!("{result:?}"),
        () = reached => {}
    }
}

#[tokio::test]
async fn the_intent_is_on_disk_before_the_driver_is_asked_and_the_outcome_after() {
    let room = Room::with_drivers(1);
    switch_off(&room).await.unwrap();

    let intent = json!({
        "kind": "intent", "id": room.audited()[0]["id"], "time": "2026-12-01T10:00:00Z",
        "who": {"name": "anonymous", "login": "anonymous"}, "remote": "192.0.2.7:4711", "request_id": "r-1",
        "action": "power_off", "driver": "a",
        "target": {"board": "00000001", "device": "01ff"},
    });
    let mut outcome = intent.clone();
    outcome["kind"] = json!("outcome");
    outcome["code"] = json!("ok");
    outcome["message"] = json!("done");
    assert_eq!(room.audited(), [intent.clone(), outcome]);
    assert_eq!(room.drivers[0].calls(), [Call::Perform(power_off(1), vec![intent])]);
}

#[tokio::test]
async fn every_change_has_an_id_of_its_own() {
    let room = Room::with_drivers(1);
    switch_off(&room).await.unwrap();
    switch_off(&room).await.unwrap();
    let ids: Vec<_> = room.audited().iter().map(|line| line["id"].clone()).collect();
    assert_eq!(ids[0], ids[1]);
    assert_eq!(ids[2], ids[3]);
    assert_ne!(ids[0], ids[2]);
}

#[tokio::test]
async fn what_was_written_and_how_it_failed_is_recorded() {
    let room = Room::with_drivers(1);
    *room.drivers[0].change.lock().unwrap() = Some(Err(failure("a", Fault::Uncertain)));
    let action = Action::SetAssetText {
        device: DeviceAddress { board: BoardId(1), device: DeviceId(2) },
        text: "rack7\n-u12".to_owned(),
    };
    let result = room.gateway.execute(&somebody(), Command::Action(action)).await;
    assert_eq!(result.unwrap_err().fault(), Some(Fault::Uncertain));
    let lines = room.audited();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["action"], "set_asset_text");
    assert_eq!(lines[0]["text"], "rack7\n-u12");
    assert_eq!(lines[1]["code"], "uncertain");
    assert_eq!(lines[1]["message"], "bus a failed: uncertain");
}

#[tokio::test]
async fn an_exact_reason_is_told_and_recorded_instead_of_its_class() {
    let room = Room::with_drivers(1);
    let refused = failure("a", Fault::NotPermitted).with_code("wrong_password");
    *room.drivers[0].change.lock().unwrap() = Some(Err(refused));
    let error = switch_off(&room).await.unwrap_err();
    assert_eq!((error.code(), error.fault()), ("wrong_password", Some(Fault::NotPermitted)));
    assert_eq!(room.audited()[1]["code"], "wrong_password");
}

#[tokio::test]
async fn every_action_is_recorded_with_its_parameters_but_raw_data_may_be_a_password() {
    let room = Room::with_drivers(1);
    let device = DeviceAddress { board: BoardId(1), device: DeviceId(1) };
    let limit = PowerLimit {
        watts: 300,
        correction_time: Duration::from_secs(2),
        sampling_period: Duration::from_secs(5),
        exception: PowerLimitException::Log,
    };
    let boot = BootOverride { target: BootTarget::Pxe, persistent: false, efi: true };
    let request = RawRequest { netfn: 6, lun: 0, command: 0x47, data: b"\x02\x02secret".to_vec() };
    for (action, name, parameters) in [
        (Action::Power { device, kind: DeviceKind::Power, action: PowerAction::Soft }, "power_soft", None),
        (Action::Identify { device, identify: Identify::Seconds(15) }, "identify", Some("on for 15 s")),
        (Action::SetBootTarget { device, boot }, "set_boot_target", Some("pxe, once, efi")),
        (
            Action::SetPowerLimit { device, limit: Some(limit) },
            "set_power_limit",
            Some("300 W within 2000 ms, averaged over 5 s, otherwise log"),
        ),
        (Action::SetPowerLimit { device, limit: None }, "set_power_limit", Some("off")),
        (Action::ClearEventLog { device }, "clear_event_log", None),
        (
            Action::RawIpmi { device, request },
            "raw_ipmi",
            Some("netfn 0x06, lun 0, command 0x47, 8 bytes of data"),
        ),
    ] {
        room.gateway.execute(&somebody(), Command::Action(action)).await.unwrap();
        let outcome = room.audited().pop().unwrap();
        assert_eq!(outcome["action"], name);
        assert_eq!(outcome.get("parameters"), parameters.map(|text| json!(text)).as_ref(), "{name}");
    }
    let audit = room.audited();
    assert!(!format!("{audit:?}").contains("secret"), "{audit:?}");
}

#[tokio::test]
async fn reads_and_scans_are_not_audited() {
    let room = Room::with_drivers(1);
    for command in [Command::Query(Query::Version(BoardId(1))), Command::Scan(Scope::All)] {
        room.gateway.execute(&somebody(), command).await.unwrap();
    }
    assert!(room.audited().is_empty());
}

#[tokio::test]
async fn what_cannot_be_audited_is_not_done_but_reading_goes_on() {
    let room = Room::without_an_audit_log();
    let defects = room.gateway.readiness().defects;
    assert_eq!((defects[0].name.as_str(), defects[0].code), ("audit.file", "audit_unavailable"));
    assert!(room.gateway.readiness().is_ready());
    let error = switch_off(&room).await.unwrap_err();
    assert_eq!(error.code(), "audit_unavailable");
    assert!(error.to_string().contains("missing/audit.db"), "{error}");
    assert!(room.drivers[0].calls().is_empty());

    let query = Command::Query(Query::Version(BoardId(1)));
    let outcome = room.gateway.execute(&somebody(), query).await.unwrap();
    assert_eq!(outcome, Outcome::Observation(Observation::Version("a".to_owned())));

    std::fs::create_dir(room.audit.parent().unwrap()).unwrap();
    switch_off(&room).await.unwrap();
    assert_eq!(room.gateway.readiness().defects, []);
    assert_eq!(room.audited().len(), 2);
}

#[tokio::test]
async fn a_change_whose_caller_went_away_is_finished_and_recorded() {
    let room = Room::with_drivers(1);
    room.drivers[0].permits.forget_permits(100);
    abandon_a_change(&room).await;
    assert_eq!(room.audited().len(), 1);

    room.drivers[0].permits.add_permits(1);
    room.gateway.shutdown().await;
    assert_eq!(room.audited()[1]["code"], "ok");
}

#[tokio::test]
async fn changes_that_nobody_waits_for_are_bounded() {
    let room = Room::with_drivers(1);
    room.drivers[0].permits.forget_permits(100);
    for _ in 0..MAX_CHANGES {
        abandon_a_change(&room).await;
    }
    let error = switch_off(&room).await.unwrap_err();
    assert_eq!(error.fault(), Some(Fault::Busy { retry_after: Duration::from_secs(1) }));
    assert_eq!(error.to_string(), "too many changes are running on a; nothing was sent, ask again later");
    assert_eq!(room.drivers[0].calls().len(), MAX_CHANGES);
    assert_eq!(room.audited().len(), MAX_CHANGES, "only the intents of those that run");
    room.gateway.execute(&somebody(), Command::Query(Query::Version(BoardId(1)))).await.unwrap();

    room.drivers[0].permits.add_permits(MAX_CHANGES + 1);
    while switch_off(&room).await.is_err() {
        tokio::task::yield_now().await;
    }
    room.gateway.shutdown().await;
    assert_eq!(room.audited().len(), 2 * (MAX_CHANGES + 1));
}

#[tokio::test]
async fn a_driver_whose_changes_hang_takes_nothing_from_the_others() {
    let room = Room::with_ranges(&[1..=0x0f, 0x10..=0xff]);
    room.drivers[0].permits.forget_permits(100);
    for _ in 0..MAX_CHANGES {
        abandon_a_change(&room).await;
    }
    assert!(switch_off(&room).await.unwrap_err().to_string().contains(" on a;"));
    switch_off_board(&room, 0x10).await.unwrap();
}

#[tokio::test]
async fn looking_for_a_board_for_a_change_takes_room_on_every_driver_that_is_asked() {
    let room = Room::with_ranges(&[1..=0x0f, 1..=0xff]);
    *room.drivers[0].scan.lock().unwrap() = Ok(vec![board(1)]);
    *room.drivers[1].scan.lock().unwrap() = Ok(vec![board(0x10)]);
    room.gateway.execute(&somebody(), Command::Scan(Scope::All)).await.unwrap();
    room.drivers[0].permits.forget_permits(100);
    for _ in 0..MAX_CHANGES {
        abandon_a_change(&room).await;
    }
    let asked = [room.drivers[0].calls().len(), room.drivers[1].calls().len()];
    let error = switch_off_board(&room, 2).await.unwrap_err();
    assert!(matches!(error.fault(), Some(Fault::Busy { .. })), "{error}");
    assert!(error.to_string().contains(" on a;"), "{error}");
    assert_eq!([room.drivers[0].calls().len(), room.drivers[1].calls().len()], asked, "no wire was asked");

    // Neither the refused search nor one that ended keeps any of the room.
    for _ in 0..=MAX_CHANGES {
        switch_off_board(&room, 0x10).await.unwrap();
    }
}

#[tokio::test]
async fn a_driver_that_breaks_gives_its_place_to_the_next_change() {
    let room = Room::with_drivers(1);
    *room.drivers[0].change.lock().unwrap() = None;
    for _ in 0..=MAX_CHANGES {
        assert_eq!(switch_off(&room).await.unwrap_err().code(), "uncertain");
    }
}

#[tokio::test]
async fn a_change_after_the_audit_log_was_renamed_is_recorded_in_a_new_one() {
    let room = Room::with_drivers(1);
    switch_off(&room).await.unwrap();
    std::fs::rename(&room.audit, room.audit.with_extension("1")).unwrap();
    switch_off(&room).await.unwrap();
    assert_eq!(room.audited().len(), 2);
    let calls = room.drivers[0].calls();
    assert_eq!(calls[1], Call::Perform(power_off(1), vec![room.audited()[0].clone()]));
}

#[tokio::test]
async fn without_the_directory_of_the_audit_log_nothing_is_changed() {
    let room = Room::with_drivers(1);
    std::fs::remove_dir_all(room.audit.parent().unwrap()).unwrap();
    let error = switch_off(&room).await.unwrap_err();
    assert_eq!(error.code(), "audit_unavailable");
    assert!(error.to_string().contains("make it and its directory exist"), "{error}");
    assert!(room.drivers[0].calls().is_empty());
}

#[tokio::test]
async fn shutdown_waits_for_the_running_change_and_refuses_the_next_command() {
    let room = Room::with_drivers(1);
    room.drivers[0].permits.forget_permits(100);
    abandon_a_change(&room).await;

    let shutdown = room.gateway.shutdown();
    tokio::pin!(shutdown);
    tokio::select! {
        biased;
        () = &mut shutdown => panic!("the change still runs"),
        () = tokio::task::yield_now() => {}
    }
    assert!(room.gateway.readiness().shutting_down);
    assert_eq!(switch_off(&room).await.unwrap_err().code(), "shutting_down");
    let query = Command::Query(Query::Version(BoardId(1)));
    let refused = room.gateway.execute(&somebody(), query).await;
    assert_eq!(refused.unwrap_err().code(), "shutting_down");

    room.drivers[0].permits.add_permits(1);
    shutdown.await;
    assert_eq!(room.audited().len(), 2);
    assert_eq!(room.drivers[0].calls().len(), 1);
}

#[tokio::test]
async fn a_change_that_is_given_up_is_recorded_as_uncertain() {
    let room = Room::with_drivers(1);
    room.drivers[0].permits.forget_permits(100);
    for _ in 0..2 {
        abandon_a_change(&room).await;
    }
    room.gateway.give_up().await;
    let lines = room.audited();
    let outcomes: Vec<_> = lines.iter().filter(|line| line["kind"] == "outcome").collect();
    assert_eq!((lines.len(), outcomes.len()), (4, 2), "one outcome for each");
    for outcome in outcomes {
        assert_eq!(outcome["code"], "uncertain");
        let message = outcome["message"].as_str().unwrap();
        assert!(message.starts_with("the process was told to end before the outcome was known"), "{message}");
    }
    assert_eq!(switch_off(&room).await.unwrap_err().code(), "shutting_down");
}

#[tokio::test]
async fn a_driver_that_breaks_leaves_the_outcome_uncertain() {
    let room = Room::with_drivers(1);
    *room.drivers[0].change.lock().unwrap() = None;
    let error = switch_off(&room).await.unwrap_err();
    assert_eq!(error.code(), "uncertain");
    assert_eq!(room.audited().len(), 1, "an intent without an outcome says the same");
    room.gateway.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn every_class_of_command_has_its_priority_and_its_time() {
    let room = Room::with_drivers(1);
    let now = Instant::now();
    for (command, priority, seconds) in [
        (Command::Query(Query::Version(BoardId(1))), Priority::Read, 10),
        (Command::Action(power_off(1)), Priority::Control, 30),
        (Command::Scan(Scope::All), Priority::Scan, 50),
    ] {
        room.gateway.execute(&somebody(), command).await.unwrap();
        let context = *room.drivers[0].contexts.lock().unwrap().last().unwrap();
        assert_eq!(context.priority, priority);
        assert_eq!(context.deadline, (now + Duration::from_secs(seconds)).into_std());
    }
}

#[tokio::test]
async fn readiness_names_the_drivers_that_cannot_be_used() {
    let room = Room::with_drivers(2);
    assert!(room.gateway.readiness().is_ready());
    *room.drivers[1].health.lock().unwrap() = Err(failure("b", Fault::Gone));
    let readiness = room.gateway.readiness();
    assert!(!readiness.is_ready());
    let drivers = [("a".to_owned(), Ok(())), ("b".to_owned(), Err(failure("b", Fault::Gone)))];
    assert_eq!(readiness.drivers, drivers);
}

#[tokio::test]
async fn a_read_only_service_reads_and_changes_nothing() {
    let room = Room::read_only();
    let error = room.gateway.execute(&somebody(), Command::Action(power_off(1))).await.unwrap_err();
    assert_eq!(error.code(), "forbidden");
    assert!(room.drivers[0].calls.lock().unwrap().is_empty());
    assert!(room.audited().is_empty());
    room.gateway.execute(&somebody(), Command::Query(Query::Version(BoardId(1)))).await.unwrap();
}
