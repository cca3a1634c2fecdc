//! A provider for tests: keys that sign, and a server that says what a test wants it to say.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::Timestamp;
use opendcre_model::WallClock;
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::SigningAlgorithm;
use super::jwk::{JwkSet, Key};
use super::jwt::Rules;

/// The issuer of tokens that are verified without asking anybody.
pub(super) const ISSUER: &str = "https://sso.example";
/// The time at which that happens.
pub(super) const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);

/// An RSA key of 2048 bits in PKCS #8, which protects nothing.
const RSA_KEY: &str = "\
    MIIEvAIBADANBgkqhkiG9w0BAQEFAASCBKYwggSiAgEAAoIBAQC5gQK5fjyR5ohJWOQYt/9l33Zfl/UXh39HtBwlmH2MKFJwli32\
    gojZHj4qBE70Qp8W3jaM9jaBFv0j60srNHAHjLRPqbm7P8FzOJYT7y9nJAd9My2Pbcc9+Ixy+srxoJfV24flhBZzReCXrx3uNBR9\
    uestxVRGX6X4ZqwrkV7+Wnl8psLQQ6AxN+6BxLTA61IH2Kv8pVLBw23E9fYnwwZJ04Lw1aPtvYnqLLwVpV2crhEvjXRLfZ5xFzKs\
    NS277dcDWP31tahukqzdKo8B1Z1SkOJrSJ87eGRNznCBKHJnFc0we9V8na6ixz01fBwonVHqQz+otkVEcpBCbTFQLOlHAgMBAAEC\
    ggEASGua1jL3z5f6FfR7nEDdFvbuHjTTbPurj6E7qdvGC91EDgs7Z3Ufmu/pIfsrncWSmVloX5DRx4Tjj83Qu03N/MyMKlufFIC3\
    89UgFik3TuNsfw7nVwrrEYECx/KsHzfsfwOlIs/1+cvKej1WCIRRiaH3NBfJJm45++eNiLbIqLCaiJVTTLSCEBMLqK1XFlef1OFp\
    g/fJqby6Cv/NGnqPbtP8JBo5V2uncD6yBm3Fx/uuEJcZmor8zadduUBdsMiW+ri9UjC8OXQJ0vgqQGf4Qt7apLlkFiVH+zanN0l4\
    0bvF/7fN3AtaRGXVE3AYNgqseIusY6VBmLFLCFLHG1x4SQKBgQD9jFBZjjf6wmM+Jgr81o1WvabYipbq1dPYR5PAL6z+yr7bktBo\
    nCdlDxEqJ3QoT/XWuIjYCyZjDZffYiY6GzWmKV5A2l5VfNrh6da0zegNo+TOoGF7Pyt6aqA0HHI16fDhblTVn8/8SGC5vMYbWaYn\
    v+Gc98P4GRWqxqs5o9dvqQKBgQC7TD76o9kKNY1i3Lfx3IrLlS9GirtymPChuXWPjVGmIJulQpx7ojjjNvfoOmMspbC/qFv7n7lP\
    H5ji1FSxFrBCOmwAnuj6M7pKmkwXO1CgLaIID2a+px0PbHoenfzHucSDlaEMPbTN8j2OPWuwiBi0HdKlKhax07B3bMf2KTLnbwKB\
    gH600yaeAu2mnQ/e1RjbY5CYgDuwrpC2wQJRas3dRXei/FQgf1P3zVwcdnh5dPv8UZ+3YnOMxuczUNVKaE4bcOkTvU1tkzzngz7o\
    q+p5B+FhKSP1VCHSRLkNdff0y0KUIVOW3oBPOBIcXXIUm2/pkjZFFstpqh5e8swAMmtArJXZAoGADuGM828HNIdyt1MgDkhegrRU\
    sD8fi4hZPhA1JfWtcgyPMT8snaoS6QKaCcpxzL9RXrjqrgBPwdiZ1hPWssdBs9FeeWIm0pI/j+PYfdQJoOBfSlKm8Cjo5yvQPBSD\
    W/8HfQjrZcSVU/OWLnH0127Iv67K6LKCYRiXobVz4bv+PmMCgYB8MOx6JxVlZb6LMgL2+uze7ic7vL9FL8LgUXCccINLjL82i5I6\
    BysaX6TNDp+ry7xSEMeDk5bqnnCfCsctsRxUzATPPMdMOn9mrglD5RJ55jHjf+jRg95iKpFDH5OkBU76VHf4S81T4UIvKwvldE3v\
    uc7iVDiWRK4T4Sth+PolFw==";

/// Rules for tokens of [`ISSUER`].
pub(super) fn rules() -> Rules {
    Rules {
        issuer: ISSUER.to_owned(),
        audience: vec!["opendcre".to_owned()],
        algorithms: vec![SigningAlgorithm::Es256, SigningAlgorithm::Rs256],
        clock_skew: Duration::from_secs(60),
        access_token_type_required: false,
    }
}

/// What an access token says that is in order at `now`.
pub(super) fn good_claims(issuer: &str, now: Timestamp) -> Value {
    let now = now.as_second();
    json!({
        "iss": issuer, "aud": "opendcre", "sub": "ada", "exp": now + 300, "iat": now, "nbf": now,
        "jti": "1", "groups": ["ops"],
    })
}

/// A key that signs tokens.
pub(super) enum TestKey {
    Es256(String, EcdsaKeyPair),
    Ed25519(String, Ed25519KeyPair),
    Rsa(String, RsaKeyPair),
}

impl TestKey {
    pub(super) fn es256(id: &str) -> Self {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let key = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        Self::Es256(id.to_owned(), EcdsaKeyPair::from_pkcs8(algorithm, key.as_ref(), &random).unwrap())
    }

    pub(super) fn ed25519(id: &str) -> Self {
        let key = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self::Ed25519(id.to_owned(), Ed25519KeyPair::from_pkcs8(key.as_ref()).unwrap())
    }

    pub(super) fn rsa(id: &str) -> Self {
        let key = STANDARD.decode(RSA_KEY).unwrap();
        Self::Rsa(id.to_owned(), RsaKeyPair::from_pkcs8(&key).unwrap())
    }

    /// The key as a provider publishes it.
    pub(super) fn jwk(&self) -> Value {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match self {
            Self::Es256(id, key) => {
                let (x, y) = key.public_key().as_ref()[1..].split_at(32);
                let (x, y) = (encode(x), encode(y));
                json!({"kty": "EC", "crv": "P-256", "x": x, "y": y, "use": "sig", "alg": "ES256", "kid": id})
            }
            Self::Ed25519(id, key) => {
                let x = encode(key.public_key().as_ref());
                json!({"kty": "OKP", "crv": "Ed25519", "x": x, "use": "sig", "alg": "EdDSA", "kid": id})
            }
            Self::Rsa(id, key) => {
                let n = encode(&PublicKeyComponents::<Vec<u8>>::from(key.public()).n);
                json!({"kty": "RSA", "n": n, "e": "AQAB", "use": "sig", "alg": "RS256", "kid": id})
            }
        }
    }

    /// The key as it is used after it was fetched.
    pub(super) fn public(&self) -> Key {
        let set: JwkSet = serde_json::from_value(json!({ "keys": [self.jwk()] })).unwrap();
        set.usable().unwrap().remove(0)
    }

    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Es256(_, key) => key.sign(&random, message).unwrap().as_ref().to_vec(),
            Self::Ed25519(_, key) => key.sign(message).as_ref().to_vec(),
            Self::Rsa(_, key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).unwrap();
                signature
            }
        }
    }

    /// A token with this header and these claims, whatever they say.
    pub(super) fn token_of(&self, header: &str, claims: &str) -> String {
        let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let signature = URL_SAFE_NO_PAD.encode(self.sign(message.as_bytes()));
        format!("{message}.{signature}")
    }

    /// A header that fits.
    pub(super) fn header(&self) -> Value {
        let published = self.jwk();
        json!({"alg": published["alg"], "kid": published["kid"], "typ": "at+jwt"})
    }

    /// An access token.
    pub(super) fn token(&self, claims: &Value) -> String {
        self.token_of(&self.header().to_string(), &claims.to_string())
    }
}

/// A clock that stands still.
pub(super) struct Stopped(pub(super) Timestamp);

impl WallClock for Stopped {
    fn now(&self) -> Timestamp {
        self.0
    }
}

/// What a server says at a path.
#[derive(Clone)]
pub(crate) enum Saying {
    /// An answer with this status and body.
    Answer(u16, Vec<u8>),
    /// Nothing, but the connection stays open.
    Silence,
    /// A redirect to this address.
    Redirect(String),
}

impl Saying {
    /// A document.
    pub(crate) fn document(value: &Value) -> Self {
        Self::Answer(200, value.to_string().into_bytes())
    }
}

/// A server that says what it was told to say, and keeps what it was asked.
pub(crate) struct Server {
    pub(crate) address: String,
    sayings: Arc<Mutex<BTreeMap<String, Saying>>>,
    requests: Arc<Mutex<Vec<String>>>,
    _tasks: JoinSet<()>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let sayings: Arc<Mutex<BTreeMap<String, Saying>>> = Arc::default();
        let requests: Arc<Mutex<Vec<String>>> = Arc::default();
        let mut tasks = JoinSet::new();
        let (known, kept) = (Arc::clone(&sayings), Arc::clone(&requests));
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, Arc::clone(&known), Arc::clone(&kept)));
            }
        });
        Self { address, sayings, requests, _tasks: tasks }
    }

    pub(crate) fn say(&self, path: &str, saying: Saying) {
        self.sayings.lock().unwrap().insert(path.to_owned(), saying);
    }

    /// Describes itself as a provider with these keys.
    pub(super) fn publish(&self, keys: &[&TestKey]) {
        let document = json!({
            "issuer": self.address, "jwks_uri": format!("{}/jwks", self.address),
            "introspection_endpoint": format!("{}/introspect", self.address),
        });
        self.say("/.well-known/openid-configuration", Saying::document(&document));
        let keys: Vec<Value> = keys.iter().map(|key| key.jwk()).collect();
        self.say("/jwks", Saying::document(&json!({ "keys": keys })));
    }

    /// What was asked at this path, each with its header and body.
    pub(crate) fn asked(&self, path: &str) -> Vec<String> {
        let is_at = |request: &&String| request.split(' ').nth(1) == Some(path);
        self.requests.lock().unwrap().iter().filter(is_at).cloned().collect()
    }
}

async fn serve(
    mut stream: TcpStream,
    sayings: Arc<Mutex<BTreeMap<String, Saying>>>,
    requests: Arc<Mutex<Vec<String>>>,
) {
    let request = read_request(&mut stream).await;
    let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
    requests.lock().unwrap().push(request);
    let saying = sayings.lock().unwrap().get(&path).cloned();
    let answer = match saying {
        Some(Saying::Silence) => std::future::pending().await,
        Some(Saying::Answer(status, body)) => {
            let head =
                format!("HTTP/1.1 {status} -\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            [head.into_bytes(), body].concat()
        }
        Some(Saying::Redirect(to)) => {
            format!("HTTP/1.1 302 -\r\nlocation: {to}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                .into()
        }
        None => b"HTTP/1.1 404 -\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_vec(),
    };
    // A client that has heard enough goes away.
    let _ = stream.write_all(&answer).await;
    let _ = stream.shutdown().await;
}

async fn read_request(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    let mut buffer = [0; 4096];
    loop {
        let length = stream.read(&mut buffer).await.unwrap_or(0);
        text.push_str(&String::from_utf8_lossy(&buffer[..length]));
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            if length == 0 { return text } else { continue }
        };
        let field = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let expected: usize = field.map_or(0, |length| length.parse().unwrap());
        if body.len() >= expected || length == 0 {
            return text;
        }
    }
}
