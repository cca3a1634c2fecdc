//! Any text, taken as a path of API 1.1.
//!
//! The promises: what is understood has one canonical spelling that means the same; what is refused is refused with one
//! short line and a code.

use opendcre_api::v1_1::path::{self, PathError, Route};

/// Excerpts in messages are short, so messages are.
const MAX_MESSAGE: usize = 600;
/// Longer asset texts are cut.
const MAX_TEXT: usize = 127;

/// Parses the text.
pub fn api_path(data: &[u8]) {
    match path::parse(&String::from_utf8_lossy(data)) {
        Ok(route) => check_route(&route),
        Err(error) => check_error(&error),
    }
}

fn check_route(route: &Route) {
    if let Route::WriteAsset { text, .. } = route {
        assert!(!text.is_empty() && text.len() <= MAX_TEXT && text.is_ascii(), "{text:?}");
    }
    assert!(!route.to_string().is_empty());
    let path = spell(route);
    assert_eq!(path::parse(&path).as_ref(), Ok(route), "{path}");
}

fn check_error(error: &PathError) {
    assert!(!error.code().is_empty());
    let message = error.to_string();
    assert!(message.len() <= MAX_MESSAGE, "{} bytes: {message}", message.len());
    assert!(!message.contains(char::is_control), "{message:?}");
}

/// The canonical spelling of a route.
fn spell(route: &Route) -> String {
    match route {
        Route::Test => "/test".to_owned(),
        Route::Version { board } => format!("/version/{board}"),
        Route::ScanAll => "/scan".to_owned(),
        Route::Scan { board } => format!("/scan/{board}"),
        Route::Read { kind, device } => format!("/read/{kind}/{}/{}", device.board, device.device),
        Route::ReadAsset { device } => format!("/read/power/{}/{}/info", device.board, device.device),
        Route::WriteAsset { device, text } => {
            let text: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
            format!("/write/power/{}/{}/info/{text}", device.board, device.device)
        }
        Route::Write => "/write/fan/1/1".to_owned(),
        Route::Power { command, device } => format!("/power/{command}/{}/{}", device.board, device.device),
    }
}
