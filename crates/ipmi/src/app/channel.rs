//! Channels: the ways by which a BMC can be reached (IPMI 2.0 §6.3 and §22.24).

use std::fmt;

use super::GET_CHANNEL_INFO;
use crate::wire::Reader;
use crate::{Command, DecodeError, NetFn, Request};

/// The channel number that means "the one on which this is asked" (IPMI 2.0 §6.3, table 6-1).
pub const CURRENT_CHANNEL: u8 = 0x0e;

/// What a channel runs over (IPMI 2.0 table 6-3). Seven bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Medium(pub u8);

impl Medium {
    /// An IPMB.
    pub const IPMB: Self = Self(0x01);
    /// A LAN.
    pub const LAN: Self = Self(0x04);
    /// A serial line or modem.
    pub const SERIAL: Self = Self(0x05);
    /// The system interface, by which the host's own software asks.
    pub const SYSTEM: Self = Self(0x0c);
}

impl fmt::Display for Medium {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            0x01 => "IPMB",
            0x02 => "ICMB 1.0",
            0x03 => "ICMB 0.9",
            0x04 => "802.3 LAN",
            0x05 => "serial or modem",
            0x06 => "other LAN",
            0x07 => "PCI SMBus",
            0x08 => "SMBus 1.0 or 1.1",
            0x09 => "SMBus 2.0",
            0x0a => "USB 1.x",
            0x0b => "USB 2.x",
            0x0c => "system interface",
            0x60..=0x7f => return write!(f, "OEM {:02X}h", self.0),
            _ => return write!(f, "medium {:02X}h", self.0),
        })
    }
}

/// How messages are framed on a channel (IPMI 2.0 table 6-2). Five bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Protocol(pub u8);

impl Protocol {
    /// Messages as on the IPMB, which is also how they travel over a LAN.
    pub const IPMB: Self = Self(0x01);
    /// The keyboard controller style system interface.
    pub const KCS: Self = Self(0x05);
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            0x01 => "IPMB 1.0",
            0x02 => "ICMB 1.0",
            0x04 => "SMBus",
            0x05 => "KCS",
            0x06 => "SMIC",
            0x07 => "BT 1.0",
            0x08 => "BT 1.5",
            0x09 => "terminal mode",
            0x1c..=0x1f => return write!(f, "OEM {:02X}h", self.0),
            _ => return write!(f, "protocol {:02X}h", self.0),
        })
    }
}

/// Whether a channel has sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SessionSupport {
    /// None.
    Sessionless = 0,
    /// One at a time.
    Single = 1,
    /// Several.
    Multiple = 2,
    /// One at a time or several, depending on the mode in which the channel is.
    Switchable = 3,
}

/// What a channel is (IPMI 2.0 §22.24, table 22-29).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChannelInfo {
    /// Its number, 0 to 15.
    pub number: u8,
    /// What it runs over.
    pub medium: Medium,
    /// How messages are framed.
    pub protocol: Protocol,
    /// Whether it has sessions.
    pub sessions: SessionSupport,
    /// How many sessions are open, 0 to 63.
    pub active_sessions: u8,
    /// Who defined the protocol: a private enterprise number, 7154 being that of IPMI itself.
    pub vendor: u32,
    /// Two more bytes whose meaning the medium decides.
    pub auxiliary: [u8; 2],
}

impl ChannelInfo {
    /// IPMI's own private enterprise number, the vendor of all protocols that IPMI defines.
    pub const IPMI_VENDOR: u32 = 7154;

    /// Reads the data of an answer.
    ///
    /// # Errors
    /// When they are fewer than nine bytes.
    pub fn decode(data: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new("channel info", data);
        let [number, medium, protocol, sessions] = reader.array()?;
        Ok(Self {
            number: number & 0x0f,
            medium: Medium(medium & 0x7f),
            protocol: Protocol(protocol & 0x1f),
            sessions: match sessions >> 6 {
                0 => SessionSupport::Sessionless,
                1 => SessionSupport::Single,
                2 => SessionSupport::Multiple,
                _ => SessionSupport::Switchable,
            },
            active_sessions: sessions & 0x3f,
            vendor: reader.u24()?,
            auxiliary: reader.array()?,
        })
    }

    /// The data of an answer. Numbers that are too large for their field lose their upper bits.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let [low, middle, high, _] = self.vendor.to_le_bytes();
        let [first, second] = self.auxiliary;
        vec![
            self.number & 0x0f,
            self.medium.0 & 0x7f,
            self.protocol.0 & 0x1f,
            (self.sessions as u8) << 6 | self.active_sessions & 0x3f,
            low,
            middle,
            high,
            first,
            second,
        ]
    }
}

/// Asks what a channel is.
#[derive(Debug, Clone, Copy)]
pub struct GetChannelInfo {
    /// Its number, 0 to 15; [`CURRENT_CHANNEL`] asks for the one that is in use.
    pub channel: u8,
}

impl Command for GetChannelInfo {
    type Output = ChannelInfo;

    const NAME: &'static str = "Get Channel Info";

    fn request(&self) -> Request {
        Request::new(NetFn::APP, GET_CHANNEL_INFO, &[self.channel & 0x0f])
    }

    fn parse(&self, data: &[u8]) -> Result<ChannelInfo, DecodeError> {
        ChannelInfo::decode(data)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What ipmi_sim answers; ipmitool shows "802.3 LAN, IPMB-1.0, multi-session, 1, 7154".
    #[test]
    fn the_simulators_channel_is_read() {
        let data = [0x01, 0x04, 0x01, 0x81, 0xf2, 0x1b, 0x00, 0x00, 0x00];
        let info = GetChannelInfo { channel: CURRENT_CHANNEL }.parse(&data).unwrap();
        assert_eq!(
            info,
            ChannelInfo {
                number: 1,
                medium: Medium::LAN,
                protocol: Protocol::IPMB,
                sessions: SessionSupport::Multiple,
                active_sessions: 1,
                vendor: ChannelInfo::IPMI_VENDOR,
                auxiliary: [0; 2],
            }
        );
        assert_eq!(info.encode(), data);
        assert_eq!(format!("{}, {}", info.medium, info.protocol), "802.3 LAN, IPMB 1.0");
    }

    #[test]
    fn the_question_is_that_of_the_specification() {
        assert_eq!(GetChannelInfo { channel: 0x0e }.request(), Request::new(NetFn(0x06), 0x42, &[0x0e]));
    }

    proptest! {
        #[test]
        fn what_is_decoded_comes_back_when_encoded(data: Vec<u8>) {
            if let Ok(info) = ChannelInfo::decode(&data) {
                prop_assert_eq!(ChannelInfo::decode(&info.encode()), Ok(info));
            }
        }
    }
}
