//! The query of a request, read into a struct: each field is a parameter, each value is text that the type of its field
//! reads. What is not a field is refused by name, so that a misspelt filter does not silently select everything.
//!
//! It knows no parameter by name.

use std::borrow::Cow;

use percent_encoding::percent_decode;
use serde::de::value::StrDeserializer;
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::mistake::Mistake;
use super::{cut, cut_once};
use crate::problem::{Code, Problem};

/// The parameters of a request, decoded, in their order.
#[derive(Debug, Default)]
pub(crate) struct Query<'a> {
    /// As it came.
    text: &'a str,
    pairs: Vec<Pair<'a>>,
}

/// A parameter, decoded.
#[derive(Debug)]
struct Pair<'a> {
    name: Cow<'a, str>,
    value: Cow<'a, str>,
    /// Where it begins in the text, in bytes.
    start: usize,
}

impl<'a> Query<'a> {
    /// Takes the text behind the question mark apart (as forms are written: `+` is a blank).
    pub(crate) fn of(text: Option<&'a str>) -> Self {
        let text = text.unwrap_or_default();
        // Hardly any query needs decoding, and it takes but one look to see that.
        let decode: fn(&'a str) -> Cow<'a, str> =
            if text.bytes().any(|byte| matches!(byte, b'%' | b'+')) { decode } else { Cow::Borrowed };
        let mut next = 0;
        let pairs = cut(text, b'&').map(|pair| {
            let start = next;
            next += pair.len() + 1;
            let (name, value) = cut_once(pair, b'=').unwrap_or((pair, ""));
            Pair { name: decode(name), value: decode(value), start }
        });
        let pairs = pairs.filter(|pair| !(pair.name.is_empty() && pair.value.is_empty()));
        Self { text, pairs: pairs.collect() }
    }

    /// Refuses every parameter that is not in `known`.
    pub(crate) fn only(&self, known: &[String]) -> Result<(), Problem> {
        let is_unknown = |pair: &&Pair<'_>| !known.iter().any(|known| *known == pair.name);
        let Some(Pair { name, start, .. }) = self.pairs.iter().find(is_unknown) else { return Ok(()) };
        let position = self.text.get(..*start).unwrap_or_default().chars().count();
        let name = opendcre_model::excerpt(name);
        let detail = match known {
            [] => format!("there is no parameter {name:?} here, nor any other"),
            _ => format!("there is no parameter {name:?} here; there are {}", known.join(", ")),
        };
        let problem = Problem::new(Code::UNKNOWN_PARAMETER, detail).in_parameter(&name).at(position);
        Err(problem.with_candidates(known.to_vec()))
    }

    /// Reads the parameters that are fields of `T`.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        let mut current = None;
        T::deserialize(Parameters { query: self, current: &mut current }).map_err(|mistake| {
            let candidates = mistake.candidates();
            let problem = Problem::new(Code::BAD_PARAMETER, mistake.message).at(0);
            current.into_iter().fold(problem.with_candidates(candidates), Problem::in_parameter)
        })
    }
}

fn decode(text: &str) -> Cow<'_, str> {
    let blanks = text.replace('+', " ");
    Cow::Owned(percent_decode(blanks.as_bytes()).decode_utf8_lossy().into_owned())
}

/// A query, as a struct is made of it.
struct Parameters<'q> {
    query: &'q Query<'q>,
    /// The parameter that is being read, for messages.
    current: &'q mut Option<&'static str>,
}

/// The fields of a struct that the query has values for.
struct Fields<'q> {
    parameters: Parameters<'q>,
    fields: std::slice::Iter<'static, &'static str>,
    values: Values<'q>,
}

/// The values of one parameter.
#[derive(Clone, Copy, Default)]
struct Values<'q> {
    name: &'static str,
    /// Those of other parameters may be among them.
    pairs: &'q [Pair<'q>],
}

impl<'de> Deserializer<'de> for Parameters<'_> {
    type Error = Mistake;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Mistake> {
        Err(de::Error::custom("parameters are read into a struct"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        visitor.visit_map(Fields { parameters: self, fields: fields.iter(), values: Values::default() })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

impl<'de> MapAccess<'de> for Fields<'_> {
    type Error = Mistake;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Mistake> {
        for field in self.fields.by_ref() {
            self.values = Values { name: field, pairs: &self.parameters.query.pairs };
            if self.values.all().next().is_some() {
                *self.parameters.current = Some(*field);
                let key: StrDeserializer<'_, Mistake> = (*field).into_deserializer();
                return seed.deserialize(key).map(Some);
            }
        }
        // What is wrong from here on is wrong with no parameter in particular.
        *self.parameters.current = None;
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Mistake> {
        seed.deserialize(self.values)
    }
}

impl<'q> Values<'q> {
    fn all(self) -> impl Iterator<Item = &'q Pair<'q>> {
        self.pairs.iter().filter(move |pair| pair.name == self.name)
    }

    /// The value of a parameter that is given once.
    fn only(self) -> Result<&'q str, Mistake> {
        let mut values = self.all();
        match (values.next(), values.next()) {
            (Some(only), None) => Ok(&only.value),
            _ => Err(de::Error::custom(format!("it is given {} times; give it once", self.all().count()))),
        }
    }

    /// The value, read as `what`.
    fn parse<T: std::str::FromStr>(self, what: &str) -> Result<T, Mistake> {
        let value = self.only()?;
        let unreadable = |_| {
            let value = opendcre_model::excerpt(value);
            de::Error::custom(format!("{value:?} is not {what}"))
        };
        value.parse().map_err(unreadable)
    }
}

macro_rules! parse_values {
    ($($method:ident, $visit:ident, $what:literal;)+) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
            visitor.$visit(self.parse($what)?)
        })+
    };
}

impl<'de> Deserializer<'de> for Values<'_> {
    type Error = Mistake;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_str(self.only()?)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_seq(Sequence(self))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        let word: StrDeserializer<'_, Mistake> = self.only()?.into_deserializer();
        visitor.visit_enum(word)
    }

    parse_values! {
        deserialize_bool, visit_bool, "true or false";
        deserialize_u8, visit_u8, "a whole number from 0 to 255";
        deserialize_u16, visit_u16, "a whole number from 0 to 65535";
        deserialize_u32, visit_u32, "a whole number that is not too large";
        deserialize_u64, visit_u64, "a whole number that is not too large";
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u128 f32 f64 char str string bytes byte_buf unit unit_struct tuple tuple_struct map struct
        identifier ignored_any
    }
}

/// The values of a parameter that may be given several times.
struct Sequence<'q>(Values<'q>);

impl<'de> SeqAccess<'de> for Sequence<'_> {
    type Error = Mistake;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Mistake> {
        let Self(Values { name, pairs }) = self;
        let Some(position) = pairs.iter().position(|pair| pair.name == *name) else { return Ok(None) };
        let (before, rest) = pairs.split_at(position + 1);
        *pairs = rest;
        seed.deserialize(Values { name, pairs: before }).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use opendcre_model::DeviceKind;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default)]
    struct Example {
        limit: u32,
        deep: bool,
        kind: Option<DeviceKind>,
        label: Vec<String>,
        name: Option<String>,
    }

    fn read(text: &str) -> Result<Example, Problem> {
        Query::of(Some(text)).read()
    }

    #[test]
    fn values_are_read_as_the_types_of_their_fields() {
        let text = "limit=7&label=a%3Db&deep=true&kind=fan_speed&label=c+d%2B&&name=&other";
        let expected = Example {
            limit: 7,
            deep: true,
            kind: Some(DeviceKind::FanSpeed),
            label: vec!["a=b".to_owned(), "c d+".to_owned()],
            name: Some(String::new()),
        };
        assert_eq!(read(text).unwrap(), expected);
        assert_eq!(Query::of(None).read::<Example>().unwrap(), Example::default());
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for (text, parameter, part) in [
            ("limit=x", "limit", "\\\"x\\\" is not a whole number"),
            ("limit=-1", "limit", "whole number"),
            ("limit=1&limit=2", "limit", "given 2 times"),
            ("name=a&deep=maybe", "deep", "true or false"),
            ("kind=sofa", "kind", "use airflow, current"),
        ] {
            let problem = format!("{:?}", read(text).unwrap_err());
            assert!(problem.contains(&format!("parameter: Some(\"{parameter}\")")), "{problem}");
            assert!(problem.contains(part), "{problem}");
        }
    }

    #[test]
    fn a_parameter_that_nobody_knows_is_refused() {
        let known = ["limit".to_owned()];
        assert!(Query::of(Some("limit=1")).only(&known).is_ok());
        let problem = Query::of(Some("limit=1&limti=2")).only(&known).unwrap_err();
        assert_eq!(problem.code(), "unknown_parameter");
        let problem = format!("{problem:?}");
        for part in ["parameter: Some(\"limti\")", "position: Some(8)", "candidates: [\"limit\"]"] {
            assert!(problem.contains(part), "{problem}");
        }
        let problem = format!("{:?}", Query::of(Some("&&x")).only(&[]).unwrap_err());
        assert!(problem.contains("position: Some(2)"), "{problem}");
        assert!(Query::of(Some("=")).only(&[]).is_ok() && Query::of(Some("=x")).only(&known).is_err());
    }
}
