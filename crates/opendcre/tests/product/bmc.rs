//! The BMCs of a configuration as a running gateway shows them. None of them answers.

use std::net::{Ipv4Addr, TcpStream, UdpSocket};
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::{PRODUCT, Program, eventually, free_address, inventory, request};

const PASSWORD: &str = "Pa55w0rd-of-a-test";

/// A gateway with nothing but what `equipment` says.
struct Gateway {
    _program: Program,
    address: std::net::SocketAddr,
    directory: tempfile::TempDir,
}

impl Gateway {
    /// Starts it in a directory that already holds `files`.
    fn start(equipment: &str, files: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (address, log) = (free_address(), directory.path().join("log"));
        std::fs::create_dir(&log).unwrap();
        for (name, text) in files {
            std::fs::write(directory.path().join(name), text).unwrap();
        }
        let inventory = inventory(directory.path(), "0s");
        let text = format!(
            "[server]\nlisten = \"{address}\"\n{inventory}[log]\nlevel = \"trace\"\ndirectory = {log:?}\n\
             [broker]\ntimeout = \"100ms\"\ntries = 1\n{equipment}"
        );
        let config = directory.path().join("opendcre.toml");
        std::fs::write(&config, text).unwrap();
        let program = Program::start(Command::new(PRODUCT).arg("serve").arg("--config").arg(&config));
        eventually("the gateway listens", || TcpStream::connect(address).ok());
        Self { _program: program, address, directory }
    }

    fn get(&self, path: &str) -> (u16, Value) {
        let (status, body) = request(self.address, "GET", path);
        (status, serde_json::from_str(&body).unwrap())
    }

    /// Everything that was written to the log directory.
    fn logs(&self) -> String {
        let files = std::fs::read_dir(self.directory.path().join("log")).unwrap();
        files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap()).collect()
    }
}

fn check(directory: &Path) -> (Option<i32>, String) {
    let config = directory.join("opendcre.toml");
    let output = Command::new(PRODUCT).args(["config", "check", "--config"]).arg(config).output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_broken_file_of_the_original_stops_nothing_and_is_told() {
    let file = r#"{"bmcs": [{"bmc_device_id": 1, "bmc_ip": "10.1.0.20"}]}"#;
    let gateway =
        Gateway::start("[legacy]\nbmc_config = \"bmc_config.json\"\n", &[("bmc_config.json", file)]);

    let (status, body) = gateway.get("/readyz");
    assert_eq!((status, &body["status"]), (200, &json!("degraded")));
    let defect = &body["defects"][0];
    assert_eq!((&defect["name"], &defect["code"]), (&json!("legacy.bmc_config"), &json!("bad_bmc_config")));
    assert!(defect["message"].as_str().unwrap().contains("bmc_config.json: bmcs[0]."), "{defect}");

    let empty = json!({"boards": [{"board_id": "40000000", "devices": []}]});
    assert_eq!(gateway.get("/opendcre/1.1/scan"), (200, empty));
    eventually("the log names the place", || gateway.logs().contains("bmcs[0].").then_some(()));

    let (code, stderr) = check(gateway.directory.path());
    assert!(code == Some(1) && stderr.contains("bmc_config.json: bmcs[0]."), "{stderr}");
}

#[test]
fn a_silent_bmc_is_listed_and_counted_and_its_password_is_nowhere() {
    let silent = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = silent.local_addr().unwrap();
    let table = format!(
        "[[ipmi]]\nrack = \"r\"\naddress = \"{address}\"\ndevice_id = 0x10\nusername = \"operator\"\n\
         password_file = \"bmc\"\nasset_text = \"web front end\"\n"
    );
    let gateway = Gateway::start(&table, &[("bmc", PASSWORD)]);

    let board = json!({"board_id": "40000000", "devices": [{"device_id": "0010", "device_type": "power"}]});
    assert_eq!(gateway.get("/opendcre/1.1/scan"), (200, json!({"boards": [board]})));
    let asset = json!({
        "board_id": "40000000", "device_id": "0010", "asset_info": "web front end", "bmc_ip": "127.0.0.1",
    });
    assert_eq!(gateway.get("/opendcre/1.1/read/power/40000000/10/info"), (200, asset));

    let mut answers = Vec::new();
    for (path, code) in [
        ("power/status/40000000/10", "unreachable"),
        ("power/off/40000000/10", "unreachable"),
        ("power/status/40000000/11", "unknown_device"),
        ("read/thermistor/40000000/10", "unsupported"),
        ("write/power/40000000/10/info/x", "unsupported"),
    ] {
        let (status, body) = gateway.get(&format!("/opendcre/1.1/{path}"));
        assert_eq!((status, &body["code"]), (500, &json!(code)), "{path}: {body}");
        answers.push(body.to_string());
    }
    assert!(answers[0].contains(&address.to_string()), "{answers:?}");

    let (status, body) = gateway.get("/opendcre/2/bmcs");
    let bmc = &body["items"][0];
    assert_eq!((status, &bmc["board"], &bmc["state"]), (200, &json!("40000010"), &json!("down")));
    assert_eq!(bmc["address"], json!(address.to_string()));
    assert!(bmc["timeouts"].as_u64() >= Some(1), "{bmc}");

    eventually("the requests are logged", || gateway.logs().contains("power/off").then_some(()));
    let everything = format!("{answers:?} {body} {}", gateway.logs());
    assert!(!everything.contains(PASSWORD));
}
