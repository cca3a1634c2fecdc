//! Cuts the answer of a server into its items while it comes in, so that its length costs no memory.
//!
//! An answer is one JSON object. The elements of the lists among its members are handed out one by one; the other
//! members are kept. White space between tokens is dropped, so that an item fits on one line. What is handed out was
//! parsed; the brackets around it are only counted.

use super::{Answer, ClientError};

/// The longest item, or member that is no list. A board with a thousand devices is well below a tenth of it.
const MAX_ITEM_BYTES: usize = 4 * 1024 * 1024;

/// An answer that comes in.
#[derive(Debug, Default)]
pub(super) struct Splitter {
    /// Of the member or item that comes in now.
    text: Vec<u8>,
    /// The list whose items come in.
    list: Option<String>,
    /// How many brackets are open.
    depth: usize,
    has_ended: bool,
    in_string: bool,
    is_escaped: bool,
    rest: Answer,
}

impl Splitter {
    /// Takes the next bytes of the answer. `on_item` gets the name of the list and the item.
    ///
    /// # Errors
    /// When this is not the text of an object, an item is none or too long, or `on_item` fails.
    pub(super) fn push(
        &mut self,
        bytes: &[u8],
        on_item: &mut impl FnMut(&str, Answer) -> Result<(), ClientError>,
    ) -> Result<(), ClientError> {
        for byte in bytes {
            self.take(*byte, on_item)?;
        }
        Ok(())
    }

    /// The members that are no lists.
    ///
    /// # Errors
    /// When the answer is not complete.
    pub(super) fn finish(self) -> Result<Answer, ClientError> {
        if self.has_ended {
            Ok(self.rest)
        } else {
            Err(ClientError::Malformed("it ends too early".to_owned()))
        }
    }

    fn take(
        &mut self,
        byte: u8,
        on_item: &mut impl FnMut(&str, Answer) -> Result<(), ClientError>,
    ) -> Result<(), ClientError> {
        if self.in_string {
            self.in_string = self.is_escaped || byte != b'"';
            self.is_escaped = !self.is_escaped && byte == b'\\';
            return self.keep(byte);
        }
        match (byte, self.depth) {
            (b' ' | b'\t' | b'\r' | b'\n', _) => Ok(()),
            (b'{', 0) if !self.has_ended => {
                self.depth = 1;
                Ok(())
            }
            (_, 0) => Err(ClientError::Malformed("it is no JSON object".to_owned())),
            (b'[', 1) if self.text.ends_with(b":") => self.begin_list(),
            (b']', 2) if self.list.is_some() => self.end_list(on_item),
            (b'}', 1) => {
                self.depth = 0;
                self.has_ended = true;
                self.end_member()
            }
            (b',', 1) => self.end_member(),
            (b',', 2) if self.list.is_some() => self.end_item(on_item),
            _ => self.keep_structure(byte),
        }
    }

    /// Keeps what belongs to a value and is not within a string.
    fn keep_structure(&mut self, byte: u8) -> Result<(), ClientError> {
        match byte {
            b'"' => self.in_string = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => self.depth -= 1,
            _ => {}
        }
        self.keep(byte)
    }

    fn keep(&mut self, byte: u8) -> Result<(), ClientError> {
        if self.text.len() == MAX_ITEM_BYTES {
            let problem = format!("a part of it is longer than {MAX_ITEM_BYTES} bytes");
            return Err(ClientError::Malformed(problem));
        }
        self.text.push(byte);
        Ok(())
    }

    fn begin_list(&mut self) -> Result<(), ClientError> {
        let mut name = self.take_text()?;
        name.pop();
        let name = serde_json::from_str(&name).map_err(|error| ClientError::Malformed(error.to_string()))?;
        self.list = Some(name);
        self.depth = 2;
        Ok(())
    }

    fn end_list(
        &mut self,
        on_item: &mut impl FnMut(&str, Answer) -> Result<(), ClientError>,
    ) -> Result<(), ClientError> {
        if !self.text.is_empty() {
            self.end_item(on_item)?;
        }
        self.list = None;
        self.depth = 1;
        Ok(())
    }

    fn end_item(
        &mut self,
        on_item: &mut impl FnMut(&str, Answer) -> Result<(), ClientError>,
    ) -> Result<(), ClientError> {
        let item = Answer::parse_compact(&self.take_text()?)?;
        on_item(self.list.as_deref().unwrap_or_default(), item)
    }

    /// A member that was a list has left no text.
    fn end_member(&mut self) -> Result<(), ClientError> {
        let member = self.take_text()?;
        self.rest.extend(Answer::parse_compact(&format!("{{{member}}}"))?);
        Ok(())
    }

    fn take_text(&mut self) -> Result<String, ClientError> {
        String::from_utf8(std::mem::take(&mut self.text))
            .map_err(|_| ClientError::Malformed("it is not UTF-8".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The items of a body that comes in pieces of `size` bytes, and the rest of it.
    fn split(body: &[u8], size: usize) -> Result<(Vec<String>, String), ClientError> {
        let mut splitter = Splitter::default();
        let mut items = Vec::new();
        for piece in body.chunks(size) {
            splitter.push(piece, &mut |list, item| {
                items.push(format!("{list} {}", serde_json::to_string(&item).unwrap()));
                Ok(())
            })?;
        }
        Ok((items, serde_json::to_string(&splitter.finish()?).unwrap()))
    }

    const BODY: &str = r#" { "id" : "a, [b]\\" , "items" : [ { "name" : "x \" ]," , "list" : [ 1 , { } ] } , {} ],
        "counts": { "ok": 1, "all": [2] }, "failures": [{"a" : 1.50e1}], "none": [], "next": null } "#;

    #[test]
    fn lists_are_handed_out_item_by_item_wherever_the_pieces_end() {
        for size in [1, 2, 7, 1000] {
            let (items, rest) = split(BODY.as_bytes(), size).unwrap();
            assert_eq!(
                items,
                [r#"items {"name":"x \" ],","list":[1,{}]}"#, "items {}", r#"failures {"a":1.50e1}"#]
            );
            assert_eq!(rest, r#"{"id":"a, [b]\\","counts":{"ok":1,"all":[2]},"next":null}"#);
        }
    }

    #[test]
    fn what_is_not_the_whole_of_an_object_is_refused() {
        for end in 0..BODY.trim_end().len() {
            let result = split(&BODY.as_bytes()[..end], 1000);
            assert!(matches!(result, Err(ClientError::Malformed(_))), "{end}: {result:?}");
        }
        for body in ["[]", "7", "<html>", "{}{}", "{]}", r#"{"a":[}"#, r#"{"a":[1]}"#, r#"{"a":[{]}}"#, "}"] {
            assert!(matches!(split(body.as_bytes(), 1000), Err(ClientError::Malformed(_))), "{body}");
        }
        assert!(split(b"{\"a\":\"\xff\"}", 1000).is_err());
    }

    #[test]
    fn no_damage_breaks_it() {
        for position in 0..BODY.len() {
            for bit in 0..8 {
                let mut body = BODY.as_bytes().to_vec();
                body[position] ^= 1 << bit;
                let _ = split(&body, 5);
            }
        }
    }

    #[test]
    fn no_item_may_fill_the_memory() {
        let body = format!("{{\"items\":[\"{}", "x".repeat(MAX_ITEM_BYTES + 1));
        let error = split(body.as_bytes(), 1000).unwrap_err();
        assert!(error.to_string().ends_with("is longer than 4194304 bytes"), "{error}");
    }
}
