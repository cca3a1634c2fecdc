//! What is wrong with a value of a request, in our own words: those of a parser are for programmers and change with it.
//!
//! It does not know where the value stands.

use std::fmt;

use serde::de::{self, Expected, Unexpected};

/// Why a value cannot be read.
#[derive(Debug)]
pub(super) struct Mistake {
    /// What is wrong, as a clause about "it".
    pub(super) message: String,
    /// What could stand there, if that can be listed.
    pub(super) expected: &'static [&'static str],
    /// What is not there at all, if that is the mistake.
    pub(super) missing: Option<&'static str>,
}

impl Mistake {
    /// A mistake that is described by `message`.
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), expected: &[], missing: None }
    }

    /// What could stand there, if that can be listed.
    pub(super) fn candidates(&self) -> Vec<String> {
        self.expected.iter().map(|word| (*word).to_owned()).collect()
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Mistake {}

impl de::Error for Mistake {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(message.to_string())
    }

    fn invalid_type(_: Unexpected<'_>, _: &dyn Expected) -> Self {
        Self::new("it is of another type than it must be")
    }

    fn invalid_value(_: Unexpected<'_>, _: &dyn Expected) -> Self {
        Self::new("it is none of the values that are possible here")
    }

    fn invalid_length(length: usize, _: &dyn Expected) -> Self {
        Self::new(format!("it cannot have {length} parts"))
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        let variant = opendcre_model::excerpt(variant);
        let message = format!("{variant:?} is not a word for it; use {}", expected.join(", "));
        Self { expected, ..Self::new(message) }
    }

    fn unknown_field(_: &str, expected: &'static [&'static str]) -> Self {
        let message = match expected {
            [] => "there is no such member here, nor any other".to_owned(),
            _ => format!("there is no such member here; there are {}", expected.join(", ")),
        };
        Self { expected, ..Self::new(message) }
    }

    fn missing_field(field: &'static str) -> Self {
        Self { missing: Some(field), ..Self::new("it is missing") }
    }

    fn duplicate_field(_: &'static str) -> Self {
        Self::new("it is given several times; give it once")
    }
}
