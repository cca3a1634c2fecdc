//! What a run cost in time, processor and memory.

use serde::{Deserialize, Serialize};

/// What it cost to ask some BMCs once.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Cost {
    /// How many BMCs were asked.
    pub(crate) nodes: usize,
    /// From the first question to the last answer.
    pub(crate) seconds: f64,
    /// Processor time of the client in seconds, user and system.
    pub(crate) processor: f64,
    /// The same of those who were asked.
    pub(crate) processor_of_bmcs: f64,
    /// The most memory that was resident in the client, in megabytes.
    pub(crate) megabytes: f64,
}

impl Cost {
    pub(crate) fn nodes_per_second(&self) -> f64 {
        self.nodes as f64 / self.seconds
    }

    pub(crate) fn microseconds_per_node(&self) -> f64 {
        self.processor * 1e6 / self.nodes as f64
    }

    pub(crate) fn microseconds_of_bmc(&self) -> f64 {
        self.processor_of_bmcs * 1e6 / self.nodes as f64
    }
}

/// The middle one by speed.
pub(crate) fn median_cost(mut costs: Vec<Cost>) -> Cost {
    costs.sort_by(|one, other| one.nodes_per_second().total_cmp(&other.nodes_per_second()));
    costs[costs.len() / 2]
}
