//! A server for tests that answers by a script, right or wrong, over real TLS on the loopback.
//!
//! It runs in threads of its own and knows no clock. While one exists the paused clock of a test does not run ahead by
//! itself, so that a test decides when time passes.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tokio::sync::Semaphore;

use super::ber::{self, INTEGER, OCTET_STRING, Reader, SEQUENCE, SET, put, put_nested, put_number};
use super::message::put_page;

/// What a client asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Request {
    StartTls,
    Bind { name: String, password: String },
    Search { base: String, filter: Vec<u8>, cookie: Vec<u8> },
}

/// What the server does about it.
#[derive(Debug, Clone)]
pub(super) enum Answer {
    /// Sends an operation with the number of the request.
    Say(u8, Vec<u8>),
    /// Sends an operation and controls.
    SayWith(u8, Vec<u8>, Vec<u8>),
    /// Sends these octets.
    Octets(Vec<u8>),
    /// Closes the connection.
    Close,
    /// Says nothing any more until the test ends.
    Stall,
}

/// How TLS begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Ldaps,
    StartTls,
}

type Script = dyn Fn(&Request) -> Vec<Answer> + Send + Sync;

/// A running server.
pub(super) struct TestServer {
    pub(super) url: String,
    pub(super) requests: Arc<Mutex<Vec<Request>>>,
    pub(super) connections: Arc<Mutex<usize>>,
    /// Gets a permit whenever a connection has stalled or ended.
    pub(super) quiet: Arc<Semaphore>,
    stopped: Arc<AtomicBool>,
    _clock: mpsc::Sender<()>,
    address: std::net::SocketAddr,
}

/// An authority and a certificate for 127.0.0.1.
#[derive(Clone)]
pub(super) struct Identity {
    pub(super) root: CertificateDer<'static>,
    leaf: CertificateDer<'static>,
    key: Vec<u8>,
}

impl Identity {
    pub(super) fn new(host: &str) -> Self {
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority_key = KeyPair::generate().unwrap();
        let root = authority.self_signed(&authority_key).unwrap().der().clone();
        let issuer = Issuer::new(authority, authority_key);
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(vec![host.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
        Self { root, leaf: leaf.der().clone(), key: key.serialize_der() }
    }

    fn config(&self) -> Arc<ServerConfig> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let key = PrivateKeyDer::try_from(self.key.clone()).unwrap();
        let config =
            ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        Arc::new(config.with_no_client_auth().with_single_cert(vec![self.leaf.clone()], key).unwrap())
    }
}

impl TestServer {
    pub(super) fn start(
        identity: &Identity,
        mode: Mode,
        script: impl Fn(&Request) -> Vec<Answer> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let scheme = if mode == Mode::Ldaps { "ldaps" } else { "ldap" };
        let (clock, held) = mpsc::channel::<()>();
        tokio::task::spawn_blocking(move || held.recv());
        let server = Self {
            url: format!("{scheme}://{address}"),
            requests: Arc::default(),
            connections: Arc::default(),
            quiet: Arc::new(Semaphore::new(0)),
            stopped: Arc::default(),
            _clock: clock,
            address,
        };
        let session = Session {
            config: identity.config(),
            mode,
            script: Arc::new(script),
            requests: Arc::clone(&server.requests),
            quiet: Arc::clone(&server.quiet),
            stopped: Arc::clone(&server.stopped),
        };
        let (stopped, connections) = (Arc::clone(&server.stopped), Arc::clone(&server.connections));
        thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                *connections.lock().unwrap() += 1;
                let (session, stream) = (session.clone(), stream.unwrap());
                thread::spawn(move || {
                    session.run(stream);
                    session.quiet.add_permits(1);
                });
            }
        });
        server
    }

    pub(super) fn binds(&self) -> Vec<(String, String)> {
        let requests = self.requests.lock().unwrap();
        let binds = requests.iter().filter_map(|request| match request {
            Request::Bind { name, password } => Some((name.clone(), password.clone())),
            _ => None,
        });
        binds.collect()
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}

#[derive(Clone)]
struct Session {
    config: Arc<ServerConfig>,
    mode: Mode,
    script: Arc<Script>,
    requests: Arc<Mutex<Vec<Request>>>,
    quiet: Arc<Semaphore>,
    stopped: Arc<AtomicBool>,
}

impl Session {
    fn run(&self, mut tcp: TcpStream) {
        tcp.set_nodelay(true).unwrap();
        if self.mode == Mode::StartTls && !matches!(self.serve_one(&mut tcp), Ok(true)) {
            return;
        }
        let tls = ServerConnection::new(Arc::clone(&self.config)).unwrap();
        let mut stream = StreamOwned::new(tls, tcp);
        while matches!(self.serve_one(&mut stream), Ok(true)) {}
    }

    /// Answers one request. Returns whether the connection goes on.
    fn serve_one(&self, stream: &mut (impl Read + Write)) -> io::Result<bool> {
        let (id, request) = read_request(stream)?;
        self.requests.lock().unwrap().push(request.clone());
        for answer in (self.script)(&request) {
            match answer {
                Answer::Say(tag, content) => stream.write_all(&message(id, tag, &content, &[]))?,
                Answer::SayWith(tag, content, controls) => {
                    stream.write_all(&message(id, tag, &content, &controls))?;
                }
                Answer::Octets(octets) => stream.write_all(&octets)?,
                Answer::Close => return Ok(false),
                Answer::Stall => {
                    stream.flush()?;
                    self.quiet.add_permits(1);
                    while !self.stopped.load(Ordering::SeqCst) {
                        thread::park_timeout(std::time::Duration::from_millis(5));
                    }
                    return Ok(false);
                }
            }
        }
        stream.flush()?;
        Ok(true)
    }
}

fn read_request(stream: &mut impl Read) -> io::Result<(i32, Request)> {
    let mut bytes = Vec::new();
    loop {
        let mut octet = [0];
        stream.read_exact(&mut octet)?;
        bytes.push(octet[0]);
        if ber::message_length(&bytes).unwrap() == Some(bytes.len()) {
            return Ok(parse(&bytes).unwrap());
        }
    }
}

fn parse(bytes: &[u8]) -> Result<(i32, Request), ber::BerError> {
    let mut message = Reader::new(bytes).inside(SEQUENCE)?;
    let id = message.number(INTEGER)?;
    let (tag, content) = message.element()?;
    let mut content = Reader::new(content);
    let request = match tag {
        0x60 => {
            content.number(INTEGER)?;
            let name = content.text()?.to_owned();
            let password = String::from_utf8_lossy(content.expect(0x80)?).into_owned();
            Request::Bind { name, password }
        }
        0x63 => {
            let base = content.text()?.to_owned();
            for _ in 0..5 {
                content.element()?;
            }
            let (tag, inner) = content.element()?;
            let mut filter = Vec::new();
            put(&mut filter, tag, inner);
            Request::Search { base, filter, cookie: cookie(message)? }
        }
        _ => Request::StartTls,
    };
    Ok((id, request))
}

fn cookie(mut message: Reader<'_>) -> Result<Vec<u8>, ber::BerError> {
    if message.is_empty() {
        return Ok(Vec::new());
    }
    let mut control = message.inside(0xa0)?.inside(SEQUENCE)?;
    control.text()?;
    let mut page = Reader::new(control.expect(OCTET_STRING)?).inside(SEQUENCE)?;
    page.number(INTEGER)?;
    Ok(page.expect(OCTET_STRING)?.to_vec())
}

/// Encodes a message.
pub(super) fn message(id: i32, tag: u8, content: &[u8], controls: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    put_nested(&mut out, SEQUENCE, |out| {
        put_number(out, INTEGER, id);
        put(out, tag, content);
        out.extend_from_slice(controls);
    });
    out
}

fn result(code: i32, text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    put_number(&mut out, ber::ENUMERATED, code);
    put(&mut out, OCTET_STRING, b"");
    put(&mut out, OCTET_STRING, text.as_bytes());
    out
}

/// The answer to a bind.
pub(super) fn bound(code: i32, text: &str) -> Answer {
    Answer::Say(0x61, result(code, text))
}

/// The end of a search.
pub(super) fn done(code: i32) -> Answer {
    Answer::Say(0x65, result(code, ""))
}

/// The end of a page.
pub(super) fn done_with_more(cookie: &[u8]) -> Answer {
    let mut controls = Vec::new();
    put_nested(&mut controls, 0xa0, |out| put_page(out, 0, cookie));
    Answer::SayWith(0x65, result(0, ""), controls)
}

/// The answer to `StartTLS`.
pub(super) fn extended(code: i32) -> Answer {
    Answer::Say(0x78, result(code, ""))
}

/// A continuation reference.
pub(super) fn reference(url: &str) -> Answer {
    let mut out = Vec::new();
    put(&mut out, OCTET_STRING, url.as_bytes());
    Answer::Say(0x73, out)
}

/// An entry.
pub(super) fn entry(dn: &str, attributes: &[(&str, &[&str])]) -> Answer {
    let mut out = Vec::new();
    put(&mut out, OCTET_STRING, dn.as_bytes());
    put_nested(&mut out, SEQUENCE, |out| {
        for (name, values) in attributes {
            put_nested(out, SEQUENCE, |out| {
                put(out, OCTET_STRING, name.as_bytes());
                put_nested(out, SET, |out| {
                    values.iter().for_each(|value| put(out, OCTET_STRING, value.as_bytes()));
                });
            });
        }
    });
    Answer::Say(0x64, out)
}
