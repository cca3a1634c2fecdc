//! OTLP over HTTP (OpenTelemetry protocol 1.5 and later, binary): readings as metrics, events as logs.
//!
//! Events take the way of all others, one after the other and at least once. Readings are a table of which only the latest
//! counts: what could not be sent in time is sent as it is then.

mod batch;
mod exporter;
mod log;
mod message;
mod meter;

use std::collections::BTreeMap;
use std::time::Duration;

use opendcre_gateway::NodeRange;
use rustls::RootCertStore;
use secrecy::SecretString;

use crate::{Filter, Identity};
pub(crate) use log::Logs;
use message::{AnyValue, KeyValue, Resource};
pub use meter::Meters;

/// A receiver of OTLP.
#[derive(Debug, Clone)]
pub struct OtlpSettings {
    /// Its name: what may stand in the name of a file.
    pub name: String,
    /// The URL below which the paths of signals are.
    pub endpoint: String,
    /// Fields of every request, by their names.
    pub headers: BTreeMap<String, SecretString>,
    /// Whose certificates are trusted.
    pub roots: RootCertStore,
    /// The certificate that is shown to a receiver that asks for one.
    pub identity: Option<Identity>,
    /// How long one request may take.
    pub timeout: Duration,
    /// Whether requests are compressed.
    pub is_compressed: bool,
    /// What the receiver is told of this gateway, besides or instead of what it is told anyway.
    pub resource: BTreeMap<String, String>,
    /// How readings are sent, if they are.
    pub metrics: Option<OtlpMetrics>,
    /// How events are sent, if they are.
    pub logs: Option<OtlpLogs>,
}

/// How readings are sent.
#[derive(Debug, Clone)]
pub struct OtlpMetrics {
    /// How often.
    pub interval: Duration,
    /// Those of which boards; of all, unless given.
    pub nodes: Option<NodeRange>,
}

/// How events are sent.
#[derive(Debug, Clone)]
pub struct OtlpLogs {
    /// For how long the same event is tried.
    pub patience: Duration,
    /// Which are sent.
    pub filter: Filter,
}

impl OtlpSettings {
    /// What the receiver is told of the gateway on the machine `hostname` (OpenTelemetry semantic conventions, resources
    /// `service` and `host`).
    fn resource(&self, hostname: &str) -> Resource {
        let usual = [
            ("service.name", "opendcre"),
            ("service.version", env!("CARGO_PKG_VERSION")),
            ("service.instance.id", hostname),
            ("host.name", hostname),
        ];
        let mut attributes: BTreeMap<&str, &str> = usual.into_iter().collect();
        attributes.extend(self.resource.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let attributes =
            attributes.into_iter().map(|(name, value)| KeyValue::new(name, AnyValue::text(value)));
        Resource { attributes: attributes.collect() }
    }
}

#[cfg(test)]
mod testing {
    use jiff::Timestamp;
    use opendcre_model::WallClock;
    use prost::Message;
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    use super::message::ExportServiceResponse;
    use super::*;
    use crate::http::testing::request;

    pub(super) const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);

    #[derive(Debug)]
    pub(super) struct FixedClock;

    impl WallClock for FixedClock {
        fn now(&self) -> Timestamp {
            NOW
        }
    }

    pub(super) fn settings(endpoint: &str) -> OtlpSettings {
        OtlpSettings {
            name: "collector".to_owned(),
            endpoint: endpoint.to_owned(),
            headers: BTreeMap::from([("Authorization".to_owned(), "Bearer t0ken".into())]),
            roots: RootCertStore::empty(),
            identity: None,
            timeout: Duration::from_secs(60),
            is_compressed: true,
            resource: BTreeMap::from([("service.instance.id".to_owned(), "room-1".to_owned())]),
            metrics: None,
            logs: None,
        }
    }

    /// A receiver that gives these answers, one a connection, and returns the requests.
    pub(super) struct Receiver {
        listener: TcpListener,
        pub(super) endpoint: String,
    }

    impl Receiver {
        pub(super) async fn new() -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let endpoint = format!("http://{}/otlp/", listener.local_addr().unwrap());
            Self { listener, endpoint }
        }

        pub(super) async fn answer(&self, answers: &[Vec<u8>]) -> Vec<(String, Vec<u8>)> {
            let mut requests = Vec::new();
            for answer in answers {
                let (mut stream, _) = self.listener.accept().await.unwrap();
                requests.push(request(&mut stream).await);
                stream.write_all(answer).await.unwrap();
            }
            requests
        }
    }

    /// An answer with this status, these header fields and this body.
    pub(super) fn answer(status: u16, fields: &str, body: &[u8]) -> Vec<u8> {
        let head = format!(
            "HTTP/1.1 {status} Whatever\r\nconnection: close\r\n{fields}content-length: {}\r\n\r\n",
            body.len()
        );
        [head.as_bytes(), body].concat()
    }

    /// An answer of a receiver that rejects so many points or records.
    pub(super) fn partial(rejected: i64, reason: &str) -> Vec<u8> {
        let partial = message::ExportPartialSuccess { rejected, error_message: reason.to_owned() };
        let response = ExportServiceResponse { partial_success: Some(partial) };
        answer(200, "content-type: application/x-protobuf\r\n", &response.encode_to_vec())
    }

    #[test]
    fn the_resource_is_the_gateway_unless_the_configuration_says_otherwise() {
        let resource = settings("http://localhost").resource("dcre-1");
        let told: Vec<String> = resource.attributes.iter().map(ToString::to_string).collect();
        let version = concat!("service.version=", env!("CARGO_PKG_VERSION"));
        assert_eq!(
            told,
            ["host.name=dcre-1", "service.instance.id=room-1", "service.name=opendcre", version]
        );
    }
}
