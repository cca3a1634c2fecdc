//! The text form of the line that each request gets.
//!
//! The general text form costs as much as the cheapest request. This one writes the same `name=value` pairs without
//! the detours that colours and spans need.

use std::cell::Cell;
use std::fmt::Debug;
use std::io::Write;

use opendcre_model::{Precision, WallClock, write_time};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use super::queue::Queue;
use crate::clock::SystemClock;

thread_local! {
    /// Memory for the next line of this thread.
    static LINE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// The largest line whose memory is kept, in bytes; nearly all are smaller.
const KEPT: usize = 1024;

/// Leaves a line for each event in a queue: its time and its fields.
pub(super) struct RequestLines {
    queue: Queue,
}

impl RequestLines {
    pub(super) const fn new(queue: Queue) -> Self {
        Self { queue }
    }
}

impl<S: Subscriber> Layer<S> for RequestLines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut line = LINE.take();
        line.clear();
        write_time(&mut line, SystemClock.now(), Precision::Microseconds);
        let mut fields = Fields { line };
        event.record(&mut fields);
        fields.line.push(b'\n');
        self.queue.add(&fields.line);
        if fields.line.capacity() <= KEPT {
            LINE.set(fields.line);
        }
    }
}

/// The fields that were recorded so far.
struct Fields {
    line: Vec<u8>,
}

impl Fields {
    fn name(&mut self, field: &Field) {
        self.line.push(b' ');
        self.line.extend_from_slice(field.name().as_bytes());
        self.line.push(b'=');
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.name(field);
        // Clients choose paths and request ids: quotes and control characters must not make other fields or lines.
        if is_plain(value) {
            self.line.push(b'"');
            self.line.extend_from_slice(value.as_bytes());
            self.line.push(b'"');
        } else {
            // Here and below: memory takes everything.
            write!(self.line, "{value:?}").ok();
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.name(field);
        self.line.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.name(field);
        write!(self.line, "{value:?}").ok();
    }
}

/// Whether a text is the same between quotes. Every byte is looked at, without a way out of the loop, so that the
/// processor takes many at a time.
fn is_plain(text: &str) -> bool {
    let is_special = |byte: u8| !(b' '..=b'~').contains(&byte) || byte == b'"' || byte == b'\\';
    !text.bytes().fold(false, |found, byte| found | is_special(byte))
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::layer::SubscriberExt;

    use super::*;
    use crate::log::loss::Loss;
    use crate::log::queue;

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_request_is_one_line_whatever_its_client_sends() {
        let buffer = Buffer::default();
        let loss = Arc::new(Loss::new("log", "a buffer"));
        let (queue, carrier) = queue::start(buffer.clone(), loss).unwrap();
        let layer = RequestLines::new(queue);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            tracing::info!(method = "GET", path = "/a\"b\n", status = 200_u16, took = %"1:2", half = 0.5);
            tracing::info!(path = "/");
        });
        // What waits is written out.
        drop(carrier);
        let bytes = buffer.0.lock().unwrap().clone();
        let text = String::from_utf8(bytes).unwrap();
        let fields = text.lines().map(|line| line.split_once(' ').unwrap().1);
        let expected = ["method=\"GET\" path=\"/a\\\"b\\n\" status=200 took=1:2 half=0.5", "path=\"/\""];
        assert!(fields.eq(expected), "{text}");
    }
}
