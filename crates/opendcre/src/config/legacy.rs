//! The original's `bmc_config.json` of version 1.1.
//!
//! The original ignored the whole file when anything in it was wrong. Here every fault is an error that names
//! the entry and the key. Passwords are checked and then forgotten: nothing in this release uses them, and no
//! message and no type holds one.

use std::collections::HashSet;
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use thiserror::Error;

use crate::input::read_text;

/// More than ten thousand entries of the longest kind.
const MAX_FILE_BYTES: u64 = 8 << 20;
/// IPMI 1.5 has no room for more.
const MAX_CREDENTIAL_BYTES: usize = 16;
const MAX_ASSET_BYTES: usize = 127;

/// A BMC as the original describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegacyBmc {
    /// The device id in the API.
    pub device_id: u16,
    /// Where the BMC listens, on UDP port 623.
    pub address: Ipv4Addr,
    /// The user, at most 16 bytes, possibly empty.
    pub username: String,
    /// How a session is authenticated.
    pub auth_type: AuthType,
    /// Free text, at most 127 bytes.
    pub asset_info: String,
}

/// How a session of IPMI 1.5 is authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthType {
    /// Not at all.
    None,
    /// With the password itself.
    Password,
    /// With an MD2 digest.
    Md2,
    /// With an MD5 digest.
    Md5,
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
pub fn read_bmcs(path: &Path) -> Result<Vec<LegacyBmc>, LegacyError> {
    let unreadable = |reason| LegacyError::Unreadable { path: path.to_owned(), reason };
    let text = read_text(path, MAX_FILE_BYTES).map_err(unreadable)?;
    parse(&text).map_err(|message| LegacyError::Invalid { path: path.to_owned(), message })
}

fn parse(text: &str) -> Result<Vec<LegacyBmc>, String> {
    let document: Value = serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))?;
    let entries = document.get("bmcs").and_then(Value::as_array);
    let entries = entries.ok_or("needs a list \"bmcs\" at the top")?;
    let bmcs = entries.iter().enumerate().map(|(index, value)| Entry::new(index, value)?.bmc());
    let bmcs: Vec<LegacyBmc> = bmcs.collect::<Result<_, String>>()?;
    let mut seen = HashSet::new();
    match bmcs.iter().find(|bmc| !seen.insert(bmc.device_id)) {
        Some(twice) => Err(format!("bmc_device_id {} is there twice; ids are unique", twice.device_id)),
        None => Ok(bmcs),
    }
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

    fn bmc(&self) -> Result<LegacyBmc, String> {
        // Only its shape matters here, see the top of this module.
        self.text("password", MAX_CREDENTIAL_BYTES)?;
        Ok(LegacyBmc {
            device_id: self.device_id()?,
            address: self.address()?,
            username: self.text("username", MAX_CREDENTIAL_BYTES)?.to_owned(),
            auth_type: self.auth_type()?,
            asset_info: self.text("asset_info", MAX_ASSET_BYTES)?.to_owned(),
        })
    }

    fn wrong(&self, key: &str, what: &str) -> String {
        format!("bmcs[{}].{key}: {what}", self.index)
    }

    fn get(&self, key: &str) -> Result<&'v Value, String> {
        self.fields.get(key).ok_or_else(|| self.wrong(key, "is missing"))
    }

    fn text(&self, key: &str, longest: usize) -> Result<&'v str, String> {
        let text = self.get(key)?.as_str().ok_or_else(|| self.wrong(key, "must be text"))?;
        if text.len() > longest {
            return Err(self.wrong(key, &format!("must not be longer than {longest} bytes")));
        }
        Ok(text)
    }

    fn device_id(&self) -> Result<u16, String> {
        let key = "bmc_device_id";
        let id = self.get(key)?.as_u64().and_then(|id| u16::try_from(id).ok());
        id.ok_or_else(|| self.wrong(key, "must be a number from 0 to 65535, without quotes"))
    }

    fn address(&self) -> Result<Ipv4Addr, String> {
        let key = "bmc_ip";
        let address = self.get(key)?.as_str().and_then(|text| text.parse().ok());
        address.ok_or_else(|| self.wrong(key, "must be an IPv4 address such as \"10.1.0.20\""))
    }

    fn auth_type(&self) -> Result<AuthType, String> {
        let key = "auth_type";
        match self.get(key)?.as_str() {
            Some("NONE") => Ok(AuthType::None),
            Some("PASSWORD") => Ok(AuthType::Password),
            Some("MD2") => Ok(AuthType::Md2),
            Some("MD5") => Ok(AuthType::Md5),
            _ => Err(self.wrong(key, "must be \"NONE\", \"PASSWORD\", \"MD2\" or \"MD5\"")),
        }
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

    fn parse_one(entry: &Value) -> Result<Vec<LegacyBmc>, String> {
        parse(&json!({"bmcs": [entry]}).to_string())
    }

    #[test]
    fn a_good_file_is_understood_and_its_password_is_nowhere() {
        let bmcs = parse_one(&entry()).unwrap();
        let expected = LegacyBmc {
            device_id: 1,
            address: Ipv4Addr::new(10, 1, 0, 20),
            username: "operator".into(),
            auth_type: AuthType::Md5,
            asset_info: "web front end".into(),
        };
        assert_eq!(bmcs, [expected]);
        assert!(!format!("{bmcs:?}").contains("s3cr3t"));
    }

    #[test]
    fn every_fault_names_the_entry_and_the_key() {
        for (key, value, expected) in [
            (
                "bmc_device_id",
                json!("1"),
                "bmcs[0].bmc_device_id: must be a number from 0 to 65535, without quotes",
            ),
            (
                "bmc_device_id",
                json!(65_536),
                "bmcs[0].bmc_device_id: must be a number from 0 to 65535, without quotes",
            ),
            ("bmc_ip", json!("bmc.example"), "bmcs[0].bmc_ip: must be an IPv4 address such as \"10.1.0.20\""),
            ("username", json!("a name of 17 byte"), "bmcs[0].username: must not be longer than 16 bytes"),
            ("password", json!(["s3cr3t"]), "bmcs[0].password: must be text"),
            ("password", json!("s3cr3ts3cr3ts3cr3t"), "bmcs[0].password: must not be longer than 16 bytes"),
            (
                "auth_type",
                json!("MD6"),
                "bmcs[0].auth_type: must be \"NONE\", \"PASSWORD\", \"MD2\" or \"MD5\"",
            ),
            ("asset_info", json!(null), "bmcs[0].asset_info: must be text"),
        ] {
            let mut bad = entry();
            bad[key] = value;
            assert_eq!(parse_one(&bad), Err(expected.to_owned()));
        }
    }

    #[test]
    fn all_six_keys_are_needed() {
        for key in ["bmc_device_id", "bmc_ip", "username", "password", "auth_type", "asset_info"] {
            let mut bad = entry();
            bad.as_object_mut().unwrap().remove(key);
            assert_eq!(parse_one(&bad), Err(format!("bmcs[0].{key}: is missing")));
        }
    }

    #[test]
    fn the_file_as_a_whole() {
        assert!(parse("").unwrap_err().starts_with("not JSON: "));
        assert_eq!(parse("[]"), Err("needs a list \"bmcs\" at the top".into()));
        assert_eq!(parse(r#"{"bmcs": [7]}"#), Err("bmcs[0]: must be an object".into()));
        assert_eq!(parse(r#"{"bmcs": []}"#), Ok(vec![]));
        let twice = parse(&json!({"bmcs": [entry(), entry()]}).to_string());
        assert_eq!(twice, Err("bmc_device_id 1 is there twice; ids are unique".into()));
    }
}
