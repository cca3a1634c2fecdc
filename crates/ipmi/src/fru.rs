//! FRU inventory: who made a chassis, a board and a product, and their numbers.
//!
//! * [`ReadFru`] fetches the used part of a FRU device, whatever sizes its BMC can bear.
//! * [`FruInventory`] is what the bytes say; damage costs only the area it is in, and is reported.
//!
//! "FRU" in comments means the *Platform Management FRU Information Storage Definition* 1.0, revision 1.3. Nothing here
//! knows which FRU devices exist: device 0 belongs to the BMC, others are named by sensor records. Every command is
//! allowed with user privilege.

mod chassis_type;
mod encode;
mod inventory;
mod layout;
mod read;
mod record;
mod text;

pub use chassis_type::ChassisType;
pub use encode::FruEncodeError;
pub use inventory::{BoardInfo, ChassisInfo, FruInventory, FruPart, FruProblem, ProductInfo};
pub use read::{FruContents, ReadFru};
pub use record::MultiRecord;
pub use text::Language;

use crate::wire::Reader;
use crate::{Command, DecodeError, NetFn, Request};

/// How the contents of a FRU device are addressed (IPMI 2.0 §34.1, table 34-2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FruAccess {
    /// Offsets and counts are bytes.
    Bytes,
    /// Offsets and counts are words of two bytes.
    Words,
}

impl FruAccess {
    /// How many bytes one unit of offsets and counts is.
    #[must_use]
    pub const fn unit(self) -> u8 {
        match self {
            Self::Bytes => 1,
            Self::Words => 2,
        }
    }
}

/// The size of a FRU device (IPMI 2.0 §34.1, table 34-2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FruInventoryArea {
    /// All its bytes, used or not.
    pub size: u16,
    /// How it is addressed.
    pub access: FruAccess,
}

impl FruInventoryArea {
    const NAME: &'static str = "a FRU inventory area";

    /// Reads the data of an answer to Get FRU Inventory Area Info.
    ///
    /// # Errors
    /// When there are too few.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(Self::NAME, bytes);
        let size = reader.u16()?;
        let access = if reader.u8()? & 1 == 0 { FruAccess::Bytes } else { FruAccess::Words };
        Ok(Self { size, access })
    }

    /// The data of such an answer.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let [low, high] = self.size.to_le_bytes();
        vec![low, high, self.access.unit() - 1]
    }
}

/// Get FRU Inventory Area Info (IPMI 2.0 §34.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GetFruInventoryArea {
    /// The FRU device.
    pub device: u8,
}

impl Command for GetFruInventoryArea {
    type Output = FruInventoryArea;
    const NAME: &'static str = "Get FRU Inventory Area Info";

    fn request(&self) -> Request {
        Request::new(NetFn::STORAGE, 0x10, &[self.device])
    }

    fn parse(&self, data: &[u8]) -> Result<FruInventoryArea, DecodeError> {
        FruInventoryArea::decode(data)
    }
}

/// Read FRU Data (IPMI 2.0 §34.2). The answer has the bytes that were read, which may be fewer than asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadFruData {
    /// The FRU device.
    pub device: u8,
    /// What the next two fields count.
    pub access: FruAccess,
    /// Where to begin, in units of `access`.
    pub offset: u16,
    /// How much to read, in units of `access`.
    pub count: u8,
}

impl Command for ReadFruData {
    type Output = Vec<u8>;
    const NAME: &'static str = "Read FRU Data";

    fn request(&self) -> Request {
        let [low, high] = self.offset.to_le_bytes();
        Request::new(NetFn::STORAGE, 0x11, &[self.device, low, high, self.count])
    }

    fn parse(&self, data: &[u8]) -> Result<Vec<u8>, DecodeError> {
        let mut reader = Reader::new("FRU data", data);
        let count = reader.u8()?;
        if count > self.count {
            return Err(reader.invalid("the number of bytes or words that were read", count.into()));
        }
        let length = usize::from(count) * usize::from(self.access.unit());
        Ok(reader.take(length)?.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_area_is_asked_for_and_read() {
        let command = GetFruInventoryArea { device: 3 };
        assert_eq!(command.request(), Request::new(NetFn(0x0a), 0x10, &[3]));
        let area = FruInventoryArea { size: 512, access: FruAccess::Bytes };
        assert_eq!(command.parse(&[0x00, 0x02, 0x00]), Ok(area));
        assert_eq!(area.encode(), [0x00, 0x02, 0x00]);
        let words = FruInventoryArea { size: 0xffff, access: FruAccess::Words };
        assert_eq!(command.parse(&words.encode()), Ok(words));
        command.parse(&[0x00, 0x02]).unwrap_err();
    }

    #[test]
    fn data_come_with_their_count() {
        let command = ReadFruData { device: 0, access: FruAccess::Bytes, offset: 0x0120, count: 4 };
        assert_eq!(command.request(), Request::new(NetFn(0x0a), 0x11, &[0, 0x20, 0x01, 4]));
        assert_eq!(command.parse(&[4, 1, 2, 3, 4]), Ok(vec![1, 2, 3, 4]));
        assert_eq!(command.parse(&[2, 1, 2]), Ok(vec![1, 2]));
        command.parse(&[4, 1, 2, 3]).unwrap_err();
        command.parse(&[5, 1, 2, 3, 4, 5]).unwrap_err();
        command.parse(&[]).unwrap_err();
    }

    #[test]
    fn words_are_two_bytes() {
        let command = ReadFruData { device: 0, access: FruAccess::Words, offset: 1, count: 2 };
        assert_eq!(command.parse(&[2, 1, 2, 3, 4]), Ok(vec![1, 2, 3, 4]));
        command.parse(&[2, 1, 2]).unwrap_err();
    }
}
