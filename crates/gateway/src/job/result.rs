//! What a target reported, as the JSON that the result of a job shows.

use opendcre_model::{BatteryReport, LogEntry, Observation, PowerReport, Reading};
use serde_json::{Value, json};

use crate::{GatewayError, Outcome};

/// What came of a command at one target.
pub(super) fn result_of(outcome: Outcome) -> Result<Option<Value>, GatewayError> {
    match outcome {
        Outcome::Observation(observation) => Ok(result(&observation)),
        Outcome::Scan(report) => match report.failures.into_iter().next() {
            Some((_, error)) => Err(error.into()),
            None => Ok(report.boards.first().map(|board| json!({ "state": board.state }))),
        },
    }
}

/// What the equipment reported; nothing if it only did what it was told.
///
/// | Observation | Members |
/// |---|---|
/// | power | `power_state` (`on`, `off`), `power_ok`, `over_current`, `under_voltage`, and where it is measured `input_power_watts`, `input_voltage_volts`, `output_current_amperes` |
/// | battery | `status`, `charge_percent` |
/// | reading | `values`, each with `quantity`, `value`, `unit`; `quality`; `health` |
/// | boot target | `target`, `persistent`, `efi` |
/// | lamp | `on`, and for the lamp of a chamber `color`, `blink` |
/// | event log | `entries`, each with `id`, `time` or null, `severity`, `message`, `asserted` |
/// | asset text | `text`, `management_address` or null |
/// | asset information | `board`, `chassis`, `product`, `management_address` or null |
/// | host | `hostnames`, `ip_addresses` |
/// | version | `firmware` |
/// | raw answer | `completion`, `data` |
#[must_use]
pub fn result(observation: &Observation) -> Option<Value> {
    Some(match observation {
        Observation::Power(report) => power(report),
        Observation::Battery(BatteryReport { status, charge_percent, .. }) => {
            json!({ "status": status, "charge_percent": charge_percent })
        }
        Observation::Sensor(reading) => sensor(reading),
        Observation::BootTarget(boot) => json!(boot),
        Observation::Led { on } => json!({ "on": on }),
        Observation::EventLog(page) => {
            json!({ "entries": page.entries.iter().map(entry).collect::<Vec<_>>() })
        }
        Observation::ChamberLed(state) => {
            json!({ "on": state.on, "color": state.color, "blink": state.blink })
        }
        Observation::AssetText { text, management_address } => {
            json!({ "text": text, "management_address": management_address })
        }
        Observation::AssetInfo(info) => json!(info),
        Observation::HostInfo(host) => json!(host),
        Observation::Version(firmware) => json!({ "firmware": firmware }),
        Observation::RawIpmi(answer) => json!(answer),
        Observation::Done => return None,
    })
}

fn entry(entry: &LogEntry) -> Value {
    let LogEntry { id, time, severity, message, asserted, .. } = entry;
    json!({ "id": id, "time": time, "severity": severity, "message": message, "asserted": asserted })
}

fn power(report: &PowerReport) -> Value {
    let mut value = json!({
        "power_state": report.state,
        "power_ok": report.power_ok,
        "over_current": report.over_current,
        "under_voltage": report.under_voltage,
    });
    if let (Some(members), Some(electrical)) = (value.as_object_mut(), &report.electrical) {
        members.insert("input_power_watts".to_owned(), json!(electrical.input_power_watts));
        members.insert("input_voltage_volts".to_owned(), json!(electrical.input_voltage_volts));
        members.insert("output_current_amperes".to_owned(), json!(electrical.output_current_amperes));
    }
    value
}

fn sensor(reading: &Reading) -> Value {
    let measurements = reading.measurements.iter();
    let values: Vec<Value> = measurements
        .map(|measured| {
            let (quantity, unit) = (measured.quantity.name(), measured.quantity.unit());
            json!({ "quantity": quantity, "value": measured.value, "unit": unit })
        })
        .collect();
    json!({ "values": values, "quality": reading.quality.name(), "health": reading.health })
}

#[cfg(test)]
mod tests {
    use opendcre_model::{BootOverride, BootTarget, Electrical, PowerState};

    use super::*;

    fn power_report(electrical: Option<Electrical>) -> Observation {
        Observation::Power(PowerReport {
            state: PowerState::On,
            power_ok: true,
            over_current: false,
            under_voltage: false,
            electrical,
            measured_at: jiff::Timestamp::UNIX_EPOCH,
            source: "bus".into(),
        })
    }

    #[test]
    fn power_has_electrical_values_only_where_they_are_measured() {
        let plain = result(&power_report(None)).unwrap();
        assert_eq!(
            plain,
            json!({ "power_state": "on", "power_ok": true, "over_current": false, "under_voltage": false })
        );
        let measured = result(&power_report(Some(Electrical {
            raw: "0,0,0,0".to_owned(),
            input_power_watts: 120.5,
            input_voltage_volts: 230.0,
            output_current_amperes: 0.5,
        })));
        assert_eq!(measured.unwrap()["input_power_watts"], 120.5);
    }

    #[test]
    fn a_boot_target_is_shown_in_its_words_and_nothing_is_nothing() {
        let boot = BootOverride { target: BootTarget::Pxe, persistent: false, efi: true };
        let value = result(&Observation::BootTarget(boot)).unwrap();
        assert_eq!(value, json!({ "target": "pxe", "persistent": false, "efi": true }));
        assert_eq!(result(&Observation::Done), None);
    }
}
