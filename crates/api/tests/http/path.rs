//! The path parser.

use opendcre_api::v1_1::path::{PathError, PowerCommand, Route, parse};
use opendcre_model::{BoardId, DeviceAddress, DeviceId, DeviceKind, PowerAction};
use proptest::prelude::*;

const DEVICE: DeviceAddress = DeviceAddress { board: BoardId(0xa), device: DeviceId(0x01ff) };

fn read(kind: DeviceKind) -> Route {
    Route::Read { kind, device: DEVICE }
}

fn power(command: PowerCommand) -> Route {
    Route::Power { command, device: DEVICE }
}

fn write_asset(text: &str) -> Route {
    Route::WriteAsset { device: DEVICE, text: text.to_owned() }
}

#[test]
fn every_route() {
    for (path, route) in [
        ("/test", Route::Test),
        ("/%74est", Route::Test),
        ("/version/a", Route::Version { board: BoardId(10) }),
        ("/version%2Fa", Route::Version { board: BoardId(10) }),
        ("/scan", Route::ScanAll),
        ("/scan/0000000A", Route::Scan { board: BoardId(10) }),
        ("/scan/%20+0xaL%09", Route::Scan { board: BoardId(10) }),
        ("/scan/ffffffff", Route::Scan { board: BoardId(u32::MAX) }),
        ("/read/thermistor/a/1ff", read(DeviceKind::Thermistor)),
        ("/read/Fan_Speed/a/1ff", read(DeviceKind::FanSpeed)),
        ("/read/none/a/1ff", read(DeviceKind::None)),
        ("/read/power/a/1ff", read(DeviceKind::Power)),
        ("/read/power/a/1ff/info", Route::ReadAsset { device: DEVICE }),
        ("/write/power/a/1ff/info/x%20y", write_asset("x y")),
        ("/write/power/a/1ff/info/info", write_asset("info")),
        ("/write/power/a/1ff/info/a+b%", write_asset("a+b%")),
        ("/write/power/a/1ff/info/%2561", write_asset("%61")),
        ("/write/power/a/1ff", Route::Write),
        ("/write/x/y/z", Route::Write),
        ("/power/status/a/1ff", power(PowerCommand::Status)),
        ("/power/STATUS/a/1ff", power(PowerCommand::Status)),
        ("/power/On/a/1ff", power(PowerCommand::Change(PowerAction::On))),
        ("/power/off/a/1ff", power(PowerCommand::Change(PowerAction::Off))),
        ("/power/cycle/a/1ff", power(PowerCommand::Change(PowerAction::Cycle))),
    ] {
        assert_eq!(parse(path), Ok(route), "{path}");
    }
}

#[test]
fn what_has_no_route() {
    for path in [
        "",
        "/",
        "//",
        "test",
        "/test/",
        "//test",
        "/test/x",
        "/Test",
        "/version",
        "/version/",
        "/version/1/",
        "/version/1/2",
        "/scan/",
        "/scan//",
        "/scan/1/2",
        "/SCAN",
        "/read",
        "/read/led",
        "/read/led/1",
        "/read/led/1/",
        "/read/led//1",
        "/read//1/1",
        "/read/led/1/1/",
        "/read/power/1/1/Info",
        "/read/power/1/1/info/",
        "/read/power/1/1/info/x",
        "/write/power/1/1/info",
        "/write/power/1/1/info/",
        "/write/power/1/1/info/a/b",
        "/write/power/1/1/info/a%2fb",
        "/write/power/1/1/info/a/",
        "/write/power/1/1/x/y",
        "/write/power/1/1/1",
        "/write/power/1",
        "/power/on/1",
        "/power/on/1/1/1",
        "/power/on/1/1/",
        "/%2ftest",
        "/nothing",
        "/test%00",
        "/%2574est",
    ] {
        assert_eq!(parse(path), Err(PathError::NotFound), "{path}");
    }
}

#[test]
fn what_is_wrong_inside_a_route() {
    for (path, code) in [
        ("/version/", "not_found"),
        ("/version/%20", "invalid_id"),
        ("/scan/g", "invalid_id"),
        ("/scan/%FF", "invalid_id"),
        ("/scan/-1", "invalid_id"),
        ("/read/sofa/1/1", "unknown_kind"),
        ("/read/sofa/x/1", "invalid_id"),
        ("/read/led/1/10000", "invalid_id"),
        ("/read/POWER/1/1/info", "unsupported"),
        ("/read/led/x/1/info", "invalid_id"),
        ("/write/Power/1/1/info/x", "unsupported"),
        ("/write/power/1/1/info/%C3%A9", "invalid_text"),
        ("/write/power/1/1/info/%80", "invalid_text"),
        ("/power/status2/1/1", "unknown_command"),
        ("/power/on/x/1", "invalid_id"),
    ] {
        assert_eq!(parse(path).unwrap_err().code(), code, "{path}");
    }
}

#[test]
fn asset_text_is_cut_to_127_characters_before_it_is_judged() {
    let kept = "x".repeat(127);
    for rest in ["", "y", "yyy", "%C3%A9"] {
        let path = format!("/write/power/a/1ff/info/{kept}{rest}");
        assert_eq!(parse(&path), Ok(write_asset(&kept)));
    }
}

#[test]
fn messages_stay_short_however_long_the_path_is() {
    let long = "z".repeat(100_000);
    for path in [
        format!("/scan/{long}"),
        format!("/read/{long}/1/1"),
        format!("/power/{long}/1/1"),
        format!("/read/{long}/1/1/info"),
    ] {
        assert!(parse(&path).unwrap_err().to_string().len() < 250);
    }
}

proptest! {
    #[test]
    fn no_text_breaks_the_parser(path in any::<String>()) {
        // Whatever it says, it says it with a code and a message.
        if let Err(error) = parse(&path) {
            prop_assert!(!error.code().is_empty() && !error.to_string().is_empty());
        }
    }

    #[test]
    fn nothing_that_looks_like_a_route_breaks_the_parser(
        segments in prop::collection::vec("(test|version|scan|read|write|power|info|on|led|[0-9a-fxL+-]{0,12}|%[0-9A-F]{2}|\\PC{0,3})", 0..8),
    ) {
        let path = format!("/{}", segments.join("/"));
        if let Ok(Route::WriteAsset { text, .. }) = parse(&path) {
            prop_assert!(text.is_ascii() && (1..=127).contains(&text.len()));
        }
    }

    #[test]
    fn ids_of_every_width_are_read(board: u32, device: u16, zeros in 0_usize..20) {
        let path = format!("/read/led/{}{board:x}/{device:X}", "0".repeat(zeros));
        let device = DeviceAddress { board: BoardId(board), device: DeviceId(device) };
        prop_assert_eq!(parse(&path), Ok(Route::Read { kind: DeviceKind::Led, device }));
    }
}
