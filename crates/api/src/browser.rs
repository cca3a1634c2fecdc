//! What browsers are told about answers: who may read them, and that they are nothing but what they say they are.

use http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY,
    STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue};

use crate::api::decode;
use crate::v1::Generation;
use crate::{v1_1, v1_3, v2};

/// Two years, as lists of sites that are always reached over TLS ask for it.
const TLS_ONLY: HeaderValue = HeaderValue::from_static("max-age=63072000");

/// An answer that is no page loads nothing, and is shown within no page.
const NOTHING: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");

/// Adds what every answer carries.
pub(crate) fn protect(headers: &mut HeaderMap) {
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
}

/// Adds what depends on the request and on what it is answered.
pub(crate) fn mark(headers: &mut HeaderMap, path: &str, is_encrypted: bool) {
    if is_encrypted {
        headers.insert(STRICT_TRANSPORT_SECURITY, TLS_ONLY);
    }
    if is_page(headers) && !headers.contains_key(CONTENT_SECURITY_POLICY) {
        headers.insert(CONTENT_SECURITY_POLICY, NOTHING);
    }
    // For any page, as it always was, and therefore never with what a browser knows of its user: the answer to that has
    // no `Access-Control-Allow-Credentials`, so that a browser keeps it to itself. What controls is refused before, if a
    // page of another site asks for it.
    if is_open(path) {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    }
}

/// Whether pages of any site may read the answer: those of the generations that always were open. What is newer is for
/// programs and for pages of this site.
fn is_open(path: &str) -> bool {
    // Most requests are for API 2, and to see that takes no decoding.
    if v2::is_below(path) {
        return false;
    }
    let path = decode(path);
    path.starts_with(v1_1::BASE) || path == v1_3::VERSION || Generation::of(&path).is_some()
}

fn is_page(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(path: &str, is_encrypted: bool) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        mark(&mut headers, path, is_encrypted);
        headers
    }

    #[test]
    fn any_page_may_read_what_it_always_could_and_no_more() {
        let may_read =
            |path| marked(path, false).get(ACCESS_CONTROL_ALLOW_ORIGIN).is_some_and(|to| to == "*");
        for path in ["/opendcre/1.1/scan", "/opendcre/1%2e2/scan", "/opendcre/version"] {
            assert!(may_read(path), "{path}");
        }
        for path in ["/opendcre/2/boards", "/opendcre/2/audit", "/opendcre/1.0/scan", "/healthz"] {
            assert!(!may_read(path), "{path}");
        }
    }

    #[test]
    fn a_browser_that_came_by_tls_comes_by_nothing_else() {
        assert!(marked("/", true).contains_key(STRICT_TRANSPORT_SECURITY));
        assert!(!marked("/", false).contains_key(STRICT_TRANSPORT_SECURITY));
    }

    #[test]
    fn a_page_has_a_policy_even_if_nobody_thought_of_it() {
        assert_eq!(marked("/", false)[CONTENT_SECURITY_POLICY], NOTHING);
    }
}
