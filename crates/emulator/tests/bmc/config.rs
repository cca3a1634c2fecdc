//! Configurations: what they say, and what is wrong with them.

use std::time::Duration;

use opendcre_emulator::bmc::{Bmc, FleetConfig, Spread};

use super::console::{EPOCH, start};

fn refusal(text: &str) -> String {
    match FleetConfig::from_toml(text) {
        Err(error) => error.to_string(),
        Ok(config) => Bmc::fleet(&config, start(), EPOCH).unwrap_err().to_string(),
    }
}

#[test]
fn nothing_is_needed() {
    let config = FleetConfig::from_toml("").unwrap();
    assert_eq!((config.count, config.listen.port(), config.spread), (1, 9623, Spread::Ports));
    assert_eq!(config.access.users.len(), 3);
    assert_eq!(config.machine.sensors.len(), 14);
}

#[test]
fn everything_can_be_said() {
    let text = r#"
        listen = "127.1.0.0:623"
        spread = "addresses"
        count = 300
        seed = 5
        [access]
        users = [{ name = "root", password = "calvin", privilege = "administrator" }]
        auth_types = []
        cipher_suites = [17]
        session_timeout = "1m 30s"
        [machine]
        sensors = [
            { name = "Core", kind = "voltage", nominal = 1.1 },
            { name = "Fan", kind = "fan" },
        ]
        fru = { product = "Node" }
        [faults]
        loss = 0.1
        slow = 1.0
        slow_by = "2s"
    "#;
    let config = FleetConfig::from_toml(text).unwrap();
    assert_eq!(config.access.session_timeout, Duration::from_secs(90));
    let bmcs = Bmc::fleet(&config, start(), EPOCH).unwrap();
    assert_eq!(bmcs[299].address().to_string(), "127.1.1.43:623");
    assert!(bmcs[0].defects().slow);
    assert!((bmcs[0].value("Core", start()).unwrap() - 1.1).abs() < 0.02);
}

#[test]
fn passwords_are_not_printed() {
    let text = r#"access.users = [{ name = "root", password = "calvin", privilege = "user" }]
access.kg = "hobbes""#;
    let config = format!("{:?}", FleetConfig::from_toml(text).unwrap());
    assert!(!config.contains("calvin") && !config.contains("hobbes"), "{config}");
}

#[test]
fn every_mistake_is_one_line_that_names_its_place() {
    for (text, expected) in [
        ("count = 1\nsize = 3", "line 2: unknown field `size`"),
        ("[access]\nuser = []", "line 2: unknown field `user`"),
        ("[machine]\n\nsoft_off_delay = 3", "line 3: "),
        ("[faults]\nlost = 1.0", "line 2: unknown field `lost`"),
        ("access.auth_types = [\"md4\"]", "line 1: unknown variant `md4`"),
        ("access.kg = \"0xabc\"", "line 1: "),
        ("access.kg = \"123456789012345678901\"", "line 1: "),
        ("count = 0", "count: must be 1 to 65536"),
        ("count = 60000", "count: "),
        ("access.session_limit = 0", "access.session_limit: must be 1 to 63"),
        ("access.cipher_suites = [3, 4]", "access.cipher_suites[1]: 4 is not a cipher suite"),
        (
            "access.users = [{ name = \"\", password = \"x\", privilege = \"user\" }]",
            "access.users[0].name: must have 1 to 16 bytes",
        ),
        ("machine.event_log_capacity = 5", "machine.event_log_capacity: "),
        ("machine.event_interval = \"10ms\"", "machine.event_interval: "),
        ("machine.read_limit = 4", "machine.read_limit: "),
        ("machine.sensors = [{ name = \"Core\", kind = \"voltage\" }]", "machine.sensors[0].nominal: "),
        (
            "machine.sensors = [{ name = \"PS\", kind = \"power_supply\", excursion = \"5m\" }]",
            "machine.sensors[0].excursion: ",
        ),
        (
            "machine.sensors = [{ name = \"In\", kind = \"inlet_temperature\", excursion = \"5s\" }]",
            "machine.sensors[0].excursion: ",
        ),
        (
            "machine.sensors = [{ name = \"F\", kind = \"fan\", nominal = 1.0 }]",
            "machine.sensors[0].nominal: ",
        ),
        ("machine.sensors = [{ name = \"\", kind = \"fan\" }]", "machine.sensors[0].name: "),
        ("machine.fru.product = \"\u{4e2d}\"", "machine.fru: "),
    ] {
        let message = refusal(text);
        assert!(message.starts_with(expected), "{text}: {message}");
        assert!(!message.contains('\n'), "{message}");
    }
}
