//! What readings mean for the equipment: the [`Health`] of each device, and what follows from it for boards and racks.
//!
//! Pure: readings and boards go in, changes of health come out. A device is as well as the worse of two says: the
//! equipment itself, and the [`Threshold`]s of the configuration. Neither may chatter: a value must come back across a
//! limit by more than the hysteresis, and what the equipment says gets better only when it is said twice in a row. It
//! knows neither when anything is read nor who is told.

mod condition;
mod limit;
mod statement;
#[cfg(test)]
mod tests;
mod threshold;
mod tracker;

use opendcre_model::{DeviceAddress, Health, Quantity};

pub use condition::{Condition, RollUp};
pub use limit::Side;
pub use threshold::{Threshold, ThresholdError, Thresholds};
pub(crate) use tracker::HealthTracker;

/// A device is in another health than was told last.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct HealthChange {
    /// The device.
    pub(crate) device: DeviceAddress,
    /// What was told last; [`Health::Ok`] of a device that was not judged before.
    pub(crate) from: Health,
    /// What it is now.
    pub(crate) to: Health,
    /// Why.
    pub(crate) cause: Cause,
}

/// Why a device is in another health.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cause {
    /// A value crossed a limit of the configuration, in one direction or the other.
    Limit {
        /// What was measured.
        quantity: Quantity,
        /// The value, in the unit of the quantity.
        value: f64,
        /// The limit that it crossed.
        limit: f64,
        /// On which side of the limit it is not normal.
        side: Side,
    },
    /// The equipment says so, in these words; there may be none.
    Equipment(Vec<String>),
    /// The sensor has no value any more, so there is nothing to judge.
    NoValue,
}
