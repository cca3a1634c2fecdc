//! The file of release 1.1: IPMI 1.5, and an id in every entry.

use std::collections::HashSet;
use std::net::SocketAddr;

use opendcre_gateway::Annotation;
use opendcre_ipmi::MAX_SECRET_1_5;
use opendcre_ipmi::client::{Access, PrivilegeRange, Protocol, UserLookup};

use super::entry::Entry;
use super::{LegacyFile, PORT, RACK, REPEATED};
use crate::config::bmc::{Bmc, auth_type, server};
use crate::config::ipmi::{Auth, MAX_USERNAME};

const ID: &str = "bmc_device_id";
const ASSET: &str = "asset_info";
/// What becomes of a method that is none.
const OTHER_AUTH: &str =
    "is none of the known words and counts as \"NONE\"; use \"PASSWORD\", \"MD2\" or \"MD5\" for another one";

/// Whether an entry has keys that later releases no longer know.
pub(super) fn is_entry(entry: &Entry<'_>) -> bool {
    entry.find(ID).or_else(|| entry.find(ASSET)).is_some()
}

pub(super) fn parse(entries: &[Entry<'_>]) -> Result<LegacyFile, String> {
    let mut file = LegacyFile::default();
    let mut boards = HashSet::new();
    for entry in entries {
        let bmc = bmc(entry, &mut file.warnings)?;
        // Of two entries for one device the original used the first.
        if boards.insert(bmc.annotation.board) {
            file.add(entry, bmc);
        } else {
            file.unserved.push(entry.wrong(ID, REPEATED));
        }
    }
    Ok(file)
}

fn bmc(entry: &Entry<'_>, warnings: &mut Vec<String>) -> Result<Bmc, String> {
    let password = credential(entry, "password", MAX_SECRET_1_5, warnings)?;
    let username = credential(entry, "username", MAX_USERNAME, warnings)?;
    let access = Access {
        username: username.to_vec(),
        password: entry.secret("password", password)?,
        bmc_key: None,
        protocol: Protocol::V1_5(auth_type(auth(entry, warnings)?)),
        lookup: UserLookup::default(),
        privilege: PrivilegeRange::default(),
    };
    let annotation = Annotation {
        board: server(u32::from(id(entry)?)),
        keeps_id: true,
        rack: Some(RACK.to_owned()),
        ..Annotation::default()
    };
    let address = SocketAddr::from((entry.address()?, PORT));
    Ok(Bmc { annotation, address, access, asset_text: entry.text(ASSET)?.to_owned() })
}

fn id(entry: &Entry<'_>) -> Result<u16, String> {
    let id = entry.get(ID)?.as_u64().and_then(|id| u16::try_from(id).ok());
    id.ok_or_else(|| entry.wrong(ID, "must be a number from 0 to 65535, without quotes"))
}

/// The bytes that fit into a packet; the rest has never counted.
fn credential<'v>(
    entry: &Entry<'v>,
    key: &str,
    longest: usize,
    warnings: &mut Vec<String>,
) -> Result<&'v [u8], String> {
    let bytes = entry.text(key)?.as_bytes();
    match bytes.get(..longest) {
        Some(kept) if kept.len() < bytes.len() => {
            warnings.push(entry.wrong(key, &format!("only its first {longest} bytes count")));
            Ok(kept)
        }
        _ => Ok(bytes),
    }
}

/// Whatever is not one of the words has always meant the first of them.
fn auth(entry: &Entry<'_>, warnings: &mut Vec<String>) -> Result<Auth, String> {
    let key = "auth_type";
    Ok(match entry.text(key)? {
        "NONE" => Auth::None,
        "PASSWORD" => Auth::Password,
        "MD2" => Auth::Md2,
        "MD5" => Auth::Md5,
        // Not repeated: it may be a password in the wrong place.
        _ => {
            warnings.push(entry.wrong(key, OTHER_AUTH));
            Auth::None
        }
    })
}

#[cfg(test)]
mod tests {
    use opendcre_ipmi::packet::v1_5::AuthType;
    use opendcre_model::BoardId;
    use serde_json::{Value, json};

    use super::*;
    use crate::config::legacy::parse;

    fn entry() -> Value {
        json!({
            "bmc_device_id": 1, "bmc_ip": "10.1.0.20", "username": "operator", "password": "s3cr3t",
            "auth_type": "MD5", "asset_info": "web front end", "rack": "extra keys are ignored",
        })
    }

    fn parse_one(entry: &Value) -> Result<LegacyFile, String> {
        parse(&json!({"bmcs": [entry]}).to_string())
    }

    #[test]
    fn a_good_file_is_understood_and_its_password_is_not_shown() {
        let file = parse_one(&entry()).unwrap();
        let [bmc] = file.bmcs.as_slice() else { panic!("{file:?}") };
        assert_eq!(bmc.annotation.board, BoardId(0x4000_0001));
        assert_eq!(bmc.annotation.rack.as_deref(), Some("ipmi"));
        assert!(bmc.annotation.keeps_id);
        assert_eq!(bmc.address, "10.1.0.20:623".parse().unwrap());
        assert_eq!(
            (bmc.access.username.as_slice(), bmc.access.password.expose()),
            (b"operator".as_slice(), b"s3cr3t".as_slice())
        );
        assert_eq!(bmc.access.protocol, Protocol::V1_5(AuthType::Md5));
        assert_eq!(bmc.asset_text, "web front end");
        assert_eq!((file.unserved.as_slice(), file.warnings.as_slice()), (&[][..], &[][..]));
        assert!(!format!("{file:?}").contains("s3cr3t"));
    }

    #[test]
    fn every_fault_names_the_entry_and_the_key() {
        let id = "bmcs[0].bmc_device_id: must be a number from 0 to 65535, without quotes";
        let address = "bmcs[0].bmc_ip: must be an IP address such as \"10.1.0.20\"; names are not possible";
        for (key, value, expected) in [
            ("bmc_device_id", json!("1"), id),
            ("bmc_device_id", json!(65_536), id),
            ("bmc_ip", json!("bmc.example"), address),
            ("bmc_ip", json!(10), "bmcs[0].bmc_ip: must be text"),
            ("password", json!(["s3cr3t"]), "bmcs[0].password: must be text"),
            ("auth_type", json!(5), "bmcs[0].auth_type: must be text"),
            ("asset_info", json!(null), "bmcs[0].asset_info: must be text"),
        ] {
            let mut bad = entry();
            bad[key] = value;
            assert_eq!(parse_one(&bad).unwrap_err(), expected);
        }
    }

    #[test]
    fn what_the_original_took_for_something_else_is_a_warning() {
        let mut odd = entry();
        odd["auth_type"] = json!("TopSecret");
        odd["password"] = json!("s3cr3ts3cr3ts3cr3t");
        odd["username"] = json!("a name of 17 byte");
        let file = parse_one(&odd).unwrap();
        let access = &file.bmcs[0].access;
        assert_eq!(access.protocol, Protocol::V1_5(AuthType::None));
        assert_eq!(access.username, b"a name of 17 byt");
        assert_eq!(access.password.expose(), b"s3cr3ts3cr3ts3cr");
        assert_eq!(
            file.warnings,
            [
                "bmcs[0].password: only its first 16 bytes count",
                "bmcs[0].username: only its first 16 bytes count",
                "bmcs[0].auth_type: is none of the known words and counts as \"NONE\"; use \"PASSWORD\", \"MD2\" or \"MD5\" \
                 for another one",
            ]
        );
    }

    #[test]
    fn all_six_keys_are_needed() {
        for key in ["bmc_device_id", "bmc_ip", "username", "password", "auth_type", "asset_info"] {
            let mut bad = entry();
            bad.as_object_mut().unwrap().remove(key);
            assert_eq!(parse_one(&bad).unwrap_err(), format!("bmcs[0].{key}: is missing"));
        }
    }

    #[test]
    fn of_two_entries_for_one_device_or_one_bmc_the_first_counts() {
        let mut same_bmc = entry();
        same_bmc["bmc_device_id"] = json!(2);
        let file = parse(&json!({"bmcs": [entry(), entry(), same_bmc]}).to_string()).unwrap();
        assert_eq!(file.bmcs.len(), 1);
        assert_eq!(
            file.unserved,
            [format!("bmcs[1].bmc_device_id: {REPEATED}"), format!("bmcs[2].bmc_ip: {REPEATED}")]
        );
        assert_eq!(file.warnings, [""; 0]);
    }
}
