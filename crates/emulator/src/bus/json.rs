//! JSON values that know where they stand, so that every complaint names the place.

use std::fmt;

use serde_json::{Map, Value};

use super::config::ConfigError;

/// A value and its place, such as `boards[2].devices[1].read`.
#[derive(Debug, Clone)]
pub(super) struct Node<'a> {
    pub(super) value: &'a Value,
    place: String,
}

impl<'a> Node<'a> {
    /// The value that holds all others.
    pub(super) fn root(value: &'a Value) -> Self {
        Self { value, place: String::new() }
    }

    /// The complaint about this value.
    pub(super) fn refuse(&self, message: impl fmt::Display) -> ConfigError {
        ConfigError::Value { place: self.place().to_owned(), message: message.to_string() }
    }

    /// Where the value stands.
    pub(super) fn place(&self) -> &str {
        match self.place.as_str() {
            "" => "top level",
            place => place,
        }
    }

    /// The value of a key, if the key is there. A value of null counts as none.
    pub(super) fn get(&self, key: &str) -> Result<Option<Self>, ConfigError> {
        Ok(self.find(key)?.filter(|node| !node.value.is_null()))
    }

    fn find(&self, key: &str) -> Result<Option<Self>, ConfigError> {
        let value = self.object()?.get(key);
        Ok(value.map(|value| Self {
            value,
            place: match self.place.as_str() {
                "" => key.to_owned(),
                place => format!("{place}.{key}"),
            },
        }))
    }

    /// The value of a key that must be there.
    pub(super) fn require(&self, key: &str) -> Result<Self, ConfigError> {
        self.find(key)?.ok_or_else(|| self.refuse(format_args!("the key {key:?} is missing")))
    }

    /// The value of a key, read by `read`, if the key is there with another value than null.
    pub(super) fn optional<T>(
        &self,
        key: &str,
        read: impl FnOnce(&Self) -> Result<T, ConfigError>,
    ) -> Result<Option<T>, ConfigError> {
        self.get(key)?.as_ref().map(read).transpose()
    }

    /// The keys that are not among `known`.
    pub(super) fn other_keys(&self, known: &[&str]) -> Result<impl Iterator<Item = &'a str>, ConfigError> {
        let keys = self.object()?.keys().map(String::as_str);
        Ok(keys.filter(move |key| !known.contains(key)))
    }

    fn object(&self) -> Result<&'a Map<String, Value>, ConfigError> {
        match self.value {
            Value::Object(object) => Ok(object),
            other => Err(self.mismatch("an object", other)),
        }
    }

    /// The elements of a list, each read by `read`.
    pub(super) fn list<T>(
        &self,
        read: impl FnMut(&Self) -> Result<T, ConfigError>,
    ) -> Result<Vec<T>, ConfigError> {
        let Value::Array(items) = self.value else {
            return Err(self.mismatch("a list", self.value));
        };
        let nodes: Vec<Self> = items.iter().enumerate().map(|item| self.element(item)).collect();
        nodes.iter().map(read).collect()
    }

    fn element(&self, (index, value): (usize, &'a Value)) -> Self {
        Self { value, place: format!("{}[{index}]", self.place) }
    }

    pub(super) fn text(&self) -> Result<&'a str, ConfigError> {
        match self.value {
            Value::String(text) => Ok(text),
            other => Err(self.mismatch("a text", other)),
        }
    }

    pub(super) fn flag(&self) -> Result<bool, ConfigError> {
        match self.value {
            Value::Bool(flag) => Ok(*flag),
            other => Err(self.mismatch("true or false", other)),
        }
    }

    /// The complaint that something else was expected here.
    pub(super) fn mismatch(&self, wanted: &str, found: &Value) -> ConfigError {
        let found = match found {
            Value::Null => "null",
            Value::Bool(_) => "true or false",
            Value::Number(_) => "a number",
            Value::String(_) => "a text",
            Value::Array(_) => "a list",
            Value::Object(_) => "an object",
        };
        self.refuse(format_args!("must be {wanted}, not {found}"))
    }
}
