//! How the rounds of a board went.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use opendcre_model::Query;
use tokio::time::Instant;

use super::round::Report;
use crate::BoardFailure;

/// For how many rounds a question is left out that the equipment cannot answer. It may be able to after an update.
const REST: u32 = 120;

/// What is remembered of the rounds of a board.
#[derive(Debug, Default)]
pub(super) struct Tally {
    rounds: u64,
    skipped: u64,
    unanswered: u32,
    last: Option<Last>,
    late: Duration,
    /// Questions that are left out, and for how many rounds yet.
    resting: HashMap<Query, u32>,
}

/// The last round.
#[derive(Debug)]
struct Last {
    answered_at: Option<(Timestamp, Instant)>,
    took: Duration,
    failures: Vec<(Query, BoardFailure)>,
}

impl Tally {
    pub(super) fn begin(&mut self, late: Duration) {
        self.late = late;
        self.resting.retain(|_, rounds| {
            *rounds -= 1;
            *rounds > 0
        });
    }

    /// The questions of `queries` that are not left out.
    pub(super) fn worth_asking(&self, queries: &[Query]) -> Vec<Query> {
        queries.iter().filter(|query| !self.resting.contains_key(query)).copied().collect()
    }

    pub(super) fn end(&mut self, report: Report, now: Instant) {
        let Report { answered, failures, unsupported, is_crowded_out, time, took, .. } = report;
        self.rounds += 1;
        // Whoever says that it cannot answer has answered.
        let is_unanswered = answered == 0 && failures.len() > unsupported.len() && !is_crowded_out;
        self.resting.extend(unsupported.into_iter().map(|query| (query, REST)));
        self.unanswered = if is_unanswered { self.unanswered.saturating_add(1) } else { 0 };
        let before = self.last.take().and_then(|last| last.answered_at);
        let answered_at = if answered > 0 { Some((time, now)) } else { before };
        self.last = Some(Last { answered_at, took, failures });
    }

    /// Notes that so many rounds were left out because the one before was not over.
    pub(super) fn skip(&mut self, rounds: u32) {
        self.skipped += u64::from(rounds);
    }

    /// How many rounds there were.
    pub(super) const fn rounds(&self) -> u64 {
        self.rounds
    }

    /// How many rounds were left out because the one before was not over.
    pub(super) const fn skipped(&self) -> u64 {
        self.skipped
    }

    /// How many rounds in a row, up to the last one, brought no answer at all.
    pub(super) const fn failures_in_a_row(&self) -> u32 {
        self.unanswered
    }

    /// How much later than planned the last round began.
    pub(super) const fn late(&self) -> Duration {
        self.late
    }

    /// How long the last round took.
    pub(super) fn took(&self) -> Option<Duration> {
        self.last.as_ref().map(|last| last.took)
    }

    /// When a round brought an answer last.
    pub(super) fn answered_at(&self) -> Option<Timestamp> {
        self.last.as_ref()?.answered_at.map(|(time, _)| time)
    }

    /// How long ago that was, whatever the clock said.
    pub(super) fn age(&self, now: Instant) -> Option<Duration> {
        let (_, at) = self.last.as_ref()?.answered_at?;
        Some(now.saturating_duration_since(at))
    }

    /// What was not answered in the last round, and why.
    pub(super) fn failures(&self) -> &[(Query, BoardFailure)] {
        self.last.as_ref().map_or(&[], |last| &last.failures)
    }

    /// The questions that are left out because the equipment cannot answer them.
    pub(super) fn resting(&self) -> impl Iterator<Item = &Query> {
        self.resting.keys()
    }
}

#[cfg(test)]
mod tests {
    use opendcre_model::BoardId;

    use super::*;

    fn failed(count: u32, unsupported: usize) -> Report {
        let failure = BoardFailure { code: "timeout".to_owned(), message: String::new() };
        let query = |number| Query::Version(BoardId(number));
        Report {
            failures: (0..count).map(|number| (query(number), failure.clone())).collect(),
            unsupported: (0..count).map(query).take(unsupported).collect(),
            ..Report::default()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_says_that_it_cannot_answer_has_answered() {
        let mut tally = Tally::default();
        tally.end(failed(2, 2), Instant::now());
        assert_eq!(tally.failures_in_a_row(), 0);
        tally.end(failed(2, 1), Instant::now());
        tally.end(failed(2, 0), Instant::now());
        assert_eq!(tally.failures_in_a_row(), 2);
        tally.end(Report { is_crowded_out: true, ..failed(1, 0) }, Instant::now());
        assert_eq!(tally.failures_in_a_row(), 0, "the wire was busy, not the board silent");
    }

    #[tokio::test(start_paused = true)]
    async fn the_age_of_an_answer_does_not_depend_on_the_clock() {
        let mut tally = Tally::default();
        assert_eq!(tally.age(Instant::now()), None);
        let time = "2300-01-01T00:00:00Z".parse().unwrap();
        tally.end(Report { answered: 1, time, ..Report::default() }, Instant::now());
        tokio::time::advance(Duration::from_secs(7)).await;
        tally.end(failed(1, 0), Instant::now());
        assert_eq!(tally.age(Instant::now()), Some(Duration::from_secs(7)));
        assert_eq!(tally.answered_at(), Some(time));
    }

    #[test]
    fn a_question_that_cannot_be_answered_rests_for_a_while() {
        let mut tally = Tally::default();
        let queries = [Query::Version(BoardId(0)), Query::Version(BoardId(1))];
        tally.end(failed(1, 1), Instant::now());
        assert_eq!(tally.worth_asking(&queries), [queries[1]]);
        for _ in 0..REST {
            tally.begin(Duration::ZERO);
        }
        assert_eq!(tally.worth_asking(&queries), queries);
    }
}
