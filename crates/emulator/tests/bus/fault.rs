//! Faults happen as planned, and the same again with the same seed.

use std::time::Duration;

use opendcre_emulator::bus::{FaultPlan, Faults, TimedAnswer};

const ANSWER: &[u8] = b"an answer";

/// What becomes of the answers to so many requests.
fn spoiled(plan: FaultPlan, requests: usize) -> Vec<Vec<TimedAnswer>> {
    let mut faults = Faults::new(plan);
    (0..requests).map(|_| faults.apply(vec![ANSWER.to_vec()])).collect()
}

fn everything(seed: u64) -> FaultPlan {
    FaultPlan {
        seed,
        drop: 0.1,
        corrupt: 0.2,
        delay: 0.3,
        delay_max: Duration::from_millis(40),
        duplicate: 0.2,
        noise: 0.2,
        truncate: 0.2,
        silence: 0.05,
    }
}

#[test]
fn without_faults_answers_pass_unchanged() {
    let answers = Faults::new(FaultPlan::default()).apply(vec![vec![1], vec![2, 3]]);
    let plain = |bytes: &[u8]| TimedAnswer { delay: Duration::ZERO, bytes: bytes.to_vec() };
    assert_eq!(answers, [plain(&[1]), plain(&[2, 3])]);
}

#[test]
fn the_seed_decides() {
    assert_eq!(spoiled(everything(7), 500), spoiled(everything(7), 500));
    assert_ne!(spoiled(everything(7), 500), spoiled(everything(8), 500));
}

#[test]
fn dropped_answers_are_gone() {
    let plan = FaultPlan { drop: 1.0, ..FaultPlan::default() };
    assert!(spoiled(plan, 50).iter().all(Vec::is_empty));
}

#[test]
fn about_the_planned_share_is_dropped() {
    let plan = FaultPlan { drop: 0.25, ..FaultPlan::default() };
    let dropped = spoiled(plan, 4000).iter().filter(|answers| answers.is_empty()).count();
    assert!((900..1100).contains(&dropped), "{dropped}");
}

#[test]
fn corruption_changes_exactly_one_byte() {
    let plan = FaultPlan { corrupt: 1.0, ..FaultPlan::default() };
    for answers in spoiled(plan, 200) {
        let changed = answers[0].bytes.iter().zip(ANSWER).filter(|(a, b)| a != b);
        assert_eq!(changed.count(), 1);
        assert_eq!(answers[0].bytes.len(), ANSWER.len());
    }
}

#[test]
fn truncation_keeps_a_true_beginning() {
    let plan = FaultPlan { truncate: 1.0, ..FaultPlan::default() };
    for answers in spoiled(plan, 200) {
        let bytes = &answers[0].bytes;
        assert!(ANSWER.starts_with(bytes) && (1..ANSWER.len()).contains(&bytes.len()), "{bytes:?}");
    }
}

#[test]
fn noise_comes_in_front() {
    let plan = FaultPlan { noise: 1.0, ..FaultPlan::default() };
    for answers in spoiled(plan, 200) {
        let bytes = &answers[0].bytes;
        assert!(bytes.ends_with(ANSWER) && (1..=8).contains(&(bytes.len() - ANSWER.len())));
    }
}

#[test]
fn delays_keep_to_their_maximum() {
    let plan = FaultPlan { delay: 1.0, delay_max: Duration::from_millis(40), ..FaultPlan::default() };
    let delays: Vec<_> = spoiled(plan, 200).iter().map(|answers| answers[0].delay).collect();
    assert!(delays.iter().all(|delay| *delay <= Duration::from_millis(40)));
    assert!(delays.iter().any(|delay| *delay > Duration::from_millis(20)));
    let endless = FaultPlan { delay: 1.0, delay_max: Duration::MAX, ..FaultPlan::default() };
    assert_eq!(spoiled(endless, 10).len(), 10, "no overflow");
}

#[test]
fn duplicates_are_equal() {
    let plan = FaultPlan { duplicate: 1.0, ..everything(3) };
    for answers in spoiled(plan, 200).iter().filter(|answers| !answers.is_empty()) {
        assert_eq!(answers.len(), 2);
        assert_eq!(answers[0].bytes, answers[1].bytes);
    }
}

#[test]
fn silence_lasts_a_few_requests() {
    let plan = FaultPlan { silence: 0.05, ..FaultPlan::default() };
    let heard: String =
        spoiled(plan, 2000).iter().map(|answers| if answers.is_empty() { '.' } else { '!' }).collect();
    let lengths: Vec<_> = heard.split('!').map(str::len).filter(|length| *length > 0).collect();
    assert!(lengths.len() > 20, "{} stretches", lengths.len());
    assert!(lengths.iter().any(|length| *length > 1));
    assert!(heard.matches('!').count() > 1000);
}

#[test]
fn faults_of_nothing_are_nothing() {
    let mut faults = Faults::new(everything(1));
    for _ in 0..100 {
        assert!(faults.apply(Vec::new()).is_empty());
        faults.apply(vec![Vec::new(), vec![1]]);
    }
    let nonsense = FaultPlan { drop: f64::NAN, corrupt: -1.0, duplicate: 5.0, ..FaultPlan::default() };
    assert!(spoiled(nonsense, 20).iter().all(|answers| answers.len() == 2));
}
