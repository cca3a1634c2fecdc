//! What the README shows is what the demo answers.

use serde_json::Value;

use crate::demo::{Demo, curl};

const README: &str = include_str!("../../../../README.md");
const ADDRESS: &str = "http://127.0.0.1:5000";

#[test]
fn every_curl_line_gives_the_answer_below_it() {
    let demo = Demo::start();
    let mut lines = README.lines();
    let mut tried = 0;
    while let Some(line) = lines.next() {
        let Some(command) = line.strip_prefix("$ curl ") else { continue };
        let (method, url) = match command.strip_prefix("-X POST ") {
            Some(url) => ("POST", url),
            None => ("GET", command),
        };
        let shown: Value = serde_json::from_str(lines.next().unwrap()).unwrap();
        let (_, body) = curl(method, &url.replace(ADDRESS, &demo.root));
        let answered: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(answered, shown, "{command}");
        tried += 1;
    }
    assert_eq!(tried, 5);
}
