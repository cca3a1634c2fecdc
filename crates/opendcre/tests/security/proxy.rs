//! nginx in front, with the configuration that docs/nginx.md shows.

use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::gateway::{Gateway, Settings};
use crate::request::Request;
use crate::service::{password, pki};

/// Where the configuration of nginx expects the gateway: there is room for one at a time.
static PLACE: Mutex<()> = Mutex::new(());

/// In the configuration of nginx, where a test cannot change it.
const SECRET: &str = "s3cr7t-of-the-proxy";

struct Behind {
    gateway: Gateway,
    _place: MutexGuard<'static, ()>,
}

impl Behind {
    fn start() -> Self {
        let place = PLACE.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = tempfile::tempdir().unwrap();
        let secret = folder.path().join("proxy");
        std::fs::write(&secret, SECRET).unwrap();
        let auth = format!(
            r#"
            [[auth.proxy]]
            name = "nginx"
            addresses = ["127.0.0.1"]
            secret_file = {secret:?}
            [[auth.ldap]]
            name = "corp"
            urls = ["ldaps://ldap.test"]
            ca = {:?}
            bind_dn = "uid=svc,ou=people,dc=example,dc=test"
            bind_password_env = "LDAP_PASSWORD"
            user_base = "dc=example,dc=test"
            groups = "group_of_names"
            "#,
            pki("ca.pem")
        );
        let address = SocketAddr::from(([127, 0, 0, 1], 5000));
        let gateway =
            Gateway::start_with(&Settings { address, tls: None, auth: &auth, ..Settings::default() });
        Self { gateway, _place: place }
    }

    /// What somebody may do through nginx.
    fn verbs(&self, host: &str, login: impl Fn(Request) -> Request) -> String {
        let direct = self.gateway.url("");
        self.gateway.verbs(|request| login(request.instead(&direct, host)))
    }
}

const NGINX: &str = "https://gateway.example";
const SIGN_ON: &str = "https://sso-gateway.example";
const READ: &str = "/opendcre/2/boards";

#[test]
fn passwords_of_the_directory_go_through() {
    let behind = Behind::start();
    assert_eq!(behind.verbs(NGINX, |request| request.known_user("bob")), "read");
    assert_eq!(behind.verbs(NGINX, |request| request.known_user("ada")), "read control");
    let nothing = Request::to(&format!("{NGINX}{READ}")).send();
    assert_eq!(nothing.status, 401);
    assert!(nothing.head.to_lowercase().contains("www-authenticate: basic"), "{nothing:?}");
    assert_eq!(Request::to(&format!("{NGINX}{READ}")).user("bob", "s3cr7t-wrong").send().status, 401);
    behind.gateway.finish();
}

#[test]
fn certificates_that_nginx_has_verified_count() {
    let behind = Behind::start();
    assert_eq!(behind.verbs(NGINX, |request| request.certificate("ada")), "read control");
    assert_eq!(behind.verbs(NGINX, |request| request.certificate("bob")), "read");
    // Within the organisation stands what looks like the name of ada.
    assert_eq!(behind.verbs(NGINX, |request| request.certificate("comma")), "read");
    for name in ["mallory", "expired", "revoked", "server-use"] {
        let answer = Request::to(&format!("{NGINX}{READ}")).certificate(name).send();
        assert_eq!(answer.status, 400, "{name}");
    }
    behind.gateway.finish();
}

#[test]
fn a_sign_on_elsewhere_counts() {
    let behind = Behind::start();
    for (user, verbs) in [("ada", "read control"), ("bob", "read")] {
        let session = format!("session={user}");
        assert_eq!(behind.verbs(SIGN_ON, |request| request.with(&["-b", &session])), verbs);
    }
    for session in ["session=nobody", "other=ada"] {
        assert_eq!(Request::to(&format!("{SIGN_ON}{READ}")).with(&["-b", session]).send().status, 401);
    }
    // There is no other way in here.
    assert_eq!(Request::to(&format!("{SIGN_ON}{READ}")).known_user("ada").send().status, 401);
    behind.gateway.finish();
}

#[test]
fn something_else_can_have_the_same_logins() {
    let behind = Behind::start();
    let site = || Request::to(&format!("{NGINX}/site/"));
    assert_eq!(site().send().status, 401);
    assert_eq!(site().user("ada", "s3cr7t-wrong").send().status, 401);
    assert_eq!(site().known_user("bob").send().status, 200);
    behind.gateway.finish();
    // Without the gateway nobody knows, and nobody is let in.
    assert_eq!(site().known_user("bob").send().status, 500);
}

#[test]
fn the_document_shows_these_very_files() {
    let document = include_str!("../../../../docs/nginx.md");
    let files = [
        include_str!("../../../../contrib/nginx/opendcre.conf"),
        include_str!("../../../../contrib/nginx/opendcre-sign-on.conf"),
        include_str!("../../../../contrib/nginx/opendcre/proxy.conf"),
    ];
    for file in files {
        assert!(document.contains(file), "docs/nginx.md shows another text than\n{file}");
    }
}

#[test]
fn over_the_unix_socket_no_secret_is_needed() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    let server = format!("socket = {socket:?}");
    let auth = "[[auth.proxy]]\nname = \"nginx\"\nunix = true\nstrip_realm = true\n";
    let gateway = Gateway::start_with(&Settings { server: &server, tls: None, auth, ..Settings::default() });
    let says = |request: Request| {
        request.header("X-Forwarded-User: ada@EXAMPLE.NET").header("X-Forwarded-Groups: staff, operators")
    };
    let over_socket = ["--unix-socket", socket.to_str().unwrap()];
    assert_eq!(gateway.verbs(|request| says(request).with(&over_socket)), "read control");
    assert_eq!(gateway.read().with(&over_socket).send().status, 401);
    // The port is no socket.
    assert_eq!(says(gateway.read()).send().status, 401);
    gateway.finish();
}

/// Headers by which a client would be somebody else.
fn spoof(request: Request) -> Request {
    let headers = ["X-Forwarded-User: ada", "X-Forwarded-Groups: operators,admins", "X_Forwarded_User: ada"];
    headers.into_iter().fold(request, Request::header)
}

#[test]
fn headers_of_clients_do_not_pass_nginx() {
    let behind = Behind::start();
    assert_eq!(spoof(Request::to(&format!("{NGINX}{READ}"))).send().status, 401);
    let with_secret = |request: Request| spoof(request).header(&format!("X-OpenDCRE-Proxy-Secret: {SECRET}"));
    assert_eq!(with_secret(Request::to(&format!("{NGINX}{READ}"))).send().status, 401);
    assert_eq!(behind.verbs(NGINX, |request| with_secret(request).known_user("bob")), "read");
    assert_eq!(behind.verbs(NGINX, |request| with_secret(request).certificate("bob")), "read");
    assert_eq!(behind.verbs(SIGN_ON, |request| with_secret(request).with(&["-b", "session=bob"])), "read");
    behind.gateway.finish();
}

#[test]
fn whoever_goes_around_nginx_is_nobody() {
    let behind = Behind::start();
    let direct = || spoof(behind.gateway.read());
    // From the address of nginx, without its secret or with another one.
    assert_eq!(direct().send().status, 401);
    assert_eq!(direct().header("X-OpenDCRE-Proxy-Secret: s3cr7t-of-another").send().status, 401);
    // With its secret, from another address.
    let secret = format!("X-OpenDCRE-Proxy-Secret: {SECRET}");
    assert_eq!(direct().header(&secret).from("127.0.4.1").send().status, 401);
    assert_eq!(direct().header(&secret).send().status, 200);
    // A password counts, and what is said besides does not.
    let elsewhere = |request: Request| spoof(request).user("bob", &password("bob")).from("127.0.4.1");
    assert_eq!(behind.gateway.verbs(elsewhere), "read");
    behind.gateway.finish();
}
