//! Who may do what, as the client tells it.

use super::*;

const ME: &str = r#"{"name":"ada","login":"ldap","provider":"corp","groups":["dc-staff","night"],"roles":["operator","viewer"],
    "verbs":[
    {"verb":"read","everywhere":true,"boards":null,"nodes":null,"in_part":null},
    {"verb":"control","everywhere":false,"boards":5,"nodes":"db-[01-04]","in_part":"web-01"},
    {"verb":"configure","everywhere":false,"boards":0,"nodes":"","in_part":""}]}"#;
const REFUSED: &str = r#"{"subject":{"name":"ada","login":"ldap","provider":"corp","groups":[]},"verb":"control",
    "permitted":false,"reason":"none of their roles permits all of it","considered":[
    {"rule":null,"role":"viewer","extent":{},"permits":false,"reason":"viewer does not include control"},
    {"rule":2,"role":"operator","extent":{"racks":["rack_1"]},"permits":false,"reason":"0 of 1 boards are within its limits"}]}"#;
const PERMITTED: &str = r#"{"subject":{"name":"ada","login":"ldap","provider":"corp","groups":[]},"verb":"read",
    "permitted":true,"reason":"rule 1, which grants viewer, permits it","considered":[]}"#;

fn ask(answer: &'static str, args: &[&str]) -> (Vec<String>, Run) {
    let server = Server::start(&[("200 OK", answer)]);
    let run = run(&[args, &["--server", &server.address]].concat());
    (server.lines(), run)
}

#[test]
fn who_one_is_and_what_one_may_do() {
    let (lines, run) = ask(ME, &["auth", "me"]);
    assert_eq!(lines, ["GET /opendcre/2/auth/me"]);
    assert_eq!((run.exit, run.err.as_str()), (0, ""));
    insta::assert_snapshot!(run.out, @"
    NAME      ada
    LOGIN     ldap
    PROVIDER  corp
    GROUPS    dc-staff, night
    ROLES     operator, viewer
    VERB       WHERE       IN_PART
    read       everywhere  -
    control    db-[01-04]  web-01
    configure  -           -
    ");
    assert_eq!(ask(ME, &["-o", "json", "auth", "me"]).1.out.lines().count(), 1);
}

#[test]
fn a_refusal_is_told_with_every_role_that_was_looked_at() {
    let (lines, run) =
        ask(REFUSED, &["auth", "why", "ldap:corp/ada", "power", "db-01", "--group", "a b", "--group", "c"]);
    assert_eq!(
        lines,
        ["GET /opendcre/2/auth/why?user=ldap%3Acorp%2Fada&action=power&target=db-01&groups=a%20b&groups=c"]
    );
    assert_eq!((run.exit, run.err.as_str()), (1, ""));
    insta::assert_snapshot!(run.out, @"
    refused: none of their roles permits all of it
    RULE  ROLE      PERMITS  BECAUSE
    -     viewer    no       viewer does not include control
    2     operator  no       0 of 1 boards are within its limits
    ");
}

#[test]
fn what_is_permitted_ends_well() {
    let (lines, run) = ask(PERMITTED, &["auth", "why", "ada", "read", "--device", "0100"]);
    assert_eq!(lines, ["GET /opendcre/2/auth/why?user=ada&action=read&device=0100"]);
    assert_eq!((run.exit, run.out.as_str()), (0, "permitted: rule 1, which grants viewer, permits it\n"));
}
