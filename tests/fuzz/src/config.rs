//! Any text as the configuration file of the service.
//!
//! The promises: what is refused is refused with problems that name their lines, each in one line for people; what is
//! accepted means the same every time and can be written out again.

use opendcre::config::{Config, Problem, changed_keys};

use crate::is_printable;

/// The longest message: an explanation, with what may be written instead.
const MAX_MESSAGE: usize = 2000;
/// The longest text whose messages are measured: they may repeat a value of the text.
const MAX_TEXT: usize = 500;

/// Reads the text.
pub fn config(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    match Config::parse(&text) {
        Ok(config) => check_config(&text, &config),
        Err(problems) => check_problems(&text, &problems),
    }
}

fn check_config(text: &str, config: &Config) {
    assert_eq!(Config::parse(text).as_ref(), Ok(config));
    assert_eq!(changed_keys(config, config), [""; 0]);
    if let Err(error) = serde_json::to_string(config) {
        panic!("{error}");
    }
    // A service that others can reach protects itself unless it was told not to.
    let is_exposed = !config.is_local() && !config.server.insecure;
    assert!(!is_exposed || config.tls.enabled.is_some() || config.speaks_tls());
    assert!(!is_exposed || config.auth.required.is_some() || config.requires_login());
}

fn check_problems(text: &str, problems: &[Problem]) {
    assert!(!problems.is_empty());
    assert!(problems.is_sorted_by_key(|problem| problem.line), "{problems:?}");
    let lines = 1 + text.matches('\n').count();
    for problem in problems {
        assert!((1..=lines).contains(&problem.line), "{problem} of {lines}");
        let message = problem.to_string();
        assert!(is_printable(&message), "{message:?}");
        assert!(text.len() > MAX_TEXT || message.len() <= MAX_MESSAGE, "{} bytes: {message}", message.len());
    }
}
