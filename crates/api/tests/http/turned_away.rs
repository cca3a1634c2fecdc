//! What goes no further whoever sends it is in the audit, and cannot fill it.

use std::sync::Arc;

use http::Method;
use opendcre_api::{Api, Entrance, Limits};
use opendcre_auth::Authenticator;
use opendcre_gateway::{AuditFile, AuditLog, AuditQuery, Equipment, Gateway, Policy, Settings};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{FixedClock, remote, request};

/// A service on this machine, and its audit.
struct Room {
    api: Api,
    folder: TempDir,
}

impl Room {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let audit = AuditLog::open(folder.path().join("audit.db"), Arc::new(FixedClock)).unwrap();
        let (clock, settings) = (Arc::new(FixedClock), Settings::default());
        let gateway = Gateway::new(Equipment::default(), audit.into(), Policy::open(), clock, settings);
        let entrance = Entrance::new(Arc::new(Authenticator::open(Arc::new(FixedClock))));
        let api = Api::new(gateway, entrance.only_for([]), &FixedClock, Limits::default());
        Self { api, folder }
    }

    async fn send(&self, method: Method, path: &str, header: (&'static str, &str)) -> u16 {
        let mut request = request(method, path);
        request.headers_mut().insert(header.0, header.1.parse().unwrap());
        self.api.respond(request, remote()).await.status().as_u16()
    }

    /// Ends it, and tells what its audit says of refusals.
    fn refusals(self) -> Vec<Value> {
        drop(self.api);
        let file = AuditFile::new(self.folder.path().join("audit.db"));
        let page = file.page(&AuditQuery { limit: 1_000, ..AuditQuery::default() }).unwrap();
        let entries = page.entries.iter().map(|entry| serde_json::from_str::<Value>(&entry.text).unwrap());
        let is_refused = |entry: &Value| entry["kind"] == "refused" || entry["kind"] == "more_refused";
        let mut refusals: Vec<Value> = entries.filter(is_refused).collect();
        // All of one moment, and so in no order.
        refusals.sort_by_key(|entry| entry["parameters"].as_str().map(str::to_owned));
        refusals
    }
}

#[tokio::test]
async fn control_by_a_page_of_another_site_is_recorded() {
    let room = Room::new();
    for (method, path) in [
        (Method::GET, "/opendcre/1.1/power/off/11/0dff"),
        (Method::GET, "/opendcre/1.3/power/rack_1/11/0dff/off"),
        (Method::POST, "/opendcre/2/power"),
        (Method::POST, "/opendcre/2/power"),
    ] {
        assert_eq!(room.send(method, path, ("origin", "http://evil.example")).await, 403, "{path}");
    }
    assert_eq!(room.send(Method::GET, "/opendcre/1.1/scan", ("origin", "http://evil.example")).await, 200);
    let refusals = room.refusals();
    let told = refusals.iter().map(|entry| [&entry["code"], &entry["parameters"], &entry["count"]]);
    assert_eq!(
        json!(told.collect::<Vec<_>>()),
        json!([
            ["cross_site", "GET /opendcre/1.1/power/off/11/0dff", 1],
            ["cross_site", "GET /opendcre/1.3/power/rack_1/11/0dff/off", 1],
            ["cross_site", "POST /opendcre/2/power", 2],
        ])
    );
    assert_eq!(refusals[0]["message"], "a page of another site sent it: \"http://evil.example\"");
    assert_eq!(refusals[0]["who"], json!({ "name": "anonymous", "login": "anonymous" }));
    assert_eq!(refusals[0]["remote"], remote().to_string());
}

#[tokio::test]
async fn requests_for_other_hosts_are_recorded_and_counted() {
    let room = Room::new();
    for number in 0..1_000 {
        let path = format!("/opendcre/2/boards/{number}");
        assert_eq!(room.send(Method::GET, &path, ("host", "evil.example")).await, 421);
    }
    let refusals = room.refusals();
    assert_eq!(refusals.len(), 17, "16 of one address, and one that counts the others");
    assert_eq!(refusals[0]["kind"], "more_refused", "it has no parameters");
    assert_eq!(refusals[1]["code"], "wrong_host");
    assert_eq!(refusals[1]["parameters"], "GET /opendcre/2/boards/0");
    assert_eq!(refusals[1]["message"], "it is for the host \"evil.example\"");
    assert_eq!(refusals[1].get("who"), None);
    let counted: u64 = refusals.iter().map(|entry| entry["count"].as_u64().unwrap()).sum();
    assert_eq!(counted, 1_000);
}
