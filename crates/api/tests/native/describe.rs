//! The description of the API: complete, consistent, and the one in the repository.

use std::collections::BTreeSet;

use http::Method;
use serde_json::Value;

use crate::support::{DESCRIPTION, Room};

/// Where the description is kept, so that a change of it is seen when it is made.
const KEPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");

/// Set to anything, it makes the kept description the present one.
const UPDATE: &str = "UPDATE_OPENAPI";

fn operations() -> impl Iterator<Item = (&'static str, &'static str, &'static Value)> {
    let paths = DESCRIPTION.document["paths"].as_object().unwrap();
    paths.iter().flat_map(|(path, operations)| {
        let operations = operations.as_object().unwrap().iter();
        operations.map(move |(method, operation)| (path.as_str(), method.as_str(), operation))
    })
}

#[test]
fn the_kept_description_is_the_one_that_is_served() {
    let served = format!("{:#}\n", DESCRIPTION.document);
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(KEPT, served).unwrap();
        return;
    }
    let kept = std::fs::read_to_string(KEPT).unwrap_or_default();
    assert!(
        kept == served,
        "docs/openapi.json is out of date; run this test with {UPDATE}=1 and look at the difference"
    );
}

#[tokio::test]
async fn every_path_takes_the_methods_that_are_described() {
    let room = Room::new().await;
    for (path, operations) in DESCRIPTION.document["paths"].as_object().unwrap() {
        let example = path.replace("{rack}", "rack_1").replace("{board}", "11").replace("{device}", "4001");
        let answer = room.ask(Method::OPTIONS, &example).await;
        let mut allowed: BTreeSet<String> =
            answer.header("allow").unwrap().split(", ").map(str::to_lowercase).collect();
        assert!(allowed.remove("options"));
        assert_eq!(allowed.remove("head"), allowed.contains("get"), "{path}");
        assert_eq!(allowed, operations.as_object().unwrap().keys().cloned().collect(), "{path}");
    }
}

#[test]
fn every_operation_is_described_once_and_completely() {
    let mut names = BTreeSet::new();
    for (path, method, operation) in operations() {
        assert!(names.insert(operation["operationId"].as_str().unwrap()), "{method} {path}");
        for text in ["summary", "description"] {
            assert!(!operation[text].as_str().unwrap().is_empty(), "{method} {path} has no {text}");
        }
        let parameters = operation["parameters"].as_array().unwrap();
        let in_path = parameters.iter().filter(|parameter| parameter["in"] == "path");
        let in_path: Vec<String> =
            in_path.map(|parameter| format!("{{{}}}", parameter["name"].as_str().unwrap())).collect();
        let in_template: Vec<&str> = path.split('/').filter(|segment| segment.starts_with('{')).collect();
        assert_eq!(in_path, in_template, "{path}");
        for parameter in parameters {
            let description = parameter["description"].as_str().unwrap_or_default();
            let refers = parameter["schema"]["$ref"].is_string();
            assert!(refers || !description.is_empty(), "{method} {path}: {parameter}");
        }
        assert!(operation["responses"]["200"].is_object(), "{method} {path}");
    }
}

#[test]
fn every_reference_leads_somewhere_and_every_schema_is_used() {
    fn references(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Array(elements) => elements.iter().for_each(|element| references(element, found)),
            Value::Object(members) => {
                found.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
                members.values().for_each(|member| references(member, found));
            }
            _ => {}
        }
    }
    let mut found = BTreeSet::new();
    references(&DESCRIPTION.document, &mut found);
    let schemas = DESCRIPTION.document["components"]["schemas"].as_object().unwrap();
    let known: BTreeSet<String> = schemas.keys().map(|name| format!("#/components/schemas/{name}")).collect();
    assert_eq!(found, known);
}

#[tokio::test]
async fn the_page_for_people_needs_nothing_from_elsewhere() {
    let room = Room::new().await;
    let answer = room.get("/docs").await;
    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
    let policy = answer.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    let page = answer.text();
    for outside in ["http://", "https://", "src=", "@import", "url("] {
        assert!(!page.contains(outside), "the page contains {outside}");
    }
    assert!(page.contains("openapi.json"));
}

#[tokio::test]
async fn every_word_for_an_action_is_described() {
    let problem = Room::new().await.get("/auth/why?action=dance").await.problem(422, "invalid");
    let words = problem["detail"].as_str().unwrap().split_once("use one of ").unwrap().1;
    let parameters = DESCRIPTION.document["paths"]["/auth/why"]["get"]["parameters"].as_array().unwrap();
    let action = parameters.iter().find(|parameter| parameter["name"] == "action").unwrap();
    let description = action["description"].as_str().unwrap();
    // The first four are the verbs themselves.
    for word in words.split(", ").skip(4) {
        assert!(description.contains(&format!("`{word}`")), "{word} is missing in: {description}");
    }
}
