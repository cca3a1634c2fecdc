//! Where a host boots from (IPMI 2.0 §28.12, §28.13, table 28-14).
//!
//! Offers only the parameters that a boot device needs: 0 (set in progress), 3 (when the BMC clears the flags by
//! itself), 4 (who has not seen them yet) and 5 (the flags). Service partitions and initiators are left out.

use std::fmt;

use super::{GET_SYSTEM_BOOT_OPTIONS, SET_SYSTEM_BOOT_OPTIONS};
use crate::wire::Reader;
use crate::{Command, CommandError, Completion, DecodeError, NetFn, Procedure, Request, Response, Step};

/// The parameters of boot options (IPMI 2.0 table 28-14).
pub mod parameter {
    /// Set in progress.
    pub const SET_IN_PROGRESS: u8 = 0;
    /// BMC boot flag valid bit clearing.
    pub const VALID_BIT_CLEARING: u8 = 3;
    /// Boot info acknowledge.
    pub const INFO_ACKNOWLEDGE: u8 = 4;
    /// Boot flags.
    pub const BOOT_FLAGS: u8 = 5;
}

/// Completion code: the BMC does not have this parameter (IPMI 2.0 §28.12).
pub const PARAMETER_NOT_SUPPORTED: Completion = Completion(0x80);
/// Completion code: somebody else is in the middle of setting boot options (IPMI 2.0 §28.12).
pub const SET_ALREADY_IN_PROGRESS: Completion = Completion(0x81);
/// Completion code: the parameter can only be read (IPMI 2.0 §28.12).
pub const PARAMETER_READ_ONLY: Completion = Completion(0x82);

/// What a host boots from (IPMI 2.0 table 28-14, parameter 5, data 2, bits 5 to 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BootDevice {
    /// What the firmware is configured to.
    NoOverride,
    /// The network, by PXE.
    Pxe,
    /// The default disk.
    Disk,
    /// The default disk, in safe mode.
    SafeModeDisk,
    /// The diagnostic partition.
    Diagnostic,
    /// The default CD or DVD.
    Cd,
    /// The firmware's setup.
    Setup,
    /// A floppy or other removable medium that is connected remotely.
    RemoteFloppy,
    /// A CD or DVD that is connected remotely.
    RemoteCd,
    /// The primary remote medium.
    PrimaryRemote,
    /// A disk that is connected remotely.
    RemoteDisk,
    /// A floppy or the primary removable medium.
    Floppy,
    /// A number that the specification leaves free: 10, 12, 13 or 14.
    Reserved(u8),
}

/// All devices that have a meaning, with their numbers and names.
const DEVICES: [(BootDevice, u8, &str); 12] = [
    (BootDevice::NoOverride, 0, "none"),
    (BootDevice::Pxe, 1, "pxe"),
    (BootDevice::Disk, 2, "disk"),
    (BootDevice::SafeModeDisk, 3, "safe-disk"),
    (BootDevice::Diagnostic, 4, "diagnostic"),
    (BootDevice::Cd, 5, "cd"),
    (BootDevice::Setup, 6, "setup"),
    (BootDevice::RemoteFloppy, 7, "remote-floppy"),
    (BootDevice::RemoteCd, 8, "remote-cd"),
    (BootDevice::PrimaryRemote, 9, "remote-media"),
    (BootDevice::RemoteDisk, 11, "remote-disk"),
    (BootDevice::Floppy, 15, "floppy"),
];

impl BootDevice {
    /// All devices that have a meaning.
    pub fn all() -> impl Iterator<Item = Self> {
        DEVICES.into_iter().map(|(device, _, _)| device)
    }

    /// The device of a number; only the lower four bits count.
    #[must_use]
    pub fn from_number(number: u8) -> Self {
        let number = number & 0x0f;
        DEVICES
            .into_iter()
            .find(|(_, known, _)| *known == number)
            .map_or(Self::Reserved(number), |(device, _, _)| device)
    }

    /// The number of the device, 0 to 15.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Reserved(number) => number & 0x0f,
            _ => DEVICES.into_iter().find(|(known, _, _)| *known == self).map_or(0, |(_, number, _)| number),
        }
    }

    /// The device that [`BootDevice`] displays as `name`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        DEVICES.into_iter().find(|(_, _, known)| *known == name).map(|(device, _, _)| device)
    }
}

impl fmt::Display for BootDevice {
    /// One short word: none, pxe, disk, safe-disk, diagnostic, cd, setup, remote-floppy, remote-cd, remote-media,
    /// remote-disk, floppy, reserved.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            DEVICES.into_iter().find(|(known, _, _)| known == self).map_or("reserved", |(_, _, name)| name),
        )
    }
}

/// The boot flags (IPMI 2.0 table 28-14, parameter 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BootFlags {
    /// Whether the firmware shall look at them at all. The BMC clears it when the host has booted, unless they are
    /// persistent, and after a minute without a start (see [`parameter::VALID_BIT_CLEARING`]).
    pub valid: bool,
    /// Whether they hold for all further starts, and not only for the next.
    pub persistent: bool,
    /// Whether to boot by EFI, and not as a PC of old.
    pub efi: bool,
    /// What to boot from.
    pub device: BootDevice,
    /// The other bits of data 2: 80h clear CMOS, 40h lock the keyboard, 02h blank the screen, 01h lock the reset
    /// button.
    pub options: u8,
    /// Data 3: 80h lock the power button, 60h verbosity, 10h progress traps, 08h bypass the password, 04h lock the
    /// sleep button, 03h console redirection.
    pub firmware: u8,
    /// Data 4: 08h share the BIOS's modes, 07h the override of its serial multiplexer.
    pub multiplexer: u8,
    /// Data 5: which one of several devices of the kind.
    pub instance: u8,
}

impl BootFlags {
    /// The bits of data 2 that are the device.
    const DEVICE_BITS: u8 = 0x3c;

    /// The flags that boot from `device`, and change nothing else. For the next start only, no override means that
    /// the flags are not valid.
    #[must_use]
    pub fn target(device: BootDevice, persistent: bool, efi: bool) -> Self {
        Self {
            valid: persistent || device != BootDevice::NoOverride,
            persistent,
            efi,
            device,
            options: 0,
            firmware: 0,
            multiplexer: 0,
            instance: 0,
        }
    }

    /// The device that the next start takes: none when the flags are not valid.
    #[must_use]
    pub const fn effective_device(&self) -> BootDevice {
        if self.valid { self.device } else { BootDevice::NoOverride }
    }

    /// Reads the data of parameter 5.
    ///
    /// # Errors
    /// When they are fewer than five bytes.
    pub fn decode(data: &[u8]) -> Result<Self, DecodeError> {
        let [flags, device, firmware, multiplexer, instance] = Reader::new("boot flags", data).array()?;
        Ok(Self {
            valid: flags & 0x80 != 0,
            persistent: flags & 0x40 != 0,
            efi: flags & 0x20 != 0,
            device: BootDevice::from_number(device >> 2),
            options: device & !Self::DEVICE_BITS,
            firmware,
            multiplexer,
            instance,
        })
    }

    /// The data of parameter 5.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        vec![
            u8::from(self.valid) << 7 | u8::from(self.persistent) << 6 | u8::from(self.efi) << 5,
            self.options & !Self::DEVICE_BITS | self.device.number() << 2,
            self.firmware,
            self.multiplexer,
            self.instance,
        ]
    }
}

/// Asks for the boot flags. Those of a parameter that is marked as invalid are not valid.
#[derive(Debug, Clone, Copy)]
pub struct GetBootFlags;

impl Command for GetBootFlags {
    type Output = BootFlags;

    const NAME: &'static str = "Get System Boot Options";

    fn request(&self) -> Request {
        Request::new(NetFn::CHASSIS, GET_SYSTEM_BOOT_OPTIONS, &[parameter::BOOT_FLAGS, 0x00, 0x00])
    }

    fn parse(&self, data: &[u8]) -> Result<BootFlags, DecodeError> {
        let option = BootOption::decode(data)?;
        if option.parameter != parameter::BOOT_FLAGS {
            let value = option.parameter.into();
            return Err(DecodeError::Invalid { what: "boot options", field: "parameter", value });
        }
        let flags = BootFlags::decode(&option.data)?;
        Ok(BootFlags { valid: flags.valid && !option.locked, ..flags })
    }
}

/// One parameter as Get System Boot Options answers it (IPMI 2.0 §28.13, table 28-13).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootOption {
    /// Which one, 0 to 127.
    pub parameter: u8,
    /// Whether it is marked as invalid, or locked.
    pub locked: bool,
    /// Its data.
    pub data: Vec<u8>,
}

impl BootOption {
    /// The version of the parameters that IPMI 2.0 defines.
    const VERSION: u8 = 1;

    /// Reads the data of an answer.
    ///
    /// # Errors
    /// When they are fewer than two bytes.
    pub fn decode(data: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new("boot options", data);
        let [_version, parameter] = reader.array()?;
        Ok(Self { parameter: parameter & 0x7f, locked: parameter & 0x80 != 0, data: reader.rest().to_vec() })
    }

    /// The data of an answer.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut data = vec![Self::VERSION, self.parameter & 0x7f | u8::from(self.locked) << 7];
        data.extend(&self.data);
        data
    }
}

/// Sets one parameter of the boot options (IPMI 2.0 §28.12, table 28-12).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetBootOption {
    /// Which one, and in the highest bit whether to mark it as invalid.
    pub parameter: u8,
    /// Its data.
    pub data: Vec<u8>,
}

impl SetBootOption {
    /// Reads the data of a request.
    ///
    /// # Errors
    /// When there are none.
    pub fn decode(data: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new("boot options", data);
        Ok(Self { parameter: reader.u8()?, data: reader.rest().to_vec() })
    }
}

impl Command for SetBootOption {
    type Output = ();

    const NAME: &'static str = "Set System Boot Options";

    fn request(&self) -> Request {
        let mut data = vec![self.parameter];
        data.extend(&self.data);
        Request::new(NetFn::CHASSIS, SET_SYSTEM_BOOT_OPTIONS, &data)
    }

    fn parse(&self, _: &[u8]) -> Result<(), DecodeError> {
        Ok(())
    }
}

/// Sets what a host boots from, in the sequence that the specification asks for: say that a change is in progress
/// (parameter 0), keep the BMC from clearing the flags while nobody starts the host (parameter 3), say that the BIOS has
/// not seen them (parameter 4), set the flags (parameter 5), commit, and say that the change is complete (parameter 0).
///
/// BMCs need not have parameters 0, 3 and 4; those that refuse them get the flags alone. A refusal of the flags ends in
/// its error, after the change was completed.
#[derive(Debug, Clone)]
pub struct SetBootTarget {
    flags: BootFlags,
    stage: Stage,
    /// Whether the BMC took our word that a change is in progress, which then has to be completed.
    in_progress: bool,
    /// What the change met with.
    outcome: Result<(), CommandError>,
}

/// Which request was sent last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Begin,
    KeepValid,
    Announce,
    Flags,
    Commit,
    Complete,
}

/// "Set in progress", parameter 0 of IPMI 2.0 table 28-14.
const SET_COMPLETE: u8 = 0x00;
const SET_IN_PROGRESS: u8 = 0x01;
const COMMIT_WRITE: u8 = 0x02;
/// Parameter 3 of IPMI 2.0 table 28-14: do not clear the flags after 60 seconds without a Chassis Control command.
const KEEP_AFTER_TIMEOUT: u8 = 0x08;
/// Parameter 4 of IPMI 2.0 table 28-14: the BIOS, in the mask of what is written as in the data.
const UNSEEN_BY_BIOS: u8 = 0x01;

impl SetBootTarget {
    /// Sets `flags`, for example those of [`BootFlags::target`].
    #[must_use]
    pub const fn new(flags: BootFlags) -> Self {
        Self { flags, stage: Stage::Begin, in_progress: false, outcome: Ok(()) }
    }

    /// What is sent in the present stage.
    fn command(&self) -> SetBootOption {
        let (parameter, data) = match self.stage {
            Stage::Begin => (parameter::SET_IN_PROGRESS, vec![SET_IN_PROGRESS]),
            Stage::KeepValid => (parameter::VALID_BIT_CLEARING, vec![KEEP_AFTER_TIMEOUT]),
            Stage::Announce => (parameter::INFO_ACKNOWLEDGE, vec![UNSEEN_BY_BIOS, UNSEEN_BY_BIOS]),
            Stage::Flags => (parameter::BOOT_FLAGS, self.flags.encode()),
            Stage::Commit => (parameter::SET_IN_PROGRESS, vec![COMMIT_WRITE]),
            Stage::Complete => (parameter::SET_IN_PROGRESS, vec![SET_COMPLETE]),
        };
        SetBootOption { parameter, data }
    }

    /// Takes the answer to what was sent in the present stage, and says which stage follows.
    fn next(&mut self, answer: &Response) -> Option<Stage> {
        let result = self.command().read(answer);
        match self.stage {
            Stage::Begin => {
                self.in_progress = result.is_ok();
                self.after(optional(result), Stage::KeepValid)
            }
            Stage::KeepValid => self.after(optional(result), Stage::Announce),
            Stage::Announce => self.after(optional(result), Stage::Flags),
            Stage::Flags if self.in_progress => self.after(result, Stage::Commit),
            Stage::Flags => {
                self.outcome = result;
                None
            }
            // The flags are set: a BMC may lack committing, and completing changes nothing for them any more.
            Stage::Commit => Some(Stage::Complete),
            Stage::Complete => None,
        }
    }

    /// The stage that follows a result: `stage`, or what is left to do after an error.
    fn after(&mut self, result: Result<(), CommandError>, stage: Stage) -> Option<Stage> {
        self.outcome = result;
        if self.outcome.is_ok() { Some(stage) } else { self.in_progress.then_some(Stage::Complete) }
    }
}

/// Forgives a BMC for not taking a parameter that it need not have.
///
/// That somebody else's change is in progress is forgiven too: the flag guards changes of several messages, and the
/// boot flags are one message. A flag that somebody left behind must not keep a host from being booted.
fn optional(result: Result<(), CommandError>) -> Result<(), CommandError> {
    match result {
        Err(CommandError::Refused {
            completion:
                PARAMETER_NOT_SUPPORTED
                | SET_ALREADY_IN_PROGRESS
                | PARAMETER_READ_ONLY
                | Completion::OUT_OF_RANGE
                | Completion::INVALID_FIELD,
            ..
        }) => Ok(()),
        other => other,
    }
}

impl Procedure for SetBootTarget {
    type Output = ();

    fn advance(&mut self, answer: Option<&Response>) -> Result<Step<()>, CommandError> {
        let next = match answer {
            None => Some(Stage::Begin),
            Some(answer) => self.next(answer),
        };
        let Some(stage) = next else {
            return self.outcome.clone().map(Step::Done);
        };
        self.stage = stage;
        Ok(Step::Ask(self.command().request()))
    }
}

#[cfg(test)]
mod tests;
