//! Event logs with the habits of many BMCs, followed in virtual time.

use opendcre_ipmi::client::Failure;
use opendcre_ipmi::sel::GetSelEntry;
use opendcre_ipmi::{Completion, NetFn};
use opendcre_model::{Driver, Fault, Priority, Query, SERVER_LED, SERVER_SYSTEM};

use super::super::bench::{Bench, Script, context, ok, part, refusal};
use super::super::error::Problem;
use super::super::queue::{Job, Outcome};
use super::*;

const GET_SEL_INFO: u8 = 0x40;
const GET_SEL_ENTRY: u8 = 0x43;
const MAY: u32 = 1_777_593_600;

/// The log of a BMC.
#[derive(Debug, Clone)]
struct Log {
    entries: Vec<SelEntry>,
    capacity: usize,
    /// Removes its oldest entry when it is full; otherwise it takes no more.
    wraps: bool,
    /// Its ids always count from 1.
    renumbers: bool,
    /// It tells when something was added and removed.
    tells_times: bool,
    /// The last entry names the first one as the next.
    is_ring: bool,
    last_id: u16,
    added_at: u32,
    erased_at: u32,
    /// Of this entry it answers so.
    defect: Option<(u16, Completion)>,
    /// How many more commands it answers.
    patience: usize,
    commands: usize,
    now: u32,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            capacity: 512,
            wraps: false,
            renumbers: false,
            tells_times: true,
            is_ring: false,
            last_id: 0,
            added_at: u32::MAX,
            erased_at: u32::MAX,
            defect: None,
            patience: usize::MAX,
            commands: 0,
            now: MAY,
        }
    }
}

impl Log {
    /// Adds entries one after the other, a second apart; each says its number.
    fn add(&mut self, numbers: impl IntoIterator<Item = u32>) {
        for number in numbers {
            self.now += 1;
            if self.entries.len() == self.capacity {
                if !self.wraps {
                    continue;
                }
                self.entries.remove(0);
            }
            self.last_id = self.last_id % 0xfffe + 1;
            self.added_at = self.now;
            self.entries.push(SelEntry { id: self.last_id, record: numbered(number, SelTime(self.now)) });
            self.renumber();
        }
    }

    fn remove(&mut self, index: usize) {
        self.now += 1;
        self.entries.remove(index);
        self.erased_at = self.now;
        self.renumber();
    }

    fn clear(&mut self) {
        self.now += 1;
        self.entries.clear();
        self.last_id = 0;
        self.erased_at = self.now;
    }

    fn renumber(&mut self) {
        if self.renumbers {
            (1..).zip(&mut self.entries).for_each(|(id, entry)| entry.id = id);
            self.last_id = u16::try_from(self.entries.len()).unwrap();
        }
    }

    fn info(&self) -> Vec<u8> {
        let time = |time| SelTime(if self.tells_times { time } else { u32::MAX });
        let info = SelInfo {
            version: 0x51,
            entries: u16::try_from(self.entries.len()).unwrap(),
            free_bytes: u16::try_from(16 * (self.capacity - self.entries.len())).unwrap(),
            last_addition: time(self.added_at),
            last_erase: time(self.erased_at),
            overflow: self.entries.len() == self.capacity,
            can_delete: true,
            can_add_parts: false,
            can_reserve: true,
            has_allocation_info: false,
        };
        info.encode()
    }

    fn entry(&self, data: &[u8]) -> Outcome {
        let [_, _, low, high, 0, GetSelEntry::WHOLE] = *data else { panic!("{data:?}") };
        let id = u16::from_le_bytes([low, high]);
        if let Some((_, completion)) = self.defect.filter(|(defect, _)| *defect == id) {
            return refusal(completion);
        }
        let index = if id == 0 { Some(0) } else { self.entries.iter().position(|entry| entry.id == id) };
        let Some((index, entry)) = index.and_then(|index| Some((index, self.entries.get(index)?))) else {
            return refusal(Completion::NOT_PRESENT);
        };
        let first = if self.is_ring { self.entries[0].id } else { GetSelEntry::LAST };
        let next = self.entries.get(index + 1).map_or(first, |entry| entry.id);
        ok(&[&next.to_le_bytes()[..], &entry.encode()].concat())
    }
}

impl Script for Log {
    fn answer(&mut self, job: &Job) -> Outcome {
        assert_eq!(job.request.netfn, NetFn::STORAGE);
        if self.patience == 0 {
            return Err(Problem::Session(Failure::Silent { sent: true }));
        }
        self.patience -= 1;
        self.commands += 1;
        match job.request.command {
            GET_SEL_INFO => ok(&self.info()),
            GET_SEL_ENTRY => self.entry(&job.request.data),
            other => panic!("command {other:x}"),
        }
    }
}

fn numbered(number: u32, time: SelTime) -> SelRecord {
    let [a, b, c, d] = number.to_le_bytes();
    SelRecord::OemTimestamped { record_type: 0xc0, time, manufacturer: 1, data: [a, b, c, d, 0, 0] }
}

fn number(entry: &LogEntry) -> u32 {
    let [.., a, b, c, d, _, _] = entry.raw;
    u32::from_le_bytes([a, b, c, d])
}

/// Somebody who follows a log.
struct Reader {
    bench: Bench<Log>,
    cursor: LogCursor,
}

/// What came of following it to its end.
#[derive(Debug, Default, PartialEq)]
struct Told {
    numbers: Vec<u32>,
    was_cleared: bool,
    was_overwritten: bool,
}

fn told(numbers: impl IntoIterator<Item = u32>) -> Told {
    Told { numbers: numbers.into_iter().collect(), ..Told::default() }
}

impl Reader {
    fn new(log: Log) -> Self {
        Self { bench: Bench::new(log), cursor: LogCursor::default() }
    }

    fn log(&self) -> std::sync::MutexGuard<'_, Log> {
        self.bench.script()
    }

    async fn ask(&mut self) -> Result<EventLogPage, DriverError> {
        let query = Query::EventLog { device: part(SERVER_SYSTEM), after: self.cursor };
        match self.bench.bmcs.read(query, context(Priority::Poll)).await? {
            Observation::EventLog(page) => {
                assert!(page.entries.len() <= usize::from(MOST));
                self.cursor = page.cursor;
                Ok(*page)
            }
            other => panic!("{other:?}"),
        }
    }

    /// Asks until there is no more.
    async fn follow(&mut self) -> Told {
        let mut told = Told::default();
        for _ in 0..100 {
            let page = self.ask().await.unwrap();
            told.numbers.extend(page.entries.iter().map(number));
            told.was_cleared |= page.was_cleared;
            told.was_overwritten |= page.was_overwritten;
            if !page.more {
                return told;
            }
        }
        panic!("there is always more: {told:?}");
    }

    /// How many commands it costs to learn that there is nothing new.
    async fn idle_cost(&mut self) -> usize {
        let before = self.log().commands;
        assert_eq!(self.follow().await, Told::default());
        self.log().commands - before
    }
}

#[tokio::test(start_paused = true)]
async fn every_entry_is_told_once_in_parts() {
    let mut reader = Reader::new(Log::default());
    assert_eq!(reader.follow().await, Told::default());
    reader.log().add(0..150);
    let page = reader.ask().await.unwrap();
    assert_eq!(
        (page.entries.len(), page.more, page.used_percent, page.overflow),
        (64, true, Some(29), false)
    );
    assert_eq!(reader.follow().await, told(64..150));
    reader.log().add(150..153);
    assert_eq!(reader.follow().await, told(150..153));
    assert_eq!(reader.follow().await, Told::default());
}

#[tokio::test(start_paused = true)]
async fn nothing_new_costs_one_command() {
    let mut reader = Reader::new(Log::default());
    assert_eq!(reader.idle_cost().await, 1, "of an empty log");
    reader.log().add(0..100);
    reader.follow().await;
    assert_eq!(reader.idle_cost().await, 1);
    reader.log().clear();
    assert!(reader.follow().await.was_cleared);
    assert_eq!(reader.idle_cost().await, 1);

    let mut reader = Reader::new(Log { tells_times: false, ..Log::default() });
    reader.log().add(0..100);
    reader.follow().await;
    assert_eq!(reader.idle_cost().await, 2, "a look at the last entry");
}

#[tokio::test(start_paused = true)]
async fn one_new_entry_costs_three_commands() {
    let mut reader = Reader::new(Log::default());
    reader.log().add(0..10);
    reader.follow().await;
    let before = reader.log().commands;
    reader.log().add([10]);
    assert_eq!(reader.follow().await, told([10]));
    assert_eq!(reader.log().commands - before, 3);
}

#[tokio::test(start_paused = true)]
async fn a_cleared_log_is_noticed() {
    for tells_times in [true, false] {
        for after in [0..0, 10..11, 10..30, 10..200] {
            let mut reader = Reader::new(Log { tells_times, ..Log::default() });
            reader.log().add(0..20);
            reader.follow().await;
            reader.log().clear();
            reader.log().add(after.clone());
            let expected = Told { was_cleared: true, ..told(after.clone()) };
            // A log that has grown beyond what it was and tells no times looks as if it had overwritten its entries.
            let looks_overwritten = !tells_times && after.len() >= 20;
            let expected = match looks_overwritten {
                true => Told { was_cleared: false, was_overwritten: true, ..expected },
                false => expected,
            };
            assert_eq!(reader.follow().await, expected, "{tells_times} {after:?}");
            assert_eq!(reader.follow().await, Told::default());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_log_that_was_cleared_while_it_was_known_to_be_empty_may_have_had_entries() {
    let mut reader = Reader::new(Log::default());
    reader.log().clear();
    assert_eq!(reader.follow().await, Told::default(), "the first look has nothing to compare");
    reader.log().add(0..3);
    reader.log().clear();
    assert_eq!(reader.follow().await, Told { was_cleared: true, ..Told::default() });
    assert_eq!(reader.follow().await, Told::default());
}

#[tokio::test(start_paused = true)]
async fn a_log_that_overwrites_its_oldest_entries_is_followed() {
    for renumbers in [false, true] {
        let mut reader = Reader::new(Log { capacity: 100, wraps: true, renumbers, ..Log::default() });
        reader.log().add(0..100);
        reader.follow().await;
        reader.log().add(100..103);
        assert_eq!(reader.follow().await, told(100..103), "{renumbers}");
        reader.log().add(103..198);
        assert_eq!(reader.follow().await, told(103..198), "{renumbers}");
        reader.log().add(198..400);
        assert_eq!(reader.follow().await, Told { was_overwritten: true, ..told(300..400) }, "{renumbers}");
        assert_eq!(reader.follow().await, Told::default());
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_log_that_takes_no_more_says_so() {
    let mut reader = Reader::new(Log { capacity: 10, ..Log::default() });
    reader.log().add(0..20);
    let page = reader.ask().await.unwrap();
    assert_eq!((page.entries.len(), page.used_percent, page.overflow), (10, Some(100), true));
}

#[tokio::test(start_paused = true)]
async fn single_entries_that_are_deleted_let_nothing_be_told_again() {
    for renumbers in [false, true] {
        for deleted in [0, 50, 98, 99, 129] {
            let mut reader = Reader::new(Log { renumbers, ..Log::default() });
            reader.log().add(0..130);
            reader.follow().await;
            reader.log().remove(deleted);
            assert_eq!(reader.follow().await, Told::default(), "{deleted} {renumbers}");
            reader.log().add([130]);
            assert_eq!(reader.follow().await, told([130]), "{deleted} {renumbers}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_log_that_is_cleared_while_it_is_searched_is_told_from_its_beginning() {
    let mut reader = Reader::new(Log { renumbers: true, ..Log::default() });
    reader.log().add(0..200);
    reader.follow().await;
    reader.log().remove(7);
    let page = reader.ask().await.unwrap();
    assert_eq!((page.entries.len(), page.more, page.cursor.place), (0, true, LogPlace::Erased));
    reader.log().clear();
    reader.log().add(300..303);
    assert_eq!(reader.follow().await, Told { was_cleared: true, ..told(300..303) });
}

#[tokio::test(start_paused = true)]
async fn a_list_that_leads_back_to_its_beginning_ends() {
    let mut reader = Reader::new(Log { is_ring: true, ..Log::default() });
    reader.log().add(0..100);
    let told = reader.follow().await.numbers;
    assert!(told.iter().copied().take(100).eq(0..100) && told.len() <= 256, "{told:?}");
    assert_eq!(reader.idle_cost().await, 1);
}

#[tokio::test(start_paused = true)]
async fn an_entry_that_cannot_be_read_is_tried_again() {
    for completion in [Completion::NOT_PRESENT, Completion::NOT_IN_PRESENT_STATE] {
        let mut reader = Reader::new(Log { defect: Some((3, completion)), ..Log::default() });
        reader.log().add(0..5);
        assert_eq!(reader.follow().await, told(0..2));
        assert!(reader.ask().await.is_err());
        reader.log().defect = None;
        assert_eq!(reader.follow().await, told(2..5));
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_bmc_has_given_before_it_fell_silent_is_told() {
    let mut reader = Reader::new(Log { patience: 20, ..Log::default() });
    reader.log().add(0..50);
    let page = reader.ask().await.unwrap();
    assert_eq!((page.entries.len(), page.more), (19, true));
    assert_eq!(reader.ask().await.unwrap_err().fault, Fault::Timeout);
    reader.log().patience = usize::MAX;
    assert_eq!(reader.follow().await, told(19..50));
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_jumps_does_not_break_the_order() {
    let mut reader = Reader::new(Log::default());
    reader.log().add(0..3);
    reader.follow().await;
    for now in [5, 2_000_000_000, 7] {
        reader.log().now = now;
        reader.log().add([now]);
        assert_eq!(reader.follow().await, told([now]));
    }
}

#[tokio::test(start_paused = true)]
async fn only_the_server_keeps_a_log_and_some_keep_none() {
    struct WithoutLog;

    impl Script for WithoutLog {
        fn answer(&mut self, _: &Job) -> Outcome {
            refusal(Completion::INVALID_COMMAND)
        }
    }

    let bench = Bench::new(WithoutLog);
    let ask = async |device| {
        let query = Query::EventLog { device: part(device), after: LogCursor::default() };
        bench.bmcs.read(query, context(Priority::Poll)).await.unwrap_err()
    };
    assert_eq!(ask(SERVER_SYSTEM).await.fault, Fault::Unsupported);
    assert_eq!(ask(SERVER_LED).await.code, "unknown_device");
}

#[test]
fn an_entry_is_a_sentence_with_time_and_severity() {
    let read = |bytes: [u8; 16]| log_entry(&SelEntry::decode(&bytes).unwrap(), None);
    let hot = read([1, 0, 2, 0x40, 0x96, 0xf4, 0x69, 0x20, 0, 4, 1, 4, 1, 0x59, 0xb5, 0xb4]);
    let text = "Temperature, sensor 04h: upper critical, going high, reading B5h, threshold B4h";
    assert_eq!((hot.id, hot.message.as_str(), hot.severity, hot.asserted), (1, text, Health::Critical, true));
    assert_eq!(hot.time, "2026-05-01T12:02:08Z".parse().ok());
    let cool = read([2, 0, 2, 0x2a, 0, 0, 0, 0x20, 0, 4, 1, 4, 0x81, 0x59, 0xb0, 0xb4]);
    assert_eq!((cool.severity, cool.asserted), (Health::Ok, false));
    assert_eq!(cool.time, None, "42 seconds after the start of the BMC");
    let oem = [3, 0, 0xe0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13];
    assert_eq!((read(oem).time, read(oem).severity, read(oem).raw), (None, Health::Ok, oem));
    assert_eq!(read(oem).message, "OEM record E0h: 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d");
}

/// Lets things happen to a log between two questions, which the bits of `seed` choose, and follows it.
async fn live(seed: u64) {
    let mut random = (1..).map(|step: u64| (seed + step).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40);
    let mut choose = |count: usize| usize::try_from(random.next().unwrap()).unwrap() % count;
    let (wraps, renumbers, tells_times) = (choose(2) == 0, choose(2) == 0, choose(2) == 0);
    let mut reader = Reader::new(Log { capacity: 150, wraps, renumbers, tells_times, ..Log::default() });
    let (mut all, mut next) = (Vec::new(), 0);
    for _ in 0..12 {
        let length = reader.log().entries.len();
        match choose(7) {
            0 => reader.log().clear(),
            1 if length > 0 => reader.log().remove(choose(length)),
            _ => {
                let end = next + u32::try_from(choose(100)).unwrap();
                reader.log().add(next..end);
                next = end;
            }
        }
        all.extend(reader.follow().await.numbers);
    }
    assert!(all.is_sorted_by(|before, after| before < after), "seed {seed}: {all:?}");
    let log = reader.log();
    let stored = log.entries.iter().map(|entry| number(&log_entry(entry, None)));
    stored.for_each(|number| assert!(all.contains(&number), "seed {seed}: {number}"));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_told_twice_and_nothing_is_left_out() {
    for seed in 0..300 {
        live(seed * 1000).await;
    }
}
