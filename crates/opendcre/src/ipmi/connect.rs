//! From the options of the command line to an address and the way in. Secrets are read by the configuration, which
//! treats them as those of a gateway.

use std::ffi::OsString;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::path::Path;

use opendcre_ipmi::client::Access;
use opendcre_ipmi::{MAX_SECRET, MAX_SECRET_1_5};
use secrecy::{ExposeSecret, SecretString};

use super::error::IpmiError;
use crate::cli::{BmcOptions, Host, PASSWORD_VARIABLE, PrivilegeChoice, V1_5Auth};
use crate::config::{self, Config, Ipmi};
use crate::input::read_text;

/// What holds more than this holds something else than a password.
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
    let bmc = config.bmcs().map_err(|error| IpmiError::Usage(as_option(&error.to_string())))?.served.pop();
    bmc.map(|bmc| bmc.access).ok_or_else(|| IpmiError::Usage("there is no BMC to talk to".to_owned()))
}

/// The table that stands for the options in a configuration.
fn table(address: SocketAddr, options: &BmcOptions) -> Result<Ipmi, IpmiError> {
    let password = password(options, std::env::var_os(PASSWORD_VARIABLE))?;
    let mut table = Ipmi::new("cli", address, &options.user, password.expose_secret());
    if let Some(file) = &options.kg_file {
        check_key(file)?;
        table.kg_file = Some(file.clone());
    }
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

/// The password, from wherever the options say; `variable` is what the environment says.
fn password(options: &BmcOptions, variable: Option<OsString>) -> Result<SecretString, IpmiError> {
    let (source, password) = match &options.password_file {
        Some(file) if file == Path::new(STDIN) => {
            let source = "standard input".to_owned();
            let password = first_line(&source, read_stdin())?;
            (source, password)
        }
        Some(file) => {
            let source = format!("--password-file {}", file.display());
            let password = first_line(&source, read_text(file, MAX_PASSWORD_BYTES))?;
            (source, password)
        }
        None => (PASSWORD_VARIABLE.to_owned(), password_of_variable(options, variable)?),
    };
    check_length(&source, options, password.expose_secret())?;
    Ok(password)
}

fn read_stdin() -> io::Result<String> {
    let mut text = String::new();
    io::stdin().take(MAX_PASSWORD_BYTES).read_to_string(&mut text)?;
    Ok(text)
}

/// The first line without its end. It must say something: a file that is empty by accident is no password.
fn first_line(source: &str, text: io::Result<String>) -> Result<SecretString, IpmiError> {
    let text = text.map_err(|reason| IpmiError::Usage(format!("{source}: cannot read it: {reason}")))?;
    let text = SecretString::from(text);
    match text.expose_secret().lines().next().filter(|line| !line.is_empty()) {
        Some(line) => Ok(line.into()),
        None => Err(IpmiError::Usage(format!(
            "{source}: there is no password; write it there, or set {PASSWORD_VARIABLE}= for a user without password"
        ))),
    }
}

fn password_of_variable(options: &BmcOptions, variable: Option<OsString>) -> Result<SecretString, IpmiError> {
    match variable.map(OsString::into_string) {
        Some(Ok(password)) => Ok(password.into()),
        Some(Err(_)) => {
            Err(IpmiError::Usage(format!("{PASSWORD_VARIABLE} is no text in UTF-8; use --password-file")))
        }
        None if options.ipmi15 == Some(V1_5Auth::None) => Ok(SecretString::default()),
        None => Err(IpmiError::Usage(format!(
            "there is no password; use --password-file, or set {PASSWORD_VARIABLE}"
        ))),
    }
}

fn check_length(source: &str, options: &BmcOptions, password: &str) -> Result<(), IpmiError> {
    let (protocol, most) = match options.ipmi15 {
        Some(_) => ("IPMI 1.5", MAX_SECRET_1_5),
        None => ("IPMI", MAX_SECRET),
    };
    match password.len() {
        length if length <= most => Ok(()),
        length => Err(IpmiError::Usage(format!(
            "{source}: a password of {protocol} has at most {most} bytes, not {length}"
        ))),
    }
}

/// The configuration reads the key; here it is only made sure that there is one.
fn check_key(file: &Path) -> Result<(), IpmiError> {
    let wrong = |problem: String| IpmiError::Usage(format!("--kg-file {}: {problem}", file.display()));
    let text =
        read_text(file, MAX_PASSWORD_BYTES).map_err(|reason| wrong(format!("cannot read it: {reason}")))?;
    match SecretString::from(text).expose_secret().trim_end().is_empty() {
        true => Err(wrong("there is no key; write it there, or leave the option out".to_owned())),
        false => Ok(()),
    }
}

/// What the configuration says about its only table that has not been checked here: about the key.
fn as_option(text: &str) -> String {
    match text.split_once(".kg_file") {
        Some((_table, about)) => format!("--kg-file{about}"),
        None => text.to_owned(),
    }
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
        let of = |line, variable: Option<&str>| password(&options(line), variable.map(OsString::from));
        assert!(of("", None).unwrap_err().to_string().starts_with("there is no password"));
        assert_eq!(of("", Some("")).unwrap().expose_secret(), "");
        assert_eq!(of("", Some("s3cr3t")).unwrap().expose_secret(), "s3cr3t");
        assert_eq!(of("--ipmi15 none", None).unwrap().expose_secret(), "");
        let line = first_line("f", Ok("s3cr3t\r\nmore".to_owned())).unwrap();
        assert_eq!(line.expose_secret(), "s3cr3t");
    }

    #[test]
    fn an_error_is_about_the_option_and_repeats_no_secret() {
        let error = first_line("--password-file f", Ok("\n".to_owned())).unwrap_err();
        assert_eq!(
            error.to_string(),
            "--password-file f: there is no password; write it there, or set OPENDCRE_IPMI_PASSWORD= for a user \
             without password"
        );
        let long = || Some(OsString::from("s3cr3t-".repeat(3)));
        for (line, expected) in [
            ("", "OPENDCRE_IPMI_PASSWORD: a password of IPMI has at most 20 bytes, not 21"),
            ("--ipmi15 md5", "OPENDCRE_IPMI_PASSWORD: a password of IPMI 1.5 has at most 16 bytes, not 21"),
        ] {
            assert_eq!(password(&options(line), long()).unwrap_err().to_string(), expected);
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pw");
        std::fs::write(&file, "s3cr3t\n").unwrap();
        let options = options(&format!("--password-file {} --kg-file /nonexistent/kg", file.display()));
        let error = access(([10, 1, 0, 20], 623).into(), &options).unwrap_err().to_string();
        assert!(error.starts_with("--kg-file /nonexistent/kg: cannot read it"), "{error}");
    }

    #[test]
    fn a_missing_file_is_named() {
        let options = options("--password-file /nonexistent/pw");
        let error = access(([10, 1, 0, 20], 623).into(), &options).unwrap_err().to_string();
        assert!(error.starts_with("--password-file /nonexistent/pw: cannot read it"), "{error}");
    }
}
