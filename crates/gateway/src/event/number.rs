//! The numbers of events, and which of them were never given: after a start some are left out, because events that were
//! shown may have had them although they never reached the disk.

/// How many numbers are left out at each start: more than events can happen while the disk cannot be written.
const SKIPPED: u64 = 1_000_000;

/// How many starts are remembered. Of older ones it is only known that there were more events than there were.
pub(super) const MOST_GAPS: usize = 1_024;

/// No number is greater, so that every program can read it, also those that know only floating-point numbers. What has a
/// greater one is damaged.
pub(super) const GREATEST: u64 = 1 << 53;

/// Numbers that were never given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gap {
    /// The last number before them.
    pub(super) after: u64,
    /// How many there are.
    pub(super) skipped: u64,
}

/// Which numbers were given.
#[derive(Debug)]
pub(super) struct Numbers {
    /// The next one.
    next: u64,
    /// In ascending order.
    gaps: Vec<Gap>,
}

impl Numbers {
    /// Numbers that go on after `latest`, with the gaps that were left before, in ascending order.
    pub(super) fn after(latest: Option<u64>, gaps: Vec<Gap>) -> Self {
        let mut numbers = Self { next: latest.unwrap_or(0) + 1, gaps };
        if latest.is_some() {
            numbers.skip(SKIPPED);
        }
        numbers
    }

    /// Goes on after `latest`, with the gaps that were left before that. Nothing if a number up to there was given already.
    pub(super) fn continue_after(&mut self, latest: u64, mut gaps: Vec<Gap>) -> Option<()> {
        let first = self.gaps.first().filter(|gap| gap.after == 0).map_or(1, |gap| gap.skipped + 1);
        let skipped = first.checked_sub(latest + 1)?;
        let here = Gap { after: latest, skipped };
        gaps.extend(Some(here).filter(|gap| gap.skipped > 0));
        gaps.extend(self.gaps.iter().filter(|gap| gap.after >= first));
        let surplus = gaps.len().saturating_sub(MOST_GAPS);
        gaps.drain(..surplus);
        self.gaps = gaps;
        Some(())
    }

    /// Leaves out all numbers below `next`.
    pub(super) fn skip_to(&mut self, next: u64) {
        self.skip(next.saturating_sub(self.next));
    }

    fn skip(&mut self, skipped: u64) {
        if skipped > 0 {
            self.gaps.push(Gap { after: self.next - 1, skipped });
            self.next += skipped;
        }
        let surplus = self.gaps.len().saturating_sub(MOST_GAPS);
        self.gaps.drain(..surplus);
    }

    pub(super) fn give(&mut self) -> u64 {
        let number = self.next;
        self.next += 1;
        number
    }

    /// Whether `number` was given, or left out; what is greater belongs to another log.
    pub(super) const fn is_known(&self, number: u64) -> bool {
        number < self.next
    }

    /// The numbers that were left out, in ascending order.
    pub(super) fn gaps(&self) -> &[Gap] {
        &self.gaps
    }

    /// A number up to `latest` after which `count` were given up to there; the beginning if there are not so many.
    pub(super) fn back(&self, latest: u64, count: u64) -> u64 {
        let (mut number, mut left) = (latest, count);
        for gap in self.gaps.iter().rev().filter(|gap| gap.after < latest) {
            let given = number.saturating_sub(gap.after.saturating_add(gap.skipped));
            if left <= given {
                break;
            }
            (number, left) = (gap.after, left - given);
        }
        number.saturating_sub(left)
    }

    /// How many numbers were given that are greater than `after` and less than `before`.
    pub(super) fn given_between(&self, after: u64, before: u64) -> u64 {
        let before = before.min(self.next);
        let all = before.saturating_sub(after).saturating_sub(1);
        let skipped = self.gaps.iter().map(|gap| {
            let first = after.max(gap.after);
            let last = before.saturating_sub(1).min(gap.after.saturating_add(gap.skipped));
            last.saturating_sub(first)
        });
        skipped.fold(all, u64::saturating_sub)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_go_on_after_a_gap() {
        let mut first = Numbers::after(None, Vec::new());
        assert_eq!((first.give(), first.give()), (1, 2));
        let mut second = Numbers::after(Some(2), first.gaps().to_vec());
        assert!(second.is_known(SKIPPED) && !second.is_known(SKIPPED + 3));
        assert_eq!(second.give(), SKIPPED + 3);
        assert_eq!(second.given_between(0, SKIPPED + 4), 3);
        assert_eq!(second.given_between(2, SKIPPED + 3), 0);
        assert_eq!(second.given_between(500, SKIPPED + 4), 1);
        assert_eq!(second.given_between(7, 3), 0);
    }

    #[test]
    fn numbers_that_were_given_without_a_file_come_after_those_in_it() {
        let mut numbers = Numbers::after(None, Vec::new());
        numbers.skip_to(5_000);
        assert_eq!((numbers.give(), numbers.give()), (5_000, 5_001));
        assert_eq!(numbers.continue_after(5_000, Vec::new()), None);
        let before = Gap { after: 20, skipped: 30 };
        numbers.continue_after(60, vec![before]).unwrap();
        assert_eq!(numbers.gaps(), [before, Gap { after: 60, skipped: 4_939 }]);
        assert_eq!(numbers.given_between(0, 5_002), 32);
        assert_eq!(numbers.give(), 5_002);
    }

    #[test]
    fn old_gaps_are_forgotten() {
        let mut gaps = Vec::new();
        for start in 0..2_000 {
            gaps = Numbers::after(Some(start * 2 * SKIPPED), gaps).gaps().to_vec();
        }
        assert_eq!(gaps.len(), MOST_GAPS);
    }

    proptest! {
        #[test]
        fn only_numbers_that_were_given_are_counted(runs in prop::collection::vec(0..20_u64, 1..6), after in 0..40_u64, before in 0..60_u64) {
            let mut numbers = Numbers::after(None, Vec::new());
            let mut given = Vec::new();
            for run in runs {
                given.extend((0..run).map(|_| numbers.give()));
                numbers.skip_to(numbers.next + run / 2);
            }
            let expected = given.iter().filter(|number| (after + 1..before).contains(number)).count();
            prop_assert_eq!(numbers.given_between(after, before), expected as u64);
            let back = numbers.back(numbers.next - 1, after);
            let behind = given.iter().filter(|number| **number > back).count();
            prop_assert_eq!(behind, given.len().min(usize::try_from(after).unwrap()));
        }
    }
}
