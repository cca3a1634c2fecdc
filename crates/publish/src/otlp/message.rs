//! The messages of OTLP that we send and get, as far as we fill or read them. Names and numbers of fields are those of
//! `opentelemetry/proto` 1.5; it is pure.

use std::time::Duration;

use jiff::Timestamp;
use opendcre_gateway::{GaugeValue, Severity};
use prost::{Message, Oneof};
use serde_json::Value;

/// Who made what is sent: `common/v1/common.proto`.
const SCOPE: &str = "opendcre";

/// `collector/metrics/v1/metrics_service.proto`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ExportMetricsServiceRequest {
    #[prost(message, repeated, tag = "1")]
    pub(super) resource_metrics: Vec<ResourceMetrics>,
}

/// `collector/logs/v1/logs_service.proto`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ExportLogsServiceRequest {
    #[prost(message, repeated, tag = "1")]
    pub(super) resource_logs: Vec<ResourceLogs>,
}

/// The answer to both: they differ only in the names of fields.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ExportServiceResponse {
    #[prost(message, optional, tag = "1")]
    pub(super) partial_success: Option<ExportPartialSuccess>,
}

/// What a receiver did not take of a request.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ExportPartialSuccess {
    /// How many data points or log records it has rejected.
    #[prost(int64, tag = "1")]
    pub(super) rejected: i64,
    #[prost(string, tag = "2")]
    pub(super) error_message: String,
}

/// `google/rpc/status.proto`: the answer to a request that failed.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Status {
    #[prost(string, tag = "2")]
    pub(super) message: String,
}

/// `resource/v1/resource.proto`: who sends.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Resource {
    #[prost(message, repeated, tag = "1")]
    pub(super) attributes: Vec<KeyValue>,
}

/// `common/v1/common.proto`, as the next three.
#[derive(Clone, PartialEq, Message)]
pub(super) struct InstrumentationScope {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(string, tag = "2")]
    pub(super) version: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct KeyValue {
    #[prost(string, tag = "1")]
    pub(super) key: String,
    #[prost(message, optional, tag = "2")]
    pub(super) value: Option<AnyValue>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct AnyValue {
    #[prost(oneof = "AnyOf", tags = "1, 2, 3, 4, 5, 6")]
    pub(super) value: Option<AnyOf>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(super) enum AnyOf {
    #[prost(string, tag = "1")]
    String(String),
    #[prost(bool, tag = "2")]
    Bool(bool),
    #[prost(int64, tag = "3")]
    Int(i64),
    #[prost(double, tag = "4")]
    Double(f64),
    #[prost(message, tag = "5")]
    Array(ArrayValue),
    #[prost(message, tag = "6")]
    KeyValueList(KeyValueList),
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ArrayValue {
    #[prost(message, repeated, tag = "1")]
    pub(super) values: Vec<AnyValue>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct KeyValueList {
    #[prost(message, repeated, tag = "1")]
    pub(super) values: Vec<KeyValue>,
}

/// `metrics/v1/metrics.proto`, as the next four.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ResourceMetrics {
    #[prost(message, optional, tag = "1")]
    pub(super) resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    pub(super) scope_metrics: Vec<ScopeMetrics>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ScopeMetrics {
    #[prost(message, optional, tag = "1")]
    pub(super) scope: Option<InstrumentationScope>,
    #[prost(message, repeated, tag = "2")]
    pub(super) metrics: Vec<Metric>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Metric {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(string, tag = "2")]
    pub(super) description: String,
    /// In the Unified Code for Units of Measure.
    #[prost(string, tag = "3")]
    pub(super) unit: String,
    /// Of the kinds of data, the only one that is sent.
    #[prost(message, optional, tag = "5")]
    pub(super) gauge: Option<GaugeData>,
}

/// `Gauge` there.
#[derive(Clone, PartialEq, Message)]
pub(super) struct GaugeData {
    #[prost(message, repeated, tag = "1")]
    pub(super) data_points: Vec<NumberDataPoint>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct NumberDataPoint {
    #[prost(message, repeated, tag = "7")]
    pub(super) attributes: Vec<KeyValue>,
    #[prost(fixed64, tag = "3")]
    pub(super) time_unix_nano: u64,
    #[prost(oneof = "Number", tags = "4, 6")]
    pub(super) value: Option<Number>,
}

#[derive(Clone, Copy, PartialEq, Oneof)]
pub(super) enum Number {
    #[prost(double, tag = "4")]
    Double(f64),
    #[prost(sfixed64, tag = "6")]
    Int(i64),
}

/// `logs/v1/logs.proto`, as the next three.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ResourceLogs {
    #[prost(message, optional, tag = "1")]
    pub(super) resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    pub(super) scope_logs: Vec<ScopeLogs>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ScopeLogs {
    #[prost(message, optional, tag = "1")]
    pub(super) scope: Option<InstrumentationScope>,
    #[prost(message, repeated, tag = "2")]
    pub(super) log_records: Vec<LogRecord>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct LogRecord {
    #[prost(fixed64, tag = "1")]
    pub(super) time_unix_nano: u64,
    #[prost(fixed64, tag = "11")]
    pub(super) observed_time_unix_nano: u64,
    #[prost(enumeration = "SeverityNumber", tag = "2")]
    pub(super) severity_number: i32,
    #[prost(string, tag = "3")]
    pub(super) severity_text: String,
    #[prost(message, optional, tag = "5")]
    pub(super) body: Option<AnyValue>,
    #[prost(message, repeated, tag = "6")]
    pub(super) attributes: Vec<KeyValue>,
    #[prost(string, tag = "12")]
    pub(super) event_name: String,
}

/// How bad something is: of the numbers of the logs data model, those that we have words for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub(super) enum SeverityNumber {
    Unspecified = 0,
    Info = 9,
    Warn = 13,
    /// What its example mappings (appendix B) make of syslog's `Critical`.
    Error2 = 18,
}

impl From<Severity> for SeverityNumber {
    fn from(severity: Severity) -> Self {
        match severity {
            Severity::Info => Self::Info,
            Severity::Warning => Self::Warn,
            Severity::Critical => Self::Error2,
        }
    }
}

impl InstrumentationScope {
    /// This program.
    pub(super) fn own() -> Self {
        Self { name: SCOPE.to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() }
    }
}

impl KeyValue {
    pub(super) fn new(key: &str, value: AnyValue) -> Self {
        Self { key: key.to_owned(), value: Some(value) }
    }
}

impl AnyValue {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self { value: Some(AnyOf::String(text.into())) }
    }

    /// A number that may be too large for the protocol, which has no number without a sign.
    pub(super) fn count(count: u64) -> Self {
        Self { value: Some(AnyOf::Int(count.try_into().unwrap_or(i64::MAX))) }
    }
}

impl From<&Value> for AnyValue {
    fn from(value: &Value) -> Self {
        let value = match value {
            Value::Null => None,
            Value::Bool(value) => Some(AnyOf::Bool(*value)),
            Value::Number(number) => match number.as_i64() {
                Some(whole) => Some(AnyOf::Int(whole)),
                None => number.as_f64().map(AnyOf::Double),
            },
            Value::String(text) => Some(AnyOf::String(text.clone())),
            Value::Array(values) => {
                Some(AnyOf::Array(ArrayValue { values: values.iter().map(Self::from).collect() }))
            }
            Value::Object(map) => {
                let values = map.iter().map(|(key, value)| KeyValue::new(key, value.into())).collect();
                Some(AnyOf::KeyValueList(KeyValueList { values }))
            }
        };
        Self { value }
    }
}

impl From<GaugeValue> for Number {
    fn from(value: GaugeValue) -> Self {
        match value {
            GaugeValue::Whole(value) => Self::Int(value.try_into().unwrap_or(i64::MAX)),
            GaugeValue::Real(value) => Self::Double(value),
        }
    }
}

/// Nanoseconds since 1970; zero before, which stands for no time at all.
pub(super) fn unix_nanoseconds(time: Timestamp) -> u64 {
    let since_1970 = Duration::try_from(time.duration_since(Timestamp::UNIX_EPOCH)).unwrap_or_default();
    since_1970.as_nanos().try_into().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use super::*;

    impl fmt::Display for KeyValue {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            match self.value.as_ref().and_then(|value| value.value.as_ref()) {
                Some(AnyOf::String(text)) => write!(f, "{}={text}", self.key),
                other => write!(f, "{}={other:?}", self.key),
            }
        }
    }

    #[test]
    fn json_keeps_its_types() {
        let value = serde_json::json!({"a": [1, -2.5, true, null, "x"], "b": {"c": u64::MAX}});
        let any = AnyValue::from(&value);
        let Some(AnyOf::KeyValueList(list)) = any.value else { panic!("{any:?}") };
        let [a, b] = &list.values[..] else { panic!("{list:?}") };
        let Some(AnyOf::Array(array)) = a.value.clone().unwrap().value else { panic!("{a:?}") };
        let values: Vec<_> = array.values.into_iter().map(|value| value.value).collect();
        let text = AnyOf::String("x".to_owned());
        assert_eq!(
            values,
            [Some(AnyOf::Int(1)), Some(AnyOf::Double(-2.5)), Some(AnyOf::Bool(true)), None, Some(text)]
        );
        assert!(format!("{b:?}").contains("Double(1.8446744073709552e19)"), "{b:?}");
    }

    #[test]
    fn times_before_1970_are_none() {
        assert_eq!(unix_nanoseconds(Timestamp::from_second(-1).unwrap()), 0);
        assert_eq!(unix_nanoseconds(Timestamp::constant(1_800_000_000, 5)), 1_800_000_000_000_000_005);
    }

    proptest::proptest! {
        #[test]
        fn no_answer_is_too_strange(bytes: Vec<u8>) {
            if let Ok(response) = ExportServiceResponse::decode(&bytes[..]) {
                proptest::prop_assert_eq!(ExportServiceResponse::decode(&response.encode_to_vec()[..]), Ok(response));
            }
            let _ = Status::decode(&bytes[..]);
        }
    }
}
