//! The original's `bmc_config.json` of version 1.1.
//!
//! The original ignored the whole file when an entry lacked a key, without a word. Here every fault names the entry and
//! the key, and what the original silently took for something else is a warning. No message and no type shows a
//! password.

use std::collections::HashSet;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use opendcre_ipmi::{MAX_SECRET_1_5, Secret};
use opendcre_model::DeviceId;
use serde_json::{Map, Value};
use thiserror::Error;

use super::ipmi::{Auth, MAX_USERNAME};
use crate::input::read_text;

/// More than ten thousand entries of the longest kind.
const MAX_FILE_BYTES: u64 = 8 << 20;
/// What becomes of an entry that repeats another one.
const UNSERVED: &str = "an earlier entry has it, too; this one is not served";
/// What becomes of a method that is none.
const OTHER_AUTH: &str =
    "is none of the known words and counts as \"NONE\"; use \"PASSWORD\", \"MD2\" or \"MD5\" for another one";
/// The port of every BMC in it.
pub(super) const PORT: u16 = 623;

/// What the file says.
#[derive(Debug, Default)]
pub struct LegacyBmcs {
    /// Its BMCs, each with a device and an address of its own.
    pub bmcs: Vec<LegacyBmc>,
    /// What is probably not meant as it stands.
    pub warnings: Vec<String>,
}

/// A BMC as the original describes it.
#[derive(Debug, Clone)]
pub struct LegacyBmc {
    /// Its device in the API.
    pub device: DeviceId,
    /// Where it is.
    pub address: SocketAddr,
    /// The user, at most 16 bytes, possibly empty.
    pub username: Vec<u8>,
    /// The password, at most 16 bytes, possibly empty.
    pub password: Secret,
    /// How a session is authenticated.
    pub auth: Auth,
    /// Free text.
    pub asset_info: String,
}

/// Why a `bmc_config.json` cannot be used.
#[derive(Debug, Error)]
pub enum LegacyError {
    /// The file cannot be read.
    #[error("cannot read {}: {reason}; correct legacy.bmc_config or remove it", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
    /// Something in it is wrong.
    #[error("{}: {message}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong, where, and what it should be.
        message: String,
    },
}

/// Reads and checks the file at `path`.
///
/// # Errors
/// When it cannot be read or anything in it is wrong; the first fault is reported.
pub(super) fn read_bmcs(path: &Path) -> Result<LegacyBmcs, LegacyError> {
    let unreadable = |reason| LegacyError::Unreadable { path: path.to_owned(), reason };
    let text = read_text(path, MAX_FILE_BYTES).map_err(unreadable)?;
    parse(&text).map_err(|message| LegacyError::Invalid { path: path.to_owned(), message })
}

fn parse(text: &str) -> Result<LegacyBmcs, String> {
    let document: Value = serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))?;
    let entries = document.get("bmcs").and_then(Value::as_array);
    let entries = entries.ok_or("needs a list \"bmcs\" at the top")?;
    let mut file = LegacyBmcs::default();
    let (mut devices, mut addresses) = (HashSet::new(), HashSet::new());
    for (index, value) in entries.iter().enumerate() {
        let entry = Entry::new(index, value)?;
        let bmc = entry.bmc(&mut file.warnings)?;
        // Of two entries for one device the original used the first. Two devices for one BMC would be two sessions.
        if !devices.insert(bmc.device) {
            file.warnings.push(entry.wrong("bmc_device_id", UNSERVED));
        } else if !addresses.insert(bmc.address) {
            file.warnings.push(entry.wrong("bmc_ip", UNSERVED));
        } else {
            file.bmcs.push(bmc);
        }
    }
    Ok(file)
}

/// One element of the list, which knows its place for messages.
struct Entry<'v> {
    index: usize,
    fields: &'v Map<String, Value>,
}

impl<'v> Entry<'v> {
    fn new(index: usize, value: &'v Value) -> Result<Self, String> {
        let fields = value.as_object();
        let fields = fields.ok_or_else(|| format!("bmcs[{index}]: must be an object"))?;
        Ok(Self { index, fields })
    }

    fn bmc(&self, warnings: &mut Vec<String>) -> Result<LegacyBmc, String> {
        let password = self.credential("password", MAX_SECRET_1_5, warnings)?;
        let username = self.credential("username", MAX_USERNAME, warnings)?;
        Ok(LegacyBmc {
            device: self.device()?,
            address: SocketAddr::from((self.address()?, PORT)),
            username: username.to_vec(),
            password: Secret::new(password).map_err(|error| self.wrong("password", &error.to_string()))?,
            auth: self.auth(warnings)?,
            asset_info: self.text("asset_info")?.to_owned(),
        })
    }

    fn wrong(&self, key: &str, what: &str) -> String {
        format!("bmcs[{}].{key}: {what}", self.index)
    }

    fn get(&self, key: &str) -> Result<&'v Value, String> {
        self.fields.get(key).ok_or_else(|| self.wrong(key, "is missing"))
    }

    fn text(&self, key: &str) -> Result<&'v str, String> {
        self.get(key)?.as_str().ok_or_else(|| self.wrong(key, "must be text"))
    }

    /// The bytes that fit into a packet; the rest has never counted.
    fn credential(&self, key: &str, longest: usize, warnings: &mut Vec<String>) -> Result<&'v [u8], String> {
        let bytes = self.text(key)?.as_bytes();
        match bytes.get(..longest) {
            Some(kept) if kept.len() < bytes.len() => {
                warnings.push(self.wrong(key, &format!("only its first {longest} bytes count")));
                Ok(kept)
            }
            _ => Ok(bytes),
        }
    }

    fn device(&self) -> Result<DeviceId, String> {
        let key = "bmc_device_id";
        let id = self.get(key)?.as_u64().and_then(|id| u16::try_from(id).ok());
        id.map(DeviceId).ok_or_else(|| self.wrong(key, "must be a number from 0 to 65535, without quotes"))
    }

    fn address(&self) -> Result<Ipv4Addr, String> {
        let key = "bmc_ip";
        let address = self.get(key)?.as_str().and_then(|text| text.parse().ok());
        address.ok_or_else(|| self.wrong(key, "must be an IPv4 address such as \"10.1.0.20\""))
    }

    /// Whatever is not one of the words has always meant the first of them.
    fn auth(&self, warnings: &mut Vec<String>) -> Result<Auth, String> {
        let key = "auth_type";
        Ok(match self.text(key)? {
            "NONE" => Auth::None,
            "PASSWORD" => Auth::Password,
            "MD2" => Auth::Md2,
            "MD5" => Auth::Md5,
            // Not repeated: it may be a password in the wrong place.
            _ => {
                warnings.push(self.wrong(key, OTHER_AUTH));
                Auth::None
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entry() -> Value {
        json!({
            "bmc_device_id": 1, "bmc_ip": "10.1.0.20", "username": "operator", "password": "s3cr3t",
            "auth_type": "MD5", "asset_info": "web front end", "rack": "extra keys are ignored",
        })
    }

    fn parse_one(entry: &Value) -> Result<LegacyBmcs, String> {
        parse(&json!({"bmcs": [entry]}).to_string())
    }

    #[test]
    fn a_good_file_is_understood_and_its_password_is_not_shown() {
        let file = parse_one(&entry()).unwrap();
        let [bmc] = file.bmcs.as_slice() else { panic!("{file:?}") };
        assert_eq!(bmc.device, DeviceId(1));
        assert_eq!(bmc.address, "10.1.0.20:623".parse().unwrap());
        assert_eq!(
            (bmc.username.as_slice(), bmc.password.expose()),
            (b"operator".as_slice(), b"s3cr3t".as_slice())
        );
        assert_eq!((bmc.auth, bmc.asset_info.as_str()), (Auth::Md5, "web front end"));
        assert_eq!(file.warnings, [""; 0]);
        assert!(!format!("{file:?}").contains("s3cr3t"));
    }

    #[test]
    fn every_fault_names_the_entry_and_the_key() {
        let id = "bmcs[0].bmc_device_id: must be a number from 0 to 65535, without quotes";
        for (key, value, expected) in [
            ("bmc_device_id", json!("1"), id),
            ("bmc_device_id", json!(65_536), id),
            ("bmc_ip", json!("bmc.example"), "bmcs[0].bmc_ip: must be an IPv4 address such as \"10.1.0.20\""),
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
        let bmc = &file.bmcs[0];
        assert_eq!((bmc.auth, bmc.username.as_slice()), (Auth::None, b"a name of 17 byt".as_slice()));
        assert_eq!(bmc.password.expose(), b"s3cr3ts3cr3ts3cr");
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
    fn the_file_as_a_whole() {
        assert!(parse("").unwrap_err().starts_with("not JSON: "));
        assert_eq!(parse("[]").unwrap_err(), "needs a list \"bmcs\" at the top");
        assert_eq!(parse(r#"{"bmcs": [7]}"#).unwrap_err(), "bmcs[0]: must be an object");
        assert!(parse(r#"{"bmcs": []}"#).unwrap().bmcs.is_empty());
    }

    #[test]
    fn of_two_entries_for_one_device_or_one_bmc_the_first_counts() {
        let mut same_bmc = entry();
        same_bmc["bmc_device_id"] = json!(2);
        let file = parse(&json!({"bmcs": [entry(), entry(), same_bmc]}).to_string()).unwrap();
        assert_eq!(file.bmcs.len(), 1);
        assert_eq!(
            file.warnings,
            [format!("bmcs[1].bmc_device_id: {UNSERVED}"), format!("bmcs[2].bmc_ip: {UNSERVED}")]
        );
    }
}
