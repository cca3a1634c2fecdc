//! Power, boot target and identify lamp of a machine.

use comfy_table::Table;
use opendcre_ipmi::chassis::boot::{BootDevice, BootFlags, GetBootFlags};
use opendcre_ipmi::chassis::{
    ChassisStatus, GetChassisStatus, IdentifyState, RestorePolicy, SetPowerRestorePolicy,
};
use opendcre_model::{
    Action, BootOverride, BootTarget, DeviceKind, Identify, Observation, PowerAction, PowerState,
};
use serde::Serialize;

use super::console::{Done, Report, fields, joined, set_names, words, yes_no};
use super::error::IpmiError;
use super::link::Link;
use crate::cli::{BootSetArgs, PowerPolicy};

/// The state of a chassis.
#[derive(Debug, Serialize)]
pub(super) struct Status {
    power: PowerState,
    faults: Vec<&'static str>,
    restore_policy: Option<&'static str>,
    last_event: Vec<&'static str>,
    identify: Option<&'static str>,
}

/// The state after a change of power.
#[derive(Debug, Serialize)]
pub(super) struct Power {
    power: PowerState,
}

/// What the machine does when mains power returns; nothing when the BMC does not know.
#[derive(Debug, Serialize)]
pub(super) struct Policy {
    restore_policy: Option<&'static str>,
}

/// What a machine boots from next.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Boot {
    target: String,
    persistent: bool,
    efi: bool,
}

/// Asks for the state.
pub(super) async fn status(link: &Link) -> Result<Status, IpmiError> {
    Ok(Status::from(link.ask(GetChassisStatus).await?))
}

/// Changes the power.
pub(super) async fn switch(link: &Link, action: PowerAction) -> Result<Power, IpmiError> {
    match link.change(Action::Power { device: Link::POWER, kind: DeviceKind::Power, action }).await? {
        Observation::Power(report) => Ok(Power { power: report.state }),
        other => Err(IpmiError::OtherAnswer(Box::new(other))),
    }
}

/// Asks what it does when mains power returns.
pub(super) async fn policy(link: &Link) -> Result<Policy, IpmiError> {
    let status = link.ask(GetChassisStatus).await?;
    Ok(Policy { restore_policy: status.restore_policy.map(RestorePolicy::name) })
}

/// Sets what it does when mains power returns, and asks for it again.
pub(super) async fn set_policy(link: &Link, policy: PowerPolicy) -> Result<Policy, IpmiError> {
    let command = SetPowerRestorePolicy {
        policy: Some(match policy {
            PowerPolicy::AlwaysOn => RestorePolicy::PowerUp,
            PowerPolicy::AlwaysOff => RestorePolicy::StayOff,
            PowerPolicy::Previous => RestorePolicy::Previous,
        }),
    };
    link.change_by(&command).await?;
    self::policy(link).await
}

/// Asks what it boots from next.
pub(super) async fn boot(link: &Link) -> Result<Boot, IpmiError> {
    Ok(Boot::from(link.ask(GetBootFlags).await?))
}

/// Sets what it boots from next.
pub(super) async fn set_boot(link: &Link, args: BootSetArgs) -> Result<Boot, IpmiError> {
    let BootSetArgs { target, persistent, efi } = args;
    let boot = BootOverride { target, persistent, efi };
    match link.change(Action::SetBootTarget { device: Link::SYSTEM, boot }).await? {
        Observation::BootTarget(boot) => Ok(Boot::from(boot)),
        other => Err(IpmiError::OtherAnswer(Box::new(other))),
    }
}

/// Switches the lamp.
pub(super) async fn identify(link: &Link, identify: Identify) -> Result<Done, IpmiError> {
    link.change(Action::Identify { device: Link::SYSTEM, identify }).await?;
    Ok(Done::new())
}

impl From<ChassisStatus> for Status {
    fn from(status: ChassisStatus) -> Self {
        let event = status.last_event;
        Self {
            power: if status.power_on { PowerState::On } else { PowerState::Off },
            faults: set_names([
                (status.overload, "overload"),
                (status.interlock, "interlock"),
                (status.fault, "power_fault"),
                (status.control_fault, "power_control_fault"),
                (status.intrusion, "intrusion"),
                (status.lockout, "front_panel_lockout"),
                (status.drive_fault, "drive_fault"),
                (status.fan_fault, "fan_fault"),
            ]),
            restore_policy: status.restore_policy.map(|policy| policy.name()),
            last_event: set_names([
                (event.ac_failed, "ac_failed"),
                (event.overload, "overload"),
                (event.interlock, "interlock"),
                (event.fault, "power_fault"),
                (event.on_by_command, "on_by_command"),
            ]),
            identify: status.identify_reported.then_some(match status.identify {
                IdentifyState::Off => "off",
                IdentifyState::Temporary => "for_seconds",
                IdentifyState::Indefinite => "on",
                IdentifyState::Reserved => "unknown",
            }),
        }
    }
}

impl From<BootFlags> for Boot {
    fn from(flags: BootFlags) -> Self {
        let target = match flags.effective_device() {
            BootDevice::NoOverride => BootTarget::NoOverride.to_string(),
            BootDevice::Pxe => BootTarget::Pxe.to_string(),
            BootDevice::Disk => BootTarget::Disk.to_string(),
            BootDevice::SafeModeDisk => BootTarget::DiskSafeMode.to_string(),
            BootDevice::Diagnostic => BootTarget::Diagnostic.to_string(),
            BootDevice::Cd => BootTarget::Optical.to_string(),
            BootDevice::Setup => BootTarget::Setup.to_string(),
            BootDevice::RemoteFloppy => BootTarget::RemoteRemovable.to_string(),
            BootDevice::RemoteCd => BootTarget::RemoteOptical.to_string(),
            BootDevice::PrimaryRemote => "remote_primary".to_owned(),
            BootDevice::RemoteDisk => BootTarget::RemoteDisk.to_string(),
            BootDevice::Floppy => BootTarget::Removable.to_string(),
            BootDevice::Reserved(number) => format!("reserved_{number}"),
        };
        Self { target, persistent: flags.valid && flags.persistent, efi: flags.valid && flags.efi }
    }
}

impl From<BootOverride> for Boot {
    fn from(boot: BootOverride) -> Self {
        let BootOverride { target, persistent, efi } = boot;
        Self { target: target.to_string(), persistent, efi }
    }
}

impl Report for Status {
    fn tables(&self) -> Vec<Table> {
        let none = || "none".to_owned();
        vec![fields([
            ("power", Some(self.power.to_string())),
            ("faults", Some(joined(&self.faults).as_deref().map_or_else(none, words))),
            ("last event", joined(&self.last_event).as_deref().map(words)),
            ("when mains return", self.restore_policy.map(ToOwned::to_owned)),
            ("identify lamp", self.identify.map(words)),
        ])]
    }
}

impl Report for Power {
    fn tables(&self) -> Vec<Table> {
        vec![fields([("power", Some(self.power.to_string()))])]
    }
}

impl Report for Policy {
    fn tables(&self) -> Vec<Table> {
        vec![fields([("when mains return", Some(self.restore_policy.unwrap_or("unknown").to_owned()))])]
    }
}

impl Report for Boot {
    fn tables(&self) -> Vec<Table> {
        vec![fields([
            ("target", Some(words(&self.target))),
            ("persistent", Some(yes_no(self.persistent))),
            ("EFI", Some(yes_no(self.efi))),
        ])]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipmi::console::shown;

    #[test]
    fn a_chassis_tells_its_power_and_its_faults() {
        let status = Status::from(ChassisStatus::decode(&[0x49, 0x10, 0x58]).unwrap());
        insta::assert_snapshot!(shown(&status), @r"
        power              on
        faults             power fault, fan fault
        last event         on by command
        when mains return  always-on
        identify lamp      for seconds
        ");
        insta::assert_snapshot!(serde_json::to_string(&status).unwrap(), @r#"{"power":"on","faults":["power_fault","fan_fault"],"restore_policy":"always-on","last_event":["on_by_command"],"identify":"for_seconds"}"#);
        let quiet = Status::from(ChassisStatus::decode(&[0x60, 0, 0]).unwrap());
        insta::assert_snapshot!(shown(&quiet), @r"
        power   off
        faults  none
        ");
    }

    #[test]
    fn boot_flags_that_are_not_valid_mean_nothing() {
        let flags = |bytes| Boot::from(BootFlags::decode(bytes).unwrap());
        let pxe = flags(&[0xe0, 0x04, 0, 0, 0]);
        insta::assert_snapshot!(serde_json::to_string(&pxe).unwrap(), @r#"{"target":"pxe","persistent":true,"efi":true}"#);
        let nothing = Boot { target: "no_override".to_owned(), persistent: false, efi: false };
        assert_eq!(flags(&[0x60, 0x04, 0, 0, 0]), nothing);
    }

    #[test]
    fn what_was_set_reads_as_what_is_asked_for() {
        let boot = BootOverride { target: BootTarget::RemoteOptical, persistent: false, efi: true };
        let flags = BootFlags::target(BootDevice::RemoteCd, false, true);
        assert_eq!(Boot::from(boot), Boot::from(flags));
    }
}
