//! Names and passwords that an Active Directory knows.

use crate::gateway::Gateway;
use crate::request::Request;
use crate::service::{ACTIVE_DIRECTORY, password, pki};

/// The directory; `more` says how users bind.
fn start(url: &str, more: &str) -> Gateway {
    Gateway::start(&format!(
        r#"
        [[auth.ldap]]
        name = "ad"
        urls = [{url:?}]
        ca = {:?}
        user_base = "DC=ad,DC=test"
        user_filter = "(&(objectClass=user)(sAMAccountName={{user}}))"
        name_attribute = "sAMAccountName"
        groups = "active_directory"
        cache = "0s"
        negative_cache = "0s"
        {more}
        "#,
        pki("ca.pem")
    ))
}

const UPN: &str = "user_dn = \"{user}@ad.test\"";
const SEARCH: &str = "bind_dn = \"svc@ad.test\"\nbind_password_env = \"LDAP_PASSWORD\"";

fn known(user: &'static str) -> impl Fn(Request) -> Request {
    move |request| request.known_user(user)
}

#[test]
fn groups_give_roles_also_through_other_groups() {
    for url in ["ldaps://dc1.ad.test", "ldap://dc1.ad.test"] {
        for bind in [UPN, SEARCH] {
            let gateway = start(url, bind);
            assert_eq!(gateway.verbs(known("bob")), "read");
            assert_eq!(gateway.verbs(known("ada")), "read control");
            assert_eq!(gateway.verbs(known("carol")), "read control configure audit");
            assert_eq!(gateway.verbs(known("dora")), "");
            gateway.finish();
        }
    }
}

#[test]
fn everybody_else_gets_the_same_answer() {
    // hugo has locked himself out.
    for _ in 0..5 {
        assert!(!ACTIVE_DIRECTORY.accepts("hugo@ad.test", "s3cr7t-wrong"));
    }
    assert!(!ACTIVE_DIRECTORY.accepts("hugo@ad.test", &password("hugo")));
    for bind in [UPN, SEARCH] {
        let gateway = start("ldaps://dc1.ad.test", bind);
        let tries = [
            ("ada", "s3cr7t-wrong".to_owned()),
            ("nobody", password("nobody")),
            ("bob", String::new()),
            ("hugo", password("hugo")),
            // Disabled.
            ("ines", password("ines")),
            ("*", password("ada")),
            ("carol)(cn=*", password("carol")),
        ];
        let answers = tries.map(|(name, password)| gateway.read().user(name, &password).send().gist());
        for answer in &answers {
            assert_eq!(answer.0, 401, "{answers:?}");
            assert_eq!(answer, &answers[0]);
        }
        gateway.finish();
    }
}

#[test]
fn nobody_can_have_an_account_locked() {
    let gateway = start("ldaps://dc1.ad.test", UPN);
    for attempt in 1..=20 {
        let answer = gateway.read().user("gus", "s3cr7t-wrong").from(&format!("127.0.9.{attempt}")).send();
        assert!(matches!(answer.status, 401 | 429), "{answer:?}");
        std::thread::sleep(std::time::Duration::from_millis(400));
    }
    assert!(ACTIVE_DIRECTORY.accepts("gus@ad.test", &password("gus")));
    gateway.finish();
}
