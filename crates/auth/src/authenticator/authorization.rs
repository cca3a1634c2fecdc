//! The `Authorization` header (RFC 9110 §11.6.2), read strictly: what could be understood in two ways is refused. It
//! does not know whether what is in it proves anything.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use secrecy::SecretString;
use secrecy::zeroize::Zeroizing;

use crate::attempt::{is_name, single};
use crate::{Failure, Refusal};

/// The bytes of a password.
const MAX_PASSWORD: usize = 1_024;

/// The bytes of a token. Those of directories with many groups are long.
const MAX_TOKEN: usize = 16 << 10;

/// The bytes of an unknown scheme that are repeated.
const MAX_SCHEME: usize = 32;

/// What a request presents.
#[derive(Debug)]
pub(super) enum Credentials<'a> {
    /// A token (RFC 6750 §2.1).
    Bearer(&'a str),
    /// A name and a password (RFC 7617).
    Basic(Password),
}

/// A name and a password.
#[derive(Debug)]
pub(super) struct Password {
    pub(super) user: String,
    pub(super) password: SecretString,
}

/// What the header presents, if there is one.
///
/// # Errors
/// There are several, or it is not as it should be.
pub(super) fn credentials(headers: &HeaderMap) -> Result<Option<Credentials<'_>>, Refusal> {
    let value = single(headers, &AUTHORIZATION).map_err(|failure| super::refused(None, failure))?;
    let Some(value) = value else { return Ok(None) };
    let text = value.to_str().map_err(|_| malformed(None, "the authorization is not visible ASCII"))?;
    let (scheme, rest) = text.split_once(' ').unwrap_or((text, ""));
    let rest = rest.trim_start_matches(' ');
    if scheme.eq_ignore_ascii_case("bearer") {
        bearer(rest).map(Some)
    } else if scheme.eq_ignore_ascii_case("basic") {
        basic(rest).map(Some)
    } else {
        let scheme: String = scheme.chars().take(MAX_SCHEME).collect();
        Err(malformed(None, &format!("the authorization scheme {scheme:?} is not known here")))
    }
}

fn bearer(token: &str) -> Result<Credentials<'_>, Refusal> {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    let body = token.trim_end_matches('=');
    if body.is_empty() || token.len() > MAX_TOKEN || !body.bytes().all(is_allowed) {
        return Err(malformed(None, "the bearer token is empty, too long, or holds what no token does"));
    }
    Ok(Credentials::Bearer(token))
}

fn basic(encoded: &str) -> Result<Credentials<'static>, Refusal> {
    let decoded = STANDARD.decode(encoded).map(Zeroizing::new);
    let decoded = decoded.map_err(|_| malformed(None, "the name and password are not in base64"))?;
    let text =
        str::from_utf8(&decoded).map_err(|_| malformed(None, "the name and password are not in UTF-8"))?;
    let (user, password) =
        text.split_once(':').ok_or_else(|| malformed(None, "there is no colon behind the name"))?;
    if !is_name(user) {
        return Err(malformed(None, "the name is empty, too long, or holds what cannot be seen"));
    }
    // An LDAP bind with an empty password succeeds for every name (RFC 4513 §5.1.2).
    if password.is_empty() || password.len() > MAX_PASSWORD || password.chars().any(char::is_control) {
        return Err(malformed(Some(user), "the password is empty, too long, or holds control characters"));
    }
    Ok(Credentials::Basic(Password { user: user.to_owned(), password: SecretString::from(password) }))
}

fn malformed(user: Option<&str>, reason: &str) -> Refusal {
    super::refused(user.map(str::to_owned), Failure::Rejected { reason: reason.to_owned() })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;
    use secrecy::ExposeSecret;

    use super::*;

    fn headers(values: &[&[u8]]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_bytes(value).unwrap());
        }
        headers
    }

    /// What is read, as a text.
    fn read(value: &str) -> Result<String, String> {
        match credentials(&headers(&[value.as_bytes()])) {
            Ok(Some(Credentials::Bearer(token))) => Ok(format!("token {token}")),
            Ok(Some(Credentials::Basic(login))) => {
                Ok(format!("{} with {}", login.user, login.password.expose_secret()))
            }
            Ok(None) => Ok("nothing".to_owned()),
            Err(Refusal::Rejected { reason, .. }) => Err(reason),
            Err(other) => panic!("{other}"),
        }
    }

    fn encoded(text: impl AsRef<[u8]>) -> String {
        format!("Basic {}", STANDARD.encode(text))
    }

    #[test]
    fn a_token_or_a_name_and_password_are_read() {
        assert_eq!(read("Bearer abc.DEF-1_2~3+4/5=="), Ok("token abc.DEF-1_2~3+4/5==".to_owned()));
        assert_eq!(read("bEARER   x"), Ok("token x".to_owned()));
        assert_eq!(read(&encoded("ada:s3cr3t")), Ok("ada with s3cr3t".to_owned()));
        assert_eq!(read(&encoded("ada:with:colons: ")), Ok("ada with with:colons: ".to_owned()));
        assert_eq!(read(&encoded("zoë:pässwörd")), Ok("zoë with pässwörd".to_owned()));
        assert_eq!(read("basic YWRhOng="), Ok("ada with x".to_owned()));
        assert!(matches!(credentials(&HeaderMap::new()), Ok(None)));
        let longest = format!("{}:{}", "u".repeat(256), "p".repeat(1_024));
        assert!(read(&encoded(longest)).is_ok());
    }

    #[test]
    fn what_could_be_understood_in_two_ways_is_refused() {
        let long_user = format!("{}:p", "u".repeat(257));
        let long_password = format!("u:{}", "p".repeat(1_025));
        for (value, reason) in [
            (String::new(), "scheme"),
            ("Negotiate YII=".to_owned(), "\"Negotiate\""),
            ("x".repeat(100), "scheme"),
            ("Bearer".to_owned(), "bearer token"),
            ("Bearer ".to_owned(), "bearer token"),
            ("Bearer a b".to_owned(), "bearer token"),
            ("Bearer a=b".to_owned(), "bearer token"),
            ("Bearer ==".to_owned(), "bearer token"),
            ("Bearer\ta".to_owned(), "scheme"),
            (format!("Bearer {}", "x".repeat(MAX_TOKEN + 1)), "bearer token"),
            ("Basic".to_owned(), "colon"),
            ("Basic YWRhOng".to_owned(), "base64"),
            ("Basic YWRhOnh=".to_owned(), "base64"),
            ("Basic YWRh Ong=".to_owned(), "base64"),
            ("Basic YWRhOng=, Bearer x".to_owned(), "base64"),
            (encoded("ada"), "colon"),
            (encoded(":x"), "name"),
            (encoded("ada:"), "password"),
            (encoded(" ada:x"), "name"),
            (encoded("a\nda:x"), "name"),
            (encoded("ada:x\0"), "password"),
            (encoded([b'a', b':', 0xff]), "UTF-8"),
            (encoded(long_user), "name"),
            (encoded(long_password), "password"),
        ] {
            let refused = read(&value).unwrap_err();
            assert!(refused.contains(reason), "{value}: {refused}");
            assert!(refused.len() < 120, "{refused}");
        }
        let twice = headers(&[b"Bearer a", b"Bearer a"]);
        assert!(matches!(credentials(&twice), Err(Refusal::Rejected { .. })));
        assert!(credentials(&headers(&[b"Bearer \xff"])).is_err());
    }

    #[test]
    fn a_refusal_names_the_user_and_never_the_password() {
        let value = encoded("ada:s3cr3t\x01");
        let refusal = credentials(&headers(&[value.as_bytes()])).unwrap_err();
        assert!(matches!(&refusal, Refusal::Rejected { claimed: Some(user), .. } if user == "ada"));
        assert!(!format!("{refusal:?}").contains("s3cr3t"));
        let good = encoded("ada:s3cr3t");
        assert!(!format!("{:?}", credentials(&headers(&[good.as_bytes()]))).contains("s3cr3t"));
    }

    /// Everything that a header can hold (RFC 9110 §5.5).
    fn header_bytes() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(prop_oneof![Just(b'\t'), b' '..=b'~', 0x80..=0xff_u8], 0..200)
    }

    proptest! {
        #[test]
        fn hostile_bytes_are_refused(scheme in "(?i)(bearer|basic|digest)? ?", bytes in header_bytes()) {
            let value = [scheme.as_bytes(), &bytes].concat();
            if let Ok(Some(Credentials::Bearer(token))) = credentials(&headers(&[&value])) {
                prop_assert!(token.bytes().all(|byte| byte.is_ascii_graphic()));
            }
        }

        #[test]
        fn hostile_names_and_passwords_are_refused_or_as_they_were(
            user in "[^:]{0,300}",
            password in ".{0,40}",
            scheme in "(?i)basic {1,3}",
        ) {
            let value = format!("{scheme}{}", STANDARD.encode(format!("{user}:{password}")));
            if let Ok(read) = read(&value) {
                prop_assert_eq!(read, format!("{user} with {password}"));
                prop_assert!(is_name(&user) && !password.is_empty());
            }
        }

        #[test]
        fn hostile_tokens_are_refused_or_as_they_were(token in "[ -~]{0,60}") {
            if let Ok(read) = read(&format!("Bearer {token}")) {
                prop_assert_eq!(read, format!("token {}", token.trim_start_matches(' ')));
                prop_assert!(!token.trim_start().contains([' ', ',', '"']));
            }
        }
    }
}
