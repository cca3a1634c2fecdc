//! The access log.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, OnceLock};

use http::{Method, Request};
use http_body_util::Full;
use hyper::body::Bytes;
use serde_json::Value;

use crate::support::{BASE, Room, remote, request};

/// What all tests of this program log together.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn start() -> &'static Self {
        static LOG: OnceLock<Log> = OnceLock::new();
        LOG.get_or_init(|| {
            let log = Self::default();
            let writer = log.clone();
            let subscriber = tracing_subscriber::fmt().json().with_writer(move || writer.clone());
            tracing::subscriber::set_global_default(subscriber.finish()).unwrap();
            log
        })
    }

    /// The fields of the one line that the access log has about the request of this name.
    fn line(&self, name: &str) -> Value {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let mut events = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let is_it = |event: &Value| {
            event["target"] == "access" && event["level"] == "INFO" && event["fields"]["request_id"] == name
        };
        let event = events.find(is_it).expect("a line about this request");
        assert!(!events.any(|event| is_it(&event)), "one line is enough");
        event["fields"].clone()
    }
}

fn named(name: &'static str, method: Method, path: &str) -> Request<Full<Bytes>> {
    let mut request = request(method, &format!("{BASE}{path}"));
    request.headers_mut().insert("x-request-id", name.parse().unwrap());
    request
}

#[tokio::test]
async fn one_line_per_request() {
    let log = Log::start();
    let room = Room::new();
    let answer = room.send(named("log-1", Method::GET, "/scan/zz?secret=1")).await;
    room.send(named("log-2", Method::HEAD, "/test")).await;
    let long = format!("/{}", "é".repeat(1000));
    room.send(named("log-3", Method::GET, &long)).await;

    let fields = log.line("log-1");
    assert_eq!(fields["method"], "GET");
    assert_eq!(fields["path"], "/opendcre/1.1/scan/zz");
    assert_eq!(fields["status"], 500);
    assert!(fields["duration_us"].is_u64());
    assert_eq!(fields["bytes"], answer.text.len());
    assert_eq!(fields["remote"], "192.0.2.7:4711");
    let head = log.line("log-2");
    assert_eq!((&head["method"], &head["status"], &head["bytes"]), (&"HEAD".into(), &200.into(), &0.into()));
    assert!(log.line("log-3")["path"].as_str().unwrap().len() <= 256);
}

#[tokio::test]
async fn a_client_that_leaves_is_logged_too() {
    let log = Log::start();
    let room = Room::new();
    room.bus.permits.forget_permits(100);
    tokio::select! {
        biased;
        _ = room.api.respond(named("log-4", Method::GET, "/version/1"), remote()) => panic!("no answer yet"),
        () = room.bus.called.notified() => {}
    }
    assert_eq!(log.line("log-4")["status"], 499);
}
