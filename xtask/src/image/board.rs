//! The boards that there are images for.

use crate::target::Target;

/// A family of boards that share an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

    /// The kind of machine that its processor is.
    pub(crate) fn target(self) -> Target {
        match self {
            Self::Rpi2 => Target::Armv7,
            Self::Rpi => Target::Aarch64,
        }
    }

    /// The package that brings the newest kernel.
    pub(crate) fn kernel(self) -> &'static str {
        match self {
            Self::Rpi2 => "linux-image-armmp",
            Self::Rpi => "linux-image-arm64",
        }
    }
}
