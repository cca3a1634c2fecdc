//! The answer of a server: a JSON object whose values are kept exactly as they were sent.
//!
//! Readings may be longer than any machine number and electrical values have every digit the server computed,
//! so no value is ever parsed into a number here.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};

use super::ClientError;

/// A JSON object, its members in the order in which they came.
#[derive(Debug)]
pub(super) struct Answer {
    members: Vec<(String, Box<RawValue>)>,
    /// The buses whose part is missing, as the server named them beside the object.
    missing_buses: Option<String>,
}

impl Answer {
    /// Reads the body of a successful answer.
    pub(super) fn parse(body: &str) -> Result<Self, ClientError> {
        serde_json::from_str(&without_blanks(body)).map_err(|error| malformed(&error))
    }

    /// This answer, of which the part of `buses` is missing.
    pub(super) fn without_buses(self, buses: Option<String>) -> Self {
        Self { missing_buses: buses, ..self }
    }

    /// The buses whose part is missing.
    pub(super) fn missing_buses(&self) -> Option<&str> {
        self.missing_buses.as_deref()
    }

    /// The value of the member `name` as a type.
    pub(super) fn member<'a, T: Deserialize<'a>>(&'a self, name: &str) -> Result<T, ClientError> {
        let found = self.members.iter().find(|(member, _)| member == name);
        let (_, value) = found.ok_or_else(|| ClientError::Malformed(format!("it has no {name:?}")))?;
        serde_json::from_str(value.get()).map_err(|error| malformed(&error))
    }

    /// Every member with its value as text: strings without their quotes, everything else as JSON.
    pub(super) fn texts(&self) -> impl Iterator<Item = (&str, String)> {
        self.members.iter().map(|(name, value)| (name.as_str(), text(value)))
    }

    /// This answer with one more member in front.
    pub(super) fn preceded_by(mut self, name: &str, value: &str) -> Result<Self, ClientError> {
        let value = to_raw_value(value).map_err(|error| malformed(&error))?;
        self.members.insert(0, (name.to_owned(), value));
        Ok(self)
    }
}

fn malformed(error: &serde_json::Error) -> ClientError {
    ClientError::Malformed(error.to_string())
}

fn text(value: &RawValue) -> String {
    serde_json::from_str(value.get()).unwrap_or_else(|_| value.get().to_owned())
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
                Ok(Answer { members, missing_buses: None })
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
        let answer = Answer::parse(r#"{"text": "a\"b", "number": 7, "list": [1, 2]}"#).unwrap();
        assert_eq!(answer.member::<Vec<u8>>("list").unwrap(), [1, 2]);
        assert_eq!(
            answer.member::<u8>("none").unwrap_err().to_string(),
            "the answer is not one of an OpenDCRE server: it has no \"none\""
        );
        let texts: Vec<_> = answer.texts().map(|(name, text)| format!("{name}={text}")).collect();
        assert_eq!(texts, ["text=a\"b", "number=7", "list=[1,2]"]);
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
