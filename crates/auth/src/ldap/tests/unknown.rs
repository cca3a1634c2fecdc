//! Names that nobody has are refused in as many steps as wrong passwords, so that nobody learns which names there are.

use super::*;

/// What was asked and how many connections were made, without names and passwords.
fn steps(server: &TestServer) -> (Vec<&'static str>, usize) {
    let kind = |request: &Request| match request {
        Request::StartTls => "tls",
        Request::Bind { .. } => "bind",
        Request::Search { .. } => "search",
    };
    let kinds = server.requests.lock().unwrap().iter().map(kind).collect();
    (kinds, *server.connections.lock().unwrap())
}

/// All steps of these attempts.
async fn attempts(name: &str, passwords: &[&str]) -> (Vec<&'static str>, usize) {
    let identity = identity();
    let server = TestServer::start(&identity, Mode::StartTls, directory);
    let ldap = open(settings(&identity, &[&server])).unwrap();
    for password in passwords {
        rejection(login(&ldap, name, password).await);
    }
    steps(&server)
}

#[tokio::test(start_paused = true)]
async fn a_name_that_nobody_has_takes_as_many_steps_as_a_wrong_password() {
    // Once, what is remembered, and more often than is passed on.
    for passwords in [&["a"][..], &["a", "a"], &["a", "b", "c", "d", "d", "e"]] {
        let (known, unknown) = (attempts("ada", passwords).await, attempts("ghost", passwords).await);
        assert_eq!(known, unknown, "{passwords:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_password_is_not_shown_to_an_entry_of_nobody() {
    let identity = identity();
    let server = TestServer::start(&identity, Mode::Ldaps, directory);
    rejection(login(&without_cache(&identity, &[&server]), "ghost", "marked-secret").await);
    let binds = server.binds();
    let (name, password) = binds.last().unwrap();
    assert!(name.starts_with("cn=opendcre-nobody-") && name.ends_with(",ou=people,dc=example"), "{name}");
    assert!(!password.is_empty() && password != "marked-secret");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_lets_everybody_in_does_not_make_somebody_of_nobody() {
    let identity = identity();
    let welcome = with_fault(|request| matches!(request, Request::Bind { .. }), vec![bound(0, "")]);
    let server = TestServer::start(&identity, Mode::Ldaps, welcome);
    let ldap = without_cache(&identity, &[&server]);
    assert_eq!(rejection(login(&ldap, "ghost", "x").await), "no entry has the name");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_check_passwords_says_so_of_every_name() {
    for code in [51, 53] {
        let identity = identity();
        let is_user = |request: &Request| matches!(request, Request::Bind { name, .. } if name != SERVICE);
        let server = TestServer::start(&identity, Mode::Ldaps, with_fault(is_user, vec![bound(code, "")]));
        for name in ["ada", "ghost"] {
            unavailability(login(&without_cache(&identity, &[&server]), name, "x").await);
        }
    }
}
