//! Whether everybody on the machine can read or write the files in which secrets are. It looks at modes, never into a file.
//!
//! The group of a file may read it: that is how systemd hands out credentials, and how services share a certificate.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::{Config, Ipmi, Mqtt, Otlp};

/// What everybody may do, as bits of a mode (inode(7)): to files, and with folders to reach what is in them.
const READ: u32 = 0o004;
const WRITE: u32 = 0o002;
const ENTER: u32 = 0o001;

/// How many files are named in one message.
const NAMED: usize = 16;

/// Files with secrets that everybody on this machine can read.
#[derive(Debug, PartialEq, Eq, Error)]
#[error("everybody on this machine can read {0}; take that from them (chmod 600)")]
pub(crate) struct ReadableByAll(Names);

/// Files with secrets that everybody on this machine can write.
#[derive(Debug, PartialEq, Eq, Error)]
#[error(
    "everybody on this machine can write {0}, and so choose the secret; take that from them (chmod 600), and replace what \
     may have been changed"
)]
pub(crate) struct WritableByAll(Names);

/// The names of files in their order.
#[derive(Debug, PartialEq, Eq)]
struct Names(Vec<PathBuf>);

/// The files with secrets that everybody can read, if there are any; `path` is that of the configuration itself. What is
/// missing, or cannot be looked at, is no concern here.
///
/// # Errors
/// Everybody can write one of them, so that nothing in it is to be believed.
pub(crate) fn check(config: &Config, path: &Path) -> Result<Option<ReadableByAll>, WritableByAll> {
    let (mut readable, mut writable) = (Vec::new(), Vec::new());
    for file in files(config, path) {
        match open_to_all(&file) {
            Ok(mode) if mode & WRITE != 0 => writable.push(file),
            Ok(mode) if mode & READ != 0 => readable.push(file),
            Ok(_) | Err(_) => {}
        }
    }
    match (writable.is_empty(), readable.is_empty()) {
        (false, _) => Err(WritableByAll(Names(writable))),
        (true, false) => Ok(Some(ReadableByAll(Names(readable)))),
        (true, true) => Ok(None),
    }
}

/// Every file with a secret that the service reads, each once.
fn files(config: &Config, path: &Path) -> BTreeSet<PathBuf> {
    let mut config = config.clone();
    let has_inline = config.ipmi.iter().any(Ipmi::has_inline_password);
    let own = [config.secrets_key(), config.tokens_file(), config.last_good_file()];
    let tls_key = config.tls.key.clone().unwrap_or_else(|| config.made_certificate().join("key.pem"));
    let named = config.ipmi.iter_mut().flat_map(Ipmi::secret_files).chain(config.auth.secret_files());
    let hooks = config.webhook.into_iter().flat_map(|webhook| [webhook.secret_file, webhook.key]);
    let hooks = hooks.chain(config.syslog.into_iter().map(|syslog| syslog.key)).flatten();
    let named = named.chain(config.mqtt.iter_mut().flat_map(Mqtt::secret_files));
    let named = named.chain(config.otlp.iter_mut().flat_map(Otlp::secret_files));
    let named = named.map(|file| file.clone()).chain(config.legacy.bmc_config).chain(hooks);
    named.chain(own).chain([tls_key]).chain(has_inline.then(|| path.to_owned())).collect()
}

/// The bits of the mode of `file` that count for everybody: none of them if a folder above it keeps them out.
fn open_to_all(file: &Path) -> io::Result<u32> {
    let file = fs::canonicalize(file)?;
    for folder in file.ancestors().skip(1) {
        if mode(folder)? & ENTER == 0 {
            return Ok(0);
        }
    }
    mode(&file)
}

fn mode(path: &Path) -> io::Result<u32> {
    Ok(fs::metadata(path)?.permissions().mode())
}

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, path) in self.0.iter().take(NAMED).enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{}", path.display())?;
        }
        match self.0.len().saturating_sub(NAMED) {
            0 => Ok(()),
            more => write!(f, " (and {more} more)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Room(tempfile::TempDir);

    impl Room {
        /// A folder that everybody may enter, with a configuration of which every secret is in a file of its own.
        fn new() -> Self {
            let room = Self(tempfile::tempdir().unwrap());
            room.set_mode("", 0o755);
            for file in
                ["bmc", "kg", "ldap", "oidc", "proxy", "bmcs.json", "tls.pem", "secrets.key", "tokens.db"]
            {
                room.write(file, 0o640);
            }
            room
        }

        fn write(&self, name: &str, mode: u32) {
            fs::write(self.0.path().join(name), "marked-secret").unwrap();
            self.set_mode(name, mode);
        }

        fn set_mode(&self, name: &str, mode: u32) {
            fs::set_permissions(self.0.path().join(name), fs::Permissions::from_mode(mode)).unwrap();
        }

        fn check(&self, more: &str) -> Result<Option<ReadableByAll>, WritableByAll> {
            let path = self.0.path().join("opendcre.toml");
            let text = format!("{CONFIG}{more}\n[state]\ndirectory = {:?}\n", self.0.path());
            fs::write(&path, text).unwrap();
            check(&Config::load_with(&path, None).unwrap(), &path)
        }
    }

    const CONFIG: &str = r#"
        [[ipmi]]
        rack = "r"
        address = "10.1.0.20"
        device_id = 1
        password_file = "bmc"
        kg_file = "kg"
        [[ipmi]]
        rack = "r"
        address = "10.1.0.21"
        device_id = 2
        password_file = "bmc"
        [[auth.ldap]]
        name = "corp"
        urls = ["ldaps://ldap.example"]
        bind_dn = "cn=svc"
        bind_password_file = "ldap"
        user_base = "dc=example"
        [[auth.oidc]]
        name = "sso"
        issuer = "https://sso.example"
        audience = ["opendcre"]
        introspect = true
        client_id = "opendcre"
        client_secret_file = "oidc"
        [[auth.proxy]]
        name = "nginx"
        addresses = ["127.0.0.1"]
        secret_file = "proxy"
        [legacy]
        bmc_config = "bmcs.json"
        [tls]
        certificate = "cert.pem"
        key = "tls.pem"
    "#;

    #[test]
    fn what_its_group_may_read_is_no_concern() {
        let room = Room::new();
        assert_eq!(room.check("").unwrap(), None);
        room.set_mode("ldap", 0o660);
        assert_eq!(room.check("").unwrap(), None);
    }

    #[test]
    fn each_file_that_everybody_can_read_is_named_once() {
        let room = Room::new();
        for file in ["bmc", "kg", "ldap", "oidc", "proxy", "bmcs.json", "tls.pem", "secrets.key", "tokens.db"]
        {
            room.set_mode(file, 0o644);
            let warning = room.check("").unwrap().unwrap().to_string();
            let expected = format!(
                "everybody on this machine can read {}; take that from them (chmod 600)",
                room.0.path().join(file).display()
            );
            assert_eq!(warning, expected);
            room.set_mode(file, 0o600);
        }
    }

    #[test]
    fn a_file_that_everybody_can_write_is_refused() {
        let room = Room::new();
        room.set_mode("proxy", 0o602);
        room.set_mode("bmc", 0o644);
        let error = room.check("").unwrap_err().to_string();
        assert!(error.contains("/proxy,") && !error.contains("/bmc"), "{error}");
        assert!(error.contains("can write") && error.contains("chmod 600"), "{error}");
    }

    #[test]
    fn the_configuration_is_a_secret_if_a_password_is_in_it() {
        let room = Room::new();
        room.write("opendcre.toml", 0o644);
        assert_eq!(room.check("").unwrap(), None);
        let inline = "[[ipmi]]\nrack = 'r'\naddress = '10.1.0.22'\ndevice_id = 3\npassword = 'calvin'\n";
        let warning = room.check(inline).unwrap().unwrap().to_string();
        assert!(warning.contains("/opendcre.toml;") && !warning.contains("calvin"), "{warning}");
    }

    #[test]
    fn a_folder_that_keeps_everybody_out_is_enough() {
        let room = Room::new();
        room.set_mode("bmc", 0o666);
        room.set_mode("", 0o750);
        assert_eq!(room.check("").unwrap(), None);
    }

    #[test]
    fn a_message_names_so_many_files_and_counts_the_rest() {
        let names = Names((0..20).map(|number| PathBuf::from(format!("/{number}"))).collect());
        assert!(names.to_string().ends_with("/14, /15 (and 4 more)"), "{names}");
    }
}
