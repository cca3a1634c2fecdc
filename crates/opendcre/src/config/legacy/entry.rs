//! One object of the file, which knows its place for messages. It does not know what the releases want of it.

use std::net::IpAddr;

use opendcre_ipmi::client::{Access, PrivilegeRange, UserLookup};
use opendcre_ipmi::{MAX_SECRET, Secret};
use serde_json::{Map, Value};

use crate::config::bmc::protocol_2_0;
use crate::config::ipmi::{MAX_USERNAME, SUITES};

/// The key of where a BMC is.
pub(super) const ADDRESS: &str = "bmc_ip";
pub(super) const NO_ADDRESS: &str = "must be an IP address such as \"10.1.0.20\"; names are not possible";

/// An element of a list of the file.
#[derive(Debug)]
pub(super) struct Entry<'v> {
    /// Where it is, such as `racks[0].bmcs[1]`.
    path: String,
    fields: &'v Map<String, Value>,
}

/// The elements of the list at `path`.
pub(super) fn entries<'v>(
    path: String,
    values: &'v [Value],
) -> impl Iterator<Item = Result<Entry<'v>, String>> {
    values.iter().enumerate().map(move |(index, value)| {
        let path = format!("{path}[{index}]");
        match value.as_object() {
            Some(fields) => Ok(Entry { path, fields }),
            None => Err(format!("{path}: must be an object")),
        }
    })
}

impl<'v> Entry<'v> {
    pub(super) fn wrong(&self, key: &str, what: &str) -> String {
        format!("{}.{key}: {what}", self.path)
    }

    /// What it says, without where it is.
    pub(super) const fn fields(&self) -> &'v Map<String, Value> {
        self.fields
    }

    pub(super) fn find(&self, key: &str) -> Option<&'v Value> {
        self.fields.get(key)
    }

    pub(super) fn get(&self, key: &str) -> Result<&'v Value, String> {
        self.find(key).ok_or_else(|| self.wrong(key, "is missing"))
    }

    pub(super) fn text(&self, key: &str) -> Result<&'v str, String> {
        self.get(key)?.as_str().ok_or_else(|| self.wrong(key, "must be text"))
    }

    pub(super) fn list(&self, key: &str) -> Result<&'v [Value], String> {
        let list = self.get(key)?.as_array().map(Vec::as_slice);
        list.ok_or_else(|| self.wrong(key, "must be a list"))
    }

    /// The elements of the list under `key`.
    pub(super) fn entries(
        &self,
        key: &str,
    ) -> Result<impl Iterator<Item = Result<Entry<'v>, String>>, String> {
        Ok(entries(format!("{}.{key}", self.path), self.list(key)?))
    }

    /// Where the BMC is.
    pub(super) fn address(&self) -> Result<IpAddr, String> {
        self.text(ADDRESS)?.parse().map_err(|_| self.wrong(ADDRESS, NO_ADDRESS))
    }

    /// How to get into a BMC of releases that speak IPMI 2.0.
    pub(super) fn access_2_0(&self) -> Result<Access, String> {
        Ok(Access {
            username: self.short("username", MAX_USERNAME)?.to_vec(),
            password: self.secret("password", self.short("password", MAX_SECRET)?)?,
            bmc_key: None,
            protocol: protocol_2_0(&SUITES),
            lookup: UserLookup::default(),
            privilege: PrivilegeRange::default(),
        })
    }

    pub(super) fn secret(&self, key: &str, bytes: &[u8]) -> Result<Secret, String> {
        Secret::new(bytes).map_err(|error| self.wrong(key, &error.to_string()))
    }

    fn short(&self, key: &str, longest: usize) -> Result<&'v [u8], String> {
        let bytes = self.text(key)?.as_bytes();
        if bytes.len() > longest {
            let message = format!("is {} bytes long; use at most {longest}", bytes.len());
            return Err(self.wrong(key, &message));
        }
        Ok(bytes)
    }
}
