//! What a browser may bring back, and what else knocks.

use super::*;

fn provider() -> Provider {
    let provider = serde_json::json!({"issuer": "https://sso", "client_id": "cli"});
    serde_json::from_value(provider).unwrap()
}

fn metadata(names_itself: bool) -> Metadata {
    let metadata = serde_json::json!({
        "issuer": "https://sso", "jwks_uri": "https://sso/jwks",
        "authorization_response_iss_parameter_supported": names_itself,
    });
    serde_json::from_value(metadata).unwrap()
}

fn judged(target: &str, names_itself: bool) -> Option<Callback> {
    callback(target, "s1", &provider(), &metadata(names_itself))
}

/// The example of RFC 7636, appendix B.
#[test]
fn a_challenge_is_the_hash_of_its_verifier() {
    assert_eq!(
        challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
        "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    );
    let (one, other) = (unguessable().unwrap(), unguessable().unwrap());
    assert!(one.len() == 43 && one != other);
}

#[test]
fn a_code_counts_with_the_state_and_from_the_provider_that_was_asked() {
    let code = |code: &str| Some(Callback::Code(code.to_owned()));
    assert_eq!(judged("/callback?code=a%20b&state=s1", false), code("a b"));
    assert_eq!(judged("/callback?code=c&state=s1&iss=https%3A%2F%2Fsso", true), code("c"));
    assert_eq!(
        judged("/callback?code=c&state=s1&iss=https%3A%2F%2Fevil", false),
        Some(Callback::OtherProvider)
    );
    assert_eq!(judged("/callback?code=c&state=s1", true), Some(Callback::OtherProvider));
    let refused = Callback::Refused { code: "access_denied".to_owned(), description: "no".to_owned() };
    assert_eq!(judged("/callback?error=access_denied&error_description=no&state=s1", false), Some(refused));
}

#[test]
fn everything_else_is_not_the_one_who_is_waited_for() {
    for target in [
        "/callback?code=c&state=s2",
        "/callback?code=c",
        "/callback?code=c&state=s1&state=s1",
        "/callback?state=s1",
        "/callback?code=a&code=b&state=s1",
        "/callback/x?code=c&state=s1",
        "/favicon.ico",
        "http://evil/callback?code=c&state=s1",
        "callback?code=c&state=s1",
        "*",
        "",
    ] {
        assert_eq!(judged(target, false), None, "{target}");
    }
}

#[test]
fn only_a_get_request_has_a_target() {
    assert_eq!(target("GET /a?b HTTP/1.1\r\nHost: x\r\n\r\n"), Some("/a?b"));
    for head in
        ["POST /a HTTP/1.1\r\n\r\n", "GET /a\r\n\r\n", "GET /a b HTTP/1.1\r\n\r\n", "GET /a FTP\r\n", ""]
    {
        assert_eq!(target(head), None, "{head}");
    }
}

#[tokio::test]
async fn browsers_are_answered_until_one_brings_the_code() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let knock = |request: &'static [u8]| async move {
        let stream = TcpStream::connect(address).await.unwrap();
        write(&stream, request).await.unwrap();
        read_head(&stream).await.unwrap_or_default()
    };
    let knocks = async {
        let strange = knock(b"GET /favicon.ico HTTP/1.1\r\n\r\n").await;
        assert!(strange.starts_with("HTTP/1.1 404 "), "{strange}");
        drop(TcpStream::connect(address).await.unwrap());
        knock(b"GET /callback?code=c&state=s1 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").await
    };
    let (returned, answer) = tokio::join!(wait(&listener, |target| judged(target, false)), knocks);
    assert_eq!(returned.unwrap(), Callback::Code("c".to_owned()));
    for field in
        ["HTTP/1.1 200 ", "Content-Security-Policy: default-src 'none'", "Cache-Control: no-store", "nosniff"]
    {
        assert!(answer.contains(field), "{answer}");
    }
}

#[tokio::test]
async fn a_head_has_an_end() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (server, _) = listener.accept().await.unwrap();
    let endless = vec![b'a'; MAX_REQUEST_BYTES + 1];
    let (head, _) = tokio::join!(read_head(&server), write(&client, &endless));
    assert_eq!(head.unwrap_err().kind(), std::io::ErrorKind::InvalidData);
}
