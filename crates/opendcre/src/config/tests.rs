use std::path::Path;

use super::*;

pub(super) const BUS: &str = "[[devicebus]]\nname = \"hat\"\nrack = \"rack_1\"\ndevice = \"/dev/ttyAMA0\"\n";

/// The problems of `text` as lines.
pub(super) fn problems(text: &str) -> Vec<String> {
    match Config::parse(text) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(Problem::to_string).collect(),
    }
}

#[test]
fn nothing_at_all_is_a_configuration() {
    let config = Config::parse("").unwrap();
    assert_eq!(config, Config::default());
    assert_eq!(config.server.listen, "127.0.0.1:5000".parse().unwrap());
    assert_eq!(config.audit_file(), Path::new("/var/lib/opendcre/audit.db"));
    let inventory = &config.inventory;
    assert_eq!(config.inventory_file(), Path::new("/var/lib/opendcre/inventory.db"));
    assert_eq!((inventory.refresh, inventory.cache), (Duration::from_secs(300), Duration::from_secs(600)));
    assert_eq!(config.history_file(), Path::new("/var/lib/opendcre/history.db"));
    assert_eq!(config.history.settings(), opendcre_gateway::HistorySettings::default());
    assert_eq!(problems("[inventory]\nrefresh = \"0s\"\ncache = \"0s\""), [""; 0]);
}

#[test]
fn a_bus_needs_three_keys_and_has_the_documented_defaults() {
    let config = Config::parse(BUS).unwrap();
    let expected = DeviceBus {
        name: "hat".into(),
        rack: "rack_1".into(),
        device: "/dev/ttyAMA0".into(),
        baud: 115_200,
        timeout: Duration::from_millis(250),
        replies: Replies::Strict,
        protocol: Protocol::V1_3,
        boards: None,
        retry_limit: 3,
        time_slice: Duration::from_millis(75),
        save_slots: false,
        backlog: 64,
        fallback: None,
    };
    assert_eq!(config.devicebus, [expected]);
}

/// What is written into the file, and the one line that it gets.
const FAULTS: &[(&str, &str)] = &[
    ("[server]\n\nlissten = \"x\"", "3: server.lissten: unknown field `lissten`"),
    ("colour = 1", "1: colour: unknown field `colour`"),
    ("[log]\nlevel = 3", "2: log.level: invalid type: integer `3`, expected a string"),
    (
        "[server]\nlisten = \"localhost:5000\"",
        "2: server.listen: \"localhost:5000\" will not do; write an address and a port, such as \"127.0.0.1:5000\"; names",
    ),
    (
        "[devicebus]\nname = \"hat\"",
        "1: devicebus: invalid type: map, expected a table for each bus; write [[devicebus]], with two brackets",
    ),
    (
        "[board]\nboard = \"11\"",
        "1: board: invalid type: map, expected a table for each board; write [[board]]",
    ),
    ("[tls]\ncertificate = \"cert.pem\"", "2: tls.certificate: has no key; name its file in tls.key"),
    ("[tls]\nkey = \"key.pem\"", "2: tls.key: has no certificate; name its file in tls.certificate"),
    ("[tls]\nclient_crl = \"crl.pem\"", "2: tls.client_crl: revokes nothing without tls.client_ca"),
    (
        "[tls]\nclient_certificate = \"required\"",
        "2: tls.client_certificate: nobody could show one without tls.client_ca",
    ),
    ("[state]\ndirectory = \"\"", "2: state.directory: is empty; name a directory"),
    ("[auth]\nanonymous = \"guest\"", "2: auth.anonymous: there is no role \"guest\"; use viewer, operator"),
    (
        "[[auth.role]]\nname = \"admin\"\nverbs = [\"read\"]",
        "2: auth.role \"admin\".name: \"admin\" is a role that always",
    ),
    ("[[auth.role]]\nname = \"night\"\nverbs = []", "3: auth.role \"night\".verbs: permits nothing"),
    ("[[auth.grant]]\nrole = \"viewer\"", "1: auth.grant: is for nobody; name users or groups"),
    ("[[auth.grant]]\nrole = \"root\"\nusers = [\"ada\"]", "2: auth.grant.role: there is no role \"root\""),
    (
        "[[auth.ldap]]\nname = \"corp\"\nurls = []\nuser_base = \"dc=x\"",
        "3: auth.ldap \"corp\".urls: is empty; name at least",
    ),
    (
        "[[auth.ldap]]\nname = \"corp\"\nurls = [\"ldaps://x\"]",
        "1: auth.ldap \"corp\".user_base: is missing; name the entry",
    ),
    (
        "[[auth.ldap]]\nname = \"corp\"\nurls = [\"ldaps://x\"]\nuser_base = \"dc=x\"\nbind_dn = \"cn=x\"",
        "5: auth.ldap \"corp\".bind_dn: needs bind_password_file or bind_password_env",
    ),
    (
        "[[auth.oidc]]\nname = \"sso\"\nissuer = \"https://sso.example\"\naudience = []",
        "4: auth.oidc \"sso\".audience: is empty; name for whom",
    ),
    (
        "[[auth.oidc]]\nname = \"sso\"\nissuer = \"https://sso.example\"\naudience = [\"x\"]\nintrospect = true",
        "5: auth.oidc \"sso\".introspect: needs client_id, and client_secret_file",
    ),
    (
        "[[auth.proxy]]\nname = \"nginx\"",
        "1: auth.proxy \"nginx\": connects from nowhere; name its addresses",
    ),
    (
        "[[auth.proxy]]\nname = \"nginx\"\naddresses = [\"10.0.0.5\"]",
        "1: auth.proxy \"nginx\".secret_file: is missing; others could use its addresses",
    ),
    (
        "[auth.role]\nname = \"x\"",
        "1: auth.role: invalid type: map, expected a table for each role; write [[auth",
    ),
    ("[groups]\n\ndb = 7", "3: groups.db: invalid type: integer `7`, expected a string"),
    (
        "[inventory]\nfile = \"\"",
        "2: inventory.file: is empty; name a file, or leave the key out for inventory.db in state",
    ),
    (
        "[events]\nfile = \"\"",
        "2: events.file: is empty; name a file, or leave the key out for events.db in state",
    ),
    ("[events]\nmost = 10", "2: events.most: 10 is out of range; use 1000 to 10000000"),
    ("[events]\nage = \"59m\"", "2: events.age: 59m is out of range; use 1h to 87600h"),
    ("[events]\nsize = \"1MiB\"", "2: events.size: 1MiB is out of range; use 16MiB to 16GiB"),
    (
        "[inventory]\nrefresh = \"9s\"",
        "2: inventory.refresh: 9s is out of range; use 10s to 24h, or 0s for only on demand",
    ),
    ("[inventory]\nrefresh = \"25h\"", "2: inventory.refresh: 25h is out of range"),
    ("[inventory]\ncache = \"24h 1s\"", "2: inventory.cache: 24h 1s is out of range; use 0s to 24h"),
    (
        "[history]\nfile = \"\"",
        "2: history.file: is empty; name a file, or leave the key out for history.db in state.directory",
    ),
    ("[history]\nraw_days = 0", "2: history.raw_days: 0 is out of range; use 1 to 36500"),
    ("[history]\nraw_days = 91", "1: history.minute_days: 90 is out of range; use 91 to 36500"),
    ("[history]\nhour_days = 89", "2: history.hour_days: 89 is out of range; use 90 to 36500"),
    ("[history]\nsize = \"15MiB\"", "2: history.size: 15MiB is out of range; use 16MiB to 1024GiB"),
    ("[history]\ncommit = \"0s\"", "2: history.commit: 0s is out of range; use 1s to 10m"),
    ("[log]\ndirectory = \"\"", "2: log.directory: is empty; name a directory"),
    ("[audit]\nfile = \"\"", "2: audit.file: is empty; name a file"),
    (
        "[server]\nlisten = \"0.0.0.0:5000\"\n[tls]\nenabled = false",
        "4: tls.enabled: 0.0.0.0:5000 can be reached from other machines, and must not be without TLS",
    ),
    ("[server]\nmax_connections = 0", "2: server.max_connections: 0 is out of range; use 1 to 65536"),
    ("[server]\nrequest_timeout = \"0s\"", "2: server.request_timeout: 0s is out of range; use 1s to 10m"),
    (
        "[server]\nrequest_timeout = 30",
        "2: server.request_timeout: invalid type: integer `30`, expected a duration such as \"250ms\" or \"5s\"",
    ),
    ("[server]\nrequest_timeout = \"soon\"", "2: server.request_timeout: \"soon\" is not a duration"),
    ("[server\n", "1: "),
    ("[log]\nlevel = \"inof\"", "2: log.level: "),
    ("[log]\nrotate_size = \"1KiB\"", "2: log.rotate_size: 1KiB is out of range; use 64KiB or more"),
    ("[log]\nrotate_size = \"1MB\"", "2: log.rotate_size: \"1MB\" is not a size"),
    (
        "[log]\ntotal_size = \"20MiB\"",
        "2: log.total_size: 20MiB has no room for four files of log.rotate_size; use 40MiB or more",
    ),
    ("[log]\nmax_files = 0", "2: log.max_files: 0 is out of range; use 1 to 1000"),
    ("[log]\nformat = \"xml\"", "2: log.format: unknown variant `xml`, expected `text` or `json`"),
    ("[[devicebus]]\nname = \"hat\"\nrack = \"r\"", "1: devicebus \"hat\": missing field `device`"),
];

#[test]
fn every_fault_names_its_line_and_key() {
    for (text, expected) in FAULTS {
        let found = problems(text);
        let [line] = found.as_slice() else {
            panic!("{text:?}: {found:?}");
        };
        assert!(line.starts_with(expected), "{text:?}: {line}");
        assert!(!line.contains('\n'), "{line:?}");
    }
}

/// What is appended to a sound bus in lines 1 to 4, and the one line that it gets.
const BUS_FAULTS: &[(&str, &str)] = &[
    ("speed = 9600", "5: devicebus \"hat\".speed: unknown field `speed`"),
    ("baud = 12345", "5: devicebus \"hat\".baud: 12345 is not a line speed; use one of 9600, "),
    (
        "timeout = \"22ms\"",
        "5: devicebus \"hat\".timeout: 22ms is too short; the longest answer alone takes 23ms at 115200 baud; set timeout = \"23ms\" or more",
    ),
    ("timeout = \"61s\"", "5: devicebus \"hat\".timeout: 1m 1s is out of range; use 23ms to 1m"),
    // The default timeout is what does not fit, so the line is that of the bus.
    (
        "baud = 9600",
        "1: devicebus \"hat\".timeout: 250ms is too short; the longest answer alone takes 269ms at 9600 baud; set timeout = \"269ms\" or more",
    ),
    (
        "replies = \"lenient\"",
        "5: devicebus \"hat\".replies: unknown variant `lenient`, expected `strict` or `compatible`",
    ),
    ("protocol = 1.1", "5: devicebus \"hat\".protocol: write it in quotes: \"1.1\""),
    (
        "protocol = \"1.4\"",
        "5: devicebus \"hat\".protocol: unknown variant `1.4`, expected one of `1.1`, `1.2`, `1.3`",
    ),
    ("boards = \"2-1\"", "5: devicebus \"hat\".boards: \"2-1\" ends before it begins"),
    ("boards = \"1-1000000\"", "5: devicebus \"hat\".boards: the boards of a serial bus end at 00ffffff"),
    ("retry_limit = 11", "5: devicebus \"hat\".retry_limit: 11 is out of range; use 0 to 10"),
    ("time_slice = \"256ms\"", "5: devicebus \"hat\".time_slice: 256ms is out of range; use 1ms to 255ms"),
    ("time_slice = \"1500us\"", "5: devicebus \"hat\".time_slice: 1ms 500µs is not whole milliseconds"),
    ("backlog = 0", "5: devicebus \"hat\".backlog: 0 is out of range; use 1 to 4096"),
    ("backlog = -1", "5: devicebus \"hat\".backlog: invalid value: integer `-1`"),
];

#[test]
fn every_fault_of_a_bus_names_its_line_and_key() {
    for (text, expected) in BUS_FAULTS {
        let found = problems(&format!("{BUS}{text}\n"));
        let [line] = found.as_slice() else {
            panic!("{text:?}: {found:?}");
        };
        assert!(line.starts_with(expected), "{text:?}: {line}");
    }
}

#[test]
fn faults_of_the_second_bus_have_its_line() {
    let second = "[[devicebus]]\nname = \"b\"\nrack = \"r\"\n";
    assert_eq!(problems(&format!("{BUS}{second}")), ["5: devicebus \"b\": missing field `device`"]);
    let second = format!("{second}device = \"/dev/b\"\ncolour = 1\n");
    assert!(
        problems(&format!("{BUS}{second}"))[0]
            .starts_with("9: devicebus \"b\".colour: unknown field `colour`")
    );
    let inline = "devicebus = [\n{ name = \"a\", rack = \"r\", device = \"/dev/a\",\n  retry_limit = 99 }]";
    assert!(problems(inline)[0].starts_with("3: devicebus \"a\".retry_limit: 99 is out of range"));
    let dotted = "server.listen = \"127.0.0.1:1\"\nserver.lissten = 1";
    assert!(problems(dotted)[0].starts_with("2: server.lissten: unknown field"));
}

#[test]
fn labels_and_paths_of_a_bus() {
    let text = "[[devicebus]]\nname = \"a b\"\nrack = \"\"\ndevice = \"ttyAMA0\"";
    assert_eq!(
        problems(text),
        [
            "2: devicebus \"a b\".name: \"a b\" will not do; use 1 to 32 letters, digits and any of -_",
            "3: devicebus \"a b\".rack: \"\" will not do; use 1 to 64 letters, digits and any of -_.",
            "4: devicebus \"a b\".device: \"ttyAMA0\" is not an absolute path; use one such as /dev/ttyAMA0",
        ]
    );
}

#[test]
fn two_buses_must_not_share_name_tty_or_boards() {
    let first = format!("{BUS}boards = \"1-ff\"\n");
    let second = BUS.replace("\"hat\"", "\"other\"").replace("AMA0", "AMA1");
    assert_eq!(problems(&format!("{first}{second}boards = \"100-1ff\"\n")), [""; 0]);
    assert_eq!(
        problems(&format!("{first}{second}boards = \"ff-100\"\n")),
        [
            "10: devicebus \"other\".boards: 000000ff-00000100 overlaps 00000001-000000ff of bus \"hat\"; a board is on one bus"
        ]
    );
    assert_eq!(
        problems(&format!("{BUS}{BUS}")),
        [
            "6: devicebus \"hat\".name: \"hat\" is already the name of another bus; names are unique",
            "8: devicebus \"hat\".device: /dev/ttyAMA0 already belongs to bus \"hat\"; each bus has its own tty",
        ]
    );
}

pub(super) const BMC: &str = "[[ipmi]]\nrack = \"r\"\naddress = \"10.1.0.20\"\npassword_file = \"bmc\"\n";

#[test]
fn a_bmc_needs_three_keys_and_has_the_documented_defaults() {
    let config = Config::parse(BMC).unwrap();
    let expected = Ipmi {
        password: None,
        password_file: Some("bmc".into()),
        ..Ipmi::new("r", "10.1.0.20:623".parse().unwrap(), "", "")
    };
    assert_eq!(config.ipmi, [expected]);
    let broker = &config.broker;
    assert_eq!((broker.backlog, broker.outstanding, broker.idle_time), (64, 256, Duration::from_secs(50)));
    for (text, address) in [
        ("10.1.0.20:6230", "10.1.0.20:6230"),
        ("fd00::20", "[fd00::20]:623"),
        ("[fd00::20]:6230", "[fd00::20]:6230"),
    ] {
        let config = Config::parse(&BMC.replace("10.1.0.20", text)).unwrap();
        assert_eq!(config.ipmi[0].address, address.parse().unwrap());
    }
}

/// What is appended to a sound BMC in lines 1 to 4, and the one line that it gets.
const BMC_FAULTS: &[(&str, &str)] = &[
    ("colour = 1", "5: ipmi \"10.1.0.20\".colour: unknown field `colour`"),
    ("device_id = 0", "5: ipmi \"10.1.0.20\".device_id: 0 is out of range; use 1 to 65535"),
    ("device_id = 65536", "5: ipmi \"10.1.0.20\".device_id: invalid value: integer `65536`, expected u16"),
    ("name = 7", "5: ipmi \"10.1.0.20\".name: invalid type: integer `7`, expected a string"),
    ("ip_addresses = [\"10.1.0.300\"]", "5: ipmi \"10.1.0.20\".ip_addresses: invalid IP address syntax"),
    ("username = \"a name of 17 byte\"", "5: ipmi \"10.1.0.20\".username: is 17 bytes long; use at most 16"),
    ("password = \"s3cr3t\"", "4: ipmi \"10.1.0.20\".password_file: password is there, too; use one of them"),
    ("password = 537433", "5: ipmi \"10.1.0.20\".password: write it in quotes"),
    ("password = 53.25", "5: ipmi \"10.1.0.20\".password: write it in quotes"),
    ("suites = []", "5: ipmi \"10.1.0.20\".suites: is empty; name one, or leave the key out for 17 and 3"),
    (
        "suites = [17, 0]",
        "5: ipmi \"10.1.0.20\".suites: suite 0 lets everybody on the network do everything without a password; \
         remove it, or add `allow_insecure = true`",
    ),
    (
        "allow_insecure = true\nsuites = [4]",
        "6: ipmi \"10.1.0.20\".suites: suite 4 uses RC4, which is broken",
    ),
    ("suites = [99]", "5: ipmi \"10.1.0.20\".suites: suite 99 is not one that can be used; use 17 or 3"),
    (
        "auth = \"md5\"",
        "5: ipmi \"10.1.0.20\".auth: means IPMI 1.5, which lets everybody on the network read along and find out the \
         password; remove it, or add `allow_insecure = true`",
    ),
    (
        "auth = \"sha1\"",
        "5: ipmi \"10.1.0.20\".auth: unknown variant `sha1`, expected one of `none`, `password`, `md2`, `md5`",
    ),
    (
        "allow_insecure = true\nauth = \"md5\"\nsuites = [3]",
        "7: ipmi \"10.1.0.20\".suites: belongs to IPMI 2.0, but auth means IPMI 1.5; remove one of them",
    ),
    (
        "privilege_limit = \"root\"",
        "5: ipmi \"10.1.0.20\".privilege_limit: unknown variant `root`, expected one of `user`, `operator`, `administrator`",
    ),
    (
        "[broker]\ntries = 4",
        "6: broker.tries: 4 times from timeout = \"1s\" on, and once for the cipher suites, take 12s, but who asks waits 10s at most",
    ),
    ("[broker]\nlongest_retry = \"1ms\"", "6: broker.longest_retry: 1ms is out of range; use 1s to 1h"),
    (
        "[legacy]\nbmc_config = \"x\"",
        "1: ipmi \"10.1.0.20\": needs a device_id, because legacy.bmc_config gives away ids, too",
    ),
];

#[test]
fn every_fault_of_a_bmc_names_its_line_and_key_and_no_password() {
    for (text, expected) in BMC_FAULTS {
        let found = problems(&format!("{BMC}{text}\n"));
        let [line] = found.as_slice() else {
            panic!("{text:?}: {found:?}");
        };
        assert!(line.starts_with(expected), "{text:?}: {line}");
        assert!(!line.contains("s3cr3t") && !line.contains("5374") && !line.contains("53.25"), "{line}");
    }
}

#[test]
fn however_a_password_is_miswritten_it_is_not_repeated() {
    let table = BMC.replace("password_file = \"bmc\"\n", "");
    for password in [
        "s3cr3t",
        "\"s3cr3t",
        "\"s3cr3t\\q\"",
        "\"s3cr3t\" s3cr3t",
        "\"s3cr3t\"\npassword = \"s3cr3t\"",
        "[\"s3cr3t\"]",
        "{ s3cr3t = \"s3cr3t\" }",
        "99999999999999999999999999999999999999999",
        "1999-09-19",
        "0x3333",
        "true",
    ] {
        let found = problems(&format!("{table}password = {password}\n"));
        assert_eq!(found.len(), 1, "{password}: {found:?}");
        let digits = ["999", "13107", "3333", "19"].into_iter().any(|digits| found[0].contains(digits));
        assert!(!found[0].contains("s3cr3t") && !digits, "{found:?}");
    }
}

#[test]
fn what_is_insecure_may_be_used_on_purpose() {
    for text in ["suites = [17, 3, 16, 15, 8, 2, 1]", "allow_insecure = true\nsuites = [0]"] {
        assert_eq!(problems(&format!("{BMC}{text}\n")), [""; 0], "{text}");
    }
    for auth in ["none", "password", "md2", "md5"] {
        let text = format!("{BMC}allow_insecure = true\nauth = \"{auth}\"\n");
        assert_eq!(problems(&text), [""; 0], "{auth}");
    }
}

#[test]
fn a_bmc_has_one_password_one_table_and_an_id_of_its_own() {
    let without = BMC.replace("password_file = \"bmc\"\n", "");
    assert_eq!(
        problems(&without),
        [
            "1: ipmi \"10.1.0.20\": has no password; add `password_file = \"…\"`, or `password = \"\"` for a user without one"
        ]
    );
    assert_eq!(
        problems(&format!("{BMC}device_id = 7\n{BMC}device_id = 7\n")),
        [
            "8: ipmi \"10.1.0.20\".address: 10.1.0.20 is already there; each BMC has one table",
            "10: ipmi \"10.1.0.20\".device_id: 7 already belongs to 10.1.0.20; ids are unique",
        ]
    );
}

#[test]
fn there_are_no_more_bmcs_than_ids() {
    let table = |n: u32| Ipmi::new("r", (std::net::Ipv4Addr::from(0x0a00_0000 + n), 623).into(), "", "");
    let config = Config { ipmi: (0..65_536).map(table).collect(), ..Config::default() };
    let findings = check::check(&config);
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].message, "has 65536 tables; use at most 65535");
}

#[test]
fn secrets_are_relative_to_the_credentials_of_the_service_or_to_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("opendcre.toml");
    std::fs::write(&path, format!("{BMC}kg_file = \"/kg\"\n")).unwrap();
    let files = |credentials: Option<&Path>| {
        let config = Config::load_with(&path, credentials).unwrap();
        (config.ipmi[0].password_file.clone().unwrap(), config.ipmi[0].kg_file.clone().unwrap())
    };
    assert_eq!(files(None), (folder.path().join("bmc"), "/kg".into()));
    assert_eq!(files(Some(Path::new("/run/credentials"))), ("/run/credentials/bmc".into(), "/kg".into()));
}

#[test]
fn the_outside_may_be_let_in_on_purpose() {
    assert_eq!(problems("[server]\nlisten = \"0.0.0.0:80\"\ninsecure = true"), [""; 0]);
    assert_eq!(problems("[server]\nlisten = \"[::1]:5000\""), [""; 0]);
    let bare = "[server]\nlisten = \"0.0.0.0:80\"\n[tls]\nenabled = false\n[auth]\nrequired = false";
    let [tls, auth] = &problems(bare)[..] else { panic!("{:?}", problems(bare)) };
    assert!(tls.starts_with("4: tls.enabled: 0.0.0.0:80 can be reached from other machines"), "{tls}");
    assert!(auth.starts_with("6: auth.required: 0.0.0.0:80 can be reached from other machines"), "{auth}");
}

#[test]
fn whoever_serves_others_speaks_tls_and_asks_who_they_are() {
    let protection = |text: &str| {
        let config = Config::parse(text).unwrap();
        (config.speaks_tls(), config.requires_login())
    };
    assert_eq!(protection(""), (false, false));
    assert_eq!(protection("[server]\nlisten = \"[::ffff:127.0.0.1]:5000\""), (false, false));
    assert_eq!(protection("[server]\nlisten = \"192.0.2.1:5000\""), (true, true));
    assert_eq!(protection("[server]\nlisten = \"192.0.2.1:5000\"\ninsecure = true"), (false, false));
    assert_eq!(protection("[tls]\nenabled = true\n[auth]\nrequired = true"), (true, true));
    assert_eq!(protection("[auth.certificate]"), (false, true));
}

/// A board with everything that can be said about it, and a group.
const DESCRIBED: &str = r#"
    [[board]]
    board = "11"
    bus = "hat"
    rack = "rack_9"
    name = "web-01"
    hostnames = ["web-01.example"]
    ip_addresses = ["10.2.0.20", "fd00::20"]
    labels = { role = "web", "example.org/unit" = "17" }
    groups = ["front", "web"]

    [groups]
    db = "db-[01-04],-db-02"
    "db.old" = "rack_3@label=old"
"#;

#[test]
fn what_is_shown_can_be_read_again() {
    let config = Config::parse(&format!(
        "{BUS}boards = \"1-ff\"\ntime_slice = \"80ms\"\n[log]\nformat = \"json\"\n{DESCRIBED}"
    ))
    .unwrap();
    let shown = toml::to_string(&config).unwrap();
    assert_eq!(Config::parse(&shown).unwrap(), config, "{shown}");
}

#[test]
fn a_file_that_is_not_there_or_not_sound_is_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("opendcre.toml");
    let missing = Config::load(&path).unwrap_err().to_string();
    assert!(missing.starts_with("cannot read the configuration /"), "{missing}");
    assert!(missing.ends_with("name another file with --config"), "{missing}");

    std::fs::write(&path, "[log]\nmax_files = 0\nlevel = \"loud\"\n").unwrap();
    let error = Config::load(&path).unwrap_err();
    assert_eq!(error.lines().len(), 2);
    let line = error.to_string();
    assert!(line.contains("opendcre.toml:2: log.max_files: "), "{line}");
    assert!(line.ends_with("(and 1 more; `opendcre config check` lists them)"), "{line}");

    std::fs::write(&path, [0xff, 0xfe]).unwrap();
    assert!(matches!(Config::load(&path), Err(ConfigError::Unreadable { .. })));

    let comment = "#".repeat(usize::try_from(MAX_FILE_BYTES).unwrap() + 1);
    std::fs::write(&path, comment).unwrap();
    let error = Config::load(&path).unwrap_err();
    assert!(matches!(error, ConfigError::Unreadable { .. }));
    assert!(error.to_string().contains("it is larger than 8388608 bytes"), "{error}");
}

#[test]
fn legacy_files_are_relative_to_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("opendcre.toml");
    std::fs::write(&path, "[legacy]\nbmc_config = \"bmc_config.json\"\n").unwrap();
    let config = Config::load(&path).unwrap();
    assert_eq!(config.legacy.bmc_config, Some(folder.path().join("bmc_config.json")));
}

#[test]
fn the_schema_is_published() {
    insta::assert_json_snapshot!(schemars::schema_for!(Config));
}

/// The one complete example of the documentation, with every key.
#[test]
fn the_documented_example_is_sound_and_complete() {
    let page = include_str!("../../../../docs/configuration.md");
    let example = page.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next());
    let example = example.unwrap();
    let config = Config::parse(example).unwrap();

    // A file that few people have must not keep the example from being checked as it is.
    assert_eq!(config.legacy.bmc_config, None);
    let written = example.replace("# [legacy]", "[legacy]").replace("# bmc_config", "bmc_config");
    let written = written.parse::<toml::Table>().unwrap();
    let mut shown = config.clone();
    shown.audit.file = Some(config.audit_file());
    let shown = toml::Table::try_from(&shown).unwrap();
    for (table, keys) in &shown {
        for key in key_names(keys) {
            assert!(key_names(&written[table]).contains(&key), "{table}.{key} is not in the example");
        }
    }
}

fn key_names(value: &toml::Value) -> Vec<String> {
    let table = value.as_array().and_then(|elements| elements.first()).unwrap_or(value);
    table.as_table().unwrap().keys().cloned().collect()
}

#[test]
fn every_key_is_documented() {
    let page = include_str!("../../../../docs/configuration.md");
    let schema = serde_json::to_value(schemars::schema_for!(Config)).unwrap();
    let mut keys = Vec::new();
    for definition in schema["$defs"].as_object().unwrap().values() {
        keys.extend(definition["properties"].as_object().into_iter().flatten().map(|(key, _)| key));
    }
    assert!(keys.len() > 20, "{keys:?}");
    for key in keys {
        assert!(page.contains(&format!("| `{key}` |")), "{key} is missing in docs/configuration.md");
    }
}
