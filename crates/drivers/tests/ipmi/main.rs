//! The IPMI driver on real sockets, with emulated BMCs at the other end.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

mod board;
mod event_log;
mod support;

use std::net::{SocketAddr, UdpSocket};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use opendcre_drivers::ipmi::{BmcConfig, Bmcs, OpenError, Settings};
use opendcre_emulator::bmc::Defects;
use opendcre_ipmi::Single;
use opendcre_ipmi::client::Protocol;
use opendcre_ipmi::dcmi::GetPowerLimit;
use opendcre_ipmi::fru::ReadFru;
use opendcre_ipmi::packet::v1_5::AuthType;
use opendcre_model::{
    Action, BootOverride, BootTarget, DeviceKind, Driver, Fault, Identify, LinkState, Observation,
    PowerAction, PowerLimit, PowerLimitException, PowerState, Priority, RawRequest, SERVER_POWER,
    SERVER_SYSTEM, Scope,
};
use support::{
    FixedClock, Served, WRONG_PASSWORD, access, board, context, emulate, eventually, impatient, operator,
    part, power_query, suite,
};
use tokio::task::JoinSet;

#[tokio::test]
async fn power_is_read_and_switched_over_every_kind_of_session() {
    let protocols = [
        suite(3),
        suite(17),
        suite(1),
        Protocol::V1_5(AuthType::Md5),
        Protocol::V1_5(AuthType::Md2),
        Protocol::V1_5(AuthType::Password),
    ];
    let mut tests = JoinSet::new();
    for protocol in protocols {
        tests.spawn(read_and_switch(protocol));
    }
    tests.join_all().await;
}

async fn read_and_switch(protocol: Protocol) {
    let access = access("operator", "operator", protocol.clone());
    let emulated = emulate(1, |_| {});
    let bmcs = Served::open(emulated.bmcs().addresses(), &access, Settings::default());
    assert_eq!(bmcs.state(1).await, Ok(PowerState::On), "{protocol:?}");
    assert_eq!(bmcs.power(1, PowerAction::Off).await, Ok(PowerState::Off), "{protocol:?}");
    assert_eq!(bmcs.power(1, PowerAction::On).await, Ok(PowerState::On), "{protocol:?}");
    let starts = emulated.bmcs().with(0, |bmc, _| bmc.starts()).unwrap();
    assert_eq!(bmcs.power(1, PowerAction::Cycle).await, Ok(PowerState::On), "{protocol:?}");
    assert_eq!(emulated.bmcs().with(0, |bmc, _| bmc.starts()), Some(starts + 1), "{protocol:?}");
    bmcs.stop().await;
    assert_eq!(emulated.bmcs().with(0, |bmc, _| bmc.sessions()), Some(0), "{protocol:?}");
}

#[tokio::test]
async fn many_bmcs_share_a_few_sockets_and_their_sessions_are_closed_at_the_end() {
    const COUNT: u16 = 300;
    let emulated = emulate(COUNT.into(), |_| {});
    let settings = Settings { workers: NonZeroUsize::new(2).unwrap(), ..Settings::default() };
    let bmcs = Arc::new(Served::open(emulated.bmcs().addresses(), &operator(), settings));
    for _ in 0..3 {
        let mut answers = JoinSet::new();
        for bmc in 1..=COUNT {
            let bmcs = Arc::clone(&bmcs);
            answers.spawn(async move { bmcs.state(bmc).await });
        }
        assert!(answers.join_all().await.iter().all(|state| *state == Ok(PowerState::On)));
    }
    let statistics = bmcs.all();
    assert_eq!(statistics.len(), usize::from(COUNT));
    for bmc in &statistics {
        assert_eq!((bmc.state, bmc.requests, bmc.session_opens), (LinkState::Up, 3, 1), "{bmc:?}");
        assert!(bmc.latency.is_some() && bmc.has_session);
    }
    let links = Driver::statistics(&**bmcs);
    assert!(links.is_sorted_by_key(|link| link.board) && links.len() == usize::from(COUNT));
    Arc::into_inner(bmcs).unwrap().stop().await;
    let sessions = |index| emulated.bmcs().with(index, |bmc, _| bmc.sessions()).unwrap();
    assert_eq!((0..usize::from(COUNT)).map(sessions).sum::<usize>(), 0);
}

#[tokio::test]
async fn each_way_of_not_getting_in_has_its_code_and_no_password_is_told() {
    let emulated = emulate(1, |config| config.access.cipher_suites = vec![3]);
    let nobody = UdpSocket::bind("127.0.0.1:0").unwrap();
    let bmc: SocketAddr = emulated.bmcs().addresses()[0].into();
    let cases = [
        (bmc, access("operator", WRONG_PASSWORD, suite(3)), "wrong_password", Fault::NotPermitted),
        (bmc, access("stranger", WRONG_PASSWORD, suite(3)), "wrong_user", Fault::NotPermitted),
        (bmc, access("operator", WRONG_PASSWORD, suite(17)), "no_common_suite", Fault::Unsupported),
        (
            nobody.local_addr().unwrap(),
            access("operator", WRONG_PASSWORD, suite(3)),
            "unreachable",
            Fault::Timeout,
        ),
    ];
    for (at, access, code, fault) in cases {
        let bmcs = Served::open(&[at], &access, impatient());
        let error = bmcs.state(1).await.unwrap_err();
        assert_eq!((error.code, error.fault), (code, fault), "{error}");
        assert!(error.message.starts_with(&format!("bmc 40000001 at {at}: ")), "{error}");
        let known = bmcs.state(1).await.unwrap_err();
        assert_eq!(known.code, code, "{known}");
        let told = format!("{error:?} {known:?} {:?} {access:?}", bmcs.all());
        assert!(!told.contains(WRONG_PASSWORD), "{told}");
        assert!(bmcs.health().is_err(), "the only BMC cannot be used");
        bmcs.stop().await;
    }
}

#[tokio::test]
async fn everything_else_that_can_be_changed_is_changed() {
    let emulated = emulate(1, |_| {});
    let bmcs = Served::open(emulated.bmcs().addresses(), &operator(), Settings::default());
    let bmc = emulated.bmcs();
    let device = part(1, SERVER_SYSTEM);
    let change = async |action| bmcs.perform(action, context(Priority::Control)).await;

    assert_eq!(
        change(Action::Identify { device, identify: Identify::Seconds(60) }).await,
        Ok(Observation::Done)
    );
    assert_eq!(bmc.with(0, |bmc, now| bmc.is_identified(now)), Some(true));
    assert_eq!(change(Action::Identify { device, identify: Identify::Off }).await, Ok(Observation::Done));
    assert_eq!(bmc.with(0, |bmc, now| bmc.is_identified(now)), Some(false));

    let boot = BootOverride { target: BootTarget::Pxe, persistent: true, efi: true };
    assert_eq!(change(Action::SetBootTarget { device, boot }).await, Ok(Observation::BootTarget(boot)));
    assert_eq!(bmc.with(0, |bmc, now| bmc.boot_flags(now)), Some([0xe0, 0x04, 0, 0, 0]));

    let limit = PowerLimit {
        watts: 400,
        correction_time: Duration::from_secs(2),
        sampling_period: Duration::from_secs(10),
        exception: PowerLimitException::Log,
    };
    assert_eq!(change(Action::SetPowerLimit { device, limit: Some(limit) }).await, Ok(Observation::Done));
    let stored = bmcs.run(board(1), Single(GetPowerLimit), context(Priority::Read)).await.unwrap();
    assert_eq!((stored.active, stored.limit.map(|limit| limit.limit_w)), (true, Some(400)));
    assert_eq!(change(Action::SetPowerLimit { device, limit: None }).await, Ok(Observation::Done));

    assert!(bmc.with(0, |bmc, now| bmc.events(now)).unwrap() > 1);
    assert_eq!(change(Action::ClearEventLog { device }).await, Ok(Observation::Done));
    assert!(bmc.with(0, |bmc, now| bmc.events(now)).unwrap() <= 1);

    let raw = |netfn, command| Action::RawIpmi {
        device,
        request: RawRequest { netfn, lun: 0, command, data: Vec::new() },
    };
    let Ok(Observation::RawIpmi(answer)) = change(raw(6, 1)).await else {
        panic!("no answer to Get Device ID")
    };
    assert_eq!((answer.completion, answer.data.len()), (0, 15));
    assert_eq!(
        change(raw(6, 0x3c)).await.unwrap_err().fault,
        Fault::Invalid,
        "sessions are not the caller's"
    );
    assert_eq!(change(raw(7, 1)).await.unwrap_err().fault, Fault::Invalid, "responses are not sent");
    bmcs.stop().await;
}

#[tokio::test]
async fn a_long_walk_lets_others_through() {
    let emulated = emulate(1, |_| {});
    let bmcs = Served::open(emulated.bmcs().addresses(), &operator(), Settings::default());
    let mut walk = Box::pin(bmcs.run(board(1), ReadFru::new(0), context(Priority::Scan)));
    tokio::select! {
        biased;
        _ = &mut walk => panic!("the walk was not interrupted"),
        state = bmcs.state(1) => assert_eq!(state, Ok(PowerState::On)),
    }
    assert!(walk.await.is_ok());
    bmcs.stop().await;
}

#[tokio::test]
async fn a_user_who_may_only_read_reads_and_is_refused_the_rest() {
    let emulated = emulate(1, |_| {});
    let bmcs =
        Served::open(emulated.bmcs().addresses(), &access("user", "user", suite(3)), Settings::default());
    assert_eq!(bmcs.state(1).await, Ok(PowerState::On));
    let error = bmcs.power(1, PowerAction::Off).await.unwrap_err();
    assert_eq!((error.code, error.fault), ("insufficient_privilege", Fault::NotPermitted), "{error}");
    assert_eq!(bmcs.state(1).await, Ok(PowerState::On));
    bmcs.stop().await;
}

#[tokio::test]
async fn a_bmc_that_forgets_its_sessions_is_logged_in_to_again() {
    let emulated = emulate(1, |_| {});
    let bmcs = Served::open(emulated.bmcs().addresses(), &operator(), impatient());
    assert_eq!(bmcs.state(1).await, Ok(PowerState::On));
    emulated.bmcs().with(0, |bmc, _| bmc.lose_sessions());
    assert_eq!(bmcs.state(1).await, Ok(PowerState::On));
    assert_eq!(bmcs.statistics(board(1)).unwrap().session_opens, 2);
    bmcs.stop().await;
}

#[tokio::test]
async fn a_bmc_that_comes_back_is_used_again_without_anybody_asking() {
    let emulated = emulate(2, |_| {});
    let bmcs = Served::open(emulated.bmcs().addresses(), &operator(), impatient());
    let set_dead = |dead| {
        emulated.bmcs().with(0, |bmc, _| bmc.set_defects(Defects { dead, ..Defects::default() }));
    };
    assert_eq!(bmcs.state(2).await, Ok(PowerState::On));
    set_dead(true);
    assert_eq!(bmcs.state(1).await.unwrap_err().code, "unreachable");
    let known = bmcs.state(1).await.unwrap_err();
    assert_eq!((known.code, known.fault), ("unreachable", Fault::Gone), "{known}");
    assert_eq!(bmcs.statistics(board(1)).unwrap().state, LinkState::Down);
    assert_eq!(bmcs.health(), Ok(()), "the other one can be used");
    assert_eq!(bmcs.state(2).await, Ok(PowerState::On));
    set_dead(false);
    let is_up = async || bmcs.statistics(board(1)).unwrap().state == LinkState::Up;
    eventually("the BMC is found to be back", is_up).await;
    assert_eq!(bmcs.state(1).await, Ok(PowerState::On));
    bmcs.stop().await;
}

#[tokio::test]
async fn bad_lines_and_hostile_bmcs_give_no_wrong_state() {
    const COUNT: u16 = 30;
    let emulated = emulate(COUNT.into(), |config| {
        let faults = &mut config.faults;
        (faults.loss, faults.duplicate, faults.reorder) = (0.1, 0.1, 0.1);
        (faults.truncate, faults.corrupt, faults.foreign, faults.oversize) = (0.02, 0.02, 0.05, 0.02);
        (faults.busy, faults.session_loss) = (0.05, 0.01);
    });
    let bmcs = Arc::new(Served::open(emulated.bmcs().addresses(), &operator(), impatient()));
    let mut answers = JoinSet::new();
    for bmc in 1..=COUNT {
        let bmcs = Arc::clone(&bmcs);
        answers.spawn(async move {
            for _ in 0..5 {
                if let Ok(state) = bmcs.state(bmc).await {
                    assert_eq!(state, PowerState::On);
                }
            }
        });
    }
    answers.join_all().await;
    let dropped: u64 = bmcs.all().iter().map(|bmc| bmc.dropped).sum();
    assert!(dropped > 0);
    let boards = bmcs.discover(Scope::All, context(Priority::Scan)).await.unwrap();
    assert_eq!(boards.len(), usize::from(COUNT), "every BMC stays listed");
}

#[tokio::test]
async fn after_the_end_everybody_is_told() {
    let emulated = emulate(1, |_| {});
    let bmcs = Served::open(emulated.bmcs().addresses(), &operator(), Settings::default());
    let handle = Arc::clone(bmcs.shared());
    bmcs.stop().await;
    let error = handle.read(power_query(1), context(Priority::Read)).await.unwrap_err();
    assert_eq!(error.fault, Fault::Gone);
    let action =
        Action::Power { device: part(1, SERVER_POWER), kind: DeviceKind::Power, action: PowerAction::Off };
    let error = handle.perform(action, context(Priority::Control)).await.unwrap_err();
    assert_eq!(error.fault, Fault::Gone, "nothing was sent, so there is no doubt");
    assert!(handle.health().is_err());
}

#[tokio::test]
async fn nobody_is_named_twice() {
    let config = |bmc, address: &str| BmcConfig::new(board(bmc), address.parse().unwrap(), operator());
    let open = |configs| Bmcs::open(configs, Settings::default(), Arc::new(FixedClock)).map(drop);
    let same_board = open(vec![config(1, "127.0.0.1:1"), config(1, "127.0.0.1:2")]).unwrap_err();
    assert!(matches!(same_board, OpenError::DuplicateBoard(id) if id == board(1)), "{same_board}");
    let same_address = open(vec![config(1, "127.0.0.1:1"), config(2, "127.0.0.1:1")]).unwrap_err();
    assert!(matches!(same_address, OpenError::DuplicateAddress { .. }), "{same_address}");
    open(Vec::new()).unwrap();
    open(vec![config(1, "127.0.0.1:1"), config(2, "[::1]:1")]).unwrap();
}
