//! Our driver follows the event log of OpenIPMI's `ipmi_sim`, to which ipmitool adds, and which it clears.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use opendcre_drivers::ipmi::{BmcConfig, Bmcs, Settings};
use opendcre_ipmi::client::{Access, PrivilegeRange, Protocol, UserLookup};
use opendcre_ipmi::{CipherSuite, Secret};
use opendcre_model::{
    BoardId, Context, DeviceAddress, Driver, EventLogPage, LogCursor, Observation, Priority, Query,
    SERVER_SYSTEM, SERVERS, Scope, WallClock,
};
use tokio::runtime;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::simulated::Bmc;
use super::tool::USER;

const BOARD: BoardId = *SERVERS.start();

/// Sensor type, sensor number, event type and data: a temperature that is critical, a voltage that is too low, a memory
/// error that could not be corrected.
const HOT: &str = "0x01 0x70 0x01 0x59 0x50 0x4b";
const LOW_VOLTAGE: &str = "0x02 0x71 0x01 0x52 0x10 0x12";
const MEMORY: &str = "0x0c 0x72 0x6f 0xa1 0xff 0x05";

/// Add SEL Entry (IPMI 2.0 §31.6), as ipmitool sends it. The BMC gives id and time.
fn add(event: &str) -> String {
    format!("raw 0x0a 0x44 0 0 0x02 0 0 0 0 0x20 0x00 0x04 {event}")
}

struct FixedClock;

impl WallClock for FixedClock {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }
}

/// The driver of one BMC, logged in as a user who may only read.
fn open(address: SocketAddr, tasks: &mut JoinSet<()>) -> Bmcs {
    let access = Access {
        username: USER.name.into(),
        password: Secret::new(USER.password.as_bytes()).unwrap(),
        bmc_key: None,
        protocol: Protocol::V2_0(CipherSuite::from_id(3).into_iter().collect()),
        lookup: UserLookup::Name,
        privilege: PrivilegeRange::default(),
    };
    let config = BmcConfig::new(BOARD, address, Arc::new(access));
    let (bmcs, owner) = Bmcs::open(vec![config], Settings::default(), Arc::new(FixedClock)).unwrap();
    tasks.spawn(owner.run(CancellationToken::new()));
    bmcs
}

fn context() -> Context {
    Context { deadline: (Instant::now() + Duration::from_secs(20)).into_std(), priority: Priority::Poll }
}

async fn ask(bmcs: &Bmcs, cursor: &mut LogCursor) -> EventLogPage {
    let device = DeviceAddress { board: BOARD, device: SERVER_SYSTEM };
    match bmcs.read(Query::EventLog { device, after: *cursor }, context()).await.unwrap() {
        Observation::EventLog(page) => {
            *cursor = page.cursor;
            *page
        }
        other => panic!("{other:?}"),
    }
}

async fn follow(bmc: &Bmc) {
    let mut tasks = JoinSet::new();
    let bmcs = open(bmc.address, &mut tasks);
    bmcs.discover(Scope::Board(BOARD), context()).await.unwrap();
    let mut cursor = LogCursor::default();
    let first = ask(&bmcs, &mut cursor).await;
    assert_eq!((first.entries.len(), first.more, first.was_cleared), (6, false, false), "{first:?}");
    assert!(first.entries.iter().any(|entry| entry.sensor.is_some()), "{first:?}");
    assert_eq!(ask(&bmcs, &mut cursor).await.entries, []);

    for event in [HOT, LOW_VOLTAGE, MEMORY] {
        bmc.ipmitool(&add(event));
    }
    let second = ask(&bmcs, &mut cursor).await;
    let texts: Vec<_> = second.entries.iter().map(|entry| entry.message.as_str()).collect();
    assert_eq!(texts.len(), 3, "{texts:?}");
    assert!(texts[0].starts_with("Temperature, "), "{texts:?}");
    assert!(texts[1].starts_with("Voltage, "), "{texts:?}");
    assert!(texts[2].starts_with("Memory, "), "{texts:?}");
    assert!(second.entries.iter().all(|entry| entry.severity.name() != "ok"), "{second:?}");

    bmc.ipmitool("sel clear");
    bmc.ipmitool(&add(HOT));
    let third = ask(&bmcs, &mut cursor).await;
    assert!(third.was_cleared, "{third:?}");
    assert_eq!(third.entries.len(), 1, "{third:?}");
    assert_eq!(ask(&bmcs, &mut cursor).await.entries, []);
}

#[test]
fn our_driver_follows_the_log_of_a_simulated_bmc() {
    let bmc = Bmc::start();
    runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(follow(&bmc));
}
