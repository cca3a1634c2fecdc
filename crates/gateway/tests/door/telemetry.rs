//! What becomes of an answer of the equipment: values, their history, health, and events.

use std::sync::Arc;
use std::time::Duration;

use opendcre_gateway::{
    AuditLog, Command, Equipment, EventFilter, EventKind, EventLog, EventSettings, Gateway, History,
    HistoryQuery, HistorySettings, Mount, Policy, Records, Settings, Severity, Store, Threshold, Thresholds,
};
use opendcre_model::{
    BoardId, DeviceAddress, DeviceId, DeviceKind, Health, Quantity, Query, Scope, WallClock,
};
use tempfile::TempDir;

use crate::poll::Sensors;
use crate::support::{FixedClock, somebody};

const SENSOR: DeviceAddress = DeviceAddress { board: BoardId(1), device: DeviceId(1) };

/// A gateway over two boards with a sensor at 21 °C, which is more than is normal.
fn gateway(folder: &TempDir) -> Gateway {
    let file = |name: &str| folder.path().join(name);
    let clock: Arc<dyn WallClock> = Arc::new(FixedClock);
    let (history, _) =
        History::open(file("history.db"), HistorySettings::default(), Arc::clone(&clock)).unwrap();
    let (events, _) =
        EventLog::open(file("events.db"), EventSettings::default(), Arc::clone(&clock)).unwrap();
    let audit = AuditLog::open(file("audit.db"), Arc::clone(&clock)).unwrap();
    let (store, stored, _) = Store::open(file("inventory.db")).unwrap();
    let store = Some((store, stored));
    let records = Records { audit, store, history: Some(history), events: Some(events) };
    let warm = Threshold { warning_above: Some(20.0), ..Threshold::new(Quantity::TemperatureCelsius) };
    let mount = Mount {
        driver: Sensors::new(2, 1, false),
        boards: BoardId(1)..=BoardId(0xff),
        rack: "rack_1".to_owned(),
        annotations: Vec::new(),
        max_changes: 1,
    };
    let thresholds = Thresholds::new(&[warm]).unwrap();
    let equipment = Equipment { mounts: vec![mount], thresholds, ..Equipment::default() };
    Gateway::new(equipment, records, Policy::open(), clock, Settings::default())
}

async fn read(gateway: &Gateway) {
    gateway.execute(&somebody(), Command::Refresh(Scope::All)).await.unwrap();
    let query = Query::Sensor { device: SENSOR, kind: DeviceKind::Temperature };
    gateway.read(&somebody(), query, Duration::ZERO).await.unwrap();
}

/// The kinds of events that are wanted, oldest first, as soon as there are so many.
async fn events(gateway: &Gateway, filter: EventFilter, count: usize) -> Vec<(EventKind, Severity)> {
    let view = gateway.view(somebody()).unwrap();
    let (mut after, mut found) = (0, Vec::new());
    while found.len() < count {
        gateway.wait_for_event(after).await.unwrap();
        let page = view.events(after, 100, &filter).await.unwrap();
        found.extend(page.events.iter().map(|event| (event.kind, event.severity)));
        after = page.next;
    }
    found
}

#[tokio::test]
async fn an_answer_is_a_value_a_sample_a_health_and_an_event() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = gateway(&folder);
    read(&gateway).await;
    let view = gateway.view(somebody()).unwrap();
    assert_eq!(view.device_health(SENSOR), Some(Health::Warning));
    let board = view.board(SENSOR.board).unwrap();
    assert_eq!(view.health(&board), Some(Health::Warning));

    let series = view.series(&board).unwrap();
    let now = FixedClock.now();
    let query = HistoryQuery {
        series,
        from: now - Duration::from_secs(60),
        to: now + Duration::from_secs(60),
        step: Duration::ZERO,
        limit: 10,
    };
    let tracks = view.history(query).await.unwrap();
    let [track] = tracks.as_slice() else { panic!("{tracks:?}") };
    assert_eq!((track.points.len(), track.points[0].avg), (1, 21.0));

    let all = events(&gateway, EventFilter::default(), 4).await;
    let expected = [
        (EventKind::ServiceStarted, Severity::Info),
        (EventKind::BoardAppeared, Severity::Info),
        (EventKind::BoardAppeared, Severity::Info),
        (EventKind::HealthChanged, Severity::Warning),
    ];
    assert_eq!(all, expected);
    let bad = EventFilter {
        least: Severity::Warning,
        boards: Some([SENSOR.board].into()),
        ..EventFilter::default()
    };
    assert_eq!(events(&gateway, bad, 1).await, [(EventKind::HealthChanged, Severity::Warning)]);
}

#[tokio::test]
async fn what_was_told_before_a_restart_is_not_told_again_and_what_was_kept_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let first = gateway(&folder);
    read(&first).await;
    first.shutdown().await;
    drop(first);
    let second = gateway(&folder);
    read(&second).await;
    second.shutdown().await;
    let unwell = EventFilter { kinds: vec![EventKind::HealthChanged], ..EventFilter::default() };
    assert_eq!(events(&second, unwell, 1).await.len(), 1);
    let starts = EventFilter {
        kinds: vec![EventKind::ServiceStarted, EventKind::ServiceStopped],
        ..EventFilter::default()
    };
    assert_eq!(events(&second, starts, 4).await.len(), 4);
}
