//! A page of metrics: tables whose columns are families, written column by column, because what belongs to a family must
//! stand together. It is made while it is sent.

use std::collections::VecDeque;

use futures_util::stream;
use hyper::body::Bytes;

use super::format::Format;
use super::text::{Family, Text};
use crate::body::{Body, PIECE};

/// Things of one sort, of each of which the same can be told.
pub(super) trait Table: Send + 'static {
    /// How something is told of each.
    type Column: 'static;

    /// What can be told, each as a family.
    fn columns() -> &'static [(Family, Self::Column)];

    /// How many things there are.
    fn len(&self) -> usize;

    /// Writes the samples of one of them.
    fn write(&self, index: usize, column: &Self::Column, text: &mut Text);
}

/// A page, as far as it is not made yet.
pub(super) struct Page {
    parts: VecDeque<Box<dyn Part>>,
    text: Text,
    has_ended: bool,
}

/// A part of a page.
trait Part: Send {
    /// Writes a little. Nothing once everything is written.
    fn write(&mut self, text: &mut Text) -> Option<()>;
}

/// A table, as far as it is not written yet.
struct Unwritten<T> {
    table: T,
    column: usize,
    /// The next of the things in it.
    index: usize,
}

impl Page {
    pub(super) fn new(format: Format) -> Self {
        Self { parts: VecDeque::new(), text: Text::new(format), has_ended: false }
    }

    pub(super) fn with(mut self, table: impl Table) -> Self {
        self.parts.push_back(Box::new(Unwritten { table, column: 0, index: 0 }));
        self
    }

    /// The page as it is sent.
    pub(super) fn into_body(mut self) -> Body {
        let first = self.next().unwrap_or_default();
        if self.has_ended {
            first.into()
        } else {
            Body::pieces(stream::iter([first].into_iter().chain(self)))
        }
    }
}

impl Iterator for Page {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        while !self.has_ended && self.text.len() < PIECE {
            match self.parts.front_mut() {
                Some(part) => {
                    if part.write(&mut self.text).is_none() {
                        self.parts.pop_front();
                    }
                }
                None => {
                    self.text.end();
                    self.has_ended = true;
                }
            }
        }
        Some(self.text.take()).filter(|text| !text.is_empty()).map(Bytes::from)
    }
}

impl<T: Table> Part for Unwritten<T> {
    fn write(&mut self, text: &mut Text) -> Option<()> {
        let (family, column) = T::columns().get(self.column)?;
        if self.index == 0 {
            text.begin(family);
        }
        if self.index < self.table.len() {
            self.table.write(self.index, column, text);
            self.index += 1;
        } else {
            (self.column, self.index) = (self.column + 1, 0);
        }
        Some(())
    }
}
