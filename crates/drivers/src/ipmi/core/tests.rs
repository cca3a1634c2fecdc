//! The core among scripted BMCs, in virtual time.

use std::num::NonZeroUsize;
use std::time::Duration;

use opendcre_ipmi::chassis::{CHASSIS_CONTROL, GET_CHASSIS_STATUS};
use opendcre_ipmi::client::Failure;
use opendcre_ipmi::{Completion, Response, app, session};
use opendcre_model::Priority;

use super::super::config::Settings;
use super::super::error::{Problem, Stage};
use super::super::queue::Intent;
use super::network::{Network, address};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

fn one() -> Network {
    Network::new(1, Settings::default())
}

fn off() -> Response {
    Response { completion: Completion::OK, data: vec![0, 0, 0] }
}

/// What the core published last of the first BMC.
fn row(network: &mut Network) -> super::Row {
    let changed: Vec<_> = std::iter::from_fn(|| network.core.poll_changed()).collect();
    changed.into_iter().rfind(|(slot, _)| *slot == 0).unwrap().1
}

#[test]
fn nothing_is_sent_before_somebody_asks_and_sessions_are_shared() {
    let mut network = Network::new(2, Settings::default());
    network.run(SECOND * 600);
    assert_eq!((network.sent, network.wakes), (0, 0));
    for _ in 0..3 {
        let answer = network.read(0);
        assert_eq!(network.wait(answer), Ok(off()));
    }
    assert_eq!(network.sent, 3 + 3, "one session for three reads");
    assert!(!network.bmcs[1].has_session());
}

#[test]
fn control_goes_before_reads_before_scans_with_one_command_in_flight() {
    let mut network = one();
    network.bmcs[0].thinks = MS * 20;
    let mut answers = [
        network.read(0),
        network.submit(0, 0x0f, Intent::Read, Priority::Scan),
        network.submit(0, 0x09, Intent::Read, Priority::Read),
        network.control(0),
    ];
    network.run(SECOND);
    assert!(answers.iter_mut().all(|answer| answer.try_recv().unwrap().is_ok()));
    let order: Vec<u8> = network.bmcs[0].seen.iter().map(|(_, command)| *command).collect();
    let raise = session::SET_SESSION_PRIVILEGE;
    assert_eq!(order, [GET_CHASSIS_STATUS, raise, CHASSIS_CONTROL, raise, 0x09, 0x0f]);
    assert!(!network.bmcs[0].was_pushed);
}

#[test]
fn equal_reads_are_one_command() {
    let mut network = one();
    network.bmcs[0].thinks = MS * 20;
    let mut answers: Vec<_> = (0..100).map(|_| network.read(0)).collect();
    network.run(MS * 20);
    answers.push(network.read(0));
    network.run(SECOND);
    assert!(answers.iter_mut().all(|answer| answer.try_recv().unwrap() == Ok(off())));
    assert_eq!(network.bmcs[0].count(GET_CHASSIS_STATUS), 1);
    assert_eq!(row(&mut network).requests, 1);
}

#[test]
fn a_busy_bmc_is_asked_more_slowly_and_then_faster_again() {
    let mut network = one();
    network.bmcs[0].codes = vec![Completion::NODE_BUSY; 3];
    let answer = network.read(0);
    let began = network.now;
    assert_eq!(network.wait(answer), Ok(off()));
    let pauses = MS * (10 + 20 + 40);
    assert!(network.now - began >= pauses && network.now - began < pauses + MS * 20);
    assert_eq!(row(&mut network).pause, MS * 20);
    for _ in 0..3 {
        network.run(SECOND);
        let answer = network.read(0);
        network.wait(answer).unwrap();
    }
    assert_eq!(row(&mut network).pause, Duration::ZERO);
}

#[test]
fn a_bmc_that_stays_busy_is_not_asked_for_ever_and_a_change_never_twice() {
    let mut network = one();
    network.bmcs[0].codes = vec![Completion::NODE_BUSY; 100];
    let busy = Response { completion: Completion::NODE_BUSY, data: Vec::new() };
    let answer = network.read(0);
    assert_eq!(network.wait(answer), Ok(busy.clone()));
    assert_eq!(network.bmcs[0].count(GET_CHASSIS_STATUS), 6);
    let answer = network.control(0);
    assert_eq!(network.wait(answer), Ok(busy));
    assert_eq!(network.bmcs[0].count(CHASSIS_CONTROL), 1);
}

#[test]
fn a_dead_bmc_is_answered_from_knowledge_and_heals_by_itself() {
    let mut network = one();
    network.bmcs[0].is_dead = true;
    let answer = network.submit_within(SECOND * 60, 0, GET_CHASSIS_STATUS, Intent::Read, Priority::Read);
    assert_eq!(network.wait(answer), Err(Problem::Session(Failure::Unreachable)));
    let died = network.now;
    network.run(MS * 100);
    let Ok(Err(Problem::Known { failure: Failure::Unreachable, lasted, .. })) = network.read(0).try_recv()
    else {
        panic!("not answered at once");
    };
    assert_eq!(lasted, MS * 100);
    network.run(SECOND * 600);
    let tried = network.sent;
    network.run(SECOND * 600);
    assert!((20..=60).contains(&(network.sent - tried)), "{} datagrams in ten minutes", network.sent - tried);
    network.bmcs[0].is_dead = false;
    network.run(SECOND * 80);
    let row = row(&mut network);
    assert!(row.is_up && row.failure.is_none() && row.since > died);
    let answer = network.read(0);
    assert_eq!(network.wait(answer), Ok(off()));
}

#[test]
fn who_asks_for_a_dead_bmc_makes_it_heal_sooner() {
    let mut network = one();
    network.bmcs[0].is_dead = true;
    drop(network.read(0));
    network.run(SECOND * 600);
    network.bmcs[0].is_dead = false;
    for _ in 0..50 {
        network.run(SECOND);
        if let Ok(Err(problem)) = network.read(0).try_recv() {
            assert!(matches!(problem, Problem::Known { .. }), "{problem:?}");
        }
    }
    assert!(row(&mut network).is_up);
}

#[test]
fn waiting_commands_fail_with_the_bmc() {
    let mut network = one();
    network.bmcs[0].is_dead = true;
    let first = network.submit_within(SECOND * 60, 0, GET_CHASSIS_STATUS, Intent::Read, Priority::Read);
    let mut second =
        network.submit_within(SECOND * 60, 0, CHASSIS_CONTROL, Intent::Change, Priority::Control);
    network.wait(first).unwrap_err();
    assert!(matches!(second.try_recv(), Ok(Err(Problem::Known { .. }))));
    network.bmcs[0].is_dead = false;
    network.run(SECOND * 10);
    assert_eq!(network.bmcs[0].controls, 0);
}

#[test]
fn callers_are_answered_at_their_deadline_and_what_waits_then_is_not_sent() {
    let mut network = one();
    network.bmcs[0].thinks = SECOND;
    let first = network.read(0);
    let mut waits = network.submit_within(MS * 300, 0, CHASSIS_CONTROL, Intent::Change, Priority::Control);
    network.run(MS * 300);
    assert_eq!(waits.try_recv(), Ok(Err(Problem::Expired(Stage::Waiting))));
    assert_eq!(network.wait(first), Ok(off()));
    network.run(SECOND * 20);
    assert_eq!(network.bmcs[0].controls, 0);
}

#[test]
fn a_change_whose_time_is_over_before_the_session_opens_is_never_sent() {
    let mut network = one();
    network.bmcs[0].is_dead = true;
    let mut answer = network.submit_within(MS * 500, 0, CHASSIS_CONTROL, Intent::Change, Priority::Control);
    network.run(MS * 500);
    assert_eq!(answer.try_recv(), Ok(Err(Problem::Expired(Stage::Calling))));
    network.bmcs[0].is_dead = false;
    network.run(SECOND * 10);
    assert!(network.bmcs[0].has_session(), "the session still opens");
    assert_eq!(network.bmcs[0].controls, 0);
}

/// The answer that a change waits for and its deadline come at the same moment, as after a pause of the whole system.
#[test]
fn a_change_whose_time_is_over_is_not_sent_by_a_late_answer() {
    let mut network = one();
    let answer = network.read(0);
    network.wait(answer).unwrap();
    network.bmcs[0].thinks = MS * 10;
    let mut change = network.submit_within(MS * 5, 0, CHASSIS_CONTROL, Intent::Change, Priority::Control);
    network.sleep_through(SECOND);
    assert!(matches!(change.try_recv(), Ok(Err(Problem::Expired(_)))));
    network.run(SECOND * 5);
    assert_eq!(network.bmcs[0].controls, 0);
}

#[test]
fn a_raw_command_gets_no_more_privilege_than_it_needs() {
    let mut network = one();
    let answer = network.submit(0, 0x0f, Intent::Raw, Priority::Control);
    network.wait(answer).unwrap();
    assert_eq!(network.bmcs[0].count(session::SET_SESSION_PRIVILEGE), 0);
}

#[test]
fn answers_that_come_only_when_asked_twice_slow_the_pace() {
    let mut network = one();
    let answer = network.read(0);
    network.wait(answer).unwrap();
    network.loss = 100;
    let mut answer = network.read(0);
    network.run(MS * 100);
    network.loss = 0;
    network.run(SECOND);
    assert!(answer.try_recv().unwrap().is_ok());
    assert_eq!(row(&mut network).pause, MS * 10);
}

#[test]
fn a_bmc_that_only_gets_changes_is_known_to_be_dead_as_well() {
    let mut network = one();
    network.bmcs[0].is_dead = true;
    drop(network.submit_within(MS * 500, 0, CHASSIS_CONTROL, Intent::Change, Priority::Control));
    network.run(SECOND * 15);
    assert!(matches!(network.control(0).try_recv(), Ok(Err(Problem::Known { .. }))));
}

#[test]
fn a_change_without_answer_leaves_doubt_and_makes_room_for_a_look() {
    let mut network = one();
    let answer = network.read(0);
    network.wait(answer).unwrap();
    network.bmcs[0].mute = Some(CHASSIS_CONTROL);
    let mut change = network.submit_within(SECOND * 3, 0, CHASSIS_CONTROL, Intent::Change, Priority::Control);
    network.run(SECOND * 3);
    assert_eq!(change.try_recv(), Ok(Err(Problem::Expired(Stage::Sent))));
    let look = network.submit(0, GET_CHASSIS_STATUS, Intent::Read, Priority::Control);
    assert_eq!(network.wait(look), Ok(Response { data: vec![1, 0, 0], ..off() }));
    assert_eq!(network.bmcs[0].controls, 1);
}

#[test]
fn sessions_are_closed_when_idle_and_opened_again() {
    let mut network = one();
    for _ in 0..5 {
        let answer = network.read(0);
        network.wait(answer).unwrap();
        network.run(SECOND * 40);
        assert!(network.bmcs[0].has_session());
    }
    network.run(SECOND * 20);
    assert!(!network.bmcs[0].has_session());
    let sent = network.sent;
    network.run(SECOND * 600);
    assert_eq!(network.sent, sent);
    let answer = network.read(0);
    assert_eq!(network.wait(answer), Ok(off()));
    assert_eq!(row(&mut network).session_opens, 2);
}

/// How many datagrams a BMC gets in ten rounds of two polls that come after such pauses, and how many sessions it has.
fn poll(pause: Duration) -> (usize, u64) {
    let mut network = one();
    for _ in 0..10 {
        for _ in 0..2 {
            let answer = network.submit(0, GET_CHASSIS_STATUS, Intent::Read, Priority::Poll);
            network.wait(answer).unwrap();
        }
        network.run(pause);
    }
    (network.sent, row(&mut network).session_opens)
}

#[test]
fn sessions_are_kept_between_polls_as_long_as_that_is_cheaper_than_a_login() {
    let login = 3;
    assert_eq!(poll(SECOND * 40), (login + 20, 1));
    // After the first pause nobody knows that more polls come; from then on, one question keeps the session.
    assert_eq!(poll(SECOND * 60), (2 * login + 20 + 1 + 9, 2));
    assert_eq!(poll(SECOND * 120), (2 * login + 20 + 1 + 9 * 2, 2));
    // Less often, a login is cheaper.
    assert_eq!(poll(SECOND * 400), (10 * login + 20 + 10, 10));
}

#[test]
fn a_session_is_closed_when_the_polls_stop() {
    let mut network = one();
    for _ in 0..3 {
        let answer = network.submit(0, GET_CHASSIS_STATUS, Intent::Read, Priority::Poll);
        network.wait(answer).unwrap();
        network.run(SECOND * 60);
    }
    assert!(network.bmcs[0].has_session());
    network.run(SECOND * 100);
    assert!(!network.bmcs[0].has_session());
    let sent = network.sent;
    network.run(SECOND * 600);
    assert_eq!(network.sent, sent);
}

#[test]
fn at_the_end_every_session_is_closed_and_nobody_is_left_waiting() {
    let mut network =
        Network::new(100, Settings { outstanding: NonZeroUsize::new(7).unwrap(), ..Settings::default() });
    for bmc in 0..100 {
        drop(network.read(bmc));
    }
    network.run(SECOND);
    network.bmcs[3].thinks = MS * 50;
    let mut on_wire = network.read(3);
    let mut waits = network.control(3);
    network.core.close(network.now);
    network.transmit();
    assert!(!network.core.is_quiet());
    assert_eq!(waits.try_recv(), Ok(Err(Problem::Stopped { sent: false })));
    network.run(SECOND);
    assert!(network.core.is_quiet());
    assert_eq!(on_wire.try_recv(), Ok(Ok(off())));
    assert!(network.bmcs.iter().all(|bmc| !bmc.has_session()));
    assert_eq!(network.read(0).try_recv(), Ok(Err(Problem::Stopped { sent: false })));
}

#[test]
fn an_address_that_cannot_be_reached_is_known_at_once() {
    let mut network = Network::new(2, Settings::default());
    let mut answer = network.control(0);
    network.core.on_unreachable(address(0), network.now);
    assert_eq!(answer.try_recv(), Ok(Err(Problem::Session(Failure::Unreachable))));
    let other = network.read(1);
    assert_eq!(network.wait(other), Ok(off()));
}

#[test]
fn strangers_are_dropped_and_counted() {
    let mut network = one();
    network.core.on_datagram(([127, 9, 9, 9], 623).into(), &[6, 0, 0xff, 7], network.now);
    network.core.on_datagram(address(0), &[0; 2000], network.now);
    assert_eq!((network.core.strays(), row(&mut network).dropped), (1, 1));
}

#[test]
fn bad_lines_repeat_no_change_and_give_no_wrong_value() {
    let mut network = Network::new(20, Settings::default());
    (network.loss, network.duplicates, network.damage) = (20, 20, 10);
    let (mut unanswered, mut changes) = (0, 0);
    for _ in 0..30 {
        let controls: Vec<_> = (0..20).map(|bmc| network.control(bmc)).collect();
        changes += controls.len();
        network.run(SECOND * 12);
        for mut control in controls {
            match control.try_recv().unwrap() {
                Ok(response) => assert!(response.completion.is_ok()),
                Err(problem) => unanswered += usize::from(problem.leaves_doubt()),
            }
        }
        let reads: Vec<_> = (0..20).map(|bmc| network.read(bmc)).collect();
        network.run(SECOND * 12);
        for (mut read, bmc) in reads.into_iter().zip(&network.bmcs) {
            if let Ok(response) = read.try_recv().unwrap() {
                assert_eq!(response.data[0], u8::from(bmc.is_on));
            }
        }
    }
    let carried_out: usize = network.bmcs.iter().map(|bmc| usize::try_from(bmc.controls).unwrap()).sum();
    assert!(carried_out <= changes && carried_out + unanswered >= changes / 2, "{carried_out} of {changes}");
    assert!(network.bmcs.iter().all(|bmc| bmc.controls <= 30));
    assert!(unanswered > 0, "the line was not bad enough to prove anything");
}

#[test]
fn no_more_than_the_bound_are_asked_at_once_and_the_silent_do_not_block_the_others() {
    let bound = 16;
    let settings = Settings { outstanding: NonZeroUsize::new(bound).unwrap(), ..Settings::default() };
    let mut network = Network::new(500, settings);
    for bmc in network.bmcs.iter_mut().step_by(10) {
        bmc.is_dead = true;
    }
    let answers: Vec<_> = (0..500).map(|bmc| network.read(bmc)).collect();
    assert_eq!(network.sent, bound);
    network.run(SECOND * 3);
    let answered = answers.into_iter().filter_map(|mut answer| answer.try_recv().ok()).filter(Result::is_ok);
    assert_eq!(answered.count(), 450);
}

#[test]
fn control_of_one_bmc_goes_before_reads_of_others() {
    let settings = Settings { outstanding: NonZeroUsize::MIN, ..Settings::default() };
    let mut network = Network::new(50, settings);
    let reads: Vec<_> = (0..49).map(|bmc| network.read(bmc)).collect();
    let control = network.control(49);
    network.wait(control).unwrap();
    assert!(reads.into_iter().filter_map(|mut read| read.try_recv().ok()).count() <= 1);
}

/// Ten thousand of them fit into a small machine.
#[test]
fn a_bmc_that_is_not_in_use_is_small() {
    let size = size_of::<super::Slot>();
    assert!(size <= 1024, "{size} bytes");
}

/// Counts what is done, not how long it takes.
#[test]
fn ten_thousand_sessions_cost_nothing_while_one_is_asked() {
    let mut network = Network::new(10_000, Settings::default());
    let answers: Vec<_> = (0..10_000).map(|bmc| network.read(bmc)).collect();
    network.run(SECOND * 5);
    assert!(answers.into_iter().all(|mut answer| answer.try_recv().unwrap() == Ok(off())));
    assert_eq!(network.sent, 10_000 * 4);
    let (sent, wakes) = (network.sent, network.wakes);
    for _ in 0..1000 {
        let answer = network.read(7);
        network.wait(answer).unwrap();
    }
    assert_eq!(network.sent - sent, 1000);
    assert!(network.wakes - wakes < 50, "{} wakes", network.wakes - wakes);
    network.run(SECOND * 60);
    assert!(network.bmcs.iter().all(|bmc| !bmc.has_session()));
    assert!(network.wakes - wakes < 30_000, "{} wakes", network.wakes - wakes);
}

#[test]
fn a_probe_asks_something_harmless() {
    let mut network = one();
    network.bmcs[0].is_dead = true;
    drop(network.read(0));
    network.run(SECOND * 20);
    network.bmcs[0].is_dead = false;
    network.run(SECOND * 60);
    assert_eq!(network.bmcs[0].seen.first().map(|(_, command)| *command), Some(app::GET_DEVICE_ID));
}
