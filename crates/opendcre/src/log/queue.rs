//! Lines on their way to a slow place: callers leave them in a bounded buffer, a thread of its own carries them on.
//!
//! One buffer that is swapped, rather than a channel of lines: a busy server logs a line for each request, and an
//! allocation and a wake-up for each would cost more than the rest of the request.

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::loss::Loss;

/// How much may wait. At a hundred thousand requests a second this is filled in 50 ms; beyond it the disk hangs.
const CAPACITY_BYTES: usize = 1 << 20;
/// How long lines gather before they are carried on together.
const REST: Duration = Duration::from_millis(4);
/// How long the end of the program waits for a place that takes no more lines, such as a pipe that nobody reads.
const PATIENCE: Duration = Duration::from_secs(2);

/// The near end: takes whole lines and never waits.
#[derive(Clone)]
pub(super) struct Queue {
    shared: Arc<Shared>,
}

/// The far end. Dropping it carries on what still waits, and ends the thread; one that hangs is left behind after
/// [`PATIENCE`].
pub(super) struct Carrier {
    shared: Arc<Shared>,
    /// Closed by the end of the thread, even by a panic of its writer.
    ended: Receiver<()>,
    patience: Duration,
}

struct Shared {
    state: Mutex<State>,
    /// Wakes the thread.
    wake: Condvar,
    /// Lines that found no room, or that the writer did not take.
    loss: Arc<Loss>,
}

#[derive(Default)]
struct State {
    lines: Vec<u8>,
    /// The thread sleeps until it is woken.
    asleep: bool,
    stopping: bool,
}

/// Starts a thread that carries lines to `writer`, which is given whole lines, all that wait at once. What is lost on the way
/// is noted in `loss`.
pub(super) fn start(writer: impl Write + Send + 'static, loss: Arc<Loss>) -> io::Result<(Queue, Carrier)> {
    let shared = Arc::new(Shared { state: Mutex::default(), wake: Condvar::new(), loss });
    let (ending, ended) = channel();
    thread::Builder::new().name("log".to_owned()).spawn({
        let shared = Arc::clone(&shared);
        move || {
            shared.carry(writer);
            drop(ending);
        }
    })?;
    Ok((Queue { shared: Arc::clone(&shared) }, Carrier { shared, ended, patience: PATIENCE }))
}

impl Queue {
    /// Leaves a whole line.
    pub(super) fn add(&self, line: &[u8]) {
        let mut state = self.shared.state();
        if state.lines.len() + line.len() > CAPACITY_BYTES {
            self.shared.loss.add(1, &"lines come faster than they can be written");
            return;
        }
        state.lines.extend_from_slice(line);
        let asleep = std::mem::take(&mut state.asleep);
        drop(state);
        if asleep {
            self.shared.wake.notify_one();
        }
    }
}

impl Write for Queue {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.add(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Shared {
    /// Held for copying only; a panic elsewhere leaves whole lines.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn carry(&self, mut writer: impl Write) {
        let mut lines = Vec::new();
        while self.take(&mut lines) {
            self.pass(&mut writer, &lines);
            lines.clear();
            self.rest();
        }
    }

    fn pass(&self, writer: &mut impl Write, lines: &[u8]) {
        match write_all(writer, lines) {
            Ok(()) => self.loss.end(),
            Err((rest, error)) => self.loss.add(count(rest), &error),
        }
    }

    /// Waits for lines and swaps them for the empty `lines`. False when there will be no more.
    fn take(&self, lines: &mut Vec<u8>) -> bool {
        let mut state = self.state();
        while state.lines.is_empty() && !state.stopping {
            state.asleep = true;
            state = self.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        std::mem::swap(&mut state.lines, lines);
        !lines.is_empty()
    }

    fn rest(&self) {
        let waited = self.wake.wait_timeout_while(self.state(), REST, |state| !state.stopping);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }
}

/// Writes `lines`. What is not taken is returned with the reason; a line that is taken in part is part of it.
fn write_all<'a>(writer: &mut impl Write, lines: &'a [u8]) -> Result<(), (&'a [u8], io::Error)> {
    let mut rest = lines;
    while !rest.is_empty() {
        match writer.write(rest) {
            Ok(0) => return Err((rest, io::ErrorKind::WriteZero.into())),
            Ok(taken) => rest = rest.get(taken..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err((rest, error)),
        }
    }
    Ok(())
}

/// How many lines end here.
fn count(lines: &[u8]) -> u64 {
    lines.iter().map(|byte| u64::from(*byte == b'\n')).sum()
}

impl Drop for Carrier {
    fn drop(&mut self) {
        self.shared.state().stopping = true;
        self.shared.wake.notify_one();
        // Nothing is ever sent: this ends with the thread, or with the patience. Nobody is left to tell which.
        self.ended.recv_timeout(self.patience).ok();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::Sender;

    use super::*;

    /// Passes on what it is given, and blocks where the test tells it to.
    struct Probe {
        lines: Sender<Vec<u8>>,
        gate: Receiver<()>,
    }

    impl Write for Probe {
        fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
            self.lines.send(lines.to_vec()).unwrap();
            // Closed gates stay open.
            self.gate.recv().ok();
            Ok(lines.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn loss() -> Arc<Loss> {
        Arc::new(Loss::new("log.directory", "/var/log/opendcre/opendcre.log"))
    }

    fn probe() -> (Queue, Carrier, Receiver<Vec<u8>>, Sender<()>) {
        let ((lines, received), (open, gate)) = (channel(), channel());
        let (queue, carrier) = start(Probe { lines, gate }, loss()).unwrap();
        (queue, carrier, received, open)
    }

    #[test]
    fn every_line_arrives_in_order_and_those_that_wait_together() {
        let (mut queue, carrier, received, open) = probe();
        queue.write_all(b"one\n").unwrap();
        // Now the thread is at the gate, and everything else has to wait.
        assert_eq!(received.recv().unwrap(), b"one\n");
        for line in ["two\n", "three\n"] {
            queue.write_all(line.as_bytes()).unwrap();
        }
        drop(open);
        drop(carrier);
        assert_eq!(received.iter().collect::<Vec<_>>(), [b"two\nthree\n".to_vec()]);
        assert_eq!(queue.shared.loss.lines(), 0);
    }

    #[test]
    fn beyond_the_bound_lines_are_counted_instead_of_kept() {
        let (mut queue, carrier, received, open) = probe();
        queue.write_all(b"first\n").unwrap();
        assert_eq!(received.recv().unwrap(), b"first\n");
        let line = [vec![b'x'; 1023], vec![b'\n']].concat();
        for _ in 0..CAPACITY_BYTES / line.len() + 3 {
            queue.write_all(&line).unwrap();
        }
        assert_eq!(queue.shared.loss.lines(), 3);
        drop(open);
        drop(carrier);
        let carried: u64 = received.iter().map(|lines| count(&lines)).sum();
        assert_eq!(carried, (CAPACITY_BYTES / line.len()) as u64);
    }

    #[test]
    fn a_writer_that_hangs_is_left_behind() {
        let (mut queue, mut carrier, received, closed) = probe();
        queue.write_all(b"first\n").unwrap();
        assert_eq!(received.recv().unwrap(), b"first\n");
        queue.write_all(b"second\n").unwrap();
        carrier.patience = Duration::ZERO;
        drop(carrier);
        // The gate was closed all the time; once it opens, the thread still ends in order.
        drop(closed);
        assert_eq!(received.iter().collect::<Vec<_>>(), [b"second\n".to_vec()]);
    }

    #[test]
    fn a_writer_that_panics_keeps_nobody_waiting() {
        let (mut queue, mut carrier, received, _closed) = probe();
        drop(received);
        carrier.patience = Duration::MAX;
        queue.write_all(b"first\n").unwrap();
        drop(carrier);
    }

    /// Takes so many bytes and no more, as a disk does.
    struct Disk {
        room: usize,
    }

    impl Write for Disk {
        fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
            let taken = lines.len().min(self.room);
            self.room -= taken;
            if taken == 0 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(taken) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_writer_that_takes_a_part_costs_the_lines_that_are_not_whole() {
        for (room, lost) in [(0, 3), (3, 3), (4, 2), (5, 2), (13, 1), (14, 0)] {
            let (mut queue, carrier) = start(Disk { room }, loss()).unwrap();
            queue.write_all(b"one\ntwo\nthree\n").unwrap();
            drop(carrier);
            assert_eq!(queue.shared.loss.lines(), lost, "with room for {room}");
        }
    }

    #[test]
    fn there_is_a_defect_until_lines_are_taken_again() {
        let (queue, _carrier) = start(io::sink(), loss()).unwrap();
        let shared = queue.shared;
        let mut disk = Disk { room: 0 };
        shared.pass(&mut disk, b"lost\n");
        shared.pass(&mut disk, b"lost\n");
        let defect = shared.loss.defect().unwrap();
        assert_eq!((defect.name.as_str(), defect.code), ("log.directory", "log_unavailable"));
        let expected = "cannot write logs to /var/log/opendcre/opendcre.log: no storage space; until this is mended, \
                        lines are lost";
        assert_eq!(defect.message, expected);
        disk.room = 100;
        shared.pass(&mut disk, b"kept\n");
        assert_eq!(shared.loss.defect(), None);
        assert_eq!(shared.loss.lines(), 2);
    }
}
