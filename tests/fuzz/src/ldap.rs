//! Any bytes as what a directory sends, and any texts as search filters, names of users and distinguished names.
//!
//! The promises: a message ends where its length says, and what follows it means nothing; what it says takes no more
//! room than it has; no name changes what a filter means; what is noted about a refusal is short and holds nothing of
//! what the server has written.

use opendcre_auth::ldap::fuzz;

use crate::is_printable;

/// How many characters one octet is at most when it is shown: `\u{fffd}`, and a little for what is around a value.
const SHOWN: usize = 16;
/// The characters around what a message says.
const FRAME: usize = 200;
/// The bytes of the reason of a refusal.
const MAX_REASON: usize = 120;
/// The bit of a tag that says that there are elements inside (X.690 §8.1.2.5).
const CONSTRUCTED: u8 = 0x20;

/// All of it as a message; its lines as a filter, the name of a user, and a distinguished name.
pub fn ldap(data: &[u8]) {
    check_message(data);
    let text = String::from_utf8_lossy(data);
    let mut lines = text.splitn(3, '\n');
    let [filter, user, dn] = [(); 3].map(|()| lines.next().unwrap_or_default());
    check_filter(filter, user);
    check_names(dn, user);
}

fn check_message(octets: &[u8]) {
    let said = fuzz::decode(octets);
    assert_eq!(said, fuzz::decode(octets));
    if let Ok(said) = &said {
        let length = fuzz::length(octets).ok().flatten().unwrap_or(usize::MAX);
        assert!(length <= octets.len(), "{length}");
        let (message, _) = octets.split_at(length);
        assert_eq!(fuzz::decode(message).as_ref(), Ok(said));
        assert!(fuzz::decode(message.get(..length - 1).unwrap_or_default()).is_err());
        assert!(said.len() <= SHOWN * length + FRAME, "{} characters: {said}", said.len());
    }
    if let Some(reason) = fuzz::refusal(octets) {
        assert!(reason.len() <= MAX_REASON && is_printable(&reason), "{reason:?}");
        assert!(reason.is_ascii(), "{reason}");
    }
}

fn check_filter(text: &str, user: &str) {
    let Ok(encoded) = fuzz::filter(text, user) else { return };
    let (mut with_user, mut with_other) = (Shape::default(), Shape::default());
    with_user.read(&encoded);
    let other = fuzz::filter(text, "*)(uid=\\2a").unwrap_or_default();
    with_other.read(&other);
    assert_eq!(with_user.tags, with_other.tags, "{text:?}");
    // A value is as it was but for the name in it.
    for (value, other) in with_user.values.iter().zip(&with_other.values) {
        let is_the_same = value == other;
        let has_name = value.windows(user.len().max(1)).any(|part| part == user.as_bytes());
        assert!(is_the_same || user.is_empty() || has_name, "{value:?}");
    }
}

fn check_names(dn: &str, user: &str) {
    for attribute in ["cn", "ou", "1.2", ""] {
        let value = fuzz::first_value(dn, attribute);
        assert_eq!(value, fuzz::first_value(dn, &attribute.to_uppercase()));
        assert!(value.is_none_or(|value| value.len() <= dn.len()), "{dn:?}");
    }
    let bound = fuzz::bind_name("uid={user},ou=people", user).unwrap_or_default();
    assert_eq!(fuzz::first_value(&bound, "uid").as_deref(), Some(user), "{bound:?}");
    assert!(bound.ends_with(",ou=people"), "{bound:?}");
    if let Some(principal) = fuzz::bind_name("{user}@example.org", user) {
        assert_eq!(principal.strip_suffix("@example.org"), Some(user));
        assert!(!user.contains(['@', ',', '=', '\\']), "{principal:?}");
    }
}

/// What is in an encoding: the tags in their order with the ends of what is nested, and the values apart from them.
#[derive(Debug, Default)]
struct Shape {
    tags: Vec<Option<u8>>,
    values: Vec<Vec<u8>>,
}

impl Shape {
    fn read(&mut self, mut octets: &[u8]) {
        // Every length has four octets here, which is how it is written.
        while let [tag, 0x84, a, b, c, d, rest @ ..] = octets {
            let length = u32::from_be_bytes([*a, *b, *c, *d]);
            let Some((content, rest)) = usize::try_from(length).ok().and_then(|at| rest.split_at_checked(at))
            else {
                panic!("an element of {length} octets ends early");
            };
            self.tags.push(Some(*tag));
            if tag & CONSTRUCTED == 0 {
                self.values.push(content.to_vec());
            } else {
                self.read(content);
                self.tags.push(None);
            }
            octets = rest;
        }
        assert!(octets.is_empty(), "{octets:?}");
    }
}
