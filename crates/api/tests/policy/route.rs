//! Every route that there is: those of API 2 from its own description, those of the older generations from the source
//! that recognises them, so that none can be forgotten.

use http::Method;
use http::Request;
use http_body_util::{BodyExt, Full};
use serde_json::Value;

use crate::room::{Room, remote};
use crate::table::Row;

/// Where the older generations recognise their paths, and what these begin with.
const SOURCES: [(&str, &str); 3] = [
    ("/opendcre/1.1", include_str!("../../src/v1_1/shape.rs")),
    ("/opendcre/1.2", include_str!("../../src/v1_2.rs")),
    ("/opendcre/1.3", include_str!("../../src/v1_3.rs")),
];
/// Where the paths are recognised that belong to no generation.
const OTHERS: &str = include_str!("../../src/api.rs");

/// A route.
#[derive(Debug)]
pub(crate) struct Route {
    method: Method,
    segments: Vec<Segment>,
}

/// A part of a path between two slashes.
#[derive(Debug, Clone, PartialEq)]
enum Segment {
    Literal(String),
    Parameter(String),
}

/// All of them.
pub(crate) async fn all(room: &Room) -> Vec<Route> {
    let old = SOURCES
        .into_iter()
        .flat_map(|(base, source)| patterns(source).map(move |path| of_pattern(base, path)));
    let others = OTHERS.lines().filter_map(|line| {
        let (path, _) = line.trim().strip_prefix('"')?.split_once("\" =>")?;
        Some(Route::get(path))
    });
    let mut routes: Vec<Route> = old.chain(others).chain([Route::get("/opendcre/version")]).collect();
    let request = Request::get("/opendcre/2/openapi.json").body(Full::default()).unwrap();
    let body = room.api.respond(request, remote()).await.into_body().collect().await.unwrap().to_bytes();
    let document: Value = serde_json::from_slice(&body).unwrap();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            let method = method.to_uppercase().parse().unwrap();
            routes.push(Route { method, ..Route::get(&format!("/opendcre/2{path}")) });
        }
    }
    routes
}

/// The patterns of paths in a source: slices that begin with a text.
fn patterns(source: &str) -> impl Iterator<Item = &str> {
    let slices = source.split('[').skip(1).filter_map(|rest| rest.split_once(']'));
    slices.map(|(slice, _)| slice).filter(|slice| slice.starts_with('"') || slice.starts_with("Some(\""))
}

/// The route of a pattern such as `"read", kind, board, device` or `Some("read"), Some(kind), None, ..`.
fn of_pattern(base: &str, pattern: &str) -> Route {
    let parts = pattern
        .split(',')
        .map(str::trim)
        .map(|part| part.strip_prefix("Some(").and_then(|part| part.strip_suffix(')')).unwrap_or(part));
    let parts = parts.filter(|part| !matches!(*part, "None" | ".." | ""));
    let segments = parts.map(|part| match part.strip_prefix('"').and_then(|part| part.strip_suffix('"')) {
        Some(literal) => Segment::Literal(literal.to_owned()),
        None => Segment::Parameter(part.to_owned()),
    });
    let base = Route::get(base).segments.into_iter();
    Route { method: Method::GET, segments: base.chain(segments).collect() }
}

impl Route {
    fn get(path: &str) -> Self {
        let segment = |text: &str| match text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) {
            Some(name) => Segment::Parameter(name.to_owned()),
            None => Segment::Literal(text.to_owned()),
        };
        Self { method: Method::GET, segments: path.split('/').skip(1).map(segment).collect() }
    }

    /// Whether a row of the table is about this route. What names a board, a rack, a group or a job must be a parameter
    /// there, too, so that it is asked within reach and outside of it.
    pub(crate) fn is_in(&self, row: &Row) -> bool {
        let path = row.path.split_once('?').map_or(row.path.as_str(), |(path, _)| path);
        let segments = Self::get(path).segments;
        row.methods.contains(&self.method)
            && segments.len() == self.segments.len()
            && self.segments.iter().zip(&segments).all(|(own, other)| own.fits(other))
    }
}

impl Segment {
    fn fits(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Parameter(name), Self::Parameter(other)) => {
                name == other || name == "_" || (name == "board" && other == "server")
            }
            (Self::Parameter(name), Self::Literal(_)) => {
                !["board", "rack", "group", "job"].contains(&name.as_str())
            }
            (own, other) => own == other,
        }
    }
}
