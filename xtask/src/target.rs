//! The machines that releases are made for, and what cargo, Debian and container registries call each of them.
//!
//! All of them get one static binary, linked with the C library of Debian's cross compilers. Knows nothing of what is made
//! for them.

use clap::ValueEnum;

/// A kind of machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Target {
    /// Servers and virtual machines
    #[value(name = "x86_64")]
    X86_64,
    /// Raspberry Pi 3 and later with a 64-bit system
    #[value(name = "aarch64")]
    Aarch64,
    /// Raspberry Pi 2 and later with a 32-bit system
    #[value(name = "armv7")]
    Armv7,
}

/// What a container registry calls a machine (OCI image index, `platform`).
pub(crate) struct Platform {
    pub(crate) architecture: &'static str,
    pub(crate) variant: Option<&'static str>,
}

impl Target {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::X86_64, Self::Aarch64, Self::Armv7];

    /// The name that cargo knows.
    pub(crate) const fn triple(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64-unknown-linux-gnu",
            Self::Aarch64 => "aarch64-unknown-linux-gnu",
            Self::Armv7 => "armv7-unknown-linux-gnueabihf",
        }
    }

    /// The architecture as Debian calls it.
    pub(crate) const fn debian(self) -> &'static str {
        match self {
            Self::X86_64 => "amd64",
            Self::Aarch64 => "arm64",
            Self::Armv7 => "armhf",
        }
    }

    /// The platform as container registries call it.
    pub(crate) const fn platform(self) -> Platform {
        match self {
            Self::X86_64 => Platform { architecture: "amd64", variant: None },
            Self::Aarch64 => Platform { architecture: "arm64", variant: None },
            Self::Armv7 => Platform { architecture: "arm", variant: Some("v7") },
        }
    }

    /// The C compiler that links for it.
    pub(crate) const fn compiler(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64-linux-gnu-gcc",
            Self::Aarch64 => "aarch64-linux-gnu-gcc",
            Self::Armv7 => "arm-linux-gnueabihf-gcc",
        }
    }

    /// The program that runs its binaries on this machine, if it is of another kind.
    pub(crate) const fn emulator(self) -> Option<&'static str> {
        match self {
            Self::X86_64 => None,
            Self::Aarch64 => Some("qemu-aarch64-static"),
            Self::Armv7 => Some("qemu-arm-static"),
        }
    }
}
