//! Where a request comes from, as far as a browser says it: pages of other sites may not control equipment.
//!
//! Browsers tell it in `Sec-Fetch-Site` where the gateway is reached over TLS or on the same machine, and otherwise in
//! `Origin` and `Referer`. Programs send none of them.

use http::header::{HOST, ORIGIN, REFERER};
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderName, HeaderValue, Uri};
use opendcre_gateway::{Gateway, RefusedRequest};
use opendcre_model::excerpt;

use crate::api::Caller;
use crate::problem::Code;

/// Where a browser says what sort of page sent a request.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What it says about a page of this site, and about a person who typed the address.
const OUR_SITES: [&[u8]; 2] = [b"same-origin", b"none"];

/// Whether a control request goes no further because a page of another site sent it, which is recorded then.
pub(crate) fn refuses(gateway: &Gateway, head: &Parts, caller: Caller<'_>) -> bool {
    let is_refused = is_another(head);
    if is_refused {
        let page = head.headers.get(ORIGIN).or_else(|| head.headers.get(REFERER));
        let page = page.map(|page| excerpt(&String::from_utf8_lossy(page.as_bytes())));
        let named = page.map_or_else(String::new, |page| format!(": {page:?}"));
        gateway.note_refused_request(RefusedRequest {
            who: Some(caller.subject),
            remote: caller.remote,
            request_id: caller.request_id.as_str(),
            asked: &format!("{} {}", head.method, head.uri.path()),
            code: Code::CROSS_SITE.name,
            reason: &format!("a page of another site sent it{named}"),
        });
    }
    is_refused
}

/// Whether any header field says so. What is not known to be ours is another site.
fn is_another(head: &Parts) -> bool {
    let headers = &head.headers;
    let is_ours =
        |value: &HeaderValue| OUR_SITES.iter().any(|site| site.eq_ignore_ascii_case(value.as_bytes()));
    // HTTP/2 has the host in the address of the request.
    let host = head.uri.authority().map(Authority::as_str);
    let host = host.or_else(|| headers.get(HOST).and_then(|host| host.to_str().ok()));
    let is_here = |page: &HeaderValue| authority(page).is_some_and(|page| host == Some(page.as_str()));
    let pages = headers.get_all(ORIGIN).iter().chain(headers.get_all(REFERER));
    !headers.get_all(SEC_FETCH_SITE).iter().all(is_ours) || !pages.into_iter().all(is_here)
}

/// Host and port of the page that a header field names. None for `null`, which hides where a page comes from.
fn authority(page: &HeaderValue) -> Option<String> {
    let uri: Uri = page.to_str().ok()?.parse().ok()?;
    uri.scheme()?;
    uri.authority().map(ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(fields: &[(&'static str, &'static str)]) -> Parts {
        let request = http::Request::builder().uri("/opendcre/2/power");
        let request = fields.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn programs_and_our_own_pages_are_no_other_site() {
        for fields in [
            &[("host", "gateway:5000")][..],
            &[("host", "gateway:5000"), ("origin", "http://gateway:5000")],
            &[("host", "gateway:5000"), ("referer", "http://gateway:5000/opendcre/2/docs")],
            &[("host", "gateway:5000"), ("sec-fetch-site", "none")],
        ] {
            assert!(!is_another(&head(fields)), "{fields:?}");
        }
    }

    #[test]
    fn the_host_of_http_2_is_in_the_address() {
        let mut own = head(&[("origin", "https://gateway:5000")]);
        assert!(is_another(&own));
        own.uri = "https://gateway:5000/opendcre/2/power".parse().unwrap();
        assert!(!is_another(&own));
        own.uri = "https://evil.example/opendcre/2/power".parse().unwrap();
        assert!(is_another(&own));
    }

    #[test]
    fn pages_of_others_are_told_by_any_field() {
        for field in [
            ("origin", "http://evil.example"),
            ("origin", "http://gateway:80"),
            ("origin", "null"),
            ("referer", "https://evil.example/gateway:5000"),
            ("referer", "gateway:5000"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
        ] {
            assert!(is_another(&head(&[("host", "gateway:5000"), field])), "{field:?}");
            assert!(is_another(&head(&[field])), "{field:?}");
        }
    }
}
