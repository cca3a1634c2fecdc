//! How much is logged: a level, and other levels for parts of the program.

use std::str::FromStr;

use thiserror::Error;
use tracing_subscriber::filter::{LevelFilter, Targets};

/// A text that says no level.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "{0:?} is not a level; use error, warn, info, debug or trace, followed by target=level parts if needed, with commas between"
)]
pub(crate) struct FilterError(String);

/// A level, and the targets that have another one: `info,opendcre_drivers=debug`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Filter {
    level: LevelFilter,
    targets: Vec<(String, LevelFilter)>,
}

impl Filter {
    /// The filter with the line of each request, whose target is `access`, switched on or off.
    pub(super) fn targets(self, access: &'static str, enabled: bool) -> Targets {
        let requests = if enabled { LevelFilter::INFO } else { LevelFilter::OFF };
        Targets::new().with_default(self.level).with_targets(self.targets).with_target(access, requests)
    }
}

impl FromStr for Filter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        let wrong = || FilterError(text.to_owned());
        let mut parts = text.split(',').map(str::trim);
        let level = parts.next().and_then(level).ok_or_else(wrong)?;
        let targets = parts.map(|part| {
            let (target, name) = part.split_once('=')?;
            Some((target.trim().to_owned(), self::level(name.trim())?))
        });
        let targets = targets.collect::<Option<_>>().ok_or_else(wrong)?;
        Ok(Self { level, targets })
    }
}

/// Only words, in any case: the numbers that the library also takes say nothing to a reader.
fn level(name: &str) -> Option<LevelFilter> {
    match name.to_ascii_lowercase().as_str() {
        "error" => Some(LevelFilter::ERROR),
        "warn" => Some(LevelFilter::WARN),
        "info" => Some(LevelFilter::INFO),
        "debug" => Some(LevelFilter::DEBUG),
        "trace" => Some(LevelFilter::TRACE),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn parts_of_the_program_may_say_more() {
        let filter: Filter = "warn, opendcre_drivers=debug".parse().unwrap();
        let targets = filter.targets("access", true);
        assert!(targets.would_enable("opendcre_drivers::serial", &Level::DEBUG));
        assert!(!targets.would_enable("opendcre_gateway", &Level::INFO));
        assert!(targets.would_enable("access", &Level::INFO));
    }

    #[test]
    fn levels_may_be_in_any_case() {
        assert_eq!("INFO,a=Debug".parse::<Filter>(), "info,a=debug".parse());
    }

    #[test]
    fn requests_can_be_switched_off() {
        let targets = "trace".parse::<Filter>().unwrap().targets("access", false);
        assert!(!targets.would_enable("access", &Level::ERROR));
    }

    #[test]
    fn a_slip_is_not_taken_for_a_target() {
        for text in ["", "inof", "3", "info,", "info,opendcre_drivers", "opendcre=debug", "info,a=b"] {
            assert_eq!(text.parse::<Filter>(), Err(FilterError(text.to_owned())));
        }
    }
}
