//! API 1.3: every route with its body, byte for byte.

mod failures;

use http::Method;
use opendcre_model::{
    Action, BatteryReport, BoardId, BootTarget, ChamberLedSetting, ChamberLedState, DeviceAddress,
    DeviceKind, DriverError, Fault, Health, HostInfo, Number, Observation, PowerAction, Quality, Quantity,
    Query, Reading, Rgb, Scope,
};

use crate::support::{
    ASSET, Answer, Call, MEASURED, Room, asset_info, board, boot, device, electrical, humidity, measured,
    now, power, reading, request, server, server_reading,
};

const NODE: u32 = 0x4000_0001;
const POWER: DeviceAddress = device(NODE, 0x0100);
const SYSTEM: DeviceAddress = device(NODE, 0x0200);
const LED: DeviceAddress = device(NODE, 0x0300);
const BUS: DeviceAddress = device(1, 2);

/// Every name under which the server can be addressed.
const NODE_NAMES: [&str; 4] = ["40000001", "0x40000001", "Node-A", "10.1.0.20"];

const BUS_BOARD: &str = concat!(
    r#"{"board_id":"00000001","devices":[{"device_id":"0002","device_type":"vapor_fan"},"#,
    r#"{"device_id":"0003","device_type":"vapor_battery"}]}"#
);
const NODE_BOARD: &str = concat!(
    r#"{"board_id":"40000001","hostnames":["node-a"],"ip_addresses":["10.1.0.20"],"devices":["#,
    r#"{"device_id":"0100","device_type":"power","device_info":"power"},"#,
    r#"{"device_id":"0200","device_type":"system","device_info":"system"},"#,
    r#"{"device_id":"0300","device_type":"led","device_info":"led"},"#,
    r#"{"device_id":"0041","device_type":"fan_speed","device_info":"FAN1"},"#,
    r#"{"device_id":"0011","device_type":"temperature","device_info":"CPU Temp"},"#,
    r#"{"device_id":"0060","device_type":"voltage","device_info":"12V"},"#,
    r#"{"device_id":"0061","device_type":"voltage","device_info":"12v"},"#,
    r#"{"device_id":"0070","device_type":"power_supply","device_info":"PS1"}]}"#
);
const OTHER_BOARD: &str = concat!(
    r#"{"board_id":"40000002","hostnames":["10.1.0.21"],"ip_addresses":["10.1.0.21"],"devices":["#,
    r#"{"device_id":"0100","device_type":"power","device_info":"power"},"#,
    r#"{"device_id":"0200","device_type":"system","device_info":"system"},"#,
    r#"{"device_id":"0300","device_type":"led","device_info":"led"}]}"#
);

/// A room with a board on the bus, two servers, and everything still to be looked for.
fn unknown_room() -> Room {
    let sensors = [
        (0x0041, DeviceKind::FanSpeed, "FAN1"),
        (0x0011, DeviceKind::Temperature, "CPU Temp"),
        (0x0060, DeviceKind::Voltage, "12V"),
        (0x0061, DeviceKind::Voltage, "12v"),
        (0x0070, DeviceKind::PowerSupply, "PS1"),
        (0x0080, DeviceKind::Sensor, "Intrusion"),
    ];
    let servers = [server(NODE, "node-a", "10.1.0.20", &sensors), server(NODE + 1, "", "10.1.0.21", &[])];
    let room = Room::with_servers(servers.to_vec());
    *room.bus.boards.lock().unwrap() =
        vec![board(1, &[(2, DeviceKind::VaporFan), (3, DeviceKind::VaporBattery)])];
    room
}

/// The same room, where everything is known.
async fn room() -> Room {
    let room = unknown_room();
    room.look_around().await;
    room
}

async fn get(room: &Room, path: &str) -> Answer {
    room.send(request(Method::GET, &format!("/opendcre/1.3{path}"))).await
}

async fn expect(room: &Room, path: &str, body: &str) {
    let answer = get(room, path).await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, body), "{path}");
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
}

/// Asserts a success together with what the equipment was asked for it.
async fn expect_calls(room: &Room, path: &str, body: &str, calls: &[Call]) {
    room.forget_calls();
    expect(room, path, body).await;
    assert_eq!(room.calls(), calls, "{path}");
}

async fn fails(room: &Room, path: &str, status: u16, code: &str) -> String {
    get(room, path).await.old_failure(&["http_code", "message"], status, code)
}

#[tokio::test]
async fn what_asks_nobody() {
    let room = room().await;
    expect(&room, "/test", r#"{"status":"ok"}"#).await;
    for method in [Method::GET, Method::POST] {
        let answer = room.send(request(method, "/opendcre/version")).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, r#"{"version":"1.3"}"#));
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    }
    let body =
        r#"{"api_version":"1.3","opendcre_version":"1.3.0","firmware_version":"OpenDCRE IPMI Bridge v2.0"}"#;
    for name in NODE_NAMES {
        expect(&room, &format!("/version/any%20rack,%20really!/{name}"), body).await;
        let body = r#"{"hostnames":["node-a"],"ip_addresses":["10.1.0.20"]}"#;
        expect(&room, &format!("/host_info/r/{name}/whatever"), body).await;
    }
    let body = r#"{"hostnames":["10.1.0.21"],"ip_addresses":["10.1.0.21"]}"#;
    expect(&room, "/host_info/r/40000002/200", body).await;
    assert!(room.calls().is_empty());
}

#[tokio::test]
async fn version_of_a_board() {
    let body = r#"{"api_version":"1.3","opendcre_version":"1.3.0","firmware_version":"PLC fw 3.2"}"#;
    expect_calls(&room().await, "/version/r/1", body, &[Call::Read(Query::Version(BoardId(1)))]).await;
}

#[tokio::test]
async fn a_scan_looks_once_and_a_forced_one_always() {
    let room = unknown_room();
    let body = format!(
        r#"{{"racks":[{{"rack_id":"rack_1","boards":[{BUS_BOARD}]}},{{"rack_id":"rack_2","boards":[{NODE_BOARD},{OTHER_BOARD}]}}]}}"#
    );
    let looks = [
        Call::Discover(Scope::All),
        Call::Discover(Scope::Board(BoardId(NODE))),
        Call::Discover(Scope::Board(BoardId(NODE + 1))),
    ];
    let is_look = |call: &Call| matches!(call, Call::Discover(_));
    for (path, looks) in [("/scan", &looks[..]), ("/scan", &[]), ("/scan/force", &looks)] {
        room.forget_calls();
        expect(&room, path, &body).await;
        let looked: Vec<Call> = room.calls().into_iter().filter(is_look).collect();
        assert_eq!(looked, looks, "{path}");
    }
    let rack = format!(r#"{{"racks":[{{"rack_id":"rack_1","boards":[{BUS_BOARD}]}}]}}"#);
    expect_calls(&room, "/scan/rack_1", &rack, &[]).await;
    // The name that all racks of buses once had.
    let rack = format!(r#"{{"racks":[{{"rack_id":"vapor_plc_rack","boards":[{BUS_BOARD}]}}]}}"#);
    expect_calls(&room, "/scan/vapor_plc_rack", &rack, &[]).await;
    let message = fails(&room, "/scan/rack_3", 500, "unknown_rack").await;
    assert!(message.starts_with("there is no rack \"rack_3\""), "{message}");
}

#[tokio::test]
async fn a_board_that_does_not_answer_leaves_its_rack() {
    let room = room().await;
    room.second.fail(Fault::Timeout);
    room.bus.fail(Fault::Timeout);
    let message = fails(&room, "/scan/force", 500, "timeout").await;
    assert!(message.starts_with("scan of all boards: no answer"), "{message}");
    fails(&room, "/scan", 500, "timeout").await;

    *room.second.failure.lock().unwrap() = None;
    let answer = get(&room, "/scan/force").await;
    assert_eq!(answer.header("x-opendcre-failed"), Some("hat"));
    let racks = format!(
        r#"{{"racks":[{{"rack_id":"rack_1","boards":[]}},{{"rack_id":"rack_2","boards":[{NODE_BOARD},{OTHER_BOARD}]}}]}}"#
    );
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, racks.as_str()));
    expect(&room, "/scan/rack_1", r#"{"racks":[{"rack_id":"rack_1","boards":[]}]}"#).await;
}

#[tokio::test]
async fn a_scan_of_one_board_has_no_racks() {
    let room = room().await;
    let calls = [Call::Discover(Scope::Board(BoardId(1)))];
    expect_calls(&room, "/scan/any/1", &format!(r#"{{"boards":[{BUS_BOARD}]}}"#), &calls).await;
    for name in NODE_NAMES {
        let body = format!(r#"{{"boards":[{NODE_BOARD}]}}"#);
        expect_calls(&room, &format!("/scan/force/{name}"), &body, &[]).await;
    }
    expect_calls(&unknown_room(), "/scan/rack_2/node-a", r#"{"boards":[]}"#, &[]).await;
}

#[tokio::test]
async fn readings_of_a_bus() {
    let room = room().await;
    let whole = |kind| reading(kind, Number::from(4100), None);
    let kilopascals = [(Quantity::PressureKilopascals, 101.3)];
    let celsius = [(Quantity::TemperatureCelsius, 30.0)];
    for (kind, answer, body) in [
        (
            DeviceKind::Thermistor,
            measured(DeviceKind::Thermistor, Number::from(656), &celsius),
            r#"{"temperature_c":30.0}"#,
        ),
        (
            DeviceKind::Temperature,
            measured(DeviceKind::Temperature, Number::from(30), &celsius),
            r#"{"temperature_c":30.0}"#,
        ),
        (
            DeviceKind::Pressure,
            measured(DeviceKind::Pressure, Number::Decimal(101.3), &kilopascals),
            r#"{"pressure_kpa":101.3}"#,
        ),
        (DeviceKind::Humidity, humidity(), r#"{"humidity":38.43,"temperature_c":16.24}"#),
        (DeviceKind::FanSpeed, whole(DeviceKind::FanSpeed), r#"{"speed_rpm":4100,"fan_mode":"auto"}"#),
        (DeviceKind::VaporFan, whole(DeviceKind::VaporFan), r#"{"speed_rpm":4100,"fan_mode":"auto"}"#),
        (DeviceKind::Airflow, whole(DeviceKind::Airflow), r#"{"device_raw":4100}"#),
        (DeviceKind::Voltage, whole(DeviceKind::Voltage), r#"{"device_raw":4100}"#),
    ] {
        room.bus.answers(answer);
        let calls = [Call::Read(Query::Sensor { device: BUS, kind })];
        expect_calls(&room, &format!("/read/{}/r/1/2", kind.name().to_uppercase()), body, &calls).await;
    }
    room.bus.answers(Observation::Led { on: false });
    expect_calls(&room, "/read/led/r/1/2", r#"{"led_state":"off"}"#, &[Call::Read(Query::Led(BUS))]).await;
}

#[tokio::test]
async fn readings_of_a_server_by_id_and_by_name() {
    let room = room().await;
    let sensor = |kind, value| server_reading(kind, value, Quality::Good);
    for (kind, id, name, value, body) in [
        (
            DeviceKind::Temperature,
            0x11,
            "cpu%20TEMP",
            Some((Quantity::TemperatureCelsius, 41.0)),
            r#"{"temperature_c":41.0,"health":"ok","states":[]}"#,
        ),
        (
            DeviceKind::FanSpeed,
            0x41,
            "fan1",
            Some((Quantity::SpeedRpm, 3915.0)),
            r#"{"speed_rpm":3915.0,"health":"ok","states":[]}"#,
        ),
        (
            DeviceKind::Voltage,
            0x60,
            "0060",
            Some((Quantity::VoltageVolts, 12.1)),
            r#"{"voltage":12.1,"health":"ok","states":[]}"#,
        ),
        (DeviceKind::PowerSupply, 0x70, "PS1", None, r#"{"health":"ok","states":[]}"#),
    ] {
        room.second.answers(sensor(kind, value));
        let calls = [Call::Read(Query::Sensor { device: device(NODE, id), kind })];
        for board in NODE_NAMES {
            expect_calls(&room, &format!("/read/{kind}/r/{board}/{id:x}"), body, &calls).await;
            expect_calls(&room, &format!("/read/{kind}/r/{board}/{name}"), body, &calls).await;
        }
    }
    let Observation::Sensor(supply) = sensor(DeviceKind::PowerSupply, None) else { unreachable!() };
    let states = vec!["Presence detected".to_owned(), "Failure detected".to_owned()];
    room.second.answers(Observation::Sensor(Reading { health: Health::Critical, states, ..supply }));
    let body = r#"{"health":"critical","states":["Presence detected","Failure detected"]}"#;
    expect(&room, "/read/power_supply/r/node-a/70", body).await;
}

#[tokio::test]
async fn a_sensor_whose_name_looks_like_an_id_is_found_unless_there_is_such_a_device() {
    let kind = DeviceKind::Temperature;
    let room =
        Room::with_servers(vec![server(NODE, "node-a", "10.1.0.20", &[(1, kind, "FAD"), (2, kind, "1")])]);
    room.look_around().await;
    let value = Some((Quantity::TemperatureCelsius, 41.0));
    room.second.answers(server_reading(kind, value, Quality::Good));
    for (name, id) in [("fad", 1), ("1", 1), ("2", 2)] {
        let calls = [Call::Read(Query::Sensor { device: device(NODE, id), kind })];
        let body = r#"{"temperature_c":41.0,"health":"ok","states":[]}"#;
        expect_calls(&room, &format!("/read/temperature/r/node-a/{name}"), body, &calls).await;
    }
}

#[tokio::test]
async fn a_sensor_without_a_value_is_a_failure() {
    let room = room().await;
    room.second.answers(server_reading(DeviceKind::Temperature, None, Quality::Unavailable));
    let message = fails(&room, "/read/temperature/r/node-a/CPU%20Temp", 500, "unavailable").await;
    let start = "temperature reading of device CPU Temp of board node-a: the sensor has no value now";
    assert!(message.starts_with(start), "{message}");
    room.second.answers(server_reading(DeviceKind::Temperature, None, Quality::Good));
    fails(&room, "/read/temperature/r/node-a/11", 500, "malformed").await;
}

#[tokio::test]
async fn a_server_that_was_never_reached_is_asked_for_every_id() {
    let room = unknown_room();
    room.second.answers(server_reading(
        DeviceKind::Voltage,
        Some((Quantity::VoltageVolts, 5.0)),
        Quality::Good,
    ));
    let calls = [Call::Read(Query::Sensor { device: device(NODE, 0x99), kind: DeviceKind::Voltage })];
    let body = r#"{"voltage":5.0,"health":"ok","states":[]}"#;
    expect_calls(&room, "/read/voltage/r/node-a/99", body, &calls).await;
    fails(&room, "/read/voltage/r/node-a/5V", 500, "unknown_device").await;
}

#[tokio::test]
async fn power_of_a_bus_has_the_kind_of_the_path_or_of_the_inventory() {
    let room = room().await;
    room.bus.answers(power(Some(electrical())));
    let query = |device, kind| [Call::Read(Query::Power { device, kind })];
    let rectifier = DeviceKind::VaporRectifier;
    for path in ["/power/r/1/2", "/power/r/1/2/status", "/power/status/1/2"] {
        expect_calls(&room, path, MEASURED, &query(BUS, DeviceKind::Power)).await;
    }
    expect_calls(&room, "/power/vapor_rectifier/r/1/2/status", MEASURED, &query(BUS, rectifier)).await;
    for (word, action) in [("on", PowerAction::On), ("off", PowerAction::Off), ("cycle", PowerAction::Cycle)]
    {
        let change = |kind| [Call::Perform(Action::Power { device: BUS, kind, action })];
        expect_calls(&room, &format!("/power/r/1/2/{word}"), MEASURED, &change(DeviceKind::Power)).await;
        expect_calls(&room, &format!("/power/{word}/1/2"), MEASURED, &change(DeviceKind::Power)).await;
        let path = format!("/power/vapor_rectifier/r/1/2/{word}");
        expect_calls(&room, &path, MEASURED, &change(rectifier)).await;
    }
    let report = BatteryReport {
        status: "charging".into(),
        charge_percent: 88,
        measured_at: now(),
        source: "hat".into(),
    };
    room.bus.answers(Observation::Battery(report));
    let body = r#"{"battery_status":"charging","battery_charge_percent":88}"#;
    let asked = query(device(1, 3), DeviceKind::VaporBattery);
    expect_calls(&room, "/power/r/1/3", body, &asked).await;
    expect_calls(&room, "/power/vapor_battery/r/1/3/status", body, &asked).await;
}

#[tokio::test]
async fn a_rack_that_is_called_like_a_power_command_is_only_a_rack_where_a_command_follows() {
    let room = room().await;
    room.bus.answers(power(Some(electrical())));
    let status = [Call::Read(Query::Power { device: BUS, kind: DeviceKind::Power })];
    expect_calls(&room, "/power/off/1/2/status", MEASURED, &status).await;
}

#[tokio::test]
async fn power_of_a_server_has_four_keys() {
    let room = room().await;
    room.second.answers(power(None));
    let kind = DeviceKind::Power;
    let draw = Query::Sensor { device: POWER, kind };
    let watts = |quality| Ok(server_reading(kind, Some((Quantity::PowerWatts, 188.0)), quality));
    let unsupported = DriverError::new(Fault::Unsupported, "no DCMI");
    for (answer, told) in [
        (watts(Quality::Good), "188.0"),
        (watts(Quality::Unavailable), r#""unknown""#),
        (Err(unsupported), r#""unknown""#),
    ] {
        room.second.answers_to(draw, answer);
        let body =
            format!(r#"{{"power_status":"on","power_ok":true,"over_current":false,"input_power":{told}}}"#);
        let status = [Call::Read(Query::Power { device: POWER, kind }), Call::Read(draw)];
        for path in
            ["/power/r/node-a/power", "/power/status/40000001/0100", "/power/sofa/r/10.1.0.20/100/status"]
        {
            expect_calls(&room, path, &body, &status).await;
        }
        let action = PowerAction::Cycle;
        let change = [Call::Perform(Action::Power { device: POWER, kind, action }), Call::Read(draw)];
        expect_calls(&room, "/power/r/node-a/POWER/cycle", &body, &change).await;
    }
}

#[tokio::test]
async fn asset_information() {
    let room = room().await;
    room.second.answers(asset_info(Some("10.1.0.20")));
    room.bus.answers(asset_info(None));
    let calls = [Call::Read(Query::AssetInfo(SYSTEM))];
    let body = format!(r#"{{"bmc_ip":"10.1.0.20",{ASSET}"#);
    expect_calls(&room, "/asset/r/node-a/System", &body, &calls).await;
    let calls = [Call::Read(Query::AssetInfo(BUS))];
    expect_calls(&room, "/asset/r/1/2", &format!("{{{ASSET}"), &calls).await;
}

#[tokio::test]
async fn boot_target() {
    let room = room().await;
    for (target, word) in
        [(BootTarget::Disk, "hdd"), (BootTarget::Pxe, "pxe"), (BootTarget::NoOverride, "no_override")]
    {
        let observation = Observation::BootTarget(boot(target));
        room.bus.answers(observation.clone());
        room.second.answers(observation);
        let body = format!(r#"{{"target":"{word}"}}"#);
        for (path, device) in [("r/1/2", BUS), ("r/node-a/200", SYSTEM)] {
            let calls = [Call::Read(Query::BootTarget(device))];
            expect_calls(&room, &format!("/boot_target/{path}"), &body, &calls).await;
            let calls = [Call::Perform(Action::SetBootTarget { device, boot: boot(target) })];
            expect_calls(&room, &format!("/boot_target/{path}/{word}"), &body, &calls).await;
        }
    }
    room.second.answers(Observation::BootTarget(boot(BootTarget::Setup)));
    expect(&room, "/boot_target/r/node-a/200", r#"{"target":null}"#).await;
}

#[tokio::test]
async fn location_is_computed_for_boards_that_may_be_there() {
    let room = room().await;
    let physical = r#""physical_location":{"horizontal":"unknown","vertical":"unknown","depth":"unknown"}"#;
    for path in ["/location/r/1", "/location/r/node-a"] {
        expect(&room, path, &format!("{{{physical}}}")).await;
    }
    let chassis = r#"{"depth":"front","horiz_pos":"left","vert_pos":"top","server_node":"unknown"}"#;
    let body = format!(r#"{{{physical},"chassis_location":{chassis}}}"#);
    expect(&room, "/location/r/1/5555", &body).await;
    expect(&room, "/location/r/node-a/5555", &body).await;
    let chassis = r#"{"depth":"unknown","horiz_pos":"unknown","vert_pos":"unknown","server_node":"unknown"}"#;
    let body = format!(r#"{{{physical},"chassis_location":{chassis}}}"#);
    expect(&room, "/location/r/node-a/CPU%20temp", &body).await;
    assert!(room.calls().is_empty());
}

#[tokio::test]
async fn lamps() {
    let room = room().await;
    for (on, word) in [(true, "on"), (false, "off")] {
        room.bus.answers(Observation::Led { on });
        room.second.answers(Observation::Led { on });
        let body = format!(r#"{{"led_state":"{word}"}}"#);
        for (path, device) in [("/led/r/1/2", BUS), ("/led/r/node-a/led", LED)] {
            let read = [Call::Read(Query::Led(device))];
            expect_calls(&room, path, &body, &read).await;
            expect_calls(&room, &format!("{path}/no_override"), &body, &read).await;
            let set = [Call::Perform(Action::SetLed { device, on })];
            expect_calls(&room, &format!("{path}/{word}"), &body, &set).await;
        }
    }
}

#[tokio::test]
async fn lamps_of_chambers() {
    let room = room().await;
    let color = Some(Rgb([0xff, 0x88, 0]));
    for (path, on, color, blink) in [
        ("on/ff8800/blink", Some(true), color, Some(true)),
        ("off/FF8800/steady", Some(false), color, Some(false)),
        ("no_override/no_override/no_override", None, None, None),
    ] {
        let state = ChamberLedState { on: true, color: "ff8800".into(), blink: blink == Some(true) };
        room.bus.answers(Observation::ChamberLed(state));
        let shown = if blink == Some(true) { "blink" } else { "steady" };
        let body = format!(r#"{{"led_state":"on","led_color":"ff8800","blink_state":"{shown}"}}"#);
        let setting = ChamberLedSetting { rack: "my rack".into(), on, color, blink };
        let calls = [Call::Perform(Action::SetChamberLed { device: BUS, setting })];
        expect_calls(&room, &format!("/led/my%20rack/1/2/{path}"), &body, &calls).await;
    }
}

#[tokio::test]
async fn fans() {
    let room = room().await;
    let body = r#"{"speed_rpm":4100,"fan_mode":"auto"}"#;
    room.bus.answers(reading(DeviceKind::FanSpeed, Number::from(4100), None));
    let query = Query::Sensor { device: BUS, kind: DeviceKind::FanSpeed };
    expect_calls(&room, "/fan/r/1/2", body, &[Call::Read(query)]).await;
    let action = Action::SetFanSpeed { device: BUS, rpm: 4100 };
    expect_calls(&room, "/fan/r/1/2/04100", body, &[Call::Perform(action)]).await;
    room.second.answers(server_reading(
        DeviceKind::FanSpeed,
        Some((Quantity::SpeedRpm, 3915.0)),
        Quality::Good,
    ));
    expect(&room, "/fan/r/node-a/FAN1", r#"{"speed_rpm":3915.0,"health":"ok","states":[]}"#).await;
}

#[tokio::test]
async fn host_information_of_a_bus() {
    let room = room().await;
    let host = HostInfo { hostnames: vec!["node4".into()], ip_addresses: vec!["10.2.0.4".parse().unwrap()] };
    room.bus.answers(Observation::HostInfo(host));
    let body = r#"{"hostnames":["node4"],"ip_addresses":["10.2.0.4"]}"#;
    expect_calls(&room, "/host_info/r/1/2", body, &[Call::Read(Query::HostInfo(BUS))]).await;
}
