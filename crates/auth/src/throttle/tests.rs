//! Everybody who fails, in virtual time: people who mistype, people who guess, and crowds.

use proptest::prelude::*;

use super::*;

/// Everybody in one room, at a time that only tests move.
struct Room {
    throttle: Throttle,
    now: Instant,
}

impl Room {
    fn new() -> Self {
        Self::with(Limits::default())
    }

    fn with(limits: Limits) -> Self {
        Self { throttle: Throttle::new(limits), now: tokio::time::Instant::now().into_std() }
    }

    fn wait(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
    }

    fn begin(&mut self, user: &str, from: &str) -> Verdict {
        self.throttle.begin(user, address(from), self.now)
    }

    /// Tries to log in; how long that is refused, if it is.
    fn attempt(&mut self, user: &str, from: &str, outcome: Outcome) -> Result<(), u64> {
        match self.begin(user, from) {
            Verdict::Permitted(permit) => {
                self.throttle.finish(permit, outcome, self.now);
                Ok(())
            }
            Verdict::Locked(time) => Err(time.as_secs()),
            Verdict::Busy => panic!("nothing runs"),
        }
    }

    fn fail(&mut self, user: &str, from: &str) -> Result<(), u64> {
        self.attempt(user, from, Outcome::Failure)
    }

    fn log_in(&mut self, user: &str, from: &str) -> Result<(), u64> {
        self.attempt(user, from, Outcome::Success)
    }

    /// Fails as often as that is passed on, and says how often that was.
    fn exhaust(&mut self, user: &str, from: &str) -> usize {
        let mut failures = 0;
        loop {
            match self.fail(user, from) {
                Ok(()) => failures += 1,
                Err(pause @ 0..=4) => self.wait(pause),
                Err(_) => return failures,
            }
        }
    }
}

fn address(text: &str) -> Option<IpAddr> {
    text.parse().ok()
}

const HOME: &str = "10.0.0.7";
const ELSEWHERE: &str = "203.0.113.9";

#[test]
fn a_user_may_fail_three_times_and_then_once_in_a_quarter_of_an_hour() {
    let mut room = Room::new();
    assert_eq!((room.fail("ada", HOME), room.fail("ada", HOME)), (Ok(()), Err(1)));
    room.wait(1);
    assert_eq!((room.fail("ada", HOME), room.fail("ada", HOME)), (Ok(()), Err(2)));
    room.wait(2);
    assert_eq!((room.fail("ada", HOME), room.fail("ada", HOME)), (Ok(()), Err(900)));
    for _ in 0..3 {
        room.wait(899);
        assert_eq!((room.log_in("ada", HOME), room.fail("ada", ELSEWHERE)), (Err(1), Err(1)));
        room.wait(1);
        assert_eq!((room.fail("ada", HOME), room.fail("ada", HOME)), (Ok(()), Err(900)));
    }
    room.wait(900 + 6 * 900);
    assert_eq!(room.exhaust("ada", HOME), 3, "all is forgotten");
}

#[test]
fn a_name_is_the_same_user_however_it_is_written() {
    let mut room = Room::new();
    assert_eq!(room.exhaust("Ada", HOME), 3);
    for name in ["ada", "ADA", " ada "] {
        assert!(room.fail(name, HOME).is_err(), "{name}");
    }
    assert_eq!(room.fail("bob", HOME), Ok(()));
}

#[test]
fn of_many_attempts_at_once_no_more_can_fail_than_one_after_the_other() {
    let mut room = Room::new();
    let verdicts: Vec<Verdict> = (0..100).map(|_| room.begin("ada", HOME)).collect();
    let (permitted, others): (Vec<_>, Vec<_>) =
        verdicts.into_iter().partition(|verdict| matches!(verdict, Verdict::Permitted(_)));
    assert_eq!(permitted.len(), 3);
    assert!(others.iter().all(|verdict| *verdict == Verdict::Busy));
    for verdict in permitted {
        let Verdict::Permitted(permit) = verdict else { unreachable!() };
        room.throttle.finish(permit, Outcome::Failure, room.now);
    }
    assert_eq!(room.fail("ada", HOME), Err(900));
}

#[test]
fn attempts_that_wait_go_on_when_another_one_has_succeeded_or_was_not_answered() {
    let mut room = Room::new();
    let mut permits: Vec<Permit> = std::iter::from_fn(|| match room.begin("ada", HOME) {
        Verdict::Permitted(permit) => Some(permit),
        _ => None,
    })
    .collect();
    for outcome in [Outcome::Unknown, Outcome::Success] {
        room.throttle.finish(permits.pop().unwrap(), outcome, room.now);
        let Verdict::Permitted(permit) = room.begin("ada", HOME) else { panic!("{outcome:?}") };
        permits.push(permit);
    }
}

#[test]
fn a_login_forgives_what_has_failed_from_there_and_nothing_else() {
    let mut room = Room::new();
    assert_eq!(room.fail("ada", HOME), Ok(()));
    room.wait(1);
    assert_eq!((room.fail("ada", HOME), room.fail("ada", HOME)), (Ok(()), Err(2)));
    room.wait(2);
    assert_eq!(room.log_in("ada", HOME), Ok(()));
    assert_eq!(room.exhaust("ada", ELSEWHERE), 3);

    let mut room = Room::new();
    assert_eq!(room.fail("ada", ELSEWHERE), Ok(()));
    room.wait(1);
    assert_eq!(room.log_in("ada", HOME), Ok(()));
    assert_eq!(room.exhaust("ada", ELSEWHERE), 2);
}

#[test]
fn nobody_elsewhere_locks_out_whom_an_address_knows() {
    let mut room = Room::new();
    assert_eq!(room.log_in("ada", HOME), Ok(()));
    let mut guesses = 0;
    for _ in 0..24 * 60 {
        guesses += room.exhaust("ada", ELSEWHERE);
        assert_eq!(room.log_in("ada", HOME), Ok(()));
        room.wait(60);
    }
    assert!((90..=100).contains(&guesses), "{guesses}");
}

#[test]
fn a_known_address_has_one_attempt_of_its_own() {
    let mut room = Room::new();
    assert_eq!(room.log_in("ada", HOME), Ok(()));
    assert_eq!(room.exhaust("ada", ELSEWHERE), 3);
    assert_eq!(room.fail("ada", HOME), Ok(()));
    let pause = room.fail("ada", HOME).unwrap_err();
    assert!((890..=900).contains(&pause), "{pause}");
    room.wait(900);
    assert_eq!(room.log_in("ada", HOME), Ok(()));

    // Where nobody else fails, it is one of three.
    let mut room = Room::new();
    assert_eq!(room.log_in("ada", HOME), Ok(()));
    assert_eq!(room.exhaust("ada", HOME), 3);
}

#[test]
fn an_own_attempt_runs_once_at_a_time() {
    let mut room = Room::new();
    assert_eq!(room.log_in("ada", HOME), Ok(()));
    assert_eq!(room.exhaust("ada", ELSEWHERE), 3);
    let Verdict::Permitted(permit) = room.begin("ada", HOME) else { panic!("refused") };
    assert_eq!(room.begin("ada", HOME), Verdict::Busy);
    room.throttle.finish(permit, Outcome::Success, room.now);
    assert_eq!(room.log_in("ada", HOME), Ok(()));
}

#[test]
fn an_address_is_known_for_a_day() {
    for (hours, expected) in [(23, true), (24, false)] {
        let mut room = Room::new();
        assert_eq!(room.log_in("ada", HOME), Ok(()));
        room.wait(hours * 3_600);
        assert_eq!(room.exhaust("ada", ELSEWHERE), 3);
        assert_eq!(room.log_in("ada", HOME).is_ok(), expected, "{hours} h");
    }
}

#[test]
fn only_the_last_addresses_of_a_user_are_known() {
    let mut room = Room::new();
    for host in 0..=MAX_KNOWN {
        assert_eq!(room.log_in("ada", &format!("10.0.0.{host}")), Ok(()));
        room.wait(1);
    }
    assert_eq!(room.exhaust("ada", ELSEWHERE), 3);
    assert!(room.log_in("ada", "10.0.0.0").is_err());
    assert_eq!(room.log_in("ada", "10.0.0.1"), Ok(()));
}

#[test]
fn whoever_tries_many_users_from_one_address_is_slowed_down() {
    let mut room = Room::new();
    assert_eq!(room.log_in("ada", HOME), Ok(()));
    let mut failures = 0;
    for user in 0..600 {
        failures += usize::from(room.fail(&format!("user-{user}"), HOME).is_ok());
        room.wait(1);
    }
    assert!((15..=25).contains(&failures), "{failures} in ten minutes");
    assert!(room.log_in("bob", HOME).is_err(), "bob was never here");
    assert_eq!(room.log_in("ada", HOME), Ok(()), "others fail here, ada does not");
    assert_eq!(room.log_in("bob", ELSEWHERE), Ok(()));
}

#[test]
fn a_few_failures_in_a_crowd_cost_nothing() {
    let mut room = Room::new();
    for user in 0..500 {
        assert_eq!(room.fail(&format!("user-{user}"), HOME), Ok(()), "{user}");
        room.wait(20);
    }
}

#[test]
fn a_whole_network_of_ipv6_is_one_address() {
    let mut room = Room::new();
    let mut failures = 0;
    for host in 0..100 {
        failures +=
            usize::from(room.fail(&format!("user-{host}"), &format!("2001:db8:0:1::{host:x}")).is_ok());
    }
    assert_eq!(failures, 11, "ten for nothing, and one that costs a pause");
    assert_eq!(room.fail("ada", "2001:db8:0:2::1"), Ok(()));
    assert_eq!(Address::of(address("::ffff:10.0.0.7")), Address::of(address(HOME)));
    assert_ne!(Address::of(None), Address::of(address("::")));
}

#[test]
fn tokens_that_are_none_count_for_the_address_until_it_is_not_heard() {
    let mut room = Room::new();
    let from = address(HOME);
    for _ in 0..11 {
        assert_eq!(room.throttle.reject(from, room.now), None);
    }
    assert_eq!(room.throttle.reject(from, room.now), Some(Duration::from_secs(1)));
    assert_eq!(room.fail("ada", HOME), Err(1));
    room.wait(1);
    assert_eq!(room.throttle.reject(from, room.now), None);
    assert_eq!(room.throttle.reject(from, room.now), Some(Duration::from_secs(2)));
    room.wait(600);
    assert_eq!((room.throttle.reject(from, room.now), room.fail("ada", HOME)), (None, Ok(())));
}

#[test]
fn pauses_double_up_to_a_quarter_of_an_hour() {
    let limits =
        Limits { address_recovery: Duration::from_hours(1), address_failures: 100, ..Limits::default() };
    let mut room = Room::with(limits);
    let mut pauses = Vec::new();
    for _ in 0..63 {
        match room.throttle.reject(address(HOME), room.now) {
            None => {}
            Some(pause) => {
                pauses.push(pause.as_secs());
                room.now += pause;
            }
        }
    }
    assert_eq!(pauses, [1, 2, 4, 8, 16, 32]);
    for _ in 0..12 {
        if let Some(pause) = room.throttle.reject(address(HOME), room.now) {
            pauses.push(pause.as_secs());
            room.now += pause;
        }
    }
    assert_eq!(pauses[6..], [64, 128, 256, 512, 900, 900]);
}

#[test]
fn neither_names_nor_addresses_fill_the_memory_and_users_are_not_forgotten_for_them() {
    let limits = Limits { max_users: 160, max_addresses: 160, ..Limits::default() };
    let mut room = Room::with(limits);
    assert_eq!(room.log_in("ada", HOME), Ok(()));
    assert_eq!(room.exhaust("ada", ELSEWHERE), 3);
    assert_eq!(room.exhaust("bob", ELSEWHERE), 3);
    let Verdict::Permitted(running) = room.begin("eve", "10.0.0.9") else { panic!("refused") };
    for crowd in 0..20_000_u32 {
        let from = Ipv4Addr::from_bits(0x0b00_0000 + crowd).to_string();
        assert_eq!(room.fail(&format!("user-{crowd}"), &from), Ok(()));
    }
    assert!(room.throttle.users.len() <= 160 && room.throttle.addresses.len() <= 160);
    for user in ["ada", "bob"] {
        assert!(room.fail(user, "192.0.2.1").is_err(), "{user} is forgotten");
    }
    assert_eq!(room.log_in("ada", HOME), Ok(()));
    room.throttle.finish(running, Outcome::Failure, room.now);
    assert_eq!(room.fail("eve", "10.0.0.9"), Err(1));
}

#[test]
fn limits_can_become_stricter_while_it_counts() {
    let mut room = Room::new();
    assert_eq!(room.fail("ada", HOME), Ok(()));
    room.wait(1);
    room.throttle.set_limits(Limits { user_failures: 1, max_users: 1, ..Limits::default() });
    assert_eq!((room.fail("ada", HOME), room.fail("ada", HOME)), (Ok(()), Err(900)));
    assert_eq!(room.fail("bob", HOME), Ok(()));
    assert_eq!(room.throttle.users.len(), 1);
}

#[test]
fn what_was_forgotten_meanwhile_may_still_end() {
    let mut room = Room::with(Limits { max_users: 1, max_addresses: 1, ..Limits::default() });
    let permits: Vec<Verdict> =
        (0..9).map(|user| room.begin(&format!("user-{user}"), &format!("10.0.0.{user}"))).collect();
    for (verdict, outcome) in permits.into_iter().zip([Outcome::Success, Outcome::Failure].repeat(5)) {
        let Verdict::Permitted(permit) = verdict else { panic!("{verdict:?}") };
        room.throttle.finish(permit, outcome, room.now);
    }
}

/// What may happen next.
#[derive(Debug, Clone, Copy)]
enum Step {
    Begin { from: u8 },
    End { outcome: Outcome },
    Wait { seconds: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    let outcome = prop_oneof![
        1 => Just(Outcome::Success),
        8 => Just(Outcome::Failure),
        1 => Just(Outcome::Unknown)
    ];
    prop_oneof![
        6 => (0..4_u8).prop_map(|from| Step::Begin { from }),
        6 => outcome.prop_map(|outcome| Step::End { outcome }),
        2 => (0..5_u64).prop_map(|seconds| Step::Wait { seconds }),
        1 => (100..1_000_u64).prop_map(|seconds| Step::Wait { seconds }),
    ]
}

proptest! {
    /// A directory counts failures until somebody logs in, or none has come for a quarter of an hour.
    #[test]
    fn no_directory_ever_counts_more_than_its_share(steps in prop::collection::vec(step(), 0..400)) {
        let mut room = Room::new();
        let mut running = std::collections::VecDeque::new();
        let (mut counted, mut last) = (0, room.now);
        let mut known = std::collections::HashSet::new();
        for step in steps {
            match step {
                Step::Begin { from } => {
                    if let Verdict::Permitted(permit) = room.begin("ada", &format!("10.0.0.{from}")) {
                        running.push_back((permit, from));
                    }
                }
                // No attempt takes minutes.
                Step::Wait { seconds } if running.is_empty() || seconds < 5 => room.wait(seconds),
                Step::Wait { .. } => {}
                Step::End { outcome } => {
                    let Some((permit, from)) = running.pop_front() else { continue };
                    if room.now - last >= Duration::from_mins(15) {
                        counted = 0;
                    }
                    match outcome {
                        Outcome::Success => {
                            counted = 0;
                            known.insert(from);
                        }
                        Outcome::Failure => (counted, last) = (counted + 1, room.now),
                        Outcome::Unknown => {}
                    }
                    room.throttle.finish(permit, outcome, room.now);
                    prop_assert!(counted <= 3 + known.len(), "{counted} failures, known: {known:?}");
                }
            }
        }
    }
}
