//! What proxies, those who only say that they are one, and those who have configured one wrongly send.

use http::{HeaderMap, HeaderValue};
use proptest::prelude::*;

use super::*;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn settings() -> ProxySettings {
    ProxySettings {
        name: "nginx".to_owned(),
        addresses: vec!["10.0.0.5".parse().unwrap(), "fd00::/64".parse().unwrap()],
        unix: false,
        secret: Some(SecretString::from(SECRET)),
        secret_header: "X-OpenDCRE-Proxy-Secret".to_owned(),
        user_header: "X-Forwarded-User".to_owned(),
        groups_header: "X-Forwarded-Groups".to_owned(),
        strip_realm: false,
    }
}

fn over_socket() -> ProxySettings {
    ProxySettings { addresses: Vec::new(), unix: true, secret: None, ..settings() }
}

fn headers(fields: &[(&'static str, &[u8])]) -> HeaderMap {
    let field = |(name, value): &(&'static str, &[u8])| {
        (HeaderName::from_static(name), HeaderValue::from_bytes(value).unwrap())
    };
    fields.iter().map(field).collect()
}

/// What `settings` make of header fields that come from `remote`; `unix` for the socket.
fn ask(
    settings: ProxySettings,
    remote: &str,
    fields: &[(&'static str, &[u8])],
) -> Result<Option<Subject>, Failure> {
    let headers = headers(fields);
    let attempt = Attempt { headers: &headers, remote: remote.parse().ok(), certificate: None };
    TrustedProxy::new(settings).unwrap().subject(&attempt)
}

/// What is made of a user that the proxy names with its secret.
fn user(settings: ProxySettings, name: &[u8]) -> Option<String> {
    let fields: &[(_, &[u8])] = &[("x-opendcre-proxy-secret", SECRET.as_bytes()), ("x-forwarded-user", name)];
    ask(settings, "10.0.0.5", fields).ok().flatten().map(|subject| subject.name)
}

const SECRET_FIELD: (&str, &[u8]) = ("x-opendcre-proxy-secret", SECRET.as_bytes());
const ADA: (&str, &[u8]) = ("x-forwarded-user", b"ada");

#[test]
fn a_proxy_with_its_secret_is_believed_where_it_is() {
    let fields = [SECRET_FIELD, ADA, ("x-forwarded-groups", b"ops, night shift,,ops-2 ".as_slice())];
    let expected = Subject {
        name: "ada".to_owned(),
        login: Login::Proxy,
        provider: "nginx".to_owned(),
        groups: vec!["ops".to_owned(), "night shift".to_owned(), "ops-2".to_owned()],
        grants: Vec::new(),
    };
    for remote in ["10.0.0.5", "::ffff:10.0.0.5", "fd00::7"] {
        assert_eq!(ask(settings(), remote, &fields), Ok(Some(expected.clone())), "{remote}");
    }
    for elsewhere in ["10.0.0.6", "fd00:1::1", "127.0.0.1", "unix"] {
        assert_eq!(ask(settings(), elsewhere, &fields), Ok(None), "{elsewhere}");
    }
}

#[test]
fn the_socket_may_do_without_a_secret_but_a_secret_that_is_set_counts() {
    assert!(ask(over_socket(), "unix", &[ADA]).unwrap().is_some());
    assert_eq!(ask(over_socket(), "127.0.0.1", &[ADA]), Ok(None));
    let with_secret = || ProxySettings { secret: Some(SecretString::from(SECRET)), ..over_socket() };
    assert!(ask(with_secret(), "unix", &[ADA]).is_err());
    assert!(ask(with_secret(), "unix", &[ADA, SECRET_FIELD]).unwrap().is_some());
}

#[test]
fn a_user_without_the_secret_is_refused() {
    let short = &SECRET.as_bytes()[..31];
    let mut long = SECRET.as_bytes().to_vec();
    long.push(b'x');
    let wrong: [&[u8]; 4] = [b"", short, &long, b"fedcba9876543210fedcba9876543210"];
    for secret in wrong {
        let failure = ask(settings(), "10.0.0.5", &[("x-opendcre-proxy-secret", secret), ADA]).unwrap_err();
        assert!(failure.to_string().contains("wrong secret"), "{failure}");
        assert!(!failure.to_string().contains(SECRET), "{failure}");
    }
    let failure = ask(settings(), "10.0.0.5", &[ADA]).unwrap_err();
    assert!(failure.to_string().contains("without the secret"), "{failure}");
    assert_eq!(ask(settings(), "10.0.0.5", &[SECRET_FIELD]), Ok(None), "nobody is named");
    assert_eq!(ask(settings(), "10.0.0.5", &[]), Ok(None));
}

#[test]
fn what_is_there_twice_is_refused() {
    for twice in [ADA, SECRET_FIELD, ("x-forwarded-groups", b"ops".as_slice())] {
        let fields = [ADA, SECRET_FIELD, ("x-forwarded-groups", b"ops".as_slice()), twice];
        let failure = ask(settings(), "10.0.0.5", &fields).unwrap_err();
        assert!(failure.to_string().contains("several"), "{failure}");
    }
}

#[test]
fn what_is_no_name_is_refused() {
    let long = [b'x'; 257];
    let bad: [&[u8]; 13] = [
        b"",
        b"   ",
        b" ada",
        b"-",
        b"(null)",
        b"{http.request.header.Remote-User}",
        b"%{REMOTE_USER}e",
        b"$remote_user",
        b"a\tb",
        b"\xff\xfe",
        "ada\u{202e}".as_bytes(),
        "a\u{200b}da".as_bytes(),
        &long,
    ];
    for name in bad {
        assert_eq!(user(settings(), name), None, "{:?}", String::from_utf8_lossy(name));
    }
    for name in ["ada", "Ada Lovelace", "zoë", "host-7$", "CORP\\ada", "HTTP/web.example", &"x".repeat(256)]
    {
        assert_eq!(user(settings(), name.as_bytes()).as_deref(), Some(name));
    }
}

#[test]
fn the_realm_is_left_out_where_it_says_nothing() {
    let stripping = || ProxySettings { strip_realm: true, ..settings() };
    assert_eq!(user(stripping(), b"ada@AD.TEST").as_deref(), Some("ada"));
    assert_eq!(user(stripping(), b"ada@example@AD.TEST").as_deref(), Some("ada@example"));
    assert_eq!(user(stripping(), b"ada").as_deref(), Some("ada"));
    assert_eq!(user(settings(), b"ada@AD.TEST").as_deref(), Some("ada@AD.TEST"));
    for nobody in ["@AD.TEST", "-@AD.TEST", "(null)@AD.TEST"] {
        assert_eq!(user(stripping(), nobody.as_bytes()), None, "{nobody}");
    }
}

#[test]
fn where_a_client_is_only_the_proxy_itself_can_say() {
    let client = |from: &str, fields: &[(&'static str, &[u8])]| {
        let headers = headers(fields);
        let attempt = Attempt { headers: &headers, remote: Some(from.parse().unwrap()), certificate: None };
        TrustedProxy::new(settings()).unwrap().client(&attempt).map(|client| client.to_string())
    };
    let forwarded = |value: &'static [u8]| ("x-forwarded-for", value);
    for (value, expected) in [
        (&b"203.0.113.7"[..], Some("203.0.113.7")),
        (b"198.51.100.1, 203.0.113.7", Some("203.0.113.7")),
        (b"203.0.113.7:4711", Some("203.0.113.7")),
        (b"2001:db8::7", Some("2001:db8::7")),
        (b"[2001:db8::7]:4711", Some("2001:db8::7")),
        (b"::ffff:203.0.113.7", Some("203.0.113.7")),
        (b"203.0.113.7, unknown", None),
        (b"", None),
    ] {
        let found = client("10.0.0.5", &[SECRET_FIELD, forwarded(value)]);
        assert_eq!(found.as_deref(), expected, "{value:?}");
    }
    assert_eq!(client("10.0.0.5", &[SECRET_FIELD]), None);
    assert_eq!(client("10.0.0.5", &[forwarded(b"203.0.113.7")]), None);
    assert_eq!(client("192.0.2.1", &[SECRET_FIELD, forwarded(b"203.0.113.7")]), None);
}

#[test]
fn groups_are_bounded() {
    let ask_with = |groups: &str| {
        let fields: &[(_, &[u8])] = &[SECRET_FIELD, ADA, ("x-forwarded-groups", groups.as_bytes())];
        ask(settings(), "10.0.0.5", fields).map(|subject| subject.unwrap().groups)
    };
    assert_eq!(ask_with("").unwrap(), Vec::<String>::new());
    assert_eq!(ask_with("(null)").unwrap(), Vec::<String>::new());
    assert_eq!(ask_with(&vec!["g"; 1_000].join(",")).unwrap().len(), 1_000);
    assert!(ask_with(&vec!["g"; 1_001].join(",")).is_err());
    assert!(ask_with(&"g".repeat(257)).is_err());
    assert!(ask_with("a\tb").is_err());
}

#[test]
fn nobody_is_believed_by_mistake() {
    let reason = |settings| TrustedProxy::new(settings).unwrap_err().to_string();
    let nowhere = ProxySettings { addresses: Vec::new(), ..settings() };
    assert!(reason(nowhere).contains("from nowhere"));
    assert!(reason(ProxySettings { secret: None, ..settings() }).contains("needs a secret"));
    assert!(reason(ProxySettings { secret: None, unix: true, ..settings() }).contains("needs a secret"));
    for secret in ["", "short", "with blanks in between", &"x".repeat(257)] {
        let settings = ProxySettings { secret: Some(SecretString::from(secret)), ..settings() };
        assert!(reason(settings).contains("16 to 256"), "{secret:?}");
    }
    for header in ["", "a b", "Authorization", "x-opendcre-proxy-secret"] {
        let settings = ProxySettings { user_header: header.to_owned(), ..settings() };
        assert!(reason(settings).contains("three different"), "{header:?}");
    }
    let settings = ProxySettings { groups_header: "X-FORWARDED-USER".to_owned(), ..settings() };
    assert!(reason(settings).contains("three different"));
}

#[test]
fn a_secret_is_not_shown() {
    let proxy = TrustedProxy::new(settings()).unwrap();
    assert!(!format!("{proxy:?} {:?}", settings()).contains(SECRET));
}

proptest! {
    #[test]
    fn hostile_headers_name_somebody_visible_or_nobody(
        name in prop::collection::vec(32..=255_u8, 0..300),
        groups in prop::collection::vec(32..=255_u8, 0..300),
    ) {
        let fields: &[(_, &[u8])] = &[SECRET_FIELD, ("x-forwarded-user", &name), ("x-forwarded-groups", &groups)];
        prop_assume!(fields.iter().all(|(_, value)| HeaderValue::from_bytes(value).is_ok()));
        if let Ok(Some(subject)) = ask(settings(), "10.0.0.5", fields) {
            prop_assert!(subject.groups.iter().chain([&subject.name]).all(|name| is_name(name)));
        }
    }
}
