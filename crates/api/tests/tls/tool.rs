//! The same, seen by `openssl` and `curl` where they are installed.

use std::process::{Command, Output};

use opendcre_api::Tls;
use tokio::task::spawn_blocking;

use crate::client::OK;
use crate::files::{Authority, Folder};
use crate::room::Room;

/// What a tool does; nothing if it is not installed.
async fn run(tool: &'static str, arguments: Vec<String>) -> Option<Output> {
    let output = spawn_blocking(move || {
        Command::new(tool).args(arguments).stdin(std::process::Stdio::null()).output()
    });
    output.await.unwrap().ok()
}

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

#[tokio::test]
async fn openssl_can_agree_on_nothing_old() {
    let authority = Authority::new("authority");
    let folder = Folder::with(&authority.server());
    let room = Room::encrypted(folder.files()).await;
    let old = "-tls1_2 -cipher AES128-SHA:AES256-GCM-SHA384:ECDHE-ECDSA-AES128-SHA256:@SECLEVEL=0";
    let cases = [
        ("-tls1_3", true),
        ("-tls1_2", true),
        ("-tls1_1 -cipher DEFAULT:@SECLEVEL=0", false),
        ("-tls1 -cipher DEFAULT:@SECLEVEL=0", false),
        (old, false),
    ];
    for (options, is_spoken) in cases {
        let ca = folder.write("ca.pem", &authority.pem);
        let line = format!(
            "s_client -connect {} -verify_return_error -CAfile {} {options}",
            room.address,
            ca.display()
        );
        let Some(output) = run("openssl", words(&line)).await else { return };
        let said = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.success(), is_spoken, "{options}: {said}");
        assert_eq!(
            said.contains("Verify return code: 0 (ok)") && said.contains("Cipher is ECDHE")
                || said.contains("Cipher is TLS_"),
            is_spoken,
            "{said}"
        );
    }
}

#[tokio::test]
async fn openssl_prints_the_fingerprint_that_we_print() {
    let folder = tempfile::tempdir().unwrap();
    let clock = crate::room::TestClock::new();
    let (listen, now) = ("192.0.2.7".parse().unwrap(), "2026-12-01T10:00:00Z".parse().unwrap());
    let files = Tls::make(folder.path(), listen, &["gateway.example".to_owned()], now).unwrap();
    let line =
        format!("x509 -noout -fingerprint -sha256 -ext subjectAltName -in {}", files.certificate.display());
    let Some(output) = run("openssl", words(&line)).await else { return };
    let said = String::from_utf8(output.stdout).unwrap();
    let fingerprint = Tls::open(files, clock).unwrap().fingerprint();
    assert!(said.contains(&format!("Fingerprint={fingerprint}\n")), "{said}");
    for name in ["DNS:localhost", "DNS:gateway.example", "IP Address:192.0.2.7", "IP Address:127.0.0.1"] {
        assert!(said.contains(name), "{said}");
    }
}

#[tokio::test]
async fn curl_trusts_a_copy_of_a_made_certificate_for_the_names_of_the_service() {
    let folder = tempfile::tempdir().unwrap();
    let (listen, now) = ("0.0.0.0".parse().unwrap(), "2026-01-01T00:00:00Z".parse().unwrap());
    let files = Tls::make(folder.path(), listen, &["gateway.example".to_owned()], now).unwrap();
    let ca = files.certificate.clone();
    let room = Room::encrypted(files).await;
    for (name, is_trusted) in [("gateway.example", true), ("localhost", true), ("rack7.example", false)] {
        let port = room.address.port();
        let line = format!(
            "-sS --noproxy * --cacert {} --resolve {name}:{port}:127.0.0.1 https://{name}:{port}/opendcre/1.1/test",
            ca.display()
        );
        let Some(output) = run("curl", words(&line)).await else { return };
        assert_eq!(output.status.success(), is_trusted, "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[tokio::test]
async fn curl_speaks_both_versions() {
    let authority = Authority::new("authority");
    let folder = Folder::with(&authority.server());
    let room = Room::encrypted(folder.files()).await;
    let ca = folder.write("ca.pem", &authority.pem);
    for (option, version) in [("--http1.1", "1.1"), ("--http2", "2")] {
        let url = format!("https://localhost:{}/opendcre/1.1/test", room.address.port());
        let line = format!("-sS --noproxy * {option} --cacert {} -w %{{http_version}} {url}", ca.display());
        let Some(output) = run("curl", words(&line)).await else { return };
        let said = String::from_utf8_lossy(&output.stdout);
        assert_eq!(said, format!("{OK}{version}"), "{}", String::from_utf8_lossy(&output.stderr));
    }
}
