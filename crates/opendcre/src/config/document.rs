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
    /// The key with the tables that hold it, joined by dots, one of several tables with its name, as in
    /// `devicebus "hat".timeout`. Empty where the text is no TOML.
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
            write!(f, "{}: ", inert(&self.key))?;
        }
        // The parser likes to explain over several lines, but an error is one line.
        f.write_str(&inert(&self.message.replace('\n', ", ")))
    }
}

/// The text with everything escaped that does something to the terminal that shows it.
fn inert(text: &str) -> String {
    let acts = |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let escape = |c: char| if acts(c) { c.escape_unicode().to_string() } else { c.to_string() };
    text.chars().map(escape).collect()
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
    /// A problem with what `path` names: keys joined by dots, elements of arrays as numbers; the last key may have dots
    /// of its own. Where a part of it is not in the file (because its default counts), the line is that of the table
    /// around it.
    pub(super) fn problem(&self, path: &str, message: String) -> Problem {
        let (first, mut rest) = path.split_once('.').unwrap_or((path, ""));
        let mut place = self.root.get_key_value(first).map(|(key, value)| (key.span().start, value));
        let mut offset = place.map_or(0, |(start, _)| start);
        let mut key = first.to_owned();
        while !rest.is_empty() {
            let whole = place.and_then(|(_, value)| step(value, rest)).map(|_| (rest, ""));
            let (part, after) = whole.or_else(|| rest.split_once('.')).unwrap_or((rest, ""));
            let is_element = place.is_some_and(|(_, value)| matches!(value.get_ref(), DeValue::Array(_)));
            place = place.and_then(|(_, value)| step(value, part));
            offset = place.map_or(offset, |(start, _)| start);
            key += &match place {
                Some((_, element)) if is_element => label(element),
                _ => format!(".{part}"),
            };
            rest = after;
        }
        Problem { line: line_at(self.text, offset), key, message }
    }

    /// The innermost key whose name or value holds `span`, with the tables around it.
    fn key_at(&self, span: &Range<usize>) -> String {
        key_in(&self.root, span).unwrap_or_default()
    }
}

/// What `value` holds under the key or number `part`, and where that begins.
fn step<'v, 't>(value: &'v Spanned<DeValue<'t>>, part: &str) -> Option<(usize, &'v Spanned<DeValue<'t>>)> {
    match value.get_ref() {
        DeValue::Table(table) => table.get_key_value(part).map(|(key, value)| (key.span().start, value)),
        DeValue::Array(array) => {
            let element = part.parse().ok().and_then(|index: usize| array.get(index));
            element.map(|element| (element.span().start, element))
        }
        _ => None,
    }
}

/// How an element of an array is told from the others, if it has any of these keys.
fn label(element: &Spanned<DeValue<'_>>) -> String {
    let name = ["address", "board", "name"].iter().find_map(|key| step(element, key));
    match name.map(|(_, name)| name.get_ref()) {
        Some(DeValue::String(name)) => format!(" {name:?}"),
        _ => String::new(),
    }
}

/// The key that leads to `span`, with the tables around it, if it lies within `table`.
fn key_in(table: &DeTable<'_>, span: &Range<usize>) -> Option<String> {
    table.iter().find_map(|(key, value)| {
        let rest = if holds(&key.span(), span) { Some(String::new()) } else { rest_of_key(value, span) };
        rest.map(|rest| format!("{}{rest}", key.get_ref()))
    })
}

/// What follows the key of `value` in the key that leads to `span`. The span of a `[table]` is its header alone,
/// so its entries are looked through first.
fn rest_of_key(value: &Spanned<DeValue<'_>>, span: &Range<usize>) -> Option<String> {
    let inner = match value.get_ref() {
        DeValue::Table(table) => key_in(table, span).map(|key| format!(".{key}")),
        DeValue::Array(array) => array.iter().find_map(|element| {
            let rest = rest_of_key(element, span)?;
            Some(label(element) + &rest)
        }),
        _ => None,
    };
    inner.or_else(|| holds(&value.span(), span).then(String::new))
}

const fn holds(outer: &Range<usize>, inner: &Range<usize>) -> bool {
    outer.start <= inner.start && inner.end <= outer.end
}
