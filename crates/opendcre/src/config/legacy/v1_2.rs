//! The file of release 1.2: IPMI 2.0, and boards that are counted from 1 in the order of the file.
//!
//! Its release 1.2.2 negotiated every session, whatever the file asked for; so do we, and warn where the file asks for
//! less protection than a session gets.

use std::net::SocketAddr;

use opendcre_gateway::Annotation;

use super::entry::Entry;
use super::{LegacyFile, PORT, RACK};
use crate::config::bmc::{Bmc, server};

/// The keys that once chose the cipher suite, each with its value for none and for the one of suite 3.
const ALGORITHMS: [(&str, &str, &str); 3] = [
    ("auth_type", "NO_AUTHENTICATION_ALGORITHM", "RAKP_HMAC_SHA1"),
    ("integrity_type", "NO_INTEGRITY_ALGORITHM", "HMAC_SHA1_96"),
    ("encryption_type", "NO_ENCRYPTION_ALGORITHM", "AES_CBC_128"),
];

pub(super) fn parse(entries: &[Entry<'_>]) -> Result<LegacyFile, String> {
    let mut file = LegacyFile::default();
    for (number, entry) in (1..).zip(entries) {
        check_algorithms(entry, &mut file.warnings)?;
        file.add(entry, bmc(entry, number)?);
    }
    Ok(file)
}

fn bmc(entry: &Entry<'_>, number: u32) -> Result<Bmc, String> {
    let annotation =
        Annotation { board: server(number), rack: Some(RACK.to_owned()), ..Annotation::default() };
    let address = SocketAddr::from((entry.address()?, PORT));
    Ok(Bmc { annotation, address, access: entry.access_2_0()?, asset_text: String::new() })
}

fn check_algorithms(entry: &Entry<'_>, warnings: &mut Vec<String>) -> Result<(), String> {
    for (key, none, of_suite_3) in ALGORITHMS {
        let value = entry.text(key)?;
        if value == none {
            let message = "asks for less than cipher suite 3 and is ignored; only suites 17 and 3 are used";
            warnings.push(entry.wrong(key, message));
        } else if value != of_suite_3 {
            // Not repeated: it may be a password in the wrong place.
            warnings.push(
                entry.wrong(key, "is none of the known words and is ignored; suites 17 and 3 are used"),
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use opendcre_model::BoardId;
    use serde_json::{Value, json};

    use super::*;
    use crate::config::bmc::protocol_2_0;
    use crate::config::legacy::{REPEATED, parse};

    fn entry(last: u8) -> Value {
        json!({
            "bmc_ip": format!("10.1.0.{last}"), "username": "operator", "password": "s3cr3t of 20 bytes..",
            "auth_type": "RAKP_HMAC_SHA1", "integrity_type": "HMAC_SHA1_96", "encryption_type": "AES_CBC_128",
        })
    }

    fn parse_all(entries: &[Value]) -> Result<LegacyFile, String> {
        parse(&json!({"bmcs": entries}).to_string())
    }

    #[test]
    fn boards_are_counted_from_1_and_speak_ipmi_2_0() {
        let file = parse_all(&[entry(20), entry(20), entry(21)]).unwrap();
        let boards: Vec<BoardId> = file.bmcs.iter().map(|bmc| bmc.annotation.board).collect();
        assert_eq!(boards, [BoardId(0x4000_0001), BoardId(0x4000_0003)]);
        assert_eq!(file.unserved, [format!("bmcs[1].bmc_ip: {REPEATED}")]);
        assert_eq!(file.warnings, [""; 0]);
        let bmc = &file.bmcs[1];
        assert_eq!(bmc.address, "10.1.0.21:623".parse().unwrap());
        assert_eq!((bmc.annotation.rack.as_deref(), bmc.annotation.keeps_id), (Some("ipmi"), false));
        assert_eq!(bmc.access.protocol, protocol_2_0(&[17, 3]));
        assert_eq!(bmc.access.password.expose(), b"s3cr3t of 20 bytes..");
        assert!(!format!("{file:?}").contains("s3cr3t"));
    }

    #[test]
    fn what_asks_for_less_protection_is_a_warning() {
        let mut open = entry(20);
        open["auth_type"] = json!("NO_AUTHENTICATION_ALGORITHM");
        open["encryption_type"] = json!("TopSecret");
        let file = parse_all(&[open]).unwrap();
        assert_eq!(file.bmcs[0].access.protocol, protocol_2_0(&[17, 3]));
        assert_eq!(
            file.warnings,
            [
                "bmcs[0].auth_type: asks for less than cipher suite 3 and is ignored; only suites 17 and 3 are used",
                "bmcs[0].encryption_type: is none of the known words and is ignored; suites 17 and 3 are used",
            ]
        );
    }

    #[test]
    fn all_six_keys_are_needed() {
        for key in ["bmc_ip", "username", "password", "auth_type", "integrity_type", "encryption_type"] {
            let mut bad = entry(20);
            bad.as_object_mut().unwrap().remove(key);
            assert_eq!(parse_all(&[bad]).unwrap_err(), format!("bmcs[0].{key}: is missing"));
        }
    }

    #[test]
    fn what_no_session_of_ipmi_2_0_can_carry_is_a_fault() {
        let mut long = entry(20);
        long["password"] = json!("s3cr3t of 21 bytes...");
        assert_eq!(
            parse_all(&[long.clone()]).unwrap_err(),
            "bmcs[0].password: is 21 bytes long; use at most 20"
        );
        long["username"] = json!("a name of 17 byte");
        assert_eq!(parse_all(&[long]).unwrap_err(), "bmcs[0].username: is 17 bytes long; use at most 16");
    }
}
