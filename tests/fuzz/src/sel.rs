//! Any bytes as an entry of the event log, and reading and clearing logs that answer as they like.
//!
//! The promises: an entry encodes back to its bytes and has a text; reading ends, with no more entries than were
//! wanted; clearing ends.

use arbitrary::{Arbitrary, Unstructured};
use opendcre_ipmi::Request;
use opendcre_ipmi::sel::{EraseSel, ReadSel, SelEntry, SelInfo, SelRecord, SelStart, SelTime};

use crate::hostile::{Count, Hostility};
use crate::is_printable;

/// An entry comes in parts of one byte at least, after the size of the parts was halved a few times.
const MAX_REQUESTS_PER_ENTRY: usize = 32;
/// Reservations and questions whether it is done, each with a bound of its own.
const MAX_REQUESTS_TO_ERASE: usize = 300;

/// Takes the bytes as an entry, as the state of a log, and as a log.
pub fn sel(data: &[u8]) {
    if let Ok(entry) = SelEntry::decode(data) {
        assert_eq!(entry.encode(), data.get(..SelEntry::LENGTH).unwrap_or_default());
        check(&entry);
    }
    if let Ok(info) = SelInfo::decode(data) {
        assert_eq!(SelInfo::decode(&info.encode()), Ok(info));
        assert!(info.used_percent().is_none_or(|percent| percent <= 100));
    }
    if let Ok(log) = Log::arbitrary_take_rest(Unstructured::new(data)) {
        log.read();
        let erased =
            log.hostility.drive(EraseSel::new(), MAX_REQUESTS_TO_ERASE, |request| log.answer(request));
        erased.err().iter().for_each(|error| assert!(is_printable(&error.to_string())));
    }
}

fn check(entry: &SelEntry) {
    let text = entry.record.to_string();
    assert!(!text.is_empty() && is_printable(&text), "{text:?}");
    entry.record.time().iter().for_each(|time| assert!(!time.to_string().is_empty()));
    if let SelRecord::Event(event) = &entry.record {
        assert!(!event.generator.to_string().is_empty());
        assert!(event.details().iter().all(|detail| text.contains(detail)));
    }
}

#[derive(Debug, Arbitrary)]
struct Log {
    after: Option<u16>,
    limit: u16,
    hostility: Hostility,
    can_reserve: bool,
    count: Count,
    /// What the last entry names as the next.
    end: u16,
    entries: Vec<[u8; 13]>,
    is_erased: bool,
}

impl Log {
    fn read(&self) {
        let start = self.after.map_or(SelStart::First, SelStart::After);
        let limit = self.limit & 0x01ff;
        // One more is read to find the place where to begin.
        let most = self.hostility.length() + (usize::from(limit) + 3) * MAX_REQUESTS_PER_ENTRY;
        let read = self.hostility.drive(ReadSel::new(start, limit), most, |request| self.answer(request));
        if let Ok(page) = read {
            assert!(page.entries.len() <= usize::from(limit.max(1)));
            page.entries.iter().for_each(check);
        }
    }

    fn answer(&self, request: &Request) -> Vec<u8> {
        match (request.command, request.data.as_slice()) {
            (0x40, _) => self.info().encode(),
            (0x42, _) => vec![1, 0],
            (0x43, [_, _, low, high, offset, count]) => {
                self.part(u16::from_le_bytes([*low, *high]), (*offset).into(), (*count).into())
            }
            (0x47, _) => vec![u8::from(self.is_erased)],
            _ => Vec::new(),
        }
    }

    fn info(&self) -> SelInfo {
        SelInfo {
            version: 0x51,
            entries: self.count.number(),
            free_bytes: 0,
            last_addition: SelTime(0),
            last_erase: SelTime(0),
            overflow: false,
            can_delete: false,
            can_add_parts: false,
            can_reserve: self.can_reserve,
            has_allocation_info: false,
        }
    }

    fn part(&self, id: u16, offset: usize, count: usize) -> Vec<u8> {
        let next = id.checked_add(1).filter(|next| *next < self.count.number()).unwrap_or(self.end);
        let index = usize::from(id).checked_rem(self.entries.len());
        let body = index.and_then(|index| self.entries.get(index)).copied().unwrap_or_default();
        let entry = id.to_le_bytes().into_iter().chain([0x02]).chain(body);
        next.to_le_bytes().into_iter().chain(entry.skip(offset).take(count)).collect()
    }
}
