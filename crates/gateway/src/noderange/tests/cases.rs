//! One line per rule: what a text selects, or why and where it is refused.

use opendcre_model::BoardId;

use super::super::{MAX_CHARACTERS, MAX_DEPTH, MAX_PATTERNS, MAX_SEARCHES, NodeRange, fold};
use super::room::{Record, Room, example};

const EVERYTHING: &str = "0000001f,db-[1-3],web-[01-04]";

#[test]
fn texts_select_boards() {
    let cases = [
        // One thing.
        ("web-01", "web-01"),
        ("WEB-01", "web-01"),
        ("web-02.Example.org", "web-02"),
        ("10", "web-01"),
        ("00000010", "web-01"),
        ("000000000010", "web-01"),
        ("40000002", "db-2"),
        ("1F", "0000001f"),
        ("10.1.0.13", "web-03"),
        ("fd00::2", "db-2"),
        ("fd00:0:0::0002", "db-2"),
        ("rack_1", "web-[01-04]"),
        ("front", "web-[01-03]"),
        ("\"web-01\"", "web-01"),
        ("rack_1/web-01", "web-01"),
        ("rack_1/10", "web-01"),
        ("rack_1/spare", "web-04"),
        ("rack_1/lab", "web-01"),
        // Everything, and everything but.
        ("all", EVERYTHING),
        ("*", EVERYTHING),
        ("-rack_1", "0000001f,db-[1-3]"),
        ("-rack_1,-db-2", "0000001f,db-[1,3]"),
        // Several things.
        ("web-01,db-1", "db-1,web-01"),
        (" web-01 , db-1\n, web-02 ", "db-1,web-[01-02]"),
        ("web-01,web-01,rack_1", "web-[01-04]"),
        // Numbers in brackets.
        ("web-[01-03]", "web-[01-03]"),
        ("web-[01:03]", "web-[01-03]"),
        ("web-[01,03-04]", "web-[01,03-04]"),
        ("web-[01,01,01-01]", "web-01"),
        ("web-0[1-2].example.org", "web-[01-02]"),
        ("rack_[1-2]", EVERYTHING),
        ("[10-13]", "web-[01-04]"),
        ("10.[1].0.[11-12]", "web-[01-02]"),
        ("fd00::[1-3]", "db-[1-3]"),
        ("rack_1/web-[01-02]", "web-[01-02]"),
        ("rack_[1-1]/web-[01-02]", "web-[01-02]"),
        // From one to another.
        ("web-01-web-03", "web-[01-03]"),
        ("web-01:web-03", "web-[01-03]"),
        ("web-02-web-02", "web-02"),
        ("web-01.example.org-web-03.example.org", "web-[01-03]"),
        ("rack_1-rack_2", EVERYTHING),
        ("10.1.0.11-10.1.0.12", "web-[01-02]"),
        ("fd00::1-fd00::3", "db-[1-3]"),
        ("00000010-0000001F", "0000001f,web-[01-04]"),
        ("00000010:00000011", "web-[01-02]"),
        ("10-12", "web-[01-03]"),
        ("00000012-40000001", "0000001f,db-1,web-[03-04]"),
        ("rack_1/web-01-web-03", "web-[01-03]"),
        ("rack_1/00000011-0000001f", "web-[02-04]"),
        // Left to right.
        ("rack_1,-web-02", "web-[01,03-04]"),
        ("rack_1, - web-02", "web-[01,03-04]"),
        ("rack_1,-web-02,web-02", "web-[01-04]"),
        ("rack_1,-web-[02-03],web-02,-web-01", "web-[02,04]"),
        ("rack_1@odd", "web-[01,03]"),
        ("rack_1,@odd", "web-[01,03]"),
        ("db-2,rack_1@odd", "web-[01,03]"),
        ("db-2,(rack_1@odd)", "db-2,web-[01,03]"),
        ("odd@rack_1,db-2", "db-2,web-[01,03]"),
        ("all@(rack_1,db-1)@odd", "db-1,web-[01,03]"),
        ("rack_1,-(front@odd)", "web-[02,04]"),
        ("rack_1,-(-web-01)", "web-01"),
        ("((web-01))", "web-01"),
        ("-rack_1@odd", "db-[1,3]"),
        ("none,web-01", "web-01"),
        // Groups.
        ("odd", "db-[1,3],web-[01,03]"),
        ("quiet", "0000001f,db-2,web-04"),
        ("odd,-front", "db-[1,3]"),
        // Regular expressions.
        ("~^web", "web-[01-04]"),
        ("~1", "0000001f,db-1,web-01"),
        ("~-0[1-2]$,db-1", "db-1,web-[01-02]"),
        ("~^(web-01|db-[23])$@rack_2", "db-[2-3]"),
        ("rack_1,-~[2,3]$", "web-[01,04]"),
        ("(~^web-\\d{2,3}$)", "web-[01-04]"),
        ("~^db , web-01", "db-[1-3],web-01"),
        ("~[]b]-", "db-[1-3],web-[01-04]"),
        ("~(?i)^DB", "db-[1-3]"),
        // Comparisons.
        ("rack=rack_2", "0000001f,db-[1-3]"),
        ("state=missing", "0000001f"),
        ("state==missing", "0000001f"),
        ("driver=hat,-rack_1", "0000001f"),
        ("kind=power", "db-[1-3]"),
        ("kind!=temperature", "0000001f"),
        ("firmware=~^2\\.[0-9]+$", "db-[1-3]"),
        ("name=web-01", "web-01"),
        ("stage!=live@rack_2", "0000001f,db-3"),
        ("stage=~live,-db-1", "db-2"),
        ("stage!~live@stage=~.", "db-3"),
        ("stage!=~live@stage=~.", "db-3"),
        ("role=\"front end\"@odd", "web-[01,03]"),
        ("rack=rack_1,-(role=\"front end\"@odd)", "web-[02,04]"),
    ];
    let room = example();
    for (text, names) in cases {
        assert_eq!(room.names(text), names, "{text}");
    }
}

#[test]
fn texts_are_refused_where_they_are_wrong() {
    let cases = [
        // The notation.
        ("", "bad_range", 0),
        ("  ", "bad_range", 2),
        ("web-01,", "bad_range", 7),
        ("web-01,,db-1", "bad_range", 7),
        (",web-01", "bad_range", 0),
        ("web-01@", "bad_range", 7),
        ("@web-01", "bad_range", 0),
        ("web-01 db-1", "bad_range", 7),
        ("web-01@-db-1", "bad_range", 7),
        ("--web-01", "bad_range", 1),
        ("-rack_1,db-1", "bad_range", 7),
        ("-rack_1@front,db-1", "bad_range", 13),
        ("(-rack_1,db-1)", "bad_range", 8),
        ("(web-01", "bad_range", 0),
        ("(web-01]", "bad_range", 7),
        ("web-01)", "bad_range", 6),
        ("()", "bad_range", 1),
        ("web(01)", "bad_range", 3),
        ("\"web-01", "bad_range", 0),
        ("\"web-01\"x", "bad_range", 8),
        ("wäb-*", "bad_range", 4),
        ("web-0?", "bad_range", 5),
        ("**", "bad_range", 0),
        ("web\u{1b}[2J", "bad_range", 3),
        ("web-[01", "bad_range", 4),
        ("web-[", "bad_range", 4),
        ("web-[]", "bad_range", 5),
        ("web-[01,]", "bad_range", 8),
        ("web-[01,x]", "bad_range", 8),
        ("web-[01x]", "bad_range", 7),
        ("web-[01-]", "bad_range", 5),
        ("web-[1-2-3]", "bad_range", 5),
        ("web-[1, 2]", "bad_range", 7),
        ("web-[1234567890123456789]", "bad_range", 5),
        ("rack_[1-2]/[10-11,1f]", "bad_range", 19),
        ("web-01]", "bad_range", 6),
        ("web-[04-01]", "bad_range", 5),
        ("web-[1-04]", "bad_range", 5),
        ("db-1,web-04-web-01", "bad_range", 5),
        ("20-10", "bad_range", 0),
        ("=x", "bad_range", 0),
        ("web-[01]=x", "bad_range", 8),
        ("rack==\"rack_1", "bad_range", 6),
        ("~", "bad_range", 1),
        ("~ ,web-01", "bad_range", 1),
        ("db-1,~(", "bad_range", 6),
        ("~a{2", "bad_range", 1),
        ("~\\", "bad_range", 1),
        ("rack=~[", "bad_range", 6),
        ("~\\pL", "bad_range", 1),
        ("egg", "bad_range", 0),
        ("web-01,hen", "bad_range", 7),
        // Names.
        ("web-09", "unknown_name", 0),
        ("web-01,web-[03-09]", "unknown_name", 7),
        ("web-03-web-05", "unknown_name", 0),
        ("web-01-db-2", "unknown_name", 0),
        ("web-1-04", "unknown_name", 0),
        ("rack_1,-web-09", "unknown_name", 8),
        ("-web-09", "unknown_name", 1),
        ("rack_1@(web-09)", "unknown_name", 8),
        ("rack_1/db-1", "unknown_name", 0),
        ("rack_1/rack_2/db-1", "unknown_name", 0),
        ("rack_9/web-01", "unknown_name", 0),
        ("front/web-01", "unknown_name", 0),
        ("rack_1/", "unknown_name", 0),
        ("rack_1/1f", "unknown_name", 0),
        ("rack_1/1a-1f", "unknown_name", 0),
        ("\"all\"", "unknown_name", 0),
        ("\"web-[01-02]\"", "unknown_name", 0),
        ("14", "unknown_name", 0),
        ("100-1ff", "unknown_name", 0),
        ("10-1f", "unknown_name", 0),
        ("1f-40000001", "unknown_name", 0),
        ("10-15", "unknown_name", 0),
        ("00000100-000001ff", "unknown_name", 0),
        ("rack_2/00000010-00000013", "unknown_name", 0),
        ("1000000000", "unknown_name", 0),
        ("10.1.0.99", "unknown_name", 0),
        ("fd00::9", "unknown_name", 0),
        ("/web.*", "bad_range", 5),
        ("db-1,shelf=3", "unknown_name", 5),
        ("all,-shelf!=3", "unknown_name", 5),
        ("web-01,stale", "unknown_name", 7),
        ("spare", "ambiguous_name", 0),
        ("db-1,lab", "ambiguous_name", 5),
        // Results.
        ("none", "empty_range", 0),
        ("-all", "empty_range", 0),
        ("rack_1@rack_2", "empty_range", 0),
        ("web-01,-web-01", "empty_range", 0),
        ("rack=rack_9", "empty_range", 0),
        ("~^DB", "empty_range", 0),
        ("~^web\\,", "empty_range", 0),
        ("stage=", "empty_range", 0),
    ];
    let room = example();
    for (text, code, position) in cases {
        let error = room.refusal(text);
        assert_eq!((error.code(), error.position()), (code, position), "{text}: {error}");
    }
}

#[test]
fn messages_repeat_the_word_and_say_what_to_do() {
    let room = example();
    let cases = [
        (
            "web-01,web-09",
            "no board, rack or group is called \"web-09\"; correct the name, or scan if it is new",
        ),
        (
            "rack_1/db-1",
            "no board, rack or group is called \"rack_1/db-1\"; correct the name, or scan if it is new",
        ),
        (
            "spare",
            "\"spare\" names several things (board 00000013 (web-04, rack_1), board 40000003 (db-3, rack_2)); write the \
             id, rack/board or rack=name of the one that is meant",
        ),
        (
            "rack_1@rack_2",
            "\"rack_1@rack_2\" selects no board; check its exclusions, intersections and comparisons",
        ),
        (
            "stale",
            "no board, rack or group is called \"db-9\"; correct the name, or scan if it is new (in the members of group \
             \"stale\")",
        ),
        (
            "egg",
            "the group \"egg\" contains itself; remove it from its own members in the configuration (in the members of \
             group \"hen\")",
        ),
        ("~(", "\"(\" is not a regular expression that is understood here: unclosed group"),
        (
            "web-[04-01]",
            "\"web-[04-01]\" counts down or changes its padding; write the smaller number first, with as many zeros",
        ),
        ("web-01]", "\"]\" stands where \"[\" before is expected; correct the node range"),
        (
            "db-[1-3,x]",
            "\"db-[1-3,x]\" has something else than numbers in its brackets; write them as in [01-40,45]",
        ),
        ("web*", "\"web*\" has a wildcard; write a regular expression behind \"~\""),
        ("shelf=3", "no board has a label \"shelf\"; correct its name"),
    ];
    for (text, message) in cases {
        assert_eq!(room.refusal(text).to_string(), message);
    }
    assert_eq!(
        room.refusal("lab").candidates(),
        ["board 00000010 (web-01, rack_1)".to_owned(), "group lab".to_owned()]
    );
    assert!(room.refusal("web-09").candidates().is_empty());
}

#[test]
fn many_candidates_are_not_all_listed() {
    let records = (1..=20).map(|id| Record {
        id,
        name: format!("n{id}"),
        rack: "r",
        aliases: vec!["localhost".to_owned()],
        ..Record::default()
    });
    let error = Room::new(records).refusal("localhost");
    assert_eq!(error.candidates().len(), 16);
    assert!(error.to_string().contains("board 00000010 (n16, r) and 4 more)"), "{error}");
}

#[test]
fn what_is_too_large_is_refused_before_it_costs_anything() {
    let nested = |depth| format!("{}web-01{}", "(".repeat(depth), ")".repeat(depth));
    let repeated = |text: &str, times| vec![text; times].join(",");
    let mut room = example();
    for level in 0..=MAX_DEPTH {
        room.add_group(&format!("g{level}"), &[0x10], Some(&format!("g{}", level + 1)));
    }
    room.add_group(&format!("g{}", MAX_DEPTH + 1), &[0x10], None);
    let large = [
        "x".repeat(MAX_CHARACTERS + 1),
        nested(MAX_DEPTH + 1),
        "n[1-65537]".to_owned(),
        "n[1-256][1-257]".to_owned(),
        "n[0-999999999999999999]".to_owned(),
        "n[1-65536],web-01".to_owned(),
        "n1-n65537".to_owned(),
        "web-01,n1-n65536".to_owned(),
        repeated("~a", MAX_PATTERNS + 1),
        repeated("rack=a", MAX_SEARCHES + 1),
        "0000[0000-1000]-40000001".to_owned(),
        "~((a{100}){100}){100}".to_owned(),
        "g0".to_owned(),
    ];
    for text in large {
        assert_eq!(room.refusal(&text).code(), "range_too_large", "{text:.40}");
    }
    assert_eq!(room.names(&nested(MAX_DEPTH)), "web-01");
    assert_eq!(room.names("g1"), "web-01");
    assert_eq!(room.names(&format!("~^({}db-1)$", "web-09.example.org|".repeat(100))), "db-1");
    assert_eq!(room.refusal("n[1-65536]").code(), "unknown_name");
    assert_eq!(room.refusal(&repeated("rack=a", MAX_SEARCHES)).code(), "empty_range");
}

#[test]
fn groups_that_name_each_other_a_thousand_times_are_evaluated_once() {
    let mut room = example();
    room.add_group("g0", &[0x10], None);
    for level in 1..MAX_DEPTH {
        let members = vec![format!("g{}", level - 1); 1000].join(",");
        room.add_group(&format!("g{level}"), &[], members.get(..members.len().min(4000) / 3 * 3 - 1));
    }
    assert_eq!(room.names(&format!("g{}", MAX_DEPTH - 1)), "web-01");
}

#[test]
fn a_name_that_looks_like_a_range_is_a_name() {
    let names = ["a1", "a2", "a3", "a1-a3", "a1:a2", "10", "20", "all", "x,y", "-b", "r/1", "dead"];
    let room = Room::new((0x20..).zip(names).map(|(id, name)| Record {
        id,
        name: name.to_owned(),
        rack: "r",
        ..Record::default()
    }));
    assert_eq!(room.names("a1-a3"), "a1-a3");
    assert_eq!(room.names("a1:a3"), "a[1-3]");
    assert_eq!(room.names("a1:a2"), "a1:a2");
    assert_eq!(room.names("r/a1-a2"), "a[1-2]");
    assert_eq!(room.names("r/1"), "r/1");
    // The board 00000020 is called a1; the one that is called 20 is another.
    assert_eq!(room.select("20").unwrap(), [BoardId(0x26)]);
    assert_eq!(room.select("00000020").unwrap(), [BoardId(0x20)]);
    assert_eq!(room.names("\"all\",\"x,y\",\"-b\""), "\"-b\",\"all\",\"x,y\"");
    assert_eq!(room.refusal("10-20").code(), "unknown_name");
}

#[test]
fn a_range_is_written_as_it_was_read() {
    let text = " rack_1 ,-( front@odd )";
    assert_eq!(text.parse::<NodeRange>().unwrap().to_string(), text);
}

#[test]
fn names_are_folded() {
    let cases: [(&[&str], &str); 14] = [
        (&[], ""),
        (&["web"], "web"),
        (&["web", "web1"], "web,web1"),
        (&["node03", "node01", "node02", "node04", "node07", "web"], "node[01-04,07],web"),
        (&["node01", "node01"], "node01"),
        (&["n8", "n9", "n10", "n11"], "n[8-11]"),
        (&["n08", "n09", "n10", "n11"], "n[08-11]"),
        (&["n1", "n01", "n2", "n02"], "n[01-02,1-2]"),
        (&["r1u1", "r1u2", "r2u1"], "r1u[1-2],r2u1"),
        (&["web-01.example.org", "web-02.example.org"], "web-[01-02].example.org"),
        (&["10.1.0.9", "10.1.0.10"], "10.1.0.[9-10]"),
        (&["00000010", "00000011"], "[00000010-00000011]"),
        (&["all", "a b1", "a b2", "say \"x\""], "\"a b1\",\"a b2\",\"all\",\"say \\\"x\\\"\""),
        (&["s1234567890123456789", "s1234567890123456790"], "s1234567890123456789,s1234567890123456790"),
    ];
    for (names, text) in cases {
        assert_eq!(fold(names.iter().copied()), text);
    }
}

#[test]
fn ten_thousand_boards_are_one_word() {
    let records = (0..10_000).map(|n| Record {
        id: 0x4000_0000 + n,
        name: format!("node{n:04}"),
        rack: if n % 2 == 0 { "even" } else { "odd" },
        kinds: vec!["power"],
        ..Record::default()
    });
    let room = Room::new(records);
    let cases = [
        ("all", "node[0000-9999]"),
        ("node[0000-9999]", "node[0000-9999]"),
        ("node0000-node9999,-node[0001-9999]", "node0000"),
        ("even/node[0000,0002],odd/node9999", "node[0000,0002,9999]"),
        ("40000000-40000009@even,-40000000", "node[0002,0004,0006,0008]"),
        ("~[05]00$@kind=power@even,-node[1000-9999]", "node[0000,0500]"),
    ];
    for (text, names) in cases {
        assert_eq!(room.names(text), names, "{text}");
    }
}
