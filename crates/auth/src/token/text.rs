//! The text of a token: how it is made, and what is kept of it. It knows nothing of files.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::SecretString;
use secrecy::zeroize::Zeroizing;
use sha2::{Digest, Sha256};

use super::PREFIX;

/// The bytes of chance in a token.
const SECRET_BYTES: usize = 32;

/// The characters that these bytes are in base64 without padding.
const SECRET_TEXT: usize = 43;

/// The bytes of an id; of two in hexadecimal.
const ID_BYTES: usize = 6;

/// What is kept of a token.
///
/// Looking it up compares it in time that depends on both. That tells nobody anything: to come closer to a hash that is
/// kept, one would have to find texts with a given beginning of their SHA-256, and what one learnt would still not be
/// the 256 bits of chance behind it. For the same reason it needs neither salt nor a slow function.
pub(super) type Hash = [u8; 32];

/// A token that is new.
pub(super) struct Generated {
    pub(super) id: String,
    pub(super) text: SecretString,
    pub(super) hash: Hash,
}

/// Makes a token.
///
/// # Errors
/// The system has no chance to give.
pub(super) fn generate() -> Result<Generated, getrandom::Error> {
    let mut id = [0; ID_BYTES];
    getrandom::fill(&mut id)?;
    let mut secret = Zeroizing::new([0; SECRET_BYTES]);
    getrandom::fill(secret.as_mut_slice())?;
    let mut text = String::with_capacity(PREFIX.len() + SECRET_TEXT);
    text.push_str(PREFIX);
    URL_SAFE_NO_PAD.encode_string(secret.as_slice(), &mut text);
    let hash = Sha256::digest(&text).into();
    let id = id.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Generated { id, text: SecretString::from(text), hash })
}

/// What is kept of the token `text`; nothing if it cannot be a token.
pub(super) fn hash(text: &str) -> Option<Hash> {
    let secret = text.strip_prefix(PREFIX)?;
    let is_base64url = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let is_token = secret.len() == SECRET_TEXT && secret.bytes().all(is_base64url);
    is_token.then(|| Sha256::digest(text).into())
}

/// Whether `text` could be the id of a token.
pub(super) fn is_id(text: &str) -> bool {
    text.len() == 2 * ID_BYTES
        && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a_token_is_256_bits_behind_the_prefix_and_known_by_its_hash() {
        let (first, second) = (generate().unwrap(), generate().unwrap());
        let text = first.text.expose_secret();
        let secret = URL_SAFE_NO_PAD.decode(text.strip_prefix(PREFIX).unwrap()).unwrap();
        assert_eq!((secret.len(), text.len()), (SECRET_BYTES, 49));
        assert_eq!(hash(text), Some(first.hash));
        assert!(is_id(&first.id), "{}", first.id);
        assert!(text != second.text.expose_secret() && first.id != second.id && first.hash != second.hash);
    }

    #[test]
    fn what_is_no_token_is_not_looked_for() {
        let good = format!("{PREFIX}{}", "x".repeat(43));
        assert!(hash(&good).is_some());
        for text in [
            String::new(),
            PREFIX.to_owned(),
            format!("{good}x"),
            good[1..].to_owned(),
            good.to_uppercase(),
            format!("{PREFIX}{}=", "x".repeat(42)),
            format!("{PREFIX}{}+", "x".repeat(42)),
            format!("{PREFIX}{}é", "x".repeat(41)),
        ] {
            assert_eq!(hash(&text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_has_a_hash_or_none(text in "(odcre_)?.{0,60}") {
            prop_assert!(hash(&text).is_none_or(|_| text.is_ascii() && text.len() == 49));
        }
    }
}
