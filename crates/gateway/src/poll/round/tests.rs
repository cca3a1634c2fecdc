//! How far event logs are read when the disk cannot be written, and when another machine has come meanwhile.

use std::fs;
use std::sync::{Arc, Mutex};

use opendcre_model::{
    Action, Board, BoardId, BoxFuture, Driver, DriverError, Identity, LogCursor, SERVER_SYSTEM, SERVERS,
};
use tempfile::TempDir;
use tokio::sync::Semaphore;

use super::*;
use crate::event::{EventLog, EventSettings};
use crate::look::Depth;
use crate::testing::{TestClock, log_page};
use crate::{AuditLog, Equipment, Mount, Policy, Records, Settings, Store};

const PLACE: BoardId = *SERVERS.start();
const SYSTEM: DeviceAddress = DeviceAddress { board: PLACE, device: SERVER_SYSTEM };

/// The last entry in the log of every server.
const END: u16 = 7;

/// A place for a server with an event log.
struct Server {
    identity: Mutex<&'static str>,
    /// How many questions came.
    asked: Semaphore,
    /// An answer takes one of these.
    answers: Semaphore,
}

impl Driver for Server {
    fn name(&self) -> &'static str {
        "ipmi"
    }

    fn health(&self) -> Result<(), DriverError> {
        Ok(())
    }

    fn configured(&self) -> Vec<Board> {
        vec![Board::new(PLACE, Vec::new())]
    }

    fn discover(&self, _: Scope, _: Context) -> BoxFuture<'_, Result<Vec<Board>, DriverError>> {
        let identity = Some(Identity((*self.identity.lock().unwrap()).to_owned()));
        Box::pin(async { Ok(vec![Board { identity, ..Board::new(PLACE, Vec::new()) }]) })
    }

    fn read(&self, _: Query, _: Context) -> BoxFuture<'_, Result<Observation, DriverError>> {
        Box::pin(async {
            self.asked.add_permits(1);
            self.answers.acquire().await.unwrap().forget();
            Ok(Observation::EventLog(Box::new(log_page(END))))
        })
    }

    fn perform(&self, _: Action, _: Context) -> BoxFuture<'_, Result<Observation, DriverError>> {
        unreachable!("nothing is changed")
    }
}

/// A gateway in front of a server that was seen.
async fn gateway(folder: &TempDir) -> (Gateway, Arc<Server>) {
    let file = |name: &str| folder.path().join(name);
    let clock = Arc::<TestClock>::default();
    let server = Arc::new(Server {
        identity: Mutex::new("uuid:a"),
        asked: Semaphore::new(0),
        answers: Semaphore::new(0),
    });
    let mount = Mount {
        driver: Arc::<Server>::clone(&server),
        boards: SERVERS,
        rack: "rack_8".to_owned(),
        annotations: Vec::new(),
        max_changes: 1,
    };
    let audit = AuditLog::open(file("audit.db"), Arc::<TestClock>::clone(&clock)).unwrap();
    let (events, _) =
        EventLog::open(file("events.db"), EventSettings::default(), Arc::<TestClock>::clone(&clock)).unwrap();
    let (store, stored, _) = Store::open(file("inventory.db")).unwrap();
    let records = Records { store: Some((store, stored)), events: Some(events), ..Records::from(audit) };
    let equipment = Equipment { mounts: vec![mount], ..Equipment::default() };
    let gateway = Gateway::new(equipment, records, Policy::open(), clock, Settings::default());
    look(&gateway).await;
    (gateway, server)
}

/// Finds out who is there.
async fn look(gateway: &Gateway) {
    gateway.look(Scope::All, Depth::Everything, gateway.poll_context()).await.unwrap();
}

#[tokio::test]
async fn how_far_a_log_is_read_is_kept_once_its_entries_are_on_the_disk() {
    for (can_be_written, expected) in [(true, log_page(END).cursor), (false, LogCursor::default())] {
        let folder = tempfile::tempdir().unwrap();
        if !can_be_written {
            fs::create_dir(folder.path().join("events.db")).unwrap();
        }
        let (first, server) = gateway(&folder).await;
        server.answers.add_permits(1);
        first.tail(SYSTEM).await.unwrap();
        assert_eq!(first.inner.intake.tails.cursor(PLACE), log_page(END).cursor);
        first.save_everything().await;
        drop(first);
        let (second, _) = gateway(&folder).await;
        assert_eq!(second.inner.intake.tails.cursor(PLACE), expected);
    }
}

#[tokio::test]
async fn what_another_machine_said_is_not_told_after_it_was_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let (gateway, server) = gateway(&folder).await;
    let replace = async {
        server.asked.acquire().await.unwrap().forget();
        *server.identity.lock().unwrap() = "uuid:b";
        look(&gateway).await;
        server.answers.add_permits(1);
    };
    let (told, ()) = tokio::join!(gateway.tail(SYSTEM), replace);
    assert!(matches!(told, Err(GatewayError::Displaced(PLACE))), "{told:?}");
    assert_eq!(gateway.inner.intake.tails.cursor(PLACE), LogCursor::default());
}
