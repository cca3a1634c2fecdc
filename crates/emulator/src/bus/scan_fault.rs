//! Errors injected into scans of all boards (the key `scanall`), so that a master can show its retries.

/// What happens to one scan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// All answers are sent as they are.
    Clean,
    /// The answers of the board that is configured under this text are damaged.
    Damaged { board: String },
}

impl Outcome {
    fn damaged_board(&self) -> Option<&str> {
        match self {
            Self::Clean => None,
            Self::Damaged { board } => Some(board),
        }
    }
}

/// What happens to a scan and to its retries.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) initial: Outcome,
    pub(super) retries: Vec<Outcome>,
}

/// The list of what happens, and how far it is used up.
#[derive(Debug, Clone, Default)]
pub(super) struct ScanFaults {
    entries: Vec<Entry>,
    position: usize,
    retry_position: usize,
}

impl ScanFaults {
    pub(super) fn new(entries: Vec<Entry>) -> Self {
        Self { entries, position: 0, retry_position: 0 }
    }

    /// Takes note of a scan of all boards and names the board whose answers to it are to be damaged.
    ///
    /// A scan without the shuffle bit (`is_retry` false) uses the initial outcome and stays at an entry that
    /// damages. A scan with it uses up the retries, after the last of which comes the next entry; an entry without
    /// retries answers them cleanly and stays.
    pub(super) fn on_scan(&mut self, is_retry: bool) -> Option<String> {
        let entry = self.entries.get(self.position)?;
        let (outcome, is_finished) = if is_retry {
            let outcome = entry.retries.get(self.retry_position)?;
            self.retry_position += 1;
            (outcome, self.retry_position == entry.retries.len())
        } else {
            (&entry.initial, entry.initial == Outcome::Clean)
        };
        let damaged = outcome.damaged_board().map(str::to_owned);
        if is_finished {
            self.position = (self.position + 1) % self.entries.len();
            self.retry_position = 0;
        }
        damaged
    }
}

/// Damages an answer the way the original does: every byte but `01` and `04` becomes its successor modulo 255, the
/// length and the checksum included.
pub(super) fn damage(answer: &mut [u8]) {
    for byte in answer.iter_mut().filter(|byte| !matches!(byte, 0x01 | 0x04)) {
        *byte = match *byte {
            0xfe => 0,
            0xff => 1,
            other => other + 1,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn damaged(board: &str) -> Outcome {
        Outcome::Damaged { board: board.into() }
    }

    #[test]
    fn damaged_bytes_of_the_worked_example() {
        let mut answer = [0x01, 0x0a, 0x02, 0x9a, 0, 0, 0, 0x11, 0x20, 0x01, 0x9a, 0x98, 0x04, 0xfe, 0xff];
        damage(&mut answer);
        assert_eq!(answer, [0x01, 0x0b, 0x03, 0x9b, 1, 1, 1, 0x12, 0x21, 0x01, 0x9b, 0x99, 0x04, 0, 1]);
    }

    #[test]
    fn the_list_cycles_with_its_retries() {
        let mut faults = ScanFaults::new(vec![
            Entry { initial: Outcome::Clean, retries: Vec::new() },
            Entry { initial: damaged("11"), retries: vec![damaged("12"), Outcome::Clean] },
        ]);
        for _ in 0..3 {
            assert_eq!(faults.on_scan(false), None);
            assert_eq!(faults.on_scan(false).as_deref(), Some("11"));
            assert_eq!(faults.on_scan(false).as_deref(), Some("11"), "it stays");
            assert_eq!(faults.on_scan(true).as_deref(), Some("12"));
            assert_eq!(faults.on_scan(true), None);
        }
    }

    #[test]
    fn an_entry_without_retries_stays() {
        let mut faults = ScanFaults::new(vec![Entry { initial: damaged("11"), retries: Vec::new() }]);
        assert_eq!(faults.on_scan(false).as_deref(), Some("11"));
        assert_eq!(faults.on_scan(true), None);
        assert_eq!(faults.on_scan(false).as_deref(), Some("11"));
        assert_eq!(ScanFaults::default().on_scan(true), None);
    }
}
