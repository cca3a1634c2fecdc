//! What a run cost in time, processor and memory, and how several runs become one number.

use std::fs;
use std::path::Path;
use std::time::Duration;

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

/// The middle value.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The value that one in a hundred exceeds.
pub(crate) fn percentile_99(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() * 99 / 100]
}

/// The processor time that processes used so far, in seconds. To the nanosecond, unlike that in `stat`.
pub(crate) fn processor_seconds(processes: &[u32]) -> f64 {
    let threads = processes.iter().flat_map(|process| {
        fs::read_dir(format!("/proc/{process}/task")).expect("the threads of a process that runs")
    });
    let nanoseconds = threads.map(|thread| {
        // A thread may end meanwhile.
        let text = fs::read_to_string(thread.expect("a thread").path().join("schedstat")).unwrap_or_default();
        text.split(' ').next().and_then(|field| field.parse::<u64>().ok()).unwrap_or(0)
    });
    Duration::from_nanos(nanoseconds.sum()).as_secs_f64()
}

/// A line of `/proc/PID/status` that holds a size: `VmRSS` for what is resident now, `VmHWM` for the most so far.
pub(crate) fn megabytes(process: u32, line: &str) -> f64 {
    let path = Path::new("/proc").join(process.to_string()).join("status");
    let status = fs::read_to_string(path).expect("a process that runs");
    let size = status.lines().find_map(|text| text.strip_prefix(line)?.strip_prefix(':')).expect("a size");
    let kibibytes: f64 = size.trim().trim_end_matches("kB").trim().parse().expect("a number");
    kibibytes * 1024.0 / 1e6
}
