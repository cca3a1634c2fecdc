//! The boards that there are images for.

use clap::ValueEnum;

/// A family of boards that share an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Board {
    /// Raspberry Pi 2, 32 bits.
    Rpi2,
    /// Raspberry Pi 3 and 4, 64 bits.
    Rpi,
}

impl Board {
    /// As it is typed, and as files are called.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Rpi2 => "rpi2",
            Self::Rpi => "rpi",
        }
    }

    /// Debian's name of the architecture.
    pub(crate) fn architecture(self) -> &'static str {
        match self {
            Self::Rpi2 => "armhf",
            Self::Rpi => "arm64",
        }
    }

    /// The package that brings the newest kernel.
    pub(crate) fn kernel(self) -> &'static str {
        match self {
            Self::Rpi2 => "linux-image-armmp",
            Self::Rpi => "linux-image-arm64",
        }
    }

    /// Architecture and variant, as containers call them.
    pub(crate) fn platform(self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::Rpi2 => ("arm", Some("v7")),
            Self::Rpi => ("arm64", None),
        }
    }
}
