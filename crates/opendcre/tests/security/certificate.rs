//! Client certificates.

use std::fs;
use std::path::Path;

use crate::gateway::{Gateway, Settings};
use crate::request::Request;
use crate::service::pki;
use crate::support::eventually;

const RULES: &str = "[auth.certificate]\nname_from = [\"common_name\"]\ngroups_from_ou = true";

/// Believes certificates of the CA, but for those in `crl`.
fn start(client_certificate: &str, crl: &Path, auth: &str) -> Gateway {
    let tls = format!(
        "client_ca = {:?}\nclient_crl = {crl:?}\nclient_certificate = {client_certificate:?}",
        pki("ca.pem")
    );
    Gateway::start_with(&Settings { tls: Some(&tls), auth, ..Settings::default() })
}

fn shows(name: &'static str) -> impl Fn(Request) -> Request {
    move |request| request.certificate(name)
}

#[test]
fn certificates_give_roles() {
    let gateway = start("optional", &pki("revoked.crl"), RULES);
    for version in ["--http1.1", "--http2"] {
        assert_eq!(gateway.verbs(|request| request.certificate("ada").with(&[version])), "read control");
        assert_eq!(gateway.verbs(|request| request.certificate("bob").with(&[version])), "read");
    }
    // What looks like a second name is a part of the first.
    assert_eq!(gateway.verbs(shows("comma")), "read");
    assert_eq!(gateway.read().send().status, 401);
    gateway.finish();
}

#[test]
fn certificates_that_are_not_right_open_no_connection() {
    let gateway = start("optional", &pki("revoked.crl"), RULES);
    for name in ["mallory", "expired", "revoked", "server-use"] {
        for version in ["--tlsv1.3", "--tls-max 1.2"] {
            let version: Vec<_> = version.split(' ').collect();
            let answer = gateway.read().certificate(name).with(&version).try_send();
            assert!(answer.is_none(), "{name}: {answer:?}");
        }
    }
    gateway.finish();
}

#[test]
fn where_a_certificate_is_required_there_is_nothing_without_one() {
    let gateway = start("required", &pki("revoked.crl"), RULES);
    assert!(gateway.request("/healthz").try_send().is_none());
    assert_eq!(gateway.read().certificate("ada").send().status, 200);
    gateway.finish();
}

#[test]
fn without_rules_a_certificate_names_nobody() {
    let gateway = start("optional", &pki("revoked.crl"), "[auth]\nrequired = true");
    assert_eq!(gateway.read().certificate("ada").send().status, 401);
    gateway.finish();
}

#[test]
fn a_certificate_can_be_revoked_while_the_gateway_runs() {
    let folder = tempfile::tempdir().unwrap();
    let crl = folder.path().join("clients.crl");
    fs::copy(pki("revoked.crl"), &crl).unwrap();
    let gateway = start("optional", &crl, RULES);
    assert_eq!(gateway.verbs(shows("eve")), "read control");
    // What cannot be read changes nothing.
    fs::write(&crl, "no list at all").unwrap();
    gateway.reload();
    eventually("the gateway says what is wrong", || gateway.log().contains("clients.crl").then_some(()));
    assert_eq!(gateway.read().certificate("eve").send().status, 200);
    fs::copy(pki("revoked-and-eve.crl"), &crl).unwrap();
    gateway.reload();
    eventually("eve is out", || gateway.read().certificate("eve").try_send().is_none().then_some(()));
    assert_eq!(gateway.read().certificate("ada").send().status, 200);
    gateway.finish();
}
