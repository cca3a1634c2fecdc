//! The versions and algorithms of TLS that are spoken.

use rustls::crypto::ring::cipher_suite::{
    TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    TLS13_AES_128_GCM_SHA256, TLS13_AES_256_GCM_SHA384, TLS13_CHACHA20_POLY1305_SHA256,
};
use rustls::crypto::{CryptoProvider, ring};
use rustls::{SupportedCipherSuite, SupportedProtocolVersion};

/// TLS 1.3 (RFC 8446) and 1.2 (RFC 5246); older ones are not even built in.
pub(super) const VERSIONS: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13, &rustls::version::TLS12];

/// With AES.
const AES: [SupportedCipherSuite; 6] = [
    TLS13_AES_256_GCM_SHA384,
    TLS13_AES_128_GCM_SHA256,
    TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
];

/// Without AES.
const CHACHA20: [SupportedCipherSuite; 3] = [
    TLS13_CHACHA20_POLY1305_SHA256,
    TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
];

/// Whether the processor has, as a rule, no instructions for AES, so that ChaCha20 is many times faster.
const SLOW_AES: bool = cfg!(target_arch = "arm");

/// The algorithms in the order in which the server prefers them: every suite agrees on a fresh key for each connection
/// (ECDHE) and authenticates what it encrypts.
pub(super) fn provider() -> CryptoProvider {
    let (first, second): (&[_], &[_]) = if SLOW_AES { (&CHACHA20, &AES) } else { (&AES, &CHACHA20) };
    CryptoProvider { cipher_suites: [first, second].concat(), ..ring::default_provider() }
}
