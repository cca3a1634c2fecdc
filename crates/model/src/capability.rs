//! What can be asked of a device.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Something that can be asked of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Capability {
    /// Its value can be read.
    Reading,
    /// Its power state can be read.
    PowerState,
    /// Its power can be switched.
    PowerControl,
    /// It holds a free asset text that can be read.
    AssetText,
    /// Another free asset text can be stored in it.
    AssetTextControl,
    /// It holds asset information in fields.
    AssetInfo,
    /// From where the server boots can be read and set.
    BootTarget,
    /// It knows the host names and addresses of the server.
    HostInfo,
    /// It is a lamp that can be read and switched.
    Led,
    /// It is a lamp with colour and blinking, which racks share.
    ChamberLed,
    /// Its speed can be set.
    FanControl,
    /// It can show which server it is.
    Identify,
    /// It keeps an event log that can be read.
    EventLog,
}

impl Capability {
    /// Every capability.
    pub const ALL: [Self; 13] = [
        Self::Reading,
        Self::PowerState,
        Self::PowerControl,
        Self::AssetText,
        Self::AssetTextControl,
        Self::AssetInfo,
        Self::BootTarget,
        Self::HostInfo,
        Self::Led,
        Self::ChamberLed,
        Self::FanControl,
        Self::Identify,
        Self::EventLog,
    ];

    const fn bit(self) -> u16 {
        1 << self as u16
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// A set of capabilities. In JSON a list of their names.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Capabilities(u16);

impl Capabilities {
    /// No capability.
    pub const NONE: Self = Self(0);

    /// The set of `capabilities`.
    #[must_use]
    pub const fn of(capabilities: &[Capability]) -> Self {
        let mut bits = 0;
        let mut rest = capabilities;
        while let [first, others @ ..] = rest {
            bits |= first.bit();
            rest = others;
        }
        Self(bits)
    }

    /// Whether `capability` is in the set.
    #[must_use]
    pub const fn has(self, capability: Capability) -> bool {
        self.0 & capability.bit() != 0
    }

    /// The capabilities of the set.
    pub fn iter(self) -> impl Iterator<Item = Capability> {
        Capability::ALL.into_iter().filter(move |capability| self.has(*capability))
    }
}

impl fmt::Debug for Capabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl Serialize for Capabilities {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for Capabilities {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::of(&Vec::<Capability>::deserialize(deserializer)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_a_list_of_names() {
        let set = Capabilities::of(&[Capability::FanControl, Capability::Reading]);
        assert!(set.has(Capability::Reading) && !set.has(Capability::Led));
        let json = serde_json::to_string(&set).unwrap();
        assert_eq!(json, r#"["reading","fan_control"]"#);
        assert_eq!(serde_json::from_str::<Capabilities>(&json).unwrap(), set);
        assert_eq!(Capabilities::of(&Capability::ALL).iter().count(), Capability::ALL.len());
        assert_eq!(Capability::AssetTextControl.to_string(), "asset_text_control");
    }
}
