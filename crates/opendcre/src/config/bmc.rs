//! The BMCs of a configuration with their secrets: those of its tables and those of the original's file together.
//!
//! Here the secrets are read, so this fails where `config check` on another machine, without the secrets, would.

use std::collections::{HashMap, HashSet};
use std::fmt::Display;
use std::net::SocketAddr;
use std::path::Path;

use opendcre_ipmi::client::{self, Access, PrivilegeRange, Protocol};
use opendcre_ipmi::packet::v1_5::AuthType;
use opendcre_ipmi::{CipherSuite, MAX_SECRET_1_5, Privilege, Secret};
use opendcre_model::DeviceId;
use thiserror::Error;

use super::Config;
use super::ipmi::{Auth, Ipmi, PrivilegeLimit, UserLookup};
use super::legacy::{LegacyBmc, LegacyError, read_bmcs};
use super::secret::{self, SecretError};
use super::text::bmc_address;

/// A BMC and everything that is needed to talk to it.
#[derive(Debug, Clone)]
pub struct Bmc {
    /// Its device on the board of the BMCs.
    pub device: DeviceId,
    /// Where it is.
    pub address: SocketAddr,
    /// How to get in.
    pub access: Access,
    /// What the API shows as asset information.
    pub asset_text: String,
}

/// The BMCs of a configuration.
#[derive(Debug, Default)]
pub struct Bmcs {
    /// Those that can be served, in the order of the configuration; those of the original's file come last.
    pub served: Vec<Bmc>,
    /// Why none of the original's file are among them, if something is wrong with it.
    pub defect: Option<LegacyError>,
    /// What is probably not meant as it stands in the original's file.
    pub warnings: Vec<String>,
}

/// What keeps BMCs of the configuration from being served.
#[derive(Debug, Error)]
#[error("{}", .0.join("\nerror: "))]
pub struct BmcError(Vec<String>);

impl Config {
    /// The BMCs with their secrets. A broken file of the original is told, but is no error: it has never kept the
    /// server from starting.
    ///
    /// # Errors
    /// One line for every table whose secret is missing or whose id or address the original's file has, too.
    pub fn bmcs(&self) -> Result<Bmcs, BmcError> {
        self.bmcs_with(|name| std::env::var(name).ok())
    }

    fn bmcs_with(&self, variable: impl Fn(&str) -> Option<String>) -> Result<Bmcs, BmcError> {
        let mut bmcs = Bmcs::default();
        let mut problems = Vec::new();
        for (table, device) in self.ipmi.iter().zip(devices(&self.ipmi)) {
            match bmc(table, device, &self.secrets, &variable) {
                Ok(bmc) => bmcs.served.push(bmc),
                Err(problem) => problems.push(problem),
            }
        }
        match self.legacy.bmc_config.as_deref().map(read_bmcs) {
            Some(Ok(file)) => {
                problems.extend(collisions(&bmcs.served, &file.bmcs));
                bmcs.served.extend(file.bmcs.into_iter().map(Bmc::from));
                bmcs.warnings = file.warnings;
            }
            Some(Err(error)) => bmcs.defect = Some(error),
            None => {}
        }
        if problems.is_empty() { Ok(bmcs) } else { Err(BmcError(problems)) }
    }
}

/// The device of every table: the one it names, or the next one from 1 that no table names.
fn devices(tables: &[Ipmi]) -> impl Iterator<Item = DeviceId> {
    let named: HashSet<u16> = tables.iter().filter_map(|table| table.device_id).collect();
    let mut free = (1..=u16::MAX).filter(move |id| !named.contains(id));
    // There are never more tables than ids: the configuration has been checked.
    tables.iter().map_while(move |table| table.device_id.or_else(|| free.next()).map(DeviceId))
}

fn bmc(
    table: &Ipmi,
    device: DeviceId,
    secrets: &Path,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Bmc, String> {
    let wrong = |key: &str, error: &dyn Display| format!("{}.{key}: {error}", label(table.address));
    let (key, password) = password(table, secrets, variable);
    let password = password.map_err(|error| wrong(&key, &error))?;
    if table.auth.is_some() && password.length() > MAX_SECRET_1_5 {
        let message = format!("is longer than the {MAX_SECRET_1_5} bytes of IPMI 1.5");
        return Err(wrong(&key, &message));
    }
    let bmc_key = table.kg_file.as_deref().map(|file| {
        secret::key_of_file(file).map_err(|error| wrong(&in_file("kg_file", file, secrets), &error))
    });
    let access = Access {
        username: table.username.clone().into_bytes(),
        password,
        bmc_key: bmc_key.transpose()?,
        protocol: protocol(table),
        lookup: match table.user_lookup {
            UserLookup::Name => client::UserLookup::Name,
            UserLookup::NameAndPrivilege => client::UserLookup::NameAndPrivilege,
        },
        privilege: privilege(table.privilege_limit),
    };
    Ok(Bmc { device, address: table.address, access, asset_text: table.asset_text.clone() })
}

fn protocol(table: &Ipmi) -> Protocol {
    match table.auth {
        Some(auth) => Protocol::V1_5(auth_type(auth)),
        None => Protocol::V2_0(table.suites().iter().filter_map(|id| CipherSuite::from_id(*id)).collect()),
    }
}

const fn auth_type(auth: Auth) -> AuthType {
    match auth {
        Auth::None => AuthType::None,
        Auth::Password => AuthType::Password,
        Auth::Md2 => AuthType::Md2,
        Auth::Md5 => AuthType::Md5,
    }
}

/// Nothing beyond the limit is asked for, not even at login.
fn privilege(limit: PrivilegeLimit) -> PrivilegeRange {
    match limit {
        PrivilegeLimit::User => PrivilegeRange { login: Privilege::User, most: Privilege::User },
        PrivilegeLimit::Operator => PrivilegeRange { login: Privilege::Operator, most: Privilege::Operator },
        PrivilegeLimit::Administrator => PrivilegeRange::default(),
    }
}

/// The password, and the key under which it is found.
fn password(
    table: &Ipmi,
    secrets: &Path,
    variable: impl Fn(&str) -> Option<String>,
) -> (String, Result<Secret, SecretError>) {
    if let Some(file) = &table.password_file {
        return (in_file("password_file", file, secrets), secret::password_of_file(file));
    }
    if let Some(name) = &table.password_env {
        // Without the name: it may be the password itself in the wrong place.
        return ("password_env".to_owned(), secret::password_of_variable(variable(name)));
    }
    ("password".to_owned(), secret::inline_password(table.password.as_ref()))
}

/// How a table is named in messages.
fn label(address: SocketAddr) -> String {
    format!("ipmi {:?}", bmc_address::print(&address))
}

/// A mere name that no file in the folder of `secrets` has may be the secret itself in the wrong place, so it is not
/// repeated.
fn in_file(key: &str, file: &Path, secrets: &Path) -> String {
    let name = file.strip_prefix(secrets).unwrap_or(file);
    if name.components().nth(1).is_some() || file.exists() {
        format!("{key} {}", file.display())
    } else {
        let folder = if secrets.as_os_str().is_empty() { Path::new(".") } else { secrets };
        format!("{key}, looked for in {}", folder.display())
    }
}

/// The file is older than any table, so it is the table that must give way.
fn collisions(tables: &[Bmc], file: &[LegacyBmc]) -> Vec<String> {
    let devices: HashSet<DeviceId> = file.iter().map(|bmc| bmc.device).collect();
    let addresses: HashMap<SocketAddr, DeviceId> = file.iter().map(|bmc| (bmc.address, bmc.device)).collect();
    let problem = |bmc: &Bmc| {
        let (device, label) = (bmc.device, label(bmc.address));
        if devices.contains(&device) {
            let id = device.0;
            return Some(format!(
                "{label}.device_id: {id} belongs to a BMC of legacy.bmc_config; use another"
            ));
        }
        let other = addresses.get(&bmc.address)?.0;
        Some(format!("{label}.address: it is bmc_device_id {other} of legacy.bmc_config; remove one of them"))
    };
    tables.iter().filter_map(problem).collect()
}

impl From<LegacyBmc> for Bmc {
    fn from(bmc: LegacyBmc) -> Self {
        let access = Access {
            username: bmc.username,
            password: bmc.password,
            bmc_key: None,
            protocol: Protocol::V1_5(auth_type(bmc.auth)),
            lookup: client::UserLookup::default(),
            privilege: PrivilegeRange::default(),
        };
        Self { device: bmc.device, address: bmc.address, access, asset_text: bmc.asset_info }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::*;
    use crate::config::InlinePassword;

    const LEGACY: &str = r#"{"bmcs": [{"bmc_device_id": 2, "bmc_ip": "10.1.0.2", "username": "operator",
        "password": "s3cr3t", "auth_type": "MD5", "asset_info": "web front end"}]}"#;

    fn table(last: u8) -> Ipmi {
        Ipmi::new("r", SocketAddr::from(([10, 1, 0, last], 623)), "operator", "s3cr3t")
    }

    fn with(tables: Vec<Ipmi>) -> Config {
        Config { ipmi: tables, ..Config::default() }
    }

    fn with_file(tables: Vec<Ipmi>, file: PathBuf) -> Config {
        let mut config = with(tables);
        config.legacy.bmc_config = Some(file);
        config
    }

    #[test]
    fn ids_are_counted_around_those_that_are_named() {
        let named = |last, id| Ipmi { device_id: Some(id), ..table(last) };
        let bmcs = with(vec![table(1), named(2, 2), table(3), named(4, 1), table(5)]).bmcs().unwrap();
        let ids: Vec<u16> = bmcs.served.iter().map(|bmc| bmc.device.0).collect();
        assert_eq!(ids, [3, 2, 4, 1, 5]);
    }

    #[test]
    fn a_password_comes_from_one_of_three_places() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("bmc");
        fs::write(&file, "from a file\n").unwrap();
        let from_file = Ipmi { password: None, password_file: Some(file), ..table(2) };
        let variable = Ipmi { password: None, password_env: Some("BMC".into()), ..table(3) };
        let config = with(vec![table(1), from_file, variable]);
        let bmcs = config.bmcs_with(|name| (name == "BMC").then(|| "from outside".to_owned())).unwrap();
        let passwords: Vec<&[u8]> = bmcs.served.iter().map(|bmc| bmc.access.password.expose()).collect();
        assert_eq!(passwords, [b"s3cr3t".as_slice(), b"from a file", b"from outside"]);
        assert!(!format!("{config:?} {bmcs:?}").contains("s3cr3t"));
    }

    #[test]
    fn a_limited_user_never_asks_for_more() {
        let limited = |last, privilege_limit| Ipmi { privilege_limit, ..table(last) };
        let config = with(vec![
            limited(1, PrivilegeLimit::User),
            limited(2, PrivilegeLimit::Operator),
            limited(3, PrivilegeLimit::Administrator),
        ]);
        let bmcs = config.bmcs().unwrap();
        let ranges: Vec<_> = bmcs.served.iter().map(|bmc| bmc.access.privilege).collect();
        let range = |login, most| PrivilegeRange { login, most };
        let expected = [
            range(Privilege::User, Privilege::User),
            range(Privilege::Operator, Privilege::Operator),
            range(Privilege::Operator, Privilege::Administrator),
        ];
        assert_eq!(ranges, expected);
    }

    #[test]
    fn every_missing_secret_is_one_line_that_names_its_place() {
        let missing = Ipmi { password: None, password_file: Some("/nowhere/bmc".into()), ..table(1) };
        let variable = Ipmi { password: None, password_env: Some("BMC".into()), ..table(2) };
        let long =
            Ipmi { auth: Some(Auth::Md5), password: Some(InlinePassword::new(&"x".repeat(17))), ..table(3) };
        let key = Ipmi { kg_file: Some("/nowhere/kg".into()), ..table(4) };
        let error = with(vec![missing, variable, long, key]).bmcs_with(|_| None).unwrap_err().to_string();
        let lines: Vec<&str> = error.lines().collect();
        assert_eq!(lines.len(), 4, "{error}");
        assert!(
            lines[0].starts_with("ipmi \"10.1.0.1\".password_file /nowhere/bmc: cannot read it: "),
            "{error}"
        );
        assert!(lines[1].contains(".password_env: the environment has no variable of the name"), "{error}");
        assert!(lines[2].ends_with(".password: is longer than the 16 bytes of IPMI 1.5"), "{error}");
        assert!(lines[3].contains(".kg_file /nowhere/kg: cannot read it: "), "{error}");
    }

    #[test]
    fn a_secret_in_the_wrong_place_is_not_repeated() {
        let folder = tempfile::tempdir().unwrap();
        let secrets = folder.path().to_owned();
        let file = |name: &str| Some(secrets.join(name));
        let tables = vec![
            Ipmi { password: None, password_env: Some("TopSecretPw15".into()), ..table(1) },
            Ipmi { password: None, password_file: file("TopSecretPw15"), ..table(2) },
            Ipmi { kg_file: file("TopSecretPw15"), ..table(3) },
            Ipmi { password: None, password_file: file("empty"), ..table(4) },
        ];
        fs::write(secrets.join("empty"), "").unwrap();
        let error = Config { secrets: secrets.clone(), ..with(tables) }.bmcs_with(|_| None).unwrap_err();
        let error = error.to_string();
        assert!(!error.contains("TopSecretPw15"), "{error}");
        let looked = format!(", looked for in {}: cannot read it: ", secrets.display());
        for part in ["1\".password_env: ", "2\".password_file", "3\".kg_file", &looked, "/empty: it is empty"]
        {
            assert!(error.contains(part), "{part} is missing in {error}");
        }
        let Err(alone) = with(vec![Ipmi { kg_file: Some("TopSecretPw15".into()), ..table(1) }]).bmcs() else {
            panic!("there is no such key");
        };
        assert!(!alone.to_string().contains("TopSecretPw15"), "{alone}");
    }

    #[test]
    fn the_file_of_the_original_comes_after_the_tables_which_give_way() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("bmc_config.json");
        fs::write(&file, LEGACY).unwrap();
        let named = |last, id| Ipmi { device_id: Some(id), ..table(last) };

        let bmcs = with_file(vec![named(1, 7)], file.clone()).bmcs().unwrap();
        let [table, original] = bmcs.served.as_slice() else { panic!("{bmcs:?}") };
        assert_eq!((table.device.0, original.device.0), (7, 2));
        assert_eq!(original.access.protocol, Protocol::V1_5(AuthType::Md5));
        assert_eq!(original.access.password.expose(), b"s3cr3t");

        let error = with_file(vec![named(1, 2), named(2, 3)], file).bmcs().unwrap_err().to_string();
        assert_eq!(
            error,
            "ipmi \"10.1.0.1\".device_id: 2 belongs to a BMC of legacy.bmc_config; use another\n\
             error: ipmi \"10.1.0.2\".address: it is bmc_device_id 2 of legacy.bmc_config; remove one of them"
        );
    }

    #[test]
    fn a_broken_file_of_the_original_keeps_nothing_else_from_being_served() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("bmc_config.json");
        for text in [LEGACY.replace("\"MD5\"", "5"), LEGACY.replace("bmc_ip", "ip"), String::new()] {
            fs::write(&file, text).unwrap();
            let table = Ipmi { device_id: Some(7), ..table(1) };
            let bmcs = with_file(vec![table], file.clone()).bmcs().unwrap();
            assert_eq!(bmcs.served.len(), 1);
            let defect = bmcs.defect.unwrap().to_string();
            assert!(defect.contains("bmc_config.json: ") && !defect.contains("s3cr3t"), "{defect}");
        }
    }
}
