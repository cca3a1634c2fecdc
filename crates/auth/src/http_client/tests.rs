//! Which addresses are asked, and what servers may do without doing harm.

use serde_json::{Value, json};

use super::*;
use crate::oidc::testing::{Saying, Server};

fn client(limit: Duration) -> HttpClient {
    HttpClient::new(RootCertStore::empty(), limit).unwrap()
}

#[test]
fn only_this_machine_is_asked_without_tls() {
    for text in [
        "https://sso.example/a",
        "http://127.0.0.1:1/",
        "http://127.9.9.9/",
        "http://[::1]:1/a?b",
        "http://localhost",
    ] {
        assert!(text.parse::<Endpoint>().is_ok(), "{text}");
    }
    for text in [
        "http://sso.example/",
        "http://localhost.evil.example/",
        "http://127.0.0.1.evil.example/",
        "http://10.0.0.1/",
        "http://0.0.0.0/",
        "ftp://localhost/",
        "file:///etc/passwd",
        "https://user@sso.example/",
        "https://u:p@sso.example/",
        "https://sso.example/#a",
        "sso.example",
        "",
    ] {
        assert!(text.parse::<Endpoint>().is_err(), "{text}");
    }
}

#[test]
fn an_address_can_be_given_parameters() {
    let endpoint: Endpoint = "https://sso.example/auth?tenant=1".parse().unwrap();
    let url = endpoint.with_query(&[("scope", "openid groups"), ("state", "a&b")]);
    assert_eq!(url, "https://sso.example/auth?tenant=1&scope=openid+groups&state=a%26b");
}

#[test]
fn authorities_are_certificates_in_pem() {
    let certified = rcgen::generate_simple_self_signed(["sso.example".to_owned()]).unwrap();
    let pem = certified.cert.pem();
    assert_eq!(roots(Some(pem.as_bytes())).unwrap().len(), 1);
    assert_eq!(roots(Some(format!("{pem}\n{pem}").as_bytes())).unwrap().len(), 2);
    assert_eq!(roots(Some(b"")).unwrap_err(), TrustError::Empty);
    let key = certified.signing_key.serialize_pem();
    assert_eq!(roots(Some(key.as_bytes())).unwrap_err(), TrustError::Empty);
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert!(matches!(roots(Some(broken.as_bytes())), Err(TrustError::Malformed(_))));
}

#[test]
fn name_and_secret_of_a_client_may_have_any_characters() {
    let client = ClientSecret { id: "a:b c".to_owned(), secret: "ä%+~".into() };
    let value = client.basic().unwrap();
    let expected = format!("Basic {}", STANDARD.encode("a%3Ab%20c:%C3%A4%25%2B~"));
    assert_eq!(value, expected.as_str());
    assert!(value.is_sensitive() && !format!("{client:?}").contains('~'));
}

#[tokio::test]
async fn answers_are_documents_of_bounded_length() {
    let server = Server::start().await;
    let huge = vec![b' '; MAX_ANSWER_BYTES + 1];
    for (path, saying) in [
        ("/good", Saying::document(&json!({"a": 1}))),
        ("/500", Saying::Answer(500, b"{}".to_vec())),
        ("/garbage", Saying::Answer(200, b"{\"keys\":[{".to_vec())),
        ("/empty", Saying::Answer(200, Vec::new())),
        ("/huge", Saying::Answer(200, huge)),
        ("/redirect", Saying::Redirect(format!("{}/good", server.address))),
        ("/silence", Saying::Silence),
    ] {
        server.say(path, saying);
    }
    let ask = async |path: &str, limit| {
        let endpoint = format!("{}{path}", server.address).parse().unwrap();
        client(limit).get::<Value>(&endpoint).await
    };
    let long = Duration::from_secs(60);
    assert_eq!(ask("/good", long).await.unwrap(), json!({"a": 1}));
    assert!(matches!(ask("/500", long).await, Err(HttpClientError::Status { status: 500, .. })));
    assert!(matches!(ask("/missing", long).await, Err(HttpClientError::Status { status: 404, .. })));
    assert!(matches!(ask("/garbage", long).await, Err(HttpClientError::Malformed { .. })));
    assert!(matches!(ask("/empty", long).await, Err(HttpClientError::Malformed { .. })));
    assert!(matches!(ask("/huge", long).await, Err(HttpClientError::TooLong { .. })));
    assert!(matches!(ask("/redirect", long).await, Err(HttpClientError::Status { status: 302, .. })));
    assert_eq!(server.asked("/good").len(), 1, "a redirect is not followed");
    let silence = ask("/silence", Duration::from_millis(50)).await;
    assert!(matches!(silence, Err(HttpClientError::Transport { .. })), "{silence:?}");
}

#[tokio::test]
async fn a_form_brings_the_secret_and_takes_any_status() {
    let server = Server::start().await;
    server.say("/token", Saying::Answer(400, br#"{"error":"slow_down"}"#.to_vec()));
    let endpoint = format!("{}/token", server.address).parse().unwrap();
    let secret = ClientSecret { id: "api".to_owned(), secret: "s".into() };
    let limit = Duration::from_secs(60);
    let answer = client(limit).post_form(&endpoint, &[("token", "a b&c")], Some(&secret)).await.unwrap();
    assert_eq!((answer.status, answer.json::<Value>().unwrap()), (400, json!({"error": "slow_down"})));
    let [request] = server.asked("/token").try_into().unwrap();
    assert!(request.contains(&format!("authorization: Basic {}", STANDARD.encode("api:s"))), "{request}");
    assert!(request.ends_with("\r\n\r\ntoken=a+b%26c"), "{request}");
}
