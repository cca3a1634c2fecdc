//! What the second and third byte of an event say (IPMI 2.0 §29.7, table 29-6, and §42.2, table 42-3).

use super::event::{EventByte, SystemEvent};
use crate::event::{SENSOR_SPECIFIC, SEVERITY, state_text};
use crate::sensor::Interpretation;

/// All that is known, in the order of the bytes. Readings are numbers if it is known how the sensor's are to be
/// understood.
pub(super) fn texts(event: &SystemEvent, sensor: Option<&Interpretation>) -> Vec<String> {
    let number = |raw| {
        let value = sensor.and_then(|sensor| sensor.value(raw));
        value.map_or_else(|| format!("{raw:02X}h"), |value| value.to_string())
    };
    let mut texts = Vec::new();
    for byte in [event.second(), event.third()] {
        match byte {
            EventByte::TriggerReading(raw) => texts.push(format!("reading {}", number(raw))),
            EventByte::TriggerThreshold(raw) => texts.push(format!("threshold {}", number(raw))),
            EventByte::Previous { severity, state } => texts.extend(previous(event, severity, state)),
            EventByte::Oem(byte) => texts.push(format!("OEM code {byte:02X}h")),
            EventByte::Unspecified | EventByte::SensorSpecific(_) | EventByte::Reserved(_) => {}
        }
    }
    if event.event_type == SENSOR_SPECIFIC {
        texts.extend(sensor_specific(event));
    }
    texts
}

fn previous(event: &SystemEvent, severity: Option<u8>, state: Option<u8>) -> impl Iterator<Item = String> {
    let severity = severity.and_then(|offset| state_text(SEVERITY, event.sensor_type, offset));
    let state = state.and_then(|offset| state_text(event.event_type, event.sensor_type, offset));
    let severity = severity.map(|text| format!("severity: {text}"));
    severity.into_iter().chain(state.map(|text| format!("before: {text}")))
}

fn sensor_specific(event: &SystemEvent) -> Vec<String> {
    let specific = |byte| if let EventByte::SensorSpecific(byte) = byte { Some(byte) } else { None };
    let (second, third) = (specific(event.second()), specific(event.third()));
    let texts = match (event.sensor_type, event.offset()) {
        (0x05, 0x04) => [second.map(|number| format!("network controller {number}")), None],
        (0x08, 0x06) => [None, third.and_then(power_supply_mismatch).map(Into::into)],
        (0x0c, _) => [None, third.map(memory_module)],
        (0x0f, 0x00) => [second.and_then(firmware_error).map(Into::into), None],
        (0x0f, 0x01 | 0x02) => [second.and_then(firmware_progress).map(Into::into), None],
        (0x10, 0x00) => [second.map(memory_module), None],
        (0x10, 0x01) => [second.map(|code| format!("event type {code:02X}h")), third.map(disabled_events)],
        (0x10, 0x05) => {
            [None, third.filter(|percent| *percent <= 100).map(|percent| format!("{percent} % full"))]
        }
        (0x10, 0x06) => [second.map(|number| disabled_processor(number, third)), None],
        (0x12, 0x03) => [second.and_then(auxiliary_log), None],
        (0x12, 0x04) => [second.and_then(filter_actions), None],
        (0x12, 0x05) => [second.and_then(clock_change), None],
        (0x19, 0x00) => [
            second.and_then(power_state).map(|state| format!("requested: {state}")),
            third.and_then(power_state).map(|state| format!("before: {state}")),
        ],
        (0x1d, 0x07) => [
            second.and_then(restart_cause).map(Into::into),
            third.map(|channel| format!("channel {}", channel & 0x0f)),
        ],
        (0x21, _) => {
            [second.and_then(slot_type).map(Into::into), third.map(|number| format!("number {number}"))]
        }
        (0x23, _) => {
            [second.and_then(timer_use).map(Into::into), second.and_then(timer_interrupt).map(Into::into)]
        }
        (0x28, 0x00 | 0x04) => [second.map(|number| format!("sensor {number:02X}h")), None],
        (0x28, 0x05) => [second.and_then(|location| third.map(|device| failed_fru(location, device))), None],
        (0x2a, offset) => [second.and_then(session_user), third.map(|byte| session_end(offset, byte))],
        (0x2b, _) => [second.and_then(version_change).map(Into::into), None],
        (0x2c, _) => [
            second.and_then(fru_state_cause).map(Into::into),
            second.and_then(|byte| fru_state_before(event, byte)),
        ],
        _ => [None, None],
    };
    texts.into_iter().flatten().collect()
}

const fn power_supply_mismatch(byte: u8) -> Option<&'static str> {
    Some(match byte & 0x0f {
        0x0 => "vendor mismatch",
        0x1 => "revision mismatch",
        0x2 => "processor missing",
        0x3 => "power rating mismatch",
        0x4 => "voltage rating mismatch",
        _ => return None,
    })
}

fn memory_module(number: u8) -> String {
    format!("memory module {number}")
}

const fn firmware_error(code: u8) -> Option<&'static str> {
    Some(match code {
        0x01 => "no memory installed",
        0x02 => "no usable memory",
        0x03 => "unrecoverable hard disk or ATAPI failure",
        0x04 => "unrecoverable system board failure",
        0x05 => "unrecoverable diskette failure",
        0x06 => "unrecoverable hard disk controller failure",
        0x07 => "unrecoverable keyboard failure",
        0x08 => "removable boot media not found",
        0x09 => "unrecoverable video controller failure",
        0x0a => "no video device",
        0x0b => "firmware (BIOS) ROM corruption",
        0x0c => "CPU voltage mismatch",
        0x0d => "CPU speed mismatch",
        _ => return None,
    })
}

const fn firmware_progress(code: u8) -> Option<&'static str> {
    Some(match code {
        0x01 => "memory initialization",
        0x02 => "hard disk initialization",
        0x03 => "secondary processor initialization",
        0x04 => "user authentication",
        0x05 => "user-initiated system setup",
        0x06 => "USB resource configuration",
        0x07 => "PCI resource configuration",
        0x08 => "option ROM initialization",
        0x09 => "video initialization",
        0x0a => "cache initialization",
        0x0b => "SM bus initialization",
        0x0c => "keyboard controller initialization",
        0x0d => "management controller initialization",
        0x0e => "docking station attachment",
        0x0f => "enabling docking station",
        0x10 => "docking station ejection",
        0x11 => "disabling docking station",
        0x12 => "calling operating system wake-up vector",
        0x13 => "starting operating system boot",
        0x14 => "motherboard initialization",
        0x16 => "floppy initialization",
        0x17 => "keyboard test",
        0x18 => "pointing device test",
        0x19 => "primary processor initialization",
        _ => return None,
    })
}

fn disabled_events(byte: u8) -> String {
    if byte & 0x20 != 0 {
        return "all its events".into();
    }
    let direction = if byte & 0x10 != 0 { "assertion" } else { "deassertion" };
    format!("{direction} of offset {:02X}h", byte & 0x0f)
}

/// Without the third byte the second holds an entity instance.
fn disabled_processor(number: u8, third: Option<u8>) -> String {
    match third {
        Some(byte) if byte & 0x80 != 0 => format!("processor {number}"),
        _ => format!("processor entity instance {number}"),
    }
}

fn auxiliary_log(byte: u8) -> Option<String> {
    let action = match byte >> 4 {
        0x0 => "entry added",
        0x1 => "entry added, not mappable to an IPMI event",
        0x2 => "entry added beside event log entries",
        0x3 => "log cleared",
        0x4 => "log disabled",
        0x5 => "log enabled",
        _ => return None,
    };
    let log = match byte & 0x0f {
        0x0 => "machine check log",
        0x1 => "OEM log 1",
        0x2 => "OEM log 2",
        _ => return None,
    };
    Some(format!("{log}: {action}"))
}

fn filter_actions(byte: u8) -> Option<String> {
    const ACTIONS: [(u8, &str); 6] = [
        (0x01, "alert"),
        (0x02, "power off"),
        (0x04, "reset"),
        (0x08, "power cycle"),
        (0x10, "OEM action"),
        (0x20, "diagnostic interrupt"),
    ];
    let actions = ACTIONS.iter().filter(|(bit, _)| byte & bit != 0).map(|(_, action)| *action);
    let actions = actions.collect::<Vec<_>>().join(" and ");
    (!actions.is_empty()).then_some(actions)
}

fn clock_change(byte: u8) -> Option<String> {
    let clock = match byte & 0x0f {
        0x0 => "event log clock",
        0x1 => "sensor record clock",
        _ => return None,
    };
    let pair = if byte & 0x80 == 0 { "before" } else { "after" };
    Some(format!("{pair} the {clock} was set"))
}

/// The same numbers as those of the states of sensor type 22h, except for the unknown one.
fn power_state(code: u8) -> Option<&'static str> {
    const ACPI_POWER_STATE: u8 = 0x22;
    match code {
        0x00..=0x0c => state_text(SENSOR_SPECIFIC, ACPI_POWER_STATE, code),
        0x0d => Some("unknown"),
        _ => None,
    }
}

/// The causes of the Get System Restart Cause command (IPMI 2.0 §28.11, table 28-11).
const fn restart_cause(byte: u8) -> Option<&'static str> {
    Some(match byte & 0x0f {
        0x0 => "unknown cause",
        0x1 => "chassis control command",
        0x2 => "reset button",
        0x3 => "power button",
        0x4 => "watchdog",
        0x5 => "OEM cause",
        0x6 => "power restored, policy: always on",
        0x7 => "power restored, policy: as before",
        0x8 => "reset by event filter",
        0x9 => "power cycle by event filter",
        0xa => "soft reset",
        0xb => "power up by real time clock",
        _ => return None,
    })
}

const fn slot_type(byte: u8) -> Option<&'static str> {
    Some(match byte & 0x7f {
        0 => "PCI slot",
        1 => "drive array",
        2 => "external peripheral connector",
        3 => "docking connector",
        4 => "internal expansion slot",
        5 => "slot of the sensor's entity",
        6 => "AdvancedTCA slot",
        7 => "memory slot",
        8 => "fan connector",
        9 => "PCI Express slot",
        10 => "parallel SCSI connector",
        11 => "SATA or SAS connector",
        _ => return None,
    })
}

const fn timer_use(byte: u8) -> Option<&'static str> {
    Some(match byte & 0x0f {
        0x1 => "timer for BIOS FRB2",
        0x2 => "timer for BIOS/POST",
        0x3 => "timer for OS load",
        0x4 => "timer for SMS/OS",
        0x5 => "timer for OEM use",
        _ => return None,
    })
}

const fn timer_interrupt(byte: u8) -> Option<&'static str> {
    Some(match byte >> 4 {
        0x0 => "no interrupt",
        0x1 => "SMI",
        0x2 => "NMI",
        0x3 => "messaging interrupt",
        _ => return None,
    })
}

fn failed_fru(location: u8, device: u8) -> String {
    let (lun, bus) = (location >> 3 & 0x03, location & 0x07);
    if location & 0x80 != 0 {
        format!("FRU device {device} at logical unit {lun}")
    } else {
        format!("FRU device at address {:02X}h on bus {bus}, logical unit {lun}", device & 0xfe)
    }
}

fn session_user(byte: u8) -> Option<String> {
    let user = byte & 0x3f;
    (user != 0).then(|| format!("user {user}"))
}

fn session_end(offset: u8, byte: u8) -> String {
    const DEACTIVATED: u8 = 0x01;
    let channel = byte & 0x0f;
    match (offset, byte >> 4 & 0x03) {
        (DEACTIVATED, 1) => format!("channel {channel}, closed by command"),
        (DEACTIVATED, 2) => format!("channel {channel}, closed by timeout"),
        (DEACTIVATED, 3) => format!("channel {channel}, closed by a configuration change"),
        _ => format!("channel {channel}"),
    }
}

const fn version_change(code: u8) -> Option<&'static str> {
    Some(match code {
        0x01 => "management controller device id",
        0x02 => "management controller firmware revision",
        0x03 => "management controller device revision",
        0x04 => "management controller manufacturer id",
        0x05 => "management controller IPMI version",
        0x06 => "management controller auxiliary firmware id",
        0x07 => "management controller firmware boot block",
        0x08 => "other management controller firmware",
        0x09 => "system firmware (EFI/BIOS)",
        0x0a => "SMBIOS",
        0x0b => "operating system",
        0x0c => "operating system loader",
        0x0d => "service or diagnostic partition",
        0x0e => "management software agent",
        0x0f => "management software application",
        0x10 => "management software middleware",
        0x11 => "programmable hardware",
        0x12 => "board or FRU module",
        0x13 => "board or FRU component",
        0x14 => "replaced with an equivalent version",
        0x15 => "replaced with a newer version",
        0x16 => "replaced with an older version",
        0x17 => "hardware configuration",
        _ => return None,
    })
}

const fn fru_state_cause(byte: u8) -> Option<&'static str> {
    Some(match byte >> 4 {
        0x0 => "normal state change",
        0x1 => "commanded by external software",
        0x2 => "handle latch changed by operator",
        0x3 => "hot swap button pressed by operator",
        0x4 => "programmatic action of the FRU",
        0x5 => "communication lost",
        0x6 => "communication lost by local failure",
        0x7 => "unexpected extraction",
        0x8 => "operator intervention or update",
        0x9 => "IPMB address cannot be computed",
        0xa => "unexpected deactivation",
        0xf => "unknown cause",
        _ => return None,
    })
}

/// A state before that equals the new one is unknown.
fn fru_state_before(event: &SystemEvent, byte: u8) -> Option<String> {
    let before = Some(byte & 0x0f).filter(|before| *before != event.offset());
    let text = before.and_then(|before| state_text(event.event_type, event.sensor_type, before));
    text.map(|text| format!("before: {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sel::{Generator, SelTime};

    /// Sensor type, sensor number, direction and event type, data; and the text. ipmi-sel 1.6.10 and ipmitool 1.8.19
    /// print the same facts for these events, by way of ipmi_sim, except that ipmi-sel knows memory modules only with
    /// spares, and neither joins the bits of event filter actions.
    const EVENTS: [([u8; 6], &str); 37] = [
        (
            [0x05, 0x41, 0x6f, 0xc4, 0x02, 0xff],
            "Physical Security, sensor 41h: LAN leash lost, network controller 2",
        ),
        ([0x07, 0x42, 0x6f, 0x01, 0xff, 0xff], "Processor, sensor 42h: thermal trip"),
        (
            [0x08, 0x43, 0x6f, 0x36, 0xff, 0x02],
            "Power Supply, sensor 43h: configuration error, processor missing",
        ),
        (
            [0x0c, 0x44, 0x6f, 0x31, 0xff, 0x05],
            "Memory, sensor 44h: uncorrectable error (ECC), memory module 5",
        ),
        ([0x0c, 0x44, 0x6f, 0x38, 0xff, 0x07], "Memory, sensor 44h: spare, memory module 7"),
        (
            [0x0f, 0x45, 0x6f, 0xc0, 0x01, 0xff],
            "System Firmware Progress, sensor 45h: system firmware error (POST error), no memory installed",
        ),
        (
            [0x0f, 0x45, 0x6f, 0xc0, 0x0d, 0xff],
            "System Firmware Progress, sensor 45h: system firmware error (POST error), CPU speed mismatch",
        ),
        (
            [0x0f, 0x45, 0x6f, 0xc2, 0x13, 0xff],
            "System Firmware Progress, sensor 45h: system firmware progress, starting operating system boot",
        ),
        (
            [0x0f, 0x45, 0x6f, 0xc1, 0x19, 0xff],
            "System Firmware Progress, sensor 45h: system firmware hang, primary processor initialization",
        ),
        (
            [0x10, 0x46, 0x6f, 0xc0, 0x03, 0xff],
            "Event Logging Disabled, sensor 46h: correctable memory error logging disabled, memory module 3",
        ),
        (
            [0x10, 0x46, 0x6f, 0xf1, 0x6f, 0x22],
            "Event Logging Disabled, sensor 46h: logging of an event type disabled, event type 6Fh, all its events",
        ),
        (
            [0x10, 0x46, 0x6f, 0xf1, 0x6f, 0x15],
            "Event Logging Disabled, sensor 46h: logging of an event type disabled, event type 6Fh, assertion of offset 05h",
        ),
        (
            [0x10, 0x46, 0x6f, 0x35, 0xff, 0x50],
            "Event Logging Disabled, sensor 46h: event log almost full, 80 % full",
        ),
        (
            [0x10, 0x46, 0x6f, 0xf6, 0x04, 0x80],
            "Event Logging Disabled, sensor 46h: correctable machine check error logging disabled, processor 4",
        ),
        (
            [0x10, 0x46, 0x6f, 0xf6, 0x04, 0x00],
            "Event Logging Disabled, sensor 46h: correctable machine check error logging disabled, processor entity instance 4",
        ),
        (
            [0x12, 0x47, 0x6f, 0xc3, 0x31, 0xff],
            "System Event, sensor 47h: entry added to auxiliary log, OEM log 1: log cleared",
        ),
        (
            [0x12, 0x47, 0x6f, 0xc4, 0x09, 0xff],
            "System Event, sensor 47h: platform event filter action, alert and power cycle",
        ),
        (
            [0x12, 0x47, 0x6f, 0xc5, 0x00, 0xff],
            "System Event, sensor 47h: timestamp clock synchronization, before the event log clock was set",
        ),
        (
            [0x12, 0x47, 0x6f, 0xc5, 0x81, 0xff],
            "System Event, sensor 47h: timestamp clock synchronization, after the sensor record clock was set",
        ),
        (
            [0x19, 0x48, 0x6f, 0xf0, 0x05, 0x00],
            "Chip Set, sensor 48h: soft power control failure, requested: S5/G2: soft off, before: S0/G0: working",
        ),
        (
            [0x1d, 0x49, 0x6f, 0xf7, 0x04, 0x01],
            "System Boot/Restart Initiated, sensor 49h: system restart, watchdog, channel 1",
        ),
        (
            [0x1d, 0x49, 0x6f, 0x01, 0xff, 0xff],
            "System Boot/Restart Initiated, sensor 49h: initiated by hard reset",
        ),
        (
            [0x21, 0x4a, 0x6f, 0xf0, 0x09, 0x03],
            "Slot/Connector, sensor 4Ah: fault status asserted, PCI Express slot, number 3",
        ),
        ([0x23, 0x4b, 0x6f, 0xc1, 0x24, 0xff], "Watchdog 2, sensor 4Bh: hard reset, timer for SMS/OS, NMI"),
        (
            [0x23, 0x4b, 0x6f, 0xc8, 0x13, 0xff],
            "Watchdog 2, sensor 4Bh: timer interrupt, timer for OS load, SMI",
        ),
        (
            [0x28, 0x4c, 0x6f, 0xc4, 0x33, 0xff],
            "Management Subsystem Health, sensor 4Ch: sensor failure, sensor 33h",
        ),
        (
            [0x28, 0x4c, 0x6f, 0xf5, 0x88, 0x02],
            "Management Subsystem Health, sensor 4Ch: FRU failure, FRU device 2 at logical unit 1",
        ),
        (
            [0x28, 0x4c, 0x6f, 0xf5, 0x0b, 0xa0],
            "Management Subsystem Health, sensor 4Ch: FRU failure, FRU device at address A0h on bus 3, logical unit 1",
        ),
        (
            [0x2a, 0x4d, 0x6f, 0xf1, 0x03, 0x21],
            "Session Audit, sensor 4Dh: session deactivated, user 3, channel 1, closed by timeout",
        ),
        (
            [0x2b, 0x4e, 0x6f, 0xc7, 0x02, 0xff],
            "Version Change, sensor 4Eh: firmware or software change was successful, management controller firmware revision",
        ),
        (
            [0x2c, 0x4f, 0x6f, 0xc4, 0x03, 0xff],
            "FRU State, sensor 4Fh: active, normal state change, before: activation in progress",
        ),
        (
            [0x01, 0x01, 0x01, 0x59, 0x60, 0x5f],
            "Temperature, sensor 01h: upper critical, going high, reading 60h, threshold 5Fh",
        ),
        (
            [0x04, 0x03, 0x81, 0x52, 0x05, 0x0a],
            "Fan, sensor 03h: lower critical, going low, reading 05h, threshold 0Ah (ended)",
        ),
        (
            [0x01, 0x50, 0x07, 0x42, 0x1f, 0xff],
            "Temperature, sensor 50h: transition to critical from less severe, severity: transition to non-critical from OK",
        ),
        ([0x08, 0x51, 0x8b, 0x01, 0xff, 0xff], "Power Supply, sensor 51h: redundancy lost (ended)"),
        (
            [0x08, 0x52, 0x6f, 0xa3, 0x11, 0x22],
            "Power Supply, sensor 52h: input lost (AC/DC), OEM code 11h, OEM code 22h",
        ),
        ([0x20, 0x53, 0x6f, 0x01, 0xff, 0xff], "OS Stop/Shutdown, sensor 53h: run-time critical stop"),
    ];

    #[test]
    fn events_have_the_texts_of_the_specification() {
        for ([sensor_type, sensor_number, event, data @ ..], text) in EVENTS {
            let event = SystemEvent {
                time: SelTime(0x5f64_fbc0),
                generator: Generator::BMC,
                revision: 4,
                sensor_type,
                sensor_number,
                asserted: event & 0x80 == 0,
                event_type: event & 0x7f,
                data,
            };
            assert_eq!(event.to_string(), text);
        }
    }
}
