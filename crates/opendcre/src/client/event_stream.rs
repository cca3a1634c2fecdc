//! Takes a stream of Server-Sent Events apart (HTML §9.2.6). It knows neither the network nor what events say.

use super::ClientError;

/// The longest line, and the longest data of an event, in bytes. Events of ours are well below a tenth of it.
const MAX_BYTES: usize = 1024 * 1024;

/// What a stream says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    /// The kind of the event; empty where only an id is told.
    pub(super) kind: String,
    /// What it says.
    pub(super) data: String,
    /// The last id that was told.
    pub(super) id: String,
}

/// A stream that comes in.
#[derive(Debug, Default)]
pub(super) struct EventStream {
    line: Vec<u8>,
    kind: String,
    data: String,
    id: String,
}

impl EventStream {
    /// Takes the next bytes of the stream. `on_message` gets what is complete, also if it has no data but perhaps an id.
    ///
    /// # Errors
    /// When something is too long or no text, or `on_message` fails.
    pub(super) fn push(
        &mut self,
        bytes: &[u8],
        on_message: &mut impl FnMut(Message) -> Result<(), ClientError>,
    ) -> Result<(), ClientError> {
        for byte in bytes {
            match byte {
                b'\n' => self.end_line(on_message)?,
                _ if self.line.len() >= MAX_BYTES => return Err(too_long()),
                _ => self.line.push(*byte),
            }
        }
        Ok(())
    }

    fn end_line(
        &mut self,
        on_message: &mut impl FnMut(Message) -> Result<(), ClientError>,
    ) -> Result<(), ClientError> {
        let line = String::from_utf8(std::mem::take(&mut self.line))
            .map_err(|_| ClientError::Malformed("it is not UTF-8".to_owned()))?;
        let line = line.strip_suffix('\r').unwrap_or(&line);
        if line.is_empty() {
            let (kind, data) = (std::mem::take(&mut self.kind), std::mem::take(&mut self.data));
            return on_message(Message { kind, data, id: self.id.clone() });
        }
        // What begins with a colon is a comment: it has no name.
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "event" => value.clone_into(&mut self.kind),
            "id" => value.clone_into(&mut self.id),
            "data" => self.add_data(value)?,
            _ => {}
        }
        Ok(())
    }

    fn add_data(&mut self, value: &str) -> Result<(), ClientError> {
        if self.data.len() + value.len() >= MAX_BYTES {
            return Err(too_long());
        }
        if !self.data.is_empty() {
            self.data.push('\n');
        }
        self.data.push_str(value);
        Ok(())
    }
}

fn too_long() -> ClientError {
    ClientError::Malformed(format!("a part of it is longer than {MAX_BYTES} bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(text: &[u8], size: usize) -> Result<Vec<(String, String, String)>, ClientError> {
        let (mut stream, mut all) = (EventStream::default(), Vec::new());
        for part in text.chunks(size) {
            stream.push(part, &mut |Message { kind, data, id }| {
                all.push((kind, data, id));
                Ok(())
            })?;
        }
        Ok(all)
    }

    #[test]
    fn messages_come_out_whole_wherever_the_parts_end() {
        let text = "retry: 3000\nid: 7\n\nid: 8\nevent: loss\ndata: {\"a\":\"ä: b\"}\n\n: nothing new\r\nid:9\r\n\r\n\
            event: missed\ndata:one\ndata\ndata:  two\n\ndata: cut off\n";
        let expected =
            [("", "", "7"), ("loss", "{\"a\":\"ä: b\"}", "8"), ("", "", "9"), ("missed", "one\n\n two", "9")];
        let expected = expected.map(|(kind, data, id)| (kind.to_owned(), data.to_owned(), id.to_owned()));
        for size in [1, 2, 5, 1000] {
            assert_eq!(messages(text.as_bytes(), size).unwrap(), expected, "{size}");
        }
    }

    #[test]
    fn no_line_and_no_data_may_fill_the_memory() {
        assert!(messages(&vec![b'x'; MAX_BYTES + 1], 1000).is_err());
        let line = format!("data: {}\n", "x".repeat(1000));
        assert!(messages(line.repeat(MAX_BYTES / 1000 + 1).as_bytes(), 1000).is_err());
        assert!(messages(b"data: \xff\n", 3).is_err());
    }
}
