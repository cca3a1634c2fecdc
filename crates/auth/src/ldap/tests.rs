//! Logins against a scripted server that behaves and misbehaves. Time passes only where a test says so.

mod guard;
mod unknown;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use opendcre_model::{Login, Subject};
use secrecy::SecretString;
use tokio::time::advance;

use super::ber::{OCTET_STRING, SEQUENCE, put, put_nested};
use super::test_server::{
    Answer, Identity, Mode, Request, TestServer, bound, done, done_with_more, entry, extended, message,
    reference,
};
use super::{BindGuard, GroupLookup, Ldap, LdapSettings, SettingsError};
use crate::Failure;

const ADA: &str = "uid=ada,ou=people,dc=example";
const SERVICE: &str = "cn=svc,dc=example";

fn settings(identity: &Identity, servers: &[&TestServer]) -> LdapSettings {
    LdapSettings {
        name: "corp".to_owned(),
        urls: servers.iter().map(|server| server.url.clone()).collect(),
        roots: Some(vec![identity.root.clone()]),
        bind_dn: Some(SERVICE.to_owned()),
        bind_password: Some(SecretString::from("svcpw")),
        user_base: Some("ou=people,dc=example".to_owned()),
        user_filter: Some("(uid={user})".to_owned()),
        user_dn: None,
        name_attribute: "uid".to_owned(),
        groups: Some(GroupLookup::GroupOfNames),
        group_base: Some("ou=groups,dc=example".to_owned()),
        group_name: "cn".to_owned(),
        timeout: Duration::from_secs(5),
        cache: Duration::from_secs(60),
        negative_cache: Duration::from_secs(10),
    }
}

fn open(settings: LdapSettings) -> Result<Ldap, SettingsError> {
    Ldap::new(settings, Arc::default())
}

fn without_cache(identity: &Identity, servers: &[&TestServer]) -> Ldap {
    let none = Duration::ZERO;
    open(LdapSettings { cache: none, negative_cache: none, ..settings(identity, servers) }).unwrap()
}

async fn login(ldap: &Ldap, name: &str, password: &str) -> Result<Subject, Failure> {
    ldap.authenticate(name, &SecretString::from(password)).await
}

fn identity() -> Identity {
    Identity::new("127.0.0.1")
}

fn asks_for(filter: &[u8], text: &str) -> bool {
    filter.windows(text.len()).any(|window| window == text.as_bytes())
}

/// A server as it should be. Ada is an operator; operators are staff, and staff are operators.
fn directory(request: &Request) -> Vec<Answer> {
    match request {
        Request::StartTls => vec![extended(0)],
        // As RFC 4513 §5.1.2 has it: without a password everybody is anonymous, and welcome.
        Request::Bind { password, .. } if password.is_empty() => vec![bound(0, "")],
        Request::Bind { name, password } => {
            let known = [(SERVICE, "svcpw"), (ADA, "adapw"), ("ada@ad.example", "adapw")];
            vec![bound(if known.contains(&(name, password)) { 0 } else { 49 }, "")]
        }
        Request::Search { filter, .. } => {
            let mut found = Vec::new();
            if asks_for(filter, "CN=Operators") {
                found.push(entry("cn=staff,ou=groups,dc=example", &[("cn", &["staff"])]));
            } else if asks_for(filter, "member") {
                found.push(entry("CN=Operators,ou=groups,dc=example", &[]));
                found.push(entry("cn=operators,ou=groups,dc=example", &[]));
            } else if asks_for(filter, "ada") || asks_for(filter, "ADA") {
                found.push(entry(ADA, &[("uid", &["ada"])]));
            }
            found.push(reference("ldap://elsewhere.example/dc=example"));
            found.push(done(0));
            found
        }
    }
}

fn is_search_for(request: &Request, text: &str) -> bool {
    matches!(request, Request::Search { filter, .. } if asks_for(filter, text))
}

fn is_bind_of(request: &Request, who: &str) -> bool {
    matches!(request, Request::Bind { name, .. } if name == who)
}

/// A server that answers one kind of request in its own way.
fn with_fault(
    applies: impl Fn(&Request) -> bool + Send + Sync + 'static,
    fault: Vec<Answer>,
) -> impl Fn(&Request) -> Vec<Answer> + Send + Sync + 'static {
    move |request| if applies(request) { fault.clone() } else { directory(request) }
}

fn rejection(result: Result<Subject, Failure>) -> String {
    match result {
        Err(Failure::Rejected { reason }) => reason,
        other => panic!("not rejected: {other:?}"),
    }
}

fn unavailability(result: Result<Subject, Failure>) -> String {
    match result {
        Err(Failure::Unavailable { provider, reason }) => {
            assert_eq!(provider, "corp");
            reason
        }
        other => panic!("not unavailable: {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_user_with_the_right_password_is_who_the_directory_says() {
    for mode in [Mode::Ldaps, Mode::StartTls] {
        let identity = identity();
        let server = TestServer::start(&identity, mode, directory);
        let subject = login(&without_cache(&identity, &[&server]), "ADA", "adapw").await.unwrap();
        assert_eq!(subject.name, "ada");
        assert_eq!(subject.login, Login::Ldap);
        assert_eq!(subject.provider, "corp");
        assert_eq!(subject.groups, ["Operators", "staff"]);
        assert!(subject.grants.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn everybody_else_is_rejected() {
    let identity = identity();
    let server = TestServer::start(&identity, Mode::Ldaps, directory);
    let ldap = without_cache(&identity, &[&server]);
    assert!(rejection(login(&ldap, "ada", "wrong").await).contains("code 49"));
    for name in ["ghost", "*", "a*", "x)(uid=*"] {
        assert_eq!(rejection(login(&ldap, name, "adapw").await), "no entry has the name", "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_anybody_is_never_sent() {
    let identity = identity();
    let server = TestServer::start(&identity, Mode::Ldaps, directory);
    let ldap = without_cache(&identity, &[&server]);
    for (name, password) in [("ada", ""), ("ada", "\0"), ("", "adapw"), ("a\0", "adapw"), ("a\n", "adapw")] {
        rejection(login(&ldap, name, password).await);
    }
    assert_eq!(*server.connections.lock().unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn several_entries_are_nobody() {
    let two = vec![entry(ADA, &[("uid", &["ada"])]), entry("uid=eve", &[("uid", &["ada"])])];
    for end in [0, 4] {
        let identity = identity();
        let answers = [two.clone(), vec![done(end)]].concat();
        let server =
            TestServer::start(&identity, Mode::Ldaps, with_fault(|r| is_search_for(r, "uid"), answers));
        let ldap = without_cache(&identity, &[&server]);
        assert_eq!(rejection(login(&ldap, "ada", "adapw").await), "several entries have the name");
        assert!(server.binds().iter().all(|(name, password)| name != ADA && password != "adapw"));
    }
}

#[tokio::test(start_paused = true)]
async fn an_entry_without_a_name_is_not_bound() {
    let identity = identity();
    let server = TestServer::start(&identity, Mode::Ldaps, |request| match request {
        Request::Search { .. } => vec![entry("", &[("uid", &["ada"])]), done(0)],
        _ => vec![bound(0, "")],
    });
    assert!(
        unavailability(login(&without_cache(&identity, &[&server]), "ada", "x").await).contains("no name")
    );
    assert_eq!(server.binds().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn each_user_binds_alone_and_the_service_connection_is_kept() {
    let identity = identity();
    let server = TestServer::start(&identity, Mode::Ldaps, directory);
    let ldap = without_cache(&identity, &[&server]);
    for _ in 0..3 {
        login(&ldap, "ada", "adapw").await.unwrap();
        rejection(login(&ldap, "ada", "wrong").await);
        rejection(login(&ldap, "ghost", "wrong").await);
    }
    assert_eq!(*server.connections.lock().unwrap(), 1 + 9);
    assert_eq!(server.binds().iter().filter(|(name, _)| name == SERVICE).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_kept_connection_that_was_closed_is_replaced() {
    let identity = identity();
    let close = vec![done(0), Answer::Close];
    let server =
        TestServer::start(&identity, Mode::Ldaps, with_fault(|r| is_search_for(r, "cn=staff"), close));
    let ldap = without_cache(&identity, &[&server]);
    for _ in 0..3 {
        login(&ldap, "ada", "adapw").await.unwrap();
        // Both connections have ended, and the runtime has seen it.
        server.quiet.acquire_many(2).await.unwrap().forget();
        tokio::task::spawn_blocking(|| ()).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_direct_bind_reads_with_the_connection_of_the_user() {
    let identity = identity();
    let server = TestServer::start(&identity, Mode::Ldaps, directory);
    let direct = |user_dn: &str| LdapSettings {
        user_dn: Some(user_dn.to_owned()),
        bind_dn: None,
        bind_password: None,
        negative_cache: Duration::ZERO,
        cache: Duration::ZERO,
        ..settings(&identity, &[&server])
    };
    // The entry with this name is read with a filter that the script knows.
    let ldap = open(direct("uid={user},ou=people,dc=example")).unwrap();
    assert_eq!(login(&ldap, "ada", "adapw").await.unwrap().groups, ["Operators", "staff"]);
    rejection(login(&ldap, "ada,ou=people", "adapw").await);
    assert_eq!(server.binds().last().unwrap().0, r"uid=ada\,ou\=people,ou=people,dc=example");

    let ldap = open(direct("{user}@ad.example")).unwrap();
    assert_eq!(login(&ldap, "ada", "adapw").await.unwrap().name, "ada");
    assert_eq!(server.binds().last().unwrap().0, ADA);
}

#[tokio::test(start_paused = true)]
async fn the_entry_that_is_found_must_be_of_who_was_bound() {
    let identity = identity();
    let other = vec![entry("uid=root,ou=people,dc=example", &[("uid", &["root"])]), done(0)];
    let server = TestServer::start(&identity, Mode::Ldaps, with_fault(|r| is_search_for(r, "uid"), other));
    let user_dn = Some("{user}@ad.example".to_owned());
    let ldap = open(LdapSettings { user_dn, ..settings(&identity, &[&server]) }).unwrap();
    rejection(login(&ldap, "ada", "adapw").await);
}

#[tokio::test(start_paused = true)]
async fn without_tls_nothing_is_asked() {
    let mut injected = message(1, 0x78, &[0x0a, 1, 0, 4, 0, 4, 0], &[]);
    injected.extend(message(2, 0x61, &[0x0a, 1, 0, 4, 0, 4, 0], &[]));
    let cases = [
        (extended(2), "does not begin TLS (code 2)"),
        (Answer::Close, "closed"),
        (Answer::Octets(injected), "unasked before TLS"),
        (bound(0, ""), "another question"),
    ];
    for (answer, reason) in cases {
        let identity = identity();
        let fault = with_fault(|request| *request == Request::StartTls, vec![answer]);
        let server = TestServer::start(&identity, Mode::StartTls, fault);
        let found = unavailability(login(&without_cache(&identity, &[&server]), "ada", "adapw").await);
        assert!(found.contains(reason), "{found}");
        assert_eq!(*server.requests.lock().unwrap(), [Request::StartTls]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_certificate_of_somebody_else_ends_it() {
    for mode in [Mode::Ldaps, Mode::StartTls] {
        for (trusted, shown) in [(identity(), identity()), {
            let wrong_name = Identity::new("dc1.example");
            (wrong_name.clone(), wrong_name)
        }] {
            let server = TestServer::start(&shown, mode, directory);
            let reason = unavailability(login(&without_cache(&trusted, &[&server]), "ada", "adapw").await);
            assert!(reason.contains("invalid peer certificate"), "{reason}");
            assert!(server.binds().is_empty());
        }
    }
}

/// Elements one inside the other, thousands of them.
fn nested() -> Vec<u8> {
    let inside = (0..20_000_u32).rev().map(|count| (count * 6).to_be_bytes());
    inside.flat_map(|length| [&[SEQUENCE, 0x84], &length[..]].concat()).collect()
}

/// Ways to answer that are no answer.
fn garbage() -> Vec<Vec<Answer>> {
    let mut ill_formed = Vec::new();
    put_nested(&mut ill_formed, SEQUENCE, |out| put(out, OCTET_STRING, &[0xff]));
    vec![
        vec![Answer::Close],
        vec![Answer::Octets(message(2, 0x61, &[0x0a, 1, 0, 4, 0, 4, 0], &[])[..5].to_vec()), Answer::Close],
        vec![Answer::Octets(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec())],
        vec![Answer::Octets(vec![0x30, 0x84, 0x7f, 0xff, 0xff, 0xff])],
        vec![Answer::Octets(vec![0x30, 0x80, 0, 0])],
        vec![Answer::Octets(message(99, 0x61, &[0x0a, 1, 0, 4, 0, 4, 0], &[]))],
        vec![Answer::Octets(message(0, 0x78, &[0x0a, 1, 52, 4, 0, 4, 0], &[]))],
        vec![Answer::Octets(nested())],
        vec![Answer::Octets(ill_formed)],
        vec![Answer::Say(0x6f, Vec::new())],
        vec![Answer::Say(0x61, Vec::new())],
        vec![Answer::Say(0x64, vec![4, 1, 0xff])],
    ]
}

#[tokio::test(start_paused = true)]
async fn garbage_is_no_answer_and_the_next_server_is_asked() {
    let (search, bind) = (|r: &Request| is_search_for(r, "uid"), |r: &Request| is_bind_of(r, ADA));
    for (case, answers) in garbage().into_iter().enumerate() {
        let identity = identity();
        let bad = [
            TestServer::start(&identity, Mode::Ldaps, with_fault(search, answers.clone())),
            TestServer::start(&identity, Mode::Ldaps, with_fault(bind, answers)),
        ];
        let good = TestServer::start(&identity, Mode::Ldaps, directory);
        for bad in &bad {
            unavailability(login(&without_cache(&identity, &[bad]), "ada", "adapw").await);
            let subject = login(&without_cache(&identity, &[bad, &good]), "ada", "adapw").await;
            assert_eq!(subject.unwrap().name, "ada", "case {case}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_endless_search_ends() {
    let identity = identity();
    let many = vec![entry("uid=x", &[("uid", &["x"])]); 17_000];
    let server = TestServer::start(&identity, Mode::Ldaps, with_fault(|r| is_search_for(r, "uid"), many));
    let reason = unavailability(login(&without_cache(&identity, &[&server]), "ada", "adapw").await);
    assert!(reason.contains("octets for one search"), "{reason}");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_check_passwords_is_no_verdict() {
    for code in [1, 8, 10, 13, 51, 52, 53, 80] {
        let identity = identity();
        let fault = with_fault(|request| is_bind_of(request, ADA), vec![bound(code, "")]);
        let bad = TestServer::start(&identity, Mode::Ldaps, fault);
        let good = TestServer::start(&identity, Mode::Ldaps, directory);
        let reason = unavailability(login(&without_cache(&identity, &[&bad]), "ada", "adapw").await);
        assert!(reason.contains(&format!("code {code}")), "{reason}");
        assert!(login(&without_cache(&identity, &[&bad, &good]), "ada", "adapw").await.is_ok());
    }
}

#[tokio::test(start_paused = true)]
async fn a_search_that_is_refused_is_no_verdict() {
    for code in [1, 3, 10, 11, 32, 50, 51, 80] {
        let identity = identity();
        let server = TestServer::start(
            &identity,
            Mode::Ldaps,
            with_fault(|r| is_search_for(r, "uid"), vec![done(code)]),
        );
        unavailability(login(&without_cache(&identity, &[&server]), "ada", "adapw").await);
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_service_account_says_nothing_about_the_user() {
    let identity = identity();
    let server = TestServer::start(
        &identity,
        Mode::Ldaps,
        with_fault(|r| is_bind_of(r, SERVICE), vec![bound(49, "")]),
    );
    let ldap = without_cache(&identity, &[&server]);
    assert!(unavailability(login(&ldap, "ada", "adapw").await).contains("bind_dn"));
    // It is not tried again at once, which could lock the account.
    unavailability(login(&ldap, "ada", "adapw").await);
    assert_eq!(server.binds().len(), 1);
    advance(Duration::from_secs(1)).await;
    unavailability(login(&ldap, "ada", "adapw").await);
    assert_eq!(server.binds().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_stops_answering_takes_no_longer_than_the_deadline() {
    let partly = message(2, 0x61, &[0x0a, 1, 0, 4, 0, 4, 0], &[])[..9].to_vec();
    for answers in [vec![Answer::Stall], vec![Answer::Octets(partly), Answer::Stall]] {
        let identity = identity();
        let server = TestServer::start(&identity, Mode::Ldaps, with_fault(|r| is_bind_of(r, ADA), answers));
        let ldap = without_cache(&identity, &[&server]);
        let time = async {
            server.quiet.acquire().await.unwrap().forget();
            advance(Duration::from_millis(4999)).await;
            advance(Duration::from_millis(2)).await;
        };
        let (result, ()) = tokio::join!(login(&ldap, "ada", "adapw"), time);
        assert!(unavailability(result).contains("no answer within 5000 ms"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_stopped_server_leaves_time_for_the_next_which_is_then_asked_first() {
    let identity = identity();
    let stopped = TestServer::start(&identity, Mode::StartTls, |_| vec![Answer::Stall]);
    let good = TestServer::start(&identity, Mode::Ldaps, directory);
    let ldap = without_cache(&identity, &[&stopped, &good]);
    let time = async {
        stopped.quiet.acquire().await.unwrap().forget();
        advance(Duration::from_millis(2501)).await;
    };
    let (result, ()) = tokio::join!(login(&ldap, "ada", "adapw"), time);
    assert_eq!(result.unwrap().name, "ada");
    advance(Duration::from_secs(60)).await;
    login(&ldap, "ada", "adapw").await.unwrap();
    assert_eq!(*stopped.connections.lock().unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn only_some_logins_run_at_the_same_time() {
    let identity = identity();
    let server = TestServer::start(&identity, Mode::StartTls, |_| vec![Answer::Stall]);
    let ldap = Arc::new(without_cache(&identity, &[&server]));
    let mut logins = tokio::task::JoinSet::new();
    for _ in 0..12 {
        let ldap = Arc::clone(&ldap);
        logins.spawn(async move { login(&ldap, "ada", "adapw").await });
    }
    server.quiet.acquire_many(8).await.unwrap().forget();
    assert_eq!(*server.connections.lock().unwrap(), 8);
    advance(Duration::from_millis(5001)).await;
    let reasons = logins.join_all().await.into_iter().map(unavailability).collect::<Vec<_>>();
    assert_eq!(reasons.len(), 12);
    assert_eq!(*server.connections.lock().unwrap(), 8);
}

#[tokio::test(start_paused = true)]
async fn groups_come_in_pages() {
    let identity = identity();
    let server = TestServer::start(&identity, Mode::Ldaps, |request| match request {
        Request::Search { filter, cookie, .. } if asks_for(filter, "member") && asks_for(filter, "ada") => {
            match cookie.as_slice() {
                b"" => vec![entry("cn=one", &[]), done_with_more(b"second")],
                b"second" => vec![entry("cn=two", &[]), done_with_more(b"third")],
                _ => vec![entry("cn=three", &[]), done(0)],
            }
        }
        Request::Search { filter, .. } if asks_for(filter, "member") => vec![done(0)],
        request => directory(request),
    });
    let subject = login(&without_cache(&identity, &[&server]), "ada", "adapw").await.unwrap();
    assert_eq!(subject.groups, ["one", "three", "two"]);
}

#[tokio::test(start_paused = true)]
async fn part_of_the_groups_is_not_enough() {
    let part = vec![entry("cn=one,ou=groups", &[]), done(4)];
    for answers in [part, vec![entry("cn=one,ou=groups", &[]), done(50)]] {
        let identity = identity();
        let server =
            TestServer::start(&identity, Mode::Ldaps, with_fault(|r| is_search_for(r, "member"), answers));
        unavailability(login(&without_cache(&identity, &[&server]), "ada", "adapw").await);
    }
    let identity = identity();
    let user = vec![entry(ADA, &[("uid", &["ada"]), ("memberOf;range=0-1", &["cn=one", "cn=two"])]), done(0)];
    let server = TestServer::start(&identity, Mode::Ldaps, with_fault(|r| is_search_for(r, "uid"), user));
    let groups = Some(GroupLookup::MemberOf);
    let ldap = open(LdapSettings { groups, ..settings(&identity, &[&server]) }).unwrap();
    assert!(unavailability(login(&ldap, "ada", "adapw").await).contains("memberOf"));
}

#[tokio::test(start_paused = true)]
async fn endless_nesting_of_groups_ends() {
    let identity = identity();
    let next = std::sync::atomic::AtomicUsize::new(0);
    let server = TestServer::start(&identity, Mode::Ldaps, move |request| {
        if !is_search_for(request, "member") {
            return directory(request);
        }
        vec![entry(&format!("cn=group{}", next.fetch_add(1, Ordering::SeqCst)), &[]), done(0)]
    });
    let reason = unavailability(login(&without_cache(&identity, &[&server]), "ada", "adapw").await);
    assert!(reason.contains("nested more than"), "{reason}");
}

#[tokio::test(start_paused = true)]
async fn member_of_reads_names_that_are_not_in_the_dn() {
    let identity = identity();
    let server = TestServer::start(&identity, Mode::Ldaps, |request| match request {
        Request::Search { base, .. } if base == "cn=two" => {
            vec![entry("cn=two", &[("mail", &["two@x"])]), done(0)]
        }
        Request::Search { filter, .. } if asks_for(filter, "uid") => {
            // The last two would look like the first.
            let of = ["mail=one@x,dc=x", "cn=two", "mail=one@x\u{200b},dc=x", r"mail=one@x\0d,dc=x"];
            vec![entry(ADA, &[("uid", &["ada"]), ("memberOf", &of)]), done(0)]
        }
        request => directory(request),
    });
    let groups = Some(GroupLookup::MemberOf);
    let changed = LdapSettings { groups, group_name: "mail".to_owned(), ..settings(&identity, &[&server]) };
    assert_eq!(login(&open(changed).unwrap(), "ada", "adapw").await.unwrap().groups, ["one@x", "two@x"]);
}

#[tokio::test(start_paused = true)]
async fn the_rule_of_active_directory_is_used_only_there() {
    for capability in ["1.2.840.113556.1.4.800", "1.2.840.113556.1.4.1851"] {
        let identity = identity();
        let server = TestServer::start(&identity, Mode::Ldaps, move |request| match request {
            Request::Search { base, .. } if base.is_empty() => {
                vec![entry("", &[("supportedCapabilities", &[capability])]), done(0)]
            }
            Request::Search { filter, .. } if asks_for(filter, "1.2.840.113556.1.4.1941") => {
                vec![entry("cn=admins", &[]), done(0)]
            }
            request => directory(request),
        });
        let groups = Some(GroupLookup::ActiveDirectory);
        let ldap = open(LdapSettings { groups, ..settings(&identity, &[&server]) }).unwrap();
        let result = login(&ldap, "ada", "adapw").await;
        if capability.ends_with(".800") {
            assert_eq!(result.unwrap().groups, ["admins"]);
        } else {
            assert!(unavailability(result).contains("no Active Directory"));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn answers_are_remembered_for_their_time_and_then_asked_for_again() {
    let identity = identity();
    let demoted = Arc::new(AtomicBool::new(false));
    let script = {
        let demoted = Arc::clone(&demoted);
        move |request: &Request| match demoted.load(Ordering::SeqCst) && is_search_for(request, "member") {
            true => vec![done(0)],
            false => directory(request),
        }
    };
    let server = TestServer::start(&identity, Mode::Ldaps, script);
    let ldap = open(settings(&identity, &[&server])).unwrap();
    let asked = || server.requests.lock().unwrap().len();

    assert_eq!(login(&ldap, "ada", "adapw").await.unwrap().groups.len(), 2);
    demoted.store(true, Ordering::SeqCst);
    let before = asked();
    advance(Duration::from_secs(59)).await;
    assert_eq!(login(&ldap, "ada", "adapw").await.unwrap().groups.len(), 2);
    assert_eq!(asked(), before);

    rejection(login(&ldap, "ada", "wrong").await);
    let before = asked();
    rejection(login(&ldap, "ada", "wrong").await);
    assert_eq!(asked(), before);

    advance(Duration::from_secs(2)).await;
    assert!(login(&ldap, "ada", "adapw").await.unwrap().groups.is_empty());
}

#[tokio::test(start_paused = true)]
async fn that_nobody_knows_is_not_remembered() {
    let identity = identity();
    let busy = Arc::new(AtomicBool::new(true));
    let script = {
        let busy = Arc::clone(&busy);
        move |request: &Request| match busy.load(Ordering::SeqCst) && is_bind_of(request, ADA) {
            true => vec![bound(53, "")],
            false => directory(request),
        }
    };
    let server = TestServer::start(&identity, Mode::Ldaps, script);
    let ldap = open(settings(&identity, &[&server])).unwrap();
    unavailability(login(&ldap, "ada", "adapw").await);
    busy.store(false, Ordering::SeqCst);
    assert!(login(&ldap, "ada", "adapw").await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn no_reason_repeats_the_password() {
    let identity = identity();
    for code in [49, 53] {
        let echo = vec![bound(code, "the password marked-secret is wrong")];
        let server = TestServer::start(&identity, Mode::Ldaps, with_fault(|r| is_bind_of(r, ADA), echo));
        let ldap = without_cache(&identity, &[&server]);
        let failure = login(&ldap, "ada", "marked-secret").await.unwrap_err();
        assert!(!format!("{failure} {failure:?} {ldap:?}").contains("marked-secret"));
    }
}
