//! Completion codes: how a BMC says whether it did what it was asked (IPMI 2.0 §5.2, table 5-2).

use std::fmt;

/// A completion code.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Completion(pub u8);

macro_rules! completions {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $text:literal;)+) => {
        impl Completion {
            $($(#[$doc])* pub const $name: Self = Self($code);)+

            /// What the code means; nothing for those that mean something else with each command.
            #[must_use]
            pub const fn meaning(self) -> Option<&'static str> {
                match self.0 {
                    $($code => Some($text),)+
                    _ => None,
                }
            }
        }
    };
}

completions! {
    /// Done.
    OK = 0x00, "done";
    /// The BMC has no time now; it is worth asking again soon.
    NODE_BUSY = 0xc0, "the BMC is busy";
    /// The BMC does not know this command.
    INVALID_COMMAND = 0xc1, "the BMC does not know this command";
    /// The BMC does not know this command for the given logical unit.
    INVALID_FOR_LUN = 0xc2, "the BMC does not know this command for this logical unit";
    /// The BMC took too long by its own measure.
    TIMEOUT = 0xc3, "the BMC ran out of time while working on it";
    /// No memory.
    OUT_OF_SPACE = 0xc4, "the BMC is out of space";
    /// The reservation was taken over by somebody else, or has expired.
    RESERVATION_CANCELLED = 0xc5, "the reservation was cancelled or is invalid";
    /// The request is shorter than the BMC expects.
    DATA_TRUNCATED = 0xc6, "the BMC finds the request too short";
    /// The request has a length that the BMC does not accept.
    LENGTH_INVALID = 0xc7, "the BMC does not accept the length of the request";
    /// The request is longer than the BMC accepts.
    LENGTH_EXCEEDED = 0xc8, "the BMC finds the request too long";
    /// A parameter lies outside its range.
    OUT_OF_RANGE = 0xc9, "a parameter lies outside its range";
    /// The BMC cannot return as many bytes as were asked for.
    CANNOT_RETURN_LENGTH = 0xca, "the BMC cannot return as many bytes at once";
    /// There is no such sensor, record or data.
    NOT_PRESENT = 0xcb, "there is no such sensor, record or data";
    /// A field of the request is not allowed.
    INVALID_FIELD = 0xcc, "a field of the request is not allowed";
    /// The command is illegal for this sensor or record.
    ILLEGAL_FOR_SENSOR = 0xcd, "the command is not possible for this sensor or record";
    /// The answer could not be given.
    NO_RESPONSE = 0xce, "the BMC could not produce the answer";
    /// The same request was just carried out.
    DUPLICATE = 0xcf, "the BMC has just received the same request";
    /// The SDR repository is being changed.
    SDR_UPDATING = 0xd0, "the sensor records are being updated";
    /// The firmware is being changed.
    FIRMWARE_UPDATING = 0xd1, "the BMC's firmware is being updated";
    /// The BMC starts up.
    INITIALIZING = 0xd2, "the BMC is still starting";
    /// What the command is meant for is not there.
    DESTINATION_UNAVAILABLE = 0xd3, "what the command is meant for is not available";
    /// This user, or this session, may not do it.
    INSUFFICIENT_PRIVILEGE = 0xd4, "the user's privilege is not sufficient";
    /// Not possible in the present state.
    NOT_IN_PRESENT_STATE = 0xd5, "not possible in the present state";
    /// The firmware has this function switched off.
    DISABLED = 0xd6, "this function is disabled in the BMC";
    /// No reason is given.
    UNSPECIFIED = 0xff, "the BMC gives no reason";
}

impl Completion {
    /// Whether the command was carried out.
    #[must_use]
    pub const fn is_ok(self) -> bool {
        self.0 == Self::OK.0
    }

    /// Whether the same request may succeed a moment later.
    #[must_use]
    pub const fn is_temporary(self) -> bool {
        matches!(
            self,
            Self::NODE_BUSY
                | Self::TIMEOUT
                | Self::NO_RESPONSE
                | Self::DUPLICATE
                | Self::SDR_UPDATING
                | Self::INITIALIZING
        )
    }

    /// Whether the command may have been carried out although it was not reported as done: the BMC ran out of time, lost
    /// the answer, has seen the command before, or does not say what went wrong.
    #[must_use]
    pub const fn leaves_doubt(self) -> bool {
        matches!(self, Self::TIMEOUT | Self::NO_RESPONSE | Self::DUPLICATE | Self::UNSPECIFIED)
    }

    /// Whether the same request for fewer bytes may succeed. BMCs say it in many ways.
    #[must_use]
    pub const fn asks_for_less(self) -> bool {
        matches!(
            self,
            Self::CANNOT_RETURN_LENGTH
                | Self::LENGTH_INVALID
                | Self::LENGTH_EXCEEDED
                | Self::OUT_OF_RANGE
                | Self::INVALID_FIELD
                | Self::NO_RESPONSE
                | Self::UNSPECIFIED
        )
    }

    /// Whether the BMC does not have this command or function at all.
    #[must_use]
    pub const fn is_unsupported(self) -> bool {
        matches!(self, Self::INVALID_COMMAND | Self::INVALID_FOR_LUN | Self::DISABLED)
    }
}

impl fmt::Display for Completion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.meaning() {
            Some(meaning) => write!(f, "{meaning} (completion code {:02X}h)", self.0),
            None => write!(f, "completion code {:02X}h", self.0),
        }
    }
}

impl fmt::Debug for Completion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Completion({:#04x})", self.0)
    }
}
