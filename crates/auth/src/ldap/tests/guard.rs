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
    open(LdapSettings { user_dn, cache, negative_cache, ..settings(identity, &[server]) }).unwrap()
}

fn user_binds(server: &TestServer) -> Vec<String> {
    let names = server.binds().into_iter().map(|(name, _)| name);
    names.filter(|name| name != SERVICE).collect()
}

#[tokio::test(start_paused = true)]
async fn all_spellings_of_a_name_are_one_account() {
    let identity = identity();
    let server = TestServer::start(&identity, Mode::Ldaps, folding);
    let ldap = open(settings(&identity, &[&server])).unwrap();
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

#[tokio::test(start_paused = true)]
async fn what_has_failed_counts_for_the_description_that_takes_the_place_of_another() {
    let identity = identity();
    let server = TestServer::start(&identity, Mode::Ldaps, folding);
    let guard = Arc::<BindGuard>::default();
    for number in 0..5 {
        let ldap = Ldap::new(settings(&identity, &[&server]), Arc::clone(&guard)).unwrap();
        rejection(login(&ldap, "ada", &format!("wrong {number}")).await);
    }
    assert_eq!(user_binds(&server), [ADA; 3]);
}

#[tokio::test(start_paused = true)]
async fn all_descriptions_of_a_directory_count_together() {
    let identity = identity();
    let server = TestServer::start(&identity, Mode::Ldaps, folding);
    let all = || settings(&identity, &[&server]);
    let user_dn = |name: &str| Some(name.to_owned());
    let descriptions = [
        all(),
        LdapSettings { name: "staff".to_owned(), user_base: user_dn("OU=People, DC=Example"), ..all() },
        LdapSettings { user_dn: user_dn("userid={user}, ou=People,dc=example"), ..all() },
        LdapSettings { user_dn: user_dn("{user}@ad.example"), ..all() },
        LdapSettings { user_dn: user_dn("{user}"), user_base: user_dn("dc=example"), ..all() },
    ];
    for first in &descriptions {
        let guard = Arc::<BindGuard>::default();
        let before = user_binds(&server).len();
        for settings in [first].into_iter().chain(&descriptions) {
            let ldap = Ldap::new(settings.clone(), Arc::clone(&guard)).unwrap();
            for name in ["ada", "ADA", "Ada", "aDa"] {
                rejection(login(&ldap, name, "wrong").await);
            }
        }
        assert_eq!(user_binds(&server).len() - before, 3, "{:?}", user_binds(&server));
    }
}

/// An Active Directory, in which Ada is called by her account and by her principal name.
fn active_directory(request: &Request) -> Vec<Answer> {
    let names = ["ada", "ada@ad.example", "king@ad.example", "AD\\ada"];
    match request {
        Request::Bind { name, password } if names.contains(&name.to_lowercase().as_str()) => {
            vec![bound(if password == "adapw" { 0 } else { 49 }, "")]
        }
        Request::Bind { name, password } if name == "ada@other.example" => {
            vec![bound(if password == "otherpw" { 0 } else { 49 }, "")]
        }
        Request::Search { filter, .. } if asks_for(filter, "king") && !asks_for(filter, "member") => {
            vec![entry(ADA, &[("uid", &["ada"])]), done(0)]
        }
        Request::Search { filter, .. } if asks_for(filter, "other") && !asks_for(filter, "member") => {
            vec![entry("uid=other,dc=other", &[("uid", &["other"])]), done(0)]
        }
        Request::Bind { name, password } if name == "uid=other,dc=other" => {
            vec![bound(if password == "otherpw" { 0 } else { 49 }, "")]
        }
        request => directory(request),
    }
}

fn whatever_is_typed(identity: &Identity, server: &TestServer) -> Ldap {
    let (cache, negative_cache) = (Duration::ZERO, Duration::ZERO);
    let user_dn = Some("{user}".to_owned());
    open(LdapSettings { user_dn, cache, negative_cache, ..settings(identity, &[server]) }).unwrap()
}

#[tokio::test(start_paused = true)]
async fn names_with_and_without_a_domain_are_one_account() {
    let identity = identity();
    let server = TestServer::start(&identity, Mode::Ldaps, active_directory);
    let ldap = whatever_is_typed(&identity, &server);
    for name in ["ada", "ada@ad.example", "ADA@AD", "ada", "Ada@ad.example", "ada@AD"] {
        rejection(login(&ldap, name, "wrong").await);
    }
    assert_eq!(user_binds(&server).len(), 3);
}

#[tokio::test(start_paused = true)]
async fn somebody_of_the_same_name_elsewhere_does_not_excuse_failures() {
    let identity = identity();
    let server = TestServer::start(&identity, Mode::Ldaps, active_directory);
    let ldap = whatever_is_typed(&identity, &server);
    for _ in 0..3 {
        rejection(login(&ldap, "ada", "wrong").await);
        // Not after the third: that name could be hers.
        let _ = login(&ldap, "ada@other.example", "otherpw").await;
    }
    rejection(login(&ldap, "ada", "wrong").await);
    assert_eq!(user_binds(&server).iter().filter(|name| *name == "ada").count(), 3);
}

#[tokio::test(start_paused = true)]
async fn names_that_have_led_to_one_entry_are_one_account() {
    let identity = identity();
    let server = TestServer::start(&identity, Mode::Ldaps, active_directory);
    let ldap = whatever_is_typed(&identity, &server);
    for name in ["ada", "king@ad.example"] {
        login(&ldap, name, "adapw").await.unwrap();
    }
    let before = user_binds(&server).len();
    for name in ["ada", "king@ad.example", "ADA", "king@AD.example", "ada", "king@ad.example"] {
        rejection(login(&ldap, name, "wrong").await);
    }
    assert_eq!(user_binds(&server).len() - before, 3);
}
