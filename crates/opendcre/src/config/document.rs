//! Where in the file something stands, so that an error can name its line and its key.

use std::fmt;
use std::ops::Range;
use std::path::Path;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The line, counted from 1.
    pub line: usize,
    /// The key with the tables that hold it, joined by dots. Empty where the text is no TOML.
    pub key: String,
    /// What is wrong and how to mend it.
    pub message: String,
}

impl Problem {
    /// `file:line: key: message`.
    #[must_use]
    pub fn line_in(&self, path: &Path) -> String {
        format!("{}:{self}", path.display())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.line)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        // The parser likes to explain over several lines, but an error is one line.
        f.write_str(&self.message.replace('\n', ", "))
    }
}

/// A parsed text that still knows where everything stood.
pub(super) struct Document<'t> {
    text: &'t str,
    root: DeTable<'t>,
}

/// Reads a `T` and keeps the places of its parts.
pub(super) fn parse<T: DeserializeOwned>(text: &str) -> Result<(T, Document<'_>), Problem> {
    let root = DeTable::parse(text).map_err(|error| problem_of(&error, text, None))?;
    let document = Document { text, root: root.into_inner() };
    match toml::from_str(text) {
        Ok(value) => Ok((value, document)),
        Err(error) => Err(problem_of(&error, text, Some(&document))),
    }
}

fn problem_of(error: &toml::de::Error, text: &str, document: Option<&Document<'_>>) -> Problem {
    let span = error.span().unwrap_or(0..0);
    Problem {
        line: line_at(text, span.start),
        key: document.map_or_else(String::new, |document| document.key_at(&span)),
        message: error.message().to_owned(),
    }
}

fn line_at(text: &str, offset: usize) -> usize {
    let before = text.bytes().take(offset);
    1 + before.filter(|byte| *byte == b'\n').count()
}

impl Document<'_> {
    /// A problem with what `path` names: keys joined by dots, elements of arrays as numbers. Where a part of it
    /// is not in the file (because its default counts), the line is that of the table around it.
    pub(super) fn problem(&self, path: &str, message: String) -> Problem {
        let is_key = |part: &&str| !part.bytes().all(|byte| byte.is_ascii_digit());
        let keys: Vec<&str> = path.split('.').filter(is_key).collect();
        Problem { line: line_at(self.text, self.offset_of(path)), key: keys.join("."), message }
    }

    fn offset_of(&self, path: &str) -> usize {
        let mut parts = path.split('.');
        let first = parts.next().and_then(|key| self.root.get_key_value(key));
        let Some((key, mut value)) = first else {
            return 0;
        };
        let mut offset = key.span().start;
        for part in parts {
            let found = match value.get_ref() {
                DeValue::Table(table) => table.get_key_value(part).map(|(key, value)| (key.span(), value)),
                DeValue::Array(array) => {
                    let element = part.parse().ok().and_then(|index: usize| array.get(index));
                    element.map(|element| (element.span(), element))
                }
                _ => None,
            };
            let Some((span, inner)) = found else {
                return offset;
            };
            (offset, value) = (span.start, inner);
        }
        offset
    }

    /// The innermost key whose name or value holds `span`, with the tables around it.
    fn key_at(&self, span: &Range<usize>) -> String {
        keys_in(&self.root, span).unwrap_or_default().join(".")
    }
}

/// The keys that lead to `span`, outermost first, if it lies within `table`.
fn keys_in<'t>(table: &'t DeTable<'_>, span: &Range<usize>) -> Option<Vec<&'t str>> {
    table.iter().find_map(|(key, value)| {
        let mut keys = vec![key.get_ref().as_ref()];
        if !holds(&key.span(), span) {
            keys.extend(keys_within(value, span)?);
        }
        Some(keys)
    })
}

/// The same for any value. The span of a `[table]` is its header alone, so its entries are looked through first.
fn keys_within<'t>(value: &'t Spanned<DeValue<'_>>, span: &Range<usize>) -> Option<Vec<&'t str>> {
    let inner = match value.get_ref() {
        DeValue::Table(table) => keys_in(table, span),
        DeValue::Array(array) => array.iter().find_map(|element| keys_within(element, span)),
        _ => None,
    };
    inner.or_else(|| holds(&value.span(), span).then(Vec::new))
}

const fn holds(outer: &Range<usize>, inner: &Range<usize>) -> bool {
    outer.start <= inner.start && inner.end <= outer.end
}
