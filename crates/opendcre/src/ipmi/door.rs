//! The one door for changes: a gateway with one mount, so that nothing is sent without a record.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use opendcre_gateway::{AuditLog, Command, Equipment, Gateway, Mount, Outcome, Policy, Principal, Settings};
use opendcre_ipmi::{self as ipmi, Completion, Request, Response};
use opendcre_model::{Action, Login, Observation, RawAnswer, RawRequest, SERVERS, Subject};
use rustix::process::getuid;

use super::error::{Interruption, IpmiError};
use super::interruptible::Interruptible;
use super::link::Link;

/// The audit file within a folder for the state of programs.
const AUDIT_FILE: &str = "opendcre/audit.db";

impl Link {
    /// Changes something, at most once, and not without a record.
    ///
    /// # Errors
    /// When it cannot be recorded, and then nothing was sent; and when the BMC does not do it.
    pub(super) async fn change(&self, action: Action) -> Result<Observation, IpmiError> {
        let gateway = self.gateway()?;
        match gateway.execute(&principal(), Command::Action(action)).await? {
            Outcome::Observation(observation) => Ok(observation),
            Outcome::Scan(_) => Ok(Observation::Done),
        }
    }

    /// Changes something by a command that the model has no name for.
    ///
    /// # Errors
    /// As [`Link::change`], and when the BMC refuses the command.
    pub(super) async fn change_by<C: ipmi::Command>(&self, command: &C) -> Result<C::Output, IpmiError> {
        let Request { netfn, lun, command: number, data } = command.request();
        let request = RawRequest { netfn: netfn.0, lun, command: number, data };
        match self.change(Action::RawIpmi { device: Self::SYSTEM, request }).await? {
            Observation::RawIpmi(RawAnswer { completion, data }) => {
                let response = Response { completion: Completion(completion), data };
                Ok(command.read(&response).map_err(|error| self.failed(error))?)
            }
            other => Err(IpmiError::OtherAnswer(Box::new(other))),
        }
    }

    /// Waits until a change that has begun is at its end and recorded.
    pub(super) async fn finish(&self) {
        if let Some(gateway) = self.gateway.get() {
            gateway.shutdown().await;
        }
    }

    /// What an interruption at this moment means for the change, if there is one.
    pub(super) fn interruption(&self) -> Interruption {
        match (self.gateway.get(), self.was_heard()) {
            (None, _) => Interruption::OfQuestion,
            (Some(_), false) => Interruption::BeforeChange,
            (Some(_), true) => Interruption::DuringChange,
        }
    }

    fn gateway(&self) -> Result<&Gateway, IpmiError> {
        if let Some(gateway) = self.gateway.get() {
            return Ok(gateway);
        }
        let path = audit_path(self.audit_file.as_deref(), |name| std::env::var_os(name).map(PathBuf::from))?;
        make_folder(&path).map_err(|reason| IpmiError::AuditFile { path: path.clone(), reason })?;
        let audit = AuditLog::open_private(path, Arc::clone(&self.clock))?;
        let driver = Interruptible { bmcs: Arc::clone(&self.bmcs), given_up: self.given_up.clone() };
        let mount = Mount {
            driver: Arc::new(driver),
            boards: SERVERS,
            rack: String::new(),
            annotations: Vec::new(),
            max_changes: 1,
        };
        let equipment = Equipment { mounts: vec![mount], ..Equipment::default() };
        let settings = Settings { control_timeout: self.timeout, ..Settings::default() };
        let gateway =
            Gateway::new(equipment, audit.into(), Policy::open(), Arc::clone(&self.clock), settings);
        Ok(self.gateway.get_or_init(|| gateway))
    }
}

/// The user whose process this is. The number cannot be forged by the environment, as a name can.
fn principal() -> Principal {
    Principal {
        subject: Arc::new(Subject {
            name: format!("local user {}", getuid().as_raw()),
            login: Login::Local,
            ..Subject::anonymous()
        }),
        remote: "command line".into(),
        request_id: format!("process {}", std::process::id()).into(),
    }
}

/// Where changes are recorded; `variable` looks into the environment.
fn audit_path(
    chosen: Option<&Path>,
    variable: impl Fn(&str) -> Option<PathBuf>,
) -> Result<PathBuf, IpmiError> {
    if let Some(path) = chosen {
        return Ok(path.to_owned());
    }
    // A path that is not absolute does not count (XDG Base Directory Specification 0.8).
    let state = variable("XDG_STATE_HOME").filter(|path| path.is_absolute());
    let home = || variable("HOME").filter(|path| path.is_absolute()).map(|home| home.join(".local/state"));
    state.or_else(home).map(|folder| folder.join(AUDIT_FILE)).ok_or(IpmiError::NoAuditFile)
}

/// Creates the folders of the file, for this user alone. What is there already stays as it is.
fn make_folder(path: &Path) -> io::Result<()> {
    match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => DirBuilder::new().recursive(true).mode(0o700).create(folder),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn changes_are_recorded_in_the_users_own_folder() {
        let environment = |state: &'static str, home: &'static str| {
            move |name: &str| match name {
                "XDG_STATE_HOME" => Some(PathBuf::from(state)),
                "HOME" => Some(PathBuf::from(home)),
                _ => None,
            }
        };
        let path = |state, home| audit_path(None, environment(state, home)).unwrap();
        assert_eq!(path("/s", "/h"), Path::new("/s/opendcre/audit.db"));
        assert_eq!(path("relative", "/h"), Path::new("/h/.local/state/opendcre/audit.db"));
        assert!(matches!(audit_path(None, environment("", "")), Err(IpmiError::NoAuditFile)));
        assert_eq!(audit_path(Some(Path::new("a")), environment("", "")).unwrap(), Path::new("a"));
    }

    #[test]
    fn the_folder_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/opendcre/audit.db");
        make_folder(&path).unwrap();
        make_folder(&path).unwrap();
        make_folder(Path::new("audit.db")).unwrap();
        assert_eq!(path.parent().unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o700);
    }
}
