//! An authority of our own, what it signs and revokes, and the files it is put in.

use std::path::PathBuf;

use opendcre_api::TlsFiles;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, ExtendedKeyUsagePurpose,
    IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, RevokedCertParams,
    SerialNumber, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tempfile::TempDir;

/// Whoever signs certificates.
pub(crate) struct Authority {
    params: CertificateParams,
    key: KeyPair,
    pub(crate) certificate: CertificateDer<'static>,
    pub(crate) pem: String,
}

/// A certificate and its key.
pub(crate) struct Pair {
    pub(crate) certificate: CertificateDer<'static>,
    pub(crate) key: PrivateKeyDer<'static>,
    pub(crate) certificate_pem: String,
    pub(crate) key_pem: String,
}

fn key() -> KeyPair {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap()
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let key = key();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key).unwrap();
        Self { certificate: certificate.der().clone(), pem: certificate.pem(), params, key }
    }

    fn issuer(&self) -> Issuer<'_, &KeyPair> {
        Issuer::from_params(&self.params, &self.key)
    }

    fn sign(&self, mut params: CertificateParams, usage: ExtendedKeyUsagePurpose) -> Pair {
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![usage];
        let key = key();
        let certificate = params.signed_by(&key, &self.issuer()).unwrap();
        Pair {
            certificate: certificate.der().clone(),
            key: key.serialize_der().try_into().unwrap(),
            certificate_pem: certificate.pem(),
            key_pem: key.serialize_pem(),
        }
    }

    /// A certificate for `localhost`.
    pub(crate) fn server(&self) -> Pair {
        let params = CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        self.sign(params, ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// A certificate for somebody with this serial number, which ends with the given year.
    pub(crate) fn client(&self, name: &str, serial: u64, until: i32) -> Pair {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.serial_number = Some(SerialNumber::from(serial));
        params.not_after = date_time_ymd(until, 1, 1);
        self.sign(params, ExtendedKeyUsagePurpose::ClientAuth)
    }

    /// The list of those serial numbers that do not count any more, in PEM.
    pub(crate) fn revokes(&self, serials: &[u64]) -> String {
        self.revokes_until(serials, 2040)
    }

    /// The same, out of date from the beginning of the given year.
    pub(crate) fn revokes_until(&self, serials: &[u64], year: i32) -> String {
        let revoked = |serial: &u64| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date_time_ymd(2026, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2026, 1, 1),
            next_update: date_time_ymd(year, 1, 1),
            crl_number: SerialNumber::from(1_u64),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&self.issuer()).unwrap().pem().unwrap()
    }
}

/// A folder with the files for TLS.
pub(crate) struct Folder {
    folder: TempDir,
}

impl Folder {
    /// With the files of a server.
    pub(crate) fn with(server: &Pair) -> Self {
        let folder = Self { folder: tempfile::tempdir().unwrap() };
        folder.write_pair(server);
        folder
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: &str) -> PathBuf {
        std::fs::write(self.path(name), content).unwrap();
        self.path(name)
    }

    pub(crate) fn write_pair(&self, pair: &Pair) {
        self.write("cert.pem", &pair.certificate_pem);
        self.write("key.pem", &pair.key_pem);
    }

    pub(crate) fn files(&self) -> TlsFiles {
        TlsFiles::new(self.path("cert.pem"), self.path("key.pem"))
    }
}
