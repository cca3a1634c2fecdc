//! Who may do what: whoever asks, and the reason for single decisions.

use serde::Deserialize;

use crate::cli::WhyArgs;
use crate::exit::Exit;

use super::board::dash;
use super::http::{Http, Request};
use super::{Answer, ClientError, Console};

/// Where a verb is permitted, as it is shown.
#[derive(Deserialize)]
struct Right {
    verb: String,
    everywhere: bool,
    nodes: Option<String>,
    in_part: Option<String>,
}

/// A role that was looked at, as it is shown.
#[derive(Deserialize)]
struct Considered {
    rule: Option<usize>,
    role: String,
    permits: bool,
    reason: String,
}

/// `auth me`: who the server takes this client for, and what it may do.
pub(super) async fn me(http: &Http, console: &mut Console<'_>) -> Result<Exit, ClientError> {
    let answer = http.send(&Request::get(&["auth", "me"])).await?;
    if console.is_for_programs() {
        console.json(&answer)?;
        return Ok(Exit::Done);
    }
    let roles: Vec<String> = answer.member("roles")?;
    let groups: Vec<String> = answer.member("groups")?;
    let rights: Vec<Right> = answer.member("verbs")?;
    let fields = [
        ("NAME", answer.text("name")),
        ("LOGIN", answer.text("login")),
        ("PROVIDER", answer.text("provider")),
        ("GROUPS", joined(&groups)),
        ("ROLES", joined(&roles)),
    ];
    for (name, value) in fields {
        console.line(&format!("{name:<10}{value}"))?;
    }
    console.rows(&["VERB", "WHERE", "IN_PART"], rights.into_iter().map(Right::into_row))?;
    Ok(Exit::Done)
}

/// `auth why`: whether somebody may do something, and which role permits it.
pub(super) async fn why(http: &Http, args: &WhyArgs, console: &mut Console<'_>) -> Result<Exit, ClientError> {
    let request = Request::get(&["auth", "why"]).with("user", &args.user).with("action", &args.action);
    let request = request.with_optional("target", args.target.as_ref());
    let request = request.with_optional("device", args.device.as_ref());
    let request = args.groups.iter().fold(request, |request, group| request.with("groups", group));
    let request = args.roles.iter().fold(request, |request, role| request.with("roles", role));
    let answer = http.send(&request).await?;
    let is_permitted: bool = answer.member("permitted")?;
    if console.is_for_programs() {
        console.json(&answer)?;
    } else {
        console.line(&verdict(&answer, is_permitted))?;
        let considered: Vec<Considered> = answer.member("considered")?;
        if !considered.is_empty() {
            let rows = considered.into_iter().map(Considered::into_row);
            console.rows(&["RULE", "ROLE", "PERMITS", "BECAUSE"], rows)?;
        }
    }
    Ok(if is_permitted { Exit::Done } else { Exit::Failed })
}

fn verdict(answer: &Answer, is_permitted: bool) -> String {
    let word = if is_permitted { "permitted" } else { "refused" };
    format!("{word}: {}", answer.text("reason"))
}

impl Right {
    fn into_row(self) -> Vec<String> {
        let named = |nodes: Option<String>| nodes.filter(|nodes| !nodes.is_empty()).unwrap_or_else(dash);
        let place = if self.everywhere { "everywhere".to_owned() } else { named(self.nodes) };
        vec![self.verb, place, named(self.in_part)]
    }
}

impl Considered {
    fn into_row(self) -> Vec<String> {
        let rule = self.rule.map_or_else(dash, |number| number.to_string());
        let permits = if self.permits { "yes" } else { "no" };
        vec![rule, self.role, permits.to_owned(), self.reason]
    }
}

fn joined(names: &[String]) -> String {
    if names.is_empty() { dash() } else { names.join(", ") }
}
