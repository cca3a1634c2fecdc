//! The names that people type, and distinguished names (RFC 4514): bounds, templates, escapes.

use secrecy::{ExposeSecret, SecretString};

use super::filter::{USER, hex_octet};

/// How many octets a name has at most.
pub(super) const MAX_NAME: usize = 256;
/// How many octets a password has at most.
pub(super) const MAX_PASSWORD: usize = 1024;

/// What Active Directory allows in no `sAMAccountName`, which includes the separator of a domain. In a name that is no
/// distinguished name nothing can be escaped.
const NOT_IN_PRINCIPALS: [char; 15] =
    ['"', '/', '\\', '[', ']', ':', '|', '<', '>', '+', '=', ';', '?', ',', '*'];

/// Whether `name` can be the name of anybody.
pub(super) fn is_acceptable(name: &str) -> bool {
    !name.is_empty() && name.len() <= MAX_NAME && !name.chars().any(char::is_control)
}

/// Whether all white space in `name` is blanks that do not follow each other. Directories fold other white space to such
/// blanks (RFC 4518 §2.2 and §2.6.1), so that one account would have many names.
pub(super) fn has_single_blanks(name: &str) -> bool {
    !name.contains("  ") && !name.contains(|character: char| character.is_whitespace() && character != ' ')
}

/// Why a password is refused before a server sees it; nothing if it is not.
///
/// A bind without a password is anonymous and succeeds (RFC 4513 §5.1.2), and a server that ends texts at NUL sees none
/// in what begins with it.
pub(super) fn refused_password(password: &SecretString) -> Option<&'static str> {
    let password = password.expose_secret();
    if password.is_empty() {
        Some("the password is empty")
    } else if password.contains('\0') {
        Some("the password holds a NUL")
    } else if password.len() > MAX_PASSWORD {
        Some("the password is too long")
    } else {
        None
    }
}

/// The name with which a user binds, in which that of the user is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum BindName {
    /// A distinguished name.
    Dn(String),
    /// Another name that the server accepts, such as a user principal name.
    Principal(String),
}

impl BindName {
    /// Reads a template; what holds `=` is a distinguished name.
    pub(super) fn new(template: &str) -> Self {
        let template = template.to_owned();
        if template.contains('=') { Self::Dn(template) } else { Self::Principal(template) }
    }

    /// The name with which `user` binds; nothing if nobody there can have that name.
    pub(super) fn of(&self, user: &str) -> Option<String> {
        match self {
            Self::Dn(template) => Some(template.replace(USER, &escape(user))),
            Self::Principal(template) => {
                let doubled = user.contains('@') && template.contains('@');
                (!doubled && !user.contains(NOT_IN_PRINCIPALS)).then(|| template.replace(USER, user))
            }
        }
    }
}

/// Escapes a value for a distinguished name (RFC 4514 §2.4).
fn escape(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    let last = value.chars().count().saturating_sub(1);
    for (index, character) in value.chars().enumerate() {
        let at_edge = (index == 0 && matches!(character, ' ' | '#')) || (index == last && character == ' ');
        if character == '\0' {
            escaped.push_str(r"\00");
            continue;
        }
        if at_edge || matches!(character, '"' | '+' | ',' | ';' | '<' | '>' | '\\' | '=') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

/// The value that the first component of `dn` has for `attribute`; nothing if it is of another attribute, or written
/// in a way that says nothing (RFC 4514 §2.4, `#`).
pub(super) fn first_value(dn: &str, attribute: &str) -> Option<String> {
    let mut rest = dn;
    loop {
        let part = part(rest)?;
        if part.kind.eq_ignore_ascii_case(attribute) {
            return Some(part.value);
        }
        if part.separator != Some(b'+') {
            return None;
        }
        rest = part.rest;
    }
}

/// All types and values of `dn`, folded as most directories compare them; nothing if one of them says nothing.
pub(super) fn components(dn: &str) -> Option<Vec<(String, String)>> {
    let (mut all, mut rest) = (Vec::new(), Some(dn));
    while let Some(text) = rest {
        let part = part(text)?;
        all.push((fold(part.kind), fold(&part.value)));
        rest = part.separator.map(|_| part.rest);
    }
    Some(all)
}

/// `text` in lower case, in which single blanks stand for all white space (RFC 4518 §2.2 and §2.6.1).
pub(super) fn fold(text: &str) -> String {
    text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A type and value of a distinguished name.
struct Part<'a> {
    kind: &'a str,
    value: String,
    /// What ends it, if anything follows.
    separator: Option<u8>,
    rest: &'a str,
}

/// Reads the first type and value.
fn part(dn: &str) -> Option<Part<'_>> {
    let (kind, after) = dn.split_once('=')?;
    let (value, separator, rest) = unescape(after.trim_start_matches(' '))?;
    Some(Part { kind: kind.trim(), value, separator, rest })
}

/// Reads a value up to the separator that ends it: the value, the separator, and what follows it.
fn unescape(text: &str) -> Option<(String, Option<u8>, &str)> {
    if text.starts_with('#') {
        return None;
    }
    let mut octets = Vec::new();
    // How many octets are kept whatever follows: the escaped ones, and everything that is not a space.
    let mut kept = 0;
    let mut bytes = text.bytes().enumerate();
    let end = |octets: Vec<u8>, kept: usize| String::from_utf8(octets.get(..kept)?.to_vec()).ok();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b',' | b'+' | b';' => return Some((end(octets, kept)?, Some(byte), text.get(at + 1..)?)),
            b'\\' => {
                let (_, next) = bytes.next()?;
                let low = text.as_bytes().get(at + 2).copied();
                match low.and_then(|low| hex_octet(next, low)) {
                    Some(octet) => {
                        bytes.next();
                        octets.push(octet);
                    }
                    None => octets.push(next),
                }
                kept = octets.len();
            }
            byte => {
                octets.push(byte);
                if byte != b' ' {
                    kept = octets.len();
                }
            }
        }
    }
    Some((end(octets, kept)?, None, ""))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn knows_acceptable_names() {
        for name in ["ada", "j*(s)", "zoë", "Smith, J (QA) + \"x\"", &"x".repeat(256)] {
            assert!(is_acceptable(name), "{name}");
        }
        for name in ["", "a\0", "a\nb", "\u{85}", &"x".repeat(257)] {
            assert!(!is_acceptable(name), "{name:?}");
        }
    }

    #[test]
    fn knows_single_blanks() {
        assert!(["ada", "ada king", " ada king "].into_iter().all(has_single_blanks));
        for name in ["ada  king", "ada\u{a0}king", "ada\u{2003}king", "ada\tking", "ada\u{3000}"] {
            assert!(!has_single_blanks(name), "{name:?}");
        }
    }

    #[test]
    fn refuses_passwords_that_bind_nobody() {
        let refused = |password: &str| refused_password(&SecretString::from(password)).is_some();
        assert!(refused("") && refused("\0") && refused("x\0y") && refused(&"x".repeat(1025)));
        assert!(!refused(" ") && !refused("pässword"));
    }

    #[test]
    fn escapes_in_distinguished_names() {
        let name = BindName::new("cn={user},ou=people,dc=example");
        let dn = |user| name.of(user).unwrap();
        assert_eq!(dn("x,ou=admins"), r"cn=x\,ou\=admins,ou=people,dc=example");
        assert_eq!(dn(r#"Smith, J (QA) + "x""#), r#"cn=Smith\, J (QA) \+ \"x\",ou=people,dc=example"#);
        assert_eq!(dn(" #a "), r"cn=\ #a\ ,ou=people,dc=example");
        assert_eq!(dn("{user}"), "cn={user},ou=people,dc=example");
    }

    #[test]
    fn principals_hold_no_separators() {
        let upn = BindName::new("{user}@ad.example");
        assert_eq!(upn.of("ada").as_deref(), Some("ada@ad.example"));
        for user in ["ada@other.example", r"AD\ada", "cn=ada,dc=example", "a*", "a/b"] {
            assert_eq!(upn.of(user), None, "{user}");
        }
        assert_eq!(BindName::new("{user}").of("ada@ad.example").as_deref(), Some("ada@ad.example"));
    }

    #[test]
    fn reads_the_first_component() {
        assert_eq!(first_value("cn=operators,ou=groups,dc=x", "CN").as_deref(), Some("operators"));
        assert_eq!(first_value(r"cn=a\,b\2B\C3\AB\\ + ou=x ,dc=x", "ou").as_deref(), Some("x"));
        assert_eq!(first_value(r"cn=a\,b\2B\C3\AB\\ + ou=x ,dc=x", "cn").as_deref(), Some("a,b+ë\\"));
        assert_eq!(first_value(r"cn=a\ ,dc=x", "cn").as_deref(), Some("a "));
        assert_eq!(first_value("ou=groups,cn=operators", "cn"), None);
        assert_eq!(first_value("cn=#0401ff,dc=x", "cn"), None);
        assert_eq!(first_value(r"cn=a\", "cn"), None);
        assert_eq!(first_value("", "cn"), None);
    }

    proptest! {
        #[test]
        fn a_name_is_only_ever_the_value_of_a_dn(user in any::<String>()) {
            let dn = BindName::new("uid={user},ou=people").of(&user).unwrap();
            prop_assert_eq!(first_value(&dn, "uid"), Some(user));
            prop_assert!(dn.ends_with(",ou=people"));
        }

        #[test]
        fn names_that_look_like_a_dn_are_only_values(user in r#"[ ,+;="<>#\\a-f0-9]{1,30}"#) {
            let dn = BindName::new("uid={user},ou=people").of(&user).unwrap();
            prop_assert_eq!(first_value(&dn, "uid"), Some(user));
        }

        #[test]
        fn hostile_names_never_panic(dn in any::<String>(), odd in r"[ ,+;=#\\a-fë]{0,30}") {
            let _ = (first_value(&dn, "cn"), first_value(&odd, "a"));
        }
    }
}
