//! Events as log records, one a request: each is delivered for itself, or becomes a dead letter for itself.

use std::sync::Arc;

use opendcre_gateway::{Event, Severity};
use opendcre_model::WallClock;
use serde_json::Value;

use super::OtlpSettings;
use super::exporter::{Exporter, Signal};
use super::message::{
    AnyValue, ExportLogsServiceRequest, InstrumentationScope, KeyValue, LogRecord, Resource, ResourceLogs,
    ScopeLogs, SeverityNumber, unix_nanoseconds,
};
use crate::courier::{Destination, Failure};
use crate::notice::{Missed, Notice};

/// What the names of events begin with, so that they are known from those of other programs.
const NAMESPACE: &str = "opendcre.";

/// Where events are sent to.
pub(crate) struct Logs {
    exporter: Exporter,
    resource: Resource,
    clock: Arc<dyn WallClock>,
}

impl Logs {
    /// A receiver that gets the events of the gateway on the machine `hostname`.
    ///
    /// # Errors
    /// What is wrong with the settings, in words.
    pub(crate) fn new(
        settings: &OtlpSettings,
        hostname: &str,
        clock: Arc<dyn WallClock>,
    ) -> Result<Self, String> {
        let exporter = Exporter::new(settings, Signal::Logs, Arc::clone(&clock))?;
        Ok(Self { exporter, resource: settings.resource(hostname), clock })
    }

    fn request(&self, notice: &Notice) -> ExportLogsServiceRequest {
        let now = unix_nanoseconds(self.clock.now());
        let record = match notice {
            Notice::Event(event) => of_event(event, now),
            Notice::Missed(missed) => of_missed(missed, now),
        };
        let scope_logs = ScopeLogs { scope: Some(InstrumentationScope::own()), log_records: vec![record] };
        let resource_logs =
            ResourceLogs { resource: Some(self.resource.clone()), scope_logs: vec![scope_logs] };
        ExportLogsServiceRequest { resource_logs: vec![resource_logs] }
    }
}

impl Destination for Logs {
    async fn deliver(&mut self, notice: &Notice) -> Result<(), Failure> {
        let packed = self.exporter.pack(&self.request(notice));
        let packed = packed.map_err(|error| Failure::Never(error.to_string()))?;
        let rejected = self.exporter.send(packed).await?;
        match rejected.count {
            0 => Ok(()),
            _ => Err(Failure::Never(format!("the receiver rejects it: {}", rejected.reason))),
        }
    }
}

fn of_event(event: &Event, now: u64) -> LogRecord {
    let text = |name: &str, value: String| KeyValue::new(name, AnyValue::text(value));
    let mut attributes = vec![
        KeyValue::new("sequence", AnyValue::count(event.sequence)),
        text("kind", event.kind.name().to_owned()),
    ];
    attributes.extend(event.rack.clone().map(|rack| text("rack", rack)));
    attributes.extend(event.board.map(|board| text("board", board.to_string())));
    attributes.extend(event.name.clone().map(|name| text("name", name)));
    attributes.extend(event.device.map(|device| text("device", device.to_string())));
    if !event.detail.is_empty() {
        attributes.push(KeyValue::new("detail", (&Value::Object(event.detail.clone())).into()));
    }
    LogRecord {
        time_unix_nano: unix_nanoseconds(event.time),
        observed_time_unix_nano: now,
        severity_number: SeverityNumber::from(event.severity).into(),
        severity_text: event.severity.name().to_owned(),
        body: Some(AnyValue::text(&event.message)),
        attributes,
        event_name: format!("{NAMESPACE}{}", event.kind.name()),
    }
}

fn of_missed(missed: &Missed, now: u64) -> LogRecord {
    let attributes = [("count", missed.count), ("after", missed.after)];
    LogRecord {
        time_unix_nano: now,
        observed_time_unix_nano: now,
        severity_number: SeverityNumber::Warn.into(),
        severity_text: Severity::Warning.name().to_owned(),
        body: Some(AnyValue::text(missed.message())),
        attributes: attributes.map(|(name, count)| KeyValue::new(name, AnyValue::count(count))).into(),
        event_name: format!("{NAMESPACE}missed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notice::testing::event;

    #[test]
    fn an_event_is_a_record_with_all_that_is_known() {
        let record = of_event(&event(12), 7);
        assert_eq!(record.severity_number(), SeverityNumber::Error2);
        assert_eq!((record.time_unix_nano, record.observed_time_unix_nano), (1_800_000_000_000_000_000, 7));
        let told: Vec<String> = record.attributes.iter().map(ToString::to_string).collect();
        assert_eq!(
            told[..6],
            [
                "sequence=Some(Int(12))",
                "kind=health_changed",
                "rack=rack_1",
                "board=00000011",
                "name=web-01",
                "device=0dff"
            ]
        );
        assert!(told[6].starts_with("detail=Some(KeyValueList(") && told.len() == 7, "{told:?}");
        assert_eq!(record.event_name, "opendcre.health_changed");
        assert_eq!(record.body, Some(AnyValue::text("inlet of web-01 is critical: 47 °C")));
    }

    #[test]
    fn what_is_missing_is_a_warning() {
        let record = of_missed(&Missed { count: 3, after: 7 }, 9);
        assert_eq!((record.severity_number(), record.time_unix_nano), (SeverityNumber::Warn, 9));
        assert_eq!(record.event_name, "opendcre.missed");
    }
}
