//! The members of a JSON object, read into a struct: each field is a member, each value a text, a number, a truth value or
//! a word. What is wrong is told with the member and its place.
//!
//! It knows no member by name, and no objects within objects.

use std::borrow::Cow;
use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, Visitor,
};
use serde::{Deserialize, forward_to_deserialize_any};
use serde_json::Value;
use serde_json::value::RawValue;

use super::mistake::Mistake;

/// Why an object cannot be read.
#[derive(Debug)]
pub(super) enum ObjectError {
    /// It is no JSON.
    Syntax(serde_json::Error),
    /// A text or number in it is none, from this byte on.
    Scalar(usize),
    /// It is JSON that means nothing here.
    Meaning {
        /// The member, as a JSON pointer (RFC 6901).
        pointer: String,
        /// The byte with which the mistake begins.
        offset: usize,
        mistake: Mistake,
    },
}

/// Reads an object.
pub(super) fn read<T: DeserializeOwned>(text: &[u8]) -> Result<T, ObjectError> {
    let Pairs(pairs) = serde_json::from_slice(text).map_err(ObjectError::Syntax)?;
    let members = pairs.into_iter().map(|pair| Member::of(text, pair)).collect::<Result<Vec<_>, _>>()?;
    // What is missing could stand before the last bracket.
    let end = text.trim_ascii_end().len().saturating_sub(1);
    let mut place = Place { name: Cow::Borrowed(""), offset: end };
    let object = Object { members: members.into_iter(), value: None, place: &mut place, end };
    T::deserialize(object).map_err(|mistake| {
        let name = mistake.missing.unwrap_or(&place.name);
        ObjectError::Meaning { pointer: pointer(name), offset: place.offset, mistake }
    })
}

/// The members of an object as they are written.
struct Pairs<'a>(Vec<(&'a RawValue, &'a RawValue)>);

/// A member of an object.
struct Member {
    name: String,
    value: Value,
    /// The bytes with which its name and its value begin.
    offsets: (usize, usize),
}

/// Where something stands: the member, and the byte with which it begins.
struct Place {
    name: Cow<'static, str>,
    offset: usize,
}

/// An object, as a struct is made of it.
struct Object<'p> {
    members: std::vec::IntoIter<Member>,
    /// The value of the member whose name was read last, and where it stands.
    value: Option<(Value, usize)>,
    /// What is being read, for messages.
    place: &'p mut Place,
    end: usize,
}

/// A value, as a field is made of it.
struct Scalar(Value);

impl Member {
    fn of(text: &[u8], (name, value): (&RawValue, &RawValue)) -> Result<Self, ObjectError> {
        let offset = |raw: &RawValue| raw.get().as_ptr().addr().saturating_sub(text.as_ptr().addr());
        let offsets = (offset(name), offset(value));
        // Skipping them did not look at what is escaped in texts, nor how large numbers are.
        Ok(Self {
            name: serde_json::from_str(name.get()).map_err(|_| ObjectError::Scalar(offsets.0))?,
            value: serde_json::from_str(value.get()).map_err(|_| ObjectError::Scalar(offsets.1))?,
            offsets,
        })
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Pairs<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PairsVisitor)
    }
}

struct PairsVisitor;

impl<'de> Visitor<'de> for PairsVisitor {
    type Value = Pairs<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs<'de>, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(Pairs(pairs))
    }
}

impl<'de> Deserializer<'de> for Object<'_> {
    type Error = Mistake;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_map(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl<'de> MapAccess<'de> for Object<'_> {
    type Error = Mistake;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Mistake> {
        let Some(Member { name, value, offsets: (offset, of_value) }) = self.members.next() else {
            *self.place = Place { name: Cow::Borrowed(""), offset: self.end };
            return Ok(None);
        };
        self.value = Some((value, of_value));
        *self.place = Place { name: Cow::Owned(name), offset };
        let key: StrDeserializer<'_, Mistake> = (*self.place.name).into_deserializer();
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Mistake> {
        let (value, offset) = self.value.take().unwrap_or((Value::Null, self.end));
        self.place.offset = offset;
        seed.deserialize(Scalar(value))
    }
}

impl Scalar {
    /// It is not what it must be.
    fn must_be(&self, what: &str) -> Mistake {
        Mistake::new(format!("it must be {what}, not {}", self.what()))
    }

    const fn what(&self) -> &'static str {
        match self.0 {
            Value::Null => "null",
            Value::Bool(_) => "true or false",
            Value::Number(_) => "a number",
            Value::String(_) => "a text",
            Value::Array(_) => "an array",
            Value::Object(_) => "an object",
        }
    }
}

impl<'de> Deserializer<'de> for Scalar {
    type Error = Mistake;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        match self.0 {
            Value::Bool(value) => visitor.visit_bool(value),
            Value::String(text) => visitor.visit_string(text),
            Value::Number(ref number) => match number.as_f64() {
                Some(number) => visitor.visit_f64(number),
                None => Err(self.must_be("a number")),
            },
            Value::Null => visitor.visit_unit(),
            Value::Array(_) | Value::Object(_) => Err(self.must_be("a single value")),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        if self.0.is_boolean() { self.deserialize_any(visitor) } else { Err(self.must_be("true or false")) }
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        if self.0.is_number() { self.deserialize_any(visitor) } else { Err(self.must_be("a number")) }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        if self.0.is_string() { self.deserialize_any(visitor) } else { Err(self.must_be("a text")) }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        self.deserialize_str(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        words: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        match self.0 {
            Value::String(word) => {
                let word: de::value::StringDeserializer<Mistake> = word.into_deserializer();
                visitor.visit_enum(word)
            }
            _ => Err(Mistake { expected: words, ..self.must_be(&format!("one of {}", words.join(", "))) }),
        }
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 char bytes byte_buf unit unit_struct seq tuple tuple_struct map
        struct identifier ignored_any
    }
}

/// The JSON pointer to a member of the outermost object (RFC 6901, §3).
fn pointer(name: &str) -> String {
    format!("/{}", opendcre_model::excerpt(name).replace('~', "~0").replace('/', "~1"))
}
