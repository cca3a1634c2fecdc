//! The BMCs of a configuration with their secrets: those of its tables and those of the original's file together.
//!
//! Here the secrets are read, so this fails where `config check` on another machine, without the secrets, would.

use std::cell::LazyCell;
use std::collections::{HashMap, HashSet};
use std::fmt::Display;
use std::net::SocketAddr;
use std::path::Path;

use opendcre_gateway::{Annotation, Defect};
use opendcre_ipmi::client::{self, Access, PrivilegeRange, Protocol};
use opendcre_ipmi::packet::v1_5::AuthType;
use opendcre_ipmi::{CipherSuite, MAX_SECRET_1_5, Privilege, Secret};
use opendcre_model::{BoardId, SERVERS};
use secrecy::SecretString;
use thiserror::Error;

use super::Config;
use super::ipmi::{Auth, Ipmi, PrivilegeLimit, UserLookup};
use super::legacy::{LegacyError, LegacyFile, read_bmcs};
use super::secret::{self, SecretError};
use super::text::bmc_address;
use crate::secret::SealedStore;

/// The key of the original's file in the configuration.
const BMC_CONFIG: &str = "legacy.bmc_config";

/// A BMC and everything that is needed to talk to it.
#[derive(Debug, Clone)]
pub struct Bmc {
    /// Its board, with what the configuration says about it.
    pub annotation: Annotation,
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
    /// What of the original's file is not among them, and why.
    pub defects: Vec<Defect>,
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
        // Only who has something in it needs its key.
        let store = LazyCell::new(|| SealedStore::open(&self.sealed_secrets(), &self.secrets_key()));
        let sealed = |name: &str| match &*store {
            Ok(store) => store.get(name).map_err(|error| SecretError::Sealed(error.to_string())),
            Err(error) => Err(SecretError::Sealed(error.to_string())),
        };
        for (table, id) in self.ipmi.iter().zip(ids(&self.ipmi)) {
            match bmc(table, id, &self.secrets, &variable, sealed) {
                Ok(bmc) => bmcs.served.push(bmc),
                Err(problem) => problems.push(problem),
            }
        }
        if let Some(path) = &self.legacy.bmc_config {
            match read_bmcs(path) {
                Ok(file) => problems.extend(bmcs.add(file, path)),
                Err(error) => bmcs.defects.push(broken(&error)),
            }
        }
        if problems.is_empty() { Ok(bmcs) } else { Err(BmcError(problems)) }
    }
}

impl Bmcs {
    /// Adds what the original's file says. Returns one line for every table that repeats something of it.
    fn add(&mut self, file: LegacyFile, path: &Path) -> Vec<String> {
        let problems = collisions(&self.served, &file.bmcs);
        self.served.extend(file.bmcs);
        self.defects.extend(file.unserved.iter().map(|entry| defect(format!("{}: {entry}", path.display()))));
        self.warnings = file.warnings;
        problems
    }
}

fn broken(error: &LegacyError) -> Defect {
    defect(format!("{error}; none of its BMCs is served until it is mended and the service restarted"))
}

fn defect(message: String) -> Defect {
    Defect { name: BMC_CONFIG.to_owned(), code: "bad_bmc_config", message }
}

/// The board of the server with this number, at most 0fffffff.
pub(super) const fn server(number: u32) -> BoardId {
    BoardId(SERVERS.start().0 | number)
}

/// The number of every table: its `device_id`, or the next one from 1 that no table names.
fn ids(tables: &[Ipmi]) -> impl Iterator<Item = u16> {
    let named: HashSet<u16> = tables.iter().filter_map(|table| table.device_id).collect();
    let mut free = (1..=u16::MAX).filter(move |id| !named.contains(id));
    // There are never more tables than ids: the configuration has been checked.
    tables.iter().map_while(move |table| table.device_id.or_else(|| free.next()))
}

fn bmc(
    table: &Ipmi,
    id: u16,
    secrets: &Path,
    variable: impl Fn(&str) -> Option<String>,
    sealed: impl Fn(&str) -> Result<SecretString, SecretError>,
) -> Result<Bmc, String> {
    let wrong = |key: &str, error: &dyn Display| format!("{}.{key}: {error}", label(table.address));
    let (key, password) = password(table, secrets, variable, sealed);
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
    let annotation = Annotation {
        board: server(u32::from(id)),
        keeps_id: table.device_id.is_some(),
        rack: Some(table.rack.clone()),
        ..table.aliases()
    };
    Ok(Bmc { annotation, address: table.address, access, asset_text: table.asset_text.clone() })
}

fn protocol(table: &Ipmi) -> Protocol {
    match table.auth {
        Some(auth) => Protocol::V1_5(auth_type(auth)),
        None => protocol_2_0(table.suites()),
    }
}

/// IPMI 2.0 with these cipher suites, best first.
pub(super) fn protocol_2_0(suites: &[u8]) -> Protocol {
    Protocol::V2_0(suites.iter().filter_map(|id| CipherSuite::from_id(*id)).collect())
}

pub(super) const fn auth_type(auth: Auth) -> AuthType {
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
    sealed: impl Fn(&str) -> Result<SecretString, SecretError>,
) -> (String, Result<Secret, SecretError>) {
    if let Some(file) = &table.password_file {
        return (in_file("password_file", file, secrets), secret::password_of_file(file));
    }
    if let Some(name) = &table.password_env {
        // Without the name: it may be the password itself in the wrong place.
        return ("password_env".to_owned(), secret::password_of_variable(variable(name)));
    }
    if let Some(name) = &table.password_secret {
        return ("password_secret".to_owned(), sealed(name).and_then(|text| secret::password_of_text(&text)));
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
fn collisions(tables: &[Bmc], file: &[Bmc]) -> Vec<String> {
    let boards: HashSet<BoardId> = file.iter().map(|bmc| bmc.annotation.board).collect();
    let addresses: HashMap<SocketAddr, BoardId> =
        file.iter().map(|bmc| (bmc.address, bmc.annotation.board)).collect();
    let problem = |bmc: &Bmc| {
        let (board, label) = (bmc.annotation.board, label(bmc.address));
        if boards.contains(&board) {
            return Some(format!("{label}.device_id: {board} is a board of {BMC_CONFIG}; use another"));
        }
        let other = addresses.get(&bmc.address)?;
        Some(format!("{label}.address: it is board {other} of {BMC_CONFIG}; remove one of them"))
    };
    tables.iter().filter_map(problem).collect()
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
        let boards: Vec<u32> = bmcs.served.iter().map(|bmc| bmc.annotation.board.0).collect();
        assert_eq!(boards, [0x4000_0003, 0x4000_0002, 0x4000_0004, 0x4000_0001, 0x4000_0005]);
        let kept: Vec<bool> = bmcs.served.iter().map(|bmc| bmc.annotation.keeps_id).collect();
        assert_eq!(kept, [false, true, false, true, false]);
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
        assert_eq!((table.annotation.board, original.annotation.board), (server(7), server(2)));
        assert_eq!(original.annotation.rack.as_deref(), Some("ipmi"));
        assert_eq!(original.access.protocol, Protocol::V1_5(AuthType::Md5));
        assert_eq!(original.access.password.expose(), b"s3cr3t");

        let error = with_file(vec![named(1, 2), named(2, 3)], file).bmcs().unwrap_err().to_string();
        assert_eq!(
            error,
            "ipmi \"10.1.0.1\".device_id: 40000002 is a board of legacy.bmc_config; use another\n\
             error: ipmi \"10.1.0.2\".address: it is board 40000002 of legacy.bmc_config; remove one of them"
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
            let [defect] = bmcs.defects.as_slice() else { panic!("{bmcs:?}") };
            assert_eq!((defect.name.as_str(), defect.code), ("legacy.bmc_config", "bad_bmc_config"));
            let message = &defect.message;
            assert!(message.contains("bmc_config.json: ") && !message.contains("s3cr3t"), "{message}");
            assert!(
                message
                    .ends_with("; none of its BMCs is served until it is mended and the service restarted")
            );
        }
    }

    #[test]
    fn an_entry_of_the_original_that_is_not_served_is_a_defect() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("bmc_config.json");
        let mut document: serde_json::Value = serde_json::from_str(LEGACY).unwrap();
        let entries = document["bmcs"].as_array_mut().unwrap();
        entries.push(entries[0].clone());
        fs::write(&file, document.to_string()).unwrap();
        let bmcs = with_file(Vec::new(), file.clone()).bmcs().unwrap();
        assert_eq!((bmcs.served.len(), bmcs.warnings.len()), (1, 0));
        let message = format!(
            "{}: bmcs[1].bmc_device_id: an earlier entry has it, too; this one is not served",
            file.display()
        );
        let name = "legacy.bmc_config".to_owned();
        assert_eq!(bmcs.defects, [Defect { name, code: "bad_bmc_config", message }]);
    }

    #[test]
    fn what_a_table_says_about_its_server_is_passed_on() {
        let text = "[[ipmi]]\nrack = 'r'\naddress = '10.1.0.20'\npassword = ''\nname = 'web-01'\nhostnames = ['web-01.example']\n\
                    ip_addresses = ['10.2.0.20']\nlabels = { role = 'web' }\ngroups = ['front']\n";
        let bmcs = Config::parse(text).unwrap().bmcs().unwrap();
        let expected = Annotation {
            board: server(1),
            keeps_id: false,
            rack: Some("r".into()),
            name: Some("web-01".into()),
            hostnames: vec!["web-01.example".into()],
            ip_addresses: vec!["10.2.0.20".parse().unwrap()],
            labels: [("role".into(), "web".into())].into(),
            groups: vec!["front".into()],
        };
        assert_eq!(bmcs.served[0].annotation, expected);
    }
}
