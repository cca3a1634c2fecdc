//! The services that run beside the tests: where they are, and how they are changed.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

/// Part of every password, token and shared secret that the services know, and of the wrong ones that tests try.
pub(crate) const MARK: &str = "s3cr7t";

/// The name and password of somebody whom all services know by the same.
pub(crate) fn password(user: &str) -> String {
    format!("{MARK}-{user}")
}

/// A file of the throw-away PKI.
pub(crate) fn pki(name: &str) -> PathBuf {
    let folder = std::env::var_os("OPENDCRE_SERVICES");
    let folder = folder.expect("run these tests by `cargo xtask services`, which starts what they need");
    PathBuf::from(folder).join("pki").join(name)
}

/// A directory, as its own tools reach it.
pub(crate) struct Directory {
    pub(crate) url: &'static str,
    administrator: &'static str,
    password: &'static str,
}

pub(crate) const OPENLDAP: Directory = Directory {
    url: "ldaps://ldap.test",
    administrator: "cn=admin,dc=example,dc=test",
    password: "s3cr7t-admin",
};

pub(crate) const ACTIVE_DIRECTORY: Directory = Directory {
    url: "ldaps://dc1.ad.test",
    administrator: "Administrator@ad.test",
    password: "S3cr7t-administrator",
};

impl Directory {
    /// Changes entries as LDIF says.
    pub(crate) fn modify(&self, ldif: &str) {
        let mut command = self.tool("ldapmodify", self.administrator, self.password);
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(ldif.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success(), "{ldif}");
    }

    /// Whether the directory itself lets somebody in.
    pub(crate) fn accepts(&self, name: &str, password: &str) -> bool {
        let mut command = self.tool("ldapsearch", name, password);
        // What everybody may ask who is let in.
        command.args(["-LLL", "-s", "base", "-b", ""]);
        command.stderr(Stdio::null()).status().unwrap().success()
    }

    fn tool(&self, tool: &str, name: &str, password: &str) -> Command {
        let mut command = Command::new(tool);
        command.env("LDAPTLS_CACERT", pki("ca.pem")).stdout(Stdio::null());
        command.args(["-x", "-H", self.url, "-D", name, "-w", password]);
        command
    }
}

/// Gives an order to the OpenID provider.
pub(crate) fn steer_provider(order: &str, details: &Value) -> Value {
    let url = format!("http://sso.test:8080{order}");
    let output =
        Command::new("curl").args(["-sS", "--fail", "-d", &details.to_string(), &url]).output().unwrap();
    assert!(output.status.success(), "{order}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Files beneath a folder, with what is in them.
pub(crate) fn files(folder: &std::path::Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            found.extend(files(&entry.path()));
        } else if kind.is_file() {
            found.push((entry.path(), fs::read(entry.path()).unwrap()));
        }
    }
    found
}
