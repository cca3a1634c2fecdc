//! Which events a destination wants.

use opendcre_gateway::{Event, EventKind, Glob, Severity};
use thiserror::Error;

/// Which events a destination wants. All conditions must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    kinds: Vec<EventKind>,
    least: Severity,
    racks: Vec<Glob>,
}

/// Why a filter makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FilterError {
    /// A pattern is empty or too long.
    #[error("the pattern {0:?} will not do; write 1 to 256 characters, of which `*` stands for any text")]
    BadPattern(String),
}

impl Filter {
    /// Events of these kinds, or of every kind if there are none, of this severity or a worse one, about boards in racks
    /// that fit one of these patterns; without patterns also about no board.
    ///
    /// # Errors
    /// A pattern that cannot fit anything.
    pub fn new(kinds: Vec<EventKind>, least: Severity, racks: &[String]) -> Result<Self, FilterError> {
        let glob = |text: &String| Glob::new(text).ok_or_else(|| FilterError::BadPattern(text.clone()));
        Ok(Self { kinds, least, racks: racks.iter().map(glob).collect::<Result<_, _>>()? })
    }

    /// Whether this one is wanted.
    pub(crate) fn lets_through(&self, event: &Event) -> bool {
        let of_kind = self.kinds.is_empty() || self.kinds.contains(&event.kind);
        of_kind && event.severity >= self.least && self.is_of_rack(event.rack.as_deref())
    }

    fn is_of_rack(&self, rack: Option<&str>) -> bool {
        self.racks.is_empty() || rack.is_some_and(|rack| self.racks.iter().any(|glob| glob.matches(rack)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notice::testing::event;

    fn racks(patterns: &[&str]) -> Filter {
        let patterns: Vec<String> = patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
        Filter::new(Vec::new(), Severity::Info, &patterns).unwrap()
    }

    #[test]
    fn without_conditions_everything_is_wanted() {
        assert!(Filter::default().lets_through(&event(1)));
    }

    #[test]
    fn kinds_and_severities_are_told_apart() {
        let filter = Filter::new(vec![EventKind::LogEntry], Severity::Warning, &[]).unwrap();
        let warning = Event { kind: EventKind::LogEntry, severity: Severity::Warning, ..event(1) };
        assert!(filter.lets_through(&warning));
        assert!(filter.lets_through(&Event { severity: Severity::Critical, ..warning.clone() }));
        assert!(!filter.lets_through(&Event { severity: Severity::Info, ..warning.clone() }));
        assert!(!filter.lets_through(&Event { kind: EventKind::Loss, ..warning }));
    }

    #[test]
    fn a_rack_must_fit_one_of_the_patterns() {
        let of = |rack: Option<&str>| Event { rack: rack.map(str::to_owned), ..event(1) };
        let filter = racks(&["row1-*", "lab"]);
        assert!(filter.lets_through(&of(Some("row1-4"))) && filter.lets_through(&of(Some("lab"))));
        assert!(!filter.lets_through(&of(Some("row2-4"))) && !filter.lets_through(&of(None)));
        assert!(racks(&[]).lets_through(&of(None)));
        let bad = Filter::new(Vec::new(), Severity::Info, &[String::new()]);
        assert_eq!(bad, Err(FilterError::BadPattern(String::new())));
    }
}
