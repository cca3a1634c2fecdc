//! A route: what its path looks like, what it takes and gives, and who answers. Routes are data: requests are dispatched
//! by them and the OpenAPI document is written from them, so that neither can say something else than the other.

use std::borrow::Cow;
use std::pin::Pin;

use futures_util::FutureExt;
use http::Method;
use hyper::body::Bytes;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::DeserializeOwned;
use smol_str::SmolStr;

use super::answer::{Answer, Documented};
use super::call::Call;
use super::listing::{Item, Listing, Page};
use super::query::Query;
use super::schema::IdempotencyKeyText;
use super::{json, schema};
use crate::problem::{Code, Problem};
use crate::reply::Reply;

/// The most parameters in a path.
const MAX_CAPTURES: usize = 2;

/// What a handler becomes. Not an `async` block around it, which would have room for the handler twice.
type Work = Pin<Box<dyn Future<Output = Result<Reply, Problem>> + Send>>;

/// Reads the request and begins to answer it.
type Run = Box<dyn Fn(&'static Route, Call, Request<'_>) -> Result<Work, Problem> + Send + Sync>;

/// Writes a schema, and those that it refers to.
pub(super) type WriteSchema = fn(&mut SchemaGenerator) -> Schema;

/// What varies between requests for a route.
pub(super) struct Request<'a> {
    pub(super) captures: Captures<'a>,
    pub(super) query: Query<'a>,
    /// Empty for routes that read none.
    pub(super) body: Bytes,
}

/// The values of the parameters in a path, decoded.
pub(super) type Captures<'a> = [Option<Cow<'a, str>>; MAX_CAPTURES];

/// The parameters in a path, in their order.
pub(super) trait PathParameters: Sized + Send + 'static {
    /// Their names, as they stand in the path, and what they are.
    const NAMES: &'static [(&'static str, &'static str)];

    /// Takes them out of a path that has all of them.
    fn read(captures: Captures<'_>) -> Self;
}

/// What a route reads.
pub(super) struct RequestBody {
    pub(super) schema: WriteSchema,
    /// Without a body it cannot be understood.
    pub(super) is_required: bool,
}

/// A part of a path between two slashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Segment {
    Literal(&'static str),
    Parameter,
}

/// A route.
pub(super) struct Route {
    pub(super) method: Method,
    /// Below the base of the API, with parameters in braces.
    pub(super) path: &'static str,
    /// Its name in the OpenAPI document.
    pub(super) operation: &'static str,
    pub(super) summary: &'static str,
    pub(super) description: &'static str,
    pub(super) path_parameters: &'static [(&'static str, &'static str)],
    /// Objects whose members are parameters of the query.
    pub(super) query: Vec<WriteSchema>,
    pub(super) body: Option<RequestBody>,
    /// Header fields that the request may have: their names, what they are, and their schemas.
    pub(super) headers: Vec<(&'static str, &'static str, WriteSchema)>,
    pub(super) answers: fn(&mut SchemaGenerator) -> Vec<Documented>,
    /// The problems that belong to this route, besides those that every route has.
    pub(super) problems: &'static [Code],
    /// Whether the answer changes only when the inventory does.
    pub(super) is_versioned: bool,
    /// The members of an item, if it is a listing.
    pub(super) fields: Vec<String>,
    /// The fields that a listing can be sorted by.
    pub(super) sort: &'static [&'static str],
    /// The names of the parameters of the query.
    pub(super) parameters: Vec<String>,
    segments: Vec<Segment>,
    run: Run,
}

impl Route {
    /// A route that tells one thing.
    pub(super) fn get<P, Q, A, F, W>(path: &'static str, operation: &'static str, handler: F) -> Self
    where
        P: PathParameters,
        Q: DeserializeOwned + JsonSchema,
        A: Answer,
        F: Fn(Call, P, Q) -> W + Send + Sync + 'static,
        W: Future<Output = Result<A, Problem>> + Send + 'static,
    {
        Self::without_body(Method::GET, path, operation, handler)
    }

    /// A route that makes something be no more.
    pub(super) fn delete<P, Q, A, F, W>(path: &'static str, operation: &'static str, handler: F) -> Self
    where
        P: PathParameters,
        Q: DeserializeOwned + JsonSchema,
        A: Answer,
        F: Fn(Call, P, Q) -> W + Send + Sync + 'static,
        W: Future<Output = Result<A, Problem>> + Send + 'static,
    {
        Self::without_body(Method::DELETE, path, operation, handler)
    }

    fn without_body<P, Q, A, F, W>(
        method: Method,
        path: &'static str,
        operation: &'static str,
        handler: F,
    ) -> Self
    where
        P: PathParameters,
        Q: DeserializeOwned + JsonSchema,
        A: Answer,
        F: Fn(Call, P, Q) -> W + Send + Sync + 'static,
        W: Future<Output = Result<A, Problem>> + Send + 'static,
    {
        let run: Run = Box::new(move |_, call, Request { captures, query, .. }| {
            let work = handler(call, P::read(captures), query.read()?);
            Ok(Box::pin(work.map(|answer| answer?.into_reply())))
        });
        Self::new::<P>(method, path, operation, A::document, run).with_query(Q::json_schema)
    }

    /// A route that lists things, page by page.
    pub(super) fn list<P, Q, I, F, W>(path: &'static str, operation: &'static str, handler: F) -> Self
    where
        P: PathParameters,
        Q: DeserializeOwned + JsonSchema,
        I: Item,
        F: Fn(Call, P, Q) -> W + Send + Sync + 'static,
        W: Future<Output = Result<Vec<I>, Problem>> + Send + 'static,
    {
        let run: Run = Box::new(move |route, call, Request { captures, query, .. }| {
            let listing = Listing::of::<I>(&query.read::<Page>()?, &route.fields, &call.head.uri)?;
            let work = handler(call, P::read(captures), query.read()?);
            Ok(Box::pin(work.map(move |items| listing.reply(items?))))
        });
        let route = Self::new::<P>(Method::GET, path, operation, Listing::document::<I>, run)
            .with_query(Q::json_schema)
            .with_query(Page::json_schema);
        Self { fields: schema::members(I::Body::<'static>::json_schema), sort: I::SORT, ..route }
    }

    /// A route that changes something.
    pub(super) fn post<P, Q, B, A, F, W>(path: &'static str, operation: &'static str, handler: F) -> Self
    where
        P: PathParameters,
        Q: DeserializeOwned + JsonSchema,
        B: DeserializeOwned + JsonSchema,
        A: Answer,
        F: Fn(Call, P, Q, B) -> W + Send + Sync + 'static,
        W: Future<Output = Result<A, Problem>> + Send + 'static,
    {
        let run: Run = Box::new(move |_, call, Request { captures, query, body }| {
            let order = json::read(&call.head.headers, &body)?;
            let work = handler(call, P::read(captures), query.read()?, order);
            Ok(Box::pin(work.map(|answer| answer?.into_reply())))
        });
        let route =
            Self::new::<P>(Method::POST, path, operation, A::document, run).with_query(Q::json_schema);
        let body = RequestBody {
            schema: SchemaGenerator::subschema_for::<B>,
            is_required: B::json_schema(&mut schema::of_requests()).get("required").is_some(),
        };
        Self { body: Some(body), ..route }
    }

    fn new<P: PathParameters>(
        method: Method,
        path: &'static str,
        operation: &'static str,
        answers: fn(&mut SchemaGenerator) -> Vec<Documented>,
        run: Run,
    ) -> Self {
        let segment = |text: &'static str| {
            if text.starts_with('{') { Segment::Parameter } else { Segment::Literal(text) }
        };
        let segments = path.split('/').skip(1).filter(|text| !text.is_empty()).map(segment);
        Self {
            method,
            path,
            operation,
            summary: "",
            description: "",
            path_parameters: P::NAMES,
            query: Vec::new(),
            body: None,
            headers: Vec::new(),
            answers,
            problems: &[],
            is_versioned: false,
            fields: Vec::new(),
            sort: &[],
            parameters: Vec::new(),
            segments: segments.collect(),
            run,
        }
    }

    fn with_query(mut self, parameters: WriteSchema) -> Self {
        self.parameters.extend(schema::members(parameters));
        self.query.push(parameters);
        self
    }

    /// What it is for: a few words, and a few sentences.
    pub(super) fn about(self, summary: &'static str, description: &'static str) -> Self {
        Self { summary, description, ..self }
    }

    /// The problems that belong to it, besides those that every route has.
    pub(super) fn fails_with(self, problems: &'static [Code]) -> Self {
        Self { problems, ..self }
    }

    /// Clients may give their request a name, so that it is taken up once however often it is sent.
    pub(super) fn named_by_client(self) -> Self {
        let header = (
            "Idempotency-Key",
            "A name for this order. The same order with the same key is taken up once, however often it is sent.",
            SchemaGenerator::subschema_for::<IdempotencyKeyText> as WriteSchema,
        );
        Self { headers: vec![header], ..self }
    }

    /// Its stream can be taken up where it broke off.
    pub(super) fn resumable(self) -> Self {
        let header = (
            "Last-Event-ID",
            "The `id` of the last event that is known already, for a stream that goes on after it. It counts more than `after`, \
             and for a page it does not count.",
            String::json_schema as WriteSchema,
        );
        Self { headers: vec![header], ..self }
    }

    /// Its answer changes only when the inventory does, so it has an entity tag.
    pub(super) fn versioned(self) -> Self {
        Self { is_versioned: true, ..self }
    }

    /// How many segments its path has.
    pub(super) const fn depth(&self) -> usize {
        self.segments.len()
    }

    /// Whether a path of this [depth](Self::depth), cut at its slashes, is one of this route, and the values of its
    /// parameters.
    pub(super) fn captures<'a>(&self, path: &[Cow<'a, str>]) -> Option<Captures<'a>> {
        let mut captures = Captures::default();
        let mut free = captures.iter_mut();
        for (segment, text) in self.segments.iter().zip(path) {
            match segment {
                Segment::Literal(literal) if literal == text => {}
                Segment::Literal(_) => return None,
                Segment::Parameter => *free.next()? = Some(text.clone()),
            }
        }
        Some(captures)
    }

    /// Reads the request and begins to answer it.
    pub(super) fn begin(&'static self, call: Call, request: Request<'_>) -> Result<Work, Problem> {
        request.query.only(&self.parameters)?;
        (self.run)(self, call, request)
    }
}

/// Makes a struct of the parameters in a path. Most are short, and need no memory of their own.
macro_rules! path_parameters {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $description:literal),* }) => {
        $(#[$doc])*
        pub(super) struct $name {
            $(pub(super) $field: SmolStr,)*
        }

        impl PathParameters for $name {
            const NAMES: &'static [(&'static str, &'static str)] = &[$((stringify!($field), $description)),*];

            fn read(captures: Captures<'_>) -> Self {
                let mut values = captures.into_iter().flatten().map(SmolStr::from);
                Self { $($field: values.next().unwrap_or_default(),)* }
            }
        }
    };
}

path_parameters! {
    /// A rack.
    RackPath { rack: "The id of a rack." }
}
path_parameters! {
    /// A board.
    BoardPath { board: "A board: its id, name, host name or IP address." }
}
path_parameters! {
    /// A device of a board.
    DevicePath {
        board: "A board: its id, name, host name or IP address.",
        device: "A device of the board: its id or name."
    }
}
path_parameters! {
    /// A group.
    GroupPath { group: "The name of a group." }
}
path_parameters! {
    /// A job.
    JobPath { job: "The id of a job." }
}

/// A path without parameters.
pub(super) struct NoPath;

impl PathParameters for NoPath {
    const NAMES: &'static [(&'static str, &'static str)] = &[];

    fn read(_: Captures<'_>) -> Self {
        Self
    }
}

/// No parameters in the query.
#[derive(serde::Deserialize, JsonSchema)]
pub(super) struct NoQuery {}
