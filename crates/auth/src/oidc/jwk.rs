//! The keys that a provider publishes (RFC 7517), and which of them may be used here.
//!
//! What does not fit is left out and costs nothing but itself: providers publish keys for other purposes beside those
//! that sign tokens. Keys with a shared secret (`oct`) are none of ours.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use serde::Deserialize;
use serde_json::Value;

use super::algorithm::SigningAlgorithm;

/// The most keys of one provider. Big ones publish about ten.
const MAX_KEYS: usize = 100;
/// The bits of an RSA modulus; fewer do not protect (RFC 7518 §3.3), and more cost too much.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;
/// The bytes of a coordinate on P-256 and P-384 (RFC 7518 §6.2.1.2), and of a public key of Ed25519 (RFC 8032 §5.1.5).
const P256_BYTES: usize = 32;
const P384_BYTES: usize = 48;
const ED25519_BYTES: usize = 32;

/// A set of keys as it is published (RFC 7517 §5).
#[derive(Debug, Deserialize)]
pub(super) struct JwkSet {
    keys: Vec<Value>,
}

/// A key as it is published (RFC 7517 §4, RFC 7518 §6, RFC 8037 §2).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Jwk {
    kty: String,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    kid: Option<String>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
}

/// What a key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    P256,
    P384,
    Ed25519,
    Rsa,
}

/// A key that may have signed tokens.
#[derive(Debug, Clone)]
pub(super) struct Key {
    published: Jwk,
    kind: Kind,
    /// The only algorithm that it is meant for, if the provider says so.
    algorithm: Option<SigningAlgorithm>,
    decoding: DecodingKey,
}

/// Two keys are the same if they are published in the same words.
impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.published == other.published
    }
}

impl JwkSet {
    /// The keys that may be used here.
    ///
    /// # Errors
    /// There are none, or far too many.
    pub(super) fn usable(self) -> Result<Vec<Key>, String> {
        if self.keys.len() > MAX_KEYS {
            return Err(format!("the provider publishes more than {MAX_KEYS} keys"));
        }
        let keys: Vec<Key> = self.keys.into_iter().filter_map(Key::read).collect();
        if keys.is_empty() {
            return Err("the provider publishes no key that can be used here".to_owned());
        }
        Ok(keys)
    }
}

impl Key {
    fn read(value: Value) -> Option<Self> {
        let published: Jwk = serde_json::from_value(value).ok()?;
        if !published.is_for_signatures() {
            return None;
        }
        let algorithm = published.alg.as_deref().map(str::parse).transpose().ok()?;
        let (kind, decoding) = published.material()?;
        let key = Self { published, kind, algorithm, decoding };
        algorithm.is_none_or(|algorithm| key.kind.fits(algorithm)).then_some(key)
    }

    /// Its name.
    pub(super) fn id(&self) -> Option<&str> {
        self.published.kid.as_deref()
    }

    /// Whether it may have signed in this way.
    pub(super) fn fits(&self, algorithm: SigningAlgorithm) -> bool {
        self.kind.fits(algorithm) && self.algorithm.is_none_or(|only| only == algorithm)
    }

    /// The key itself.
    pub(super) const fn decoding(&self) -> &DecodingKey {
        &self.decoding
    }
}

impl Kind {
    const fn fits(self, algorithm: SigningAlgorithm) -> bool {
        use SigningAlgorithm as A;
        match algorithm {
            A::Es256 => matches!(self, Self::P256),
            A::Es384 => matches!(self, Self::P384),
            A::EdDsa => matches!(self, Self::Ed25519),
            A::Rs256 | A::Rs384 | A::Rs512 | A::Ps256 | A::Ps384 | A::Ps512 => matches!(self, Self::Rsa),
        }
    }
}

impl Jwk {
    /// RFC 7517 §4.2, §4.3.
    fn is_for_signatures(&self) -> bool {
        let usage = self.usage.as_ref().is_none_or(|usage| usage == "sig");
        usage && self.key_ops.as_ref().is_none_or(|operations| operations.iter().any(|one| one == "verify"))
    }

    fn material(&self) -> Option<(Kind, DecodingKey)> {
        match (self.kty.as_str(), self.crv.as_deref()) {
            ("EC", Some("P-256")) => Some((Kind::P256, self.point(P256_BYTES)?)),
            ("EC", Some("P-384")) => Some((Kind::P384, self.point(P384_BYTES)?)),
            ("OKP", Some("Ed25519")) => {
                let x = decoded(self.x.as_deref()?)?;
                (x.len() == ED25519_BYTES).then(|| (Kind::Ed25519, DecodingKey::from_ed_der(&x)))
            }
            ("RSA", _) => {
                let (modulus, exponent) = (decoded(self.n.as_deref()?)?, decoded(self.e.as_deref()?)?);
                let key = || DecodingKey::from_rsa_raw_components(&modulus, &exponent);
                RSA_BITS.contains(&bits(&modulus)).then(|| (Kind::Rsa, key()))
            }
            _ => None,
        }
    }

    /// A point as it stands uncompressed (SEC 1 §2.3.3): 4, then both coordinates.
    fn point(&self, coordinate: usize) -> Option<DecodingKey> {
        let (x, y) = (decoded(self.x.as_deref()?)?, decoded(self.y.as_deref()?)?);
        let fits = x.len() == coordinate && y.len() == coordinate;
        fits.then(|| DecodingKey::from_ec_der(&[[4].as_slice(), &x, &y].concat()))
    }
}

fn decoded(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// The bits of an unsigned number, most significant byte first.
fn bits(number: &[u8]) -> usize {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let leading = number.get(zeros).map_or(0, |byte| byte.leading_zeros() as usize);
    (number.len() - zeros) * 8 - leading
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::TestKey;
    use super::*;

    fn usable(keys: &[Value]) -> Vec<Key> {
        let set: JwkSet = serde_json::from_value(json!({ "keys": keys })).unwrap();
        set.usable().unwrap_or_default()
    }

    #[test]
    fn keys_fit_the_algorithms_of_their_kind_and_no_others() {
        use SigningAlgorithm as A;
        for (key, expected) in [
            (TestKey::es256("a"), [A::Es256].as_slice()),
            (TestKey::ed25519("a"), &[A::EdDsa]),
            (TestKey::rsa("a"), &[A::Rs256, A::Rs384, A::Rs512, A::Ps256, A::Ps384, A::Ps512]),
        ] {
            let mut published = key.jwk();
            published.as_object_mut().unwrap().remove("alg");
            let [key] = usable(&[published]).try_into().unwrap();
            assert!(A::ALL.into_iter().all(|algorithm| key.fits(algorithm) == expected.contains(&algorithm)));
        }
        let [key] = usable(&[TestKey::rsa("a").jwk()]).try_into().unwrap();
        assert!(key.fits(A::Rs256) && !key.fits(A::Rs512), "a key is for one algorithm if it says so");
    }

    #[test]
    fn what_does_not_fit_is_left_out_and_costs_only_itself() {
        let good = TestKey::es256("good").jwk();
        let with = |name: &str, value: Value| {
            let mut key = good.clone();
            key[name] = value;
            key
        };
        let small = URL_SAFE_NO_PAD.encode([0xff; 128]);
        for bad in [
            with("use", json!("enc")),
            with("key_ops", json!(["sign"])),
            with("alg", json!("HS256")),
            with("alg", json!("RS256")),
            with("alg", json!("none")),
            with("kty", json!("oct")),
            with("crv", json!("P-384")),
            with("crv", json!("secp256k1")),
            with("x", json!("AAAA")),
            with("x", json!("!")),
            with("y", json!(null)),
            with("kid", json!(7)),
            json!({"kty": "oct", "k": "c2VjcmV0", "kid": "good"}),
            json!({"kty": "RSA", "n": small, "e": "AQAB"}),
            json!({"kty": "RSA", "e": "AQAB"}),
            json!(null),
            json!([]),
        ] {
            assert!(usable(std::slice::from_ref(&bad)).is_empty(), "{bad}");
            assert_eq!(usable(&[bad, good.clone()]).len(), 1);
        }
    }

    #[test]
    fn nobody_publishes_a_hundred_and_one_keys() {
        let key = TestKey::es256("a").jwk();
        assert_eq!(usable(&vec![key.clone(); 100]).len(), 100);
        assert!(usable(&vec![key; 101]).is_empty());
    }

    #[test]
    fn bits_are_counted_without_leading_zeros() {
        assert_eq!([bits(&[]), bits(&[0, 0]), bits(&[0, 1]), bits(&[0x80, 0])], [0, 0, 1, 16]);
        let modulus = decoded(TestKey::rsa("a").jwk()["n"].as_str().unwrap()).unwrap();
        assert_eq!(bits(&modulus), 2048);
    }
}
