//! What processes use of the machine, and how several runs become one number.

use std::fs;
use std::path::Path;
use std::time::Duration;

/// The middle value.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    *values.get(values.len() / 2).expect("at least one value")
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
