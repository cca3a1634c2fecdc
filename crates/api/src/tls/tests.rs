use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, IsCa, Issuer, KeyIdMethod,
    KeyPair, KeyUsagePurpose, SerialNumber, date_time_ymd,
};

use super::*;

struct FixedClock;

impl WallClock for FixedClock {
    fn now(&self) -> Timestamp {
        "2026-12-01T10:00:00Z".parse().unwrap()
    }
}

struct TestClock(Mutex<Timestamp>);

impl WallClock for TestClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

fn open(files: &TlsFiles) -> Result<Tls, TlsError> {
    Tls::open(files.clone(), Arc::new(FixedClock))
}

fn made(folder: &Path) -> TlsFiles {
    Tls::make(folder, "192.0.2.7".parse().unwrap(), &[], FixedClock.now()).unwrap()
}

fn refusal(files: &TlsFiles) -> String {
    open(files).unwrap_err().to_string()
}

#[test]
fn a_made_pair_serves_and_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("tls");
    let files = made(&folder);
    let fingerprint = open(&files).unwrap().fingerprint();
    assert_eq!(fingerprint.len(), 32 * 3 - 1);
    assert!(fingerprint.split(':').all(|pair| pair.len() == 2 && u8::from_str_radix(pair, 16).is_ok()));
    assert_eq!(made(&folder), files);
    assert_eq!(open(&files).unwrap().fingerprint(), fingerprint);

    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&folder), mode(&files.key), mode(&files.certificate)), (0o700, 0o600, 0o644));
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 2, "nothing half written is left");

    fs::remove_file(&files.certificate).unwrap();
    made(&folder);
    assert_ne!(open(&files).unwrap().fingerprint(), fingerprint);
}

/// What is logged meanwhile.
fn logged(during: impl FnOnce()) -> String {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    tracing::subscriber::with_default(subscriber, during);
    String::from_utf8(log.0.lock().unwrap().clone()).unwrap()
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_made_certificate_stays_when_the_service_gets_other_names_and_that_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let make = |hosts: &[&str]| {
        let hosts: Vec<String> = hosts.iter().map(ToString::to_string).collect();
        let listen = "0.0.0.0".parse().unwrap();
        Tls::make(folder.path(), listen, &hosts, FixedClock.now()).unwrap()
    };
    let said = logged(|| drop(make(&["Gateway.example", "10.0.0.7"])));
    assert_eq!(said, "");
    let fingerprint = open(&make(&[])).unwrap().fingerprint();
    let said = logged(|| drop(make(&["gateway.example", "10.0.0.7", "rack7.example", "not a name"])));
    assert!(said.contains("names=\"rack7.example, not a name\""), "{said}");
    assert_eq!(open(&make(&[])).unwrap().fingerprint(), fingerprint);

    fs::remove_file(folder.path().join("cert.pem")).unwrap();
    let said = logged(|| drop(make(&["rack7.example", "not a name"])));
    assert!(said.contains("names=\"not a name\""), "{said}");
}

#[test]
fn a_revocation_list_that_ends_is_warned_about_before_and_once() {
    let folder = tempfile::tempdir().unwrap();
    let key = KeyPair::generate().unwrap();
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let list = CertificateRevocationListParams {
        this_update: date_time_ymd(2026, 1, 1),
        next_update: date_time_ymd(2026, 12, 3),
        crl_number: SerialNumber::from(1_u64),
        issuing_distribution_point: None,
        revoked_certs: Vec::new(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    let list = list.signed_by(&Issuer::from_params(&authority, &key)).unwrap().pem().unwrap();
    let put = |name: &str, text: String| {
        fs::write(folder.path().join(name), text).unwrap();
        Some(folder.path().join(name))
    };
    let files = TlsFiles {
        client_ca: put("clients.pem", authority.self_signed(&key).unwrap().pem()),
        client_crl: put("clients.crl", list),
        ..made(&folder.path().join("tls"))
    };
    let clock = Arc::new(TestClock(Mutex::new("2026-11-29T10:00:00Z".parse().unwrap())));
    let tls = Tls::open(files, Arc::clone(&clock) as _).unwrap();
    let said_at = |time: &str| {
        *clock.0.lock().unwrap() = time.parse().unwrap();
        logged(|| tls.warn_of_lists())
    };
    assert_eq!(said_at("2026-11-29T10:00:00Z"), "");
    assert!(said_at("2026-12-01T10:00:00Z").contains("out of date soon"));
    assert_eq!(said_at("2026-12-02T10:00:00Z"), "");
    assert!(said_at("2026-12-03T00:00:00Z").contains("a revocation list is out of date, and"));
    assert_eq!(said_at("2026-12-04T00:00:00Z"), "");
}

#[test]
fn a_pair_that_cannot_be_kept_is_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = Tls::make(&file.join("tls"), "::".parse().unwrap(), &[], FixedClock.now()).unwrap_err();
    assert!(
        error.to_string().starts_with(&format!("cannot write {}", file.join("tls").display())),
        "{error}"
    );
}

#[test]
fn what_cannot_be_used_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let files = made(folder.path());
    let other = made(&folder.path().join("other"));
    let bad = |name: &str, content: &str| {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        path
    };
    let with_key = |key: PathBuf| refusal(&TlsFiles { key, ..files.clone() });
    let with_certificate = |certificate: PathBuf| refusal(&TlsFiles { certificate, ..files.clone() });
    let key = fs::read_to_string(&files.key).unwrap();
    let certificate = fs::read_to_string(&files.certificate).unwrap();

    assert!(with_key(folder.path().join("none")).contains("cannot read"));
    assert!(with_key(files.certificate.clone()).contains("cert.pem holds no private key"));
    assert!(with_key(bad("half.pem", &key[..60])).contains("half.pem is broken"));
    let encrypted = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    assert!(with_key(bad("locked.pem", &encrypted)).contains("is encrypted"));
    assert!(with_key(other.key.clone()).contains("does not belong to the certificate"));
    assert!(with_certificate(files.key.clone()).contains("key.pem holds no certificate"));
    let twice = format!("{certificate}{}", fs::read_to_string(&other.certificate).unwrap());
    let stranger = bad("chain.pem", &twice);
    // Made certificates have the same name, and so each could have signed the other.
    assert!(open(&TlsFiles { certificate: stranger, ..files.clone() }).is_ok());
    assert!(with_certificate(bad("long.pem", &certificate.repeat(11))).contains("more than 10 certificates"));

    let required = TlsFiles { client_certificate: ClientCertificates::Required, ..files.clone() };
    assert!(refusal(&required).contains("`client_ca`"));
    let empty = TlsFiles { client_ca: Some(bad("empty.pem", "")), ..files.clone() };
    assert!(refusal(&empty).contains("empty.pem holds no certificate"));
    let client_crl = Some(bad("crl.pem", "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"));
    let broken = TlsFiles { client_ca: Some(files.certificate.clone()), client_crl, ..files.clone() };
    assert!(refusal(&broken).contains("crl.pem cannot be used to check client certificates"));
}

#[test]
fn a_chain_is_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let root_key = KeyPair::generate().unwrap();
    let mut root = CertificateParams::default();
    root.distinguished_name.push(DnType::CommonName, "root");
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root_pem = root.self_signed(&root_key).unwrap().pem();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let leaf_pem = leaf.signed_by(&key, &Issuer::from_params(&root, &root_key)).unwrap().pem();
    let stranger = KeyPair::generate().unwrap();
    let stranger_pem = CertificateParams::default().self_signed(&stranger).unwrap().pem();

    let files = TlsFiles::new(folder.path().join("cert.pem"), folder.path().join("key.pem"));
    fs::write(&files.key, key.serialize_pem()).unwrap();
    let with = |certificates: &[&str]| {
        fs::write(&files.certificate, certificates.concat()).unwrap();
        open(&files).map(drop).map_err(|error| error.to_string())
    };
    assert_eq!(with(&[&leaf_pem]), Ok(()));
    assert_eq!(with(&[&leaf_pem, &root_pem]), Ok(()));
    assert!(with(&[&leaf_pem, &stranger_pem]).unwrap_err().contains("certificate 1 in"));
    assert!(with(&[&leaf_pem, &root_pem, &stranger_pem]).unwrap_err().contains("certificate 2 in"));
    assert!(with(&[&root_pem, &leaf_pem]).unwrap_err().contains("put the certificate of this server"));
}

#[test]
fn only_modern_algorithms_are_offered() {
    for suite in suite::provider().cipher_suites {
        let name = format!("{:?}", suite.suite());
        assert!(name.starts_with("TLS13_") || name.starts_with("TLS_ECDHE_"), "{name}");
        assert!(name.contains("_GCM_") || name.contains("_CHACHA20_POLY1305_"), "{name}");
    }
}
