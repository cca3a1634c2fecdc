//! Any bytes as the certificate of a client, in DER.
//!
//! The promises: what is understood holds no name that deceives whoever reads it, and is bounded; the name of the holder
//! is one that stands in the certificate; nobody is the holder of one that has expired or is refused.

use std::collections::BTreeSet;

use jiff::{Timestamp, ToSpan};
use opendcre_auth::certificate::{CertificateError, CertificateRules, NameSource, PeerCertificate};
use opendcre_auth::ldap;

use crate::{is_printable, is_unseen};

/// The most names of all kinds.
const MAX_NAMES: usize = 256;
/// The bytes of one name.
const MAX_NAME: usize = 1024;
/// The bytes of a message: what the library says about a broken certificate is short.
const MAX_MESSAGE: usize = 400;

const SOURCES: [NameSource; 6] = [
    NameSource::CommonName,
    NameSource::Email,
    NameSource::Upn,
    NameSource::Dns,
    NameSource::Uri,
    NameSource::Subject,
];

/// Reads the certificate, then asks whose it is.
pub fn certificate(data: &[u8]) {
    let parsed = PeerCertificate::parse(data);
    assert_eq!(parsed, PeerCertificate::parse(data));
    match parsed {
        Ok(certificate) => {
            check_names(&certificate);
            check_subject(&certificate);
            check_holder(&certificate);
        }
        Err(error) => check_error(&error),
    }
}

fn check_error(error: &CertificateError) {
    let message = error.to_string();
    assert!(message.len() <= MAX_MESSAGE, "{} bytes: {message}", message.len());
    assert!(is_printable(&message), "{message:?}");
}

fn names(certificate: &PeerCertificate) -> Vec<&String> {
    let PeerCertificate { common_name, organizational_units, dns, email, uri, upn, .. } = certificate;
    let lists = [organizational_units, dns, email, uri, upn];
    lists.into_iter().flatten().chain(common_name).collect()
}

fn check_names(certificate: &PeerCertificate) {
    let PeerCertificate { organizational_units, dns, email, uri, upn, .. } = certificate;
    assert!(organizational_units.len() <= MAX_NAMES);
    assert!([dns, email, uri, upn].into_iter().map(Vec::len).sum::<usize>() <= MAX_NAMES);
    for name in names(certificate) {
        assert!(name.len() <= MAX_NAME && !name.chars().any(is_unseen), "{name:?}");
    }
    assert!(!certificate.subject.chars().any(is_unseen), "{:?}", certificate.subject);
}

/// Another reader of RFC 4514 reads the same in what was written, where there is but one common name.
fn check_subject(certificate: &PeerCertificate) {
    let subject = &certificate.subject;
    let is_first = subject.starts_with("CN=") && !subject.starts_with("CN=#");
    if is_first && subject.matches("CN=").count() == 1 {
        assert_eq!(ldap::fuzz::first_value(subject, "cn"), certificate.common_name, "{subject:?}");
    }
}

fn check_holder(certificate: &PeerCertificate) {
    let rules =
        CertificateRules { name_from: SOURCES.to_vec(), groups_from_ou: true, refused: BTreeSet::new() };
    let last = certificate.not_after;
    if let Ok(holder) = rules.subject(certificate, last) {
        let is_there = names(certificate).contains(&&holder.name) || holder.name == certificate.subject;
        assert!(is_there && !holder.name.is_empty(), "{holder:?}");
        assert!(holder.groups.iter().all(|group| certificate.organizational_units.contains(group)));
        assert!(holder.grants.is_empty() && holder.provider.is_empty());
    }
    let later = last.checked_add(1.second()).unwrap_or(Timestamp::MAX);
    assert!(later == last || rules.subject(certificate, later).is_err());
    let refusing = CertificateRules { refused: BTreeSet::from([certificate.fingerprint]), ..rules };
    assert!(refusing.subject(certificate, last).is_err());
}
