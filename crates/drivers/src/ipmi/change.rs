//! Everything that can be changed at a server besides its power.

use opendcre_ipmi::chassis::ChassisIdentify;
use opendcre_ipmi::chassis::boot::{BootDevice, BootFlags, GetBootFlags, SetBootTarget};
use opendcre_ipmi::dcmi::{self, ActivatePowerLimit, ExceptionAction, SetPowerLimit};
use opendcre_ipmi::sel::{CLEAR_SEL, EraseSel, Erasure, RESERVE_SEL};
use opendcre_ipmi::{NetFn, Procedure, Request, Single, session};
use opendcre_model::{
    BoardId, BootOverride, BootTarget, Context, DriverError, Fault, Identify, Observation, PowerLimit,
    PowerLimitException, RawAnswer, RawRequest,
};

use super::bmcs::Bmcs;
use super::error::BmcError;

/// What fits into a message of 255 bytes (IPMI 2.0 §13.8).
const MAX_DATA: usize = 248;

impl Bmcs {
    /// Makes the server show which one it is, or not any more.
    pub(super) async fn identify(
        &self,
        bmc: BoardId,
        identify: Identify,
        context: Context,
    ) -> Result<Observation, DriverError> {
        let command = match identify {
            Identify::On => ChassisIdentify::Indefinite,
            Identify::Seconds(seconds) => ChassisIdentify::For { seconds },
            Identify::Off => ChassisIdentify::Off,
        };
        self.carry_out(bmc, Single(command), context).await?;
        Ok(Observation::Done)
    }

    /// Sets from where the server boots, and reports what the BMC says afterwards.
    pub(super) async fn set_boot_target(
        &self,
        bmc: BoardId,
        boot: BootOverride,
        context: Context,
    ) -> Result<Observation, DriverError> {
        let flags = BootFlags::target(boot_device(boot.target), boot.persistent, boot.efi);
        self.carry_out(bmc, SetBootTarget::new(flags), context).await?;
        let flags = self.run(bmc, Single(GetBootFlags), context).await.map_err(|error| {
            let code = error.code();
            self.uncertain(
                bmc,
                &format!("the BMC accepted the boot target, which cannot be read now ({code})"),
            )
        })?;
        let device = flags.effective_device();
        let target = boot_target(device).filter(|target| *target == boot.target).ok_or_else(|| {
            let wanted = boot_device(boot.target);
            self.uncertain(
                bmc,
                &format!(
                    "the BMC accepted the boot target {wanted} and now reports {device}; look at its setup"
                ),
            )
        })?;
        let BootFlags { persistent, efi, .. } = flags;
        Ok(Observation::BootTarget(BootOverride { target, persistent, efi }))
    }

    /// Limits the power that the server draws, or ends that.
    pub(super) async fn set_power_limit(
        &self,
        bmc: BoardId,
        limit: Option<PowerLimit>,
        context: Context,
    ) -> Result<Observation, DriverError> {
        if let Some(limit) = &limit {
            self.carry_out(bmc, Single(SetPowerLimit(power_limit(limit)?)), context).await?;
        }
        let activation = Single(ActivatePowerLimit { active: limit.is_some() });
        match self.run_control(bmc, activation, context).await {
            Ok(()) => Ok(Observation::Done),
            Err(error) if limit.is_some() => Err(self.uncertain(
                bmc,
                &format!("the power limit was stored, and whether it is in force is not known ({error})"),
            )),
            Err(error) => Err(settle(error)),
        }
    }

    /// Removes every entry of the event log.
    pub(super) async fn clear_event_log(
        &self,
        bmc: BoardId,
        context: Context,
    ) -> Result<Observation, DriverError> {
        match self.carry_out(bmc, EraseSel::new(), context).await? {
            Erasure::Completed => Ok(Observation::Done),
            Erasure::InProgress => {
                Err(self.uncertain(bmc, "the BMC is still clearing its event log; look at the log later"))
            }
        }
    }

    /// Sends a command as it is.
    pub(super) async fn raw(
        &self,
        bmc: BoardId,
        raw: RawRequest,
        context: Context,
    ) -> Result<Observation, DriverError> {
        let RawRequest { netfn, lun, command, data } = raw;
        let netfn = NetFn(netfn);
        if !netfn.is_request() || netfn.0 >= 0x40 || lun > 3 {
            return Err(invalid(
                "a network function of a request is even and below 40h, a logical unit below 4",
            ));
        }
        if netfn == NetFn::APP && (session::GET_SESSION_CHALLENGE..=session::CLOSE_SESSION).contains(&command)
        {
            return Err(invalid("sessions are opened and closed by the service, which shares them"));
        }
        let request = Request { netfn, lun, command, data };
        if request.data.len() > MAX_DATA {
            return Err(invalid("a command has at most 248 bytes of data"));
        }
        let answer = self.send_raw(bmc, request, context).await.map_err(settle)?;
        Ok(Observation::RawIpmi(RawAnswer { completion: answer.completion.0, data: answer.data }))
    }

    async fn carry_out<P>(
        &self,
        bmc: BoardId,
        procedure: P,
        context: Context,
    ) -> Result<P::Output, DriverError>
    where
        P: Procedure + Send,
        P::Output: Send,
    {
        self.run_control(bmc, procedure, context).await.map_err(settle)
    }

    /// A failure after which the equipment may have changed.
    pub(super) fn uncertain(&self, bmc: BoardId, what: &str) -> DriverError {
        DriverError::new(Fault::Uncertain, format!("{}: {what}", self.place(bmc)))
    }
}

/// Whether a command of a change leaves traces by itself. Those that only prepare or ask do not.
pub(super) fn changes_something(request: &Request) -> bool {
    let only_prepares = (request.netfn, request.command) == (NetFn::STORAGE, RESERVE_SEL);
    !only_prepares && !asks_for_progress(request)
}

/// Whether a command asks how far the clearing of a log is (IPMI 2.0 §31.9, table 31-9: the last byte is zero).
pub(super) fn asks_for_progress(request: &Request) -> bool {
    (request.netfn, request.command) == (NetFn::STORAGE, CLEAR_SEL) && request.data.last() == Some(&0)
}

/// What the failure of a change means for the equipment.
fn settle(error: BmcError) -> DriverError {
    if !error.problem.leaves_doubt() {
        return error.into();
    }
    DriverError::new(Fault::Uncertain, format!("{error}; what was sent may have taken effect"))
}

fn invalid(reason: &str) -> DriverError {
    DriverError::new(Fault::Invalid, format!("{reason}; nothing was sent"))
}

const fn boot_device(target: BootTarget) -> BootDevice {
    match target {
        BootTarget::NoOverride => BootDevice::NoOverride,
        BootTarget::Pxe => BootDevice::Pxe,
        BootTarget::Disk => BootDevice::Disk,
        BootTarget::DiskSafeMode => BootDevice::SafeModeDisk,
        BootTarget::Diagnostic => BootDevice::Diagnostic,
        BootTarget::Optical => BootDevice::Cd,
        BootTarget::Setup => BootDevice::Setup,
        BootTarget::RemoteRemovable => BootDevice::RemoteFloppy,
        BootTarget::RemoteOptical => BootDevice::RemoteCd,
        BootTarget::RemoteDisk => BootDevice::RemoteDisk,
        BootTarget::Removable => BootDevice::Floppy,
    }
}

/// Nothing for devices that have no name in the house.
const fn boot_target(device: BootDevice) -> Option<BootTarget> {
    Some(match device {
        BootDevice::NoOverride => BootTarget::NoOverride,
        BootDevice::Pxe => BootTarget::Pxe,
        BootDevice::Disk => BootTarget::Disk,
        BootDevice::SafeModeDisk => BootTarget::DiskSafeMode,
        BootDevice::Diagnostic => BootTarget::Diagnostic,
        BootDevice::Cd => BootTarget::Optical,
        BootDevice::Setup => BootTarget::Setup,
        BootDevice::RemoteFloppy => BootTarget::RemoteRemovable,
        BootDevice::RemoteCd => BootTarget::RemoteOptical,
        BootDevice::RemoteDisk => BootTarget::RemoteDisk,
        BootDevice::Floppy => BootTarget::Removable,
        BootDevice::PrimaryRemote | BootDevice::Reserved(_) => return None,
    })
}

fn power_limit(limit: &PowerLimit) -> Result<dcmi::PowerLimit, DriverError> {
    let PowerLimit { watts, correction_time, sampling_period, exception } = *limit;
    let action = match exception {
        PowerLimitException::None => ExceptionAction::None,
        PowerLimitException::Log => ExceptionAction::Log,
        PowerLimitException::PowerOff => ExceptionAction::PowerOff,
    };
    let (Ok(correction_ms), Ok(sampling_s)) =
        (u32::try_from(correction_time.as_millis()), u16::try_from(sampling_period.as_secs()))
    else {
        return Err(invalid("a power limit is averaged over 65535 s at most, and kept within 4294967 s"));
    };
    Ok(dcmi::PowerLimit { action, limit_w: watts, correction_ms, sampling_s })
}
