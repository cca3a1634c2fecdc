//! Search filters: their text (RFC 4515) with `{user}` where a name belongs, and their encoding (RFC 4511 §4.5.1.7).
//!
//! A filter is parsed once, without any name. The name of a user goes straight into the encoded value, so that no name
//! can change what a filter means.

use thiserror::Error;

use super::ber::{OCTET_STRING, SEQUENCE, put, put_boolean, put_nested};

/// What stands for the name in templates.
pub(super) const USER: &str = "{user}";
/// How deep filters may be nested.
const MAX_DEPTH: usize = 16;

const AND: u8 = 0xa0;
const OR: u8 = 0xa1;
const NOT: u8 = 0xa2;
const EQUALITY: u8 = 0xa3;
const SUBSTRINGS: u8 = 0xa4;
const GREATER_OR_EQUAL: u8 = 0xa5;
const LESS_OR_EQUAL: u8 = 0xa6;
const PRESENT: u8 = 0x87;
const APPROXIMATE: u8 = 0xa8;
const EXTENSIBLE: u8 = 0xa9;

/// What is wrong with the text of a filter.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FilterError {
    /// A character is missing.
    #[error("it lacks `{0}`")]
    Missing(char),
    /// Something follows the last parenthesis.
    #[error("something follows its last parenthesis")]
    Trailing,
    /// An item has no `=`, or no attribute or matching rule before it.
    #[error("`{0}` is no comparison of an attribute with a value")]
    Item(String),
    /// A value holds a backslash without two hexadecimal digits, or a star where none may be.
    #[error("`{0}` is no value; special characters are written as a backslash and two hexadecimal digits")]
    Value(String),
    /// The filter is nested too deep.
    #[error("it is nested more than {MAX_DEPTH} deep")]
    Depth,
}

/// A filter, in which names may be missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Filter {
    And(Vec<Filter>),
    Or(Vec<Filter>),
    Not(Box<Filter>),
    Compare { tag: u8, attribute: String, value: Value },
    Present(String),
    Substrings { attribute: String, initial: Value, any: Vec<Value>, last: Value },
    Extensible { rule: Option<String>, attribute: Option<String>, value: Value, dn: bool },
}

/// A value, in which names may be missing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Value(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Octets(Vec<u8>),
    User,
}

impl Value {
    fn parse(text: &str) -> Result<Self, FilterError> {
        let pieces = text.split(USER).map(|literal| unescape(literal).map(Piece::Octets));
        let mut all = Vec::new();
        for (index, piece) in pieces.enumerate() {
            if index > 0 {
                all.push(Piece::User);
            }
            match piece? {
                Piece::Octets(octets) if octets.is_empty() => {}
                piece => all.push(piece),
            }
        }
        Ok(Self(all))
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn wants_user(&self) -> bool {
        self.0.contains(&Piece::User)
    }

    fn with_user(&self, user: &str) -> Vec<u8> {
        let octets = self.0.iter().map(|piece| match piece {
            Piece::Octets(octets) => octets.as_slice(),
            Piece::User => user.as_bytes(),
        });
        octets.collect::<Vec<_>>().concat()
    }
}

impl From<&[u8]> for Value {
    fn from(octets: &[u8]) -> Self {
        Self(vec![Piece::Octets(octets.to_vec())])
    }
}

impl Filter {
    /// Parses the text of a filter (RFC 4515 §3).
    ///
    /// # Errors
    /// Every [`FilterError`].
    pub(super) fn parse(text: &str) -> Result<Self, FilterError> {
        let mut parser = Parser { rest: text.trim() };
        let filter = parser.filter(0)?;
        if parser.rest.is_empty() { Ok(filter) } else { Err(FilterError::Trailing) }
    }

    /// `attribute` has exactly this value.
    pub(super) fn equals(attribute: &str, value: &[u8]) -> Self {
        Self::Compare { tag: EQUALITY, attribute: attribute.to_owned(), value: value.into() }
    }

    /// `attribute` has a value that the matching rule `rule` counts as equal.
    pub(super) fn matches(attribute: &str, rule: &str, value: &[u8]) -> Self {
        Self::Extensible {
            rule: Some(rule.to_owned()),
            attribute: Some(attribute.to_owned()),
            value: value.into(),
            dn: false,
        }
    }

    /// Every entry has a class, so that this is true for all of them.
    pub(super) fn anything() -> Self {
        Self::Present("objectClass".to_owned())
    }

    /// Whether a name belongs in it.
    pub(super) fn wants_user(&self) -> bool {
        match self {
            Self::And(all) | Self::Or(all) => all.iter().any(Self::wants_user),
            Self::Not(inner) => inner.wants_user(),
            Self::Compare { value, .. } | Self::Extensible { value, .. } => value.wants_user(),
            Self::Present(_) => false,
            Self::Substrings { initial, any, last, .. } => {
                initial.wants_user() || last.wants_user() || any.iter().any(Value::wants_user)
            }
        }
    }

    /// Encodes it with a name.
    pub(super) fn encode(&self, user: &str) -> Vec<u8> {
        let mut out = Vec::new();
        self.put(&mut out, user);
        out
    }

    fn put(&self, out: &mut Vec<u8>, user: &str) {
        match self {
            Self::And(all) => put_nested(out, AND, |out| all.iter().for_each(|filter| filter.put(out, user))),
            Self::Or(all) => put_nested(out, OR, |out| all.iter().for_each(|filter| filter.put(out, user))),
            Self::Not(inner) => put_nested(out, NOT, |out| inner.put(out, user)),
            Self::Present(attribute) => put(out, PRESENT, attribute.as_bytes()),
            Self::Compare { tag, attribute, value } => put_nested(out, *tag, |out| {
                put(out, OCTET_STRING, attribute.as_bytes());
                put(out, OCTET_STRING, &value.with_user(user));
            }),
            Self::Substrings { attribute, initial, any, last } => put_nested(out, SUBSTRINGS, |out| {
                put(out, OCTET_STRING, attribute.as_bytes());
                put_nested(out, SEQUENCE, |out| {
                    put_part(out, 0x80, initial, user);
                    any.iter().for_each(|value| put_part(out, 0x81, value, user));
                    put_part(out, 0x82, last, user);
                });
            }),
            Self::Extensible { rule, attribute, value, dn } => put_nested(out, EXTENSIBLE, |out| {
                if let Some(rule) = rule {
                    put(out, 0x81, rule.as_bytes());
                }
                if let Some(attribute) = attribute {
                    put(out, 0x82, attribute.as_bytes());
                }
                put(out, 0x83, &value.with_user(user));
                put_boolean(out, 0x84, *dn);
            }),
        }
    }
}

fn put_part(out: &mut Vec<u8>, tag: u8, value: &Value, user: &str) {
    if !value.is_empty() {
        put(out, tag, &value.with_user(user));
    }
}

struct Parser<'a> {
    rest: &'a str,
}

impl<'a> Parser<'a> {
    fn filter(&mut self, depth: usize) -> Result<Filter, FilterError> {
        if depth > MAX_DEPTH {
            return Err(FilterError::Depth);
        }
        self.expect('(')?;
        let filter = if self.skip('&') {
            Filter::And(self.list(depth)?)
        } else if self.skip('|') {
            Filter::Or(self.list(depth)?)
        } else if self.skip('!') {
            Filter::Not(Box::new(self.filter(depth + 1)?))
        } else {
            item(self.until_parenthesis())?
        };
        self.expect(')')?;
        Ok(filter)
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Filter>, FilterError> {
        let mut all = vec![self.filter(depth + 1)?];
        while self.rest.starts_with('(') {
            all.push(self.filter(depth + 1)?);
        }
        Ok(all)
    }

    fn skip(&mut self, wanted: char) -> bool {
        self.rest.strip_prefix(wanted).map(|rest| self.rest = rest).is_some()
    }

    fn expect(&mut self, wanted: char) -> Result<(), FilterError> {
        if self.skip(wanted) { Ok(()) } else { Err(FilterError::Missing(wanted)) }
    }

    fn until_parenthesis(&mut self) -> &'a str {
        let end = self.rest.find(['(', ')']).unwrap_or(self.rest.len());
        let (item, rest) = self.rest.split_at(end);
        self.rest = rest;
        item
    }
}

fn item(text: &str) -> Result<Filter, FilterError> {
    let bad = || FilterError::Item(text.to_owned());
    let (left, value) = text.split_once('=').ok_or_else(bad)?;
    if let Some(left) = left.strip_suffix(':') {
        return extensible(left, value).ok_or_else(bad)?;
    }
    let compare = [('>', GREATER_OR_EQUAL), ('<', LESS_OR_EQUAL), ('~', APPROXIMATE)];
    for (sign, tag) in compare {
        if let Some(attribute) = left.strip_suffix(sign) {
            let attribute = description(attribute).ok_or_else(bad)?;
            return Ok(Filter::Compare { tag, attribute, value: plain(value)? });
        }
    }
    let attribute = description(left).ok_or_else(bad)?;
    match value.split('*').collect::<Vec<_>>().as_slice() {
        ["", ""] => Ok(Filter::Present(attribute)),
        [_] => Ok(Filter::Compare { tag: EQUALITY, attribute, value: plain(value)? }),
        [initial, any @ .., last] => {
            let any = any.iter().map(|part| Value::parse(part)).collect::<Result<Vec<_>, _>>()?;
            if any.iter().any(Value::is_empty) {
                return Err(FilterError::Value(value.to_owned()));
            }
            let (initial, last) = (Value::parse(initial)?, Value::parse(last)?);
            Ok(Filter::Substrings { attribute, initial, any, last })
        }
        [] => Err(bad()),
    }
}

/// `attribute:dn:rule` with some parts missing (RFC 4515 §3, `extensible`); nothing if it is something else.
fn extensible(left: &str, value: &str) -> Option<Result<Filter, FilterError>> {
    let mut parts = left.split(':');
    let attribute = match parts.next()? {
        "" => None,
        attribute => Some(description(attribute)?),
    };
    let mut parts = parts.peekable();
    let dn = parts.next_if(|part| part.eq_ignore_ascii_case("dn")).is_some();
    let rule = match parts.next() {
        None => None,
        Some(rule) => Some(description(rule)?),
    };
    if parts.next().is_some() || (attribute.is_none() && rule.is_none()) {
        return None;
    }
    Some(plain(value).map(|value| Filter::Extensible { rule, attribute, value, dn }))
}

/// A value without stars that stand for any text.
fn plain(text: &str) -> Result<Value, FilterError> {
    if text.contains('*') {
        return Err(FilterError::Value(text.to_owned()));
    }
    Value::parse(text)
}

/// An attribute description or matching rule (RFC 4512 §2.5): letters, digits, `-`, `.` and, before options, `;`.
pub(super) fn description(text: &str) -> Option<String> {
    let fits = |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '.' | ';');
    (!text.is_empty() && text.chars().all(fits)).then(|| text.to_owned())
}

/// Turns `\2a` into the octet that it stands for (RFC 4515 §3, `escaped`).
fn unescape(text: &str) -> Result<Vec<u8>, FilterError> {
    let bad = || FilterError::Value(text.to_owned());
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        if octet == 0 {
            return Err(bad());
        }
        if octet != b'\\' {
            octets.push(octet);
            continue;
        }
        let digits = rest.next().zip(rest.next()).and_then(|(high, low)| hex_octet(high, low));
        octets.push(digits.ok_or_else(bad)?);
    }
    Ok(octets)
}

/// The octet that two hexadecimal digits stand for.
pub(super) fn hex_octet(high: u8, low: u8) -> Option<u8> {
    let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some((digit(high)? << 4) | digit(low)?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::ber::Reader;
    use super::*;

    /// What the equality inside `(&(objectClass=person)(uid={user}))` compares with.
    fn asserted(encoded: &[u8]) -> Vec<u8> {
        let mut and = Reader::new(encoded).inside(AND).unwrap();
        and.expect(EQUALITY).unwrap();
        let mut uid = and.inside(EQUALITY).unwrap();
        assert_eq!(uid.text(), Ok("uid"));
        let value = uid.expect(OCTET_STRING).unwrap().to_vec();
        assert!(uid.is_empty() && and.is_empty());
        value
    }

    #[test]
    fn parses_every_kind() {
        for text in [
            "(uid={user})",
            "(&(objectClass=person)(|(uid={user})(mail={user}@example.test)))",
            "(!(disabled=TRUE))",
            "(cn=*)",
            "(cn=a*b*c)",
            "(cn=*{user}*)",
            "(age>=3)",
            "(age<=3)",
            "(cn~=ada)",
            "(userAccountControl:1.2.840.113556.1.4.803:=2)",
            "(ou:dn:=people)",
            "(:dn:2.4.6.8.10:=x)",
            r"(cn=\28\2a\29)",
            "(cn=)",
            "(cn;lang-de=x=y)",
        ] {
            assert!(Filter::parse(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_filter() {
        for text in [
            "",
            "uid={user}",
            "(uid={user}",
            "(uid={user}))",
            "(&)",
            "(!(a=b)(c=d))",
            "({user})",
            "({user}=x)",
            "(=x)",
            "(a b=c)",
            r"(cn=\2)",
            r"(cn=\zz)",
            "(cn=a**b)",
            "(age>=3*)",
            "(:=x)",
            "(a:b:c:=x)",
            "(cn=\0)",
        ] {
            assert!(Filter::parse(text).is_err(), "{text}");
        }
        let deep = format!("{}(a=b){}", "(!".repeat(100_000), ")".repeat(100_000));
        assert_eq!(Filter::parse(&deep), Err(FilterError::Depth));
    }

    #[test]
    fn knows_whether_a_name_belongs_in_it() {
        assert!(Filter::parse("(&(a=b)(|(c=d)(!(e=x*{user}))))").unwrap().wants_user());
        assert!(!Filter::parse("(&(a=b)(c=*))").unwrap().wants_user());
    }

    #[test]
    fn encodes_substrings_in_order() {
        let encoded = Filter::parse("(cn=a*b*{user})").unwrap().encode("*");
        let mut filter = Reader::new(&encoded).inside(SUBSTRINGS).unwrap();
        assert_eq!(filter.text(), Ok("cn"));
        let mut parts = filter.inside(SEQUENCE).unwrap();
        assert_eq!(parts.element(), Ok((0x80, &b"a"[..])));
        assert_eq!(parts.element(), Ok((0x81, &b"b"[..])));
        assert_eq!(parts.element(), Ok((0x82, &b"*"[..])));
        assert!(parts.is_empty());
    }

    proptest! {
        #[test]
        fn a_name_is_only_ever_a_value(user in any::<String>()) {
            let filter = Filter::parse("(&(objectClass=person)(uid={user}))").unwrap();
            prop_assert_eq!(asserted(&filter.encode(&user)), user.into_bytes());
        }

        #[test]
        fn names_that_look_like_filters_are_only_values(user in r"[()*&|!=\\a-c{}\x00]{0,40}") {
            let filter = Filter::parse("(&(objectClass=person)(uid={user}))").unwrap();
            prop_assert_eq!(asserted(&filter.encode(&user)), user.into_bytes());
        }

        #[test]
        fn hostile_texts_never_panic(text in r"[()*&|!=<>~:\\a-c0-9{}]{0,60}") {
            let _ = Filter::parse(&text).map(|filter| filter.encode("x"));
        }
    }
}
