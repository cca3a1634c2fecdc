//! The JSON body of a request, read into a struct. It is measured before it is parsed: text that is nested deeply costs
//! one look at each byte.

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::error::Category;

use super::member::{self, ObjectError};
use crate::problem::{Code, Problem};

/// How deep arrays and objects may be nested. No request of this API needs more than three.
const MAX_DEPTH: usize = 16;

/// Reads a body. An empty one counts as an empty object.
pub(super) fn read<T: DeserializeOwned>(headers: &HeaderMap, body: &[u8]) -> Result<T, Problem> {
    let media_type = headers.get(CONTENT_TYPE);
    if body.is_empty() && media_type.is_none() {
        return object(b"{}");
    }
    // Also of an empty body: what a form of a web page sends is none of ours.
    if !is_json(media_type) {
        let detail = "the body must be JSON, and say so with the header Content-Type: application/json";
        return Err(Problem::new(Code::UNSUPPORTED_MEDIA_TYPE, detail));
    }
    if body.is_empty() {
        return object(b"{}");
    }
    if let Some(offset) = too_deep(body) {
        let detail = format!("the body is nested more than {MAX_DEPTH} deep");
        return Err(Problem::new(Code::TOO_DEEP, detail).at(characters(body, offset)));
    }
    if body.trim_ascii_start().first() != Some(&b'{') {
        serde_json::from_slice::<IgnoredAny>(body).map_err(|error| no_json(body, &error))?;
        return Err(Problem::new(Code::BAD_VALUE, "the body must be an object").in_member("").at(0));
    }
    object(body)
}

fn is_json(media_type: Option<&HeaderValue>) -> bool {
    let media_type = media_type.and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (essence, _) = media_type.split_once(';').unwrap_or((media_type, ""));
    essence.trim().eq_ignore_ascii_case("application/json")
}

/// The offset of the bracket that is one too many. Brackets within strings do not count.
fn too_deep(body: &[u8]) -> Option<usize> {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for (offset, byte) in body.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => depth += 1,
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return Some(offset);
        }
    }
    None
}

fn object<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    member::read(body).map_err(|error| match error {
        ObjectError::Syntax(error) => no_json(body, &error),
        ObjectError::Scalar(offset) => {
            let detail = "the body has a number that is too large, or a text with characters that are none";
            Problem::new(Code::BAD_JSON, detail).at(characters(body, offset))
        }
        ObjectError::Meaning { pointer, offset, mistake } => {
            let candidates = mistake.candidates();
            let detail = format!("{pointer} in the body is wrong: {mistake}");
            let problem = Problem::new(Code::BAD_VALUE, detail).in_member(&pointer);
            problem.at(characters(body, offset)).with_candidates(candidates)
        }
    })
}

fn no_json(body: &[u8], error: &serde_json::Error) -> Problem {
    let detail = match error.classify() {
        Category::Eof => "the body is no JSON: it ends too early",
        Category::Data | Category::Io | Category::Syntax => "the body is no JSON from this place on",
    };
    let offset = offset_of(body, error.line(), error.column());
    Problem::new(Code::BAD_JSON, detail).at(characters(body, offset))
}

/// The offset of a place that is given as a line from 1 and a count of the bytes of that line up to and including it.
fn offset_of(body: &[u8], line: usize, column: usize) -> usize {
    let before: usize =
        body.split_inclusive(|byte| *byte == b'\n').take(line.saturating_sub(1)).map(<[u8]>::len).sum();
    before.saturating_add(column.saturating_sub(1)).min(body.len())
}

/// How many characters begin before this byte.
fn characters(body: &[u8], offset: usize) -> usize {
    let is_beginning = |byte: &&u8| !matches!(byte, 0x80..=0xbf);
    body.iter().take(offset).filter(is_beginning).count()
}

#[cfg(test)]
mod tests {
    use http::HeaderName;
    use opendcre_model::PowerAction;
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Example {
        nodes: String,
        #[serde(default)]
        on: Option<bool>,
        #[serde(default)]
        seconds: Option<f64>,
        #[serde(default)]
        action: Option<PowerAction>,
    }

    fn read_as(media_type: &'static str, body: &str) -> Result<Example, Problem> {
        let headers: [(HeaderName, HeaderValue); 1] = [(CONTENT_TYPE, HeaderValue::from_static(media_type))];
        read(&headers.into_iter().collect(), body.as_bytes())
    }

    #[track_caller]
    fn refused(body: &str, code: &str, position: usize) {
        let problem = read_as("application/json", body).unwrap_err();
        assert_eq!(problem.code(), code, "{problem:?}");
        assert!(format!("{problem:?}").contains(&format!("position: Some({position})")), "{problem:?}");
    }

    #[test]
    fn what_is_wrong_is_shown_with_its_place() {
        refused("{\"nodes\": \"ä\"", "bad_json", 12);
        refused("{\"nodes\": x}", "bad_json", 10);
        refused("[", "bad_json", 0);
        refused("{\"nodes\":\n 1}", "bad_value", 11);
        refused("{\"nodes\":\"a\",\"noeds\":1}", "bad_value", 13);
        refused("{\"ä\":1,\"nodes\":\"\\ud800\"}", "bad_json", 15);
        refused("{\"nodes\":1e999}", "bad_json", 9);
        refused("{\"nodes\":\"a\"} x", "bad_json", 14);
        refused(" {\"seconds\":1} ", "bad_value", 13);
        refused("{\"nodes\":\"a\", \"nodes\":\"b\"}", "bad_value", 14);
        refused("{}", "bad_value", 1);
        refused("[\"all\"]", "bad_value", 0);
        refused("null", "bad_value", 0);
        refused(&"[".repeat(17), "too_deep", 16);
        refused(&format!("\"ä\\\"[[[[[[[[[[[[[[[[[[\",{}", "[{".repeat(9)), "too_deep", 40);
    }

    #[test]
    fn what_is_wrong_is_told_in_our_own_words() {
        for (body, pointer, detail) in [
            ("{}", "/nodes", "it is missing"),
            (r#"{"nodes":null}"#, "/nodes", "it must be a text, not null"),
            (r#"{"nodes":["a"]}"#, "/nodes", "it must be a text, not an array"),
            (r#"{"nodes":"a","on":"yes"}"#, "/on", "it must be true or false, not a text"),
            (r#"{"nodes":"a","seconds":true}"#, "/seconds", "it must be a number, not true or false"),
            (
                r#"{"nodes":"a","action":7}"#,
                "/action",
                "it must be one of on, off, cycle, reset, soft, diag, not a number",
            ),
            (
                r#"{"nodes":"a","action":"explode"}"#,
                "/action",
                "\"explode\" is not a word for it; use on, off, cycle, reset, soft, diag",
            ),
            (
                r#"{"nodes":"a","n/o~":{}}"#,
                "/n~1o~0",
                "there is no such member here; there are nodes, on, seconds, action",
            ),
            (r#"{"nodes":"a","on":true,"on":true}"#, "/on", "it is given several times; give it once"),
        ] {
            let problem = read_as("application/json", body).unwrap_err();
            let told = format!("{pointer} in the body is wrong: {detail}");
            assert_eq!((problem.detail(), problem.pointer()), (told.as_str(), Some(pointer)), "{body}");
        }
        for body in ["{\"nodes\":", "{\"nodes\" 1}", "{nodes:1}", "nul", "{\"nodes\":\"\u{1}\"}"] {
            let problem = read_as("application/json", body).unwrap_err();
            assert!(problem.detail().starts_with("the body is no JSON"), "{problem:?}");
        }
    }

    #[test]
    fn every_sort_of_value_is_read() {
        let body = r#"{"nodes": "a\u00e4", "on": null, "seconds": 15, "action": "soft"}"#;
        let expected = Example {
            nodes: "aä".to_owned(),
            on: None,
            seconds: Some(15.0),
            action: Some(PowerAction::Soft),
        };
        assert_eq!(read_as("application/json", body).unwrap(), expected);
    }

    #[test]
    fn only_json_is_read() {
        for good in ["application/json", "Application/JSON ; charset=utf-8"] {
            assert_eq!(read_as(good, "{\"nodes\":\"a\"}").unwrap().nodes, "a");
        }
        for bad in ["text/json", "application/jsonx", "", "application/x-www-form-urlencoded"] {
            assert_eq!(read_as(bad, "{\"nodes\":\"a\"}").unwrap_err().code(), "unsupported_media_type");
        }
        assert_eq!(read_as("text/plain", "").unwrap_err().code(), "unsupported_media_type");
        assert_eq!(read_as("application/json", "").unwrap_err().code(), "bad_value");
    }

    proptest! {
        #[test]
        fn no_bytes_break_it(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let headers: HeaderMap =
                [(CONTENT_TYPE, HeaderValue::from_static("application/json"))].into_iter().collect();
            let _ = read::<Example>(&headers, &body);
        }
    }
}
