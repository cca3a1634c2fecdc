//! Receivers of the test: what is sent to them, and what their answers mean.

use std::io::Read;
use std::time::Duration;

use flate2::read::GzDecoder;
use tokio::net::TcpListener;

use super::*;
use crate::otlp::message::{AnyValue, KeyValue, Resource};
use crate::otlp::testing::{FixedClock, Receiver, answer, partial, settings};

fn exporter(settings: &OtlpSettings) -> Exporter {
    Exporter::new(settings, Signal::Metrics, Arc::new(FixedClock)).unwrap()
}

fn message() -> Resource {
    Resource { attributes: vec![KeyValue::new("a", AnyValue::text("b".repeat(1000)))] }
}

/// What comes of a request to a receiver that gives this answer.
async fn outcome(answer: Vec<u8>) -> Result<Rejected, Failure> {
    let receiver = Receiver::new().await;
    let exporter = exporter(&settings(&receiver.endpoint));
    let packed = exporter.pack(&message()).unwrap();
    let answers = [answer];
    tokio::join!(exporter.send(packed), receiver.answer(&answers)).0
}

#[tokio::test]
async fn a_message_is_posted_compressed_to_the_path_of_its_signal() {
    let receiver = Receiver::new().await;
    let exporter = exporter(&settings(&receiver.endpoint));
    let packed = exporter.pack(&message()).unwrap();
    let answers = [answer(200, "", b"")];
    let (sent, requests) = tokio::join!(exporter.send(packed), receiver.answer(&answers));
    assert_eq!(sent, Ok(Rejected::default()));
    let (head, body) = &requests[0];
    assert!(head.starts_with("POST /otlp/v1/metrics HTTP/1.1\r\n"), "{head}");
    for line in
        ["content-type: application/x-protobuf", "content-encoding: gzip", "authorization: Bearer t0ken"]
    {
        assert!(head.lines().any(|found| found == line), "{line} is missing in {head}");
    }
    let mut plain = Vec::new();
    GzDecoder::new(&body[..]).read_to_end(&mut plain).unwrap();
    assert_eq!(Resource::decode(&plain[..]), Ok(message()));
    assert!(body.len() * 10 < plain.len());
}

#[tokio::test]
async fn a_message_is_sent_as_it_is_where_nothing_is_compressed() {
    let receiver = Receiver::new().await;
    let exporter = exporter(&OtlpSettings { is_compressed: false, ..settings(&receiver.endpoint) });
    let packed = exporter.pack(&message()).unwrap();
    let answers = [answer(200, "", b"")];
    let (_, requests) = tokio::join!(exporter.send(packed), receiver.answer(&answers));
    let (head, body) = &requests[0];
    assert!(!head.contains("content-encoding"), "{head}");
    assert_eq!(Resource::decode(&body[..]), Ok(message()));
}

#[tokio::test]
async fn only_four_statuses_may_change_by_themselves() {
    for status in [429, 502, 503, 504] {
        let later = outcome(answer(status, "retry-after: 7\r\n", b"")).await;
        let reason = format!("the receiver answers with status {status}");
        assert_eq!(later, Err(Failure::Later(reason, Some(Duration::from_secs(7)))));
    }
    for status in [400, 401, 403, 404, 408, 413, 500, 501] {
        assert!(matches!(outcome(answer(status, "", b"")).await, Err(Failure::Never(_))), "{status}");
    }
    let elsewhere = answer(307, "location: http://127.0.0.1:1/\r\n", b"");
    assert!(matches!(outcome(elsewhere).await, Err(Failure::Later(_, None))));
}

#[tokio::test]
async fn what_is_rejected_in_part_is_not_sent_again_and_a_hint_is_no_failure() {
    let rejected = outcome(partial(3, "too\nold")).await;
    assert_eq!(rejected, Ok(Rejected { count: 3, reason: "too old".to_owned() }));
    assert_eq!(outcome(partial(0, "use less")).await.unwrap().count, 0);
    assert_eq!(outcome(partial(-5, "")).await.unwrap().count, 0);
}

#[tokio::test]
async fn what_a_receiver_says_of_a_failure_is_repeated_in_bounds() {
    let status = Status { message: "bad\u{7} data".to_owned() };
    let answer_of = |kind: &str, body: &[u8]| answer(400, &format!("content-type: {kind}\r\n"), body);
    let never = |words: &str| Err(Failure::Never(format!("the receiver answers with status 400{words}")));
    assert_eq!(outcome(answer_of(PROTOBUF, &status.encode_to_vec())).await, never(": bad  data"));
    assert_eq!(
        outcome(answer_of("text/plain; charset=utf-8", b"out of order\n")).await,
        never(": out of order")
    );
    assert_eq!(outcome(answer_of("text/html", b"<h1>")).await, never(""));
    let long = outcome(answer_of("text/plain", &[b'x'; 5000])).await;
    assert_eq!(long, never(&format!(": {}", "x".repeat(MAX_WORDS))));
}

#[tokio::test]
async fn another_server_that_says_yes_to_everything_is_noticed() {
    for body in [&b"<html>"[..], &[0xff; 9], &vec![0; http::MAX_ANSWER_BYTES + 1]] {
        let Err(Failure::Never(reason)) = outcome(answer(200, "", body)).await else { panic!("{body:?}") };
        assert!(reason.ends_with("check the endpoint"), "{reason}");
    }
}

#[tokio::test]
async fn a_receiver_that_says_nothing_is_given_up_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let exporter = exporter(&OtlpSettings { timeout: Duration::from_millis(50), ..settings(&endpoint) });
    let packed = exporter.pack(&message()).unwrap();
    let silent = exporter.send(packed.clone()).await;
    assert_eq!(silent, Err(Failure::Later("the receiver does not answer in time".to_owned(), None)));
    drop(listener);
    assert!(matches!(exporter.send(packed).await, Err(Failure::Later(_, None))));
}

#[test]
fn settings_that_cannot_be_sent_are_refused_without_their_secrets() {
    let reason =
        |settings: &OtlpSettings| Exporter::new(settings, Signal::Logs, Arc::new(FixedClock)).err().unwrap();
    assert!(reason(&settings("mailto:a")).starts_with("endpoint: "));
    let mut settings = settings("http://localhost");
    settings.headers.insert("x".to_owned(), "s3cret\n".into());
    let refused = reason(&settings);
    assert!(refused.contains("\"x\"") && !refused.contains("s3cret"), "{refused}");
    settings.headers = [("a b".to_owned(), "c".into())].into();
    assert!(reason(&settings).contains("\"a b\" is no name"), "{}", reason(&settings));
}
