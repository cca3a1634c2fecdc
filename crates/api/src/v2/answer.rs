//! Answers of API 2, each with the description that the OpenAPI document has of it.

use std::hash::{DefaultHasher, Hasher};

use http::StatusCode;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;

use crate::problem::Problem;
use crate::reply::{self, Reply};

/// The media type of JSON.
pub(super) const JSON: &str = "application/json";

/// What most answers fit into, in bytes.
const USUAL: usize = 512;

/// One way in which a route may answer.
pub(super) struct Documented {
    pub(super) status: StatusCode,
    pub(super) description: &'static str,
    pub(super) media_type: &'static str,
    /// The schema of its content.
    pub(super) schema: Schema,
    /// Header fields with a text as value: their names, and what they say.
    pub(super) headers: &'static [(&'static str, &'static str)],
}

/// What a handler answers.
pub(super) trait Answer {
    /// Every way in which it may turn out, failures left out.
    fn document(generator: &mut SchemaGenerator) -> Vec<Documented>;

    /// The answer as it is sent.
    fn into_reply(self) -> Result<Reply, Problem>;
}

/// Something that is shown by what it refers to.
pub(super) trait Show: Send + 'static {
    /// What is shown of it.
    type Body<'a>: Serialize + JsonSchema
    where
        Self: 'a;

    /// What is shown.
    fn body(&self) -> Self::Body<'_>;

    /// A number for what is shown that changes without a new version of the inventory.
    fn volatile(&self) -> u64 {
        0
    }
}

/// What an answer shows that changes without a new version of the inventory, as a number for its entity tag.
#[derive(Debug, Clone, Copy)]
pub(super) struct Volatile(u64);

impl Volatile {
    /// That of an answer.
    pub(super) fn of(reply: &Reply) -> u64 {
        reply.extensions().get().map_or(0, |Self(number)| *number)
    }

    /// Notes in an answer that it shows these things.
    pub(super) fn note<'a, T: Show>(reply: &mut Reply, shown: impl Iterator<Item = &'a T>) {
        let mut hasher = DefaultHasher::new();
        shown.for_each(|thing| hasher.write_u64(thing.volatile()));
        reply.extensions_mut().insert(Self(hasher.finish()));
    }
}

/// One thing that is shown by what it refers to.
pub(super) struct One<T>(pub(super) T);

/// One thing that is shown as it is.
pub(super) struct Json<T>(pub(super) T);

impl<T: Show> Answer for One<T> {
    fn document(generator: &mut SchemaGenerator) -> Vec<Documented> {
        Json::<T::Body<'static>>::document(generator)
    }

    fn into_reply(self) -> Result<Reply, Problem> {
        let mut reply = json(StatusCode::OK, &self.0.body())?;
        Volatile::note(&mut reply, std::iter::once(&self.0));
        Ok(reply)
    }
}

impl<T: Serialize + JsonSchema> Answer for Json<T> {
    fn document(generator: &mut SchemaGenerator) -> Vec<Documented> {
        vec![Documented::json(StatusCode::OK, "What was asked for.", generator.subschema_for::<T>())]
    }

    fn into_reply(self) -> Result<Reply, Problem> {
        json(StatusCode::OK, &self.0)
    }
}

impl Documented {
    /// An answer that is JSON.
    pub(super) const fn json(status: StatusCode, description: &'static str, schema: Schema) -> Self {
        Self { status, description, media_type: JSON, schema, headers: &[] }
    }
}

/// An answer that is `value`.
pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Result<Reply, Problem> {
    let mut text = Vec::with_capacity(USUAL);
    serde_json::to_writer(&mut text, value).map_err(Problem::internal)?;
    Ok(reply::json(status, text.into()))
}
