//! Tokens that say themselves whose they are (RFC 7519, RFC 9068): what they claim, and whether that is proved.
//!
//! Pure: a token, a key and the time in, claims or a reason out. Nothing in a token chooses how it is verified: its
//! header only names a key and an algorithm, both of which must be among those that were allowed before it came.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use jsonwebtoken::Validation;
use serde_json::Value;

use super::algorithm::SigningAlgorithm;
use super::claim::Claims;
use super::json::Object;
use super::jwk::Key;

/// The longest name of a key, in bytes.
const MAX_KEY_ID_BYTES: usize = 256;

/// The types of access tokens (RFC 9068 §2.1), and the one that says nothing (RFC 7519 §5.1).
const ACCESS_TOKEN_TYPES: [&str; 2] = ["at+jwt", "application/at+jwt"];
const PLAIN_TYPE: &str = "jwt";

/// Claims that only tokens of other purposes have: ID tokens (`OpenID` Connect Core 1.0 §2, §3.3.2.11) and logout tokens
/// (Back-Channel Logout 1.0 §2.4).
const FOREIGN_CLAIMS: [&str; 5] = ["nonce", "at_hash", "c_hash", "s_hash", "events"];

/// Which tokens are accepted.
#[derive(Debug, Clone)]
pub(super) struct Rules {
    pub(super) issuer: String,
    pub(super) audience: Vec<String>,
    pub(super) algorithms: Vec<SigningAlgorithm>,
    pub(super) clock_skew: Duration,
    /// Whether tokens must say in their header that they are access tokens.
    pub(super) access_token_type_required: bool,
}

/// What a token looks like.
#[derive(Debug)]
pub(super) enum Form<'a> {
    /// It says itself whose it is.
    Jwt(Jwt<'a>),
    /// It should, but cannot be read, or in more than one way.
    Broken,
    /// Only the provider knows what it means.
    Opaque,
}

/// A token that has not been verified.
#[derive(Debug)]
pub(super) struct Jwt<'a> {
    text: &'a str,
    header: Object,
    claims: Claims,
}

/// What is needed to verify a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Signature {
    pub(super) key_id: Option<String>,
    pub(super) algorithm: SigningAlgorithm,
    is_access_token: bool,
}

/// What a verified token says.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Verified {
    pub(super) claims: Claims,
    /// From when on it proves nothing any more, with the difference of the clocks already added.
    pub(super) until: Timestamp,
}

impl<'a> Form<'a> {
    /// Looks at a token: the compact form of RFC 7515 §7.1 has three parts, of which the first one is an object.
    pub(super) fn of(text: &'a str) -> Self {
        let parts: Vec<&str> = text.splitn(4, '.').collect();
        let [header, claims, _signature] = parts.as_slice() else { return Self::Opaque };
        if !URL_SAFE_NO_PAD.decode(header).is_ok_and(|header| header.starts_with(b"{")) {
            return Self::Opaque;
        }
        match (part(header), part(claims)) {
            (Some(header), Some(claims)) => Self::Jwt(Jwt { text, header, claims }),
            _ => Self::Broken,
        }
    }
}

impl Jwt<'_> {
    /// Who has issued it, if it tells the truth.
    pub(super) fn claimed_issuer(&self) -> Option<&str> {
        self.claims.text("iss")
    }

    /// Which key and algorithm its header names, if they may be used.
    ///
    /// # Errors
    /// Why they may not.
    pub(super) fn signature(&self, rules: &Rules) -> Result<Signature, String> {
        let header = &self.header.0;
        // RFC 7515 §4.1.11: what must be understood is not understood here. RFC 7797 §3 is one of these.
        if let Some(extension) = ["crit", "b64"].into_iter().find(|name| header.contains_key(*name)) {
            return Err(format!("its header has {extension:?}, which is not supported"));
        }
        let named = header.get("alg").and_then(Value::as_str).unwrap_or_default();
        let algorithm = rules.algorithms.iter().find(|algorithm| algorithm.name() == named);
        let algorithm = *algorithm.ok_or_else(|| format!("the algorithm {named:?} is not allowed"))?;
        Ok(Signature { key_id: self.key_id()?, algorithm, is_access_token: self.is_access_token(rules)? })
    }

    fn key_id(&self) -> Result<Option<String>, String> {
        match self.header.0.get("kid") {
            None => Ok(None),
            Some(Value::String(id)) if id.len() <= MAX_KEY_ID_BYTES => Ok(Some(id.clone())),
            Some(_) => Err(format!("the name of its key is no text of at most {MAX_KEY_ID_BYTES} bytes")),
        }
    }

    /// Whether it says so in its header.
    fn is_access_token(&self, rules: &Rules) -> Result<bool, String> {
        let typ = match self.header.0.get("typ") {
            None => PLAIN_TYPE.to_owned(),
            Some(Value::String(typ)) => typ.to_ascii_lowercase(),
            Some(_) => return Err("its type is no text".to_owned()),
        };
        let is_access_token = ACCESS_TOKEN_TYPES.contains(&typ.as_str());
        match is_access_token || typ == PLAIN_TYPE && !rules.access_token_type_required {
            true => Ok(is_access_token),
            false => Err(format!("its type is {typ:?}, not that of an access token")),
        }
    }

    /// What it says, if `key` has signed it in the way that `signature` names and it is meant for us now.
    ///
    /// # Errors
    /// Why it proves nothing.
    pub(super) fn verify(
        &self,
        signature: &Signature,
        key: &Key,
        rules: &Rules,
        now: Timestamp,
    ) -> Result<Verified, String> {
        let mut validation = Validation::new(signature.algorithm.of_library());
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.set_issuer(&[&rules.issuer]);
        validation.set_audience(&rules.audience);
        // Compared below with the clock that was passed in.
        validation.validate_exp = false;
        let token = jsonwebtoken::decode::<Claims>(self.text, key.decoding(), &validation);
        let claims = token.map_err(|error| error.to_string())?.claims;
        check_origin(&claims, rules)?;
        check_purpose(&claims, signature.is_access_token)?;
        let until = check_time(&claims, rules.clock_skew, now)?;
        Ok(Verified { claims, until })
    }
}

/// A part of a token: an object in base64url.
fn part<T: serde::de::DeserializeOwned>(encoded: &str) -> Option<T> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(encoded).ok()?).ok()
}

/// Who has issued it, for whom, about whom (RFC 9068 §2.2): texts to the letter, nothing that is almost the same.
fn check_origin(claims: &Claims, rules: &Rules) -> Result<(), String> {
    if claims.text("iss") != Some(&rules.issuer) {
        return Err("it comes from another issuer".to_owned());
    }
    if !claims.is_for(&rules.audience) {
        return Err("it is meant for somebody else".to_owned());
    }
    match claims.text("sub") {
        None | Some("") => Err("it does not say whose it is".to_owned()),
        Some(_) => Ok(()),
    }
}

/// An ID token tells a client who its user is; it is no key to anything. Providers whose access tokens do not say in
/// their header what they are tell the two apart by claims.
fn check_purpose(claims: &Claims, is_access_token: bool) -> Result<(), String> {
    check_holder(claims)?;
    if is_access_token {
        return Ok(());
    }
    // Keycloak names the kind of each token so.
    if claims.get("typ").is_some_and(|typ| typ.as_str() != Some("Bearer")) {
        return Err("it says that it is no bearer token".to_owned());
    }
    match FOREIGN_CLAIMS.into_iter().find(|name| claims.get(name).is_some()) {
        Some(name) => Err(format!("it has the claim {name:?}, which access tokens do not have")),
        None => Ok(()),
    }
}

/// A token that only the holder of a key may use (RFC 7800 §3.1) is worth nothing without a proof of that key.
pub(super) fn check_holder(claims: &Claims) -> Result<(), String> {
    match claims.get("cnf") {
        Some(_) => Err("it is bound to a key, and nothing proves that key".to_owned()),
        None => Ok(()),
    }
}

/// Until when it proves something, if it does so now (RFC 7519 §4.1.4 to §4.1.6).
pub(super) fn check_time(claims: &Claims, skew: Duration, now: Timestamp) -> Result<Timestamp, String> {
    let expiry = time(claims, "exp")?.ok_or("it does not say when it expires")?;
    let until = expiry.saturating_add(skew).map_err(|error| error.to_string())?;
    if now >= until {
        return Err(format!("it has expired at {expiry}"));
    }
    let latest = now.saturating_add(skew).map_err(|error| error.to_string())?;
    for name in ["nbf", "iat"] {
        if let Some(from) = time(claims, name)?.filter(|from| *from > latest) {
            return Err(format!("its {name:?} lies in the future, at {from}"));
        }
    }
    Ok(until)
}

/// A claim that is a time in seconds since 1970, whole or not (RFC 7519 §2, `NumericDate`).
fn time(claims: &Claims, name: &str) -> Result<Option<Timestamp>, String> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    let no_time = || format!("its {name:?} is no time");
    let time = match (value.as_i64(), value.as_f64()) {
        (Some(seconds), _) => Timestamp::from_second(seconds).ok(),
        (None, Some(seconds)) => {
            let since_epoch = jiff::SignedDuration::try_from_secs_f64(seconds).ok();
            since_epoch.and_then(|since_epoch| Timestamp::from_duration(since_epoch).ok())
        }
        (None, None) => None,
    };
    time.map(Some).ok_or_else(no_time)
}

#[cfg(test)]
#[path = "jwt/tests.rs"]
mod tests;
