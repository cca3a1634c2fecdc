//! What somebody learns of their own rights, and those who own the service of everybody's.

use http::Method;
use opendcre_gateway::Rule;
use opendcre_model::Extent;
use serde_json::{Value, json};

use crate::room::Room;

fn rule(role: &str, user: &str, rack: Option<&str>) -> Rule {
    let racks = rack.map(str::to_owned).into_iter().collect();
    Rule {
        role: role.to_owned(),
        users: vec![user.to_owned()],
        groups: Vec::new(),
        extent: Extent { racks, ..Extent::default() },
    }
}

async fn get(room: &Room, path: &str) -> (u16, Value) {
    room.ask(&Method::GET, &format!("/opendcre/2{path}"), None).await
}

#[tokio::test]
async fn everybody_is_told_what_they_may_do() {
    let room = Room::of(Some("operator")).await;
    let (status, me) = get(&room, "/auth/me").await;
    let right = |verb: &str, nodes: &str, boards: u8| json!({ "verb": verb, "everywhere": false, "boards": boards, "nodes": nodes, "in_part": "" });
    let reach = "[00000011,40000001]";
    assert_eq!(
        (status, me),
        (
            200,
            json!({
                "name": "anonymous",
                "login": "anonymous",
                "provider": null,
                "groups": [],
                "roles": ["operator"],
                "verbs": [right("read", reach, 2), right("control", reach, 2), right("configure", "", 0), right("audit", "", 0)],
            })
        )
    );
    let (_, nobody) = get(&Room::of(None).await, "/auth/me").await;
    assert_eq!((&nobody["roles"], &nobody["verbs"][0]["boards"]), (&json!([]), &json!(0)));
}

#[tokio::test]
async fn a_decision_names_the_rule() {
    let room = Room::of(Some("operator")).await;
    let (status, told) = get(&room, "/auth/why?action=power&target=rack_1").await;
    assert_eq!(status, 200);
    assert_eq!((&told["permitted"], &told["verb"]), (&json!(true), &json!("control")));
    assert_eq!(told["reason"], "rule 1, which grants operator, permits it");
    let considered = &told["considered"][0];
    assert_eq!(considered["extent"], json!({ "racks": ["rack_1"] }));
    let (_, told) = get(&room, "/auth/why?action=asset&target=00000011").await;
    assert_eq!(told["permitted"], false);
    assert_eq!(told["considered"][0]["reason"], "operator does not include configure");
    for path in ["/auth/why?action=dance", "/auth/why?action=read&user=ada&login=magic"] {
        let (status, problem) = get(&room, path).await;
        assert_eq!((status, &problem["code"]), (422, &json!("invalid")), "{path} {problem}");
    }
    let (status, problem) = get(&room, "/auth/why?action=read&target=00000011&device=9999").await;
    assert_eq!((status, &problem["code"]), (404, &json!("unknown_device")));
}

#[tokio::test]
async fn who_owns_the_service_may_ask_about_others() {
    let rules = vec![rule("admin", "anonymous:*", None), rule("viewer", "ldap:corp/ada", Some("rack_2"))];
    let room = Room::with(rules).await;
    let permitted =
        async |query: &str| get(&room, &format!("/auth/why?{query}")).await.1["permitted"].clone();
    assert_eq!(permitted("user=ldap:corp/ada&action=read&target=00000012").await, true);
    assert_eq!(permitted("user=ada&login=ldap&provider=corp&action=read&target=00000012").await, true);
    assert_eq!(permitted("user=ldap:corp/ada&action=read&target=all").await, false);
    assert_eq!(permitted("user=ldap:corp/ada&action=power&target=00000012").await, false);
    assert_eq!(permitted("user=ada&action=read&target=00000012").await, false, "not of that provider");
    let (_, told) = get(&room, "/auth/why?user=ldap:corp/ada&action=read&target=00000012").await;
    assert_eq!(told["subject"], json!({ "name": "ada", "login": "ldap", "provider": "corp", "groups": [] }));
    assert_eq!(told["considered"].as_array().unwrap().len(), 2);
}
