//! Whoever has proved to hold a client certificate, and whether that still counts.
//!
//! A handshake happens once, connections stay open for days: what was true then is judged again after every change of
//! the authorities and revocations, and when a list of these goes out of date. It does not know who the holder is for this gateway.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use opendcre_auth::certificate::{CertificateError, PeerCertificate};
use rustls::pki_types::CertificateDer;
use thiserror::Error;

use super::{Tls, Trust, unix_time};

/// Why a client certificate that was good in the handshake is good no longer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the client certificate is not valid any more: {reason}")]
pub(crate) struct Revoked {
    /// Why, for the log and the audit.
    pub(crate) reason: String,
}

/// Whoever has proved to hold a client certificate.
pub(crate) struct Holder {
    tls: Arc<Tls>,
    /// As it was shown: the certificate and those that lead to its authority.
    chain: Vec<CertificateDer<'static>>,
    certificate: PeerCertificate,
    judged: Mutex<Judgement>,
}

/// What a generation of authorities and revocations says of a chain.
#[derive(Clone)]
struct Judgement {
    generation: u64,
    /// How many lists of revocations did not count any more.
    out_of_date: usize,
    verdict: Result<(), Revoked>,
}

impl Holder {
    /// The client that has shown `chain` in a handshake, which `trust` has accepted.
    ///
    /// # Errors
    /// The certificate says things that cannot be understood.
    pub(crate) fn new(
        tls: Arc<Tls>,
        trust: &Trust,
        chain: Vec<CertificateDer<'static>>,
    ) -> Result<Self, CertificateError> {
        let certificate = PeerCertificate::parse(chain.first().map_or(&[][..], |first| first))?;
        // A session that was resumed was judged before; if a list has gone out of date since then, this is seen.
        let judged = Judgement { generation: trust.generation, out_of_date: 0, verdict: Ok(()) };
        let judged = Mutex::new(judged);
        Ok(Self { tls, chain, certificate, judged })
    }

    /// What the certificate says, if it still counts.
    ///
    /// # Errors
    /// It has expired meanwhile, or what is in force now does not vouch for it.
    pub(crate) fn certificate(&self) -> Result<&PeerCertificate, Revoked> {
        let now = self.tls.clock.now();
        if now > self.certificate.not_after {
            return Err(Revoked { reason: format!("it has expired at {}", self.certificate.not_after) });
        }
        self.judge(now)?;
        Ok(&self.certificate)
    }

    /// What the present authorities and revocations say, which is found out once for each generation, and again when
    /// time has changed it.
    fn judge(&self, now: Timestamp) -> Result<(), Revoked> {
        let trust = self.tls.current();
        let mut judged = self.judged.lock().unwrap_or_else(PoisonError::into_inner);
        let (generation, out_of_date) = (trust.generation, trust.lists.out_of_date(now));
        if (judged.generation, judged.out_of_date) != (generation, out_of_date) {
            *judged = Judgement { generation, out_of_date, verdict: self.verify(&trust, now) };
        }
        judged.verdict.clone()
    }

    fn verify(&self, trust: &Trust, now: Timestamp) -> Result<(), Revoked> {
        let verifier = trust.verifier.as_ref();
        let verifier = verifier
            .ok_or_else(|| Revoked { reason: "client certificates are not used any more".to_owned() })?;
        let (certificate, intermediates) =
            self.chain.split_first().ok_or_else(|| Revoked { reason: "it was not shown".to_owned() })?;
        let verified = verifier.verify_client_cert(certificate, intermediates, unix_time(now));
        verified.map(drop).map_err(|error| Revoked { reason: error.to_string() })
    }
}

impl fmt::Debug for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Holder").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}
