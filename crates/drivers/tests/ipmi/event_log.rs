//! The event log of an emulated server, followed over real sockets.

use std::collections::BTreeSet;

use opendcre_drivers::ipmi::Settings;
use opendcre_emulator::bmc::{ChassisAction, Defects, Handle, Pin};
use opendcre_model::{
    Action, DeviceId, Driver, DriverError, EventLogPage, Fault, Health, LogCursor, LogEntry, LogSensor,
    Observation, Priority, Query, SERVER_SYSTEM,
};

use super::support::{Served, access, context, emulate, eventually, impatient, operator, part, suite};

/// Somebody who follows the log of the first BMC.
struct Reader<'a> {
    bmcs: &'a Served,
    cursor: LogCursor,
}

impl<'a> Reader<'a> {
    fn new(bmcs: &'a Served) -> Self {
        Self { bmcs, cursor: LogCursor::default() }
    }

    async fn ask(&mut self) -> Result<EventLogPage, DriverError> {
        let query = Query::EventLog { device: part(1, SERVER_SYSTEM), after: self.cursor };
        match self.bmcs.read(query, context(Priority::Poll)).await? {
            Observation::EventLog(page) => {
                self.cursor = page.cursor;
                Ok(*page)
            }
            other => panic!("{other:?}"),
        }
    }

    /// What is new in a log that has lost nothing.
    async fn news(&mut self) -> Vec<LogEntry> {
        let page = self.ask().await.unwrap();
        assert!(!page.more && !page.was_cleared && !page.was_overwritten, "{page:?}");
        page.entries
    }
}

fn texts(entries: &[LogEntry]) -> Vec<(&str, Health, bool)> {
    entries.iter().map(|entry| (entry.message.as_str(), entry.severity, entry.asserted)).collect()
}

fn commands(emulated: &Handle) -> u64 {
    emulated.bmcs().with(0, |bmc, _| bmc.counters().commands).unwrap()
}

fn pin(emulated: &Handle, sensor: &str, pin: Option<Pin>) {
    assert_eq!(emulated.bmcs().with(0, |bmc, _| bmc.pin(sensor, pin)), Some(true), "{sensor}");
}

#[tokio::test]
async fn what_happens_to_a_server_is_told_once_and_in_words() {
    let emulated = emulate(1, |_| {});
    let bmcs =
        Served::open(emulated.bmcs().addresses(), &access("user", "user", suite(3)), Settings::default());
    bmcs.board(1).await.unwrap();
    let mut reader = Reader::new(&bmcs);
    let beginning = reader.news().await;
    let [on, boot] = beginning.as_slice() else { panic!("{beginning:?}") };
    assert_eq!(on.message, "System ACPI Power State, sensor F0h: S0/G0: working");
    assert!(boot.message.starts_with("System Boot/Restart Initiated, sensor F0h: "), "{boot:?}");
    assert!(on.time.is_some() && on.sensor.is_none());

    pin(&emulated, "CPU1 Temp", Some(Pin::Value(96.0)));
    let hot = reader.news().await;
    let text = |threshold| format!("Temperature, CPU1 Temp: upper {threshold} C");
    assert_eq!(
        texts(&hot),
        [
            (text("non-critical, going high, reading 96 C, threshold 88").as_str(), Health::Warning, true),
            (text("critical, going high, reading 96 C, threshold 95").as_str(), Health::Critical, true),
        ]
    );
    let sensor = LogSensor { device: DeviceId(1), name: "CPU1 Temp".to_owned() };
    assert!(hot.iter().all(|entry| entry.sensor.as_ref() == Some(&sensor)));

    pin(&emulated, "CPU1 Temp", Some(Pin::Value(40.0)));
    let cool = reader.news().await;
    assert!(cool.iter().all(|entry| !entry.asserted && entry.severity == Health::Ok), "{cool:?}");
    assert!(cool.iter().all(|entry| entry.message.ends_with("(ended)")) && cool.len() == 2, "{cool:?}");

    let press = |action| emulated.bmcs().with(0, |bmc, now| bmc.control(action, now)).unwrap();
    assert!(press(ChassisAction::HardReset) && press(ChassisAction::PowerDown));
    let power = reader.news().await;
    assert_eq!(power.len(), 2, "{power:?}");
    assert!(power[1].message.contains("soft off") || power[1].message.contains("S5"), "{power:?}");

    let before = commands(&emulated);
    assert_eq!(reader.news().await, []);
    assert_eq!(commands(&emulated) - before, 1, "nothing new costs one command");
    bmcs.stop().await;
}

#[tokio::test]
async fn a_log_that_is_cleared_says_so_and_goes_on() {
    let emulated = emulate(1, |config| config.machine.event_log_capacity = 16);
    let bmcs = Served::open(emulated.bmcs().addresses(), &operator(), Settings::default());
    let mut reader = Reader::new(&bmcs);
    reader.news().await;
    for _ in 0..10 {
        pin(&emulated, "CPU1 Temp", Some(Pin::Value(96.0)));
        reader.ask().await.unwrap();
        pin(&emulated, "CPU1 Temp", Some(Pin::Value(40.0)));
        reader.ask().await.unwrap();
    }
    let full = reader.ask().await.unwrap();
    assert_eq!((full.used_percent, full.overflow, full.entries.len()), (Some(100), true, 0));
    let device = part(1, SERVER_SYSTEM);
    let cleared = bmcs.perform(Action::ClearEventLog { device }, context(Priority::Control)).await;
    assert_eq!(cleared, Ok(Observation::Done));
    let page = reader.ask().await.unwrap();
    assert!(page.was_cleared && !page.overflow && page.used_percent < Some(20), "{page:?}");
    assert_eq!(page.entries[0].message, "Event Logging Disabled, sensor F0h: log area reset or cleared");
    assert_eq!(reader.news().await, []);
    bmcs.stop().await;
}

#[tokio::test]
async fn an_entry_that_cannot_be_read_is_left_out_when_that_is_wanted() {
    let emulated = emulate(1, |_| {});
    let bmcs = Served::open(emulated.bmcs().addresses(), &operator(), Settings::default());
    let mut reader = Reader::new(&bmcs);
    let beginning = reader.news().await;
    let unreadable = beginning.last().unwrap().id + 1;
    let defects = Defects { unreadable_entry: Some(unreadable), ..Defects::default() };
    emulated.bmcs().with(0, |bmc, _| bmc.set_defects(defects));
    pin(&emulated, "CPU1 Temp", Some(Pin::Value(96.0)));
    for _ in 0..2 {
        let failure = reader.ask().await.unwrap_err();
        assert_eq!(failure.fault, Fault::Refused, "{failure}");
    }
    reader.cursor.leaves_out = true;
    let page = reader.ask().await.unwrap();
    assert_eq!(page.unreadable.iter().map(|entry| entry.id).collect::<Vec<_>>(), [unreadable]);
    assert!(page.unreadable[0].reason.contains("Get SEL Entry"), "{page:?}");
    assert_eq!(page.entries.iter().map(|entry| entry.id).collect::<Vec<_>>(), [unreadable + 1]);
    assert!(!page.cursor.leaves_out && !page.was_cleared && !page.was_overwritten, "{page:?}");
    // What follows is read as ever.
    pin(&emulated, "CPU1 Temp", Some(Pin::Value(40.0)));
    assert_eq!(reader.news().await.len(), 2);
    bmcs.stop().await;
}

#[tokio::test]
async fn bad_lines_tell_nothing_twice() {
    let emulated = emulate(1, |config| {
        let faults = &mut config.faults;
        (faults.loss, faults.duplicate, faults.reorder) = (0.1, 0.1, 0.1);
        (faults.corrupt, faults.busy, faults.session_loss) = (0.02, 0.05, 0.02);
    });
    let bmcs = Served::open(emulated.bmcs().addresses(), &operator(), impatient());
    let mut reader = Reader::new(&bmcs);
    let mut told: Vec<u16> = Vec::new();
    let mut follow = async |told: &mut Vec<u16>| {
        if let Ok(page) = reader.ask().await {
            assert!(!page.was_cleared && !page.was_overwritten, "{page:?}");
            told.extend(page.entries.iter().map(|entry| entry.id));
        }
    };
    for value in [96.0, 40.0].into_iter().cycle().take(20) {
        pin(&emulated, "CPU1 Temp", Some(Pin::Value(value)));
        follow(&mut told).await;
    }
    let logged = || emulated.bmcs().with(0, |bmc, now| bmc.events(now)).unwrap();
    eventually("every entry is told", async || {
        follow(&mut told).await;
        told.len() >= logged()
    })
    .await;
    let distinct: BTreeSet<u16> = told.iter().copied().collect();
    assert!(told.is_sorted() && distinct.len() == told.len(), "{told:?}");
    bmcs.stop().await;
}
