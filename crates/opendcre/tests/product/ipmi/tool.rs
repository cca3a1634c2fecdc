//! Clients and what they print, taken apart: ipmitool, FreeIPMI's programs and pyghmi, and our own.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::{PRODUCT, peer};

/// A user of a BMC.
#[derive(Debug, Clone, Copy)]
pub(crate) struct User {
    pub(crate) name: &'static str,
    pub(crate) password: &'static str,
}

pub(crate) const ADMIN: User = User { name: "ADMIN", password: "ADMIN" };
pub(crate) const OPERATOR: User = User { name: "operator", password: "operator" };
pub(crate) const USER: User = User { name: "user", password: "user" };

/// What ipmitool says; `session` chooses the protocol, such as `-I lanplus -C 3`.
pub(crate) fn ipmitool(bmc: SocketAddr, user: User, session: &str, words: &[&str]) -> Output {
    let mut command = Command::new("ipmitool");
    // A busy machine is no mistake: wait longer than usual, unless the session says otherwise.
    command.env("TZ", "UTC").args(["-N", "5", "-R", "4"]).args(session.split_whitespace());
    command.args(["-H", &bmc.ip().to_string(), "-p", &bmc.port().to_string()]);
    command.args(["-U", user.name, "-P", user.password]).args(words);
    command.output().expect("ipmitool; `cargo xtask test` installs what tests need")
}

/// What one of FreeIPMI's programs says; it keeps what it learns about sensors in `cache`.
pub(crate) fn freeipmi(
    program: &str,
    bmc: SocketAddr,
    cache: &Path,
    session: &str,
    words: &[&str],
) -> Output {
    let mut command = Command::new(program);
    command.env("TZ", "UTC");
    command.args(session.split_whitespace()).args(["-h", &bmc.to_string()]);
    command.args(["-u", ADMIN.name, "-p", ADMIN.password]);
    if !matches!(program, "ipmipower" | "ipmi-chassis" | "ipmi-dcmi") {
        command.arg(format!("--sdr-cache-directory={}", cache.display())).arg("--quiet-cache");
    }
    command.args(words).output().expect("FreeIPMI; `cargo xtask test` installs what tests need")
}

/// What our own command line says; `session` chooses the protocol, such as `--ipmi15 md5`.
pub(crate) fn opendcre(bmc: SocketAddr, user: User, session: &str, words: &str) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(PRODUCT);
    command.args(["-o", "json", "ipmi", "--host", &bmc.to_string(), "--user", user.name, "--audit-file"]);
    command.arg(folder.path().join("audit.db")).env("OPENDCRE_IPMI_PASSWORD", user.password);
    command.args(session.split_whitespace()).args(words.split_whitespace());
    command.output().unwrap()
}

/// What our own command line answers with cipher suite 17, or 3 if the BMC does not know it.
pub(crate) fn ours(bmc: SocketAddr, words: &str) -> Value {
    let text = success(&opendcre(bmc, ADMIN, "", words));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The value and unit of each sensor that has a number.
pub(crate) type Sensors = BTreeMap<String, (f64, String)>;

/// Those of our own client.
pub(crate) fn our_sensors(report: &Value) -> Sensors {
    let sensors = report["sensors"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let reading =
        |sensor: &Value| Some((text(&sensor["name"]), (sensor["value"].as_f64()?, text(&sensor["unit"]))));
    sensors.filter_map(reading).collect()
}

/// Those of `ipmitool -c sensor`.
pub(crate) fn ipmitool_sensors(text: &str) -> Sensors {
    sensors(text, [0, 1, 2])
}

/// Those of `ipmi-sensors --comma-separated-output`.
pub(crate) fn freeipmi_sensors(text: &str) -> Sensors {
    sensors(text, [1, 3, 4])
}

/// What is in the columns with name, value and unit.
fn sensors(text: &str, [name, value, of]: [usize; 3]) -> Sensors {
    let reading = |row: Vec<&str>| {
        let value = row.get(value)?.parse().ok()?;
        Some((row[name].to_owned(), (value, unit(row[of]).to_owned())))
    };
    table(text, ',').into_iter().filter_map(reading).collect()
}

/// Units as our own client writes them.
pub(crate) fn unit(text: &str) -> &str {
    match text {
        "degrees C" | "°C" => "C",
        "Volts" => "V",
        "Watts" => "W",
        other => other,
    }
}

/// What of our own inventory belongs to what ipmitool, FreeIPMI and pyghmi print.
pub(crate) const FRU_FIELDS: [(&str, &str, &str, &str); 12] = [
    ("/chassis/type", "Chassis Type", "FRU Chassis Type", "Chassis type"),
    ("/chassis/part_number", "Chassis Part Number", "FRU Chassis Part Number", "Chassis part number"),
    ("/chassis/serial_number", "Chassis Serial", "FRU Chassis Serial Number", "Chassis serial number"),
    ("/board/manufacturer", "Board Mfg", "FRU Board Manufacturer", "Board manufacturer"),
    ("/board/product_name", "Board Product", "FRU Board Product Name", "Board product name"),
    ("/board/serial_number", "Board Serial", "FRU Board Serial Number", "Board serial number"),
    ("/board/part_number", "Board Part Number", "FRU Board Part Number", "Board model"),
    ("/product/manufacturer", "Product Manufacturer", "FRU Product Manufacturer Name", "Manufacturer"),
    ("/product/name", "Product Name", "FRU Product Name", "Product name"),
    ("/product/part_number", "Product Part Number", "FRU Product Part/Model Number", "Model"),
    ("/product/serial_number", "Product Serial", "FRU Product Serial Number", "Serial Number"),
    ("/product/asset_tag", "Product Asset Tag", "FRU Product Asset Tag", "Asset Number"),
];

/// Everything that pyghmi reads, after it has changed the power if `power` says so. Now and then it waits for an answer
/// that has long come, so it gets several tries.
pub(crate) fn pyghmi(bmc: SocketAddr, power: &[&str]) -> Value {
    let mut command = peer("ipmi/pyghmi_client.py");
    command.args([bmc.ip().to_string(), bmc.port().to_string()]).args(power);
    let mut tries = (0..3).map(|_| command.output().expect("Python"));
    let output = tries.find(|output| output.status.code().is_some()).expect("an end within the time limit");
    let text = success(&output);
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The standard output of a program that must have succeeded.
pub(crate) fn success(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Lines of `name : value`, or of another separator, without the blanks around both.
pub(crate) fn pairs<'a>(text: &'a str, separator: &str) -> BTreeMap<&'a str, &'a str> {
    let lines = text.lines().filter_map(|line| line.split_once(separator));
    lines.map(|(name, value)| (name.trim(), value.trim())).collect()
}

/// Lines of fields, without the blanks around them.
pub(crate) fn table(text: &str, separator: char) -> Vec<Vec<&str>> {
    text.lines().map(|line| line.split(separator).map(str::trim).collect()).collect()
}
