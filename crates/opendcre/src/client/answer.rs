//! The answer of a server, or one item of it: a JSON object whose values are kept exactly as they were sent.
//!
//! Readings may be longer than any machine number and electrical values have every digit the server computed,
//! so no value is ever parsed into a number here but to show it to people.

use std::fmt;

use jiff::Timestamp;
use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};

use super::ClientError;

/// A JSON object, its members in the order in which they came.
#[derive(Debug, Clone, Default)]
pub(super) struct Answer {
    members: Vec<(String, Box<RawValue>)>,
}

impl Answer {
    /// Reads the body of an answer.
    pub(super) fn parse(body: &str) -> Result<Self, ClientError> {
        Self::parse_compact(&without_blanks(body))
    }

    /// Reads an object without any white space between its tokens.
    pub(super) fn parse_compact(json: &str) -> Result<Self, ClientError> {
        serde_json::from_str(json).map_err(|error| malformed(&error))
    }

    /// The object with which `value` is written.
    pub(super) fn of(value: &impl Serialize) -> Result<Self, ClientError> {
        let json = serde_json::to_string(value).map_err(|error| malformed(&error))?;
        Self::parse_compact(&json)
    }

    /// This answer as a type.
    pub(super) fn read<T: for<'a> Deserialize<'a>>(&self) -> Result<T, ClientError> {
        let json = serde_json::to_string(self).map_err(|error| malformed(&error))?;
        serde_json::from_str(&json).map_err(|error| malformed(&error))
    }

    /// The value of the member `name` as a type.
    pub(super) fn member<'a, T: Deserialize<'a>>(&'a self, name: &str) -> Result<T, ClientError> {
        let value = self.raw(name).ok_or_else(|| ClientError::Malformed(format!("it has no {name:?}")))?;
        serde_json::from_str(value.get()).map_err(|error| malformed(&error))
    }

    /// The value of the member `name` as a text; a dash where there is nothing.
    pub(super) fn text(&self, name: &str) -> String {
        self.texts().find(|(member, _)| member == name).map_or_else(|| "-".to_owned(), |(_, text)| text)
    }

    /// Every value as a text: strings without their quotes, lists of them joined, times without fractions of a second,
    /// objects by `object.member`, measured values by their quantity, and everything else as JSON. What is null or empty is
    /// left out.
    pub(super) fn texts(&self) -> impl Iterator<Item = (String, String)> {
        let mut texts = Vec::new();
        self.collect_texts("", &mut texts);
        texts.into_iter()
    }

    /// Takes what `other` has besides its own.
    pub(super) fn extend(&mut self, other: Self) {
        self.members.extend(other.members);
    }

    /// This answer with one more member at its end.
    pub(super) fn followed_by(mut self, name: &str, value: &str) -> Result<Self, ClientError> {
        let value = to_raw_value(value).map_err(|error| malformed(&error))?;
        self.members.push((name.to_owned(), value));
        Ok(self)
    }

    fn raw(&self, name: &str) -> Option<&RawValue> {
        self.members.iter().find(|(member, _)| member == name).map(|(_, value)| &**value)
    }

    fn collect_texts(&self, prefix: &str, texts: &mut Vec<(String, String)>) {
        for (name, value) in &self.members {
            // The depth of an answer is bounded by what its parser accepts.
            if let Ok(object) = serde_json::from_str::<Self>(value.get()) {
                object.collect_texts(&format!("{prefix}{name}."), texts);
            } else if let Ok(values) = serde_json::from_str::<Vec<Value>>(value.get()) {
                texts
                    .extend(values.iter().map(|value| (format!("{prefix}{}", value.quantity), value.text())));
            } else {
                texts.extend(text(value).map(|text| (format!("{prefix}{name}"), text)));
            }
        }
    }
}

/// A measured value.
#[derive(Debug, Deserialize)]
pub(super) struct Value {
    pub(super) quantity: String,
    value: Box<RawValue>,
    unit: String,
}

impl Value {
    /// The number with its unit, rounded for people.
    pub(super) fn text(&self) -> String {
        let separator = if self.unit.is_empty() { "" } else { " " };
        format!("{}{separator}{}", rounded(self.value.get()), self.unit)
    }
}

/// A JSON number with four significant digits, or with all of its integer digits if those are more, and without zeros at
/// the end of its fraction. What is too large or too small for that stays as it is.
pub(super) fn rounded(number: &str) -> String {
    let is_whole = number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    let Some((value, magnitude)) = magnitude(number).filter(|_| !is_whole) else { return number.to_owned() };
    let decimals = usize::try_from(LAST_DIGIT.saturating_sub(magnitude)).unwrap_or(0);
    let text = format!("{value:.decimals$}");
    let text = if decimals > 0 { text.trim_end_matches('0').trim_end_matches('.') } else { text.as_str() };
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// Where the last of four significant digits stands behind the first one.
const LAST_DIGIT: i32 = 3;

/// A number and the power of ten of its first digit after it is rounded to four; nothing if its digits would be many.
fn magnitude(number: &str) -> Option<(f64, i32)> {
    let value: f64 = number.parse().ok()?;
    let magnitude = format!("{value:.3e}").split_once('e')?.1.parse().ok()?;
    (-6..15).contains(&magnitude).then_some((value, magnitude))
}

fn malformed(error: &serde_json::Error) -> ClientError {
    ClientError::Malformed(error.to_string())
}

fn text(value: &RawValue) -> Option<String> {
    if let Ok(text) = serde_json::from_str::<Option<String>>(value.get()) {
        return text.filter(|text| !text.is_empty()).map(in_seconds);
    }
    let list: Result<Vec<String>, _> = serde_json::from_str(value.get());
    match list {
        Ok(texts) if texts.is_empty() => None,
        Ok(texts) => Some(texts.join(", ")),
        Err(_) => Some(value.get().to_owned()),
    }
}

/// A text; if it is a time, without fractions of a second.
fn in_seconds(text: String) -> String {
    text.parse().map_or(text, |time: Timestamp| format!("{time:.0}"))
}

/// Removes the white space between the tokens of a JSON text, so that it fits on one line.
fn without_blanks(json: &str) -> String {
    let mut in_string = false;
    let mut escaped = false;
    let significant = |character: &char| {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = in_string,
            '"' => in_string = !in_string,
            _ => {}
        }
        in_string || !matches!(character, ' ' | '\t' | '\r' | '\n')
    };
    json.chars().filter(significant).collect()
}

impl<'de> Deserialize<'de> for Answer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Answer;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Answer, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Answer { members })
            }
        }

        deserializer.deserialize_map(Members)
    }
}

impl Serialize for Answer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.members.len()))?;
        for (name, value) in &self.members {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compact(body: &str) -> String {
        serde_json::to_string(&Answer::parse(body).unwrap()).unwrap()
    }

    #[test]
    fn values_pass_through_unchanged() {
        let body =
            "{\n  \"z\" : 123456789012345678901234567890,\r\n\t\"a\": [ -25.70631970260223, 1.50e1 ] }\n";
        assert_eq!(compact(body), r#"{"z":123456789012345678901234567890,"a":[-25.70631970260223,1.50e1]}"#);
    }

    #[test]
    fn blanks_within_strings_stay() {
        let body = r#"{ "a b" : "x \" y \\", "c" : " \\\" " }"#;
        assert_eq!(compact(body), r#"{"a b":"x \" y \\","c":" \\\" "}"#);
    }

    #[test]
    fn members_are_read_by_name_and_as_text() {
        let answer = Answer::parse(
            r#"{"text":"a\"b","number":7.10,"names":["a","b"],"list":[1,2],"none":null,"empty":"","nobody":[],
               "time":"2026-05-01T12:00:00.1234Z",
               "result":{"values":[{"quantity":"speed","value":4180.0,"unit":"rpm"},{"quantity":"value","value":7,"unit":""}]},
               "product":{"name":"x","part":{"serial":"7"}}}"#,
        )
        .unwrap();
        assert_eq!(answer.member::<Vec<u8>>("list").unwrap(), [1, 2]);
        assert_eq!(
            answer.member::<u8>("other").unwrap_err().to_string(),
            "the answer is not one of an OpenDCRE server: it has no \"other\""
        );
        let texts: Vec<_> = answer.texts().map(|(name, text)| format!("{name}={text}")).collect();
        assert_eq!(
            texts,
            [
                "text=a\"b",
                "number=7.10",
                "names=a, b",
                "list=[1,2]",
                "time=2026-05-01T12:00:00Z",
                "result.speed=4180 rpm",
                "result.value=7",
                "product.name=x",
                "product.part.serial=7"
            ]
        );
        assert_eq!([answer.text("product.part.serial"), answer.text("none")], ["7", "-"]);
    }

    #[test]
    fn numbers_are_rounded_to_what_people_read() {
        for (number, shown) in [
            ("186.00033096144298", "186"),
            ("12.000625032553778", "12"),
            ("15.495662949194548", "15.5"),
            ("48.58", "48.58"),
            ("4180.0", "4180"),
            ("12345.678", "12346"),
            ("9999.7", "10000"),
            ("999.97", "1000"),
            ("100.0", "100"),
            ("22.874", "22.87"),
            ("-25.70631970260223", "-25.71"),
            ("0.0000123456", "0.00001235"),
            ("-0.0", "0"),
            ("0.0", "0"),
            ("4.10e3", "4100"),
            ("7", "7"),
            ("123456789012345678901234567890", "123456789012345678901234567890"),
            ("1.5e300", "1.5e300"),
            ("1.5e-300", "1.5e-300"),
            ("true", "true"),
        ] {
            assert_eq!(rounded(number), shown, "{number}");
        }
    }

    #[test]
    fn only_objects_are_answers() {
        for body in ["", "[]", "7", "null", "<html>", "{", r#"{"a":1} {}"#, r#"{"a":}"#] {
            assert!(matches!(Answer::parse(body), Err(ClientError::Malformed(_))), "{body}");
        }
        let deep = format!("{{\"a\":{}", "[".repeat(1_000_000));
        assert!(Answer::parse(&deep).is_err());
    }
}
