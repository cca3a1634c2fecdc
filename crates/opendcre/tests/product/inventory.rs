//! What is known of the equipment: over restarts, when it moves, when it is gone, and through every generation of the API.

use std::path::Path;
use std::process::Command;

use opendcre_emulator::bmc::{Fleet, FleetConfig, Handle};
use serde_json::{Value, json};

use crate::demo::shell;
use crate::support::{PRODUCT, Program, Room, eventually, free_address, inventory};

/// A gateway that can be stopped and started again with another configuration.
struct Site {
    directory: tempfile::TempDir,
    address: std::net::SocketAddr,
    gateway: Option<Program>,
}

impl Site {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), address: free_address(), gateway: None }
    }

    /// Starts the gateway with these tables of equipment. It looks for everything as often as it may.
    fn start(&mut self, equipment: &str) {
        let folder = self.directory.path();
        let text = format!(
            "[server]\nlisten = \"{}\"\n{}[log]\nfiles = false\nlevel = \"warn\"\n\
             [audit]\nfile = {:?}\n[broker]\ntimeout = \"100ms\"\ntries = 1\n{equipment}",
            self.address,
            inventory(folder, "10s"),
            folder.join("audit.db")
        );
        let config = folder.join("opendcre.toml");
        std::fs::write(&config, text).unwrap();
        let program = Program::start(Command::new(PRODUCT).arg("serve").arg("--config").arg(&config));
        eventually("the gateway listens", || std::net::TcpStream::connect(self.address).ok());
        self.gateway = Some(program);
    }

    fn stop(&mut self) {
        assert_eq!(self.gateway.take().unwrap().terminate(), Some(0));
    }

    fn get(&self, path: &str) -> Value {
        let body = shell(&format!("curl --globoff 'http://{}/opendcre/{path}'", self.address));
        serde_json::from_str(&body).unwrap()
    }

    /// The devices of each board. How well they are is not remembered.
    fn devices(&self) -> Vec<Value> {
        let mut boards = self.each("devices");
        for device in boards.iter_mut().filter_map(Value::as_array_mut).flatten() {
            device["health"].take();
        }
        boards
    }

    /// `field` of each board, in the order of their ids.
    fn each(&self, field: &str) -> Vec<Value> {
        let boards = self.get("2/boards?sort=id");
        boards["items"].as_array().unwrap().iter().map(|board| board[field].clone()).collect()
    }

    fn wait_for_states(&self, states: &[&str]) {
        let reached = || (self.each("state") == states).then_some(());
        eventually(&format!("boards are {states:?}"), reached);
    }
}

fn fleet(count: u32) -> Handle {
    let listen = "127.0.0.1:0".parse().unwrap();
    Fleet::bind(&FleetConfig { listen, count, ..FleetConfig::default() }).unwrap().spawn().unwrap()
}

/// The tables of BMCs of `fleet` in this order.
fn tables(fleet: &Handle, order: &[usize]) -> String {
    let addresses = fleet.bmcs().addresses();
    let table = |index: &usize| {
        format!(
            "[[ipmi]]\nrack = \"rack_8\"\naddress = \"{}\"\nusername = \"operator\"\npassword = \"operator\"\n",
            addresses[*index]
        )
    };
    order.iter().map(table).collect()
}

fn bus(name: &str, rack: &str, tty: &Path) -> String {
    format!("[[devicebus]]\nname = \"{name}\"\nrack = \"{rack}\"\ndevice = {tty:?}\n")
}

#[test]
fn ids_follow_the_machines_over_restarts_and_what_is_gone_is_shown_as_missing() {
    let fleet = fleet(3);
    let mut site = Site::new();
    site.start(&tables(&fleet, &[0, 1, 2]));
    site.wait_for_states(&["present"; 3]);
    let machines = site.each("identity");
    assert_eq!(site.each("id"), ["40000001", "40000002", "40000003"]);
    site.stop();

    site.start(&tables(&fleet, &[2, 0, 1]));
    let moved = || {
        let changes = site.get("2/changes");
        let kinds = changes["items"].as_array().unwrap().iter().map(|change| change["kind"].clone());
        (kinds.filter(|kind| *kind == "moved").count() >= 2 && site.each("identity") == machines)
            .then_some(())
    };
    eventually("each machine has its id again", moved);
    site.stop();

    site.start(&tables(&fleet, &[0, 1]));
    site.wait_for_states(&["present", "present", "missing"]);
    assert_eq!(site.each("identity"), machines, "a machine that may come back is not forgotten");
    assert_eq!(site.each("failure")[2]["code"], "displaced");
    site.stop();
    fleet.stop().unwrap();
}

#[test]
fn a_restart_starts_with_what_was_known() {
    let fleet = fleet(2);
    let tables = tables(&fleet, &[0, 1]);
    let mut site = Site::new();
    site.start(&tables);
    site.wait_for_states(&["present"; 2]);
    let devices = site.devices();
    site.stop();
    fleet.stop().unwrap();

    site.start(&tables);
    assert_eq!(site.devices(), devices, "although nobody answers");
    site.wait_for_states(&["missing"; 2]);
    let failure = &site.each("failure")[0];
    assert_eq!(failure["code"], "unreachable", "{failure}");
    assert!(site.each("since")[0].as_str().unwrap() > site.each("last_seen")[0].as_str().unwrap());
    site.stop();
}

#[test]
fn a_database_that_cannot_be_read_is_set_aside_and_told() {
    let mut site = Site::new();
    std::fs::write(site.directory.path().join("inventory.db"), "no database").unwrap();
    site.start("");
    let ready: Value =
        serde_json::from_str(&shell(&format!("curl 'http://{}/readyz'", site.address))).unwrap();
    assert_eq!(ready["status"], "degraded", "{ready}");
    assert_eq!(ready["defects"][0]["code"], "store_damaged", "{ready}");
    let aside = std::fs::read(site.directory.path().join("inventory.db.set-aside-1")).unwrap();
    assert_eq!(aside, b"no database");
    site.stop();
}

#[test]
fn racks_are_merged_over_sources_and_a_broken_one_hides_nobody() {
    let room = Room::new();
    let emulator = room.emulate(&[]);
    let fleet = fleet(2);
    let mut site = Site::new();
    let second = Room::with_text(
        &json!({"boards": [{"board_id": "2", "firmware_version": "fw", "devices": [
        {"device_id": "1", "device_type": "thermistor", "read": {"repeatable": true, "responses": [700]}}]}]})
        .to_string(),
    );
    let mut lost = second.emulate(&[]);
    let equipment =
        [bus("hat", "rack_8", &room.tty()), bus("attic", "rack_9", &second.tty()), tables(&fleet, &[0, 1])];
    site.start(&equipment.concat());
    site.wait_for_states(&["present"; 4]);

    let racks = site.get("2/racks");
    let racks: Vec<_> =
        racks["items"].as_array().unwrap().iter().map(|rack| (&rack["id"], &rack["boards"])).collect();
    assert_eq!(racks, [(&json!("rack_8"), &json!(3)), (&json!("rack_9"), &json!(1))]);
    let scan = site.get("1.3/scan/rack_8");
    let ids: Vec<_> =
        scan["racks"][0]["boards"].as_array().unwrap().iter().map(|board| &board["board_id"]).collect();
    assert_eq!(ids, ["00000001", "40000001", "40000002"]);

    assert_eq!(lost.terminate(), Some(0));
    site.wait_for_states(&["present", "missing", "present", "present"]);
    let readings = site.get("2/readings?nodes=all&kind=thermistor&max_age=0s");
    assert_eq!(readings["items"][0]["board"], "00000001", "{readings}");
    assert_eq!(readings["failures"][0]["board"], "00000002", "{readings}");
    assert_eq!(readings["failures"][0]["code"], "gone", "{readings}");
    site.stop();
    drop(emulator);
    fleet.stop().unwrap();
}

#[test]
fn a_bus_whose_tty_is_missing_at_the_start_hides_nobody_and_comes_later() {
    let (room, late) = (Room::new(), Room::with_text(&json!({"boards": [{"board_id": "2", "firmware_version": "fw",
        "devices": [{"device_id": "1", "device_type": "led", "read": {"repeatable": true, "responses": [1]}}]}]}).to_string()));
    let _emulator = room.emulate(&[]);
    let mut site = Site::new();
    site.start(&[bus("hat", "rack_8", &room.tty()), bus("attic", "rack_9", &late.tty())].concat());
    site.wait_for_states(&["present"]);
    let sources = site.get("2/sources");
    assert_eq!(
        (&sources["items"][0]["name"], &sources["items"][0]["code"]),
        (&json!("attic"), &json!("gone"))
    );

    let _late = late.emulate(&[]);
    let scan = format!("curl -X POST 'http://{}/opendcre/2/scan'", site.address);
    eventually("the late bus is searched", || {
        shell(&scan);
        (site.each("id") == ["00000001", "00000002"]).then_some(())
    });
    site.stop();
}
