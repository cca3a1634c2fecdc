//! Power of a scripted server, in virtual time.

use opendcre_ipmi::chassis;
use opendcre_ipmi::client::Failure;
use opendcre_model::{
    Action, DeviceAddress, DeviceKind, Driver, Observation, PowerState::Off, PowerState::On, Priority, Query,
    SERVER_POWER, SERVER_SYSTEM,
};

use super::super::bench::{self, LIMIT, Script, context, ok, part, refusal};
use super::super::queue::{Job, Outcome};
use super::*;

const DEVICE: DeviceAddress = part(SERVER_POWER);

/// A server behind a BMC.
#[derive(Default)]
struct Server {
    is_on: bool,
    /// The chassis controls that came.
    controls: Vec<u8>,
    /// How long it takes to go on or off.
    delay: Duration,
    changes: Option<(time::Instant, bool)>,
    /// What its BMC makes of the chassis controls 0, 1 and 2; nothing for what is carried out.
    refusals: [Option<Problem>; 3],
    /// Commands that are carried out, with an answer that gets lost.
    loses: Option<u8>,
    /// Questions that are not answered.
    silent: bool,
    /// Its supply is overloaded.
    is_overloaded: bool,
}

fn refused(code: u8) -> Option<Problem> {
    Some(Problem::Command(CommandError::Refused { command: "Chassis Control", completion: Completion(code) }))
}

impl Script for Server {
    fn answer(&mut self, job: &Job) -> Outcome {
        if let Some((_, is_on)) = self.changes.take_if(|(at, _)| *at <= time::Instant::now()) {
            self.is_on = is_on;
        }
        match job.request.command {
            chassis::GET_CHASSIS_STATUS if self.silent => Err(Problem::Session(Failure::Unreachable)),
            chassis::GET_CHASSIS_STATUS => {
                ok(&[u8::from(self.is_on) | u8::from(self.is_overloaded) << 1 | 0x08, 0, 0])
            }
            chassis::CHASSIS_CONTROL => self.control(job.request.data[0]),
            command => panic!("{command:#x}"),
        }
    }
}

impl Server {
    fn control(&mut self, action: u8) -> Outcome {
        self.controls.push(action);
        match self.refusals.get(usize::from(action)).cloned().flatten() {
            Some(Problem::Command(CommandError::Refused { completion, .. })) => {
                return refusal(completion);
            }
            Some(problem) => return Err(problem),
            None => self.changes = Some((time::Instant::now() + self.delay, action != 0)),
        }
        if self.loses == Some(action) {
            return Err(Problem::Session(Failure::Silent { sent: true }));
        }
        ok(&[])
    }
}

type Bench = bench::Bench<Server>;

impl Bench {
    async fn power(&self, action: PowerAction) -> Result<PowerReport, DriverError> {
        let action = Action::Power { device: DEVICE, kind: DeviceKind::Power, action };
        match self.bmcs.perform(action, context(Priority::Control)).await? {
            Observation::Power(report) => Ok(report),
            other => panic!("{other:?}"),
        }
    }

    fn controls(&self) -> Vec<u8> {
        self.script().controls.clone()
    }
}

fn on() -> Server {
    Server { is_on: true, delay: Duration::from_secs(3), ..Server::default() }
}

fn off() -> Server {
    Server { is_on: false, ..on() }
}

#[tokio::test(start_paused = true)]
async fn the_state_that_is_reached_is_reported() {
    let bench = Bench::new(off());
    let began = now();
    let report = bench.power(PowerAction::On).await.unwrap();
    assert_eq!((report.state, report.power_ok, &*report.source), (On, false, "ipmi"));
    assert!((Duration::from_secs(3)..Duration::from_secs(4)).contains(&(now() - began)));
    assert_eq!(bench.power(PowerAction::Off).await.unwrap().state, Off);
    assert_eq!(bench.controls(), [1, 0]);
}

#[tokio::test(start_paused = true)]
async fn who_takes_too_long_is_reported_as_it_is_before_the_time_is_over() {
    let bench = Bench::new(Server { delay: LIMIT * 2, ..off() });
    let began = now();
    assert_eq!(bench.power(PowerAction::On).await.unwrap().state, Off);
    assert!(now() - began < LIMIT);
    assert_eq!(bench.controls(), [1]);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_to_do_what_is_done_already_is_no_failure() {
    let bench = Bench::new(Server { refusals: [refused(0xd5), refused(0xd5), None], ..on() });
    assert_eq!(bench.power(PowerAction::On).await.unwrap().state, On);
    let error = bench.power(PowerAction::Off).await.unwrap_err();
    assert_eq!((error.fault, error.code), (Fault::Refused, "refused"));
    assert!(
        error.message.starts_with("bmc 40000001 at 127.0.0.1:623: Chassis Control: not possible"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_resolved_by_looking_and_the_command_is_not_repeated() {
    let bench = Bench::new(Server { loses: Some(1), delay: Duration::ZERO, ..off() });
    assert_eq!(bench.power(PowerAction::On).await.unwrap().state, On);
    assert_eq!(bench.controls(), [1]);
    let bench = Bench::new(Server { loses: Some(1), ..off() });
    let error = bench.power(PowerAction::On).await.unwrap_err();
    assert_eq!(error.fault, Fault::Uncertain);
    assert!(error.message.ends_with("may have taken effect; the BMC now reports power off"), "{error}");
    assert_eq!(bench.controls(), [1]);
    let bench = Bench::new(Server { loses: Some(1), silent: true, ..off() });
    let error = bench.power(PowerAction::On).await.unwrap_err();
    assert_eq!(error.fault, Fault::Uncertain);
    assert!(error.message.ends_with("its state cannot be read now (unreachable)"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_failure_before_the_command_is_no_doubt() {
    let wrong = || Some(Problem::Session(Failure::WrongPassword));
    let bench = Bench::new(Server { refusals: [wrong(), wrong(), wrong()], ..on() });
    let error = bench.power(PowerAction::Off).await.unwrap_err();
    assert_eq!((error.fault, error.code), (Fault::NotPermitted, "wrong_password"));
}

#[tokio::test(start_paused = true)]
async fn a_cycle_is_the_command_of_the_bmc_where_it_has_one() {
    let bench = Bench::new(on());
    assert_eq!(bench.power(PowerAction::Cycle).await.unwrap().state, On);
    assert_eq!(bench.controls(), [2]);
}

#[tokio::test(start_paused = true)]
async fn a_cycle_is_off_and_on_where_the_bmc_has_none() {
    for code in [0xc1, 0xcc, 0xd5] {
        let bench = Bench::new(Server { refusals: [None, None, refused(code)], ..on() });
        let began = now();
        assert_eq!(bench.power(PowerAction::Cycle).await.unwrap().state, On);
        assert_eq!(bench.controls(), [2, 0, 1]);
        assert!(now() - began >= OFF_TIME);
    }
}

#[tokio::test(start_paused = true)]
async fn a_cycle_of_a_server_that_is_off_switches_it_on() {
    let bench = Bench::new(off());
    assert_eq!(bench.power(PowerAction::Cycle).await.unwrap().state, On);
    assert_eq!(bench.controls(), [1]);
}

#[tokio::test(start_paused = true)]
async fn a_cycle_that_ends_half_way_says_that_the_server_is_off() {
    let failure = || Some(Problem::Session(Failure::Unreachable));
    let bench = Bench::new(Server { refusals: [None, failure(), refused(0xc1)], ..on() });
    let error = bench.power(PowerAction::Cycle).await.unwrap_err();
    assert_eq!(error.fault, Fault::Uncertain);
    assert!(error.message.contains("was switched off and could not be switched on again"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_to_a_cycle_stays_uncertain() {
    let bench = Bench::new(Server { loses: Some(2), ..on() });
    let error = bench.power(PowerAction::Cycle).await.unwrap_err();
    assert_eq!(error.fault, Fault::Uncertain);
    assert_eq!(bench.controls(), [2]);
}

#[tokio::test(start_paused = true)]
async fn an_overload_is_told() {
    let bench = Bench::new(Server { is_overloaded: true, ..on() });
    let query = Query::Power { device: DEVICE, kind: DeviceKind::Power };
    let Ok(Observation::Power(report)) = bench.bmcs.read(query, context(Priority::Read)).await else {
        panic!("no report")
    };
    assert_eq!((report.over_current, report.power_ok, report.under_voltage), (true, false, false));
}

#[tokio::test(start_paused = true)]
async fn only_the_power_device_has_power() {
    let bench = Bench::new(Server { silent: true, ..on() });
    let power = |device, kind| bench.bmcs.read(Query::Power { device, kind }, context(Priority::Read));
    let error = power(part(SERVER_SYSTEM), DeviceKind::Power).await.unwrap_err();
    assert_eq!((error.fault, error.code), (Fault::Unsupported, "unknown_device"), "{error}");
    let error = power(DEVICE, DeviceKind::VaporRectifier).await.unwrap_err();
    assert_eq!((error.fault, error.code), (Fault::Invalid, "wrong_kind"), "{error}");
    let elsewhere = DeviceAddress { board: BoardId(9), ..DEVICE };
    let error = power(elsewhere, DeviceKind::Power).await.unwrap_err();
    assert_eq!((error.fault, error.code), (Fault::Invalid, "unknown_board"), "{error}");
}

/// A BMC that answers so may have done it all the same, so nobody is told to try again.
#[tokio::test(start_paused = true)]
async fn an_answer_that_leaves_doubt_is_looked_into() {
    for code in [0xc3, 0xce, 0xcf, 0xff] {
        let bench = Bench::new(Server { refusals: [refused(code), None, None], ..on() });
        let error = bench.power(PowerAction::Off).await.unwrap_err();
        assert_eq!(error.fault, Fault::Uncertain, "{code:#x}: {error}");
        assert_eq!(bench.controls(), [0]);
    }
    let bench = Bench::new(Server { refusals: [refused(0xc0), None, None], ..on() });
    let error = bench.power(PowerAction::Off).await.unwrap_err();
    assert!(matches!(error.fault, Fault::Busy { .. }), "{error}");
}
