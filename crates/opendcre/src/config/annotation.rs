//! What the configuration says about single boards besides how to reach them: names and other words by which they are
//! found. It does not know where a board is.

use std::collections::{BTreeMap, HashSet};
use std::net::IpAddr;

use opendcre_gateway::Annotation;
use opendcre_model::BoardId;

use super::check::{Findings, is_label};

/// The longest name of a board or group.
const MAX_NAME: usize = 64;
/// What names of boards and groups may have besides letters and digits.
const NAME_PUNCTUATION: &str = "-_.";
/// The longest host name in text, and the longest of its parts (RFC 1123 §2.1, RFC 1035 §2.3.4).
pub(super) const MAX_HOSTNAME: usize = 253;
const MAX_HOSTNAME_PART: usize = 63;
/// The longest key and the longest value of a label, in characters.
const MAX_LABEL: usize = 63;
/// What keys of labels may have besides letters and digits.
const LABEL_PUNCTUATION: &str = "_.-/";
/// What node ranges compare besides labels.
const ATTRIBUTES: [&str; 6] = ["driver", "firmware", "kind", "name", "rack", "state"];
/// What node ranges call every board.
const EVERYTHING: &str = "all";

/// Everything that is wrong with what the table at `path` says about its board.
pub(super) fn check(path: &str, annotation: &Annotation, findings: &mut Findings) {
    let key = |name: &str| format!("{path}.{name}");
    if let Some(name) = &annotation.name {
        check_name(&key("name"), name, findings);
    }
    for hostname in annotation.hostnames.iter().filter(|hostname| !is_hostname(hostname)) {
        let message = format!(
            "{hostname:?} is no host name; use letters, digits and hyphens, at most {MAX_HOSTNAME_PART} between two dots"
        );
        findings.add(key("hostnames"), message);
    }
    check_labels(&key("labels"), &annotation.labels, findings);
    for group in &annotation.groups {
        check_group_name(&key("groups"), group, findings);
    }
}

/// Says which tables give a board the name of another one.
pub(super) fn check_names_together(annotations: &[(String, Annotation)], findings: &mut Findings) {
    let mut seen = HashSet::new();
    for (path, annotation) in annotations {
        let Some(name) = &annotation.name else { continue };
        // Like host names, names are looked up in any case.
        if !seen.insert(name.to_ascii_lowercase()) {
            let message = format!("{name:?} is already the name of another board; names are unique");
            findings.add(format!("{path}.name"), message);
        }
    }
}

/// A name of a board is not to be taken for an id, nor for anything else in a node range.
fn check_name(path: &str, name: &str, findings: &mut Findings) {
    if !name.starts_with(char::is_alphanumeric) || !is_label(name, MAX_NAME, NAME_PUNCTUATION) {
        findings.add(
            path,
            format!(
                "{name:?} will not do; use 1 to {MAX_NAME} letters, digits and any of {NAME_PUNCTUATION}, and begin with a letter or digit"
            ),
        );
    } else if name.parse::<BoardId>().is_ok() {
        let message = "can be taken for the id of a board; use one that is no hexadecimal number";
        findings.add(path, format!("{name:?} {message}"));
    } else if name.parse::<IpAddr>().is_ok() {
        findings.add(path, format!("{name:?} is an address; write it into ip_addresses"));
    } else {
        check_reserved(path, name, findings);
    }
}

/// A group is known by a name that no node range takes for something else.
pub(super) fn check_group_name(path: &str, name: &str, findings: &mut Findings) {
    if name.starts_with(char::is_alphabetic) && is_label(name, MAX_NAME, NAME_PUNCTUATION) {
        check_reserved(path, name, findings);
    } else {
        findings.add(
            path,
            format!(
                "{name:?} will not do; use 1 to {MAX_NAME} letters, digits and any of {NAME_PUNCTUATION}, and begin with a letter"
            ),
        );
    }
}

fn check_reserved(path: &str, name: &str, findings: &mut Findings) {
    if name.eq_ignore_ascii_case(EVERYTHING) {
        findings.add(path, format!("{name:?} means every board; use another name"));
    }
}

fn is_hostname(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let is_part = |part: &str| {
        (1..=MAX_HOSTNAME_PART).contains(&part.len())
            && part.chars().all(inner)
            && !part.starts_with('-')
            && !part.ends_with('-')
    };
    text.len() <= MAX_HOSTNAME && text.split('.').all(is_part)
}

fn check_labels(path: &str, labels: &BTreeMap<String, String>, findings: &mut Findings) {
    for (key, value) in labels {
        let path = format!("{path}.{key}");
        if !is_label(key, MAX_LABEL, LABEL_PUNCTUATION) {
            findings.add(
                &path,
                format!(
                    "the key will not do; use 1 to {MAX_LABEL} letters, digits and any of {LABEL_PUNCTUATION}"
                ),
            );
        } else if ATTRIBUTES.contains(&key.as_str()) {
            findings.add(&path, format!("every board has its own {key}; use another key"));
        }
        if value.chars().count() > MAX_LABEL || value.chars().any(|c| c == ',' || c.is_control()) {
            findings.add(
                &path,
                format!("{value:?} will not do; use at most {MAX_LABEL} characters without commas and control characters"),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::tests::{BMC, BUS, problems};

    /// The problems of one key in line 5, without the table.
    fn problems_of(key: &str) -> Vec<String> {
        let found = problems(&format!("{BMC}{key}\n"));
        found
            .iter()
            .map(|line| line.strip_prefix("5: ipmi \"10.1.0.20\".").unwrap_or(line).to_owned())
            .collect()
    }

    #[test]
    fn a_name_is_no_id_and_means_nothing_else() {
        for name in ["web-01", "9gag", "node.4_b", "deadbeef0", "x"] {
            assert_eq!(problems_of(&format!("name = '{name}'")), [""; 0], "{name}");
        }
        for name in ["db", "11", "DEADBEEF", "4000000f"] {
            let expected = format!(
                "name: {name:?} can be taken for the id of a board; use one that is no hexadecimal number"
            );
            assert_eq!(problems_of(&format!("name = '{name}'")), [expected]);
        }
        for name in ["", "-x", ".x", "web 01", "web,01", "naïve", &"x".repeat(65)] {
            let expected = format!(
                "name: {name:?} will not do; use 1 to 64 letters, digits and any of -_., and begin with a letter or digit"
            );
            assert_eq!(problems_of(&format!("name = '{name}'")), [expected]);
        }
        let address = "name: \"10.1.0.20\" is an address; write it into ip_addresses";
        assert_eq!(problems_of("name = '10.1.0.20'"), [address]);
        assert_eq!(problems_of("name = 'All'"), ["name: \"All\" means every board; use another name"]);
    }

    #[test]
    fn a_host_name_is_one_of_the_internet() {
        let long = vec!["x".repeat(63); 4].join(".");
        for name in ["node-a", "3com.example", "NODE.example.org", &long[..253]] {
            assert_eq!(problems_of(&format!("hostnames = ['{name}']")), [""; 0], "{name}");
        }
        for name in ["", "node_a", "-a", "a-", "a..b", "a.", "näher", &"x".repeat(64), &long] {
            let [found] = &problems_of(&format!("hostnames = ['node-a', '{name}']"))[..] else {
                panic!("{name}")
            };
            assert!(
                found.starts_with(&format!("hostnames: {name:?} is no host name; use letters")),
                "{found}"
            );
        }
    }

    #[test]
    fn labels_are_short() {
        let (long, longer) = ("ä".repeat(63), "x".repeat(64));
        for label in
            ["role = 'web server (old)'", "'example.org/unit' = ''", "1 = '1'", &format!("x = '{long}'")]
        {
            assert_eq!(problems_of(&format!("labels = {{ {label} }}")), [""; 0], "{label}");
        }
        for (label, expected) in [
            ("'a b' = ''", "labels.a b: the key will not do; use 1 to 63 letters, digits and any of _.-/"),
            ("'a.=' = ''", "labels.a.=: the key will not do; use 1 to 63 letters, digits and any of _.-/"),
            ("rack = '7'", "labels.rack: every board has its own rack; use another key"),
            (
                "x = 'a,b'",
                "labels.x: \"a,b\" will not do; use at most 63 characters without commas and control characters",
            ),
            (
                "x = \"a\\n\"",
                "labels.x: \"a\\n\" will not do; use at most 63 characters without commas and control characters",
            ),
            ("x = 7", "labels.x: invalid type: integer `7`, expected a string"),
        ] {
            assert_eq!(problems_of(&format!("labels = {{ {label} }}")), [expected]);
        }
        for label in [format!("x = '{longer}'"), format!("{longer} = 'x'")] {
            assert_eq!(problems_of(&format!("labels = {{ {label} }}")).len(), 1, "{label}");
        }
    }

    #[test]
    fn groups_of_a_table_are_named_like_groups() {
        assert_eq!(problems_of("groups = ['db', 'x.1']"), [""; 0]);
        let found = problems_of("groups = ['1']");
        assert_eq!(
            found,
            [
                "groups: \"1\" will not do; use 1 to 64 letters, digits and any of -_., and begin with a letter"
            ]
        );
    }

    #[test]
    fn a_name_belongs_to_one_board_of_any_kind() {
        let board = "[[board]]\nboard = '11'\nname = 'WEB-01'\nhostnames = ['node-a']\n";
        let text = format!("{BMC}name = 'web-01'\nhostnames = ['node-a']\n{BUS}{board}");
        assert_eq!(
            problems(&text),
            ["13: board \"11\".name: \"WEB-01\" is already the name of another board; names are unique"]
        );
    }
}
