//! From the options of the command line to an address and the way in. Secrets are read by the configuration, which
//! treats them as those of a gateway.

use std::ffi::OsStr;
use std::io::Read;
use std::net::SocketAddr;
use std::path::Path;

use opendcre_ipmi::client::Access;

use super::error::IpmiError;
use crate::cli::{BmcOptions, Host, PASSWORD_VARIABLE, PrivilegeChoice, V1_5Auth};
use crate::config::{self, Config, InlinePassword, Ipmi};

/// More than any password.
const MAX_PASSWORD_BYTES: u64 = 4096;
/// Stands for standard input.
const STDIN: &str = "-";

/// The address of the BMC.
///
/// # Errors
/// When there is none.
pub(super) async fn resolve(host: Option<&Host>) -> Result<SocketAddr, IpmiError> {
    let host = host.ok_or_else(|| IpmiError::Usage("which BMC? use --host ADDRESS[:PORT]".to_owned()))?;
    let unknown = |reason| IpmiError::Resolve { host: host.name.clone(), reason };
    let mut found = tokio::net::lookup_host((host.name.as_str(), host.port)).await.map_err(unknown)?;
    found.next().ok_or_else(|| unknown(std::io::ErrorKind::NotFound.into()))
}

/// User, password and protocol.
///
/// # Errors
/// When a secret is missing or too long.
pub(super) fn access(address: SocketAddr, options: &BmcOptions) -> Result<Access, IpmiError> {
    let config = Config { ipmi: vec![table(address, options)?], ..Config::default() };
    let bmc = config.bmcs()?.served.pop();
    bmc.map(|bmc| bmc.access).ok_or_else(|| IpmiError::Usage("there is no BMC to talk to".to_owned()))
}

/// The table that stands for the options in a configuration.
fn table(address: SocketAddr, options: &BmcOptions) -> Result<Ipmi, IpmiError> {
    let mut table = Ipmi::new("cli", address, &options.user, "");
    table.password = None;
    match options.password_file.as_deref() {
        Some(file) if file == Path::new(STDIN) => table.password = Some(password_of(std::io::stdin())?),
        Some(file) => table.password_file = Some(file.to_owned()),
        None if needs_password(options, std::env::var_os(PASSWORD_VARIABLE).as_deref()) => {
            let message = format!("there is no password; use --password-file, or set {PASSWORD_VARIABLE}");
            return Err(IpmiError::Usage(message));
        }
        None if options.ipmi15 == Some(V1_5Auth::None) => table.password = Some(InlinePassword::new("")),
        None => table.password_env = Some(PASSWORD_VARIABLE.to_owned()),
    }
    table.kg_file.clone_from(&options.kg_file);
    table.suites = (!options.suites.is_empty()).then(|| options.suites.clone());
    table.auth = options.ipmi15.map(|auth| match auth {
        V1_5Auth::None => config::Auth::None,
        V1_5Auth::Password => config::Auth::Password,
        V1_5Auth::Md2 => config::Auth::Md2,
        V1_5Auth::Md5 => config::Auth::Md5,
    });
    table.privilege_limit = match options.privilege {
        PrivilegeChoice::User => config::PrivilegeLimit::User,
        PrivilegeChoice::Operator => config::PrivilegeLimit::Operator,
        PrivilegeChoice::Administrator => config::PrivilegeLimit::Administrator,
    };
    if options.lookup_by_privilege {
        table.user_lookup = config::UserLookup::NameAndPrivilege;
    }
    Ok(table)
}

/// Whether the environment would have to say the password and does not.
fn needs_password(options: &BmcOptions, variable: Option<&OsStr>) -> bool {
    variable.is_none() && options.ipmi15 != Some(V1_5Auth::None)
}

/// The first line, without its end.
fn password_of(input: impl Read) -> Result<InlinePassword, IpmiError> {
    let unreadable =
        |reason| IpmiError::Usage(format!("cannot read the password from standard input: {reason}"));
    let mut text = String::new();
    input.take(MAX_PASSWORD_BYTES).read_to_string(&mut text).map_err(unreadable)?;
    Ok(InlinePassword::new(text.lines().next().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use opendcre_ipmi::Privilege;
    use opendcre_ipmi::client::{Protocol, UserLookup};
    use opendcre_ipmi::packet::v1_5::AuthType;

    use super::*;
    use crate::cli::{Cli, Command};

    fn options(line: &str) -> BmcOptions {
        let line = format!("opendcre ipmi --host 10.1.0.20 --user admin {line} info");
        match Cli::try_parse_from(line.split_whitespace()).unwrap().command {
            Command::Ipmi(args) => args.bmc,
            _ => panic!("not a command to a BMC"),
        }
    }

    fn access_of(line: &str) -> Access {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pw");
        std::fs::write(&file, "s3cr3t\n").unwrap();
        let line = format!("--password-file {} {line}", file.display());
        access(([10, 1, 0, 20], 623).into(), &options(&line)).unwrap()
    }

    #[test]
    fn options_become_the_way_in() {
        let usual = access_of("");
        assert_eq!((usual.username.as_slice(), usual.password.expose()), (&b"admin"[..], &b"s3cr3t"[..]));
        let Protocol::V2_0(suites) = usual.protocol else { panic!("not IPMI 2.0") };
        assert_eq!(suites.iter().map(|suite| suite.id).collect::<Vec<_>>(), [17, 3]);

        let weak = access_of("--ipmi15 md5 --privilege user --lookup-by-privilege");
        assert_eq!(weak.protocol, Protocol::V1_5(AuthType::Md5));
        assert_eq!((weak.privilege.login, weak.privilege.most), (Privilege::User, Privilege::User));
        assert_eq!(weak.lookup, UserLookup::NameAndPrivilege);

        let Protocol::V2_0(suites) = access_of("--suite 3 --suite 0").protocol else {
            panic!("not IPMI 2.0")
        };
        assert_eq!(suites.iter().map(|suite| suite.id).collect::<Vec<_>>(), [3, 0]);
    }

    #[test]
    fn a_password_comes_from_somewhere_unless_none_is_needed() {
        assert!(needs_password(&options(""), None));
        assert!(!needs_password(&options(""), Some(OsStr::new(""))));
        assert!(!needs_password(&options("--ipmi15 none"), None));
        let password = password_of(&b"s3cr3t\r\nmore"[..]).unwrap();
        assert!(password == InlinePassword::new("s3cr3t"));
        assert!(!format!("{password:?}").contains("s3cr3t"));
    }

    #[test]
    fn a_missing_file_is_named() {
        let options = options("--password-file /nonexistent/pw");
        let error = access(([10, 1, 0, 20], 623).into(), &options).unwrap_err().to_string();
        assert!(error.contains("/nonexistent/pw: cannot read it"), "{error}");
    }
}
