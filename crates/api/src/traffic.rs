//! How many requests there were, of which part of the API, and how they went.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

/// What requests are told apart by: how their paths begin, and a word for that. The first that fits counts.
const PARTS: [(&str, &str); 6] = [
    ("/opendcre/1.1/", "1.1"),
    ("/opendcre/1.2/", "1.2"),
    ("/opendcre/1.3/", "1.3"),
    ("/opendcre/2", "2"),
    ("/metrics", "metrics"),
    ("", "other"),
];

/// The classes of statuses (RFC 9110 §15). What has no answer any more is counted with the errors of clients.
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// Counts what was answered.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    requests: [[AtomicU64; CLASSES.len()]; PARTS.len()],
    bytes: AtomicU64,
}

impl Traffic {
    /// Notes an answer to a request for `path`.
    pub(crate) fn note(&self, path: &str, status: u16, bytes: u64) {
        let part = PARTS.iter().position(|(beginning, _)| path.starts_with(beginning));
        let counts = part.and_then(|part| self.requests.get(part));
        let class = usize::from(status / 100).checked_sub(1);
        if let Some(count) = counts.zip(class).and_then(|(counts, class)| counts.get(class)) {
            count.fetch_add(1, Relaxed);
        }
        self.bytes.fetch_add(bytes, Relaxed);
    }

    /// Each part and class of statuses that there was any request of, and how many.
    pub(crate) fn requests(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
        let parts = PARTS.iter().zip(&self.requests);
        let counts = parts.flat_map(|((_, part), counts)| {
            CLASSES.iter().zip(counts).map(|(class, count)| (*part, *class, count.load(Relaxed)))
        });
        counts.filter(|(_, _, count)| *count > 0)
    }

    /// The bytes of all bodies that were sent.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_path_and_status() {
        let traffic = Traffic::default();
        for (path, status) in [
            ("/opendcre/2/boards", 200),
            ("/opendcre/2/boards", 206),
            ("/opendcre/1.1/scan", 500),
            ("/metrics/devices", 200),
            ("/nowhere", 499),
            ("/nowhere", 0),
            ("/nowhere", 600),
        ] {
            traffic.note(path, status, 10);
        }
        let expected = [("1.1", "5xx", 1), ("2", "2xx", 2), ("metrics", "2xx", 1), ("other", "4xx", 1)];
        assert_eq!(traffic.requests().collect::<Vec<_>>(), expected);
        assert_eq!(traffic.bytes(), 70);
    }
}
