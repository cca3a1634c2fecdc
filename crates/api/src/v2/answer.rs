//! Answers of API 2, each with the description that the OpenAPI document has of it.

use http::StatusCode;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;

use crate::problem::Problem;
use crate::reply::{self, Reply};

/// The media type of JSON.
pub(super) const JSON: &str = "application/json";

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
        json(StatusCode::OK, &self.0.body())
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
    let text = serde_json::to_vec(value).map_err(Problem::internal)?;
    Ok(reply::json(status, text.into()))
}
