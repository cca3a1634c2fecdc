//! Our gateway with BMCs of OpenIPMI's `ipmi_sim` and of pyghmi's, switched over REST and looked at by ipmitool.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::bmc_address;
use super::simulator::Simulator;
use super::tool::{ADMIN, OPERATOR, USER, User, ipmitool, success};
use crate::support::{Gateway, Program, peer};

/// How sessions are begun, as the configuration says it. Without a word, suite 17 is tried first, which the simulator
/// refuses.
const SESSIONS: [&str; 7] = [
    "",
    "suites = [3]",
    "suites = [2]",
    "auth = \"md5\"\nallow_insecure = true",
    "auth = \"md2\"\nallow_insecure = true",
    "auth = \"password\"\nallow_insecure = true",
    "auth = \"none\"\nallow_insecure = true",
];

fn table(address: SocketAddr, user: User, session: &str) -> String {
    let User { name, password } = user;
    format!(
        "[[ipmi]]\nrack = \"rack_2\"\naddress = \"{address}\"\nusername = \"{name}\"\npassword = \"{password}\"\n{session}\n"
    )
}

/// The power state as another program sees it.
fn seen(bmc: SocketAddr) -> String {
    let said = success(&ipmitool(bmc, ADMIN, "-I lanplus -C 3", &["power", "status"]));
    said.trim().trim_start_matches("Chassis Power is ").to_owned()
}

#[test]
fn power_is_switched_in_every_kind_of_session() {
    let directory = tempfile::tempdir().unwrap();
    let bmcs = SESSIONS.map(|_| bmc_address());
    let _simulator = Simulator::start(directory.path(), &bmcs);
    let tables: Vec<_> =
        bmcs.iter().zip(SESSIONS).map(|(address, session)| table(*address, OPERATOR, session)).collect();
    let gateway = Gateway::start_with("", &tables.concat());

    let (status, scanned) = gateway.get("/scan/40000000");
    assert_eq!((status, &scanned["boards"][0]["devices"][0]["device_type"]), (200, &json!("power")));
    assert_eq!(scanned["boards"][0]["devices"].as_array().unwrap().len(), SESSIONS.len());
    for (number, bmc) in (1..).zip(bmcs) {
        let session = SESSIONS[number - 1];
        for (order, state) in
            [("status", "on"), ("off", "off"), ("status", "off"), ("on", "on"), ("cycle", "on")]
        {
            let (status, report) = gateway.get(&format!("/power/{order}/40000000/{number:04x}"));
            assert_eq!(
                (status, &report["power_status"]),
                (200, &json!(state)),
                "{session} {order}: {report}"
            );
            assert_eq!(seen(bmc), state, "{session} {order}");
        }
    }
}

#[test]
fn wrong_credentials_are_errors_that_say_which_and_never_show_the_password() {
    let directory = tempfile::tempdir().unwrap();
    let bmcs: [SocketAddr; 6] = std::array::from_fn(|_| bmc_address());
    let _simulator = Simulator::start(directory.path(), &bmcs);
    let stranger = User { name: "nobody", password: "very-secret-17" };
    let mistaken = User { name: "ADMIN", password: "very-secret-17" };
    let md5 = "auth = \"md5\"\nallow_insecure = true";
    let tables = [
        table(bmcs[0], stranger, ""),
        table(bmcs[1], mistaken, ""),
        table(bmcs[2], stranger, md5),
        table(bmcs[3], mistaken, md5),
        table(bmcs[4], USER, md5),
        // Nobody is there.
        table(bmc_address(), ADMIN, ""),
    ];
    let gateway = Gateway::start_with("level = \"trace\"", &tables.concat());
    let refused = |device: u16, order: &str| -> Value {
        let (status, answer) = gateway.get(&format!("/power/{order}/40000000/{device:04x}"));
        assert_ne!(status, 200, "{answer}");
        answer
    };
    let mut codes: Vec<String> =
        (1..=4).map(|device| refused(device, "status")["code"].as_str().unwrap().to_owned()).collect();
    assert_eq!(gateway.get("/power/status/40000000/0005").1["power_status"], "on");
    codes.push(refused(5, "off")["code"].as_str().unwrap().to_owned());
    codes.push(refused(6, "status")["code"].as_str().unwrap().to_owned());
    let expected = ["wrong_user", "wrong_password", "wrong_user", "wrong_password"];
    assert_eq!(codes[..4], expected);
    assert_eq!(codes[4..], ["insufficient_privilege", "unreachable"]);
    for (device, bmc) in (1..=4).zip(bmcs) {
        let message = refused(device, "status")["message"].to_string();
        assert!(message.contains(&bmc.ip().to_string()), "{message}");
        assert!(!message.contains(stranger.password), "{message}");
    }
    assert_eq!(seen(bmcs[4]), "on");

    let log = std::fs::read_to_string(gateway.directory.path().join("log/opendcre.log")).unwrap();
    assert!(!log.contains(stranger.password));
    let hexadecimal: Vec<_> = stranger.password.bytes().map(|byte| format!("{byte:02x}")).collect();
    for separator in ["", " ", ", "] {
        assert!(!log.contains(&hexadecimal.join(separator)));
    }
}

#[test]
fn a_bmc_of_pyghmi_is_switched() {
    let address = bmc_address();
    let arguments = [address.ip().to_string(), address.port().to_string()];
    let mut bmc = Program::start(peer("ipmi/pyghmi_bmc.py").args(arguments));
    assert_eq!(bmc.line(), "ready");
    let gateway = Gateway::start_with("", &table(address, ADMIN, ""));
    // It has no power cycle, so that is switching off and on.
    for (order, state) in [("status", "on"), ("off", "off"), ("status", "off"), ("on", "on"), ("cycle", "on")]
    {
        let (status, report) = gateway.get(&format!("/power/{order}/40000000/0001"));
        assert_eq!((status, &report["power_status"]), (200, &json!(state)), "{order}: {report}");
    }
    let changes: Vec<_> = (0..4).map(|_| bmc.line()).collect();
    assert_eq!(changes, ["off", "on", "off", "on"]);
}
