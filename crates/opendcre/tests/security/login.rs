//! `opendcre login`: the pages of the provider are filled in as a browser would do it.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use crate::gateway::Gateway;
use crate::request::Request;
use crate::service::{password, pki};

fn start() -> Gateway {
    Gateway::start(&format!(
        r#"
        [[auth.oidc]]
        name = "sso"
        issuer = "https://sso.test:8443"
        audience = ["https://gateway.example/es256"]
        ca = {:?}
        name_claim = "preferred_username"
        groups_claim = "groups"
        login_client_id = "opendcre-cli"
        scopes = ["openid", "api:read", "offline_access"]
        resource = "https://gateway.example/es256"
        "#,
        pki("ca.pem")
    ))
}

/// What the gateway would say about the provider, for programs that are told by hand.
const DETAILS: &[&str] = &[
    "--issuer",
    "https://sso.test:8443",
    "--client-id",
    "opendcre-cli",
    "--scope",
    "api:read",
    "--resource",
    "https://gateway.example/es256",
];

/// A browser that keeps its cookies.
struct Browser {
    jar: tempfile::NamedTempFile,
}

impl Browser {
    fn new() -> Self {
        Self { jar: tempfile::NamedTempFile::new().unwrap() }
    }

    /// Opens a page, follows where it leads, and fills in the form of the provider as `user`; the last page.
    fn visit(&self, url: &str, user: &str, form: &[(&str, &str)]) -> String {
        let mut page = self.load(url, form);
        for _ in 0..10 {
            let Some(next) = page.strip_prefix("-> ").map(str::to_owned) else { return page };
            page = self.load(&next, &[]);
            if page.contains("name=password") {
                page = self.load(&next, &[("login", user), ("password", &password(user))]);
            }
        }
        panic!("the pages lead nowhere: {page}");
    }

    /// A page, or `-> ` and where it leads.
    fn load(&self, url: &str, form: &[(&str, &str)]) -> String {
        let jar = self.jar.path().to_str().unwrap();
        let mut request = Request::to(url).with(&["-b", jar, "-c", jar]);
        for (name, value) in form {
            request = request.with(&["--data-urlencode", &format!("{name}={value}")]);
        }
        let answer = request.send();
        let location = answer.head.lines().find(|line| line.to_lowercase().starts_with("location: "));
        let Some((_, location)) = location.and_then(|line| line.split_once(' ')) else { return answer.body };
        let absolute = location.trim().starts_with("http");
        format!("-> {}{}", if absolute { "" } else { "https://sso.test:8443" }, location.trim())
    }
}

/// Begins to log in; what it says first of all that names a URL.
fn begin(gateway: &Gateway, args: &[&str]) -> (Child, String) {
    let mut login = gateway.client(&[&["login"], args].concat());
    let mut child = login.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let output = BufReader::new(child.stdout.as_mut().unwrap());
    let line = output.lines().map(Result::unwrap).find(|line| line.contains("https://"));
    (child, line.expect("a URL"))
}

fn url_in(line: &str) -> &str {
    line.split_whitespace().find(|word| word.starts_with("https://")).unwrap()
}

fn end(child: Child) {
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn succeeds(mut command: Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success()
}

/// A person can ask, and after logging out no more.
fn assert_logged_in(gateway: &Gateway) {
    assert!(succeeds(gateway.client(&["list"])));
    assert!(succeeds(gateway.client(&["logout"])));
    assert!(!succeeds(gateway.client(&["list"])));
}

#[test]
fn a_code_on_another_device_logs_in() {
    let gateway = start();
    let (child, line) = begin(&gateway, &["--device"]);
    let (url, code) = (url_in(&line), line.split_whitespace().last().unwrap());
    let browser = Browser::new();
    let page = browser.load(url, &[]);
    let (_, xsrf) = page.split_once("name=\"xsrf\" value=\"").unwrap_or_else(|| panic!("{page}"));
    let xsrf = xsrf.split('"').next().unwrap();
    browser.load(url, &[("xsrf", xsrf), ("user_code", code)]);
    browser.visit(url, "bob", &[("xsrf", xsrf), ("user_code", code), ("confirm", "yes")]);
    end(child);
    assert_logged_in(&gateway);
    gateway.finish();
}

#[test]
fn a_page_in_a_browser_logs_in() {
    let gateway = start();
    let (child, line) = begin(&gateway, &["--browser"]);
    Browser::new().visit(url_in(&line), "bob", &[]);
    end(child);
    assert_logged_in(&gateway);
    gateway.finish();
}

#[test]
fn nobody_is_logged_in_by_a_page_that_the_program_has_not_asked_for() {
    let gateway = start();
    let (mut child, line) = begin(&gateway, &[&["--browser"], DETAILS].concat());
    let url = url_in(&line);
    let (_, redirect) = url.split_once("redirect_uri=").unwrap();
    let redirect = redirect.split('&').next().unwrap().replace("%3A", ":").replace("%2F", "/");
    let forged = Request::to(&format!("{redirect}?code=stolen&state=guessed")).send();
    assert!(forged.status >= 400, "{forged:?}");
    assert!(child.try_wait().unwrap().is_none(), "it has ended for that");
    Browser::new().visit(url, "bob", &[]);
    end(child);
    gateway.finish();
}
