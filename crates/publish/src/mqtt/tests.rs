//! What a broker is told of boards: topics and payloads word by word, and only what is new. Nothing is sent.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use opendcre_gateway::{BoardRecord, BoardState, Condition, Known, Latest};
use opendcre_model::{
    BatteryReport, BoardId, Capabilities, Device, DeviceId, DeviceKind, Health, Measurement, Number,
    Observation, PowerReport, PowerState, Quality, Quantity, Reading,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::entity::Entity;
use super::ledger::{Ledger, Manner};
use super::link::Message;
use super::state::Scene;
use super::topic::Topics;

const STALE: Duration = Duration::from_secs(300);
const BASE: &str = "opendcre/dcre-1/board/40000001";

fn manner(discovery: Option<&str>) -> Manner {
    let client = "dcre-1".to_owned();
    Manner { topics: Topics::new("opendcre", &client, discovery), client, retain: true, qos: 1 }
}

fn board(name: &str, devices: Vec<Device>) -> BoardRecord {
    BoardRecord {
        id: BoardId(0x4000_0001),
        name: name.to_owned(),
        rack: "rack_1".to_owned(),
        driver: "ipmi".to_owned(),
        place: None,
        identity: None,
        firmware: Some("2.13".to_owned()),
        hostnames: Vec::new(),
        ip_addresses: Vec::new(),
        labels: BTreeMap::new(),
        groups: Vec::new(),
        devices,
        state: BoardState::Present,
        since: Timestamp::UNIX_EPOCH,
        first_seen: None,
        last_seen: None,
        failure: None,
    }
}

fn device(id: u16, kind: DeviceKind, name: Option<&str>) -> Device {
    Device { name: name.map(str::to_owned), ..Device::new(DeviceId(id), kind, Capabilities::NONE) }
}

/// The answer of a sensor so many seconds after the epoch, which is so old now.
fn reading(quantity: Quantity, value: f64, second: i64, age: Duration) -> Latest {
    let time = Timestamp::from_second(1_800_000_000 + second).unwrap();
    let reading = Reading {
        kind: DeviceKind::Sensor,
        raw: Number::from(0),
        measurements: vec![Measurement { quantity, value }],
        quality: Quality::Good,
        health: Health::Ok,
        states: Vec::new(),
        measured_at: time,
        source: "ipmi".into(),
    };
    Latest { observation: Arc::new(Observation::Sensor(reading)), time, age }
}

fn said(observation: Observation) -> Latest {
    let time = Timestamp::from_second(1_800_000_000).unwrap();
    Latest { observation: Arc::new(observation), time, age: Duration::ZERO }
}

/// What is told of a board that is up, of whose devices this is known.
fn tell(
    ledger: &mut Ledger,
    manner: &Manner,
    board: &BoardRecord,
    answers: &[(usize, Latest)],
) -> Vec<Message> {
    let known: Vec<Known<'_>> = answers
        .iter()
        .map(|(index, latest)| Known { device: &board.devices[*index], latest: Some(latest.clone()) })
        .collect();
    let devices = Scene::devices(&known, |_| Some(Health::Ok));
    let scene = Scene { board, is_up: Some(true), stale: STALE, condition: Condition::Ok, devices };
    ledger.tell(manner, &scene)
}

fn topics(messages: &[Message]) -> Vec<&str> {
    messages.iter().map(|message| message.topic.as_str()).collect()
}

fn payload(messages: &[Message], topic: &str) -> Value {
    let message = messages.iter().find(|message| message.topic == topic);
    let message = message.unwrap_or_else(|| panic!("{topic} is not among {:?}", topics(messages)));
    serde_json::from_slice(&message.payload).unwrap()
}

fn inlet() -> Device {
    device(0x1ff, DeviceKind::Temperature, Some("inlet"))
}

#[test]
fn a_board_and_its_values_are_told_with_all_that_home_assistant_needs() {
    let board = board("web-01", vec![inlet()]);
    let inlet = reading(Quantity::TemperatureCelsius, 21.5, 0, Duration::ZERO);
    let messages = tell(&mut Ledger::default(), &manner(Some("homeassistant")), &board, &[(0, inlet)]);
    let condition = "homeassistant/sensor/dcre-1/40000001_condition/config";
    let temperature = "homeassistant/sensor/dcre-1/40000001_01ff_temperature/config";
    let (up, state) = (format!("{BASE}/availability"), format!("{BASE}/device/01ff"));
    assert_eq!(topics(&messages), [condition, &up, BASE, temperature, &state]);
    assert!(messages.iter().all(|message| message.retain));
    assert_eq!(messages[1].payload, b"online");
    let (device, origin) = (
        json!({"identifiers": ["dcre-1_40000001"], "name": "web-01", "suggested_area": "rack_1", "sw_version": "2.13"}),
        json!({"name": "OpenDCRE", "sw_version": env!("CARGO_PKG_VERSION")}),
    );
    assert_eq!(
        payload(&messages, condition),
        json!({
            "name": "condition",
            "unique_id": "dcre-1_40000001_condition",
            "state_topic": BASE,
            "value_template": "{{ value_json.condition | default(none) }}",
            "device_class": "enum",
            "options": ["unknown", "ok", "warning", "critical", "failed", "missing"],
            "entity_category": "diagnostic",
            "availability": [{"topic": "opendcre/dcre-1/availability"}],
            "availability_mode": "all",
            "qos": 1,
            "device": device,
            "origin": origin,
        })
    );
    assert_eq!(
        payload(&messages, temperature),
        json!({
            "name": "inlet",
            "unique_id": "dcre-1_40000001_01ff_temperature",
            "state_topic": state,
            "value_template": "{{ value_json.temperature | default(none) }}",
            "device_class": "temperature",
            "state_class": "measurement",
            "unit_of_measurement": "°C",
            "json_attributes_topic": state,
            "availability": [{"topic": "opendcre/dcre-1/availability"}, {"topic": up}],
            "availability_mode": "all",
            "qos": 1,
            "device": device,
            "origin": origin,
        })
    );
    let told = json!({"board": "40000001", "name": "web-01", "rack": "rack_1", "condition": "ok"});
    assert_eq!(payload(&messages, BASE), told);
    let told = r#"{"device":"01ff","kind":"temperature","name":"inlet","health":"ok","quality":"good","time":"2027-01-15T08:00:00Z","temperature":21.5}"#;
    assert_eq!(String::from_utf8(messages[4].payload.clone()).unwrap(), told);
}

#[test]
fn every_kind_of_value_has_its_entity() {
    let power = PowerReport {
        state: PowerState::On,
        power_ok: true,
        over_current: false,
        under_voltage: false,
        electrical: None,
        measured_at: Timestamp::UNIX_EPOCH,
        source: "hat".into(),
    };
    let battery = BatteryReport {
        status: "charging".to_owned(),
        charge_percent: 80,
        measured_at: Timestamp::UNIX_EPOCH,
        source: "hat".into(),
    };
    let board = board(
        "web-01",
        vec![
            device(1, DeviceKind::Power, None),
            device(2, DeviceKind::Led, None),
            device(3, DeviceKind::VaporBattery, None),
            device(4, DeviceKind::Sensor, Some("flow")),
        ],
    );
    let flow = Quantity::Other(Cow::Borrowed("m³/h"));
    let answers = [
        (0, said(Observation::Power(power))),
        (1, said(Observation::Led { on: false })),
        (2, said(Observation::Battery(battery))),
        (3, reading(flow.clone(), 7.5, 0, Duration::ZERO)),
    ];
    let messages = tell(&mut Ledger::default(), &manner(Some("ha")), &board, &answers);
    let config = |path: &str| payload(&messages, &format!("ha/{path}/config"));
    let switch = config("binary_sensor/dcre-1/40000001_0001_power_state");
    assert_eq!([&switch["payload_on"], &switch["payload_off"]], ["on", "off"]);
    assert_eq!([&switch["device_class"], &switch["name"]], ["power", "power 0001 power state"]);
    assert_eq!(config("binary_sensor/dcre-1/40000001_0002_led")["device_class"], "light");
    let charge = config("sensor/dcre-1/40000001_0003_charge");
    assert_eq!([&charge["device_class"], &charge["unit_of_measurement"]], ["battery", "%"]);
    let other = config("sensor/dcre-1/40000001_0004_value_m__h");
    assert_eq!([&other["unit_of_measurement"], &other["name"]], ["m³/h", "flow"]);
    let state = |id: &str| payload(&messages, &format!("{BASE}/device/{id}"));
    assert_eq!(state("0001")["power_state"], "on");
    assert_eq!(state("0002")["led"], "off");
    assert_eq!(state("0003")["charge"], 80);
    assert_eq!(state("0004")["value_m__h"], 7.5);
    assert_eq!(Entity::of_quantity(&flow).class, None);
}

#[tokio::test(start_paused = true)]
async fn only_what_is_new_is_told() {
    let (manner, mut ledger) = (manner(None), Ledger::default());
    let board = board("web-01", vec![inlet()]);
    let at = |value, second| [(0, reading(Quantity::TemperatureCelsius, value, second, Duration::ZERO))];
    let state = format!("{BASE}/device/01ff");
    let mut told = |board: &BoardRecord, answers: &[(usize, Latest)]| -> Vec<String> {
        tell(&mut ledger, &manner, board, answers).into_iter().map(|message| message.topic).collect()
    };
    assert_eq!(told(&board, &at(21.5, 0)).len(), 3);
    assert_eq!(told(&board, &at(21.5, 0)), [""; 0], "nothing was measured");
    assert_eq!(told(&board, &at(21.5, 30)), [""; 0], "it is the same");
    assert_eq!(told(&board, &at(22.0, 60)), [state.as_str()]);
    tokio::time::advance(Duration::from_secs(300)).await;
    assert_eq!(told(&board, &at(22.0, 60)), [""; 0], "nobody measured it since");
    assert_eq!(told(&board, &at(22.0, 360)), [state.as_str()], "it still holds");
    let renamed = BoardRecord { name: "web-02".to_owned(), ..board };
    assert_eq!(told(&renamed, &at(22.0, 360)), [BASE], "values do not have the name of the board");
}

#[test]
fn a_value_that_is_too_old_is_not_told_any_more() {
    let (manner, mut ledger) = (manner(Some("ha")), Ledger::default());
    let board = board("web-01", vec![inlet()]);
    let aged = |age| [(0, reading(Quantity::TemperatureCelsius, 21.5, 0, age))];
    tell(&mut ledger, &manner, &board, &aged(STALE));
    let messages = tell(&mut ledger, &manner, &board, &aged(STALE + Duration::from_secs(1)));
    let state =
        json!({"device": "01ff", "kind": "temperature", "name": "inlet", "health": "ok", "quality": "stale"});
    assert_eq!(topics(&messages), [format!("{BASE}/device/01ff")], "its description stays");
    assert_eq!(payload(&messages, &messages[0].topic), state);
}

#[test]
fn what_is_gone_is_taken_back() {
    let (manner, mut ledger) = (manner(Some("ha")), Ledger::default());
    let answers = |index| (index, reading(Quantity::TemperatureCelsius, 21.5, 0, Duration::ZERO));
    let both = board("web-01", vec![inlet(), device(2, DeviceKind::Temperature, None)]);
    tell(&mut ledger, &manner, &both, &[answers(0), answers(1)]);
    let one = BoardRecord { devices: vec![inlet()], ..both.clone() };
    let messages = tell(&mut ledger, &manner, &one, &[answers(0)]);
    let config = |object: &str| format!("ha/sensor/dcre-1/40000001_{object}/config");
    assert_eq!(topics(&messages), [config("0002_temperature"), format!("{BASE}/device/0002")]);
    assert!(messages.iter().all(|message| message.retain && message.payload.is_empty()));
    assert_eq!(ledger.gone(|_| false), [both.id]);
    assert_eq!(ledger.gone(|_| true), []);
    let messages = ledger.clear(&manner, both.id);
    let expected = [
        config("01ff_temperature"),
        format!("{BASE}/device/01ff"),
        config("condition"),
        BASE.to_owned(),
        format!("{BASE}/availability"),
    ];
    assert_eq!(topics(&messages), expected);
    assert!(messages.iter().all(|message| message.retain && message.payload.is_empty()));
    ledger.forget(both.id);
    assert_eq!(ledger.clear(&manner, both.id), []);
}

proptest! {
    #[test]
    fn whatever_something_is_called_its_topics_are_safe(name in ".*", sensor in ".*", unit in ".*", value: f64) {
        prop_assume!(value.is_finite());
        let board = board(&name, vec![device(1, DeviceKind::Sensor, Some(&sensor))]);
        let answers = [(0, reading(Quantity::Other(Cow::Owned(unit)), value, 0, Duration::ZERO))];
        for message in tell(&mut Ledger::default(), &manner(Some("ha")), &board, &answers) {
            let is_safe = |c: char| c.is_ascii_alphanumeric() || "-_/".contains(c);
            prop_assert!(message.topic.chars().all(is_safe) && message.topic.len() < 200, "{}", message.topic);
            if !message.topic.ends_with("availability") {
                let body: Value = serde_json::from_slice(&message.payload).unwrap();
                prop_assert!(body.is_object());
            }
            if message.topic.ends_with("config") {
                let template = "{{ value_json.";
                let body: Value = serde_json::from_slice(&message.payload).unwrap();
                let rest = body["value_template"].as_str().unwrap().strip_prefix(template).unwrap();
                let what = rest.strip_suffix(" | default(none) }}").unwrap();
                prop_assert!(what.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'), "{}", what);
            }
        }
    }
}
