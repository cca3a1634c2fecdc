//! How the service is doing.

use opendcre_model::DriverError;

use crate::DeliveryStatistics;

/// Whether there is something real behind the service.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mode {
    /// Nothing is emulated.
    #[default]
    Hardware,
    /// Everything is emulated.
    Emulator,
    /// Some of it is emulated.
    Mixed,
}

impl Mode {
    /// That of equipment of which something is real, something is emulated, both, or, where there is none, neither.
    #[must_use]
    pub const fn of(has_real: bool, has_emulated: bool) -> Self {
        match (has_real, has_emulated) {
            (_, false) => Self::Hardware,
            (false, true) => Self::Emulator,
            (true, true) => Self::Mixed,
        }
    }

    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hardware => "hardware",
            Self::Emulator => "emulator",
            Self::Mixed => "mixed",
        }
    }
}

/// Whether commands can be carried out now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Readiness {
    /// Whether what is served is real.
    pub mode: Mode,
    /// The service is stopping and refuses commands.
    pub shutting_down: bool,
    /// Every driver by name in the order of the mounts, and whether it can be used.
    pub drivers: Vec<(String, Result<(), DriverError>)>,
    /// What has been missing since the start, and what is amiss at the moment.
    pub defects: Vec<Defect>,
}

/// Something that stays amiss until somebody mends it, such as equipment that is configured but cannot be served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Defect {
    /// What is missing, such as the key of the configuration that names it.
    pub name: String,
    /// The stable machine-readable code.
    pub code: &'static str,
    /// One sentence for people: what is wrong, where, and what to do.
    pub message: String,
}

/// A part of the service besides its equipment of which something can be amiss.
pub trait Part: Send + Sync {
    /// What is amiss at the moment. It is asked often, and so does no I/O.
    fn defects(&self) -> Vec<Defect>;

    /// What can be counted of each receiver outside that it brings something to. It is asked often, and so does no I/O.
    fn deliveries(&self) -> Vec<DeliveryStatistics> {
        Vec::new()
    }
}

impl Readiness {
    /// Whether every driver can be used. Defects do not count: everything else is served, and waiting mends nothing.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        !self.shutting_down && self.drivers.iter().all(|(_, health)| health.is_ok())
    }
}
