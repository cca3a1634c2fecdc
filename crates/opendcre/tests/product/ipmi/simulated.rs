//! Our client against OpenIPMI's `ipmi_sim`, which others can read, too. Its values stand still, so they are compared to
//! the last digit.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::bmc_address;
use super::simulator::Simulator;
use super::tool::{
    ADMIN, FRU_FIELDS, USER, User, freeipmi, freeipmi_sensors, ipmitool, ipmitool_sensors, opendcre,
    our_sensors, ours, pairs, success, table,
};

/// The simulator names another privilege than was asked for, and does not know suite 17.
const FREEIPMI: &str = "-D LAN_2_0 -W opensesspriv -l ADMIN";
/// The sensor whose name only our client shows.
const PACKED_NAME: &str = "VBAT";

/// One running BMC.
pub(super) struct Bmc {
    pub(super) address: SocketAddr,
    directory: tempfile::TempDir,
    _simulator: Simulator,
}

impl Bmc {
    pub(super) fn start() -> Self {
        let (address, directory) = (bmc_address(), tempfile::tempdir().unwrap());
        let simulator = Simulator::start(directory.path(), &[address]);
        Self { address, directory, _simulator: simulator }
    }

    pub(super) fn ipmitool(&self, words: &str) -> String {
        let words: Vec<_> = words.split_whitespace().collect();
        success(&ipmitool(self.address, ADMIN, "-I lanplus -C 3", &words))
    }

    fn freeipmi(&self, program: &str, words: &str) -> String {
        let (words, cache): (Vec<_>, PathBuf) =
            (words.split_whitespace().collect(), self.directory.path().into());
        success(&freeipmi(program, self.address, &cache, FREEIPMI, &words))
    }
}

#[test]
fn our_client_opens_every_kind_of_session() {
    let bmc = Bmc::start();
    for session in [
        "",
        "--suite 1",
        "--suite 2",
        "--suite 3",
        "--ipmi15 none",
        "--ipmi15 password",
        "--ipmi15 md2",
        "--ipmi15 md5",
    ] {
        let answer = success(&opendcre(bmc.address, ADMIN, session, "power status"));
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(answer["power"], "on", "{session}");
    }
}

#[test]
fn our_client_says_why_it_is_refused() {
    let bmc = Bmc::start();
    let stranger = User { name: "nobody", password: "very-secret-17" };
    let mistaken = User { name: "ADMIN", password: "very-secret-17" };
    let code = |user, session, words| {
        let output = opendcre(bmc.address, user, session, words);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && !said.contains("very-secret-17"), "{said}");
        assert!(said.contains(&bmc.address.to_string()), "{said}");
        let error: Value = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"));
        error["code"].as_str().unwrap().to_owned()
    };
    let codes = [
        code(stranger, "--suite 3", "power status"),
        code(mistaken, "--suite 3", "power status"),
        code(stranger, "--ipmi15 md5", "power status"),
        code(mistaken, "--ipmi15 md5", "power status"),
        code(USER, "--ipmi15 md5", "power off"),
        code(ADMIN, "--suite 17", "power status"),
    ];
    let expected = ["wrong_user", "wrong_password", "wrong_user", "wrong_password"];
    assert_eq!(codes[..4], expected);
    assert_eq!(codes[4..], ["insufficient_privilege", "no_common_suite"]);
    assert_eq!(bmc.ipmitool("power status"), "Chassis Power is on\n");
}

#[test]
fn our_client_switches_the_power() {
    let bmc = Bmc::start();
    for (order, state) in
        [("off", "off"), ("on", "on"), ("soft", "off"), ("on", "on"), ("cycle", "on"), ("reset", "on")]
    {
        ours(bmc.address, &format!("power {order}"));
        assert_eq!(bmc.ipmitool("power status"), format!("Chassis Power is {state}\n"), "{order}");
    }
    // That the setting counts, the simulator does not keep, and our client says so instead of calling it done.
    let output = opendcre(bmc.address, ADMIN, "", "boot set pxe");
    assert_eq!(output.status.code(), Some(6), "{output:?}");
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("accepted the boot target"), "{error}");
    let options = bmc.ipmitool("chassis bootparam get 5");
    assert!(options.contains("Force PXE"), "{options}");
}

#[test]
fn everybody_reads_the_same_sensors() {
    let bmc = Bmc::start();
    let report = ours(bmc.address, "sensors --thresholds");
    assert_eq!(report["problems"], json!([]));
    let mut of_us = our_sensors(&report);
    assert_eq!(of_us.len(), 7, "{of_us:?}");
    assert_eq!(of_us.remove(PACKED_NAME), Some((2.2, "V".to_owned())));
    let text = bmc.ipmitool("-c sensor");
    let mut of_ipmitool = ipmitool_sensors(&text);
    let text = bmc.freeipmi("ipmi-sensors", "--comma-separated-output --no-header-output");
    let mut of_freeipmi = freeipmi_sensors(&text);
    of_ipmitool.retain(|name, _| name.is_ascii());
    of_freeipmi.retain(|name, _| name.is_ascii());
    assert_eq!(of_us, of_ipmitool);
    assert_eq!(of_us, of_freeipmi);
}

#[test]
fn everybody_reads_the_same_states_and_thresholds() {
    let bmc = Bmc::start();
    let report = ours(bmc.address, "sensors --thresholds");
    let sensors = report["sensors"].as_array().unwrap();
    let text = bmc.ipmitool("-c sensor");
    let rows = table(&text, ',');
    let health = BTreeMap::from([("ok", "ok"), ("nc", "non_critical"), ("cr", "critical")]);
    let mut compared = 0;
    for (sensor, row) in sensors.iter().zip(&rows).filter(|(sensor, _)| sensor["value"].is_number()) {
        assert_eq!(sensor["health"], health[row[3]], "{sensor} {row:?}");
        let names = ["lower_non_recoverable", "lower_critical", "lower_non_critical"];
        let names = names.iter().chain(&["upper_non_critical", "upper_critical", "upper_non_recoverable"]);
        for (name, theirs) in names.zip(&row[4..]) {
            let of_us = sensor["thresholds"][name].as_f64();
            assert_eq!(of_us, theirs.parse().ok(), "{sensor} {row:?}");
            compared += 1;
        }
    }
    assert_eq!(compared, 7 * 6);
    let supply = sensors.iter().find(|sensor| sensor["name"] == "Psu1").unwrap();
    assert_eq!(supply["states"], json!(["presence detected", "failure detected"]));
    assert!(bmc.ipmitool("sdr elist").contains("Presence detected, Failure detected"));
}

#[test]
fn everybody_reads_the_same_inventory() {
    let bmc = Bmc::start();
    let of_us = ours(bmc.address, "fru");
    let of_ipmitool = bmc.ipmitool("fru print 0");
    let of_ipmitool = pairs(&of_ipmitool, ":");
    let of_freeipmi = bmc.freeipmi("ipmi-fru", "--device-id=0");
    let of_freeipmi = pairs(&of_freeipmi, ":");
    for (ours, ipmitool, freeipmi, _) in FRU_FIELDS {
        let value = of_us.pointer(ours).and_then(Value::as_str).unwrap();
        assert_eq!(of_ipmitool[ipmitool], value, "{ipmitool}");
        assert_eq!(of_freeipmi[freeipmi], value, "{freeipmi}");
    }
}

#[test]
fn everybody_reads_the_same_events() {
    let bmc = Bmc::start();
    let report = ours(bmc.address, "sel list");
    let of_us = report["entries"].as_array().unwrap();
    let text = bmc.ipmitool("-c sel elist");
    let of_ipmitool = table(&text, ',');
    let text = bmc.freeipmi("ipmi-sel", "--comma-separated-output --no-header-output");
    let of_freeipmi = table(&text, ',');
    assert_eq!((of_us.len(), of_ipmitool.len(), of_freeipmi.len()), (6, 6, 6));
    for ((entry, second), third) in of_us.iter().zip(&of_ipmitool).zip(&of_freeipmi) {
        let id = entry["id"].as_u64().unwrap();
        assert_eq!(u64::from_str_radix(second[0], 16).unwrap(), id);
        assert_eq!(third[0].parse::<u64>().unwrap(), id);
        assert_eq!(second[2].parse().ok(), entry["seconds_since_start"].as_u64(), "{second:?}");
        let text = entry["text"].as_str().unwrap().to_ascii_lowercase();
        match entry["event"]["state"].as_str() {
            // "upper non-critical, going high" here, without the comma or with a dash there.
            Some(state) => {
                let words = state.replace(',', "");
                assert_eq!(second[4].to_ascii_lowercase(), words, "{second:?}");
                assert!(third[5].to_ascii_lowercase().starts_with(&state.replace(',', " -")), "{third:?}");
                assert!(second[3].starts_with(entry["event"]["sensor_type"].as_str().unwrap()), "{second:?}");
                assert_eq!(third[4], entry["event"]["sensor_type"], "{third:?}");
            }
            None => {
                let bytes = second.last().unwrap();
                assert!(text.replace(' ', "").ends_with(bytes), "{text}: {second:?}");
            }
        }
    }
    ours(bmc.address, "sel clear");
    assert_eq!(ours(bmc.address, "sel list")["entries"], json!([]));
    assert!(!bmc.ipmitool("sel info").contains("Entries          : 6"));
}
