//! The audit log as auditors see it.

use serde_json::{Value, json};

use crate::support::{BASE, Room};

/// The numbers and kinds of the entries on a page.
fn entries(page: &Value) -> Vec<(u64, &str)> {
    let items = page["items"].as_array().unwrap().iter();
    items.map(|item| (item["sequence"].as_u64().unwrap(), item["entry"]["kind"].as_str().unwrap())).collect()
}

/// A room where two boards were switched off, one after the other.
async fn room() -> Room {
    let room = Room::new().await;
    for nodes in ["11", "web-01"] {
        let answer = room.post("/power", &json!({"nodes": nodes, "action": "off"})).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    room
}

#[tokio::test]
async fn pages_lead_to_each_other_in_both_orders() {
    let room = room().await;
    let newest = room.json("/audit?limit=3").await;
    assert_eq!(entries(&newest), [(5, "outcome"), (4, "intent"), (3, "outcome")]);
    assert_eq!(newest["head"], json!({"sequence": 5, "hash": newest["items"][0]["hash"]}));
    let next = newest["next"].as_str().unwrap();
    assert_eq!(next, "/opendcre/2/audit?limit=3&after=3");
    let rest = room.json(next.strip_prefix(BASE).unwrap()).await;
    assert_eq!(entries(&rest), [(2, "intent"), (1, "created")]);
    assert_eq!((&rest["next"], &rest["head"]), (&Value::Null, &newest["head"]));

    let oldest = room.json("/audit?order=oldest&limit=2&after=2").await;
    assert_eq!(entries(&oldest), [(3, "outcome"), (4, "intent")]);
    assert_eq!(entries(&room.json("/audit?order=oldest&after=5").await), []);
}

#[tokio::test]
async fn entries_are_selected_by_who_what_where_and_when() {
    let room = room().await;
    for (query, expected) in [
        ("kind=outcome", vec![(5, "outcome"), (3, "outcome")]),
        ("board=web-01", vec![(5, "outcome"), (4, "intent")]),
        ("board=00000011&kind=intent", vec![(2, "intent")]),
        ("who=anonymous&action=power_off&order=oldest&limit=1", vec![(2, "intent")]),
        ("who=nobody", vec![]),
        ("from=2999-01-01T00:00:00Z", vec![]),
        ("to=1999-01-01T00:00:00Z", vec![]),
    ] {
        assert_eq!(entries(&room.json(&format!("/audit?{query}")).await), expected, "{query}");
    }
    let outcome = room.json("/audit?limit=1").await["items"][0]["entry"].clone();
    assert_eq!(
        outcome["target"],
        json!({"board": "40000001", "device": "0100", "name": "web-01", "rack": "rack_2"})
    );
    assert_eq!(outcome["code"], "ok");
}

#[tokio::test]
async fn nonsense_is_refused_by_name() {
    let room = Room::new().await;
    for parameter in ["limit=0", "limit=1001", "order=sideways", "kind=gossip", "from=yesterday", "after=-1"]
    {
        let problem = room.get(&format!("/audit?{parameter}")).await.problem(400, "bad_parameter");
        assert_eq!(problem["parameter"], parameter.split('=').next().unwrap(), "{problem}");
    }
    room.get("/audit?user=ada").await.problem(400, "unknown_parameter");
}
