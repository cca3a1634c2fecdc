//! The page that shows the description of the API to people, without anything from elsewhere.

use std::sync::LazyLock;

use http::header::CONTENT_SECURITY_POLICY;
use http::{HeaderValue, StatusCode};
use hyper::body::Bytes;
use schemars::{SchemaGenerator, json_schema};

use super::answer::{Answer, Documented};
use super::call::Call;
use super::route::{NoPath, NoQuery};
use crate::encoding::{self, Pressed};
use crate::problem::Problem;
use crate::reply::{self, Reply};

/// The page. Its script reads the description from beside it.
const PAGE: &str = include_str!("docs.html");

static PRESSED: LazyLock<Bytes> = LazyLock::new(|| encoding::press(PAGE.as_bytes()));

/// The media type of the page.
const HTML: &str = "text/html; charset=utf-8";

/// What the page may do: run what is in it, and read from this service. Nobody may show it inside another page.
const POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The page.
pub(super) struct Page;

/// `GET /docs`.
pub(super) async fn get(_: Call, _: NoPath, _: NoQuery) -> Result<Page, Problem> {
    Ok(Page)
}

impl Answer for Page {
    fn document(_: &mut SchemaGenerator) -> Vec<Documented> {
        let schema = json_schema!({ "type": "string" });
        let document = Documented::json(StatusCode::OK, "A page.", schema);
        vec![Documented { media_type: "text/html", ..document }]
    }

    fn into_reply(self) -> Result<Reply, Problem> {
        let mut reply = reply::of_type(HTML, StatusCode::OK, Bytes::from_static(PAGE.as_bytes()).into());
        reply.headers_mut().insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
        reply.extensions_mut().insert(Pressed(&PRESSED));
        Ok(reply)
    }
}
