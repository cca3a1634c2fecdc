//! The event log (SEL) of an emulated BMC: records with ids and times, and its reservation. It knows the layout of a
//! record as far as ids and times go (IPMI 2.0 §32.1) and not what events mean.

use opendcre_ipmi::BMC_ADDRESS;

use super::reservation::Reservation;

/// The type of records with a time and an event (IPMI 2.0 table 32-1).
pub(super) const SYSTEM_EVENT: u8 = 0x02;
/// From this type on, records have no time (§32.1).
const FIRST_WITHOUT_TIME: u8 = 0xe0;
/// The generator: the BMC itself (§32.1, table 32-1).
const GENERATOR: [u8; 2] = [BMC_ADDRESS, 0];
/// The revision of event messages (§29.7).
const EVENT_REVISION: u8 = 0x04;

/// A record as it is sent.
pub(super) type Record = [u8; 16];

/// What an event says (IPMI 2.0 table 32-1, bytes 11 to 16).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Event {
    pub sensor_type: u8,
    pub sensor: u8,
    /// The event/reading type; bit 7 for the end of a state.
    pub kind: u8,
    pub data: [u8; 3],
}

/// The log.
#[derive(Debug)]
pub(super) struct EventLog {
    records: Vec<Record>,
    capacity: usize,
    last_id: u16,
    /// Events were lost because the log is full.
    pub has_overflown: bool,
    /// When a record was last added, and when the log was last cleared, in seconds since 1970; `u32::MAX` for never.
    pub added_at: u32,
    pub cleared_at: u32,
    pub reservation: Reservation,
}

impl EventLog {
    pub(super) const fn new(capacity: usize) -> Self {
        Self {
            records: Vec::new(),
            capacity,
            last_id: 0,
            has_overflown: false,
            added_at: u32::MAX,
            cleared_at: u32::MAX,
            reservation: Reservation::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    /// How many records there is room for.
    pub(super) fn free(&self) -> usize {
        self.capacity.saturating_sub(self.records.len())
    }

    /// Logs an event that the BMC has seen itself.
    pub(super) fn log(&mut self, event: Event, seconds: u32) {
        let Event { sensor_type, sensor, kind, data } = event;
        let [g, h] = GENERATOR;
        let [x, y, z] = data;
        let record =
            [0, 0, SYSTEM_EVENT, 0, 0, 0, 0, g, h, EVENT_REVISION, sensor_type, sensor, kind, x, y, z];
        self.add(record, seconds);
    }

    /// Adds a record with an id of its own, and the time if its type has one. Nothing when the log is full.
    pub(super) fn add(&mut self, mut record: Record, seconds: u32) -> Option<u16> {
        if self.free() == 0 {
            self.has_overflown = true;
            return None;
        }
        self.last_id = match self.last_id {
            // 0000h and FFFFh stand for the first and the last record.
            0xfffe => 1,
            id => id + 1,
        };
        let [i, j, kind, a, b, c, d, ..] = &mut record;
        [*i, *j] = self.last_id.to_le_bytes();
        if *kind < FIRST_WITHOUT_TIME {
            [*a, *b, *c, *d] = seconds.to_le_bytes();
        }
        self.records.push(record);
        self.added_at = seconds;
        Some(self.last_id)
    }

    /// The record with this id (0000h: the first, FFFFh: the last) and the id of the next (FFFFh: none).
    pub(super) fn get(&self, id: u16) -> Option<(Record, u16)> {
        let index = match id {
            0 => 0,
            0xffff => self.records.len().checked_sub(1)?,
            id => self.records.iter().position(|record| id_of(record) == id)?,
        };
        let next = self.records.get(index + 1).map_or(0xffff, id_of);
        self.records.get(index).map(|record| (*record, next))
    }

    /// Takes a record out; its id if it was there.
    pub(super) fn delete(&mut self, id: u16) -> Option<u16> {
        let (record, _) = self.get(id)?;
        self.records.retain(|other| *other != record);
        self.reservation.cancel();
        Some(id_of(&record))
    }

    /// Takes all records out.
    pub(super) fn clear(&mut self, seconds: u32) {
        self.records = Vec::new();
        self.has_overflown = false;
        self.cleared_at = seconds;
        self.reservation.cancel();
    }
}

const fn id_of(record: &Record) -> u16 {
    let [low, high, ..] = *record;
    u16::from_le_bytes([low, high])
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: Event = Event { sensor_type: 0x0c, sensor: 9, kind: 0x6f, data: [0xa0, 0xff, 1] };

    #[test]
    fn records_have_ids_times_and_successors() {
        let mut log = EventLog::new(16);
        assert_eq!(log.get(0), None);
        log.log(EVENT, 0x0403_0201);
        log.add([0xaa, 0xbb, 0xe0, 7, 7, 7, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0], 9);
        let (first, next) = log.get(0).unwrap();
        assert_eq!(first, [1, 0, 2, 1, 2, 3, 4, 0x20, 0, 4, 0x0c, 9, 0x6f, 0xa0, 0xff, 1]);
        assert_eq!(next, 2);
        let (last, end) = log.get(0xffff).unwrap();
        assert_eq!((last[..7].to_vec(), end), (vec![2, 0, 0xe0, 7, 7, 7, 7], 0xffff));
        assert_eq!(log.delete(0), Some(1));
        assert_eq!(log.get(1), None);
        assert_eq!(log.get(0).unwrap().0, last);
    }

    #[test]
    fn a_full_log_takes_no_more() {
        let mut log = EventLog::new(16);
        for second in 0..20 {
            log.log(EVENT, second);
        }
        assert_eq!((log.len(), log.free(), log.has_overflown), (16, 0, true));
        let reservation = log.reservation.take();
        log.clear(30);
        assert_eq!((log.len(), log.has_overflown, log.cleared_at), (0, false, 30));
        assert!(!log.reservation.holds(reservation));
    }
}
