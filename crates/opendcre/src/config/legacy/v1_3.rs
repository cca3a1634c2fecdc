//! The file of release 1.3: racks with BMCs, and boards that are counted over all of them from the first server on.

use std::collections::HashSet;
use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;

use opendcre_gateway::Annotation;
use opendcre_model::{BoardId, SERVERS};
use serde_json::Value;

use super::entry::{self, ADDRESS, Entry, NO_ADDRESS};
use super::{LegacyFile, PORT};
use crate::config::annotation::MAX_HOSTNAME;
use crate::config::bmc::Bmc;
use crate::config::check::{MAX_RACK, RACK_PUNCTUATION, is_label};

const RANGE: &str = "board_id_range";
/// More than names of hosts may have, but the original took any text.
const HOSTNAME_PUNCTUATION: &str = "-_.:";

pub(super) fn parse(document: &Value) -> Result<LegacyFile, String> {
    let mut file = LegacyFile::default();
    let mut ids = ids(document, &mut file.warnings)?;
    let racks = document.get("racks").and_then(Value::as_array).ok_or("racks: must be a list")?;
    for rack in entry::entries("racks".to_owned(), racks) {
        let rack = rack?;
        let name = rack_id(&rack)?;
        for entry in new_entries(&rack)? {
            let id = ids.next().ok_or("has more BMCs than boards in its board_id_range; make it longer")?;
            add(&entry, BoardId(id), name, &mut file)?;
        }
    }
    Ok(file)
}

/// The ids that the file may give away: those of its range, or those of every server.
fn ids(document: &Value, warnings: &mut Vec<String>) -> Result<RangeInclusive<u32>, String> {
    let servers = SERVERS.start().0..=SERVERS.end().0;
    let Some(value) = document.get(RANGE) else { return Ok(servers) };
    let range = range(value);
    let range = range.ok_or_else(|| {
        format!("{RANGE}: must be a list of two numbers without quotes, the lower one first")
    })?;
    if servers.contains(range.start()) {
        return Ok(*range.start()..=*range.end().min(servers.end()));
    }
    let (first, last) = (SERVERS.start(), SERVERS.end());
    warnings.push(format!("{RANGE}: begins outside {first}-{last} and is ignored"));
    Ok(servers)
}

fn range(value: &Value) -> Option<RangeInclusive<u32>> {
    let [first, last] = value.as_array()?.as_slice() else { return None };
    let bound = |bound: &Value| bound.as_u64().and_then(|bound| u32::try_from(bound).ok());
    let range = bound(first)?..=bound(last)?;
    (!range.is_empty()).then_some(range)
}

fn rack_id<'v>(rack: &Entry<'v>) -> Result<&'v str, String> {
    let key = "rack_id";
    let id = rack.text(key)?;
    if is_label(id, MAX_RACK, RACK_PUNCTUATION) {
        return Ok(id);
    }
    let message =
        format!("{id:?} will not do; use 1 to {MAX_RACK} letters, digits and any of {RACK_PUNCTUATION}");
    Err(rack.wrong(key, &message))
}

/// The BMCs of a rack. Of two entries that say the same the original used the first, without a word.
fn new_entries<'v>(rack: &Entry<'v>) -> Result<Vec<Entry<'v>>, String> {
    let mut seen = HashSet::new();
    let entries = rack.entries("bmcs")?;
    entries.filter(|entry| entry.as_ref().map_or(true, |entry| seen.insert(entry.fields()))).collect()
}

fn add(entry: &Entry<'_>, board: BoardId, rack: &str, file: &mut LegacyFile) -> Result<(), String> {
    let (access, port) = (entry.access_2_0()?, port(entry)?);
    let Ok(ip) = entry.text(ADDRESS)?.parse::<IpAddr>() else {
        // The original could look a name up, so it is no reason to serve none of the others.
        file.unserved.push(entry.wrong(ADDRESS, &format!("{NO_ADDRESS}; this one is not served")));
        return Ok(());
    };
    let annotation = Annotation {
        board,
        rack: Some(rack.to_owned()),
        hostnames: hostnames(entry, ip, &mut file.warnings)?,
        ip_addresses: ip_addresses(entry, ip, &mut file.warnings)?,
        ..Annotation::default()
    };
    let address = SocketAddr::from((ip, port));
    file.add(entry, Bmc { annotation, address, access, asset_text: String::new() });
    Ok(())
}

fn port(entry: &Entry<'_>) -> Result<u16, String> {
    let key = "bmc_port";
    let Some(value) = entry.find(key) else { return Ok(PORT) };
    let port = value.as_u64().and_then(|port| u16::try_from(port).ok()).filter(|port| *port != 0);
    port.ok_or_else(|| entry.wrong(key, "must be a number from 1 to 65535, without quotes"))
}

/// The names of the host, or its address if there are none.
fn hostnames(entry: &Entry<'_>, ip: IpAddr, warnings: &mut Vec<String>) -> Result<Vec<String>, String> {
    let name = |text: &str| is_label(text, MAX_HOSTNAME, HOSTNAME_PUNCTUATION).then(|| text.to_owned());
    aliases(entry, "hostnames", ip.to_string(), name, warnings)
}

fn ip_addresses(entry: &Entry<'_>, ip: IpAddr, warnings: &mut Vec<String>) -> Result<Vec<IpAddr>, String> {
    aliases(entry, "ip_addresses", ip, |text| text.parse().ok(), warnings)
}

/// The list under `key`, without what `read` cannot use.
fn aliases<T: Display>(
    entry: &Entry<'_>,
    key: &str,
    default: T,
    read: impl Fn(&str) -> Option<T>,
    warnings: &mut Vec<String>,
) -> Result<Vec<T>, String> {
    if entry.find(key).is_none() {
        return Ok(vec![default]);
    }
    let mut aliases = Vec::new();
    for (index, value) in entry.list(key)?.iter().enumerate() {
        match value.as_str().and_then(&read) {
            Some(alias) => aliases.push(alias),
            None => warnings.push(entry.wrong(&format!("{key}[{index}]"), "cannot be used and is left out")),
        }
    }
    Ok(aliases)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::bmc::protocol_2_0;
    use crate::config::legacy::{REPEATED, parse};

    fn entry(last: u8) -> Value {
        json!({"bmc_ip": format!("10.1.0.{last}"), "username": "operator", "password": "s3cr3t"})
    }

    fn racks(first: &[Value], second: &[Value]) -> Value {
        json!({"racks": [{"rack_id": "rack_7", "bmcs": first}, {"rack_id": "rack_8", "bmcs": second}]})
    }

    fn boards_of(file: &LegacyFile) -> Vec<u32> {
        file.bmcs.iter().map(|bmc| bmc.annotation.board.0).collect()
    }

    #[test]
    fn an_entry_says_as_much_or_as_little_as_it_likes() {
        let mut full = entry(20);
        full["bmc_port"] = json!(6230);
        full["hostnames"] = json!(["node-a", "node_a.example"]);
        full["ip_addresses"] = json!(["10.1.0.20", "fd00::20"]);
        let file = parse(&racks(&[full], &[entry(21)]).to_string()).unwrap();
        let [full, short] = file.bmcs.as_slice() else { panic!("{file:?}") };
        assert_eq!(full.address, "10.1.0.20:6230".parse().unwrap());
        let expected = Annotation {
            board: BoardId(0x4000_0000),
            rack: Some("rack_7".into()),
            hostnames: vec!["node-a".into(), "node_a.example".into()],
            ip_addresses: vec!["10.1.0.20".parse().unwrap(), "fd00::20".parse().unwrap()],
            ..Annotation::default()
        };
        assert_eq!(full.annotation, expected);
        assert_eq!(full.access.protocol, protocol_2_0(&[17, 3]));
        assert_eq!(short.address, "10.1.0.21:623".parse().unwrap());
        let expected = Annotation {
            board: BoardId(0x4000_0001),
            rack: Some("rack_8".into()),
            hostnames: vec!["10.1.0.21".into()],
            ip_addresses: vec!["10.1.0.21".parse().unwrap()],
            ..Annotation::default()
        };
        assert_eq!(short.annotation, expected);
        assert_eq!((file.unserved.as_slice(), file.warnings.as_slice()), (&[][..], &[][..]));
        assert!(!format!("{file:?}").contains("s3cr3t"));
    }

    #[test]
    fn what_says_the_same_is_skipped_and_what_cannot_be_served_keeps_its_number() {
        let mut other_user = entry(20);
        other_user["username"] = json!("admin");
        let mut named = entry(0);
        named["bmc_ip"] = json!("bmc.example");
        let first = [entry(20), entry(20), other_user, named, entry(21)];
        let file = parse(&racks(&first, &[entry(20), entry(22)]).to_string()).unwrap();
        assert_eq!(boards_of(&file), [0x4000_0000, 0x4000_0003, 0x4000_0005]);
        assert_eq!(
            file.unserved,
            [
                format!("racks[0].bmcs[2].bmc_ip: {REPEATED}"),
                "racks[0].bmcs[3].bmc_ip: must be an IP address such as \"10.1.0.20\"; names are not possible; this one \
                 is not served"
                    .to_owned(),
                format!("racks[1].bmcs[0].bmc_ip: {REPEATED}"),
            ]
        );
    }

    #[test]
    fn the_first_board_may_be_another_one_of_a_server() {
        let with = |range: Value| {
            let mut document = racks(&[entry(20)], &[entry(21)]);
            document["board_id_range"] = range;
            parse(&document.to_string())
        };
        let file = with(json!([0x4000_0100, 0x4000_0101])).unwrap();
        assert_eq!((boards_of(&file), file.warnings.len()), (vec![0x4000_0100, 0x4000_0101], 0));
        let file = with(json!([0x7000_0000, 0x7fff_ffff_u32])).unwrap();
        assert_eq!(boards_of(&file), [0x4000_0000, 0x4000_0001]);
        assert_eq!(file.warnings, ["board_id_range: begins outside 40000000-4fffffff and is ignored"]);
        let error = with(json!([0x4fff_ffff, u32::MAX])).unwrap_err();
        assert_eq!(error, "has more BMCs than boards in its board_id_range; make it longer");
        for bad in [json!([2, 1]), json!([1]), json!(["1", "2"]), json!(7), json!([1, u64::MAX]), json!(null)]
        {
            let error = with(bad).unwrap_err();
            assert!(error.starts_with("board_id_range: must be a list of two numbers"), "{error}");
        }
    }

    #[test]
    fn every_fault_names_the_place_and_the_key() {
        assert_eq!(parse(r#"{"racks": 7}"#).unwrap_err(), "racks: must be a list");
        assert_eq!(parse(r#"{"racks": [7]}"#).unwrap_err(), "racks[0]: must be an object");
        assert_eq!(parse(r#"{"racks": [{}]}"#).unwrap_err(), "racks[0].rack_id: is missing");
        assert_eq!(parse(r#"{"racks": [{"rack_id": "r"}]}"#).unwrap_err(), "racks[0].bmcs: is missing");
        let rack = parse(r#"{"racks": [{"rack_id": "a b", "bmcs": []}]}"#).unwrap_err();
        assert!(rack.starts_with("racks[0].rack_id: \"a b\" will not do; use 1 to 64 letters"), "{rack}");
        for (key, value, expected) in [
            ("bmc_ip", json!(7), "must be text"),
            ("bmc_port", json!("623"), "must be a number from 1 to 65535, without quotes"),
            ("bmc_port", json!(0), "must be a number from 1 to 65535, without quotes"),
            ("username", json!(null), "must be text"),
            ("password", json!("s3cr3t of 21 bytes..."), "is 21 bytes long; use at most 20"),
            ("hostnames", json!("node-a"), "must be a list"),
        ] {
            let mut bad = entry(21);
            bad[key] = value;
            let error = parse(&racks(&[entry(20)], &[bad]).to_string()).unwrap_err();
            assert_eq!(error, format!("racks[1].bmcs[0].{key}: {expected}"));
        }
        for key in ["bmc_ip", "username", "password"] {
            let mut bad = entry(20);
            bad.as_object_mut().unwrap().remove(key);
            let error = parse(&racks(&[bad], &[]).to_string()).unwrap_err();
            assert_eq!(error, format!("racks[0].bmcs[0].{key}: is missing"));
        }
    }

    #[test]
    fn an_alias_that_cannot_be_used_is_left_out() {
        let mut odd = entry(20);
        odd["hostnames"] = json!(["node a", "node-a", 7]);
        odd["ip_addresses"] = json!(["10.1.0.300"]);
        let file = parse(&racks(&[odd], &[]).to_string()).unwrap();
        let annotation = &file.bmcs[0].annotation;
        assert_eq!(
            (annotation.hostnames.as_slice(), annotation.ip_addresses.len()),
            (&["node-a".into()][..], 0)
        );
        let warnings = [
            "racks[0].bmcs[0].hostnames[0]: cannot be used and is left out",
            "racks[0].bmcs[0].hostnames[2]: cannot be used and is left out",
            "racks[0].bmcs[0].ip_addresses[0]: cannot be used and is left out",
        ];
        assert_eq!(file.warnings, warnings);
    }
}
