//! Tokens of an OpenID provider.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::gateway::Gateway;
use crate::request::Request;
use crate::service::{pki, steer_provider};
use crate::support::eventually;

/// Tests that break the provider, or change what it knows, do so one after the other.
static PROVIDER: Mutex<()> = Mutex::new(());

fn provider_to_oneself() -> MutexGuard<'static, ()> {
    PROVIDER.lock().unwrap_or_else(PoisonError::into_inner)
}

fn start(more: &str) -> Gateway {
    Gateway::start(&format!(
        r#"
        [[auth.oidc]]
        name = "sso"
        issuer = "https://sso.test:8443"
        audience = ["https://gateway.example/es256", "https://gateway.example/rs256", "https://gateway.example/opaque"]
        ca = {:?}
        clock_skew = "0s"
        name_claim = "preferred_username"
        groups_claim = "groups"
        roles_claim = "access.opendcre"
        {more}
        "#,
        pki("ca.pem")
    ))
}

const INTROSPECTION: &str = "introspect = true\nclient_id = \"opendcre\"\nclient_secret_env = \"OIDC_SECRET\"\n\
                             introspection_cache = \"1s\"";

/// A token of `user` that is valid for so many seconds.
fn token(gateway: &mut Gateway, user: &str, format: &str, lifetime: u32) -> String {
    let order = json!({"user": user, "format": format, "lifetime": lifetime});
    let token = steer_provider("/token", &order)["token"].as_str().unwrap().to_owned();
    // What makes it valid is the end of it.
    gateway.hides(token.rsplit('.').next().unwrap());
    token
}

fn shows(token: &str) -> impl Fn(Request) -> Request {
    move |request| request.bearer(token)
}

#[test]
fn tokens_of_all_formats_give_roles() {
    let _alone = provider_to_oneself();
    let mut gateway = start(INTROSPECTION);
    for format in ["es256", "rs256", "opaque"] {
        let expected = [("bob", "read"), ("ada", "read control"), ("dora", "")];
        for (user, verbs) in expected {
            let token = token(&mut gateway, user, format, 60);
            assert_eq!(gateway.verbs(shows(&token)), verbs, "{user}, {format}");
        }
        // By a role that the token itself names.
        let token = token(&mut gateway, "carol", format, 60);
        assert_eq!(gateway.verbs(shows(&token)), "read control configure audit", "{format}");
    }
    gateway.finish();
}

#[test]
fn algorithms_audiences_and_formats_are_those_of_the_configuration() {
    let _alone = provider_to_oneself();
    let mut gateway = start("algorithms = [\"ES256\"]");
    let good = token(&mut gateway, "ada", "es256", 60);
    assert_eq!(gateway.read().bearer(&good).send().status, 200);
    for format in ["rs256", "opaque"] {
        let token = token(&mut gateway, "ada", format, 60);
        assert_eq!(gateway.read().bearer(&token).send().status, 401, "{format}");
    }
    gateway.finish();
}

#[test]
fn hostile_tokens_are_refused() {
    let _alone = provider_to_oneself();
    let gateway = start("");
    let hostile = steer_provider("/hostile", &json!({"user": "ada"}));
    let hostile = hostile.as_object().unwrap();
    assert!(hostile.len() > 40, "{}", hostile.len());
    let refusals: Vec<_> = hostile
        .iter()
        .enumerate()
        .map(|(index, (name, token))| {
            let request = gateway.read().bearer(token.as_str().unwrap());
            (name, request.from(&format!("127.0.6.{}", index + 1)).send())
        })
        .collect();
    let expected = refusals[0].1.gist();
    assert_eq!(expected.0, 401);
    for (name, answer) in &refusals {
        assert_eq!(answer.gist(), expected, "{name}");
    }
    let requests = steer_provider("/requests", &json!({}));
    assert!(requests["/jwks"].as_u64().unwrap() < 40, "made-up keys make us ask again and again: {requests}");
    let entries = gateway.finish();
    let refused = entries.iter().filter(|entry| entry.to_string().contains("127.0.6.")).count();
    assert_eq!(refused, hostile.len());
}

#[test]
fn tokens_end() {
    let _alone = provider_to_oneself();
    let mut gateway = start(INTROSPECTION);
    for format in ["es256", "opaque"] {
        let token = token(&mut gateway, "ada", format, 2);
        let read = gateway.read().bearer(&token);
        assert_eq!(read.send().status, 200, "{format}");
        eventually("the token ends", || (read.send().status == 401).then_some(()));
    }
    gateway.finish();
}

#[test]
fn a_token_that_was_taken_back_ends_with_the_cache() {
    let _alone = provider_to_oneself();
    let mut gateway = start(INTROSPECTION);
    let token = token(&mut gateway, "ada", "opaque", 60);
    let read = gateway.read().bearer(&token);
    assert_eq!(read.send().status, 200);
    let revoke = Request::to("https://sso.test:8443/token/revocation");
    let revoke = revoke.with(&["-d", &format!("client_id=opendcre-cli&token={token}")]);
    assert_eq!(revoke.send().status, 200);
    eventually("the token ends", || (read.send().status == 401).then_some(()));
    gateway.finish();
}

#[test]
fn a_change_of_groups_counts_with_the_next_token() {
    let _alone = provider_to_oneself();
    let mut gateway = start("");
    let before = token(&mut gateway, "dora", "es256", 60);
    assert_eq!(gateway.verbs(shows(&before)), "");
    steer_provider("/groups", &json!({"dora": ["viewers"]}));
    let after = token(&mut gateway, "dora", "es256", 60);
    steer_provider("/groups", &json!({"dora": []}));
    assert_eq!(gateway.verbs(shows(&after)), "read");
    gateway.finish();
}

#[test]
fn keys_change_while_the_gateway_runs() {
    let _alone = provider_to_oneself();
    let mut gateway = start("");
    let old = token(&mut gateway, "ada", "es256", 300);
    assert_eq!(gateway.read().bearer(&old).send().status, 200);
    steer_provider("/rotate", &Value::Null);
    steer_provider("/retire", &Value::Null);
    let new = token(&mut gateway, "ada", "es256", 300);
    // Keys are fetched at most every 30 s, however many tokens name unknown ones.
    let known = (1..50).find(|attempt| {
        thread::sleep(Duration::from_secs(1));
        gateway.read().bearer(&new).from(&format!("127.0.6.{attempt}")).send().status == 200
    });
    assert!(known.is_some(), "the new key was never fetched");
    assert_eq!(gateway.read().bearer(&old).send().status, 401);
    gateway.finish();
}

#[test]
fn a_provider_that_is_broken_lets_nobody_in() {
    let _alone = provider_to_oneself();
    for mode in ["error", "garbage", "empty", "hang"] {
        steer_provider("/fault", &json!({"path": "/jwks", "mode": mode}));
        let mut gateway = start("");
        let token = token(&mut gateway, "ada", "es256", 300);
        let answer = gateway.read().bearer(&token).send();
        steer_provider("/fault", &json!({}));
        assert_eq!((answer.status, answer.code().as_str()), (503, "auth_unavailable"), "{mode}");
        eventually("the gateway has the keys at last", || {
            (gateway.read().bearer(&token).send().status == 200).then_some(())
        });
        gateway.finish();
    }
}

#[test]
fn a_provider_that_cannot_be_asked_about_a_token_lets_nobody_in() {
    let _alone = provider_to_oneself();
    let mut gateway = start(INTROSPECTION);
    let token = token(&mut gateway, "ada", "opaque", 300);
    for mode in ["error", "garbage", "hang"] {
        steer_provider("/fault", &json!({"path": "/token/introspection", "mode": mode}));
        let answer = gateway.read().bearer(&token).send();
        steer_provider("/fault", &json!({}));
        assert_eq!((answer.status, answer.code().as_str()), (503, "auth_unavailable"), "{mode}");
    }
    assert_eq!(gateway.read().bearer(&token).send().status, 200);
    gateway.finish();
}
