//! TLS, as `testssl.sh` judges it.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::gateway::Gateway;
use crate::service::pki;

/// What counts as a fault; LOW and INFO do not, and WARN is a check that could not be made.
const FAULTS: [&str; 4] = ["MEDIUM", "HIGH", "CRITICAL", "FATAL"];

#[test]
fn testssl_finds_nothing_of_medium_severity() {
    let gateway = Gateway::start("[auth]\nrequired = true\n");
    let report = gateway.file("testssl.json");
    let mut command = Command::new("testssl");
    command.args(["--quiet", "--warnings", "off", "--color", "0", "--nodns", "none", "--add-ca"]);
    // Protocols, ciphers, forward secrecy, preferences, defaults, headers, and all weaknesses that have a name; not how
    // each browser of the last twenty years would fare.
    command.arg(pki("ca.pem")).args(["-p", "-s", "-f", "-P", "-S", "-h", "-U"]);
    command.arg("--jsonfile").arg(&report).arg(gateway.address().to_string());
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let findings: Value = serde_json::from_str(&fs::read_to_string(report).unwrap()).unwrap();
    let findings = findings.as_array().unwrap();
    // A run that found no server finds no fault either.
    assert!(findings.len() > 60, "{text}");
    let faults: Vec<_> =
        findings.iter().filter(|finding| FAULTS.contains(&finding["severity"].as_str().unwrap())).collect();
    assert!(faults.is_empty(), "{faults:#?}\n{text}");
    gateway.finish();
}
