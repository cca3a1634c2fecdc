//! Disks that cannot be used: equipment is read and switched all the same, and everybody is told what is not kept.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use opendcre_gateway::{
    AuditLog, Command, Equipment, EventFilter, EventLog, EventSettings, Gateway, GatewayError, History,
    HistorySettings, Mount, Policy, PollSettings, Records, Settings,
};
use opendcre_model::{BoardId, DeviceAddress, DeviceId, DeviceKind, Fault, Query, Scope, WallClock};
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::poll::Sensors;
use crate::support::{FixedClock, power_off, somebody};

/// The folder of a history and of events that cannot be used.
const VICTIM: &str = "OPENDCRE_TEST_FOLDER";

/// Lets a gateway run whose history and events are in `folder`, and looks whether it does everything that it can.
async fn serve_without(folder: &std::path::Path) {
    let clock: Arc<dyn WallClock> = Arc::new(FixedClock);
    let (history, _) =
        History::open(folder.join("history.db"), HistorySettings::default(), Arc::clone(&clock)).unwrap();
    let (events, _) =
        EventLog::open(folder.join("events.db"), EventSettings::default(), Arc::clone(&clock)).unwrap();
    let other: TempDir = tempfile::tempdir().unwrap();
    let audit = AuditLog::open(other.path().join("audit.db"), Arc::clone(&clock)).unwrap();
    let records = Records { history: Some(history), events: Some(events), ..audit.into() };
    let mount = Mount {
        driver: Sensors::new(1, 1, true),
        boards: BoardId(1)..=BoardId(0xff),
        rack: "rack_1".to_owned(),
        annotations: Vec::new(),
        max_changes: 1,
    };
    let equipment = Equipment { mounts: vec![mount], ..Equipment::default() };
    let gateway = Gateway::new(equipment, records, Policy::open(), clock, Settings::default());
    gateway.execute(&somebody(), Command::Refresh(Scope::All)).await.unwrap();
    let stop = CancellationToken::new();
    let mut polling = JoinSet::new();
    let (polled, until) = (gateway.clone(), stop.clone());
    polling.spawn(async move { polled.keep_polling(&PollSettings::default(), until).await });

    let device = DeviceAddress { board: BoardId(1), device: DeviceId(1) };
    let query = Query::Sensor { device, kind: DeviceKind::Temperature };
    gateway.read(&somebody(), query, Duration::ZERO).await.unwrap();
    let switched = gateway.execute(&somebody(), Command::Action(power_off(1))).await;
    let reached_the_driver = |error: &GatewayError| error.fault() == Some(Fault::Unsupported);
    assert!(switched.as_ref().is_err_and(reached_the_driver), "{switched:?}");

    let codes =
        |gateway: &Gateway| gateway.readiness().defects.iter().map(|defect| defect.code).collect::<Vec<_>>();
    assert_eq!(codes(&gateway), ["history_unavailable", "events_unavailable"]);
    assert!(gateway.readiness().is_ready());
    assert!(gateway.history_statistics().unwrap().recorded > 0);
    let view = gateway.view(somebody()).unwrap();
    let (mut after, mut losses) = (0, Vec::new());
    while losses.len() < 2 {
        tokio::time::timeout(Duration::from_secs(30), gateway.wait_for_event(after)).await.unwrap().unwrap();
        let page = view.events(after, 100, &EventFilter::default()).await.unwrap();
        let codes =
            page.events.iter().filter_map(|event| Some(event.detail.get("code")?.as_str()?.to_owned()));
        losses.extend(codes.filter(|code| code.ends_with("only_in_memory")));
        after = page.next;
    }
    assert_eq!(losses, ["only_in_memory", "history_only_in_memory"]);
    assert!(gateway.event_statistics().unwrap().unsaved > 0);
    stop.cancel();
    polling.join_all().await;
}

#[tokio::test]
async fn everything_but_memory_can_be_missing() {
    let folder = tempfile::tempdir().unwrap();
    // Not even the owner of the machine can write to these.
    for name in ["history.db", "events.db"] {
        fs::create_dir(folder.path().join(name)).unwrap();
    }
    serve_without(folder.path()).await;
}

#[test]
fn a_disk_that_is_read_only_is_no_reason_not_to_serve() {
    let folder = tempfile::tempdir().unwrap();
    let clock: Arc<dyn WallClock> = Arc::new(FixedClock);
    // There is something on it from better days.
    let history = folder.path().join("history.db");
    drop(History::open(history, HistorySettings::default(), Arc::clone(&clock)).unwrap());
    drop(EventLog::open(folder.path().join("events.db"), EventSettings::default(), clock).unwrap());
    // In a name space of its own, so that nobody else sees it.
    let script =
        "mount --bind \"$1\" \"$1\" && mount -o remount,bind,ro \"$1\" || exit 99; shift; exec \"$@\"";
    let status = std::process::Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"])
        .arg(folder.path())
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "disk::victim", "--ignored", "--nocapture"])
        .env(VICTIM, folder.path())
        .status();
    match status.map(|status| status.code()) {
        Ok(Some(0)) => {}
        Ok(Some(99)) | Err(_) => println!("nobody may mount anything here, so there is nothing to see"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
#[ignore = "runs as a process of its own"]
async fn victim() {
    if let Some(folder) = std::env::var_os(VICTIM) {
        serve_without(folder.as_ref()).await;
    }
}
