//! Emulated BMCs on loopback, and a driver that is served.

use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use opendcre_drivers::ipmi::{BackOff, BmcConfig, Bmcs, Settings};
use opendcre_emulator::bmc::{Fleet, FleetConfig, Handle, MachineConfig};
use opendcre_ipmi::client::{Access, PrivilegeRange, Protocol, Timing, UserLookup};
use opendcre_ipmi::{CipherSuite, Secret};
use opendcre_model::{
    Action, Board, BoardId, Context, DeviceAddress, DeviceId, DeviceKind, Driver, DriverError, Observation,
    PowerAction, PowerState, Priority, Query, Reading, SERVER_POWER, SERVERS, Scope, WallClock,
};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Nothing else in these tests looks like it.
pub(crate) const WRONG_PASSWORD: &str = "Tr0ub4dor&3";

pub(crate) struct FixedClock;

impl WallClock for FixedClock {
    fn now(&self) -> Timestamp {
        Timestamp::constant(1_450_000_000, 0)
    }
}

/// Emulated BMCs that change quickly.
pub(crate) fn emulate(count: u32, configure: impl FnOnce(&mut FleetConfig)) -> Handle {
    let machine = MachineConfig {
        power_up_delay: Duration::from_millis(100),
        cycle_pause: Duration::from_millis(100),
        ..MachineConfig::default()
    };
    let mut config =
        FleetConfig { listen: "127.0.0.1:0".parse().unwrap(), count, machine, ..FleetConfig::default() };
    configure(&mut config);
    Fleet::bind(&config).unwrap().spawn().unwrap()
}

pub(crate) fn suite(id: u8) -> Protocol {
    Protocol::V2_0(vec![CipherSuite::from_id(id).unwrap()])
}

pub(crate) fn access(user: &str, password: &str, protocol: Protocol) -> Arc<Access> {
    Arc::new(Access {
        username: user.into(),
        password: Secret::new(password.as_bytes()).unwrap(),
        bmc_key: None,
        protocol,
        lookup: UserLookup::Name,
        privilege: PrivilegeRange::default(),
    })
}

pub(crate) fn operator() -> Arc<Access> {
    access("operator", "operator", suite(3))
}

/// Answers on loopback come at once, so silence need not be waited for.
pub(crate) fn impatient() -> Settings {
    Settings {
        timing: Timing {
            first: Duration::from_millis(200),
            floor: Duration::from_millis(200),
            tries: 2,
            control: Duration::from_millis(500),
            ..Timing::default()
        },
        back_off: BackOff { first: Duration::from_millis(50), last: Duration::from_millis(100) },
        ..Settings::default()
    }
}

/// A driver with its owner running.
pub(crate) struct Served {
    bmcs: Arc<Bmcs>,
    stop: CancellationToken,
    owner: JoinSet<()>,
}

impl Served {
    /// Serves one BMC for each address, as the boards of servers from 1 on.
    pub(crate) fn open<A: Copy>(addresses: &[A], access: &Arc<Access>, settings: Settings) -> Self
    where
        SocketAddr: From<A>,
    {
        let config =
            |(bmc, at): (u16, &_)| BmcConfig::new(board(bmc), SocketAddr::from(*at), Arc::clone(access));
        let configs = (1..).zip(addresses).map(config).collect();
        let (bmcs, owner) = Bmcs::open(configs, settings, Arc::new(FixedClock)).unwrap();
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(owner.run(stop.clone()));
        Self { bmcs: Arc::new(bmcs), stop, owner: tasks }
    }

    pub(crate) async fn stop(mut self) {
        self.stop.cancel();
        while self.owner.join_next().await.is_some() {}
    }

    pub(crate) const fn shared(&self) -> &Arc<Bmcs> {
        &self.bmcs
    }

    pub(crate) async fn state(&self, bmc: u16) -> Result<PowerState, DriverError> {
        self.read(power_query(bmc), context(Priority::Read)).await.map(power_state)
    }

    pub(crate) async fn power(&self, bmc: u16, action: PowerAction) -> Result<PowerState, DriverError> {
        let action = Action::Power { device: part(bmc, SERVER_POWER), kind: DeviceKind::Power, action };
        self.perform(action, context(Priority::Control)).await.map(power_state)
    }

    pub(crate) async fn board(&self, bmc: u16) -> Result<Board, DriverError> {
        let mut boards = self.discover(Scope::Board(board(bmc)), context(Priority::Scan)).await?;
        assert_eq!(boards.len(), 1);
        Ok(boards.remove(0))
    }

    pub(crate) async fn sensor(
        &self,
        bmc: u16,
        device: DeviceId,
        kind: DeviceKind,
    ) -> Result<Reading, DriverError> {
        let query = Query::Sensor { device: part(bmc, device), kind };
        match self.read(query, context(Priority::Read)).await? {
            Observation::Sensor(reading) => Ok(reading),
            other => panic!("{other:?}"),
        }
    }
}

impl Deref for Served {
    type Target = Bmcs;

    fn deref(&self) -> &Bmcs {
        &self.bmcs
    }
}

fn power_state(observation: Observation) -> PowerState {
    match observation {
        Observation::Power(report) => report.state,
        other => panic!("{other:?}"),
    }
}

/// The board of a BMC.
pub(crate) fn board(bmc: u16) -> BoardId {
    BoardId(SERVERS.start().0 | u32::from(bmc))
}

/// A device of the board of a BMC.
pub(crate) fn part(bmc: u16, device: DeviceId) -> DeviceAddress {
    DeviceAddress { board: board(bmc), device }
}

pub(crate) fn power_query(bmc: u16) -> Query {
    Query::Power { device: part(bmc, SERVER_POWER), kind: DeviceKind::Power }
}

pub(crate) fn context(priority: Priority) -> Context {
    Context { deadline: tokio::time::Instant::now().into_std() + Duration::from_secs(20), priority }
}

/// Waits for something that happens on the far side of a socket; real time passes there.
pub(crate) async fn eventually(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    for _ in 0..1000 {
        if condition().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("did not happen: {what}");
}
