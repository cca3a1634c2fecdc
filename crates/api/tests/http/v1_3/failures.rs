//! Every way to fail: status, code, a message that helps, and nothing sent that should not be.

use http::Method;
use opendcre_model::{BoardId, Fault, Query};

use super::{NODE, expect, expect_calls, fails, get, room};
use crate::support::{BUSY, Call, Room, request, server};

#[tokio::test]
async fn what_is_refused_is_said_and_nothing_is_sent() {
    let room = room().await;
    for (path, status, code, message) in [
        ("", 404, "not_found", "there is no such path in API 1.3; see /opendcre/1.3/scan"),
        ("/scan/", 404, "not_found", "no such path"),
        ("/read/led//1/2", 404, "not_found", "no such path"),
        ("/read/led/1/2", 404, "not_found", "no such path"),
        ("/led/r/1/2/on/ff8800", 404, "not_found", "no such path"),
        ("/led/r/1/2/on/ff8800/blink/x", 404, "not_found", "no such path"),
        ("/write/power/1/1/info/x", 404, "not_found", "no such path"),
        ("/plc_config", 500, "unsupported", "the command plc_config is not supported by this gateway"),
        (
            "/version/r/zz",
            500,
            "unknown_board",
            "no board is called \"zz\"; use its id, name, host name or address",
        ),
        ("/version/r/10.1.0.99", 500, "unknown_board", "no board is called \"10.1.0.99\""),
        ("/version/r/-1", 500, "unknown_board", "no board is called \"-1\""),
        ("/version/r/40000009", 500, "unknown_board", "there is no board 40000009"),
        ("/version/r/70000000", 500, "unknown_board", "there is no board 70000000"),
        ("/location/r/1000000", 500, "unknown_board", "there is no board 01000000"),
        ("/location/r/node-b/1", 500, "unknown_board", "no board is called \"node-b\""),
        ("/location/r/1/name", 500, "invalid_id", "device id \"name\" is not a hexadecimal number"),
        ("/read/sofa/r/1/1", 500, "unknown_kind", "\"sofa\" is not a device type"),
        (
            "/read/temperature/r/1/CPU%20Temp",
            500,
            "invalid_id",
            "device id \"CPU Temp\" is not a hexadecimal number",
        ),
        (
            "/read/temperature/r/node-a/FAN1",
            500,
            "unknown_device",
            "board 40000001 has no device \"FAN1\" for read temperature",
        ),
        (
            "/read/voltage/r/node-a/12V",
            500,
            "ambiguous_device",
            "several devices called \"12V\" (0060, 0061); use the id",
        ),
        (
            "/read/humidity/r/node-a/1",
            500,
            "unsupported",
            "the command read humidity is not supported by servers behind a BMC",
        ),
        ("/read/led/r/node-a/led", 500, "unsupported", "the command read led is not supported"),
        (
            "/power/ON/1/2",
            500,
            "unknown_command",
            "\"ON\" is not a power command; use on, off, cycle or status",
        ),
        ("/power/r/1/2/explode", 500, "unknown_command", "\"explode\" is not a power command"),
        ("/power/r/1/2/reset", 500, "unknown_command", "\"reset\" is not a power command"),
        ("/power/r/node-a/led/on", 500, "unknown_device", "has no device \"led\" for power"),
        ("/power/sofa/r/1/2/on", 500, "unknown_kind", "\"sofa\" is not a device type"),
        (
            "/power/led/r/1/2/on",
            500,
            "unsupported",
            "the command power led is not supported by boards on a bus",
        ),
        ("/asset/r/node-a/power", 500, "unknown_device", "has no device \"power\" for asset"),
        (
            "/boot_target/r/1/2/usb",
            500,
            "unknown_command",
            "\"usb\" is not a boot target; use pxe, hdd or no_override",
        ),
        ("/led/r/1/2/ON", 500, "unknown_command", "\"ON\" is not a led state"),
        ("/led/r/node-a/system", 500, "unknown_device", "has no device \"system\" for led"),
        ("/led/r/1/2/red/ff8800/blink", 500, "unknown_command", "\"red\" is not a led state"),
        (
            "/led/r/1/2/on/fffffg/blink",
            500,
            "unknown_command",
            "\"fffffg\" is not a color; use six hexadecimal digits",
        ),
        ("/led/r/1/2/on/ff8800/fast", 500, "unknown_command", "\"fast\" is not a blink state"),
        (
            "/led/r/node-a/led/on/ff8800/blink",
            500,
            "unsupported",
            "the command chamber led is not supported by servers",
        ),
        ("/fan/r/1/2/10001", 500, "unknown_command", "\"10001\" is not a fan speed"),
        ("/fan/r/1/2/1.5", 500, "unknown_command", "\"1.5\" is not a fan speed"),
        ("/fan/r/node-a/FAN1/1000", 500, "unsupported", "the command fan speed is not supported by servers"),
        ("/host_info/r/40000009/1", 500, "unknown_board", "there is no board 40000009"),
    ] {
        let told = fails(&room, path, status, code).await;
        assert!(told.contains(message), "{path}: {told}");
    }
    assert!(room.calls().is_empty());
}

#[tokio::test]
async fn a_name_of_two_boards_is_ambiguous() {
    let servers = [1, 2].map(|n| server(0x4000_0000 + n, "twin", "10.1.0.20", &[]));
    let room = Room::with_servers(servers.to_vec());
    for name in ["twin", "10.1.0.20"] {
        let message = fails(&room, &format!("/power/r/{name}/power/off"), 500, "ambiguous_name").await;
        assert!(message.contains("40000001") && message.contains("40000002"), "{message}");
    }
    assert!(room.calls().is_empty());
}

#[tokio::test]
async fn a_name_that_looks_like_an_id_is_a_name() {
    let servers = [server(NODE, "cafe", "10.1.0.20", &[])];
    let room = Room::with_servers(servers.to_vec());
    expect(&room, "/host_info/r/CAFE/1", r#"{"hostnames":["cafe"],"ip_addresses":["10.1.0.20"]}"#).await;
    let calls = [Call::Read(Query::Version(BoardId(0xcafe)))];
    let body = r#"{"api_version":"1.3","opendcre_version":"1.3.0","firmware_version":"PLC fw 3.2"}"#;
    expect_calls(&room, "/version/r/0000cafe", body, &calls).await;
}

#[tokio::test]
async fn a_fault_of_the_equipment_names_what_was_asked() {
    let room = room().await;
    room.second.fail(Fault::Uncertain);
    let message = fails(&room, "/power/r/node-a/power/off", 500, "uncertain").await;
    assert!(message.starts_with("power off of device power of board node-a: no answer"), "{message}");
    room.bus.fail(BUSY);
    let answer = get(&room, "/read/led/r/1/2").await;
    answer.old_failure(&["http_code", "message"], 503, "busy");
    assert_eq!(answer.header("retry-after"), Some("2"));
    *room.second.failure.lock().unwrap() = None;
    let message = fails(&room, "/power/r/node-a/100", 500, "malformed").await;
    assert!(message.contains("something else than was asked"), "{message}");
}

#[tokio::test(start_paused = true)]
async fn what_fails_before_it_is_understood_has_the_same_form() {
    let room = room().await;
    let message = room.send(request(Method::DELETE, "/opendcre/1.3/scan")).await.old_failure(
        &["http_code", "message"],
        405,
        "method_not_allowed",
    );
    assert!(message.contains("GET, HEAD, OPTIONS"), "{message}");
    room.bus.permits.forget_permits(1000);
    fails(&room, "/version/r/1", 504, "timeout").await;
}
