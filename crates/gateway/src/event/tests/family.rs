//! What events of each family say.

use opendcre_model::{
    BoardId, Capabilities, Device, DeviceAddress, DeviceId, DeviceKind, DriverError, Fault, Health, Login,
    PowerState, Quantity, Subject,
};
use serde_json::{Value, json};

use super::*;
use crate::event::log_entry::LoggedEntry;
use crate::health::{Cause, HealthChange};
use crate::testing;
use crate::{
    AuditEntry, AuditKind, AuditTarget, AuditWho, BoardRecord, ChangeKind, Defect, InventoryChange, Mode,
    Principal, Side,
};

const INLET: DeviceId = DeviceId(0x0301);

fn board() -> BoardRecord {
    let device = |id, name: Option<&str>, kind| Device {
        name: name.map(ToOwned::to_owned),
        ..Device::new(DeviceId(id), kind, Capabilities::NONE)
    };
    let devices =
        vec![device(0x0301, Some("Inlet"), DeviceKind::Temperature), device(0x0100, None, DeviceKind::Power)];
    BoardRecord { rack: "rack_2".to_owned(), devices, ..testing::board(0x4000_0001, "web-01") }
}

fn health(from: Health, to: Health, cause: Cause) -> NewEvent {
    let device = DeviceAddress { board: board().id, device: INLET };
    health::health_changed(&board(), &HealthChange { device, from, to, cause })
}

fn too_warm(value: f64) -> Cause {
    Cause::Limit { quantity: Quantity::TemperatureCelsius, value, limit: 40.0, side: Side::Above }
}

fn ada() -> Principal {
    let subject = Subject { name: "ada".to_owned(), login: Login::Token, ..Subject::anonymous() };
    Principal { subject: Arc::new(subject), remote: "10.0.0.9:4711".into(), request_id: "r-1".into() }
}

#[test]
fn changes_of_the_inventory_are_about_their_board() {
    let change = |kind| InventoryChange {
        sequence: 7,
        time: Timestamp::UNIX_EPOCH,
        kind,
        board: BoardId(0x11),
        name: "00000011".to_owned(),
        rack: "rack_1".to_owned(),
        detail: "no answer".to_owned(),
    };
    let event = inventory::inventory_changed(&change(ChangeKind::Vanished));
    assert_eq!((event.kind, event.severity), (EventKind::BoardMissing, Severity::Critical));
    assert_eq!(event.message, "board 00000011 (rack_1) does not answer any more: no answer");
    assert_eq!((event.board, event.rack.as_deref()), (Some(BoardId(0x11)), Some("rack_1")));
    assert_eq!(Value::from(event.detail), json!({ "change": "no answer" }));
    assert_eq!(inventory::inventory_changed(&change(ChangeKind::Forgotten)).kind, EventKind::BoardRemoved);
}

#[test]
fn changes_of_health_say_why() {
    let event = health(Health::Ok, Health::Critical, too_warm(41.234));
    assert_eq!(event.severity, Severity::Critical);
    let place = "\"Inlet\" (temperature 0301) of board 40000001 (web-01, rack_2)";
    assert_eq!(
        event.message,
        format!("{place} is critical: its temperature is 41.23 °C, which is above 40 °C")
    );
    let detail = json!({
        "from": "ok", "to": "critical", "quantity": "temperature", "unit": "°C", "value": 41.234, "above": 40.0,
    });
    assert_eq!(Value::from(event.detail), detail);
    assert_eq!((event.board, event.device), (Some(board().id), Some(INLET)));

    let event = health(Health::Critical, Health::Ok, too_warm(37.0));
    assert_eq!(event.severity, Severity::Info);
    assert_eq!(
        event.message,
        format!("{place} is ok again: its temperature is 37 °C, no longer above 40 °C")
    );
    let event = health(Health::Ok, Health::Failed, Cause::Equipment(vec!["fan \u{1b}[2J failed".to_owned()]));
    assert_eq!(event.message, format!("{place} is failed: the equipment says \"fan \\u{{1b}}[2J failed\""));
    let event = health(Health::Warning, Health::Ok, Cause::NoValue);
    assert_eq!(event.message, format!("{place} is ok again: there is nothing to measure now"));
}

#[tokio::test]
async fn the_health_that_was_told_is_known_after_a_restart() {
    let room = Room::new();
    let log = room.open();
    let of = |device, to| HealthChange {
        device: DeviceAddress { board: board().id, device },
        from: Health::Ok,
        to,
        cause: Cause::NoValue,
    };
    let (fan, supply) = (DeviceId(0x0302), DeviceId(u16::MAX));
    for (device, to) in
        [(INLET, Health::Warning), (fan, Health::Critical), (INLET, Health::Ok), (supply, Health::Failed)]
    {
        log.publish(health::health_changed(&board(), &of(device, to)));
    }
    log.flush().await.unwrap();
    drop(log);
    let log = room.open();
    let told = |device, health| (DeviceAddress { board: board().id, device }, health);
    assert_eq!(log.unwell().unwrap(), [told(fan, Health::Critical), told(supply, Health::Failed)]);

    let removed = NewEvent::new(EventKind::BoardRemoved, Severity::Info, "gone").of_board(&board());
    log.publish(removed);
    log.flush().await.unwrap();
    assert_eq!(log.unwell().unwrap(), []);
}

#[test]
fn changes_of_power_say_whether_they_were_ordered_but_not_by_whom() {
    let (on, off) = (PowerState::On, PowerState::Off);
    let event = power::power_changed(&board(), DeviceId(0x0100), on, off, None);
    assert_eq!(event.severity, Severity::Warning);
    assert_eq!(
        event.message,
        "power 0100 of board 40000001 (web-01, rack_2) is off, was on: nobody ordered that here"
    );
    assert_eq!(Value::from(event.detail), json!({ "from": "on", "to": "off", "ordered": false }));

    let event = power::power_changed(&board(), DeviceId(0x0100), on, off, Some("off"));
    assert_eq!(event.severity, Severity::Info);
    assert!(event.message.ends_with("is off, was on: somebody here ordered off"), "{}", event.message);
    let detail = json!({ "from": "on", "to": "off", "ordered": true, "action": "off" });
    assert_eq!(Value::from(event.detail), detail);
}

#[test]
fn entries_of_logs_are_told_with_their_sensor() {
    let entry = LoggedEntry {
        id: 9,
        time: Some(Timestamp::UNIX_EPOCH),
        severity: Health::Critical,
        sensor: Some((INLET, "Inlet")),
        message: "upper critical going high",
        asserted: true,
    };
    let event = log_entry::log_entry(&board(), entry);
    assert_eq!((event.severity, event.device), (Severity::Critical, Some(INLET)));
    assert_eq!(
        event.message,
        "board 40000001 (web-01, rack_2) reports \"upper critical going high\" of \"Inlet\""
    );
    assert_eq!(event.detail["logged_at"], "1970-01-01T00:00:00Z");
    let over =
        log_entry::log_entry(&board(), LoggedEntry { asserted: false, sensor: None, time: None, ..entry });
    assert_eq!((over.severity, over.detail.get("logged_at")), (Severity::Info, None));
    assert!(over.message.ends_with(", which is over"), "{}", over.message);

    let filling = log_entry::log_filling(&board(), Some(91), false);
    assert_eq!(filling.message, "the event log of board 40000001 (web-01, rack_2) is 91 % full; clear it");
    assert!(log_entry::log_filling(&board(), None, true).message.contains("has lost entries"));
    assert_eq!(log_entry::log_cleared(&board()).kind, EventKind::LogCleared);
}

#[test]
fn wires_go_down_and_up() {
    let down = source::source_down("hat", &DriverError::new(Fault::Gone, "the adapter is unplugged"));
    assert_eq!(down.message, "hat cannot be used: the adapter is unplugged");
    assert_eq!(Value::from(down.detail), json!({ "source": "hat", "code": "gone" }));
    assert_eq!(source::source_up("hat").kind, EventKind::SourceUp);
}

#[test]
fn what_the_audit_records_becomes_an_event_at_its_end() {
    let target = AuditTarget {
        board: BoardId(0x11),
        device: Some(DeviceId(0x0dff)),
        name: "00000011".to_owned(),
        rack: "rack_7".to_owned(),
    };
    let entry = |kind, code: &str, message: &str| AuditEntry {
        action: "power_off".to_owned(),
        target: Some(target.clone()),
        code: code.to_owned(),
        text: Some("never told".to_owned()),
        ..AuditEntry::new(kind, Timestamp::UNIX_EPOCH).by(&ada()).saying(message)
    };
    let event = audit::audited(&entry(AuditKind::Outcome, "ok", "power is off")).unwrap();
    assert_eq!((event.kind, event.severity), (EventKind::Action, Severity::Info));
    let place = "power_off to device 0dff of board 00000011 (rack_7)";
    assert_eq!(event.message, format!("\"ada\" did {place}: power is off"));
    let detail = json!({
        "who": "ada", "remote": "10.0.0.9:4711", "request_id": "r-1", "action": "power_off", "code": "ok",
    });
    assert_eq!(Value::from(event.detail), detail);
    assert_eq!((event.board, event.name.as_deref()), (Some(BoardId(0x11)), Some("00000011")));

    let event = audit::audited(&entry(AuditKind::Outcome, "timeout", "no answer")).unwrap();
    assert_eq!(
        (event.severity, event.message),
        (Severity::Warning, format!("\"ada\" failed to do {place}: no answer"))
    );
    let event = audit::audited(&entry(AuditKind::Refused, "forbidden", "")).unwrap();
    assert_eq!(event.message, format!("\"ada\" may not do {place}"));
    assert_eq!(audit::audited(&entry(AuditKind::Intent, "", "")), None);

    let stranger = AuditEntry {
        who: Some(AuditWho::claimed("root\u{1b}")),
        ..AuditEntry::new(AuditKind::LoginRefused, Timestamp::UNIX_EPOCH).saying("wrong password")
    };
    let event = audit::audited(&stranger).unwrap();
    assert_eq!(event.kind, EventKind::LoginRefused);
    assert_eq!(event.message, "\"root\\u{1b}\" was not let in: wrong password");
}

#[test]
fn the_service_tells_of_itself() {
    let started = service::started("0.1.0", Mode::Mixed);
    assert_eq!(started.message, "opendcre 0.1.0 has started");
    assert_eq!(started.detail["mode"], "mixed");
    let defect = Defect { name: "hat".to_owned(), code: "emulated", message: "nobody answers".to_owned() };
    let degraded = service::degraded(&defect);
    assert_eq!(
        (degraded.message.as_str(), &degraded.detail["code"]),
        ("hat: nobody answers", &"emulated".into())
    );
    assert_eq!(service::stopped().kind, EventKind::ServiceStopped);
    let back = service::on_disk_again(0);
    assert_eq!((back.severity, back.detail["code"].as_str()), (Severity::Info, Some("on_disk_again")));
    assert!(service::on_disk_again(3).message.ends_with("3 are missing"));
}
