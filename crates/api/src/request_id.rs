//! Names for requests, so that an answer, the access log and the audit log can be laid side by side.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http::{HeaderMap, HeaderName, HeaderValue};
use opendcre_model::WallClock;

/// Carries the name of a request, in both directions.
pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest name that is accepted from a client.
const MAX_LENGTH: usize = 64;

/// The name of a request: 1 to 64 letters, digits, dots, underscores and hyphens.
#[derive(Debug, Clone)]
pub(crate) struct RequestId(Arc<str>);

/// Makes names that are unique across restarts.
#[derive(Debug)]
pub(crate) struct RequestIds {
    /// The time of start, and a hyphen.
    prefix: String,
    count: AtomicU64,
}

impl RequestId {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The text itself, for those who keep it.
    pub(crate) const fn text(&self) -> &Arc<str> {
        &self.0
    }

    pub(crate) fn to_header(&self) -> HeaderValue {
        // Every character of a name may stand in a header.
        HeaderValue::from_str(&self.0).unwrap_or_else(|_| HeaderValue::from_static(""))
    }
}

impl RequestIds {
    pub(crate) fn new(clock: &dyn WallClock) -> Self {
        Self { prefix: format!("{:x}-", clock.now().as_nanosecond()), count: AtomicU64::new(0) }
    }

    /// The name that the client gave, if it is one, else a new one.
    pub(crate) fn name(&self, headers: &HeaderMap) -> RequestId {
        let given = headers.get(X_REQUEST_ID).and_then(|value| value.to_str().ok());
        match given {
            Some(given) if is_acceptable(given) => RequestId(given.into()),
            _ => self.next(),
        }
    }

    fn next(&self) -> RequestId {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let mut name = String::with_capacity(MAX_LENGTH);
        name.push_str(&self.prefix);
        name.push_str(itoa::Buffer::new().format(number));
        RequestId(name.into())
    }
}

fn is_acceptable(name: &str) -> bool {
    let acceptable = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=MAX_LENGTH).contains(&name.len()) && name.bytes().all(acceptable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_short_plain_names_are_accepted() {
        for good in ["a", "A.b_c-9", &"x".repeat(64)] {
            assert!(is_acceptable(good), "{good}");
        }
        for bad in ["", "a b", "a\"b", "ä", "a/b", &"x".repeat(65)] {
            assert!(!is_acceptable(bad), "{bad}");
        }
    }
}
