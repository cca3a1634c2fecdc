//! JSON that is written straight into the text of an answer, for what is answered so often that the general way would
//! cost more than everything else that is done for it: keys are part of the program, and hardly any text needs escapes.
//!
//! Nothing here can fail, and it knows nothing of what is written.

use jiff::Timestamp;
use opendcre_model::{BoardId, DeviceId, Precision, write_time};
use serde::Serialize;

/// Something that is written as one JSON value.
pub(super) trait WriteJson {
    /// Appends the value.
    fn write(&self, text: &mut Vec<u8>);
}

/// Appends members of an object, with commas between them.
macro_rules! write_members {
    ($text:expr, $first:literal: $value:expr $(, $key:literal: $more:expr)* $(,)?) => {
        $text.extend_from_slice(concat!("\"", $first, "\":").as_bytes());
        WriteJson::write(&$value, $text);
        $(
            $text.extend_from_slice(concat!(",\"", $key, "\":").as_bytes());
            WriteJson::write(&$more, $text);
        )*
    };
}
pub(super) use write_members;

impl WriteJson for str {
    fn write(&self, text: &mut Vec<u8>) {
        // RFC 8259 §7: only these must be escaped.
        let is_plain = |byte: u8| byte >= b' ' && byte != b'"' && byte != b'\\';
        if !self.bytes().all(is_plain) {
            return write_any(text, self);
        }
        text.push(b'"');
        text.extend_from_slice(self.as_bytes());
        text.push(b'"');
    }
}

/// A word of ours, in which nothing needs an escape.
pub(super) struct Word(pub(super) &'static str);

impl WriteJson for Word {
    fn write(&self, text: &mut Vec<u8>) {
        text.push(b'"');
        text.extend_from_slice(self.0.as_bytes());
        text.push(b'"');
    }
}

impl<T: WriteJson + ?Sized> WriteJson for &T {
    fn write(&self, text: &mut Vec<u8>) {
        T::write(self, text);
    }
}

impl<T: WriteJson> WriteJson for Option<T> {
    fn write(&self, text: &mut Vec<u8>) {
        match self {
            Some(value) => value.write(text),
            None => text.extend_from_slice(b"null"),
        }
    }
}

impl<T: WriteJson> WriteJson for [T] {
    fn write(&self, text: &mut Vec<u8>) {
        text.push(b'[');
        for (index, element) in self.iter().enumerate() {
            if index > 0 {
                text.push(b',');
            }
            element.write(text);
        }
        text.push(b']');
    }
}

impl WriteJson for Timestamp {
    fn write(&self, text: &mut Vec<u8>) {
        text.push(b'"');
        write_time(text, *self, Precision::Exact);
        text.push(b'"');
    }
}

/// Digits need no escapes.
macro_rules! write_digits {
    ($($type:ty),+) => {
        $(impl WriteJson for $type {
            fn write(&self, text: &mut Vec<u8>) {
                text.push(b'"');
                text.extend_from_slice(&self.digits());
                text.push(b'"');
            }
        })+
    };
}

write_digits!(BoardId, DeviceId);

/// What serde writes.
macro_rules! write_as_serde_does {
    ($($type:ty),+) => {
        $(impl WriteJson for $type {
            fn write(&self, text: &mut Vec<u8>) {
                write_any(text, self);
            }
        })+
    };
}

write_as_serde_does!(f64, u64);

/// Appends plain values and texts, which can always be written to memory.
fn write_any(text: &mut Vec<u8>, value: &(impl Serialize + ?Sized)) {
    serde_json::to_writer(text, value).ok();
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(value: impl WriteJson) -> String {
        let mut text = Vec::new();
        value.write(&mut text);
        String::from_utf8(text).unwrap()
    }

    proptest! {
        #[test]
        fn values_are_written_as_by_serde(
            text in any::<String>(),
            plain in "[ -~]{0,20}",
            number: u64,
            float: f64,
            nanoseconds in 0_i64..i64::MAX,
        ) {
            let time = Timestamp::from_nanosecond(nanoseconds.into()).unwrap();
            prop_assert_eq!(written(text.as_str()), serde_json::to_string(&text).unwrap());
            prop_assert_eq!(written(plain.as_str()), serde_json::to_string(&plain).unwrap());
            prop_assert_eq!(written(number), serde_json::to_string(&number).unwrap());
            prop_assert_eq!(written(float), serde_json::to_string(&float).unwrap());
            prop_assert_eq!(written(time), serde_json::to_string(&time).unwrap());
        }
    }

    #[test]
    fn what_has_parts_is_written_as_by_serde() {
        assert_eq!(written([1.5, 2.0].as_slice()), "[1.5,2.0]");
        assert_eq!(written(<[u64; 0]>::default().as_slice()), "[]");
        assert_eq!(written(None::<u64>), "null");
        assert_eq!(written(Some("a")), "\"a\"");
        assert_eq!(written(f64::NAN), "null");
        assert_eq!(written(Word("good")), "\"good\"");
        assert_eq!(written(BoardId(10)), "\"0000000a\"");
        assert_eq!(written(DeviceId(0x1ff)), "\"01ff\"");
    }
}
