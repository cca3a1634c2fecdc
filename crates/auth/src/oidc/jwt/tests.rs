//! Tokens that are in order, and everything that may be wrong with one.

use proptest::prelude::*;
use serde_json::json;

use super::super::testing::{ISSUER, NOW, TestKey, good_claims, rules};
use super::*;

/// What comes of a token at [`NOW`] if `key` is the key that it names.
fn judged(token: &str, key: &TestKey, rules: &Rules) -> Result<Verified, String> {
    super::super::ring::install();
    let Form::Jwt(jwt) = Form::of(token) else { return Err("not a token".to_owned()) };
    let signature = jwt.signature(rules)?;
    let key = key.public();
    if !key.fits(signature.algorithm) {
        return Err("no such key".to_owned());
    }
    jwt.verify(&signature, &key, rules, NOW)
}

fn changed(value: &Value, change: &[(&str, Value)]) -> Value {
    let mut value = value.clone();
    for (name, member) in change {
        match member {
            Value::Null => drop(value.as_object_mut().unwrap().remove(*name)),
            member => value[*name] = member.clone(),
        }
    }
    value
}

/// What comes of a token that is properly signed and says something else.
fn with_claims(change: &[(&str, Value)]) -> Result<Verified, String> {
    let key = TestKey::es256("k");
    judged(&key.token(&changed(&good_claims(ISSUER, NOW), change)), &key, &rules())
}

fn with_header(change: &[(&str, Value)], rules: &Rules) -> Result<Verified, String> {
    let key = TestKey::es256("k");
    let header = changed(&key.header(), change);
    judged(&key.token_of(&header.to_string(), &good_claims(ISSUER, NOW).to_string()), &key, rules)
}

#[test]
fn a_token_in_order_says_whose_it_is() {
    let everything = Rules { algorithms: SigningAlgorithm::ALL.to_vec(), ..rules() };
    for key in [TestKey::es256("k"), TestKey::rsa("k"), TestKey::ed25519("k")] {
        let verified = judged(&key.token(&good_claims(ISSUER, NOW)), &key, &everything).unwrap();
        assert_eq!(verified.claims.text("sub"), Some("ada"));
        assert_eq!(verified.until.as_second(), NOW.as_second() + 300 + 60);
    }
}

#[test]
fn a_signature_of_another_key_or_of_something_else_proves_nothing() {
    let (key, other) = (TestKey::es256("k"), TestKey::es256("k"));
    let token = key.token(&good_claims(ISSUER, NOW));
    assert!(judged(&other.token(&good_claims(ISSUER, NOW)), &key, &rules()).is_err());
    let parts: Vec<&str> = token.split('.').collect();
    let root = URL_SAFE_NO_PAD.encode(good_claims(ISSUER, NOW).to_string().replace("ada", "root"));
    let zero = URL_SAFE_NO_PAD.encode([0; 64]);
    for forged in [
        format!("{}.{root}.{}", parts[0], parts[2]),
        format!("{}.{}.", parts[0], parts[1]),
        format!("{}.{}.{zero}", parts[0], parts[1]),
        token[..token.len() - 4].to_owned(),
        format!("{}.{}", parts[0], parts[1]),
        format!("{token}.x"),
        "..".to_owned(),
        String::new(),
    ] {
        assert!(judged(&forged, &key, &rules()).is_err(), "{forged}");
    }
}

#[test]
fn only_the_configuration_says_which_algorithms_count() {
    for name in ["none", "None", "NONE", "nOnE", "HS256", "HS512", "es256", "RS512", "EdDSA", ""] {
        assert!(with_header(&[("alg", json!(name))], &rules()).is_err(), "{name}");
    }
    assert!(with_header(&[("alg", json!(null))], &rules()).is_err());
    assert!(with_header(&[("alg", json!(["ES256"]))], &rules()).is_err());
    let only_rsa = Rules { algorithms: vec![SigningAlgorithm::Rs256], ..rules() };
    assert!(with_header(&[], &only_rsa).is_err());
}

/// The oldest trick: the public key, which everybody has, as if it were a shared secret.
#[test]
fn a_public_key_is_no_shared_secret() {
    let key = TestKey::rsa("k");
    for secret in [serde_json::to_vec(&key.jwk()).unwrap(), key.jwk()["n"].to_string().into_bytes(), vec![]] {
        let header = json!({"alg": "HS256", "kid": "k", "typ": "at+jwt"}).to_string();
        let claims = good_claims(ISSUER, NOW).to_string();
        let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let secret = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &secret);
        let tag = URL_SAFE_NO_PAD.encode(ring::hmac::sign(&secret, message.as_bytes()));
        assert!(judged(&format!("{message}.{tag}"), &key, &rules()).is_err());
    }
}

#[test]
fn a_header_asks_for_nothing() {
    let own = TestKey::es256("k").jwk();
    for change in [
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("b64", json!(false)),
        ("b64", json!(true)),
        ("kid", json!(7)),
        ("kid", json!("k".repeat(257))),
        ("typ", json!("logout+jwt")),
        ("typ", json!("dpop+jwt")),
        ("typ", json!(1)),
    ] {
        assert!(with_header(std::slice::from_ref(&change), &rules()).is_err(), "{change:?}");
    }
    // A key or an address in the header is never looked at.
    assert!(with_header(&[("jwk", own), ("jku", json!("http://127.0.0.1:1/"))], &rules()).is_ok());
    let key = TestKey::es256("k");
    let twice = r#"{"alg":"ES256","kid":"k","kid":"k"}"#;
    assert!(judged(&key.token_of(twice, &good_claims(ISSUER, NOW).to_string()), &key, &rules()).is_err());
}

#[test]
fn a_token_may_have_to_say_that_it_is_an_access_token() {
    let strict = Rules { access_token_type_required: true, ..rules() };
    for typ in [json!("at+jwt"), json!("AT+JWT"), json!("application/at+jwt")] {
        assert!(with_header(&[("typ", typ)], &strict).is_ok());
    }
    for typ in [json!("JWT"), json!("jwt"), json!(null)] {
        assert!(with_header(&[("typ", typ.clone())], &rules()).is_ok());
        assert!(with_header(&[("typ", typ)], &strict).is_err());
    }
}

#[test]
fn an_id_token_is_no_access_token() {
    let key = TestKey::es256("k");
    let token = |change: &[(&str, Value)]| {
        let claims = changed(&good_claims(ISSUER, NOW), change);
        let header = changed(&key.header(), &[("typ", json!("JWT"))]);
        judged(&key.token_of(&header.to_string(), &claims.to_string()), &key, &rules())
    };
    for name in FOREIGN_CLAIMS {
        assert!(token(&[(name, json!("x"))]).is_err(), "{name}");
    }
    for typ in ["ID", "Refresh", "Logout"] {
        assert!(token(&[("typ", json!(typ))]).is_err(), "{typ}");
    }
    assert!(token(&[("typ", json!("Bearer"))]).is_ok());
}

#[test]
fn a_token_is_from_our_provider_for_us_about_somebody() {
    for change in [
        ("iss", json!(null)),
        ("iss", json!(format!("{ISSUER}/"))),
        ("iss", json!("https://evil.example")),
        ("iss", json!([ISSUER])),
        ("aud", json!(null)),
        ("aud", json!("opendcre.evil")),
        ("aud", json!([])),
        ("aud", json!({"opendcre": 1})),
        ("sub", json!(null)),
        ("sub", json!("")),
        ("sub", json!(7)),
        ("cnf", json!({"jkt": "x"})),
    ] {
        assert!(with_claims(std::slice::from_ref(&change)).is_err(), "{change:?}");
    }
    assert!(with_claims(&[("aud", json!(["other", "opendcre"]))]).is_ok());
}

#[test]
fn a_token_counts_from_then_to_then_and_clocks_may_differ_a_little() {
    let at = |name: &'static str, offset: i64| with_claims(&[(name, json!(NOW.as_second() + offset))]);
    for (name, offset, is_good) in [
        ("exp", -60, false),
        ("exp", -59, true),
        ("iat", 60, true),
        ("iat", 61, false),
        ("nbf", 60, true),
        ("nbf", 61, false),
        ("iat", -1_000_000, true),
    ] {
        assert_eq!(at(name, offset).is_ok(), is_good, "{name} {offset}");
    }
    let fraction = NOW.as_second() + 10;
    assert!(with_claims(&[("exp", json!(format!("{fraction}.5").parse::<f64>().unwrap()))]).is_ok());
}

#[test]
fn what_is_no_time_is_refused() {
    for name in ["exp", "iat", "nbf"] {
        for value in [json!("1800000300"), json!(1e300), json!(u64::MAX), json!([1]), json!(true), json!({})]
        {
            assert!(with_claims(&[(name, value.clone())]).is_err(), "{name} {value}");
        }
    }
    assert!(with_claims(&[("exp", json!(null))]).is_err());
    assert!(with_claims(&[("exp", json!(-1))]).is_err());
}

#[test]
fn a_token_says_something_itself_or_only_to_its_provider() {
    let object = URL_SAFE_NO_PAD.encode("{}");
    let twice = URL_SAFE_NO_PAD.encode(r#"{"sub":"a","sub":"b"}"#);
    assert!(matches!(Form::of(&format!("{object}.{object}.")), Form::Jwt(_)));
    for broken in [format!("{object}.{twice}.x"), format!("{twice}.{object}.x"), format!("{object}.x.x")] {
        assert!(matches!(Form::of(&broken), Form::Broken), "{broken}");
    }
    for opaque in ["", "x", "a.b.c", "..", &format!("{object}.{object}"), &format!("{object}.{object}.a.b.c")]
    {
        assert!(matches!(Form::of(opaque), Form::Opaque), "{opaque}");
    }
}

#[test]
fn what_is_said_twice_is_refused() {
    let key = TestKey::es256("k");
    let claims = good_claims(ISSUER, NOW).to_string();
    let twice = claims.replacen('{', r#"{"sub":"root","#, 1);
    assert!(judged(&key.token_of(&key.header().to_string(), &claims), &key, &rules()).is_ok());
    assert!(judged(&key.token_of(&key.header().to_string(), &twice), &key, &rules()).is_err());
}

proptest! {
    #[test]
    fn hostile_tokens_do_no_harm(token in ".{0,200}", parts in "[A-Za-z0-9_-]{0,40}(\\.[A-Za-z0-9_-]{0,40}){0,4}") {
        let key = TestKey::rsa("k");
        for token in [token, parts] {
            prop_assert!(judged(&token, &key, &rules()).is_err());
        }
    }

    #[test]
    fn a_token_with_one_byte_changed_proves_nothing(at in any::<prop::sample::Index>(), bit in 0..7_u8) {
        let key = TestKey::rsa("k");
        let mut token = key.token(&good_claims(ISSUER, NOW)).into_bytes();
        let at = at.index(token.len());
        token[at] ^= 1 << bit;
        if let Ok(token) = String::from_utf8(token) {
            prop_assert!(judged(&token, &key, &rules()).is_err(), "{token}");
        }
    }
}
