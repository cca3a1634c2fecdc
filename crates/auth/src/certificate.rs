//! Client certificates: what they say, and who that is.

use std::collections::BTreeSet;

use jiff::Timestamp;
use opendcre_model::Subject;

/// What a client certificate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerCertificate {
    /// The subject in the form of RFC 4514, such as `CN=ada,OU=operators,O=Example`.
    pub subject: String,
    /// The last common name of the subject.
    pub common_name: Option<String>,
    /// The organisational units of the subject.
    pub organizational_units: Vec<String>,
    /// DNS names (RFC 5280 §4.2.1.6).
    pub dns: Vec<String>,
    /// Mail addresses.
    pub email: Vec<String>,
    /// URIs, such as SPIFFE ids.
    pub uri: Vec<String>,
    /// User principal names (an `otherName` of Microsoft's, OID 1.3.6.1.4.1.311.20.2.3).
    pub upn: Vec<String>,
    /// The time from which on it is void.
    pub not_after: Timestamp,
    /// SHA-256 of the whole certificate.
    pub fingerprint: [u8; 32],
}

/// From which part of a certificate the name is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameSource {
    /// The common name of the subject.
    CommonName,
    /// The whole subject.
    Subject,
    /// The first DNS name.
    Dns,
    /// The first mail address.
    Email,
    /// The first URI.
    Uri,
    /// The first user principal name.
    Upn,
}

/// Who the holders of certificates are.
#[derive(Debug, Clone)]
pub struct CertificateRules {
    /// Where names are looked for; the first part that a certificate has counts.
    pub name_from: Vec<NameSource>,
    /// Whether organisational units count as groups.
    pub groups_from_ou: bool,
    /// Fingerprints that are refused whatever else holds.
    pub refused: BTreeSet<[u8; 32]>,
}

impl CertificateRules {
    /// Who the holder of `certificate` is.
    ///
    /// # Errors
    /// The certificate has expired, or holds no name.
    pub fn subject(
        &self,
        _certificate: &PeerCertificate,
        _now: Timestamp,
    ) -> Result<Subject, crate::Failure> {
        Err(crate::Failure::Rejected { reason: "not built yet".to_owned() })
    }
}
