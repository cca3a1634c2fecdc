//! The groups of a user: what the directory is asked for, and what is made of the answers.
//!
//! Either all groups are known, or it is an error: nobody is taken for no member because a server did not say
//! everything.

use std::collections::{BTreeSet, HashSet};

use super::connection::Connection;
use super::directory::Trouble;
use super::filter::Filter;
use super::message::{Entry, Scope, Search};
use super::name::first_value;
use super::settings::{GroupName, GroupRules};
use crate::attempt::is_deceptive;

/// The attribute of Active Directory and others that lists groups ([MS-ADA2]).
const MEMBER_OF: &str = "memberOf";
/// RFC 4519 §2.17.
const MEMBER: &str = "member";
/// The security identifier of an account ([MS-ADA3]).
const OBJECT_SID: &str = "objectSid";
/// The last part of the security identifier of the primary group ([MS-ADA3]).
const PRIMARY_GROUP: &str = "primaryGroupID";
/// `LDAP_MATCHING_RULE_TRANSITIVE_EVAL` ([MS-ADTS] §3.1.1.3.4.4.3). Servers that do not know it find nothing, and
/// call that no error.
const IN_CHAIN: &str = "1.2.840.113556.1.4.1941";
/// What only Active Directory says of itself: `LDAP_CAP_ACTIVE_DIRECTORY_OID` ([MS-ADTS] §3.1.1.3.4.3.1).
const IS_ACTIVE_DIRECTORY: &str = "1.2.840.113556.1.4.800";
const CAPABILITIES: &str = "supportedCapabilities";
/// "No attributes" (RFC 4511 §4.5.1.8).
const NO_ATTRIBUTES: &str = "1.1";

/// How deep groups may be nested.
const MAX_DEPTH: usize = 16;
/// How many groups a user may have.
const MAX_GROUPS: usize = 1000;
/// For how many members one search asks.
const MEMBERS_PER_SEARCH: usize = 25;
/// How many groups a page has.
const PAGE: i32 = 500;

impl GroupRules {
    /// The attributes of a user that are needed to find groups.
    pub(super) fn user_attributes(&self) -> &'static [&'static str] {
        match self {
            Self::MemberOf { .. } => &[MEMBER_OF],
            Self::GroupOfNames { .. } => &[],
            Self::ActiveDirectory { .. } => &[OBJECT_SID, PRIMARY_GROUP],
        }
    }

    /// Checks that the server can be asked in this way.
    pub(super) async fn check(&self, reader: &mut Connection) -> Result<(), Trouble> {
        if !matches!(self, Self::ActiveDirectory { .. }) {
            return Ok(());
        }
        let filter = Filter::anything().encode("");
        let attributes = vec![CAPABILITIES];
        let root = Search { base: "", scope: Scope::Base, filter, attributes, size_limit: 1, page: None };
        let found = reader.search(&root).await?.entries;
        if found
            .iter()
            .any(|root| root.texts(CAPABILITIES).any(|capability| capability == IS_ACTIVE_DIRECTORY))
        {
            return Ok(());
        }
        Err(Trouble::Unsure(
            "it is no Active Directory and would find no nested groups; set `groups` to another value"
                .to_owned(),
        ))
    }

    /// The groups of the user with this entry, sorted, each once.
    pub(super) async fn of(&self, user: &Entry, reader: &mut Connection) -> Result<Vec<String>, Trouble> {
        let names = match self {
            Self::MemberOf { called } => member_of(user, called, reader).await?,
            Self::GroupOfNames { base, called } => names(&walk(user, base, called, reader).await?, called),
            Self::ActiveDirectory { base, called } => {
                names(&in_chain(user, base, called, reader).await?, called)
            }
        };
        if names.len() > MAX_GROUPS {
            return Err(too_many());
        }
        Ok(names.into_iter().filter(|name| is_shown_as_it_is(name)).collect())
    }
}

impl GroupName {
    /// The attribute to ask for.
    fn attribute(&self) -> &str {
        match self {
            Self::Dn => NO_ATTRIBUTES,
            Self::Attribute(attribute) => attribute,
        }
    }

    /// The name that can be read from the distinguished name of the group alone.
    fn within(&self, dn: &str) -> Option<String> {
        match self {
            Self::Dn => Some(dn.to_owned()),
            Self::Attribute(attribute) => first_value(dn, attribute),
        }
    }

    /// The name of a group. A group without one is nothing that could be granted anything.
    fn of(&self, group: &Entry) -> Option<String> {
        let name = self.within(&group.dn).or_else(|| group.texts(self.attribute()).next().map(str::to_owned));
        if name.is_none() {
            tracing::debug!(group = group.dn, attribute = self.attribute(), "a group has no name");
        }
        name
    }
}

fn names(groups: &[Entry], called: &GroupName) -> BTreeSet<String> {
    groups.iter().filter_map(|group| called.of(group)).collect()
}

/// Whether a group can be told by its name from all others. One that cannot is nothing that could be granted anything.
fn is_shown_as_it_is(name: &str) -> bool {
    let is_deceptive = is_deceptive(name);
    if is_deceptive {
        tracing::warn!(group = ?name, "a group does not count, because its name has control or invisible characters");
    }
    !is_deceptive
}

fn too_many() -> Trouble {
    Trouble::Unsure(format!("the user has more than {MAX_GROUPS} groups; narrow `group_base`"))
}

/// The groups that the entry of the user lists.
async fn member_of(
    user: &Entry,
    called: &GroupName,
    reader: &mut Connection,
) -> Result<BTreeSet<String>, Trouble> {
    if user.is_partial(MEMBER_OF) {
        return Err(Trouble::Unsure(format!("the server shows only a part of `{MEMBER_OF}`")));
    }
    let mut names = BTreeSet::new();
    let groups = user.values(MEMBER_OF);
    if groups.len() > MAX_GROUPS {
        return Err(too_many());
    }
    for dn in user.texts(MEMBER_OF) {
        match called.within(dn) {
            Some(name) => names.extend([name]),
            None => names.extend(read_name(dn, called, reader).await?),
        }
    }
    Ok(names)
}

/// Reads the entry of a group for its name.
async fn read_name(dn: &str, called: &GroupName, reader: &mut Connection) -> Result<Option<String>, Trouble> {
    let filter = Filter::anything().encode("");
    let attributes = vec![called.attribute()];
    let group = Search { base: dn, scope: Scope::Base, filter, attributes, size_limit: 1, page: None };
    Ok(reader.search(&group).await?.entries.iter().find_map(|group| called.of(group)))
}

/// Walks from the user to the groups that have it as a member, and on to those that have them as members.
async fn walk(
    user: &Entry,
    base: &str,
    called: &GroupName,
    reader: &mut Connection,
) -> Result<Vec<Entry>, Trouble> {
    let mut seen = HashSet::from([user.dn.to_lowercase()]);
    let mut groups = Vec::new();
    let mut members = vec![user.dn.clone()];
    for _ in 0..MAX_DEPTH {
        let mut found = Vec::new();
        for some in members.chunks(MEMBERS_PER_SEARCH) {
            let any = some.iter().map(|dn| Filter::equals(MEMBER, dn.as_bytes())).collect();
            found.extend(search(base, &Filter::Or(any), called, reader).await?);
        }
        found.retain(|group| seen.insert(group.dn.to_lowercase()));
        members = found.iter().map(|group| group.dn.clone()).collect();
        groups.append(&mut found);
        if groups.len() > MAX_GROUPS {
            return Err(too_many());
        }
        if members.is_empty() {
            return Ok(groups);
        }
    }
    Err(Trouble::Unsure(format!("groups are nested more than {MAX_DEPTH} deep")))
}

/// Asks Active Directory for the groups of the user, and of its primary group, which no group lists as a member.
async fn in_chain(
    user: &Entry,
    base: &str,
    called: &GroupName,
    reader: &mut Connection,
) -> Result<Vec<Entry>, Trouble> {
    let mut groups = Vec::new();
    if let Some(sid) = primary_group(user) {
        groups = search(base, &Filter::equals(OBJECT_SID, &sid), called, reader).await?;
    }
    let members = groups.iter().chain([user]);
    let any = members.map(|member| Filter::matches(MEMBER, IN_CHAIN, member.dn.as_bytes())).collect();
    groups.extend(search(base, &Filter::Or(any), called, reader).await?);
    Ok(groups)
}

/// The security identifier of the primary group: that of the user with another last part ([MS-DTYP] §2.4.2.2).
fn primary_group(user: &Entry) -> Option<Vec<u8>> {
    let sid = user.values(OBJECT_SID).first()?;
    let rid = user.texts(PRIMARY_GROUP).next()?.parse::<u32>().ok()?;
    let parts = usize::from(*sid.get(1)?);
    if parts == 0 || sid.len() != 8 + 4 * parts {
        return None;
    }
    let domain = sid.get(..sid.len() - 4)?;
    Some([domain, &rid.to_le_bytes()].concat())
}

async fn search(
    base: &str,
    filter: &Filter,
    called: &GroupName,
    reader: &mut Connection,
) -> Result<Vec<Entry>, Trouble> {
    let attributes = vec![called.attribute()];
    let filter = filter.encode("");
    let page = Some(PAGE);
    let groups = Search { base, scope: Scope::Subtree, filter, attributes, size_limit: 0, page };
    let found = reader.search(&groups).await?;
    if found.truncated {
        return Err(Trouble::Unsure("the server shows only a part of the groups".to_owned()));
    }
    Ok(found.entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(sid: &[u8], group: &str) -> Entry {
        let attributes = vec![
            ("objectSid".to_owned(), vec![sid.to_vec()]),
            ("primaryGroupID".to_owned(), vec![group.as_bytes().to_vec()]),
        ];
        Entry { dn: "cn=ada".to_owned(), attributes }
    }

    #[test]
    fn the_primary_group_is_in_the_domain_of_the_user() {
        let sid = [1, 2, 0, 0, 0, 0, 0, 5, 21, 0, 0, 0, 0x51, 4, 0, 0];
        let group = [1, 2, 0, 0, 0, 0, 0, 5, 21, 0, 0, 0, 1, 2, 0, 0];
        assert_eq!(primary_group(&user(&sid, "513")), Some(group.to_vec()));
        for (sid, group) in
            [(&sid[..15], "513"), (&sid, "x"), (&[1, 0, 0, 0, 0, 0, 0, 5], "513"), (&[], "513")]
        {
            assert_eq!(primary_group(&user(sid, group)), None);
        }
    }

    #[test]
    fn groups_are_called_as_configured() {
        let group = Entry {
            dn: "cn=ops,ou=groups".to_owned(),
            attributes: vec![
                ("cn".to_owned(), vec![b"other".to_vec()]),
                ("mail".to_owned(), vec![b"o@x".to_vec()]),
            ],
        };
        assert_eq!(GroupName::Dn.of(&group).as_deref(), Some("cn=ops,ou=groups"));
        assert_eq!(GroupName::Attribute("cn".to_owned()).of(&group).as_deref(), Some("ops"));
        assert_eq!(GroupName::Attribute("mail".to_owned()).of(&group).as_deref(), Some("o@x"));
        assert_eq!(GroupName::Attribute("gid".to_owned()).of(&group), None);
    }
}
