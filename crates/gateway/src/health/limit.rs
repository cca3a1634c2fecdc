//! Limits of one value, with hysteresis.

use opendcre_model::Health;
use serde::Serialize;

/// The most limits that one threshold has.
const MOST: usize = 4;

/// On which side of a limit a value is not normal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Values above it are not.
    Above,
    /// Values below it are not.
    Below,
}

/// A value that must not be crossed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Limit {
    pub(super) value: f64,
    pub(super) side: Side,
    /// What it means if it is crossed.
    pub(super) health: Health,
}

/// The limits of one value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Limits {
    /// The worst first.
    limits: Vec<Limit>,
    hysteresis: f64,
}

/// Which limits a value has crossed, in the order of the limits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Crossed([bool; MOST]);

impl Side {
    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Above => "above",
            Self::Below => "below",
        }
    }
}

impl Limit {
    /// How far `value` is on the wrong side.
    fn excess(&self, value: f64) -> f64 {
        match self.side {
            Side::Above => value - self.value,
            Side::Below => self.value - value,
        }
    }
}

impl Limits {
    /// At most four limits, from which a value must come back by more than `hysteresis`.
    pub(super) fn new(mut limits: Vec<Limit>, hysteresis: f64) -> Self {
        limits.truncate(MOST);
        limits.sort_by_key(|limit| std::cmp::Reverse(limit.health));
        Self { limits, hysteresis }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.limits.is_empty()
    }

    /// Which limits are crossed when the next value is `value`.
    pub(super) fn cross(&self, before: Crossed, value: f64) -> Crossed {
        let mut after = Crossed::default();
        for ((limit, was), is) in self.limits.iter().zip(before.0).zip(&mut after.0) {
            let excess = limit.excess(value);
            *is = excess > 0.0 || was && excess >= -self.hysteresis;
        }
        after
    }

    /// What is wrong with a value that has crossed these.
    pub(super) fn health(&self, crossed: Crossed) -> Health {
        self.worst(crossed).map_or(Health::Ok, |limit| limit.health)
    }

    /// The worst limit that is crossed.
    pub(super) fn worst(&self, crossed: Crossed) -> Option<&Limit> {
        self.limits.iter().zip(crossed.0).find(|(_, is_crossed)| *is_crossed).map(|(limit, _)| limit)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn limit(side: Side, value: f64, health: Health) -> Limit {
        Limit { value, side, health }
    }

    fn limits(hysteresis: f64) -> Limits {
        let all = [
            limit(Side::Above, 30.0, Health::Warning),
            limit(Side::Above, 40.0, Health::Critical),
            limit(Side::Below, 5.0, Health::Warning),
            limit(Side::Below, 0.0, Health::Critical),
        ];
        Limits::new(all.to_vec(), hysteresis)
    }

    fn judge(limits: &Limits, values: &[f64]) -> Vec<Health> {
        let mut crossed = Crossed::default();
        let mut health = |value| {
            crossed = limits.cross(crossed, value);
            limits.health(crossed)
        };
        values.iter().map(|value| health(*value)).collect()
    }

    #[test]
    fn a_value_must_come_back_by_more_than_the_hysteresis() {
        use Health::{Critical, Ok, Warning};
        let limits = limits(2.0);
        assert_eq!(
            judge(&limits, &[30.0, 30.1, 29.0, 28.0, 27.9, 29.0]),
            [Ok, Warning, Warning, Warning, Ok, Ok]
        );
        assert_eq!(judge(&limits, &[41.0, 38.0, 37.0, 27.0]), [Critical, Critical, Warning, Ok]);
        assert_eq!(judge(&limits, &[-1.0, 1.0, 2.5, 7.0, 7.1]), [Critical, Critical, Warning, Warning, Ok]);
        // What was crossed on one side says nothing about the other.
        assert_eq!(judge(&limits, &[-1.0, 29.0, 41.0, 6.0]), [Critical, Ok, Critical, Ok]);
    }

    #[test]
    fn without_hysteresis_a_value_at_the_limit_stays_what_it_was() {
        use Health::{Ok, Warning};
        assert_eq!(judge(&limits(0.0), &[30.0, 31.0, 30.0, 29.9]), [Ok, Warning, Warning, Ok]);
    }

    proptest! {
        #[test]
        fn noise_within_the_hysteresis_changes_the_health_once_at_most(noise in prop::collection::vec(-1.0..1.0, 1..50)) {
            for limit in [0.0, 5.0, 30.0, 40.0] {
                let values: Vec<f64> = noise.iter().map(|noise| limit + noise).collect();
                let healths = judge(&limits(2.5), &values);
                let changes = healths.windows(2).filter(|pair| pair[0] != pair[1]).count();
                prop_assert!(changes <= 1, "{values:?} {healths:?}");
            }
        }

        #[test]
        fn any_value_is_judged(values in prop::collection::vec(prop::num::f64::ANY, 0..20), hysteresis in 0.0..1e9) {
            prop_assert_eq!(judge(&limits(hysteresis), &values).len(), values.len());
        }
    }
}
