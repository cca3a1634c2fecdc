//! Whose grants count, and which settings are refused.

use super::*;

const EVERYTHING: [u32; 6] = [1, 2, 3, 4, 5, 6];

#[test]
fn nobody_may_do_anything_unless_it_is_granted() {
    let policy = policy(vec![rule("admin", &["ada"], Extent::default())]);
    for verb in Verb::ALL {
        let room = room();
        let reach = |name| policy.reach(&subject(Login::Ldap, name), verb, || &room);
        assert!(reach("ada").is_everything());
        assert!(reach("eve").is_nothing());
        assert!(policy.reach(&Subject::anonymous(), verb, || &room).is_nothing());
    }
}

#[test]
fn a_role_permits_its_verbs_only() {
    let policy = policy(vec![
        rule("viewer", &["vera"], Extent::default()),
        rule("operator", &["otto"], Extent::default()),
        rule("auditor", &["anna"], Extent::default()),
    ]);
    for (name, verbs) in [
        ("vera", &[Verb::Read][..]),
        ("otto", &[Verb::Read, Verb::Control]),
        ("anna", &[Verb::Read, Verb::Audit]),
    ] {
        for verb in Verb::ALL {
            let count = if verbs.contains(&verb) { 6 } else { 0 };
            assert_eq!(boards(&policy, &subject(Login::Oidc, name), verb).len(), count, "{name} {verb}");
        }
    }
}

#[test]
fn grants_add_up_and_keep_their_places() {
    let policy = policy(vec![
        rule("viewer", &["ada"], Extent::default()),
        rule("operator", &["ada"], racks(&["rack_2"])),
    ]);
    let ada = subject(Login::Ldap, "ada");
    assert_eq!(boards(&policy, &ada, Verb::Read), EVERYTHING);
    assert_eq!(boards(&policy, &ada, Verb::Control), [4, 5, 6]);
    assert_eq!(boards(&policy, &ada, Verb::Configure), NOTHING);
}

#[test]
fn groups_count_like_users() {
    let groups = texts(&["ops-*", "oidc:sso/night"]);
    let policy = policy(vec![Rule { role: "operator".to_owned(), groups, ..Rule::default() }]);
    let in_group = |login, provider: &str, group: &str| Subject {
        groups: texts(&["staff", group]),
        provider: provider.to_owned(),
        ..subject(login, "ops-1")
    };
    assert_eq!(boards(&policy, &in_group(Login::Ldap, "corp", "ops-1"), Verb::Control), EVERYTHING);
    assert_eq!(boards(&policy, &in_group(Login::Oidc, "sso", "night"), Verb::Control), EVERYTHING);
    assert_eq!(boards(&policy, &in_group(Login::Oidc, "other", "night"), Verb::Control), NOTHING);
    assert_eq!(boards(&policy, &in_group(Login::Ldap, "corp", "oidc:sso/night"), Verb::Control), NOTHING);
    assert_eq!(boards(&policy, &in_group(Login::Token, "", "ops-1"), Verb::Control), NOTHING);
}

#[test]
fn a_token_has_its_own_grants_and_what_names_it() {
    let policy = policy(vec![
        rule("admin", &["*"], Extent::default()),
        rule("operator", &["token:night"], racks(&["rack_2"])),
    ]);
    let grant = |role: &str| Grant { role: role.to_owned(), extent: racks(&["rack_1"]) };
    let token = |name: &str, role: &str| Subject { grants: vec![grant(role)], ..subject(Login::Token, name) };
    assert_eq!(boards(&policy, &token("backup", "viewer"), Verb::Read), [1, 2, 3]);
    assert_eq!(boards(&policy, &token("backup", "viewer"), Verb::Control), NOTHING);
    assert_eq!(boards(&policy, &token("night", "viewer"), Verb::Read), EVERYTHING);
    assert_eq!(boards(&policy, &token("night", "viewer"), Verb::Control), [4, 5, 6]);
    assert_eq!(
        boards(&policy, &token("backup", "root"), Verb::Read),
        NOTHING,
        "an unknown role gives nothing"
    );
}

#[test]
fn requests_that_present_nothing_have_their_own_role() {
    let settings = PolicySettings { anonymous_role: Some("viewer".to_owned()), ..PolicySettings::default() };
    let viewers = Policy::new(settings).unwrap();
    assert_eq!(boards(&viewers, &Subject::anonymous(), Verb::Read), EVERYTHING);
    assert_eq!(boards(&viewers, &Subject::anonymous(), Verb::Control), NOTHING);
    assert_eq!(boards(&viewers, &subject(Login::Ldap, "anonymous"), Verb::Read), NOTHING);
    let named = policy(vec![rule("viewer", &["anonymous:*"], racks(&["rack_1"]))]);
    assert_eq!(boards(&named, &Subject::anonymous(), Verb::Read), [1, 2, 3]);
}

#[test]
fn an_open_door_is_open_to_everybody() {
    let policy = Policy::open();
    for verb in Verb::ALL {
        assert_eq!(boards(&policy, &Subject::anonymous(), verb), EVERYTHING);
    }
}

#[test]
fn own_roles_are_granted_like_the_others() {
    let role = Role { name: "night".to_owned(), verbs: vec![Verb::Read, Verb::Configure] };
    let rules = vec![rule("night", &["ada"], Extent::default())];
    let policy =
        Policy::new(PolicySettings { roles: vec![role], rules, ..PolicySettings::default() }).unwrap();
    let ada = subject(Login::Ldap, "ada");
    assert_eq!(boards(&policy, &ada, Verb::Configure), EVERYTHING);
    assert_eq!(boards(&policy, &ada, Verb::Control), NOTHING);
}

#[test]
fn a_rule_that_makes_no_sense_is_refused_by_its_number() {
    let everywhere = Extent::default;
    let nodes = |text: &str| Extent { nodes: Some(text.to_owned()), ..everywhere() };
    let labels = |text: &str| Extent { labels: texts(&[text]), ..everywhere() };
    for (bad, message) in [
        (rule("root", &["ada"], everywhere()), "is no role; use one of admin, auditor, operator, viewer"),
        (rule("viewer", &[], everywhere()), "names nobody; give it users or groups"),
        (
            rule("viewer", &[""], everywhere()),
            "has \"\" in users, which is no pattern; write 1 to 256 characters",
        ),
        (
            rule("viewer", &["a"], racks(&[""])),
            "has \"\" in racks, which is no pattern; write 1 to 256 characters",
        ),
        (
            rule("viewer", &["a"], labels("stage")),
            "has \"stage\" in labels, which is no label; write key=value",
        ),
        (rule("viewer", &["a"], labels("=x")), "has \"=x\" in labels, which is no label; write key=value"),
        (rule("viewer", &["a"], nodes("a[")), "has a bad node range: "),
    ] {
        let role = bad.role.clone();
        let rules = vec![rule("viewer", &["ada"], everywhere()), bad];
        let error = Policy::new(PolicySettings { rules, ..PolicySettings::default() }).unwrap_err();
        assert!(matches!(error, PolicyError::Rule { number: 2, .. }), "{error:?}");
        let text = error.to_string();
        assert!(text.starts_with(&format!("rule 2, which grants {role:?}, {message}")), "{text}");
    }
    let settings = PolicySettings { anonymous_role: Some("root".to_owned()), ..PolicySettings::default() };
    let error = Policy::new(settings).unwrap_err();
    assert!(error.to_string().starts_with("the role of anonymous requests is \"root\", which is no role;"));
}

#[test]
fn grants_of_tokens_are_checked_before_they_are_given() {
    let policy = policy(Vec::new());
    let grant = |role: &str, extent| Grant { role: role.to_owned(), extent };
    assert_eq!(policy.check(&grant("viewer", racks(&["rack_*"]))), Ok(()));
    assert!(matches!(policy.check(&grant("root", Extent::default())), Err(GrantDefect::UnknownRole { .. })));
    assert!(matches!(policy.check(&grant("viewer", racks(&[""]))), Err(GrantDefect::BadGlob { .. })));
}
