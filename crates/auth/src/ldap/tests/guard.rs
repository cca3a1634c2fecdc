//! Many wrong passwords for one account, under every name that it answers to.

use super::*;

/// As directories do, all of these lead to the same entry.
const SPELLINGS: [&str; 11] = [
    "ada king",
    "Ada King",
    "ada  king",
    " ada king ",
    "ada\u{a0}king",
    "ada\u{2003}king",
    "ａda king",
    "ada ｋing",
    "adá king",
    "ada \u{200b}king",
    "ada\u{3000}king",
];
const BOB: &str = "uid=bob,ou=people,dc=example";

/// A directory that takes every name for that of Ada, but that of Bob.
fn folding(request: &Request) -> Vec<Answer> {
    match request {
        Request::Bind { name, password } if name == BOB => {
            vec![bound(if password == "bobpw" { 0 } else { 49 }, "")]
        }
        Request::Search { filter, .. } if asks_for(filter, "bob") && !asks_for(filter, "member") => {
            vec![entry(BOB, &[("uid", &["bob"])]), done(0)]
        }
        Request::Search { filter, .. } if asks_for(filter, "uid") && !asks_for(filter, "member") => {
            vec![entry(ADA, &[("uid", &["ada"])]), done(0)]
        }
        request => directory(request),
    }
}

/// Binds at once, with a principal that the directory does not know.
fn direct(identity: &Identity, server: &TestServer) -> Ldap {
    let user_dn = Some("{user}@ad.example".to_owned());
    let (cache, negative_cache) = (Duration::ZERO, Duration::ZERO);
    Ldap::new(LdapSettings { user_dn, cache, negative_cache, ..settings(identity, &[server]) }).unwrap()
}

fn user_binds(server: &TestServer) -> Vec<String> {
    let names = server.binds().into_iter().map(|(name, _)| name);
    names.filter(|name| name != SERVICE).collect()
}

#[tokio::test(start_paused = true)]
async fn all_spellings_of_a_name_are_one_account() {
    let identity = identity();
    let server = TestServer::start(&identity, Mode::Ldaps, folding);
    let ldap = Ldap::new(settings(&identity, &[&server])).unwrap();
    for name in SPELLINGS {
        rejection(login(&ldap, name, "wrong").await);
    }
    assert!(rejection(login(&ldap, "ada", "adapw").await).contains("15 minutes"));
    assert_eq!(user_binds(&server), [ADA; 3]);
    assert_eq!(login(&ldap, "bob", "bobpw").await.unwrap().name, "bob");

    // What was held back is no answer of the directory, and not remembered as one.
    advance(Duration::from_mins(15)).await;
    assert_eq!(login(&ldap, "ada", "adapw").await.unwrap().name, "ada");
}

#[tokio::test(start_paused = true)]
async fn attempts_at_the_same_time_are_no_way_around() {
    let identity = identity();
    let server = TestServer::start(&identity, Mode::Ldaps, folding);
    let ldap = Arc::new(without_cache(&identity, &[&server]));
    let mut logins = tokio::task::JoinSet::new();
    for name in SPELLINGS {
        let ldap = Arc::clone(&ldap);
        logins.spawn(async move { login(&ldap, name, "wrong").await });
    }
    logins.join_all().await.into_iter().for_each(|result| drop(rejection(result)));
    assert_eq!(user_binds(&server), [ADA; 3]);
}

#[tokio::test(start_paused = true)]
async fn right_passwords_at_the_same_time_are_all_accepted() {
    let identity = identity();
    let server = TestServer::start(&identity, Mode::Ldaps, folding);
    let ldap = Arc::new(without_cache(&identity, &[&server]));
    let mut logins = tokio::task::JoinSet::new();
    for name in SPELLINGS {
        let ldap = Arc::clone(&ldap);
        logins.spawn(async move { login(&ldap, name, "adapw").await });
    }
    assert!(logins.join_all().await.iter().all(Result::is_ok));
}

#[tokio::test(start_paused = true)]
async fn the_right_password_ends_the_count() {
    let identity = identity();
    let server = TestServer::start(&identity, Mode::Ldaps, folding);
    let ldap = without_cache(&identity, &[&server]);
    for _ in 0..3 {
        rejection(login(&ldap, "ada", "wrong").await);
        rejection(login(&ldap, "ａda", "wrong").await);
        login(&ldap, "ada", "adapw").await.unwrap();
    }
    assert_eq!(user_binds(&server).len(), 9);
}

#[tokio::test(start_paused = true)]
async fn without_a_search_an_account_sees_three_failures_and_one() {
    let identity = identity();
    let server = TestServer::start(&identity, Mode::Ldaps, folding);
    let ldap = direct(&identity, &server);
    for name in ["ada king", "ADA KING", " Ada King ", "ada king"].into_iter().chain(SPELLINGS) {
        rejection(login(&ldap, name, "wrong").await);
    }
    let bound =
        ["ada king@ad.example", "ADA KING@ad.example", " Ada King @ad.example", "ａda king@ad.example"];
    assert_eq!(user_binds(&server), bound);
    assert!(rejection(login(&ldap, "zoë", "wrong").await).contains("not ascii"));
    assert_eq!(login(&ldap, "ada", "adapw").await.unwrap().name, "ada");
}

#[tokio::test(start_paused = true)]
async fn without_a_search_odd_blanks_are_never_sent() {
    let identity = identity();
    let server = TestServer::start(&identity, Mode::Ldaps, folding);
    let ldap = direct(&identity, &server);
    for name in ["ada  king", "ada\u{a0}king", "ada\u{2003}king", "ada\u{3000}king"] {
        assert_eq!(rejection(login(&ldap, name, "wrong").await), "nobody can have the name");
    }
    assert_eq!(*server.connections.lock().unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_entry_that_is_found_after_the_bind_is_guarded_too() {
    let identity = identity();
    let server = TestServer::start(&identity, Mode::Ldaps, |request| match request {
        Request::Bind { name, .. } if name.ends_with("@ad.example") => vec![bound(0, "")],
        request => folding(request),
    });
    let ldap = direct(&identity, &server);
    for name in ["a", "b", "c", "d", "e"] {
        rejection(login(&ldap, name, "wrong").await);
    }
    assert_eq!(user_binds(&server).iter().filter(|name| *name == ADA).count(), 3);
}

#[tokio::test(start_paused = true)]
async fn only_passwords_that_a_server_may_have_checked_count() {
    type Applies = fn(&Request) -> bool;
    let counted: [(Applies, Answer, bool); 4] = [
        (|request| *request == Request::StartTls, Answer::Close, false),
        (|request| is_bind_of(request, ADA), bound(51, ""), false),
        (|request| is_bind_of(request, ADA), bound(80, ""), true),
        (|request| is_bind_of(request, ADA), Answer::Close, true),
    ];
    for (applies, answer, counts) in counted {
        let identity = identity();
        let works = Arc::new(AtomicBool::new(false));
        let is_well = Arc::clone(&works);
        let server = TestServer::start(&identity, Mode::StartTls, move |request| {
            match !is_well.load(Ordering::SeqCst) && applies(request) {
                true => vec![answer.clone()],
                false => folding(request),
            }
        });
        let ldap = without_cache(&identity, &[&server]);
        for _ in 0..3 {
            unavailability(login(&ldap, "ada", "adapw").await);
            advance(Duration::from_secs(20)).await;
        }
        works.store(true, Ordering::SeqCst);
        assert_eq!(login(&ldap, "ada", "adapw").await.is_err(), counts);
    }
}
