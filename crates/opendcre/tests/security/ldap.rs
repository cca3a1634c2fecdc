//! Names and passwords that OpenLDAP knows.

use std::net::{Ipv4Addr, SocketAddr};

use crate::gateway::Gateway;
use crate::relay::Relay;
use crate::request::{Answer, Request};
use crate::service::{MARK, OPENLDAP, password, pki};
use crate::support::eventually;

/// The directory; `more` are further keys of its table.
fn directory(urls: &str, more: &str) -> String {
    format!(
        r#"
        [[auth.ldap]]
        name = "corp"
        urls = [{urls}]
        ca = {:?}
        bind_dn = "uid=svc,ou=people,dc=example,dc=test"
        bind_password_env = "LDAP_PASSWORD"
        user_base = "ou=people,dc=example,dc=test"
        group_base = "ou=groups,dc=example,dc=test"
        {more}
        "#,
        pki("ca.pem")
    )
}

fn start(urls: &str, more: &str) -> Gateway {
    Gateway::start(&directory(urls, more))
}

const LDAPS: &str = "\"ldaps://ldap.test\"";
const NESTED: &str = "groups = \"group_of_names\"";
/// So that every login asks the directory.
const FORGETFUL: &str = "groups = \"group_of_names\"\ncache = \"0s\"\nnegative_cache = \"0s\"";

fn relay() -> (Relay, String) {
    let relay = Relay::to(SocketAddr::from((Ipv4Addr::new(127, 0, 0, 3), 636)));
    let url = format!("\"ldaps://ldap.test:{}\"", relay.port());
    (relay, url)
}

fn known(user: &'static str) -> impl Fn(Request) -> Request {
    move |request| request.known_user(user)
}

fn assert_unavailable(answer: &Answer) {
    assert_eq!((answer.status, answer.code().as_str()), (503, "auth_unavailable"));
}

#[test]
fn groups_give_roles_over_ldaps_and_start_tls() {
    for url in [LDAPS, "\"ldap://ldap.test\""] {
        let gateway = start(url, NESTED);
        assert_eq!(gateway.verbs(known("bob")), "read");
        assert_eq!(gateway.verbs(known("ada")), "read control");
        // One of the senior staff, which is a group of admins.
        assert_eq!(gateway.verbs(known("carol")), "read control configure audit");
        // Somebody whom no grant names may do nothing.
        assert_eq!(gateway.verbs(known("dora")), "");
        gateway.finish();
    }
}

#[test]
fn the_attribute_member_of_gives_roles() {
    let gateway = start(LDAPS, "groups = \"member_of\"");
    assert_eq!(gateway.verbs(known("bob")), "read");
    assert_eq!(gateway.verbs(known("ada")), "read control");
    gateway.finish();
}

#[test]
fn a_bind_without_a_search_needs_no_account() {
    let (urls, user) = ("urls = [\"ldaps://ldap.test\"]", "uid={user},ou=people,dc=example,dc=test");
    let gateway = Gateway::start(&format!(
        "[[auth.ldap]]\nname = \"corp\"\n{urls}\nca = {:?}\nuser_base = \"ou=people,dc=example,dc=test\"\n\
         user_dn = {user:?}\n",
        pki("ca.pem")
    ));
    assert_eq!(gateway.verbs(known("ada")), "read control");
    assert_eq!(gateway.read().user("ada", "").send().status, 401);
    assert_eq!(gateway.read().user("ada,ou=people", &password("ada")).send().status, 401);
    gateway.finish();
}

#[test]
fn everybody_else_gets_the_same_answer() {
    let gateway = start(LDAPS, FORGETFUL);
    let nothing = gateway.read().send();
    assert_eq!((nothing.status, nothing.code().as_str()), (401, "unauthenticated"));
    assert!(nothing.head.to_lowercase().contains("www-authenticate: basic"), "{nothing:?}");
    let wrong = format!("{MARK}-wrong");
    let ada = password("ada");
    // Each name once, and each from an address of its own: nobody waits here for what others have tried.
    let tries = [
        ("ada", wrong.as_str()),
        ("nobody", &wrong),
        // The directory lets everybody in who has no password, as nobody.
        ("bob", ""),
        ("", &ada),
        ("*", &ada),
        ("ad*", &ada),
        ("ada)(uid=*", &ada),
        (")(uid=*", &ada),
        ("*)(|(uid=ada", &ada),
        ("\\61da", &ada),
        ("uid=ada,ou=people,dc=example,dc=test", &ada),
        ("cn=admin,dc=example,dc=test", "s3cr7t-admin"),
        // Right, and of somebody else.
        ("carol", &ada),
    ];
    let attempts = tries.into_iter().enumerate().map(|(index, (name, password))| {
        gateway.read().user(name, password).from(&format!("127.0.7.{}", index + 1))
    });
    let answers: Vec<_> = attempts.map(|attempt| attempt.send().gist()).collect();
    for answer in &answers {
        assert_eq!(answer.0, 401, "{answers:?}");
        assert_eq!(answer, &answers[0]);
    }
    let entries = gateway.finish();
    let refused = entries.iter().filter(|entry| entry.to_string().contains("ada)(uid=*")).count();
    assert_eq!(refused, 1, "{entries:#?}");
}

#[test]
fn names_may_have_any_characters() {
    let gateway = start(LDAPS, NESTED);
    assert_eq!(gateway.verbs(|request| request.user("j*(s)", &password("smith"))), "read control");
    // Known, and in no group.
    assert_eq!(gateway.verbs(known("zoë")), "");
    gateway.finish();
}

#[test]
fn a_change_of_groups_takes_effect_within_the_time_of_the_cache() {
    let gateway = start(LDAPS, "groups = \"group_of_names\"\ncache = \"1s\"");
    let member = |change: &str| {
        OPENLDAP.modify(&format!(
            "dn: cn=viewers,ou=groups,dc=example,dc=test\nchangetype: modify\n{change}: member\n\
             member: uid=dora,ou=people,dc=example,dc=test\n"
        ));
    };
    let becomes = |verbs: &str| {
        eventually(verbs, || (gateway.verbs(known("dora")) == verbs).then_some(()));
    };
    assert_eq!(gateway.verbs(known("dora")), "");
    member("add");
    becomes("read");
    member("delete");
    becomes("");
    gateway.finish();
}

#[test]
fn a_directory_that_is_away_or_hangs_lets_nobody_in() {
    let (relay, url) = relay();
    let gateway = start(&url, &format!("{FORGETFUL}\ntimeout = \"1s\""));
    assert_eq!(gateway.read().known_user("ada").send().status, 200);
    relay.fall_silent();
    assert_unavailable(&gateway.read().known_user("ada").send());
    assert_unavailable(&gateway.read().user("ada", "s3cr7t-wrong").send());
    drop(relay);
    assert_unavailable(&gateway.read().known_user("ada").send());
    // Nobody is to blame for that, so nobody has to wait.
    assert_eq!(gateway.request("/healthz").send().status, 200);
    gateway.finish();
}

#[test]
fn the_next_server_is_asked_when_one_is_away() {
    let (relay, url) = relay();
    drop(relay);
    let gateway = start(&format!("{url}, {LDAPS}"), FORGETFUL);
    assert_eq!(gateway.verbs(known("ada")), "read control");
    // The second one is not asked for what the first one knows better.
    gateway.finish();
}

#[test]
fn a_server_whose_certificate_is_not_right_is_not_believed() {
    let unknown = directory(LDAPS, "").replace("ca.pem", "other.pem");
    for table in [unknown, directory("\"ldaps://127.0.0.3\"", ""), directory("\"ldaps://localhost:636\"", "")]
    {
        let gateway = Gateway::start(&table);
        assert_unavailable(&gateway.read().known_user("ada").send());
        gateway.finish();
    }
}

#[test]
fn nobody_can_have_an_account_locked() {
    let gateway = start(LDAPS, FORGETFUL);
    let mut locked = 0;
    for attempt in 1..=20 {
        let answer = gateway.read().user("gus", "s3cr7t-wrong").from(&format!("127.0.9.{attempt}")).send();
        assert!(matches!(answer.status, 401 | 429), "{answer:?}");
        if answer.status == 429 {
            assert_eq!(answer.code(), "locked");
            assert!(answer.head.to_lowercase().contains("retry-after:"), "{answer:?}");
            locked += 1;
        }
        std::thread::sleep(std::time::Duration::from_millis(400));
    }
    assert!(locked > 0);
    assert!(OPENLDAP.accepts("uid=gus,ou=people,dc=example,dc=test", &password("gus")));
    gateway.finish();
}

#[test]
fn neither_a_reload_nor_another_table_nor_another_spelling_is_a_way_to_have_an_account_locked() {
    const NAME: &str = "uid=finn,ou=people,dc=example,dc=test";
    let direct = "user_dn = \"UID={user}, ou=People,dc=example,dc=test\"";
    let tables = [
        directory(LDAPS, FORGETFUL),
        directory("\"ldap://ldap.test\"", FORGETFUL).replace("\"corp\"", "\"again\""),
        directory(LDAPS, &format!("{FORGETFUL}\n{direct}")).replace("\"corp\"", "\"direct\""),
    ];
    let gateway = Gateway::start(&tables.concat());
    for (attempt, name) in ["finn", "ｆinn", "fｉnn", "fiｎn", "finｎ", "ｆｉnn"].iter().enumerate() {
        let answer =
            gateway.read().user(name, "s3cr7t-wrong").from(&format!("127.0.10.{}", attempt + 1)).send();
        assert_eq!(answer.status, 401, "{answer:?}");
        gateway.reload();
        let reloads = || gateway.log().matches("configuration read again").count();
        eventually("the configuration is read again", || (reloads() > attempt).then_some(()));
    }
    assert!(OPENLDAP.accepts(NAME, &password("finn")));
    gateway.finish();
}
