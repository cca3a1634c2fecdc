//! Where a request comes from, as far as a browser says it: pages of other sites may not control equipment.

use http::{HeaderMap, HeaderName, HeaderValue};

/// Where a browser says what sort of page sent a request. Programs do not send it.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What it says about a page of this site, and about a person who typed the address.
const OUR_SITES: [&[u8]; 2] = [b"same-origin", b"none"];

/// Whether any header field says so. What is not known to be ours is another site.
pub(crate) fn is_another(headers: &HeaderMap) -> bool {
    let is_ours =
        |value: &HeaderValue| OUR_SITES.iter().any(|site| site.eq_ignore_ascii_case(value.as_bytes()));
    !headers.get_all(SEC_FETCH_SITE).iter().all(is_ours)
}
