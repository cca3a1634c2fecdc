//! Servers that are trusted, that are not, and that speak something else.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;

use clap::Parser;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{ServerConfig, ServerConnection, Stream};

use super::super::ClientError;
use super::super::http::{Http, Request};
use super::*;
use crate::cli::Cli;

/// An authority, and files with what it gives out.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: tempfile::TempDir,
}

/// A certificate with its key.
struct Identity {
    certificate: CertificateDer<'static>,
    key: KeyPair,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), issuer.pem()).unwrap();
        Self { issuer, folder }
    }

    fn identity(&self, name: &str) -> Identity {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap().der().clone();
        Identity { certificate, key }
    }

    /// The name of a file, which it fills.
    fn file(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    fn path(&self) -> String {
        self.folder.path().join("ca.pem").display().to_string()
    }
}

/// A server that answers everything; it lives as long as the process. Returns its address and its fingerprint.
fn serve(identity: &Identity, clients: Option<&Authority>) -> (String, Fingerprint) {
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&ring));
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut trusted = RootCertStore::empty();
            trusted.add(authority.issuer.der().clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(trusted), ring).build();
            builder.with_client_cert_verifier(verifier.unwrap())
        }
    };
    let key = PrivateKeyDer::try_from(identity.key.serialize_der()).unwrap();
    let config = Arc::new(builder.with_single_cert(vec![identity.certificate.clone()], key).unwrap());
    let address = listen(move |mut stream| {
        let mut connection = ServerConnection::new(Arc::clone(&config)).unwrap();
        // A client that does not trust this server breaks off.
        let _ = answer(&mut Stream::new(&mut connection, &mut stream));
    });
    (format!("https://localhost:{address}"), Fingerprint(Sha256::digest(&identity.certificate).into()))
}

fn listen(serve: impl Fn(std::net::TcpStream) + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || listener.incoming().for_each(|stream| serve(stream.unwrap())));
    port
}

fn answer(stream: &mut (impl Read + Write)) -> io::Result<()> {
    let mut buffer = [0; 4096];
    let length = stream.read(&mut buffer)?;
    assert!(length > 0);
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: close\r\n\r\n{\"a\":1}")?;
    stream.flush()
}

async fn ask(server: &str, words: &[&str]) -> Result<u8, ClientError> {
    let cli = Cli::try_parse_from([&["opendcre", "racks", "--server", server], words].concat()).unwrap();
    Http::new(&cli.client)?.send(&Request::get(&["about"])).await?.member("a")
}

#[tokio::test]
async fn a_server_is_trusted_for_its_authority() {
    let (authority, other) = (Authority::new(), Authority::new());
    let (server, fingerprint) = serve(&authority.identity("localhost"), None);
    assert_eq!(ask(&server, &["--ca-file", &authority.path()]).await.unwrap(), 1);
    let refused = ask(&server, &["--ca-file", &other.path()]).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        format!(
            "{server} is not trusted: no authority that is trusted here has signed its certificate; the fingerprint of the \
             certificate is {fingerprint}; if the server says the same at its start, use --fingerprint with it, or name its \
             authority with --ca-file"
        )
    );
}

#[tokio::test]
async fn a_certificate_is_for_a_name() {
    let authority = Authority::new();
    let (server, _) = serve(&authority.identity("other.example"), None);
    let refused = ask(&server, &["--ca-file", &authority.path()]).await.unwrap_err();
    assert!(refused.to_string().contains("other.example"), "{refused}");
}

#[tokio::test]
async fn a_server_is_trusted_for_its_fingerprint_and_no_other() {
    let made = rcgen::generate_simple_self_signed(["gateway".to_owned()]).unwrap();
    let identity = Identity { certificate: made.cert.der().clone(), key: made.signing_key };
    let (server, fingerprint) = serve(&identity, None);
    let shown = fingerprint.to_string();
    assert_eq!(ask(&server, &["--fingerprint", &shown]).await.unwrap(), 1);
    assert_eq!(ask(&server, &["--fingerprint", &shown.replace(':', "")]).await.unwrap(), 1);
    let refused = ask(&server, &["--fingerprint", &"00".repeat(32)]).await.unwrap_err().to_string();
    assert!(refused.contains("another certificate") && refused.contains(&shown), "{refused}");
}

#[tokio::test]
async fn a_client_can_show_a_certificate() {
    let authority = Authority::new();
    let (server, _) = serve(&authority.identity("localhost"), Some(&authority));
    let own = authority.identity("ada");
    let pem = |der: &CertificateDer<'_>| {
        use base64::Engine;
        let text = base64::engine::general_purpose::STANDARD.encode(der);
        format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
    };
    let certificate = authority.file("ada.pem", &pem(&own.certificate));
    let key = authority.file("ada.key", &own.key.serialize_pem());
    let trust = authority.path();
    let words = ["--ca-file", &trust, "--client-certificate", &certificate, "--client-key", &key];
    assert_eq!(ask(&server, &words).await.unwrap(), 1);
    let refused = ask(&server, &words[..2]).await.unwrap_err().to_string();
    assert!(refused.contains("--client-certificate"), "{refused}");
    assert!(matches!(ask(&server, &words[..4]).await, Err(ClientError::TlsOptions(TlsError::HalfIdentity))));
    let swapped = ["--ca-file", &trust, "--client-certificate", &key, "--client-key", &certificate];
    assert!(matches!(ask(&server, &swapped).await, Err(ClientError::TlsOptions(TlsError::Identity(_)))));
}

#[tokio::test]
async fn a_server_without_tls_is_named_as_such() {
    let authority = Authority::new();
    let port = listen(|mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        let _ = stream.read(&mut [0; 4096]);
    });
    let server = format!("https://localhost:{port}");
    let refused = ask(&server, &["--ca-file", &authority.path()]).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        format!("{server} does not speak TLS there; check the port, or use an http URL if that is meant")
    );
}

#[tokio::test]
async fn authorities_that_cannot_be_read_are_wrong_usage() {
    let authority = Authority::new();
    let empty = authority.file("empty.pem", "");
    for path in [empty.as_str(), "/nowhere"] {
        let refused = ask("https://localhost:1", &["--ca-file", path]).await.unwrap_err();
        assert!(
            matches!(refused, ClientError::TlsOptions(_)) && refused.to_string().contains(path),
            "{refused}"
        );
    }
}
