//! Listings: sorted, cut into pages, reduced to the fields that were asked for, and sent piece by piece if they are long.
//!
//! A page begins behind the last item of the page before, wherever that is now: a cursor holds what the item was sorted
//! by, not a number. So nothing is skipped and nothing comes twice when other items come and go.

use std::cmp::Ordering;

use futures_util::stream;
use http::{StatusCode, Uri};
use hyper::body::Bytes;
use jiff::Timestamp;
use percent_encoding::utf8_percent_encode;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize, Serializer};

use super::PLAIN;
use super::answer::{Documented, Show, Volatile};
use crate::body::{Body, PIECE};
use crate::problem::{Code, Problem};
use crate::reply::{self, Reply};

/// How a listing is cut.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(super) struct Page {
    /// The most items on this page; 0 stands for all.
    #[schemars(with = "u16", range(max = 1000))]
    limit: Limit,
    /// The cursor behind which this page begins, as it stands in the `next` of the page before. It is opaque.
    after: Option<String>,
    /// The fields to sort by, separated by commas; `-` before a field turns its order round. What they leave undecided
    /// is decided by the id, as is everything without it unless the listing says otherwise.
    sort: Option<String>,
    /// The fields of each item to answer, separated by commas. All of them if it is not given.
    fields: Option<String>,
}

/// The number of items on a page.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "u16")]
struct Limit(u16);

/// An item of a listing.
pub(super) trait Item: Show {
    /// The fields by which a listing of them can be sorted.
    const SORT: &'static [&'static str];

    /// The fields by which it is sorted unless the request says otherwise, written as in a request.
    const USUAL_SORT: Option<&'static str> = None;

    /// What a listing is sorted by for one of these fields.
    fn key(&self, field: &str) -> Key;

    /// What no two items of a listing have in common.
    fn id(&self) -> Key;
}

/// What a listing is sorted by. Nothing comes before everything.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Key {
    Nothing,
    Number(i64),
    Text(String),
}

impl From<&str> for Key {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl<T> From<Option<T>> for Key
where
    Self: From<T>,
{
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Nothing, Self::from)
    }
}

impl From<Timestamp> for Key {
    fn from(time: Timestamp) -> Self {
        Self::Number(time.as_microsecond())
    }
}

/// The place of an item in a listing: what it is sorted by, its id last.
type Place = Vec<Key>;

/// A listing that was asked for.
pub(super) struct Listing {
    sort: Vec<SortField>,
    /// The place behind which it begins.
    after: Option<Place>,
    limit: usize,
    fields: Option<Vec<&'static str>>,
    /// The path and query of the request, without a cursor.
    uri: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct SortField {
    name: &'static str,
    is_descending: bool,
}

impl Default for Limit {
    fn default() -> Self {
        Self(100)
    }
}

impl Serialize for Limit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl TryFrom<u16> for Limit {
    type Error = &'static str;

    fn try_from(limit: u16) -> Result<Self, Self::Error> {
        if limit > 1000 { Err("a page has at most 1000 items; use 0 for all items") } else { Ok(Self(limit)) }
    }
}

impl Listing {
    /// The page of a listing of `I`, whose items have the members `fields`, that was asked for at `uri`.
    pub(super) fn of<I: Item>(page: &Page, fields: &'static [String], uri: &Uri) -> Result<Self, Problem> {
        let sort = page.sort.as_deref().or(I::USUAL_SORT).map_or(Ok(Vec::new()), sort_fields::<I>)?;
        let after = page.after.as_deref().map(|cursor| place(cursor, sort.len())).transpose()?;
        let limit = if page.limit.0 == 0 { usize::MAX } else { usize::from(page.limit.0) };
        let fields = page.fields.as_deref().map(|text| chosen(text, fields)).transpose()?;
        Ok(Self { sort, after, limit, fields, uri: without_cursor(uri) })
    }

    /// What a listing of `I` looks like.
    pub(super) fn document<I: Item>(generator: &mut SchemaGenerator) -> Vec<Documented> {
        let schema = schema(&item_schema::<I>(generator));
        vec![Documented::json(StatusCode::OK, "A page of the listing.", schema)]
    }

    /// The page as it is sent.
    pub(super) fn reply<I: Item>(&self, items: Vec<I>) -> Result<Reply, Problem> {
        let total = items.len();
        let mut places: Vec<(Place, I)> = items.into_iter().map(|item| (self.place(&item), item)).collect();
        if let Some(after) = &self.after {
            places.retain(|(place, _)| self.compare(place, after).is_gt());
        }
        places.sort_by(|(left, _), (right, _)| self.compare(left, right));
        let is_last = places.len() <= self.limit;
        places.truncate(self.limit);
        let next = places.last().filter(|_| !is_last).map(|(place, _)| self.next(place)).transpose()?;
        let end = format!("],\"next\":{},\"total\":{total}}}", serde_json::json!(next));
        let items: Vec<I> = places.into_iter().map(|(_, item)| item).collect();
        let mut reply = reply::json_body(StatusCode::OK, Body::default());
        Volatile::note(&mut reply, items.iter());
        let fields = self.fields.clone();
        let texts = items.into_iter().map(move |item| text(&item.body(), fields.as_deref()));
        *reply.body_mut() = pieces(b"{\"items\":[".to_vec(), texts, end);
        Ok(reply)
    }

    fn place<I: Item>(&self, item: &I) -> Place {
        self.sort.iter().map(|field| item.key(field.name)).chain([item.id()]).collect()
    }

    fn compare(&self, left: &[Key], right: &[Key]) -> Ordering {
        let is_descending = self.sort.iter().map(|field| field.is_descending).chain([false]);
        let orders = left.iter().zip(right).zip(is_descending).map(|((left, right), is_descending)| {
            if is_descending { right.cmp(left) } else { left.cmp(right) }
        });
        orders.fold(Ordering::Equal, Ordering::then)
    }

    /// The path of the page that begins behind `place`.
    fn next(&self, place: &[Key]) -> Result<String, Problem> {
        let cursor = serde_json::to_string(place).map_err(Problem::internal)?;
        Ok(behind(&self.uri, &cursor))
    }
}

/// The schema of a listing of such items.
fn schema(item: &Schema) -> Schema {
    json_schema!({
        "type": "object",
        "properties": {
            "items": { "type": "array", "items": item, "description": "The items of this page." },
            "next": {
                "type": ["string", "null"],
                "description": "The path of the next page; null on the last one.",
            },
            "total": { "type": "integer", "minimum": 0, "description": "How many items there are on all pages." },
        },
        "required": ["items", "next", "total"],
    })
}

/// The schema of an item, of which `fields` may leave any member out.
fn item_schema<I: Item>(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = I::Body::<'static>::json_schema(generator);
    schema.remove("required");
    schema
}

fn sort_fields<I: Item>(text: &str) -> Result<Vec<SortField>, Problem> {
    entries(text)
        .map(|(position, entry)| {
            let field = entry.strip_prefix('-');
            let name = field.unwrap_or(entry);
            match I::SORT.iter().find(|known| **known == name) {
                Some(name) => Ok(SortField { name, is_descending: field.is_some() }),
                None => {
                    let known = I::SORT.iter().map(|name| (*name).to_owned()).collect();
                    Err(unknown_field("sort", name, position, known))
                }
            }
        })
        .collect()
}

/// The fields that are asked for, each once.
fn chosen(text: &str, fields: &'static [String]) -> Result<Vec<&'static str>, Problem> {
    let mut chosen = Vec::new();
    for (position, entry) in entries(text) {
        match fields.iter().find(|field| *field == entry) {
            Some(field) if chosen.contains(&field.as_str()) => {}
            Some(field) => chosen.push(field.as_str()),
            None => return Err(unknown_field("fields", entry, position, fields.to_vec())),
        }
    }
    Ok(chosen)
}

/// What stands between commas, each with its place in characters.
fn entries(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut position = 0;
    text.split(',').map(move |entry| {
        let start = position;
        position += entry.chars().count() + 1;
        (start, entry)
    })
}

fn unknown_field(parameter: &str, name: &str, position: usize, fields: Vec<String>) -> Problem {
    let (name, known) = (opendcre_model::excerpt(name), fields.join(", "));
    let detail = match parameter {
        "sort" => format!("items cannot be sorted by {name:?}; there are {known}"),
        _ => format!("items have no field {name:?}; there are {known}"),
    };
    Problem::new(Code::UNKNOWN_FIELD, detail).in_parameter(parameter).at(position).with_candidates(fields)
}

/// The place that a cursor stands for, in a listing that is sorted by so many fields.
fn place(cursor: &str, fields: usize) -> Result<Place, Problem> {
    let place: Option<Place> = serde_json::from_str(cursor).ok();
    place.filter(|place| place.len() == fields + 1).ok_or_else(|| {
        let detail = "this is no cursor of this listing; take it from the next of a page with the same sort";
        Problem::new(Code::BAD_CURSOR, detail).in_parameter("after").at(0)
    })
}

/// The path of the page behind this cursor, of the listing that was asked for at `uri`.
pub(super) fn next_path(uri: &Uri, cursor: &str) -> String {
    behind(&without_cursor(uri), cursor)
}

/// A path and query with a cursor.
fn behind(path: &str, cursor: &str) -> String {
    let separator = if path.contains('?') { '&' } else { '?' };
    format!("{path}{separator}after={}", utf8_percent_encode(cursor, PLAIN))
}

/// The path and query of a request, but for the cursor in it.
fn without_cursor(uri: &Uri) -> String {
    let parameters = uri.query().unwrap_or_default().split('&');
    let kept: Vec<&str> = parameters.filter(|pair| !pair.is_empty() && !pair.starts_with("after=")).collect();
    if kept.is_empty() { uri.path().to_owned() } else { format!("{}?{}", uri.path(), kept.join("&")) }
}

/// The JSON of an item, or of some of its members.
fn text(body: &impl Serialize, fields: Option<&[&str]>) -> Vec<u8> {
    let text = match fields {
        None => serde_json::to_vec(body),
        Some(fields) => serde_json::to_value(body).and_then(|value| {
            let members = fields.iter().map(|field| (*field, value.get(*field)));
            serde_json::to_vec(&Members(members.collect()))
        }),
    };
    // Items are plain structs, which can always be written.
    text.unwrap_or_else(|_| b"null".to_vec())
}

/// Members of an object in the order in which they were asked for.
struct Members<'a>(Vec<(&'a str, Option<&'a serde_json::Value>)>);

impl Serialize for Members<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().copied())
    }
}

/// A body that consists of a beginning, `texts` with commas between them, and an end: whole if it is short, otherwise
/// made piece by piece while it is sent.
pub(super) fn pieces(
    beginning: Vec<u8>,
    texts: impl Iterator<Item = Vec<u8>> + Send + 'static,
    end: String,
) -> Body {
    let mut rest = Joined { ready: beginning, texts, is_first: true, end: Some(end.into_bytes()) };
    let first = rest.next().unwrap_or_default();
    match rest.next() {
        None => first.into(),
        Some(second) => Body::pieces(stream::iter([first, second].into_iter().chain(rest))),
    }
}

/// Texts with commas between them, in pieces.
struct Joined<T> {
    /// What belongs to the next piece.
    ready: Vec<u8>,
    texts: T,
    is_first: bool,
    /// Nothing once it was taken.
    end: Option<Vec<u8>>,
}

impl<T: Iterator<Item = Vec<u8>>> Iterator for Joined<T> {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        self.end.as_ref()?;
        while self.ready.len() < PIECE {
            let Some(text) = self.texts.next() else {
                self.ready.extend(self.end.take().into_iter().flatten());
                break;
            };
            if !self.is_first {
                self.ready.push(b',');
            }
            self.is_first = false;
            self.ready.extend(text);
        }
        Some(std::mem::take(&mut self.ready).into())
    }
}
