//! What differs between two configurations, by key.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;

use toml::{Table, Value};

use super::text::bmc_address;
use super::{Config, Ipmi};

/// The keys whose values differ, sorted. A bus is known by its name, as in `devicebus.hat.timeout`, a BMC by its
/// address, as in `ipmi.10.1.0.20.username`, a board by its id and that of its bus, if there is one, as in
/// `board.hat.00000011.name`.
#[must_use]
pub fn changed_keys(old: &Config, new: &Config) -> Vec<String> {
    let passwords = changed_passwords(&old.ipmi, &new.ipmi);
    let (old, new) = (flatten(old), flatten(new));
    let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let changed = keys.into_iter().filter(|key| old.get(*key) != new.get(*key));
    let changed: BTreeSet<String> = changed.cloned().chain(passwords).collect();
    changed.into_iter().collect()
}

/// The keys of inline passwords that differ. They are never written, so they are missing in what follows.
fn changed_passwords(old: &[Ipmi], new: &[Ipmi]) -> Vec<String> {
    let old: HashMap<SocketAddr, &Ipmi> = old.iter().map(|bmc| (bmc.address, bmc)).collect();
    let differs = |bmc: &&Ipmi| old.get(&bmc.address).is_some_and(|old| old.password != bmc.password);
    new.iter()
        .filter(differs)
        .map(|bmc| format!("ipmi.{}.password", bmc_address::print(&bmc.address)))
        .collect()
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
        Value::Array(elements) if elements.iter().all(Value::is_table) => {
            for (index, element) in elements.into_iter().enumerate() {
                flatten_value(format!("{path}.{}", label(&element, index)), element, flat);
            }
        }
        leaf => {
            flat.insert(path, leaf);
        }
    }
}

/// What tells an element of an array from the others: its place, counted from 1, if it has no name.
fn label(element: &Value, index: usize) -> String {
    let text = |key: &str| element.get(key).and_then(Value::as_str);
    match (text("bus"), text("board")) {
        (Some(bus), Some(board)) => format!("{bus}.{board}"),
        (_, board) => {
            let name = board.or_else(|| text("address")).or_else(|| text("name"));
            name.map_or_else(|| (index + 1).to_string(), str::to_owned)
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
    fn a_new_inline_password_is_a_change_that_does_not_show_it() {
        let bmc = |password: &str| {
            config(&format!("[[ipmi]]\nrack = 'r'\naddress = '10.1.0.20'\npassword = '{password}'"))
        };
        assert_eq!(changed_keys(&bmc("s3cr3t"), &bmc("s3cr3t")), [""; 0]);
        assert_eq!(changed_keys(&bmc("s3cr3t"), &bmc("other")), ["ipmi.10.1.0.20.password"]);
    }

    #[test]
    fn a_bus_that_comes_or_goes_is_a_change_of_its_keys() {
        let changed = changed_keys(&config(""), &config(BUS));
        assert!(changed.contains(&"devicebus.hat.device".to_owned()), "{changed:?}");
        assert_eq!(changed, changed_keys(&config(BUS), &config("")));
    }

    #[test]
    fn a_list_is_one_key() {
        let bmc = |suites: &str| {
            let table = "[[ipmi]]\nrack = 'r'\naddress = '10.1.0.20'\npassword = ''\nname = 'web-01'";
            config(&format!("{table}\nsuites = [{suites}]"))
        };
        assert_eq!(changed_keys(&bmc("17, 3"), &bmc("16, 3")), ["ipmi.10.1.0.20.suites"]);
    }

    #[test]
    fn a_board_is_known_by_its_id() {
        let board = |keys: &str| config(&format!("{BUS}[[board]]\nboard = '11'\nname = 'web-01'\n{keys}"));
        assert_eq!(
            changed_keys(&board("groups = ['a']"), &board("groups = ['b']")),
            ["board.00000011.groups"]
        );
        let (old, new) = (board("bus = 'hat'"), board("bus = 'hat'\nlabels = { role = 'web' }"));
        assert_eq!(changed_keys(&old, &new), ["board.hat.00000011.labels.role"]);
    }
}
