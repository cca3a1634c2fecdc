//! The system event log (SEL) of a BMC: reading it, clearing it, and what its entries mean.
//!
//! * [`ReadSel`] fetches entries from the first, or behind one that is already known.
//! * [`SelEntry`] is one entry; [`SystemEvent`] has texts for what sensors report.
//! * [`EraseSel`] clears the log.
//!
//! Nothing here knows which sensors there are: whoever has their records gives their names, and how to understand their
//! readings.

mod detail;
mod entry;
mod erase;
mod event;
mod info;
mod read;
mod time;

pub use entry::{SelEntry, SelRecord};
pub use erase::EraseSel;
pub use event::{EventByte, Generator, SystemEvent};
pub use info::SelInfo;
pub use read::{ReadSel, SelPage, SelStart};
pub use time::{SelTime, When};

use crate::wire::Reader;
use crate::{Command, DecodeError, NetFn, Request};

/// Reserve SEL (IPMI 2.0 §31.4).
pub const RESERVE_SEL: u8 = 0x42;
/// Clear SEL (IPMI 2.0 §31.9).
pub const CLEAR_SEL: u8 = 0x47;

/// Get SEL Info (IPMI 2.0 §31.2). User privilege.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GetSelInfo;

impl Command for GetSelInfo {
    type Output = SelInfo;
    const NAME: &'static str = "Get SEL Info";

    fn request(&self) -> Request {
        Request::new(NetFn::STORAGE, 0x40, &[])
    }

    fn parse(&self, data: &[u8]) -> Result<SelInfo, DecodeError> {
        SelInfo::decode(data)
    }
}

/// Reserve SEL (IPMI 2.0 §31.4). The answer is the number of the reservation, which others take over by reserving, and
/// which ends when entries are deleted. User privilege.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReserveSel;

impl Command for ReserveSel {
    type Output = u16;
    const NAME: &'static str = "Reserve SEL";

    fn request(&self) -> Request {
        Request::new(NetFn::STORAGE, RESERVE_SEL, &[])
    }

    fn parse(&self, data: &[u8]) -> Result<u16, DecodeError> {
        Reader::new("a SEL reservation", data).u16()
    }
}

/// Get SEL Entry (IPMI 2.0 §31.5). User privilege.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GetSelEntry {
    /// Needed for parts of entries; zero for whole ones.
    pub reservation: u16,
    /// Which entry: [`GetSelEntry::FIRST`], [`GetSelEntry::LAST`], or the id of a record.
    pub record: u16,
    /// Where to begin within the entry.
    pub offset: u8,
    /// How many bytes to read, or [`GetSelEntry::WHOLE`].
    pub count: u8,
}

impl GetSelEntry {
    /// Asks for the first entry.
    pub const FIRST: u16 = 0x0000;
    /// Asks for the last entry; as the next record it says that there is none.
    pub const LAST: u16 = 0xffff;
    /// Asks for all bytes of the entry.
    pub const WHOLE: u8 = 0xff;
}

/// The answer to [`GetSelEntry`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelEntryPart {
    /// The id of the record that follows; [`GetSelEntry::LAST`] behind the last one.
    pub next: u16,
    /// The bytes that were read.
    pub data: Vec<u8>,
}

impl Command for GetSelEntry {
    type Output = SelEntryPart;
    const NAME: &'static str = "Get SEL Entry";

    fn request(&self) -> Request {
        let [reservation_low, reservation_high] = self.reservation.to_le_bytes();
        let [record_low, record_high] = self.record.to_le_bytes();
        let data = [reservation_low, reservation_high, record_low, record_high, self.offset, self.count];
        Request::new(NetFn::STORAGE, 0x43, &data)
    }

    fn parse(&self, data: &[u8]) -> Result<SelEntryPart, DecodeError> {
        let mut reader = Reader::new("a SEL entry", data);
        let next = reader.u16()?;
        let data = reader.rest();
        match u8::try_from(data.len()) {
            Ok(length) if length <= self.count => Ok(SelEntryPart { next, data: data.to_vec() }),
            _ => Err(reader.invalid("the number of bytes that were asked for", self.count.into())),
        }
    }
}

/// How far the erasure of the log is (IPMI 2.0 §31.9, table 31-9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Erasure {
    /// The BMC works on it.
    InProgress,
    /// The log is empty.
    Completed,
}

/// Clear SEL (IPMI 2.0 §31.9). Operator privilege. [`EraseSel`] does all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClearSel {
    /// The number of a reservation; zero if the BMC has none.
    pub reservation: u16,
    /// Whether to begin, or only to ask how far it is.
    pub initiate: bool,
}

impl Command for ClearSel {
    type Output = Erasure;
    const NAME: &'static str = "Clear SEL";

    fn request(&self) -> Request {
        let [low, high] = self.reservation.to_le_bytes();
        let operation = if self.initiate { 0xaa } else { 0x00 };
        Request::new(NetFn::STORAGE, CLEAR_SEL, &[low, high, b'C', b'L', b'R', operation])
    }

    fn parse(&self, data: &[u8]) -> Result<Erasure, DecodeError> {
        let mut reader = Reader::new("the progress of a SEL erasure", data);
        match reader.u8()? & 0x0f {
            0 => Ok(Erasure::InProgress),
            1 => Ok(Erasure::Completed),
            other => Err(reader.invalid("progress", other.into())),
        }
    }
}

/// Get SEL Time (IPMI 2.0 §31.10). User privilege.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GetSelTime;

impl Command for GetSelTime {
    type Output = SelTime;
    const NAME: &'static str = "Get SEL Time";

    fn request(&self) -> Request {
        Request::new(NetFn::STORAGE, 0x48, &[])
    }

    fn parse(&self, data: &[u8]) -> Result<SelTime, DecodeError> {
        Reader::new("a SEL time", data).u32().map(SelTime)
    }
}

/// Set SEL Time (IPMI 2.0 §31.11). Operator privilege.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SetSelTime(pub SelTime);

impl Command for SetSelTime {
    type Output = ();
    const NAME: &'static str = "Set SEL Time";

    fn request(&self) -> Request {
        Request::new(NetFn::STORAGE, 0x49, &self.0.0.to_le_bytes())
    }

    fn parse(&self, _: &[u8]) -> Result<(), DecodeError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn storage(command: u8, data: &[u8]) -> Request {
        Request::new(NetFn(0x0a), command, data)
    }

    #[test]
    fn requests_are_those_of_the_specification() {
        assert_eq!(GetSelInfo.request(), storage(0x40, &[]));
        assert_eq!(ReserveSel.request(), storage(0x42, &[]));
        let entry = GetSelEntry { reservation: 0x1234, record: 0x0002, offset: 8, count: 4 };
        assert_eq!(entry.request(), storage(0x43, &[0x34, 0x12, 0x02, 0x00, 8, 4]));
        let clear = ClearSel { reservation: 0x1234, initiate: true };
        assert_eq!(clear.request(), storage(0x47, &[0x34, 0x12, 0x43, 0x4c, 0x52, 0xaa]));
        let status = ClearSel { initiate: false, ..clear };
        assert_eq!(status.request(), storage(0x47, &[0x34, 0x12, 0x43, 0x4c, 0x52, 0x00]));
        assert_eq!(GetSelTime.request(), storage(0x48, &[]));
        assert_eq!(SetSelTime(SelTime(0x5f64_fbc0)).request(), storage(0x49, &[0xc0, 0xfb, 0x64, 0x5f]));
    }

    #[test]
    fn answers_are_read() {
        assert_eq!(ReserveSel.parse(&[0x34, 0x12]), Ok(0x1234));
        ReserveSel.parse(&[0x34]).unwrap_err();
        assert_eq!(GetSelTime.parse(&[0xc0, 0xfb, 0x64, 0x5f]), Ok(SelTime(0x5f64_fbc0)));
        let entry = GetSelEntry { reservation: 0, record: 0, offset: 0, count: 2 };
        assert_eq!(entry.parse(&[0x02, 0x00, 0x01, 0x00]), Ok(SelEntryPart { next: 2, data: vec![1, 0] }));
        let clear = ClearSel { reservation: 0, initiate: false };
        assert_eq!(clear.parse(&[0x10]), Ok(Erasure::InProgress));
        assert_eq!(clear.parse(&[0x01]), Ok(Erasure::Completed));
        clear.parse(&[0x02]).unwrap_err();
        clear.parse(&[]).unwrap_err();
    }
}
