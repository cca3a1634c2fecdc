//! TLS in the configuration: whether it is spoken, and with which files.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::check::Findings;

/// TLS.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Tls {
    /// Whether TLS is spoken. Unless given, it is on every address but those of this machine itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// The certificate in PEM, followed by those that lead to its root. Without it, one is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<PathBuf>,
    /// The key of the certificate in PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<PathBuf>,
    /// The authorities in PEM whose certificates clients may show.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_ca: Option<PathBuf>,
    /// The lists in PEM of certificates that these authorities have revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_crl: Option<PathBuf>,
    /// Whether every client must show a certificate.
    pub client_certificate: ClientCertificate,
}

/// Whether clients show a certificate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ClientCertificate {
    /// They may.
    #[default]
    Optional,
    /// They must.
    Required,
}

impl Tls {
    /// The files that are named, to find those with relative paths.
    pub(super) fn files(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let own = self.certificate.iter_mut().chain(&mut self.key);
        own.chain(&mut self.client_ca).chain(&mut self.client_crl)
    }

    /// Everything that is wrong with the table.
    pub(super) fn check(&self, findings: &mut Findings) {
        match (&self.certificate, &self.key) {
            (Some(_), None) => findings.add("tls.certificate", "has no key; name its file in tls.key"),
            (None, Some(_)) => {
                findings.add("tls.key", "has no certificate; name its file in tls.certificate");
            }
            _ => {}
        }
        if self.client_ca.is_none() {
            if self.client_crl.is_some() {
                findings.add("tls.client_crl", "revokes nothing without tls.client_ca; name that, too");
            }
            if self.client_certificate == ClientCertificate::Required {
                let message = "nobody could show one without tls.client_ca; name that, too";
                findings.add("tls.client_certificate", message);
            }
        }
    }
}
