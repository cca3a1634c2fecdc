//! Receivers of the test: what is posted to them, and what their answers mean.

use reqwest::header::RETRY_AFTER;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use super::*;
use crate::http::MAX_ANSWER_BYTES;
use crate::http::testing::request;
use crate::notice::Missed;
use crate::notice::testing::event;
use crate::testing::{Authority, closed_port, soon};

const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);

#[derive(Debug)]
struct FixedClock;

impl WallClock for FixedClock {
    fn now(&self) -> Timestamp {
        NOW
    }
}

fn settings(url: &str, timeout: Duration) -> WebhookSettings {
    WebhookSettings {
        name: "noc".to_owned(),
        url: url.to_owned(),
        secret: "s3cret".into(),
        roots: RootCertStore::empty(),
        identity: None,
        timeout,
        patience: Duration::from_secs(3600),
        filter: Filter::default(),
    }
}

fn webhook(url: &str, timeout: Duration) -> Webhook {
    Webhook::new(&settings(url, timeout), "dcre-1", Arc::new(FixedClock)).unwrap()
}

/// Delivers `notice` to a receiver that says `answer`, and returns what came of that and what the receiver got.
async fn exchange(notice: &Notice, answer: &str) -> (Result<(), Failure>, (String, String)) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook?a=b", listener.local_addr().unwrap());
    let mut webhook = webhook(&url, Duration::from_secs(60));
    let receive = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let (head, body) = request(&mut stream).await;
        // Of a long answer not everything may be read.
        let _ = stream.write_all(answer.as_bytes()).await;
        (head, String::from_utf8(body).unwrap())
    };
    soon("a notice is posted and answered", async { tokio::join!(webhook.deliver(notice), receive) }).await
}

#[tokio::test]
async fn an_event_is_posted_with_its_number_and_a_signature() {
    let notice = Notice::Event(Box::new(event(12)));
    let (delivered, (head, body)) = exchange(&notice, "HTTP/1.1 204 No Content\r\n\r\n").await;
    assert_eq!(delivered, Ok(()));
    assert!(head.starts_with("POST /hook?a=b HTTP/1.1\r\n"), "{head}");
    assert_eq!(
        body,
        "{\"source\":\"dcre-1\",\"event\":{\"sequence\":12,\"time\":\"2027-01-15T08:00:00Z\",\"kind\":\"health_changed\",\
         \"severity\":\"critical\",\"rack\":\"rack_1\",\"board\":\"00000011\",\"name\":\"web-01\",\"device\":\"0dff\",\
         \"message\":\"inlet of web-01 is critical: 47 °C\",\"detail\":{\"value\":47}}}"
    );
    let signature = signature::sign(&"s3cret".into(), "1800000000", body.as_bytes());
    for line in [
        "content-type: application/json",
        "x-opendcre-event: 12",
        "x-opendcre-timestamp: 1800000000",
        &format!("x-opendcre-signature: {signature}"),
        concat!("user-agent: opendcre/", env!("CARGO_PKG_VERSION")),
    ] {
        assert!(head.lines().any(|found| found == line), "{line} is missing in {head}");
    }
}

#[tokio::test]
async fn what_is_missing_is_posted_too() {
    let notice = Notice::Missed(Missed { count: 3, after: 7 });
    let (delivered, (head, body)) = exchange(&notice, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
    assert_eq!(delivered, Ok(()));
    assert_eq!(body, "{\"source\":\"dcre-1\",\"missed\":{\"count\":3,\"after\":7}}");
    assert!(head.contains("\r\nx-opendcre-event: missed-7\r\n"), "{head}");
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_a_huge_answer_not_read_to_its_end() {
    let notice = Notice::Event(Box::new(event(12)));
    let answer = "HTTP/1.1 307 Elsewhere\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n";
    let (delivered, _) = exchange(&notice, answer).await;
    assert_eq!(delivered, Err(Failure::Later("the receiver answers with status 307".to_owned(), None)));
    let huge =
        format!("HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n{}", "x".repeat(2 * MAX_ANSWER_BYTES));
    assert_eq!(exchange(&notice, &huge).await.0, Ok(()));
}

#[tokio::test]
async fn a_receiver_that_says_nothing_is_given_up_in_time_and_named_by_nothing_secret() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/t0ken", listener.local_addr().unwrap());
    let notice = Notice::Event(Box::new(event(12)));
    let mut silent = webhook(&url, Duration::from_millis(50));
    let silent = soon("a silent receiver is given up", silent.deliver(&notice)).await;
    assert_eq!(silent, Err(Failure::Later("the receiver does not answer in time".to_owned(), None)));
    let (_held, port) = closed_port();
    let mut absent = webhook(&format!("http://127.0.0.1:{port}/t0ken"), Duration::from_secs(60));
    let absent = soon("a receiver that is not there is given up", absent.deliver(&notice)).await;
    let Err(Failure::Later(reason, None)) = absent else { panic!("{absent:?}") };
    assert!(!reason.contains("t0ken"), "{reason}");
}

#[tokio::test]
async fn a_receiver_may_want_to_know_who_posts() {
    let (authority, notice) = (Authority::new(), Notice::Event(Box::new(event(12))));
    let (listener, acceptor) = (TcpListener::bind("127.0.0.1:0").await.unwrap(), authority.server());
    let url = format!("https://localhost:{}/hook", listener.local_addr().unwrap().port());
    for identity in [Some(authority.client()), None] {
        let is_known = identity.is_some();
        let (roots, usual) = (authority.roots.clone(), settings(&url, Duration::from_secs(60)));
        let settings = WebhookSettings { roots, identity, ..usual };
        let mut webhook = Webhook::new(&settings, "dcre-1", Arc::new(FixedClock)).unwrap();
        let receive = async {
            let (stream, _) = listener.accept().await.unwrap();
            let Ok(mut stream) = acceptor.accept(stream).await else { return };
            request(&mut stream).await;
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
        };
        let posting = async { tokio::join!(webhook.deliver(&notice), receive) };
        let (delivered, ()) = soon("a notice is posted and answered", posting).await;
        assert_eq!(delivered.is_ok(), is_known, "{delivered:?}");
    }
}

#[test]
fn some_answers_are_final() {
    let judge = |status: u16| judge(StatusCode::from_u16(status).unwrap(), &HeaderMap::new(), NOW);
    for status in [200, 201, 202, 204] {
        assert_eq!(judge(status), Ok(()));
    }
    for status in [400, 401, 403, 404, 410, 413, 422] {
        assert!(matches!(judge(status), Err(Failure::Never(_))), "{status}");
    }
    for status in [301, 302, 304, 408, 429, 500, 502, 503, 504] {
        assert!(matches!(judge(status), Err(Failure::Later(_, None))), "{status}");
    }
}

#[test]
fn receivers_say_for_how_long_they_want_to_be_left_alone() {
    let headers = HeaderMap::from_iter([(RETRY_AFTER, "7".parse().unwrap())]);
    let later = judge(StatusCode::SERVICE_UNAVAILABLE, &headers, NOW);
    assert!(matches!(later, Err(Failure::Later(_, Some(wish))) if wish == Duration::from_secs(7)));
}
