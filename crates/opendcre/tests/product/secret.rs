//! Secrets in files: the sealed store, changed by several processes at once, and what a running gateway reads again.

use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use crate::support::{Gateway, PRODUCT, eventually, signal};

fn secret(config: &Path, arguments: &[&str]) -> Child {
    let mut command = Command::new(PRODUCT);
    command.arg("secret").args(arguments).arg("--config").arg(config);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn done(child: Child) -> (String, String) {
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    let (stdout, stderr) = (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap());
    assert!(status.success(), "{stderr}");
    (stdout, stderr)
}

#[test]
fn what_processes_set_and_remove_at_the_same_time_is_all_kept_and_said() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("opendcre.toml");
    fs::write(&config, format!("[state]\ndirectory = {:?}\n", folder.path())).unwrap();
    let names: Vec<String> = (10..18).map(|number| format!("rack-{number}")).collect();
    let mut running: Vec<Child> = names.iter().map(|name| secret(&config, &["set", name])).collect();
    // All of them have started and wait for what they are to keep.
    for child in &mut running {
        child.stdin.take().unwrap().write_all(b"calvin\n").unwrap();
    }
    for (child, name) in running.into_iter().zip(&names) {
        let (stdout, stderr) = done(child);
        let (store, key) = (folder.path().join("secrets.json"), folder.path().join("secrets.key"));
        let (store, key) = (store.display(), key.display());
        let expected = format!(
            "secret {name} is in {store}, sealed with the key in {key}; the service takes it over when it is restarted\n"
        );
        assert_eq!((stdout.as_str(), stderr), ("", expected));
    }
    let (removed, kept) = names.split_at(4);
    let running: Vec<Child> = removed.iter().map(|name| secret(&config, &["remove", name])).collect();
    for child in running {
        assert!(done(child).1.contains("is no longer in"));
    }
    assert_eq!(done(secret(&config, &["list"])), (kept.join("\n") + "\n", String::new()));
}

/// The status of the answer to a request that a proxy with this secret sends for somebody.
fn status(gateway: &Gateway, secret: &str) -> String {
    let mut stream = TcpStream::connect(gateway.address).unwrap();
    let head = format!(
        "GET /opendcre/2/auth/me HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         X-OpenDCRE-Proxy-Secret: {secret}\r\nX-Forwarded-User: ada\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).unwrap().to_owned()
}

#[test]
fn a_secret_that_everybody_can_read_is_said_and_a_new_one_counts_when_it_is_read_again() {
    const OLD: &str = "the-old-shared-secret";
    const NEW: &str = "the-new-shared-secret";
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("proxy");
    let set_mode = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    fs::write(&path, OLD).unwrap();
    set_mode(folder.path(), 0o755);
    set_mode(&path, 0o644);
    let proxy =
        format!("[[auth.proxy]]\nname = \"nginx\"\naddresses = [\"127.0.0.1\"]\nsecret_file = {path:?}\n");
    let gateway = Gateway::start_with("", &proxy);
    let log = || fs::read_to_string(gateway.directory.path().join("log/opendcre.log")).unwrap_or_default();
    let warning = format!("everybody on this machine can read {}; take that from them", path.display());
    assert_eq!(log().matches(&warning).count(), 1, "{}", log());
    assert_eq!((status(&gateway, OLD), status(&gateway, NEW)), ("200".to_owned(), "401".to_owned()));

    set_mode(&path, 0o666);
    fs::write(&path, NEW).unwrap();
    signal(gateway.program.id(), "HUP");
    let refusal =
        format!("logins and grants stay as they are: everybody on this machine can write {}", path.display());
    eventually("the file is refused", || log().contains(&refusal).then_some(()));
    assert_eq!((status(&gateway, OLD), status(&gateway, NEW)), ("200".to_owned(), "401".to_owned()));

    set_mode(&path, 0o600);
    signal(gateway.program.id(), "HUP");
    eventually("the new secret counts", || (status(&gateway, NEW) == "200").then_some(()));
    assert_eq!(status(&gateway, OLD), "401");
}
