//! What differs between two configurations, by key.

use std::collections::{BTreeMap, BTreeSet};

use toml::{Table, Value};

use super::Config;

/// The keys whose values differ, sorted. A bus is known by its name, as in `devicebus.hat.timeout`.
#[must_use]
pub fn changed_keys(old: &Config, new: &Config) -> Vec<String> {
    let (old, new) = (flatten(old), flatten(new));
    let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let changed = keys.into_iter().filter(|key| old.get(*key) != new.get(*key));
    changed.cloned().collect()
}

fn flatten(config: &Config) -> BTreeMap<String, Value> {
    let mut flat = BTreeMap::new();
    // Every configuration came from TOML or could be written as TOML.
    if let Ok(table) = Table::try_from(config) {
        for (key, value) in table {
            flatten_value(key, value, &mut flat);
        }
    }
    flat
}

fn flatten_value(path: String, value: Value, flat: &mut BTreeMap<String, Value>) {
    match value {
        Value::Table(table) => {
            for (key, value) in table {
                flatten_value(format!("{path}.{key}"), value, flat);
            }
        }
        Value::Array(elements) => {
            for element in elements {
                let name = element.get("name").and_then(Value::as_str).unwrap_or_default();
                flatten_value(format!("{path}.{name}"), element, flat);
            }
        }
        leaf => {
            flat.insert(path, leaf);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUS: &str = r#"
        [[devicebus]]
        name = "hat"
        rack = "rack_1"
        device = "/dev/ttyAMA0"
    "#;

    fn config(text: &str) -> Config {
        Config::parse(text).unwrap()
    }

    #[test]
    fn writing_out_a_default_changes_nothing() {
        assert_eq!(changed_keys(&config(""), &config("[log]\nlevel = 'info'")), [""; 0]);
    }

    #[test]
    fn changes_are_named_by_key_and_bus() {
        let old = config(BUS);
        let new = config(&format!(
            "{BUS}\ntimeout = '500ms'\n[log]\nlevel = 'debug'\n[server]\nlisten = '[::1]:80'"
        ));
        assert_eq!(changed_keys(&old, &new), ["devicebus.hat.timeout", "log.level", "server.listen"]);
    }

    #[test]
    fn a_bus_that_comes_or_goes_is_a_change_of_its_keys() {
        let changed = changed_keys(&config(""), &config(BUS));
        assert!(changed.contains(&"devicebus.hat.device".to_owned()), "{changed:?}");
        assert_eq!(changed, changed_keys(&config(BUS), &config("")));
    }
}
