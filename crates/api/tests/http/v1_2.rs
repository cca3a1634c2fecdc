//! API 1.2: every route with its body, byte for byte, and every way to fail.

use http::Method;
use opendcre_model::{
    Action, BoardId, BootTarget, DeviceAddress, DeviceKind, Fault, Number, Observation, PowerAction, Quality,
    Quantity, Query, Scope,
};

use crate::support::{
    ASSET, Answer, BUSY, Call, MEASURED, Room, asset_info, board, boot, device, electrical, humidity, power,
    reading, request, server, server_reading,
};

const NODE: u32 = 0x4000_0001;
const POWER: DeviceAddress = device(NODE, 0x0100);
const SYSTEM: DeviceAddress = device(NODE, 0x0200);
const LED: DeviceAddress = device(NODE, 0x0300);
const BUS: DeviceAddress = device(1, 2);

const BUS_BOARD: &str = concat!(
    r#"{"board_id":"00000001","devices":[{"device_id":"0002","device_type":"fan_speed"},"#,
    r#"{"device_id":"0003","device_type":"none"}]}"#
);
const NODE_BOARD: &str = concat!(
    r#"{"board_id":"40000001","devices":[{"device_id":"0100","device_type":"power"},"#,
    r#"{"device_id":"0200","device_type":"system"},{"device_id":"0300","device_type":"led"},"#,
    r#"{"device_id":"0041","device_type":"fan_speed","device_info":"FAN1"},"#,
    r#"{"device_id":"0011","device_type":"temperature","device_info":"CPU Temp"}]}"#
);
const NO_VALUES: &str = concat!(
    r#"{"pmbus_raw":"0,0,0,0","power_status":"on","power_ok":true,"over_current":false,"under_voltage":false,"#,
    r#""input_power":0,"input_voltage":0,"output_current":0}"#,
);

/// A room with a board on the bus and one server, both of which are known.
async fn room() -> Room {
    let sensors = [
        (0x0041, DeviceKind::FanSpeed, "FAN1"),
        (0x0011, DeviceKind::Temperature, "CPU Temp"),
        (0x0060, DeviceKind::Voltage, "12V"),
        (0x0070, DeviceKind::Sensor, "Intrusion"),
    ];
    let room = Room::with_servers(vec![server(NODE, "node-a", "10.1.0.20", &sensors)]);
    *room.bus.boards.lock().unwrap() =
        vec![board(1, &[(2, DeviceKind::FanSpeed), (3, DeviceKind::VaporLed)])];
    room.look_around().await;
    room
}

async fn get(room: &Room, path: &str) -> Answer {
    room.send(request(Method::GET, &format!("/opendcre/1.2{path}"))).await
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
    get(room, path).await.old_failure(&["message"], status, code)
}

#[tokio::test]
async fn what_asks_nobody() {
    let room = room().await;
    expect(&room, "/test", r#"{"status":"ok"}"#).await;
    let body =
        r#"{"firmware_version":"OpenDCRE IPMI Bridge v2.0","opendcre_version":"1.2.0","api_version":"1.2"}"#;
    expect(&room, "/version/40000001", body).await;
    assert!(room.calls().is_empty());
}

#[tokio::test]
async fn version_of_a_board() {
    let body = r#"{"firmware_version":"PLC fw 3.2","opendcre_version":"1.2.0","api_version":"1.2"}"#;
    expect_calls(&room().await, "/version/0x01", body, &[Call::Read(Query::Version(BoardId(1)))]).await;
}

#[tokio::test]
async fn a_scan_searches_the_buses_and_lists_the_servers_that_are_there() {
    let room = room().await;
    let body = format!(r#"{{"boards":[{BUS_BOARD},{NODE_BOARD}]}}"#);
    expect_calls(&room, "/scan", &body, &[Call::Discover(Scope::All)]).await;

    room.second.fail(Fault::Timeout);
    room.bus.fail(Fault::Timeout);
    let answer = get(&room, "/scan").await;
    assert_eq!((answer.status.as_u16(), answer.header("x-opendcre-failed")), (200, Some("hat")));
    assert_eq!(answer.text, format!(r#"{{"boards":[{NODE_BOARD}]}}"#));
}

#[tokio::test]
async fn a_scan_that_finds_nothing_because_of_a_failure_is_one() {
    let room = Room::with_servers(vec![server(NODE, "", "10.1.0.20", &[])]);
    expect(&room, "/scan", r#"{"boards":[]}"#).await;
    room.bus.fail(Fault::Timeout);
    let message = fails(&room, "/scan", 500, "timeout").await;
    assert!(message.starts_with("scan of all boards: no answer within 250 ms"), "{message}");
}

#[tokio::test]
async fn a_scan_of_one_board() {
    let room = room().await;
    let calls = [Call::Discover(Scope::Board(BoardId(1)))];
    expect_calls(&room, "/scan/1", &format!(r#"{{"boards":[{BUS_BOARD}]}}"#), &calls).await;
    expect_calls(&room, "/scan/40000001", &format!(r#"{{"boards":[{NODE_BOARD}]}}"#), &[]).await;
    let never_seen = Room::with_servers(vec![server(NODE, "", "10.1.0.20", &[])]);
    expect_calls(&never_seen, "/scan/40000001", r#"{"boards":[]}"#, &[]).await;
}

#[tokio::test]
async fn readings_of_a_bus() {
    let room = room().await;
    let celsius = |kind, raw| reading(kind, raw, Some(28.78));
    let plain = |kind, raw: &str| reading(kind, raw.parse().unwrap(), None);
    for (kind, answer, body) in [
        ("thermistor", celsius(DeviceKind::Thermistor, Number::from(656)), r#"{"temperature_c":28.78}"#),
        (
            "Temperature",
            celsius(DeviceKind::Temperature, Number::Decimal(28.78)),
            r#"{"temperature_c":28.78}"#,
        ),
        ("fan_speed", plain(DeviceKind::FanSpeed, "4100"), r#"{"speed_rpm":4100}"#),
        (
            "fan_speed",
            plain(DeviceKind::FanSpeed, "-123456789012345678901"),
            r#"{"speed_rpm":-123456789012345678901}"#,
        ),
        ("pressure", plain(DeviceKind::Pressure, "17"), r#"{"device_raw":17}"#),
        ("none", plain(DeviceKind::None, "17"), r#"{"device_raw":17}"#),
    ] {
        let query = Query::Sensor { device: BUS, kind: kind.parse().unwrap() };
        room.bus.answers(answer);
        expect_calls(&room, &format!("/read/{kind}/1/2"), body, &[Call::Read(query)]).await;
    }
    room.bus.answers(humidity());
    expect(&room, "/read/humidity/1/2", r#"{"humidity":38.43,"temperature_c":16.24}"#).await;
    room.bus.answers(server_reading(DeviceKind::Humidity, None, Quality::Good));
    let message = fails(&room, "/read/humidity/1/2", 500, "malformed").await;
    assert!(
        message.contains("humidity reading of device 2 of board 1: 41 is no value of a humidity"),
        "{message}"
    );
    room.bus.answers(Observation::Led { on: true });
    expect_calls(&room, "/read/led/1/2", r#"{"led_state":"on"}"#, &[Call::Read(Query::Led(BUS))]).await;
}

#[tokio::test]
async fn readings_of_a_server() {
    let room = room().await;
    let (celsius, rpm) = (Quantity::TemperatureCelsius, Quantity::SpeedRpm);
    for (kind, path, value, quality, body) in [
        (
            DeviceKind::Temperature,
            "temperature/40000001/11",
            Some((celsius, 41.0)),
            Quality::Good,
            r#"{"temperature_c":41.0}"#,
        ),
        (
            DeviceKind::FanSpeed,
            "FAN_SPEED/40000001/41",
            Some((rpm.clone(), 3915.0)),
            Quality::Good,
            r#"{"speed_rpm":3915.0}"#,
        ),
        (
            DeviceKind::FanSpeed,
            "fan_speed/40000001/41",
            Some((rpm, 0.0)),
            Quality::Unavailable,
            r#"{"speed_rpm":null}"#,
        ),
        (
            DeviceKind::Temperature,
            "temperature/40000001/11",
            None,
            Quality::Unavailable,
            r#"{"temperature_c":null}"#,
        ),
    ] {
        room.second.answers(server_reading(kind, value, quality));
        let device = if kind == DeviceKind::FanSpeed { device(NODE, 0x41) } else { device(NODE, 0x11) };
        let calls = [Call::Read(Query::Sensor { device, kind })];
        expect_calls(&room, &format!("/read/{path}"), body, &calls).await;
    }
}

#[tokio::test]
async fn power_in_every_order_of_its_path() {
    let room = room().await;
    room.bus.answers(power(Some(electrical())));
    room.second.answers(power(None));
    for (board, device, body) in [("1", BUS, MEASURED), ("40000001", POWER, NO_VALUES)] {
        let kind = DeviceKind::Power;
        let place = format!("{board}/{}", device.device);
        let status = [Call::Read(Query::Power { device, kind })];
        for path in [
            format!("/power/{place}"),
            format!("/power/{place}/status"),
            format!("/power/status/{place}"),
            format!("/power/STATUS/{place}"),
            format!("/power/power/{place}/Status"),
            format!("/power/sofa/{place}/status"),
        ] {
            expect_calls(&room, &path, body, &status).await;
        }
        for (word, action) in
            [("on", PowerAction::On), ("Off", PowerAction::Off), ("CYCLE", PowerAction::Cycle)]
        {
            let change = [Call::Perform(Action::Power { device, kind, action })];
            for path in [
                format!("/power/{place}/{word}"),
                format!("/power/{word}/{place}"),
                format!("/power/vapor_rectifier/{place}/{word}"),
            ] {
                expect_calls(&room, &path, body, &change).await;
            }
        }
    }
}

#[tokio::test]
async fn asset_information_of_a_server() {
    let room = room().await;
    room.second.answers(asset_info(Some("10.1.0.20")));
    let body = format!(r#"{{"bmc_ip":"10.1.0.20",{ASSET}"#);
    expect_calls(&room, "/asset/40000001/0200", &body, &[Call::Read(Query::AssetInfo(SYSTEM))]).await;
}

#[tokio::test]
async fn boot_target_of_a_server() {
    let room = room().await;
    for (target, word) in [
        (BootTarget::Disk, r#""hdd""#),
        (BootTarget::Pxe, r#""pxe""#),
        (BootTarget::NoOverride, r#""no_override""#),
        (BootTarget::Optical, "null"),
    ] {
        room.second.answers(Observation::BootTarget(boot(target)));
        let body = format!(r#"{{"target":{word}}}"#);
        expect_calls(&room, "/boot_target/40000001/200", &body, &[Call::Read(Query::BootTarget(SYSTEM))])
            .await;
        let word = word.trim_matches('"');
        if word != "null" {
            let action = Action::SetBootTarget { device: SYSTEM, boot: boot(target) };
            let path = format!("/boot_target/40000001/200/{word}");
            expect_calls(&room, &path, &body, &[Call::Perform(action)]).await;
        }
    }
}

#[tokio::test]
async fn location_is_computed_whoever_is_there() {
    let room = room().await;
    let physical = r#""physical_location":{"horizontal":"unknown","vertical":"unknown","depth":"unknown"}"#;
    for path in ["/location/1", "/location/ffffff", "/location/40000001"] {
        expect(&room, path, &format!("{{{physical}}}")).await;
    }
    for (device, chassis) in [
        ("5555", r#"{"depth":"front","horiz_pos":"left","vert_pos":"top","server_node":"unknown"}"#),
        ("0001", r#"{"depth":"unknown","horiz_pos":"unknown","vert_pos":"unknown","server_node":"unknown"}"#),
        ("9f00", r#"{"depth":"unknown","horiz_pos":"unknown","vert_pos":"unknown","server_node":31}"#),
        ("72df", r#"{"depth":"middle","horiz_pos":"left","vert_pos":"bottom","server_node":"unknown"}"#),
    ] {
        let body = format!(r#"{{{physical},"chassis_location":{chassis}}}"#);
        expect(&room, &format!("/location/7/{device}"), &body).await;
    }
    assert!(room.calls().is_empty());
}

#[tokio::test]
async fn lamps() {
    let room = room().await;
    for (on, word) in [(true, "on"), (false, "off")] {
        room.bus.answers(Observation::Led { on });
        room.second.answers(Observation::Led { on });
        let set = |device| [Call::Perform(Action::SetLed { device, on })];
        let body = format!(r#"{{"led_state":"{word}"}}"#);
        expect_calls(&room, "/led/1/2", &body, &[Call::Read(Query::Led(BUS))]).await;
        expect_calls(&room, &format!("/led/1/2/{word}"), &body, &set(BUS)).await;
        let body = format!(r#"{{"led_state":"{word}","led_color":"unknown"}}"#);
        for lamp in ["0300", "0200"] {
            expect_calls(&room, &format!("/led/40000001/{lamp}"), &body, &[Call::Read(Query::Led(LED))])
                .await;
            expect_calls(&room, &format!("/led/40000001/{lamp}/{word}"), &body, &set(LED)).await;
        }
    }
}

#[tokio::test]
async fn fans() {
    let room = room().await;
    room.bus.answers(reading(DeviceKind::FanSpeed, Number::from(4100), None));
    let query = Query::Sensor { device: BUS, kind: DeviceKind::FanSpeed };
    expect_calls(&room, "/fan/1/2", r#"{"speed_rpm":4100}"#, &[Call::Read(query)]).await;
    for (text, rpm) in [("4100", 4100), ("0", 0), ("10000", 10_000), ("000000010", 10)] {
        let action = Action::SetFanSpeed { device: BUS, rpm };
        expect_calls(&room, &format!("/fan/1/2/{text}"), r#"{"speed_rpm":4100}"#, &[Call::Perform(action)])
            .await;
    }
    let value = Some((Quantity::SpeedRpm, 3915.0));
    room.second.answers(server_reading(DeviceKind::FanSpeed, value, Quality::Good));
    expect(&room, "/fan/40000001/41", r#"{"speed_rpm":3915.0}"#).await;
}

#[tokio::test]
async fn what_is_refused_is_said_and_nothing_is_sent() {
    let room = room().await;
    for (path, status, code, message) in [
        ("", 404, "not_found", "404: Not Found"),
        ("/scan/", 404, "not_found", "404: Not Found"),
        ("/scan/1/2", 404, "not_found", "404: Not Found"),
        ("/write/power/1/1/info/x", 404, "not_found", "404: Not Found"),
        ("/read/power/1/1/info", 404, "not_found", "404: Not Found"),
        ("/host_info/1/1", 404, "not_found", "404: Not Found"),
        (
            "/plc_config",
            500,
            "unsupported",
            "the command plc_config is not supported by this gateway; nothing was sent",
        ),
        ("/version/zz", 500, "invalid_id", "board id \"zz\" is not a hexadecimal number"),
        ("/version/node-a", 500, "invalid_id", "not a hexadecimal number"),
        ("/version/-1", 500, "invalid_id", "out of range"),
        ("/version/0000000100000001", 500, "invalid_id", "out of range"),
        ("/version/1000000", 500, "unknown_board", "there is no board 01000000"),
        ("/version/80000000", 500, "unknown_board", "there is no board 80000000"),
        ("/version/40000002", 500, "unknown_board", "there is no board 40000002"),
        ("/location/c0000001", 500, "unknown_board", "there is no board c0000001"),
        ("/scan/ffffffff", 500, "unknown_board", "there is no board ffffffff"),
        ("/scan/40000000", 500, "unknown_board", "there is no board 40000000"),
        ("/location/1/10000", 500, "invalid_id", "device id \"10000\" is out of range"),
        ("/read/sofa/1/1", 500, "unknown_kind", "\"sofa\" is not a device type"),
        ("/read/led/1/x", 500, "invalid_id", "device id \"x\""),
        (
            "/read/voltage/40000001/60",
            500,
            "unsupported",
            "the command read voltage is not supported by servers",
        ),
        ("/read/led/40000001/300", 500, "unsupported", "the command read led is not supported by servers"),
        (
            "/read/temperature/40000001/41",
            500,
            "unknown_device",
            "board 40000001 has no device \"41\" for read temperature",
        ),
        (
            "/read/temperature/40000001/CPU%20Temp",
            500,
            "invalid_id",
            "\"CPU Temp\" is not a hexadecimal number",
        ),
        ("/power/explode/1/1ff", 500, "invalid_id", "board id \"explode\" is not a hexadecimal number"),
        (
            "/power/1/1ff/reset",
            500,
            "unknown_command",
            "\"reset\" is not a power command; use on, off, cycle or status",
        ),
        ("/power/40000001/200", 500, "unknown_device", "board 40000001 has no device \"200\" for power"),
        ("/asset/1/1", 500, "unsupported", "the command asset is not supported by boards on a bus"),
        ("/asset/40000001/100", 500, "unknown_device", "no device \"100\" for asset"),
        (
            "/boot_target/1/1",
            500,
            "unsupported",
            "the command boot_target is not supported by boards on a bus",
        ),
        ("/boot_target/1/1/hdd", 500, "unsupported", "the command boot_target"),
        ("/boot_target/40000001/200/HDD", 500, "unknown_command", "\"HDD\" is not a boot target; use pxe"),
        ("/led/1/2/ON", 500, "unknown_command", "\"ON\" is not a led state"),
        ("/led/1/2/no_override", 500, "unknown_command", "\"no_override\" is not a led state; use on or off"),
        ("/led/1/2/on/ff8800", 500, "unsupported", "the command led color"),
        ("/led/40000001/100", 500, "unknown_device", "no device \"100\" for led"),
        ("/fan/1/2/10001", 500, "unknown_command", "\"10001\" is not a fan speed"),
        ("/fan/1/2/-1", 500, "unknown_command", "\"-1\" is not a fan speed"),
        ("/fan/1/2/+1", 500, "unknown_command", "\"+1\" is not a fan speed"),
        ("/fan/1/2/fast", 500, "unknown_command", "\"fast\" is not a fan speed"),
        ("/fan/40000001/41/1000", 500, "unsupported", "the command fan speed is not supported by servers"),
    ] {
        let told = fails(&room, path, status, code).await;
        assert!(told.contains(message), "{path}: {told}");
    }
    assert!(room.calls().is_empty());
}

#[tokio::test]
async fn a_fault_of_the_equipment_names_what_was_asked() {
    let room = room().await;
    room.bus.fail(Fault::Timeout);
    for (path, subject) in [
        ("/version/1", "version of board 1: no answer"),
        ("/scan/1", "scan of board 1: no answer"),
        ("/read/led/01/2", "led reading of device 2 of board 01: no answer"),
        ("/power/1/2", "power status of device 2 of board 1: no answer"),
        ("/power/on/1/2", "power on of device 2 of board 1: no answer"),
        ("/led/1/2/on", "led of device 2 of board 1: no answer"),
        ("/fan/1/2/7", "fan of device 2 of board 1: no answer"),
    ] {
        let message = fails(&room, path, 500, "timeout").await;
        assert!(message.starts_with(subject), "{message}");
    }
    room.bus.fail(BUSY);
    let answer = get(&room, "/read/led/1/2").await;
    answer.old_failure(&["message"], 503, "busy");
    assert_eq!(answer.header("retry-after"), Some("2"));
    *room.bus.failure.lock().unwrap() = None;
    let message = fails(&room, "/power/1/2", 500, "malformed").await;
    assert!(message.contains("something else than was asked"), "{message}");
    room.api.gateway().shutdown().await;
    fails(&room, "/version/1", 503, "shutting_down").await;
}

#[tokio::test]
async fn other_methods_are_said_as_ever() {
    let room = room().await;
    let answer = room.send(request(Method::PUT, "/opendcre/1.2/scan")).await;
    let message = answer.old_failure(&["message"], 405, "method_not_allowed");
    assert_eq!(message, "405: Method Not Allowed");
    assert_eq!(answer.header("allow"), Some("GET, HEAD, OPTIONS"));
}
