//! Brings events to others: webhooks, syslog and OTLP, in order, and at least once where the protocol can tell; and readings,
//! over OTLP.
//!
//! Every destination pulls from the event log at its own pace, from a position that is kept over restarts. So a receiver
//! that is down or slow holds up nothing but itself; what the log has given up meanwhile, it is told. This crate makes no
//! events, so that no delivery can cause another one, and it knows neither equipment nor how the service is configured.

mod back_off;
mod courier;
mod filter;
mod http;
#[cfg(feature = "mqtt")]
mod mqtt;
mod notice;
#[cfg(feature = "otlp")]
mod otlp;
mod publisher;
mod spool;
mod status;
mod syslog;
#[cfg(test)]
mod testing;
mod tls;
mod webhook;

pub use back_off::BackOff;
pub use filter::{Filter, FilterError};
#[cfg(feature = "mqtt")]
pub use mqtt::{MqttSettings, MqttTls};
#[cfg(feature = "otlp")]
pub use otlp::{Meters, OtlpLogs, OtlpMetrics, OtlpSettings};
pub use publisher::{PublishSettings, Publisher};
pub use status::Deliveries;
pub use syslog::{Facility, SyslogSettings, SyslogTransport};
pub use tls::Identity;
pub use webhook::WebhookSettings;
