//! In which form metrics are wanted (RFC 9110 §12.5.1): OpenMetrics 1.0 for who names it, else the text format of
//! Prometheus, version 0.0.4, which everything reads and browsers show.

use http::header::{ACCEPT, VARY};
use http::{HeaderMap, HeaderValue};

use crate::encoding::{FULL_WEIGHT, thousandths};
use crate::reply::Reply;

/// A form of metrics. The names of its media types are in the OpenMetrics specification and in Prometheus' own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    OpenMetrics,
    Classic,
}

impl Format {
    /// What the client likes better.
    pub(super) fn wanted(headers: &HeaderMap) -> Self {
        let values = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let (mut open, mut classic) = (0, 0);
        for (media_type, weight) in values.flat_map(|value| value.split(',')).map(weighted) {
            let liked = match media_type {
                _ if media_type.eq_ignore_ascii_case("application/openmetrics-text") => &mut open,
                _ if media_type.eq_ignore_ascii_case("text/plain") => &mut classic,
                _ => continue,
            };
            *liked = weight.max(*liked);
        }
        if open > 0 && open >= classic { Self::OpenMetrics } else { Self::Classic }
    }

    pub(super) const fn media_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Classic => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// Tells caches that another client may get another form.
pub(super) fn vary(reply: &mut Reply) {
    reply.headers_mut().append(VARY, HeaderValue::from_static("accept"));
}

/// A media type without its parameters, and its weight in thousandths.
fn weighted(entry: &str) -> (&str, u16) {
    let mut parts = entry.split(';').map(str::trim);
    let media_type = parts.next().unwrap_or_default();
    let pairs = parts.filter_map(|parameter| parameter.split_once('='));
    let mut weights = pairs.filter(|(name, _)| name.trim().eq_ignore_ascii_case("q"));
    (media_type, weights.next().map_or(FULL_WEIGHT, |(_, weight)| thousandths(weight.trim())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(accept: &'static str) -> Format {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static(accept));
        Format::wanted(&headers)
    }

    #[test]
    fn who_names_openmetrics_gets_it_unless_the_other_is_liked_better() {
        for accept in [
            "application/openmetrics-text",
            // Prometheus 2.42, and 3.
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
             text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=0.0.4;q=0.3",
            "Application/OpenMetrics-Text ; Q=0.5 , text/plain;q=0.5",
        ] {
            assert_eq!(wanted(accept), Format::OpenMetrics, "{accept}");
        }
        for accept in [
            "",
            "*/*",
            "text/html,*/*;q=0.8",
            "text/plain;version=0.0.4",
            "text/plain, application/openmetrics-text;q=0.9",
            "application/openmetrics-text;q=0",
            ";;=,q=",
        ] {
            assert_eq!(wanted(accept), Format::Classic, "{accept}");
        }
    }
}
