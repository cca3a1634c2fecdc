//! From where a server boots next.

use opendcre_ipmi::Single;
use opendcre_ipmi::chassis::boot::{BootDevice, BootFlags, GetBootFlags, SetBootTarget};
use opendcre_model::{BoardId, BootOverride, BootTarget, Context, DriverError, Fault, Observation};

use super::bmcs::Bmcs;

impl Bmcs {
    /// What the BMC has been told about the next boot.
    pub(super) async fn boot_target(
        &self,
        board: BoardId,
        context: Context,
    ) -> Result<Observation, DriverError> {
        let flags = self.run(board, Single(GetBootFlags), context).await?;
        let device = flags.effective_device();
        let target = boot_target(device).ok_or_else(|| {
            let message =
                format!("{}: the boot target {device} is none that is known here", self.place(board));
            DriverError::new(Fault::Malformed, message)
        })?;
        Ok(boot_override(target, &flags))
    }

    /// Sets from where the server boots, and reports what the BMC says afterwards.
    pub(super) async fn set_boot_target(
        &self,
        board: BoardId,
        boot: BootOverride,
        context: Context,
    ) -> Result<Observation, DriverError> {
        let wanted = boot_device(boot.target);
        let flags = BootFlags::target(wanted, boot.persistent, boot.efi);
        self.carry_out(board, SetBootTarget::new(flags), context).await?;
        let flags = self.run(board, Single(GetBootFlags), context).await.map_err(|error| {
            let code = error.code();
            let message = format!("the BMC accepted the boot target, which cannot be read now ({code})");
            self.uncertain(board, &message)
        })?;
        let device = flags.effective_device();
        let target = boot_target(device).filter(|target| *target == boot.target).ok_or_else(|| {
            let message = format!(
                "the BMC accepted the boot target {wanted} and now reports {device}; look at its setup"
            );
            self.uncertain(board, &message)
        })?;
        Ok(boot_override(target, &flags))
    }
}

const fn boot_override(target: BootTarget, flags: &BootFlags) -> Observation {
    let BootFlags { persistent, efi, .. } = *flags;
    Observation::BootTarget(BootOverride { target, persistent, efi })
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

#[cfg(test)]
mod tests {
    use opendcre_model::{Action, Driver, Priority, Query, SERVER_SYSTEM};

    use super::super::bench::{Bench, Script, context, ok, part};
    use super::super::queue::{Job, Outcome};
    use super::*;

    /// A BMC that has this boot device (IPMI 2.0 table 28-14, parameter 5), whatever it is told.
    struct Boot(u8);

    impl Script for Boot {
        fn answer(&mut self, job: &Job) -> Outcome {
            match job.request.command {
                opendcre_ipmi::chassis::GET_SYSTEM_BOOT_OPTIONS => ok(&[1, 5, 0x80, self.0 << 2, 0, 0, 0]),
                _ => ok(&[]),
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_boot_target_is_what_the_bmc_says() {
        let query = Query::BootTarget(part(SERVER_SYSTEM));
        let ask = async |device| Bench::new(Boot(device)).bmcs.read(query, context(Priority::Read)).await;
        let target = |target| Observation::BootTarget(BootOverride { target, persistent: false, efi: false });
        assert_eq!(ask(1).await, Ok(target(BootTarget::Pxe)));
        assert_eq!(ask(2).await, Ok(target(BootTarget::Disk)));
        let error = ask(12).await.unwrap_err();
        assert_eq!(error.fault, Fault::Malformed, "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_bmc_that_takes_another_target_is_not_believed() {
        let boot = BootOverride { target: BootTarget::Pxe, persistent: false, efi: false };
        let action = Action::SetBootTarget { device: part(SERVER_SYSTEM), boot };
        let set = async |device| {
            Bench::new(Boot(device)).bmcs.perform(action.clone(), context(Priority::Control)).await
        };
        assert_eq!(set(1).await, Ok(Observation::BootTarget(boot)));
        assert_eq!(set(2).await.unwrap_err().fault, Fault::Uncertain);
    }
}
