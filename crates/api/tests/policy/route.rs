//! Every route that there is: those of API 2 from its own description, all others from the lists by which requests are
//! dispatched, so that none can be forgotten.

use http::Method;
use http::Request;
use http_body_util::{BodyExt, Full};
use serde_json::Value;

use crate::room::{Room, remote};
use crate::table::Row;

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
    let mut routes: Vec<Route> = opendcre_api::routes().map(|path| Route::get(&path)).collect();
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
