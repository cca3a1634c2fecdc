//! Names of versions of a listing, so that a client that has it already need not get it again (RFC 9110 §8.8.3, §13.1.2).

use http::header::{ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::reply::{self, Reply};

/// A weak entity tag: two answers with the same tag say the same, perhaps not byte by byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ETag {
    /// What stands between the quotes: letters, digits and hyphens.
    opaque: String,
}

impl ETag {
    /// The tag of a version: `epoch` tells versions with the same number apart that different processes counted, and
    /// `volatile` stands for what changes without a new version.
    pub(crate) fn of(epoch: i64, version: u64, volatile: u64) -> Self {
        Self { opaque: format!("{epoch:x}-{version:x}-{volatile:x}") }
    }

    /// Whether the client has this version, or any version if that is all it asks for.
    pub(crate) fn is_known_to(&self, request: &HeaderMap) -> bool {
        let values = request.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
        let mut conditions = values.map(str::trim);
        conditions.any(|condition| condition == "*" || opaque_tags(condition).any(|tag| tag == self.opaque))
    }

    /// The answer to a client that has this version.
    pub(crate) fn not_modified(&self) -> Reply {
        let mut reply = reply::empty(StatusCode::NOT_MODIFIED);
        self.mark(&mut reply);
        reply
    }

    /// Says in `reply` which version it is.
    pub(crate) fn mark(&self, reply: &mut Reply) {
        // Only hexadecimal digits and a hyphen stand in it.
        if let Ok(value) = HeaderValue::try_from(format!("W/\"{}\"", self.opaque)) {
            reply.headers_mut().insert(ETAG, value);
        }
    }
}

/// What stands between the quotes of each tag of a list. Quotes end a tag, commas do not.
fn opaque_tags(list: &str) -> impl Iterator<Item = &str> {
    list.split('"').skip(1).step_by(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_known(conditions: &[&'static str]) -> bool {
        let mut request = HeaderMap::new();
        for condition in conditions {
            request.append(IF_NONE_MATCH, HeaderValue::from_static(condition));
        }
        ETag::of(0xab, 0x1f, 7).is_known_to(&request)
    }

    #[test]
    fn weak_and_strong_tags_lists_and_the_star_are_compared() {
        for yes in [
            &["W/\"ab-1f-7\""][..],
            &["\"ab-1f-7\""],
            &["*"],
            &[" * "],
            &["\"x,y\", W/\"ab-1f-7\""],
            &["\"x\"", "\"ab-1f-7\",\"y\""],
        ] {
            assert!(is_known(yes), "{yes:?}");
        }
        for no in [&[][..], &[""], &["ab-1f-7"], &["\"ab-1f\""], &["\"*\""], &["\"x\"ab-1f-7\"y\""], &["\""]]
        {
            assert!(!is_known(no), "{no:?}");
        }
    }
}
