//! Whether a server can do its work, for health checks of containers and for scripts: `opendcre ready`.
//!
//! The server is the one on this machine, where and how its configuration says, unless another one is named. Its certificate
//! may be one that it has made for itself: then exactly that one is trusted, as it lies on the disk.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use anyhow::{Context, anyhow};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::http::Http;
use super::{Answer, ClientError, Console};
use crate::cli::{ClientOptions, DEFAULT_CONFIG, DEFAULT_SERVER, Fingerprint, ReadyArgs};
use crate::config::Config;
use crate::input::read_text;
use crate::original::IN_CONTAINER;
use crate::serve::LastGood;

/// Far more than a chain of certificates.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// What a server says of its readiness.
#[derive(Deserialize)]
struct Readiness {
    /// Why it is not ready.
    message: Option<String>,
    /// What is real; older servers do not say it.
    mode: Option<String>,
    status: Option<String>,
    /// Only who may look at something is told of these.
    drivers: Option<Vec<Part>>,
    defects: Option<Vec<Part>>,
}

/// A part of a server.
#[derive(Deserialize)]
struct Part {
    name: String,
    /// What is wrong with it.
    message: Option<String>,
}

/// `options`, so that they lead to the server that is meant.
///
/// # Errors
/// The configuration of the server on this machine, or its certificate, cannot be read.
pub(super) fn addressed(args: &ReadyArgs, options: &ClientOptions) -> anyhow::Result<ClientOptions> {
    if args.config.is_none() && options.server != DEFAULT_SERVER {
        return Ok(options.clone());
    }
    on_this_machine(options, &configuration(args)?)
}

/// The configuration by which the server on this machine runs: that of its file, or the last one that worked. Where there
/// is neither, it is what the client takes for usual.
fn configuration(args: &ReadyArgs) -> anyhow::Result<Config> {
    let usual = [IN_CONTAINER, DEFAULT_CONFIG].map(Path::new);
    let found = args.config.as_deref().or_else(|| usual.into_iter().find(|path| path.exists()));
    let path = found.unwrap_or(Path::new(DEFAULT_CONFIG));
    let refusal = match Config::load(path) {
        Ok(config) => return Ok(config),
        Err(refusal) => refusal,
    };
    match LastGood::find(args.state.as_deref(), path).read() {
        Ok(text) => Ok(Config::of_text(path, &text)?),
        Err(_) if found.is_none() => Ok(Config::default()),
        Err(_) => Err(refusal.into()),
    }
}

/// `options`, so that they lead to the server on this machine that `config` describes.
///
/// # Errors
/// The certificate of the server cannot be read.
fn on_this_machine(options: &ClientOptions, config: &Config) -> anyhow::Result<ClientOptions> {
    let mut options = options.clone();
    let address = reachable(config.server.listen);
    if !config.speaks_tls() {
        options.server = format!("http://{address}");
        return Ok(options);
    }
    options.server = format!("https://{address}");
    if options.access.fingerprint.is_none() && options.access.ca_file.is_none() {
        let made = config.made_certificate().join("cert.pem");
        options.access.fingerprint = Some(fingerprint(config.tls.certificate.as_ref().unwrap_or(&made))?);
    }
    Ok(options)
}

/// An address by which this machine reaches a server that listens on `address`.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// The fingerprint of the first certificate in the file at `path`, which is that of the server itself.
fn fingerprint(path: &Path) -> anyhow::Result<Fingerprint> {
    let who = "run this as root or as the user of the service, or use --fingerprint";
    let place = || format!("cannot read the certificate of the server, {}; {who}", path.display());
    let pem = read_text(path, MAX_FILE_BYTES).with_context(place)?;
    let first = CertificateDer::pem_slice_iter(pem.as_bytes()).next();
    let certificate =
        first.ok_or_else(|| anyhow!("there is no certificate in {}", path.display()))?.with_context(place)?;
    Ok(Fingerprint(Sha256::digest(certificate).into()))
}

/// Asks the server whether it is ready and prints what it lacks. True if it is ready.
///
/// # Errors
/// There is no answer, or another one.
pub(super) async fn ask(http: &Http, console: &mut Console<'_>) -> Result<bool, ClientError> {
    let (is_ready, answer) = http.readiness().await?;
    if console.is_for_programs() {
        console.json(&answer)?;
        return Ok(is_ready);
    }
    for line in lines(is_ready, &answer)? {
        console.line(&line)?;
    }
    Ok(is_ready)
}

/// The answer in words: a line for the whole, and one for each part that something is wrong with.
fn lines(is_ready: bool, answer: &Answer) -> Result<Vec<String>, ClientError> {
    let readiness: Readiness = answer.read()?;
    let mode = readiness.mode.map_or_else(String::new, |mode| format!(" ({mode})"));
    let is_degraded = readiness.status.is_some_and(|status| status != "ok");
    let whole = match (is_ready, is_degraded, readiness.message) {
        (true, false, _) => format!("ready{mode}"),
        (true, true, _) => format!("ready{mode}, but something is amiss"),
        (false, _, message) => format!("not ready{mode}: {}", message.unwrap_or_default()),
    };
    let is_told = readiness.drivers.is_some() || readiness.defects.is_some();
    let parts = readiness.drivers.into_iter().chain(readiness.defects).flatten();
    let parts = parts.filter_map(|part| Some(format!("{}: {}", part.name, part.message?)));
    let hint = (!is_told && (is_degraded || !is_ready))
        .then(|| "who may read something is told more: use --token-file".to_owned());
    Ok([whole].into_iter().chain(parts).chain(hint).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(is_ready: bool, body: &str) -> Vec<String> {
        lines(is_ready, &Answer::parse(body).unwrap()).unwrap()
    }

    #[test]
    fn what_is_amiss_is_told_line_by_line() {
        assert_eq!(told(true, r#"{"status": "ok", "mode": "hardware"}"#), ["ready (hardware)"]);
        assert_eq!(told(true, r#"{"status": "ok", "drivers": [], "defects": []}"#), ["ready"]);
        let lines = told(
            false,
            r#"{"message": "not usable: hat", "code": "not_ready", "mode": "mixed",
                "drivers": [{"name": "hat", "code": "gone", "message": "no such tty"}, {"name": "ipmi", "code": "ok"}],
                "defects": [{"name": "audit.file", "code": "audit_unavailable", "message": "disk full"}]}"#,
        );
        assert_eq!(
            lines,
            ["not ready (mixed): not usable: hat", "hat: no such tty", "audit.file: disk full"]
        );
        let bare = told(true, r#"{"status": "degraded", "mode": "emulator"}"#);
        assert_eq!(bare.len(), 2);
        assert!(bare[1].contains("--token-file"), "{bare:?}");
    }

    #[test]
    fn a_server_that_listens_everywhere_is_reached_on_this_machine() {
        for (listen, reached) in [
            ("0.0.0.0:5001", "127.0.0.1:5001"),
            ("[::]:80", "[::1]:80"),
            ("192.0.2.1:5000", "192.0.2.1:5000"),
        ] {
            assert_eq!(reachable(listen.parse().unwrap()), reached.parse().unwrap());
        }
    }
}
