//! What the types of the configuration cannot say: ranges, and values that do not go together.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use opendcre_devicebus::{MAX_PACKET, address, wire_time};
use opendcre_gateway::Annotation;
use opendcre_model::BoardId;

use super::text::duration::print;
use super::{
    Audit, Board, ByteSize, Config, DeviceBus, Ipmi, Log, Server, annotation, board, group, ipmi, mqtt, otlp,
    publish, threshold,
};
use crate::log::Filter;

/// The speeds that every serial driver of Linux offers.
const BAUDS: [u32; 8] = [9600, 19_200, 38_400, 57_600, 115_200, 230_400, 460_800, 921_600];
/// The higher bits of a board id are commands on the bus.
pub(super) const LAST_BOARD: BoardId = BoardId(address::MAX_BOARD);
/// The longest name of a rack, and what it may have besides letters and digits.
pub(super) const MAX_RACK: usize = 64;
pub(super) const RACK_PUNCTUATION: &str = "-_.";
const MIN_ROTATE_SIZE: ByteSize = ByteSize(64 << 10);

/// One thing that is wrong. `path` is made of keys and, for elements of arrays, their index from 0.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) path: String,
    pub(super) message: String,
}

/// Everything that is wrong with `config`.
pub(super) fn check(config: &Config) -> Vec<Finding> {
    let mut findings = Findings::default();
    check_server(&config.server, &mut findings);
    check_openness(config, &mut findings);
    config.tls.check(&mut findings);
    config.auth.check(&mut findings);
    config.state.check(&mut findings);
    check_log(&config.log, &mut findings);
    check_audit(&config.audit, &mut findings);
    for (index, bus) in config.devicebus.iter().enumerate() {
        check_bus(bus, &format!("devicebus.{index}"), &mut findings);
    }
    check_buses_together(&config.devicebus, &mut findings);
    ipmi::check(&config.ipmi, config.legacy.bmc_config.is_some(), &mut findings);
    config.broker.check(&mut findings);
    board::check(&config.board, &config.devicebus, &mut findings);
    check_annotations(&config.ipmi, &config.board, &mut findings);
    group::check(&config.groups, &mut findings);
    config.inventory.check(&mut findings);
    config.events.check(&mut findings);
    threshold::check(&config.threshold, &mut findings);
    publish::check(&config.webhook, &config.syslog, &mut findings);
    mqtt::check(&config.mqtt, &mut findings);
    otlp::check(&config.otlp, &mut findings);
    config.poll.check(&mut findings);
    config.history.check(&mut findings);
    findings.0
}

/// What has been found so far.
#[derive(Default)]
pub(super) struct Findings(Vec<Finding>);

impl Findings {
    pub(super) fn add(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.0.push(Finding { path: path.into(), message: message.into() });
    }

    pub(super) fn range<T: PartialOrd + std::fmt::Display>(
        &mut self,
        path: &str,
        value: &T,
        range: &RangeInclusive<T>,
    ) {
        if !range.contains(value) {
            let (least, most) = (range.start(), range.end());
            self.add(path, format!("{value} is out of range; use {least} to {most}"));
        }
    }

    pub(super) fn duration(&mut self, path: &str, value: Duration, range: &RangeInclusive<Duration>) {
        if !range.contains(&value) {
            let (least, most) = (print(*range.start()), print(*range.end()));
            self.add(path, format!("{} is out of range; use {least} to {most}", print(value)));
        }
    }

    /// Text of at most so many bytes.
    pub(super) fn length(&mut self, path: &str, text: &str, longest: usize) {
        if text.len() > longest {
            self.add(path, format!("is {} bytes long; use at most {longest}", text.len()));
        }
    }

    /// A label: what is safe in a log line, a path and a metric.
    pub(super) fn label(&mut self, path: &str, value: &str, longest: usize, punctuation: &str) {
        if !is_label(value, longest, punctuation) {
            let message =
                format!("{value:?} will not do; use 1 to {longest} letters, digits and any of {punctuation}");
            self.add(path, message);
        }
    }

    /// The name of a rack.
    pub(super) fn rack(&mut self, path: &str, name: &str) {
        self.label(path, name, MAX_RACK, RACK_PUNCTUATION);
    }
}

/// Whether `text` has 1 to `longest` letters, digits and any of `punctuation`.
pub(super) fn is_label(text: &str, longest: usize, punctuation: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || punctuation.contains(c);
    (1..=longest).contains(&text.len()) && text.chars().all(allowed)
}

/// What the tables of BMCs and boards call them.
fn check_annotations(bmcs: &[Ipmi], boards: &[Board], findings: &mut Findings) {
    let bmcs = bmcs.iter().enumerate().map(|(index, bmc)| (format!("ipmi.{index}"), bmc.aliases()));
    let boards =
        boards.iter().enumerate().map(|(index, board)| (format!("board.{index}"), board.annotation()));
    let annotations: Vec<(String, Annotation)> = bmcs.chain(boards).collect();
    for (path, annotation) in &annotations {
        annotation::check(path, annotation, findings);
    }
    annotation::check_names_together(&annotations, findings);
}

fn check_server(server: &Server, findings: &mut Findings) {
    let limit = Duration::from_secs(1)..=Duration::from_secs(600);
    findings.range("server.max_connections", &server.max_connections, &(1..=65_536));
    findings.range("server.max_header", &server.max_header, &(ByteSize(8 << 10)..=ByteSize::mebibytes(1)));
    findings.range("server.max_body", &server.max_body, &(ByteSize(0)..=ByteSize::mebibytes(16)));
    findings.duration("server.header_timeout", server.header_timeout, &limit);
    findings.duration("server.request_timeout", server.request_timeout, &limit);
    findings.duration("server.send_timeout", server.send_timeout, &limit);
    findings.duration("server.shutdown_timeout", server.shutdown_timeout, &(Duration::ZERO..=*limit.end()));
    findings.range("server.max_connections_per_address", &server.max_connections_per_address, &(1..=65_536));
    if let Some(rate) = &server.rate {
        findings.range("server.rate", rate, &(0..=100_000));
    }
}

/// Whether [`check_openness`] finds anything.
pub(super) fn is_open_by_mistake(config: &Config) -> bool {
    let mut findings = Findings::default();
    check_openness(config, &mut findings);
    !findings.0.is_empty()
}

/// Whoever serves other machines without protection has to say so.
fn check_openness(config: &Config, findings: &mut Findings) {
    if config.server.insecure || config.is_local() {
        return;
    }
    let listen = config.server.listen;
    let without = |what: &str| {
        format!(
            "{listen} can be reached from other machines, and must not be without {what}; leave the key out, or add \
             `insecure = true` below [server] if the network itself keeps strangers out"
        )
    };
    if config.tls.enabled == Some(false) {
        findings.add("tls.enabled", without("TLS"));
    }
    if config.auth.required == Some(false) {
        findings.add("auth.required", without("login"));
    }
    for path in config.auth.changes_by_strangers() {
        findings.add(path, without("login for whatever changes something"));
    }
}

fn check_log(log: &Log, findings: &mut Findings) {
    if let Err(error) = log.level.parse::<Filter>() {
        findings.add("log.level", error.to_string());
    }
    if log.directory.as_os_str().is_empty() {
        findings
            .add("log.directory", "is empty; name a directory, or leave the key out for /var/log/opendcre");
    }
    findings.range("log.max_files", &log.max_files, &(1..=1000));
    if log.rotate_size < MIN_ROTATE_SIZE {
        findings.add(
            "log.rotate_size",
            format!("{} is out of range; use {MIN_ROTATE_SIZE} or more", log.rotate_size),
        );
    }
    // The current and one rotated file of the two logs.
    let least = ByteSize(log.rotate_size.0.saturating_mul(4));
    if log.total_size < least {
        findings.add(
            "log.total_size",
            format!("{} has no room for four files of log.rotate_size; use {least} or more", log.total_size),
        );
    }
}

fn check_audit(audit: &Audit, findings: &mut Findings) {
    if audit.file.as_ref().is_some_and(|file| file.as_os_str().is_empty()) {
        let message = "is empty; name a file, or leave the key out for audit.db beside inventory.file";
        findings.add("audit.file", message);
    }
}

fn check_bus(bus: &DeviceBus, path: &str, findings: &mut Findings) {
    let key = |name: &str| format!("{path}.{name}");
    findings.label(&key("name"), &bus.name, 32, "-_");
    findings.rack(&key("rack"), &bus.rack);
    if !bus.device.is_absolute() {
        let message = format!("{:?} is not an absolute path; use one such as /dev/ttyAMA0", bus.device);
        findings.add(key("device"), message);
    }
    findings.range(&key("retry_limit"), &bus.retry_limit, &(0..=10));
    findings.range(&key("backlog"), &bus.backlog, &(1..=4096));
    if bus.boards.is_some_and(|boards| boards.last > LAST_BOARD) {
        let message = format!("the boards of a serial bus end at {LAST_BOARD}; write a range within");
        findings.add(key("boards"), message);
    }
    check_time_slice(bus.time_slice, &key("time_slice"), findings);
    if BAUDS.contains(&bus.baud) {
        check_timeout(bus, &key("timeout"), findings);
    } else {
        let known: Vec<String> = BAUDS.iter().map(u32::to_string).collect();
        let message = format!("{} is not a line speed; use one of {}", bus.baud, known.join(", "));
        findings.add(key("baud"), message);
    }
}

fn check_timeout(bus: &DeviceBus, path: &str, findings: &mut Findings) {
    let longest = longest_packet_time(bus.baud);
    if bus.timeout < longest {
        let (timeout, longest) = (print(bus.timeout), print(longest));
        let message = format!(
            "{timeout} is too short; the longest answer alone takes {longest} at {} baud; \
             set timeout = \"{longest}\" or more",
            bus.baud
        );
        findings.add(path, message);
    } else {
        findings.duration(path, bus.timeout, &(longest..=Duration::from_secs(60)));
    }
}

/// The protocol has one byte for the milliseconds of a time slice.
fn check_time_slice(slice: Duration, path: &str, findings: &mut Findings) {
    let range = Duration::from_millis(1)..=Duration::from_millis(255);
    findings.duration(path, slice, &range);
    if !slice.subsec_nanos().is_multiple_of(1_000_000) {
        findings.add(path, format!("{} is not whole milliseconds", print(slice)));
    }
}

/// How long the longest packet is on the wire, rounded up to milliseconds.
fn longest_packet_time(baud: u32) -> Duration {
    let millis = wire_time(MAX_PACKET, baud).as_nanos().div_ceil(1_000_000);
    Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))
}

fn check_buses_together(buses: &[DeviceBus], findings: &mut Findings) {
    let mut names = HashMap::new();
    let mut devices = HashMap::new();
    for (index, bus) in buses.iter().enumerate() {
        if names.insert(&bus.name, index).is_some() {
            let message = format!("{:?} is already the name of another bus; names are unique", bus.name);
            findings.add(format!("devicebus.{index}.name"), message);
        }
        if let Some(earlier) = devices.insert(&bus.device, &bus.name) {
            let message = format!(
                "{} already belongs to bus {earlier:?}; each bus has its own tty",
                bus.device.display()
            );
            findings.add(format!("devicebus.{index}.device"), message);
        }
        let earlier = buses.iter().take(index);
        for other in earlier {
            check_ranges(bus, other, index, findings);
        }
    }
}

fn check_ranges(bus: &DeviceBus, other: &DeviceBus, index: usize, findings: &mut Findings) {
    let (Some(range), Some(taken)) = (bus.boards, other.boards) else {
        return;
    };
    if range.overlaps(&taken) {
        let message = format!("{range} overlaps {taken} of bus {:?}; a board is on one bus", other.name);
        findings.add(format!("devicebus.{index}.boards"), message);
    }
}
