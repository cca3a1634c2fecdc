//! An entry of the audit log as a line for people.

use opendcre_gateway::AuditRecord;
use serde_json::Value;

use crate::output::visible;

/// The line: what is there of number, time, kind, who, from where, action, target, parameters, code and message.
pub(super) fn of(record: &AuditRecord) -> String {
    let Ok(entry) = serde_json::from_str::<Value>(&record.text) else {
        return format!("{}  {}", record.sequence, visible(&record.text));
    };
    let count = entry.get("count").and_then(Value::as_u64).filter(|count| *count > 1);
    let parts = [
        record.sequence.to_string(),
        text(&entry, "/time"),
        text(&entry, "/kind"),
        count.map_or_else(String::new, |count| format!("{count} times")),
        joined(&entry, &["/who/name", "/who/login", "/who/provider"]),
        text(&entry, "/remote"),
        text(&entry, "/action"),
        joined(&entry, &["/target/name", "/target/board", "/target/device"]),
        text(&entry, "/parameters"),
        text(&entry, "/text"),
        text(&entry, "/code"),
        text(&entry, "/message"),
    ];
    let parts: Vec<String> = parts.iter().filter(|part| !part.is_empty()).map(|part| visible(part)).collect();
    parts.join("  ")
}

fn text(entry: &Value, pointer: &str) -> String {
    entry.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// What there is of these texts, with slashes between.
fn joined(entry: &Value, pointers: &[&str]) -> String {
    let mut texts: Vec<String> = pointers.iter().map(|pointer| text(entry, pointer)).collect();
    texts.retain(|text| !text.is_empty());
    texts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_what_there_is() {
        let hash = format!("3:{}", "0".repeat(64)).parse::<opendcre_gateway::AuditHead>().unwrap().hash;
        let line = |text: &str| of(&AuditRecord { sequence: 3, hash, text: text.to_owned() });
        let entry = r#"{"kind":"outcome","time":"2026-12-01T10:00:00Z","who":{"name":"ada","login":"ldap","provider":"corp"},
            "remote":"192.0.2.7:1","action":"power_off","target":{"board":"40000001","device":"0001","name":"web-01"},
            "code":"ok","message":"power is off"}"#;
        assert_eq!(
            line(entry),
            "3  2026-12-01T10:00:00Z  outcome  ada/ldap/corp  192.0.2.7:1  power_off  web-01/40000001/0001  ok  \
             power is off"
        );
        assert_eq!(line(r#"{"kind":"login_refused","count":7}"#), "3  login_refused  7 times");
        assert_eq!(line("{\u{7}"), "3  {\\u{7}");
    }
}
