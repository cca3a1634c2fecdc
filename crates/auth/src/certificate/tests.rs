use std::collections::BTreeSet;
use std::sync::LazyLock;

use proptest::collection::vec;
use proptest::prelude::{any, prop_assert, proptest};
use proptest::sample::Index;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, DnValue, KeyPair, PKCS_ECDSA_P256_SHA256, SanType,
};

use super::*;

/// A subject with these attributes, and these names besides.
fn certificate(subject: Vec<(DnType, DnValue)>, names: Vec<SanType>) -> Vec<u8> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    for (kind, value) in subject {
        params.distinguished_name.push(kind, value);
    }
    params.subject_alt_names = names;
    params.not_after = rcgen::date_time_ymd(2030, 1, 1);
    params.self_signed(&key).unwrap().der().to_vec()
}

fn utf8(text: &str) -> DnValue {
    DnValue::Utf8String(text.to_owned())
}

fn ia5<T: TryFrom<String, Error: std::fmt::Debug>>(text: &str) -> T {
    text.to_owned().try_into().unwrap()
}

fn full() -> Vec<u8> {
    let subject = vec![
        (DnType::CountryName, utf8("DE")),
        (DnType::OrganizationName, utf8("Example")),
        (DnType::OrganizationalUnitName, utf8("operators")),
        (DnType::CommonName, utf8("ada")),
    ];
    let upn = (USER_PRINCIPAL_NAME.iter().unwrap().collect(), "ada@corp.example".into());
    let names = vec![
        SanType::DnsName(ia5("ada.example")),
        SanType::Rfc822Name(ia5("ada@example.org")),
        SanType::URI(ia5("spiffe://example/ada")),
        SanType::OtherName(upn),
        SanType::IpAddress("192.0.2.1".parse().unwrap()),
    ];
    certificate(subject, names)
}

fn rules(name_from: &[NameSource]) -> CertificateRules {
    CertificateRules { name_from: name_from.to_vec(), groups_from_ou: true, refused: BTreeSet::new() }
}

fn now() -> Timestamp {
    "2026-12-01T10:00:00Z".parse().unwrap()
}

#[test]
fn says_what_it_says() {
    let der = full();
    let parsed = PeerCertificate::parse(&der).unwrap();
    assert_eq!(parsed.subject, "CN=ada,OU=operators,O=Example,C=DE");
    assert_eq!(parsed.common_name.as_deref(), Some("ada"));
    assert_eq!(parsed.organizational_units, ["operators"]);
    assert_eq!(parsed.dns, ["ada.example"]);
    assert_eq!(parsed.email, ["ada@example.org"]);
    assert_eq!(parsed.uri, ["spiffe://example/ada"]);
    assert_eq!(parsed.upn, ["ada@corp.example"]);
    assert_eq!(parsed.not_after, "2030-01-01T00:00:00Z".parse().unwrap());
    assert_eq!(parsed.fingerprint, <[u8; 32]>::from(Sha256::digest(&der)));
}

#[test]
fn a_subject_is_written_as_rfc_4514_has_it() {
    let uid = DnType::CustomDnType(vec![0, 9, 2342, 19_200_300, 100, 1, 1]);
    let serial = DnType::CustomDnType(vec![2, 5, 4, 5]);
    let cases = [
        (vec![(DnType::CommonName, utf8("Lu\u{10d}i\u{107}"))], "CN=Lu\u{10d}i\u{107}"),
        (vec![(DnType::CommonName, utf8("James \"Jim\" Smith, III"))], r#"CN=James \"Jim\" Smith\, III"#),
        (vec![(DnType::CommonName, utf8(" a "))], r"CN=\ a\ "),
        (vec![(DnType::CommonName, utf8(" "))], r"CN=\ "),
        (vec![(DnType::CommonName, utf8("#1+2=3;<\\>"))], r"CN=\#1\+2=3\;\<\\\>"),
        (vec![(uid, utf8("jsmith"))], "UID=jsmith"),
        (vec![(serial, utf8("Hi"))], "2.5.4.5=#0c024869"),
        (vec![(DnType::CommonName, DnValue::BmpString("\u{e4}".try_into().unwrap()))], "CN=\u{e4}"),
        (vec![(DnType::CommonName, DnValue::TeletexString(ia5("x")))], "2.5.4.3=#140178"),
        (vec![], ""),
    ];
    for (subject, expected) in cases {
        let parsed = PeerCertificate::parse(&certificate(subject, vec![]));
        assert_eq!(parsed.unwrap().subject, expected);
    }
}

#[test]
fn names_that_deceive_are_refused() {
    for name in ["a\nb", "a\0b", "ada\u{202e}nimda", "\u{200b}ada", "a\u{ad}da", &"x".repeat(MAX_NAME + 1)] {
        let der = certificate(vec![(DnType::CommonName, utf8(name))], vec![]);
        assert_eq!(PeerCertificate::parse(&der), Err(CertificateError::BadName), "{name:?}");
    }
    let der = certificate(vec![], vec![SanType::DnsName(ia5("a\nb"))]);
    assert_eq!(PeerCertificate::parse(&der), Err(CertificateError::BadName));
}

#[test]
fn too_much_is_refused() {
    let names = |count| (0..count).map(|index| SanType::DnsName(ia5(&format!("{index}.example")))).collect();
    assert_eq!(PeerCertificate::parse(&certificate(vec![], names(MAX_NAMES))).unwrap().dns.len(), MAX_NAMES);
    let many = PeerCertificate::parse(&certificate(vec![], names(MAX_NAMES + 1)));
    assert_eq!(many, Err(CertificateError::TooManyNames));
    let large = vec![0x30; MAX_CERTIFICATE + 1];
    assert_eq!(PeerCertificate::parse(&large), Err(CertificateError::TooLarge(large.len())));
}

#[test]
fn the_first_source_that_a_certificate_has_gives_the_name() {
    use NameSource::{CommonName, Dns, Email, Subject as Whole, Upn, Uri};
    let parsed = PeerCertificate::parse(&full()).unwrap();
    let cases = [
        (vec![Upn, Email], "ada@corp.example"),
        (vec![Email, Upn], "ada@example.org"),
        (vec![Dns], "ada.example"),
        (vec![Uri], "spiffe://example/ada"),
        (vec![CommonName], "ada"),
        (vec![Whole], "CN=ada,OU=operators,O=Example,C=DE"),
    ];
    for (sources, expected) in cases {
        let subject = rules(&sources).subject(&parsed, now()).unwrap();
        assert_eq!(subject.name, expected);
        assert_eq!((subject.login, subject.groups), (Login::Certificate, vec!["operators".to_owned()]));
    }
    let poor = PeerCertificate::parse(&certificate(vec![(DnType::CommonName, utf8("ada"))], vec![])).unwrap();
    assert_eq!(rules(&[Upn, Email, Dns, CommonName]).subject(&poor, now()).unwrap().name, "ada");
}

#[test]
fn units_are_groups_only_where_they_should_be() {
    let parsed = PeerCertificate::parse(&full()).unwrap();
    let rules = CertificateRules { groups_from_ou: false, ..rules(&[NameSource::CommonName]) };
    assert!(rules.subject(&parsed, now()).unwrap().groups.is_empty());
}

#[test]
fn whoever_has_no_name_is_rejected() {
    use NameSource::{CommonName, Dns, Email, Subject as Whole, Upn, Uri};
    let all = rules(&[Upn, Email, Dns, Uri, CommonName, Whole]);
    for subject in [vec![], vec![(DnType::CommonName, utf8(""))]] {
        let parsed = PeerCertificate::parse(&certificate(subject, vec![])).unwrap();
        let named = CertificateRules { name_from: vec![Upn, CommonName], ..all.clone() };
        assert!(matches!(named.subject(&parsed, now()), Err(Failure::Rejected { .. })));
    }
    let nobody = PeerCertificate::parse(&certificate(vec![], vec![])).unwrap();
    assert!(matches!(all.subject(&nobody, now()), Err(Failure::Rejected { .. })));
}

#[test]
fn names_that_differ_by_blanks_alone_are_rejected() {
    let login = |rules: &CertificateRules, name: &str, unit: &str| {
        let subject = vec![(DnType::OrganizationalUnitName, utf8(unit)), (DnType::CommonName, utf8(name))];
        rules.subject(&PeerCertificate::parse(&certificate(subject, vec![])).unwrap(), now())
    };
    let all = rules(&[NameSource::CommonName]);
    assert_eq!(login(&all, "Ada King", "night shift").unwrap().name, "Ada King");
    for padded in [" ada", "ada ", "Ada  King", "ada\u{a0}", "\u{3000}ada", "Ada\u{2003}King", " "] {
        assert!(matches!(login(&all, padded, "ops"), Err(Failure::Rejected { .. })), "{padded:?}");
        let rejected = login(&all, "ada", padded).unwrap_err().to_string();
        assert!(rejected.contains(&format!("{padded:?}")), "{rejected}");
        let without_groups = CertificateRules { groups_from_ou: false, ..all.clone() };
        assert_eq!(login(&without_groups, "ada", padded).unwrap().groups, <[&str; 0]>::default());
    }
    let names = vec![SanType::Rfc822Name(ia5("ada@example.org "))];
    let padded = PeerCertificate::parse(&certificate(vec![], names)).unwrap();
    assert!(rules(&[NameSource::Email]).subject(&padded, now()).is_err());
}

#[test]
fn whatever_has_expired_or_is_refused_is_rejected() {
    let parsed = PeerCertificate::parse(&full()).unwrap();
    let mut rules = rules(&[NameSource::CommonName]);
    rules.subject(&parsed, parsed.not_after).unwrap();
    let late = parsed.not_after + jiff::SignedDuration::from_secs(1);
    assert!(matches!(rules.subject(&parsed, late), Err(Failure::Rejected { .. })));
    rules.refused.insert(parsed.fingerprint);
    assert!(matches!(rules.subject(&parsed, now()), Err(Failure::Rejected { .. })));
}

/// The promises for any bytes: no panic, and no name that deceives or is too long.
fn check(der: &[u8]) {
    let Ok(parsed) = PeerCertificate::parse(der) else { return };
    let names = [&parsed.dns, &parsed.email, &parsed.uri, &parsed.upn, &parsed.organizational_units];
    for name in names.into_iter().flatten().chain(&parsed.common_name) {
        assert!(name.len() <= MAX_NAME && !is_deceptive(name), "{name:?}");
    }
}

static FULL: LazyLock<Vec<u8>> = LazyLock::new(full);

#[test]
fn every_prefix_is_refused() {
    for length in 0..FULL.len() {
        PeerCertificate::parse(&FULL[..length]).unwrap_err();
    }
}

proptest! {
    #[test]
    fn random_bytes_are_refused(der in vec(any::<u8>(), 0..2048)) {
        prop_assert!(PeerCertificate::parse(&der).is_err());
    }

    #[test]
    fn damaged_certificates_do_no_harm(at in vec((any::<Index>(), any::<u8>()), 1..8)) {
        let mut der = FULL.clone();
        for (index, byte) in at {
            let index = index.index(der.len());
            der[index] = byte;
        }
        check(&der);
    }
}
