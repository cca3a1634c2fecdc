//! As whom a bind happens: under every name by which the directory may know the same account. It knows neither servers nor
//! how often a bind has failed.
//!
//! An entry is known by its distinguished name, whichever table of the configuration leads to it. Before a search there is
//! only the typed name, which belongs to a realm: what the domain components (RFC 4519 §2.4) of the base of all users say.
//! In Active Directory, `ada`, `ada@ad.example` and `AD\ada` may be one account, so they are counted as one. Directories
//! fold accents and widths in ways that nobody can know from here: any typed name that is not ASCII could be that of any
//! account of the realm, so that all of these are counted as one, too.

use sha2::{Digest as _, Sha256};

use super::name::{components, fold};

/// A text that is not kept: people sometimes type their password as their name, and names in a directory may be long.
pub(super) type Digest = [u8; 32];

/// The type of a domain component.
const DOMAIN: &str = "dc";

/// Something under which failed binds are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Account {
    /// The entry with this distinguished name.
    Entry(Digest),
    /// Whoever has this name in ASCII, with any domain or none, in a realm.
    Name(Digest),
    /// Whoever has a name that is not ASCII in a realm.
    NotAscii(Digest),
    /// Nobody: no entry of the realm has this name.
    Nobody(Digest),
}

/// As whom a bind happens, as far as that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) accounts: Vec<Account>,
    /// The very name, to tell those apart that are only counted as one.
    pub(super) spelling: Digest,
    /// The entry, if it is certain which one it is.
    pub(super) entry: Option<Digest>,
}

/// What distinguishes the names of one directory from those of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Realm(Digest);

impl Realm {
    /// That of the entries below `base`.
    pub(super) fn of(base: &str) -> Self {
        let Some(all) = components(base) else { return Self(digest(&[&fold(base)])) };
        let is_domain = |(kind, _): &&(String, String)| kind == DOMAIN;
        let domain = all.iter().rev().take_while(is_domain).count();
        let start = if domain == 0 { 0 } else { all.len() - domain };
        let values = all.iter().skip(start).map(|(_, value)| value.as_str());
        Self(digest(&values.collect::<Vec<_>>()))
    }

    fn name(self, name: &str) -> Digest {
        let mut hash = Sha256::new_with_prefix(self.0);
        hash.update(name);
        hash.finalize().into()
    }
}

impl Identity {
    /// The entry with this distinguished name.
    pub(super) fn entry(dn: &str) -> Self {
        let entry = entry(dn);
        Self { accounts: vec![Account::Entry(entry)], spelling: entry, entry: Some(entry) }
    }

    /// The entry with this distinguished name, which is called `name` in its realm.
    pub(super) fn entry_called(dn: &str, realm: Realm, name: &str) -> Self {
        let mut identity = Self::entry(dn);
        // With a domain it is the name of whoever has it there, and of nobody else: the entry is known.
        if name.is_ascii() && without_domain(name) == name {
            identity.spelling = realm.name(&fold(name));
            identity.accounts.push(Account::Name(identity.spelling));
        }
        identity
    }

    /// The entry of which the distinguished name was made of a typed name.
    pub(super) fn entry_typed(dn: &str, realm: Realm, name: &str) -> Self {
        let mut identity = Self::entry_called(dn, realm, name);
        if !name.is_ascii() {
            identity.accounts.push(Account::NotAscii(realm.0));
            identity.entry = None;
        }
        identity
    }

    /// Whoever is meant by a typed name.
    pub(super) fn typed(realm: Realm, name: &str) -> Self {
        let name = fold(name);
        let account = match name.is_ascii() {
            true => Account::Name(realm.name(without_domain(&name))),
            false => Account::NotAscii(realm.0),
        };
        Self { accounts: vec![account], spelling: realm.name(&name), entry: None }
    }

    /// Nobody, as there is no entry for a typed name.
    pub(super) fn nobody(realm: Realm, name: &str) -> Self {
        let name = realm.name(&fold(name));
        Self { accounts: vec![Account::Nobody(name)], spelling: name, entry: None }
    }
}

/// The name of an entry as a digest. The types are left out: each has several names (RFC 4519 §2), and of two entries that
/// differ in nothing else both are safe when they are counted as one.
fn entry(dn: &str) -> Digest {
    match components(dn) {
        Some(all) => digest(&all.iter().map(|(_, value)| value.as_str()).collect::<Vec<_>>()),
        None => digest(&[&fold(dn)]),
    }
}

/// `ada` for `ada`, `ada@ad.example` and `AD\ada`.
fn without_domain(name: &str) -> &str {
    let name = name.rsplit_once('\\').map_or(name, |(_, name)| name);
    name.split_once('@').map_or(name, |(name, _)| name)
}

/// Hashes the lengths, too, so that no end of a part can pass for the beginning of the next.
fn digest(parts: &[&str]) -> Digest {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.len().to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_entry_has_many_spellings() {
        let ada = Identity::entry("uid=ada king,ou=people,dc=example");
        for dn in [
            "UID=Ada King,OU=People,DC=Example",
            r"uid = \ ada  king\ , ou=people , dc=example",
            r"userid=\61da king;ou=people;dc=example",
        ] {
            assert_eq!(Identity::entry(dn), ada, "{dn}");
        }
        for dn in ["uid=ada king,ou=people", r"uid=ada king\,ou=people,dc=example", "", "ada"] {
            assert_ne!(Identity::entry(dn), ada, "{dn}");
        }
    }

    #[test]
    fn a_realm_is_a_domain_or_else_a_base() {
        let ad = Realm::of("dc=ad,dc=example");
        assert_eq!(Realm::of("OU=Staff, DC=AD, DC=Example"), ad);
        assert_ne!(Realm::of("dc=example"), ad);
        assert_eq!(Realm::of("ou=people,o=acme"), Realm::of("OU=People,O=Acme"));
        assert_ne!(Realm::of("ou=people,o=acme"), Realm::of("o=acme"));
    }

    #[test]
    fn names_with_and_without_a_domain_are_counted_as_one_and_told_apart() {
        let realm = Realm::of("dc=ad,dc=example");
        let ada = Identity::typed(realm, "ada");
        for name in ["Ada@ad.example", "ada@AD", r"AD\ADA", " ada "] {
            assert_eq!(Identity::typed(realm, name).accounts, ada.accounts, "{name}");
        }
        assert_ne!(Identity::typed(realm, "ada@ad.example").spelling, ada.spelling);
        assert_ne!(Identity::typed(Realm::of("dc=example"), "ada").accounts, ada.accounts);
        let found = Identity::entry_called("cn=Ada King,dc=ad,dc=example", realm, "ADA");
        assert!(found.accounts.contains(&ada.accounts[0]));
        // Two people whose mail is kept by different hosts are two people.
        assert_eq!(Identity::entry_called("cn=Ada", realm, "ada@a.example").accounts.len(), 1);
    }

    #[test]
    fn names_that_are_not_ascii_are_one_account_of_their_realm() {
        let realm = Realm::of("dc=example");
        let zoe = Identity::typed(realm, "zoë");
        assert_eq!(zoe.accounts, Identity::typed(realm, "ａda").accounts);
        let dn = Identity::entry_typed("uid=zoë,dc=example", realm, "zoë");
        assert!(dn.accounts.contains(&zoe.accounts[0]) && dn.accounts.len() == 2);
        assert_ne!(Identity::typed(Realm::of("dc=other"), "zoë").accounts, zoe.accounts);
    }
}
