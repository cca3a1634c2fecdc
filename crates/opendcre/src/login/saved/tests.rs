//! Tokens that count, that are renewed, and that cannot be.

use secrecy::ExposeSecret;
use serde_json::json;

use super::super::testing::{TokenEndpoint, login, login_at};
use super::*;

const SERVER: &str = "https://gateway.example:5000";

fn saved(folder: &tempfile::TempDir, login: Login) -> SavedLogin {
    let store = Store::at(folder.path());
    store.change(|servers| servers.insert(SERVER.to_owned(), login)).unwrap();
    SavedLogin { store, server: SERVER.to_owned() }
}

fn nobody() -> RootCertStore {
    RootCertStore::empty()
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

#[test]
fn a_token_counts_until_shortly_before_its_end() {
    let mut login = login("a");
    login.expires = Some(at(1000));
    assert!(login.current(at(969)).is_some() && login.current(at(970)).is_none());
    login.expires = None;
    assert!(login.current(at(1_000_000)).is_some(), "a provider need not say when a token expires");
}

#[test]
fn new_tokens_take_the_place_of_old_ones() {
    let tokens = |value| serde_json::from_value::<Tokens>(value).unwrap();
    let old = login("a");
    let new = json!({"token_type": "bearer", "access_token": "b", "expires_in": 60, "refresh_token": "r"});
    let renewed = old.renewed(tokens(new), at(0));
    assert_eq!((renewed.access_token.expose(), renewed.expires), ("b", Some(at(60))));
    assert_eq!(renewed.refresh_token.unwrap().expose(), "r");
    let new = json!({"token_type": "bearer", "access_token": "b", "expires_in": u64::MAX});
    let renewed = old.renewed(tokens(new), at(0));
    assert_eq!(renewed.refresh_token.unwrap().expose(), "refresh-a");
    assert_eq!(renewed.expires, Some(at(365 * 24 * 3600)));
    assert!(!format!("{old:?}").contains("refresh-a"));
}

#[tokio::test]
async fn one_renews_a_login_and_all_have_its_token() {
    let folder = tempfile::tempdir().unwrap();
    let answer =
        json!({"token_type": "Bearer", "access_token": "new", "expires_in": 300, "refresh_token": "r2"});
    let endpoint = TokenEndpoint::start(200, &answer);
    let saved = saved(&folder, login_at(&endpoint.url, "old"));
    assert!(saved.current().unwrap().is_none());
    let (one, other) = tokio::join!(saved.renew(nobody()), saved.renew(nobody()));
    assert_eq!((one.unwrap().expose_secret(), other.unwrap().expose_secret()), ("new", "new"));
    let forms = endpoint.forms.lock().unwrap().clone();
    assert_eq!(forms, ["grant_type=refresh_token&client_id=cli&refresh_token=refresh-old"]);
    assert_eq!(saved.current().unwrap().unwrap().expose_secret(), "new");
    assert_eq!(saved.load().unwrap().refresh_token.unwrap().expose(), "r2");
}

#[tokio::test]
async fn a_login_that_cannot_be_renewed_has_expired() {
    let folder = tempfile::tempdir().unwrap();
    let endpoint = TokenEndpoint::start(400, &json!({"error": "invalid_grant"}));
    let kept = saved(&folder, login_at(&endpoint.url, "old"));
    let refused = kept.renew(nobody()).await.unwrap_err();
    assert_eq!(refused.to_string(), format!("the login to {SERVER} has expired; run `opendcre login` again"));
    let without = Login { refresh_token: None, ..login("old") };
    assert!(matches!(saved(&folder, without).renew(nobody()).await, Err(LoginError::Expired(_))));
    kept.store.change(|servers| servers.clear()).unwrap();
    assert!(matches!(kept.current(), Err(LoginError::Expired(_))));
}

#[tokio::test]
async fn a_provider_that_is_away_or_strange_is_no_end_of_the_login() {
    let folder = tempfile::tempdir().unwrap();
    let strange = TokenEndpoint::start(200, &json!({"token_type": "DPoP", "access_token": "x"}));
    let failing = TokenEndpoint::start(502, &json!("bad gateway"));
    for (endpoint, words) in [
        (strange.url.as_str(), "tokens of type DPoP"),
        (&failing.url, "answers with status 502"),
        ("http://127.0.0.1:9/token", "does not answer"),
        ("http://sso.example/token", "no https URL"),
    ] {
        let refused = saved(&folder, login_at(endpoint, "old")).renew(nobody()).await.unwrap_err();
        assert!(refused.to_string().contains(words), "{refused}");
    }
    assert_eq!(Store::at(folder.path()).load().unwrap().len(), 1);
}
