//! Client certificates: what they say, and who that is.
//!
//! Whether a certificate is genuine is decided by whoever has verified its chain; nothing here looks at a signature. All
//! of it may be written by an enemy all the same, as authorities copy what they are asked to sign.

mod name;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use jiff::Timestamp;
use opendcre_model::{Login, Subject};
use sha2::{Digest, Sha256};
use thiserror::Error;
use x509_parser::asn1_rs::{Any, Class, Oid, Tag, oid};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::Failure;
use crate::attempt::is_deceptive;

/// The largest certificate that is looked at, in bytes.
const MAX_CERTIFICATE: usize = 64 * 1024;
/// The most names of all kinds in one certificate.
const MAX_NAMES: usize = 256;
/// The longest name, in bytes.
const MAX_NAME: usize = 1024;

/// The user principal name of Microsoft's, an `otherName` whose value is a `UTF8String`.
const USER_PRINCIPAL_NAME: Oid<'static> = oid!(1.3.6.1.4.1.311.20.2.3);

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
    /// The last moment at which it is valid.
    pub not_after: Timestamp,
    /// SHA-256 of the whole certificate.
    pub fingerprint: [u8; 32],
}

/// Why it cannot be said what a certificate says.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CertificateError {
    /// It is larger than any honest one.
    #[error(
        "the client certificate has {0} bytes, which is more than {MAX_CERTIFICATE}; have a smaller one issued"
    )]
    TooLarge(usize),
    /// It is not a certificate of X.509 (RFC 5280).
    #[error("the client certificate is broken: {0}; have it issued again")]
    Broken(String),
    /// It has more names than any honest one.
    #[error("the client certificate has more than {MAX_NAMES} names; have it issued with fewer")]
    TooManyNames,
    /// A name is longer than any honest one, or holds characters that would deceive whoever reads it.
    #[error(
        "the client certificate has a name that is too long or holds control characters; have it issued again"
    )]
    BadName,
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

// === impl PeerCertificate ===

impl PeerCertificate {
    /// Reads a certificate in DER.
    ///
    /// # Errors
    /// Every [`CertificateError`].
    pub fn parse(der: &[u8]) -> Result<Self, CertificateError> {
        if der.len() > MAX_CERTIFICATE {
            return Err(CertificateError::TooLarge(der.len()));
        }
        let (rest, parsed) = X509Certificate::from_der(der).map_err(|error| broken(&error))?;
        if !rest.is_empty() {
            return Err(CertificateError::Broken("something follows it".to_owned()));
        }
        let subject = name::Distinguished::read(parsed.subject())?;
        let not_after = parsed.validity().not_after.timestamp();
        let mut certificate = Self {
            subject: subject.text,
            common_name: subject.common_names.into_iter().next_back(),
            organizational_units: subject.organizational_units,
            dns: Vec::new(),
            email: Vec::new(),
            uri: Vec::new(),
            upn: Vec::new(),
            not_after: Timestamp::from_second(not_after).map_err(|error| broken(&error))?,
            fingerprint: Sha256::digest(der).into(),
        };
        let names = parsed.subject_alternative_name().map_err(|error| broken(&error))?;
        certificate.add_names(names.map_or(&[][..], |names| &names.value.general_names))?;
        Ok(certificate)
    }

    /// Takes over the alternative names of the subject (RFC 5280 §4.2.1.6) of the kinds that people are known by.
    fn add_names(&mut self, names: &[GeneralName<'_>]) -> Result<(), CertificateError> {
        if names.len() > MAX_NAMES {
            return Err(CertificateError::TooManyNames);
        }
        for name in names {
            match name {
                GeneralName::DNSName(text) => self.dns.push(checked(text)?),
                GeneralName::RFC822Name(text) => self.email.push(checked(text)?),
                GeneralName::URI(text) => self.uri.push(checked(text)?),
                GeneralName::OtherName(kind, value) if *kind == USER_PRINCIPAL_NAME => {
                    self.upn.push(checked(principal_name(value)?)?);
                }
                GeneralName::Invalid(..) => return Err(CertificateError::BadName),
                _ => {}
            }
        }
        Ok(())
    }

    /// The first name of a kind.
    fn name(&self, source: NameSource) -> Option<&str> {
        let name = match source {
            NameSource::CommonName => self.common_name.as_ref(),
            NameSource::Subject => Some(&self.subject),
            NameSource::Dns => self.dns.first(),
            NameSource::Email => self.email.first(),
            NameSource::Uri => self.uri.first(),
            NameSource::Upn => self.upn.first(),
        };
        name.map(String::as_str).filter(|name| !name.is_empty())
    }
}

/// The text in the value of an `otherName`, which is `[0] EXPLICIT UTF8String` here.
fn principal_name(value: &[u8]) -> Result<&str, CertificateError> {
    let (rest, outer) = Any::from_der(value).map_err(|error| broken(&error))?;
    let (inner_rest, inner) = Any::from_der(outer.data).map_err(|error| broken(&error))?;
    let is_wrapped = outer.class() == Class::ContextSpecific && outer.tag() == Tag(0);
    if !(is_wrapped && rest.is_empty() && inner_rest.is_empty() && inner.tag() == Tag::Utf8String) {
        return Err(CertificateError::Broken("its user principal name is not one".to_owned()));
    }
    std::str::from_utf8(inner.data).map_err(|error| broken(&error))
}

/// A name that can be shown in a log, and compared by people.
fn checked(name: &str) -> Result<String, CertificateError> {
    if name.len() > MAX_NAME || is_deceptive(name) {
        return Err(CertificateError::BadName);
    }
    Ok(name.to_owned())
}

/// Whether all white space in `name` is single blanks between words. Whatever else there is counts for nothing where names
/// of certificates are compared (RFC 5280 §7.1, RFC 4518 §2.6.1), so that one name would have many forms.
fn is_in_one_form(name: &str) -> bool {
    name.split(' ').all(|word| !word.is_empty() && !word.contains(char::is_whitespace))
}

fn broken(reason: &impl ToString) -> CertificateError {
    CertificateError::Broken(reason.to_string())
}

// === impl CertificateRules ===

impl CertificateRules {
    /// Who the holder of `certificate` is.
    ///
    /// # Errors
    /// The certificate has expired, is refused, holds no name, or holds one with blanks too many.
    pub fn subject(&self, certificate: &PeerCertificate, now: Timestamp) -> Result<Subject, Failure> {
        if now > certificate.not_after {
            return Err(rejected(format!("the client certificate has expired at {}", certificate.not_after)));
        }
        if self.refused.contains(&certificate.fingerprint) {
            return Err(rejected("the client certificate is among those that are refused".to_owned()));
        }
        let name = self.name_from.iter().find_map(|source| certificate.name(*source));
        let name = name.ok_or_else(|| {
            rejected(format!(
                "the client certificate of {:?} holds no name of a kind that counts",
                certificate.subject
            ))
        })?;
        let groups = if self.groups_from_ou { certificate.organizational_units.clone() } else { Vec::new() };
        // Authorities compare names without such blanks, so that it could be issued beside the name without them.
        if let Some(padded) =
            groups.iter().map(String::as_str).chain([name]).find(|name| !is_in_one_form(name))
        {
            return Err(rejected(format!(
                "the client certificate of {:?} holds the name {padded:?}, which has blanks too many",
                certificate.subject
            )));
        }
        Ok(Subject {
            name: name.to_owned(),
            login: Login::Certificate,
            provider: String::new(),
            groups,
            grants: Vec::new(),
        })
    }
}

fn rejected(reason: String) -> Failure {
    Failure::Rejected { reason }
}
