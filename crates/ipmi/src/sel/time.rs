//! Timestamps of the event log.

use std::fmt;

/// A timestamp as BMCs store it (IPMI 2.0 §37). BMCs are set by hand or by their host: their clocks may be wrong, and
/// may run in local time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SelTime(pub u32);

/// What a timestamp says (IPMI 2.0 §37.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Not known, or never.
    Unspecified,
    /// Seconds since the BMC started; its clock was not set by then.
    SinceStart(u32),
    /// Seconds since 1970-01-01 00:00.
    At(u32),
}

impl SelTime {
    /// Not known, or never.
    pub const UNSPECIFIED: Self = Self(0xffff_ffff);
    /// The last that counts from the start of the BMC; later ones count from 1970.
    const LAST_RELATIVE: u32 = 0x2000_0000;

    /// What it says.
    #[must_use]
    pub const fn when(self) -> When {
        match self {
            Self::UNSPECIFIED => When::Unspecified,
            Self(seconds) if seconds <= Self::LAST_RELATIVE => When::SinceStart(seconds),
            Self(seconds) => When::At(seconds),
        }
    }
}

impl fmt::Display for SelTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.when() {
            When::Unspecified => f.write_str("unspecified"),
            When::SinceStart(seconds) => write!(f, "{seconds} s after the BMC's start"),
            When::At(seconds) => write!(f, "{seconds} s after 1970"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_numbers_count_from_the_start_of_the_bmc() {
        assert_eq!(SelTime(0).when(), When::SinceStart(0));
        assert_eq!(SelTime(0x2000_0000).when(), When::SinceStart(0x2000_0000));
        assert_eq!(SelTime(0x2000_0001).when(), When::At(0x2000_0001));
        assert_eq!(SelTime(0xffff_fffe).when(), When::At(0xffff_fffe));
        assert_eq!(SelTime(0xffff_ffff).when(), When::Unspecified);
    }
}
