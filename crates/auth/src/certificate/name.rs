//! Distinguished names: as text (RFC 4514), and what in them is of use.

use std::fmt::Write;

use x509_parser::asn1_rs::{Any, Oid, Tag, ToDer, oid};
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

use super::{CertificateError, MAX_NAMES, broken, checked};

const COMMON_NAME: Oid<'static> = oid!(2.5.4.3);
const ORGANIZATIONAL_UNIT: Oid<'static> = oid!(2.5.4.11);

/// The attributes that have short names (RFC 4514 §3).
const SHORT_NAMES: [(Oid<'static>, &str); 9] = [
    (COMMON_NAME, "CN"),
    (oid!(2.5.4.7), "L"),
    (oid!(2.5.4.8), "ST"),
    (oid!(2.5.4.10), "O"),
    (ORGANIZATIONAL_UNIT, "OU"),
    (oid!(2.5.4.6), "C"),
    (oid!(2.5.4.9), "STREET"),
    (oid!(0.9.2342.19200300.100.1.25), "DC"),
    (oid!(0.9.2342.19200300.100.1.1), "UID"),
];

/// A distinguished name.
pub(super) struct Distinguished {
    /// All of it, the most particular part first.
    pub(super) text: String,
    /// In the order of the certificate, in which the most particular part is the last.
    pub(super) common_names: Vec<String>,
    pub(super) organizational_units: Vec<String>,
}

impl Distinguished {
    pub(super) fn read(name: &X509Name<'_>) -> Result<Self, CertificateError> {
        if name.iter_attributes().count() > MAX_NAMES {
            return Err(CertificateError::TooManyNames);
        }
        Ok(Self {
            text: text(name)?,
            common_names: values(name, &COMMON_NAME)?,
            organizational_units: values(name, &ORGANIZATIONAL_UNIT)?,
        })
    }
}

/// All values of one attribute that are text.
fn values(name: &X509Name<'_>, kind: &Oid<'_>) -> Result<Vec<String>, CertificateError> {
    let attributes = name.iter_attributes().filter(|attribute| attribute.attr_type() == kind);
    attributes.filter_map(|attribute| string(attribute.attr_value())).map(|value| checked(&value?)).collect()
}

/// A name as RFC 4514 §2.1 has it: from the last part to the first.
fn text(name: &X509Name<'_>) -> Result<String, CertificateError> {
    let parts: Vec<_> = name.iter_rdn().collect();
    let mut text = String::new();
    for part in parts.into_iter().rev() {
        for (index, attribute) in part.iter().enumerate() {
            let separator = if index > 0 { "+" } else { "," };
            text.push_str(if text.is_empty() { "" } else { separator });
            write_attribute(&mut text, attribute)?;
        }
    }
    Ok(text)
}

/// One attribute (RFC 4514 §2.3 and §2.4): a text after a short name, or the digits of anything else.
fn write_attribute(text: &mut String, attribute: &AttributeTypeAndValue<'_>) -> Result<(), CertificateError> {
    let (kind, value) = (attribute.attr_type(), attribute.attr_value());
    let short = SHORT_NAMES.into_iter().find(|(known, _)| known == kind);
    match (short, string(value)) {
        (Some((_, short)), Some(value)) => {
            text.push_str(short);
            text.push('=');
            escape(text, &checked(&value?)?);
        }
        _ => {
            text.push_str(&kind.to_id_string());
            text.push_str("=#");
            for byte in value.to_der_vec().map_err(|error| broken(&error))? {
                write!(text, "{byte:02x}").map_err(|error| broken(&error))?;
            }
        }
    }
    Ok(())
}

/// Escapes what would be understood as something else (RFC 4514 §2.4). Control characters never come here.
fn escape(text: &mut String, value: &str) {
    let last = value.chars().count().saturating_sub(1);
    for (index, c) in value.chars().enumerate() {
        let is_special = matches!(c, '"' | '+' | ',' | ';' | '<' | '>' | '\\');
        let is_at_edge = (index == 0 && matches!(c, ' ' | '#')) || (index == last && c == ' ');
        if is_special || is_at_edge {
            text.push('\\');
        }
        text.push(c);
    }
}

/// The text of a value, if it is of one of the kinds that hold text in one agreed way: `TeletexString` does not.
fn string(value: &Any<'_>) -> Option<Result<String, CertificateError>> {
    match value.tag() {
        Tag::Utf8String | Tag::PrintableString | Tag::Ia5String | Tag::NumericString => {
            Some(std::str::from_utf8(value.data).map(str::to_owned).map_err(|error| broken(&error)))
        }
        Tag::BmpString => Some(utf16(value.data)),
        _ => None,
    }
}

/// A `BMPString`: UTF-16, the more significant byte first.
fn utf16(bytes: &[u8]) -> Result<String, CertificateError> {
    let (units, rest) = bytes.as_chunks::<2>();
    let text: Result<String, _> =
        char::decode_utf16(units.iter().map(|unit| u16::from_be_bytes(*unit))).collect();
    match text {
        Ok(text) if rest.is_empty() => Ok(text),
        _ => Err(CertificateError::Broken("a text in it is not UTF-16".to_owned())),
    }
}
