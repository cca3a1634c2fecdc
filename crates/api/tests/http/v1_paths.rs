//! Every route of API 1.2 and 1.3 with every method, and paths that nobody thought of.

use http::Method;
use opendcre_model::DeviceKind;
use proptest::prelude::*;

use crate::support::{Answer, Call, Room, board, request, server};

const READ: &str = "GET, HEAD, OPTIONS";
const CONTROL: &str = "GET, HEAD, POST, OPTIONS";

/// The routes of API 1.2, and what a request for them that touches no equipment answers.
const V1_2: [(&str, &str, u16); 29] = [
    ("/opendcre/1.2/test", CONTROL, 200),
    ("/opendcre/1.2/plc_config", CONTROL, 500),
    ("/opendcre/1.2/version/1", READ, 200),
    ("/opendcre/1.2/scan", READ, 200),
    ("/opendcre/1.2/scan/1", READ, 200),
    ("/opendcre/1.2/read/led/1/2", READ, 200),
    ("/opendcre/1.2/power/1/2", READ, 200),
    ("/opendcre/1.2/power/1/2/status", READ, 200),
    ("/opendcre/1.2/power/STATUS/1/2", READ, 200),
    ("/opendcre/1.2/power/led/1/2/status", READ, 200),
    ("/opendcre/1.2/power/1/2/on", CONTROL, 200),
    ("/opendcre/1.2/power/off/1/2", CONTROL, 200),
    ("/opendcre/1.2/power/led/1/2/cycle", CONTROL, 200),
    ("/opendcre/1.2/power/1/2/explode", CONTROL, 500),
    ("/opendcre/1.2/asset/40000001/200", READ, 200),
    ("/opendcre/1.2/boot_target/40000001/200", READ, 200),
    ("/opendcre/1.2/boot_target/40000001/200/pxe", CONTROL, 200),
    ("/opendcre/1.2/boot_target/40000001/200/usb", CONTROL, 500),
    ("/opendcre/1.2/location/1", READ, 200),
    ("/opendcre/1.2/location/1/2", READ, 200),
    ("/opendcre/1.2/led/1/2", READ, 200),
    ("/opendcre/1.2/led/1/2/on", CONTROL, 200),
    ("/opendcre/1.2/led/1/2/green", CONTROL, 500),
    ("/opendcre/1.2/led/1/2/on/green", CONTROL, 500),
    ("/opendcre/1.2/fan/1/2", READ, 200),
    ("/opendcre/1.2/fan/1/2/4100", CONTROL, 200),
    ("/opendcre/1.2/fan/1/2/fast", CONTROL, 500),
    ("/opendcre/1.2/fan/zz/2", READ, 500),
    ("/opendcre/1.2/power/zz/2/on", CONTROL, 500),
];

/// The same of API 1.3.
const V1_3: [(&str, &str, u16); 34] = [
    ("/opendcre/version", CONTROL, 200),
    ("/opendcre/1.3/test", CONTROL, 200),
    ("/opendcre/1.3/plc_config", CONTROL, 500),
    ("/opendcre/1.3/version/r/1", READ, 200),
    ("/opendcre/1.3/scan", READ, 200),
    ("/opendcre/1.3/scan/force", READ, 200),
    ("/opendcre/1.3/scan/rack_1", READ, 200),
    ("/opendcre/1.3/scan/r/1", READ, 200),
    ("/opendcre/1.3/read/led/r/1/2", READ, 200),
    ("/opendcre/1.3/power/r/1/2", READ, 200),
    ("/opendcre/1.3/power/r/1/2/status", READ, 200),
    ("/opendcre/1.3/power/status/1/2", READ, 200),
    ("/opendcre/1.3/power/power/r/1/2/status", READ, 200),
    ("/opendcre/1.3/power/r/1/2/on", CONTROL, 200),
    ("/opendcre/1.3/power/off/1/2", CONTROL, 200),
    ("/opendcre/1.3/power/power/r/1/2/cycle", CONTROL, 200),
    ("/opendcre/1.3/power/r/1/2/explode", CONTROL, 500),
    ("/opendcre/1.3/asset/r/1/2", READ, 200),
    ("/opendcre/1.3/boot_target/r/1/2", READ, 200),
    ("/opendcre/1.3/boot_target/r/1/2/pxe", CONTROL, 200),
    ("/opendcre/1.3/boot_target/r/1/2/usb", CONTROL, 500),
    ("/opendcre/1.3/location/r/1", READ, 200),
    ("/opendcre/1.3/location/r/1/2", READ, 200),
    ("/opendcre/1.3/led/r/1/2", READ, 200),
    ("/opendcre/1.3/led/r/1/2/on", CONTROL, 200),
    ("/opendcre/1.3/led/r/1/2/green", CONTROL, 500),
    ("/opendcre/1.3/led/r/1/2/on/ff8800/blink", CONTROL, 200),
    ("/opendcre/1.3/led/r/1/2/on/green/blink", CONTROL, 500),
    ("/opendcre/1.3/fan/r/1/2", READ, 200),
    ("/opendcre/1.3/fan/r/1/2/4100", CONTROL, 200),
    ("/opendcre/1.3/fan/r/1/2/fast", CONTROL, 500),
    ("/opendcre/1.3/host_info/r/1/2", READ, 200),
    ("/opendcre/1.3/host_info/r/nobody/2", READ, 500),
    ("/opendcre/1.3/power/r/nobody/2/on", CONTROL, 500),
];

async fn room() -> Room {
    let room = Room::with_servers(vec![server(0x4000_0001, "node-a", "10.1.0.20", &[])]);
    *room.bus.boards.lock().unwrap() = vec![board(1, &[(2, DeviceKind::Power)])];
    room.look_around().await;
    room
}

async fn send(room: &Room, method: &Method, path: &str) -> Answer {
    room.send(request(method.clone(), path)).await
}

fn is_change(call: &Call) -> bool {
    matches!(call, Call::Perform(_))
}

#[tokio::test]
async fn methods_that_touch_no_equipment() {
    let room = room().await;
    for (path, methods, status) in V1_2.into_iter().chain(V1_3) {
        let answer = send(&room, &Method::OPTIONS, path).await;
        assert_eq!((answer.status.as_u16(), answer.header("allow")), (200, Some(methods)), "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{path}");
        let answer = send(&room, &Method::HEAD, path).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (status, ""), "{path}");
        for method in [Method::PUT, Method::DELETE, Method::PATCH, Method::TRACE] {
            let answer = send(&room, &method, path).await;
            assert_eq!((answer.status.as_u16(), answer.header("allow")), (405, Some(methods)), "{path}");
        }
        if methods == READ {
            assert_eq!(send(&room, &Method::POST, path).await.status, 405, "{path}");
        }
    }
    assert!(room.calls().is_empty());
}

#[tokio::test]
async fn only_paths_that_take_post_change_anything_and_do_so_by_get_too() {
    let room = room().await;
    for (path, methods, status) in V1_2.into_iter().chain(V1_3) {
        room.forget_calls();
        send(&room, &Method::GET, path).await;
        let by_get: Vec<Call> = room.calls().into_iter().filter(is_change).collect();
        let asks_nobody = path.ends_with("/test") || path.ends_with("/opendcre/version");
        let changes = methods == CONTROL && status == 200 && !asks_nobody;
        assert_eq!(by_get.len(), usize::from(changes), "{path}");
        if methods == CONTROL {
            room.forget_calls();
            send(&room, &Method::POST, path).await;
            assert!(room.calls().into_iter().filter(is_change).eq(by_get), "{path}");
        }
    }
}

#[tokio::test]
async fn pages_of_other_sites_cannot_control() {
    let room = room().await;
    for (path, methods, _) in V1_2.into_iter().chain(V1_3) {
        let is_plain = ["test", "plc_config", "version"].iter().any(|end| path.ends_with(end));
        for method in [Method::GET, Method::POST, Method::HEAD] {
            let mut request = request(method, path);
            request.headers_mut().insert("sec-fetch-site", "cross-site".parse().unwrap());
            let answer = room.send(request).await;
            let is_refused = answer.header("x-opendcre-code") == Some("cross_site");
            assert_eq!(is_refused, methods == CONTROL && !is_plain, "{path}");
            assert_eq!(is_refused, answer.status == 403, "{path}");
        }
    }
    assert!(!room.calls().iter().any(is_change));
}

/// A path from words that mean something somewhere.
fn paths() -> impl Strategy<Value = String> {
    let word = concat!(
        "(test|plc_config|version|scan|force|read|power|asset|boot_target|location|led|fan|host_info|on|off|cycle|",
        "STATUS|status|pxe|no_override|ff8800|blink|temperature|fan_speed|40000001|node-a|10\\.1\\.0\\.20|system|",
        "[0-9a-fxL+-]{0,9}|%[0-9A-F]{2}|\\PC{0,3})"
    );
    let segments = prop::collection::vec(word, 0..8);
    (prop::sample::select(vec!["1.2", "1.3"]), segments)
        .prop_map(|(version, segments)| format!("/opendcre/{version}/{}", segments.join("/")))
}

/// Whether a path has a word that can only mean a change.
fn can_change(path: &str) -> bool {
    path.to_ascii_lowercase().split('/').any(|word| ["power", "led", "fan", "boot_target"].contains(&word))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_path_breaks_anything_or_changes_what_it_only_reads(path in paths()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let room = room().await;
            let Ok(uri) = path.parse::<http::Uri>() else { return Ok(()) };
            let path = uri.path();
            let allowed = send(&room, &Method::OPTIONS, path).await;
            let answer = send(&room, &Method::GET, path).await;
            prop_assert!([200, 404, 500].contains(&answer.status.as_u16()), "{:?}", answer);
            prop_assert_eq!(answer.status == 404, allowed.status == 404);
            let body = answer.json();
            prop_assert_eq!(answer.status == 200, answer.header("x-opendcre-code").is_none());
            prop_assert!(answer.status == 200 || body["message"].as_str().is_some_and(|text| text.len() < 400));
            if allowed.header("allow") != Some(CONTROL) || !can_change(path) {
                prop_assert!(!room.calls().iter().any(is_change), "{}", path);
            }
            Ok(())
        })?;
    }
}
