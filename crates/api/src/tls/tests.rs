use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use super::*;

struct FixedClock;

impl WallClock for FixedClock {
    fn now(&self) -> Timestamp {
        "2026-12-01T10:00:00Z".parse().unwrap()
    }
}

fn open(files: &TlsFiles) -> Result<Tls, TlsError> {
    Tls::open(files.clone(), Arc::new(FixedClock))
}

fn made(folder: &Path) -> TlsFiles {
    Tls::make(folder, "192.0.2.7".parse().unwrap(), FixedClock.now()).unwrap()
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

#[test]
fn a_pair_that_cannot_be_kept_is_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = Tls::make(&file.join("tls"), "::".parse().unwrap(), FixedClock.now()).unwrap_err();
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
