//! Whole numbers of any length in JSON.

use opendcre_model::Number;
use serde_json::value::RawValue;

/// The digits as they came: they may be more than any machine integer holds. The error is the problem in words.
pub(crate) fn integer(number: &Number) -> Result<Box<RawValue>, String> {
    match number {
        Number::Integer(digits) => RawValue::from_string(digits.clone()).map_err(|error| error.to_string()),
        Number::Decimal(value) => {
            Err(format!("the device answered {value}, where this API carries integers only"))
        }
    }
}
