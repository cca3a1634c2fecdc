//! Our emulated BMC, judged by ipmitool, FreeIPMI's programs and pyghmi.

use std::net::SocketAddr;
use std::process::{Command, Output};

use serde_json::Value;

use super::bmc_address;
use super::tool::{
    ADMIN, FRU_FIELDS, OPERATOR, Sensors, USER, User, freeipmi, freeipmi_sensors, ipmitool, ipmitool_sensors,
    our_sensors, ours, pairs, pyghmi, success, table, unit,
};
use crate::support::{PRODUCT, Program, eventually};

/// A machine that reacts at once, so that no test waits for it.
const MACHINE: &str =
    "[machine]\npower_up_delay = \"50ms\"\nsoft_off_delay = \"50ms\"\ncycle_pause = \"50ms\"\n";

const MD5: &str = "-I lan -A MD5";
const SUITE_3: &str = "-I lanplus -C 3";
const SUITE_17: &str = "-I lanplus -C 17";
const FREEIPMI: &str = "-D LAN_2_0 -I 17 -l ADMIN";

/// A running BMC.
struct Bmc {
    address: SocketAddr,
    directory: tempfile::TempDir,
    _program: Program,
}

impl Bmc {
    fn start() -> Self {
        let (address, directory) = (bmc_address(), tempfile::tempdir().unwrap());
        let config = directory.path().join("bmc.toml");
        std::fs::write(&config, MACHINE).unwrap();
        let mut command = Command::new(PRODUCT);
        command.args(["emulate", "bmc", "--listen", &address.to_string(), "--config"]).arg(config);
        let program = Program::start(&mut command);
        super::simulator::wait_for_pong(&address);
        Self { address, directory, _program: program }
    }

    fn ipmitool(&self, session: &str, words: &str) -> Output {
        self.ipmitool_as(ADMIN, session, words)
    }

    fn ipmitool_as(&self, user: User, session: &str, words: &str) -> Output {
        ipmitool(self.address, user, session, &words.split_whitespace().collect::<Vec<_>>())
    }

    fn freeipmi(&self, program: &str, words: &str) -> String {
        let words: Vec<_> = words.split_whitespace().collect();
        success(&freeipmi(program, self.address, self.directory.path(), FREEIPMI, &words))
    }

    fn power(&self) -> String {
        let said = success(&self.ipmitool(SUITE_3, "power status"));
        said.trim().trim_start_matches("Chassis Power is ").to_owned()
    }

    fn wait_for_power(&self, state: &str) {
        eventually("the power changes", || (self.power() == state).then_some(()));
    }
}

#[test]
fn every_kind_of_session_is_served() {
    let bmc = Bmc::start();
    let ipmitool_sessions = [
        "-I lan -A NONE",
        "-I lan -A PASSWORD",
        MD5,
        "-I lanplus -C 1",
        "-I lanplus -C 2",
        SUITE_3,
        "-I lanplus -C 15",
        "-I lanplus -C 16",
        SUITE_17,
    ];
    for session in ipmitool_sessions {
        let said = success(&bmc.ipmitool(session, "power status"));
        assert_eq!(said, "Chassis Power is on\n", "{session}");
    }
    let freeipmi_sessions =
        ["-D LAN -a NONE", "-D LAN -a MD2", "-D LAN -a MD5", "-D LAN_2_0 -I 3", "-D LAN_2_0 -I 17"];
    for session in freeipmi_sessions {
        let said = success(&freeipmi("ipmipower", bmc.address, bmc.directory.path(), session, &["--stat"]));
        assert!(said.ends_with(": on\n"), "{session}: {said}");
    }
    // Without being told, ipmitool asks which suites there are.
    assert_eq!(success(&bmc.ipmitool("-I lanplus", "power status")), "Chassis Power is on\n");
}

#[test]
fn wrong_credentials_and_missing_privileges_are_refused() {
    let bmc = Bmc::start();
    let stranger = User { name: "nobody", password: "nobody" };
    let mistaken = User { password: "admin", ..ADMIN };
    // Some refusals are silence, as the specification wants it.
    let refused = |user, session: &str, words| {
        let output = bmc.ipmitool_as(user, &format!("{session} -N 1 -R 1"), words);
        assert!(!output.status.success(), "{session}: {output:?}");
    };
    for session in [MD5, "-I lan -A PASSWORD", SUITE_3, SUITE_17] {
        refused(stranger, session, "power status");
        refused(mistaken, session, "power status");
    }
    for session in [MD5, SUITE_17] {
        let as_user = format!("{session} -L USER");
        assert_eq!(success(&bmc.ipmitool_as(USER, &as_user, "power status")), "Chassis Power is on\n");
        refused(USER, &as_user, "power off");
        refused(USER, &format!("{session} -L OPERATOR"), "power off");
        refused(OPERATOR, &format!("{session} -L ADMINISTRATOR"), "power status");
    }
    assert_eq!(bmc.power(), "on");
    success(&bmc.ipmitool_as(OPERATOR, &format!("{SUITE_17} -L OPERATOR"), "power off"));
    bmc.wait_for_power("off");
}

#[test]
fn everybody_can_switch_the_power() {
    let bmc = Bmc::start();
    success(&bmc.ipmitool(SUITE_17, "power off"));
    bmc.wait_for_power("off");
    success(&bmc.ipmitool(MD5, "power on"));
    bmc.wait_for_power("on");
    success(&bmc.ipmitool(SUITE_3, "power soft"));
    bmc.wait_for_power("off");
    bmc.freeipmi("ipmipower", "--on --wait-until-on");
    bmc.wait_for_power("on");
    bmc.freeipmi("ipmi-chassis", "--chassis-control=POWER-DOWN");
    bmc.wait_for_power("off");
    assert!(bmc.freeipmi("ipmipower", "--stat").ends_with(": off\n"));
    pyghmi(bmc.address, &["on"]);
    bmc.wait_for_power("on");
    assert_eq!(pyghmi(bmc.address, &[])["power"], "on");
    success(&bmc.ipmitool(SUITE_17, "power cycle"));
    bmc.wait_for_power("on");
    success(&bmc.ipmitool(SUITE_17, "power reset"));
    bmc.wait_for_power("on");
}

#[test]
fn everybody_reads_the_same_sensors() {
    let bmc = Bmc::start();
    let of_us = our_sensors(&ours(bmc.address, "sensors"));
    let of_ipmitool = ipmitool_sensors(&success(&bmc.ipmitool(SUITE_17, "-c sensor")));
    let of_freeipmi = bmc.freeipmi("ipmi-sensors", "--comma-separated-output --no-header-output");
    let report = pyghmi(bmc.address, &[]);
    let readings = report["sensors"].as_object().unwrap().iter();
    let of_pyghmi: Sensors = readings
        .filter_map(|(name, reading)| {
            Some((name.clone(), (reading[0].as_f64()?, unit(reading[1].as_str()?).to_owned())))
        })
        .collect();
    assert!(of_us.len() >= 10, "{of_us:?}");
    alike(&of_us, &of_ipmitool);
    alike(&of_us, &freeipmi_sensors(&of_freeipmi));
    alike(&of_us, &of_pyghmi);
    let states = |sensors: &str| sensors.matches("Presence detected").count();
    let of_ipmitool = success(&bmc.ipmitool(SUITE_17, "sdr elist"));
    assert!(states(&of_ipmitool) > 0, "{of_ipmitool}");
    assert_eq!(states(&of_ipmitool), states(&bmc.freeipmi("ipmi-sensors", "")));
}

/// The same sensors with the same units, and values that can be of two moments.
fn alike(one: &Sensors, other: &Sensors) {
    assert_eq!(one.keys().collect::<Vec<_>>(), other.keys().collect::<Vec<_>>());
    for (name, (value, unit)) in one {
        let (second, second_unit) = &other[name];
        assert_eq!(unit, second_unit, "{name}");
        assert!((value - second).abs() <= 0.15 * value.abs().max(10.0), "{name}: {value} and {second}");
    }
}

#[test]
fn everybody_reads_the_same_inventory() {
    let bmc = Bmc::start();
    let of_ipmitool = success(&bmc.ipmitool(SUITE_17, "fru print 0"));
    let of_ipmitool = pairs(&of_ipmitool, ":");
    let of_freeipmi = bmc.freeipmi("ipmi-fru", "--device-id=0");
    let of_freeipmi = pairs(&of_freeipmi, ":");
    let of_pyghmi = pyghmi(bmc.address, &[]);
    let of_pyghmi = &of_pyghmi["inventory"]["System"];
    let of_us = ours(bmc.address, "fru");
    for (ours, ipmitool, freeipmi, pyghmi) in FRU_FIELDS {
        let value = of_us.pointer(ours).and_then(Value::as_str).unwrap();
        assert_eq!(of_ipmitool[ipmitool], value, "{ipmitool}");
        assert_eq!(of_freeipmi[freeipmi], value, "{freeipmi}");
        assert_eq!(of_pyghmi[pyghmi], value, "{pyghmi}");
    }
}

#[test]
fn everybody_reads_the_same_events() {
    let bmc = Bmc::start();
    success(&bmc.ipmitool(SUITE_17, "sel clear"));
    success(&bmc.ipmitool(SUITE_17, "power off"));
    bmc.wait_for_power("off");
    success(&bmc.ipmitool(SUITE_17, "power on"));
    bmc.wait_for_power("on");
    let of_ipmitool = success(&bmc.ipmitool(SUITE_17, "-c sel elist"));
    let of_ipmitool = table(&of_ipmitool, ',');
    let of_freeipmi = bmc.freeipmi("ipmi-sel", "--comma-separated-output --no-header-output");
    let of_freeipmi = table(&of_freeipmi, ',');
    let report = pyghmi(bmc.address, &[]);
    let of_pyghmi = report["events"].as_array().unwrap();
    let report = ours(bmc.address, "sel list");
    let of_us = report["entries"].as_array().unwrap();
    assert!(of_ipmitool.len() >= 2, "{of_ipmitool:?}");
    // Who asks later may see more.
    for (number, first) in of_ipmitool.iter().enumerate() {
        let (second, third, entry) = (&of_freeipmi[number], &of_pyghmi[number], &of_us[number]);
        let id = entry["id"].as_u64().unwrap();
        assert_eq!(u64::from_str_radix(first[0], 16).unwrap(), id);
        assert_eq!(second[0].parse::<u64>().unwrap(), id);
        assert_eq!(third["record_id"], id);
        let time = entry["time"].as_str().unwrap().split_once('T').unwrap().1;
        let time = time.trim_end_matches('Z');
        assert!(first[2].starts_with(time) && second[2] == time, "{first:?} {second:?} {entry}");
        let event = &entry["event"];
        // Some names are shorter in FreeIPMI: "System Boot Initiated" is "System Boot/Restart Initiated" (table 42-3).
        let sensor_type = event["sensor_type"].as_str().unwrap();
        assert_eq!(second[4].split(' ').next(), sensor_type.split([' ', '/']).next(), "{second:?}");
        assert_eq!(plain(first[4]), plain(event["state"].as_str().unwrap()), "{entry}");
        assert_eq!(first[5] == "Asserted", event["asserted"].as_bool().unwrap(), "{first:?}");
    }
}

/// Without what every program writes as it likes.
fn plain(text: &str) -> String {
    text.replace('-', " ").replace('/', " or ").replace(',', "").to_ascii_lowercase()
}

#[test]
fn everybody_reads_the_same_power_in_watts() {
    let bmc = Bmc::start();
    let watts = |text: &str| -> f64 { text.split_whitespace().next().unwrap().parse().unwrap() };
    let of_ipmitool = success(&bmc.ipmitool(SUITE_17, "dcmi power reading"));
    let of_freeipmi = bmc.freeipmi("ipmi-dcmi", "--get-system-power-statistics");
    let first = watts(pairs(&of_ipmitool, ":")["Instantaneous power reading"]);
    let second = watts(pairs(&of_freeipmi, ":")["Current Power"]);
    assert!(first > 0.0 && (first - second).abs() <= 0.15 * first, "{first} and {second}");
    let third = our_sensors(&ours(bmc.address, "sensors"))["System Power"].0;
    assert!((first - third).abs() <= 0.15 * first, "{first} and {third}");
    let fourth = ours(bmc.address, "dcmi power")["current_w"].as_f64().unwrap();
    assert!((first - fourth).abs() <= 0.15 * first, "{first} and {fourth}");

    success(&bmc.ipmitool(SUITE_17, "dcmi set_asset_tag rack-7"));
    assert!(bmc.freeipmi("ipmi-dcmi", "--get-asset-tag").contains("rack-7"));
    success(&bmc.ipmitool(SUITE_17, "dcmi set_mc_id_string bmc-7"));
    let identifier = bmc.freeipmi("ipmi-dcmi", "--get-management-controller-identifier-string");
    assert!(identifier.contains("bmc-7"), "{identifier}");
    let capable = bmc.freeipmi("ipmi-dcmi", "--get-dcmi-capability-info");
    assert!(capable.contains("Power Management"), "{capable}");
}

#[test]
fn boot_identify_and_the_rest_are_understood() {
    let bmc = Bmc::start();
    success(&bmc.ipmitool(SUITE_17, "chassis bootdev pxe options=efiboot"));
    let options = success(&bmc.ipmitool(SUITE_17, "chassis bootparam get 5"));
    assert!(options.contains("Force PXE") && options.contains("BIOS EFI boot"), "{options}");
    assert_eq!(pyghmi(bmc.address, &[])["boot_device"], "network");

    success(&bmc.ipmitool(SUITE_17, "chassis identify force"));
    let status = bmc.freeipmi("ipmi-chassis", "--get-chassis-status");
    assert_eq!(pairs(&status, ":")["Chassis Identify state"], "Indefinite on", "{status}");
    bmc.freeipmi("ipmi-chassis", "--chassis-identify=TURN-OFF");
    success(&bmc.ipmitool(SUITE_17, "chassis policy previous"));
    let status = bmc.freeipmi("ipmi-chassis", "--get-chassis-status");
    assert_eq!(pairs(&status, ":")["Power restore policy"], "Restore", "{status}");
    assert_eq!(pairs(&status, ":")["Chassis Identify state"], "off", "{status}");
    bmc.freeipmi("ipmi-chassis", "--get-power-on-hours-counter");

    assert_eq!(success(&bmc.ipmitool(SUITE_17, "mc selftest")), "Selftest: passed\n");
    let users = success(&bmc.ipmitool(SUITE_17, "-c user list 1"));
    let names: Vec<_> = table(&users, ',').iter().map(|row| row[1].to_owned()).collect();
    assert_eq!(names[1..4], ["ADMIN", "operator", "user"]);
    let lan = success(&bmc.ipmitool(SUITE_17, "lan print 1"));
    assert_eq!(pairs(&lan, ":")["IP Address"], bmc.address.ip().to_string());
    let guid = success(&bmc.ipmitool(SUITE_17, "mc guid"));
    assert!(guid.contains("System GUID"), "{guid}");
}
