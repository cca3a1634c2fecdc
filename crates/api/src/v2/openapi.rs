//! The OpenAPI 3.1 document, written from the table of routes once.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use http::{Method, StatusCode};
use hyper::body::Bytes;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use super::BASE;
use super::answer::{Answer, Documented, JSON};
use super::call::Call;
use super::route::{NoPath, NoQuery, RequestBody, Route};
use super::schema;
use super::table::Table;
use crate::encoding::{self, Pressed};
use crate::problem::{self, Code, Problem, ProblemBody};
use crate::reply::{self, Reply};

/// How every request may fail.
const ALWAYS: &[Code] = &[
    Code::BAD_PARAMETER,
    Code::UNKNOWN_PARAMETER,
    Code::BAD_BODY,
    Code::BODY_TOO_LARGE,
    Code::UNAUTHENTICATED,
    Code::FORBIDDEN,
    Code::WRONG_HOST,
    Code::LOCKED,
    Code::RATE_LIMITED,
    Code::INTERNAL,
    Code::AUTH_UNAVAILABLE,
    Code::SHUTTING_DOWN,
    Code::TIMEOUT,
];

/// How every listing may fail.
const LISTING: &[Code] = &[Code::UNKNOWN_FIELD, Code::BAD_CURSOR];

/// How every change may fail.
const CHANGE: &[Code] =
    &[Code::BAD_JSON, Code::BAD_VALUE, Code::TOO_DEEP, Code::CROSS_SITE, Code::UNSUPPORTED_MEDIA_TYPE];

static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| {
    // A tree of JSON values can always be written.
    serde_json::to_vec(&document(Table::get().routes())).unwrap_or_default().into()
});

static PRESSED: LazyLock<Bytes> = LazyLock::new(|| encoding::press(&DOCUMENT));

/// The document.
pub(super) struct Document;

/// `GET /openapi.json`.
pub(super) async fn get(_: Call, _: NoPath, _: NoQuery) -> Result<Document, Problem> {
    Ok(Document)
}

/// The document that describes `routes`.
pub(super) fn document<'a>(routes: impl Iterator<Item = &'a Route>) -> Value {
    let mut schemas = Schemas { answers: schema::of_answers(), requests: schema::of_requests() };
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for route in routes {
        let method = route.method.as_str().to_ascii_lowercase();
        paths.entry(route.path).or_default().insert(method, schemas.operation(route));
    }
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "OpenDCRE",
            "version": "2",
            "summary": "Out-of-band management of data-centre equipment.",
            "description": DESCRIPTION,
            "license": { "name": "Apache-2.0 OR MIT", "identifier": "Apache-2.0 OR MIT" },
        },
        "servers": [{ "url": BASE }],
        "paths": paths,
        // The first: nothing, where nobody has to log in.
        "security": [{}, { "bearer": [] }, { "basic": [] }, { "certificate": [] }],
        "components": {
            "schemas": schemas.into_components(),
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An API token of this service, or a token of a provider that it trusts.",
                },
                "basic": {
                    "type": "http",
                    "scheme": "basic",
                    "description": "A name and a password that a directory knows.",
                },
                "certificate": { "type": "mutualTLS", "description": "A client certificate." },
            },
        },
    });
    join_lines(&mut document);
    document
}

/// Joins the lines of every description: they were broken for those who read the source.
fn join_lines(value: &mut Value) {
    match value {
        Value::Array(elements) => elements.iter_mut().for_each(join_lines),
        Value::Object(members) => {
            if let Some(Value::String(text)) = members.get_mut("description") {
                *text = text.replace('\n', " ");
            }
            members.values_mut().for_each(join_lines);
        }
        _ => {}
    }
}

const DESCRIPTION: &str = "Failures are problem documents (RFC 9457) with a stable `code`. Every path that takes GET \
     also takes HEAD and OPTIONS. Inventory listings have an `ETag`. Answers are compressed with gzip for clients that \
     accept it.";

/// Writes the schemas of what is asked and what is answered.
struct Schemas {
    answers: SchemaGenerator,
    requests: SchemaGenerator,
}

impl Schemas {
    fn operation(&mut self, route: &Route) -> Value {
        let body = route.body.as_ref().map(|RequestBody { schema, is_required }| {
            let schema = schema(&mut self.requests);
            json!({ "required": is_required, "content": { JSON: { "schema": schema } } })
        });
        let mut operation = json!({
            "operationId": route.operation,
            "summary": route.summary,
            "description": route.description,
            "parameters": self.parameters(route),
            "responses": self.responses(route),
        });
        add(&mut operation, "requestBody", body);
        operation
    }

    fn parameters(&mut self, route: &Route) -> Vec<Value> {
        let path = route.path_parameters.iter().map(|(name, description)| {
            let schema = json!({ "type": "string", "minLength": 1 });
            json!({ "name": name, "in": "path", "required": true, "description": description, "schema": schema })
        });
        let mut parameters: Vec<Value> = path.collect();
        for write in &route.query {
            let object = write(&mut self.requests);
            let required = object.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
            let members = object.get("properties").and_then(Value::as_object).into_iter().flatten();
            parameters.extend(members.map(|(name, schema)| {
                let is_required = required.iter().any(|required| required == name);
                query_parameter(name, schema.clone(), is_required, pattern(route, name))
            }));
        }
        for (name, description, write) in &route.headers {
            let schema = write(&mut self.requests);
            parameters
                .push(json!({ "name": name, "in": "header", "description": description, "schema": schema }));
        }
        parameters
    }

    fn responses(&mut self, route: &Route) -> Map<String, Value> {
        let mut responses = Map::new();
        for Documented { status, description, media_type, schema, headers } in
            (route.answers)(&mut self.answers)
        {
            let written = responses.get_mut(status.as_str());
            if let Some(Value::Object(content)) =
                written.and_then(|response: &mut Value| response.get_mut("content"))
            {
                content.insert(media_type.to_owned(), json!({ "schema": schema }));
                continue;
            }
            let tag = route.is_versioned.then_some(("ETag", "Names this version of the inventory."));
            let headers = headers.iter().copied().chain(tag).map(|(name, description)| {
                (name.to_owned(), json!({ "description": description, "schema": { "type": "string" } }))
            });
            let headers: Map<String, Value> = headers.collect();
            let mut response =
                json!({ "description": description, "content": { media_type: { "schema": schema } } });
            add(&mut response, "headers", (!headers.is_empty()).then_some(headers));
            responses.insert(status.as_str().to_owned(), response);
        }
        if route.is_versioned {
            let description = "The client has this version already, as `If-None-Match` says.";
            responses.insert("304".to_owned(), json!({ "description": description }));
        }
        let description = "The head of the request is too long. This answer has no body.";
        responses.insert("431".to_owned(), json!({ "description": description }));
        responses.extend(self.problems(route));
        responses
    }

    /// How a request for `route` may fail, by status.
    fn problems(&mut self, route: &Route) -> impl Iterator<Item = (String, Value)> + use<> {
        let schema = self.answers.subschema_for::<ProblemBody<'_>>();
        let listing = if route.fields.is_empty() { &[] } else { LISTING };
        let change = match route.method {
            Method::POST => CHANGE,
            Method::DELETE => &[Code::CROSS_SITE],
            _ => &[],
        };
        let mut statuses: BTreeMap<StatusCode, Vec<&str>> = BTreeMap::new();
        for code in ALWAYS.iter().chain(listing).chain(change).chain(route.problems) {
            statuses.entry(code.status).or_default().push(code.name);
        }
        statuses.into_iter().map(move |(status, codes)| {
            let description = format!("`{}`", codes.join("`, `"));
            let content = json!({ problem::MEDIA_TYPE: { "schema": schema } });
            (status.as_str().to_owned(), json!({ "description": description, "content": content }))
        })
    }

    /// The schemas that others refer to. What is both asked and answered looks the same.
    fn into_components(mut self) -> Map<String, Value> {
        let mut components = self.requests.take_definitions(false);
        components.extend(self.answers.take_definitions(true));
        components
    }
}

/// What the parameters that name fields of a listing look like.
fn pattern(route: &Route, parameter: &str) -> Option<String> {
    let (sign, names) = match parameter {
        "sort" if !route.sort.is_empty() => ("-?", route.sort.join("|")),
        "fields" if !route.fields.is_empty() => ("", route.fields.join("|")),
        _ => return None,
    };
    Some(format!("^{sign}({names})(,{sign}({names}))*$"))
}

/// A parameter of a query. It is text, so it can be left out but never be null.
fn query_parameter(name: &str, mut schema: Value, is_required: bool, pattern: Option<String>) -> Value {
    let description = schema.as_object_mut().and_then(|members| {
        members.retain(|key, value| key != "default" || !(value.is_null() || *value == json!([])));
        without_null(members);
        members.remove("description")
    });
    add(&mut schema, "pattern", pattern);
    let mut parameter = json!({ "name": name, "in": "query", "required": is_required, "schema": schema });
    add(&mut parameter, "description", description);
    parameter
}

/// Removes null from what a schema allows.
fn without_null(schema: &mut Map<String, Value>) {
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            schema.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(choices)) = schema.get_mut("anyOf") {
        choices.retain(|choice| *choice != json!({ "type": "null" }));
        if let [Value::Object(only)] = choices.as_slice() {
            let only = only.clone();
            schema.remove("anyOf");
            schema.extend(only);
        }
    }
}

/// Adds a member to an object, if there is a value for it.
fn add(object: &mut Value, name: &str, value: Option<impl Into<Value>>) {
    if let (Some(members), Some(value)) = (object.as_object_mut(), value) {
        members.insert(name.to_owned(), value.into());
    }
}

impl Answer for Document {
    fn document(_: &mut SchemaGenerator) -> Vec<Documented> {
        let schema: Schema = json_schema!({ "type": "object" });
        vec![Documented::json(StatusCode::OK, "An OpenAPI 3.1 document.", schema)]
    }

    fn into_reply(self) -> Result<Reply, Problem> {
        let mut reply = reply::json(StatusCode::OK, DOCUMENT.clone());
        reply.extensions_mut().insert(Pressed(&PRESSED));
        Ok(reply)
    }
}
