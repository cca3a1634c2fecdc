//! Why a server refuses a request: its problem document (RFC 9457), and how that is shown to people.

use serde::{Deserialize, Serialize};

use crate::output::visible;

/// The parameter whose value people write as a text in which places matter.
const NODES: &str = "nodes";
/// How many characters of a text are shown, so that its mark stays below them on a narrow terminal.
const SHOWN: usize = 72;
/// How many of them stand before the mark if not all can be shown.
const SHOWN_BEFORE: usize = 40;

/// What to do when a server does not know who asks.
pub(super) const HOW_TO_LOG_IN: &str = "use `opendcre login`, --token-file or --user";

/// What a server says about a request that it refuses.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Problem {
    /// One sentence for people. Servers before API 2 call it `message`.
    #[serde(alias = "message")]
    pub(super) detail: String,
    /// The stable machine-readable code, where the server sends one.
    pub(super) code: Option<String>,
    /// The parameter of the query that is wrong.
    parameter: Option<String>,
    /// Where in its value the mistake is, in characters from 0.
    position: Option<usize>,
    /// What an ambiguous name may mean.
    #[serde(default)]
    candidates: Vec<String>,
    /// The node range that is wrong, as it was sent.
    #[serde(skip)]
    nodes: Option<String>,
}

/// A problem as `-o json` prints it.
#[derive(Debug, Serialize)]
pub(super) struct ProblemBody<'a> {
    message: &'a str,
    code: &'a str,
    http_code: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameter: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<usize>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    candidates: &'a [String],
}

impl Problem {
    /// A problem of which nothing is known but this.
    pub(super) fn unexplained(detail: String) -> Self {
        Self { detail, code: None, parameter: None, position: None, candidates: Vec::new(), nodes: None }
    }

    /// Reads the body of an answer to a request with this query; nothing if it is none of ours.
    pub(super) fn parse(body: &str, query: &[(&str, String)]) -> Option<Self> {
        let mut problem: Self = serde_json::from_str(body).ok()?;
        if problem.parameter.as_deref() == Some(NODES) {
            problem.nodes = query.iter().find(|(name, _)| *name == NODES).map(|(_, value)| value.clone());
        }
        Some(problem)
    }

    /// What is wrong, for people: a hint in words of HTTP is replaced by one in words of this program.
    pub(super) fn told(&self) -> String {
        let hint = self.code.as_deref().and_then(hint);
        let clauses = self.detail.split("; ").filter(|clause| !is_for_http(clause));
        clauses.chain(hint).collect::<Vec<_>>().join("; ")
    }

    /// The problem for programs.
    pub(super) fn body(&self, status: u16) -> ProblemBody<'_> {
        ProblemBody {
            message: &self.detail,
            code: self.code.as_deref().unwrap_or("refused"),
            http_code: status,
            parameter: self.parameter.as_deref(),
            position: self.position,
            candidates: &self.candidates,
        }
    }

    /// Lines that explain the detail: the node range with a mark below the mistake, and the candidates that the detail does
    /// not name. They cannot drive a terminal.
    pub(super) fn explanation(&self) -> Vec<String> {
        let mut lines = self.marked().unwrap_or_default();
        let unnamed = self.candidates.iter().filter(|candidate| !self.detail.contains(*candidate));
        lines.extend(unnamed.map(|candidate| format!("  {}", visible(candidate))));
        lines
    }

    fn marked(&self) -> Option<Vec<String>> {
        let (nodes, position) = (self.nodes.as_ref()?, self.position?);
        let length = nodes.chars().count();
        let start = if length > SHOWN { position.saturating_sub(SHOWN_BEFORE) } else { 0 };
        let before: String = nodes.chars().take(position).skip(start).collect();
        let after: String =
            nodes.chars().skip(position).take(SHOWN.saturating_sub(position - start)).collect();
        let gap = if start > 0 { "…" } else { "" };
        let before = format!("{gap}{}", visible(&before));
        let mark = format!("{}^", " ".repeat(before.chars().count()));
        Some(vec![format!("  {before}{}", visible(&after)), format!("  {mark}")])
    }
}

/// What to do about a problem with this code.
fn hint(code: &str) -> Option<&'static str> {
    match code {
        "unauthenticated" => Some(HOW_TO_LOG_IN),
        "forbidden" => Some("ask whoever grants roles on this server"),
        "unknown_device" => Some("`opendcre scan BOARD` shows its devices"),
        "ambiguous_device" => Some("say which one with --device"),
        "unknown_group" => Some("`opendcre groups` shows what there is"),
        "unknown_job" => Some("`opendcre jobs` shows what there is"),
        _ => None,
    }
}

/// Whether a part of a detail is a hint for those who write the requests themselves.
fn is_for_http(clause: &str) -> bool {
    clause.starts_with("GET /")
        || ["log in", "say which one with device", "its devices are shown with it", "use the id"]
            .contains(&clause)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(value: &str, position: usize) -> String {
        let body =
            format!(r#"{{"detail":"d","code":"bad_range","parameter":"nodes","position":{position}}}"#);
        let query = [("limit", "0".to_owned()), ("nodes", value.to_owned())];
        Problem::parse(&body, &query).unwrap().explanation().join("\n")
    }

    #[test]
    fn the_mistake_is_marked() {
        assert_eq!(explained("node[01-", 8), "  node[01-\n          ^");
        assert_eq!(explained("ä,b", 2), "  ä,b\n    ^");
        assert_eq!(explained("a\u{1b}b", 2), "  a\\u{1b}b\n         ^");
        assert_eq!(explained("", 7), "  \n  ^");
    }

    #[test]
    fn of_a_long_text_only_the_surroundings_are_shown() {
        let value = format!("{}!{}", "a".repeat(100), "b".repeat(100));
        let expected = format!("  …{}!{}\n   {}^", "a".repeat(40), "b".repeat(31), " ".repeat(40));
        assert_eq!(explained(&value, 100), expected);
        assert!(explained(&value, usize::MAX).lines().all(|line| line.chars().count() < 120));
    }

    #[test]
    fn hints_are_in_words_of_this_program() {
        for (code, detail, told) in [
            (
                "ambiguous_device",
                "several devices can; say which one with device; nothing was sent",
                "several devices can; nothing was sent; say which one with --device",
            ),
            (
                "unknown_group",
                "there is no group a; GET /opendcre/2/groups shows what there is",
                "there is no group a; `opendcre groups` shows what there is",
            ),
            (
                "unauthenticated",
                "the request does not say who sends it; log in",
                "the request does not say who sends it; use `opendcre login`, --token-file or --user",
            ),
            ("unknown_device", "there is none", "there is none; `opendcre scan BOARD` shows its devices"),
            ("busy", "too much is waiting", "too much is waiting"),
        ] {
            let body = format!(r#"{{"detail":"{detail}","code":"{code}"}}"#);
            assert_eq!(Problem::parse(&body, &[]).unwrap().told(), told);
        }
    }

    #[test]
    fn candidates_are_listed_unless_the_detail_has_them() {
        let body =
            r#"{"detail":"spare is board 00000011 (a)","candidates":["board 00000011 (a)","rack\u0007 b"]}"#;
        assert_eq!(Problem::parse(body, &[]).unwrap().explanation(), ["  rack\\u{7} b"]);
    }

    #[test]
    fn the_words_of_earlier_servers_are_understood() {
        let body = r#"{"message":"there is nothing here","code":"not_found","http_code":404}"#;
        let problem = Problem::parse(body, &[]).unwrap();
        assert_eq!(
            (problem.detail.as_str(), problem.code.as_deref()),
            ("there is nothing here", Some("not_found"))
        );
        assert_eq!(Problem::parse("<html>", &[]), None);
    }
}
