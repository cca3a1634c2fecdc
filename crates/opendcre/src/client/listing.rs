//! Listings of what is not a board: racks, groups, sources.

use jiff::Timestamp;

use crate::cli::GroupsArgs;
use crate::exit::Exit;

use super::http::{Http, Request};
use super::{Answer, ClientError, Console};

/// `racks`: the racks, and how many of their boards are there.
pub(super) async fn racks(http: &Http, console: &mut Console<'_>) -> Result<Exit, ClientError> {
    let columns = [
        ("RACK", "id"),
        ("BOARDS", "boards"),
        ("PRESENT", "present"),
        ("MISSING", "missing"),
        ("UNKNOWN", "unknown"),
    ];
    list(http, "racks", &columns, console).await
}

/// `groups`: the groups, or the boards that are in one now.
pub(super) async fn groups(
    http: &Http,
    args: &GroupsArgs,
    console: &mut Console<'_>,
) -> Result<Exit, ClientError> {
    match &args.group {
        Some(group) => console.fields(&http.send(&Request::get(&["groups", group])).await?)?,
        None => {
            let columns = [("GROUP", "name"), ("MEMBERS", "members"), ("FAILURE", "failure")];
            return list(http, "groups", &columns, console).await;
        }
    }
    Ok(Exit::Done)
}

/// `sources`: where boards come from, and whether that works.
pub(super) async fn sources(http: &Http, console: &mut Console<'_>) -> Result<Exit, ClientError> {
    let columns = [
        ("SOURCE", "name"),
        ("STATE", "state"),
        ("BOARDS", "boards"),
        ("RACKS", "racks"),
        ("CODE", "code"),
        ("MESSAGE", "message"),
    ];
    list(http, "sources", &columns, console).await
}

/// Prints the whole of a listing. A column has a header and shows a member of each item.
pub(super) async fn list(
    http: &Http,
    path: &str,
    columns: &[(&str, &str)],
    console: &mut Console<'_>,
) -> Result<Exit, ClientError> {
    let request = Request::get(&[path]).with("limit", 0);
    if console.is_for_programs() {
        http.each(&request, |_, item| console.json(&item)).await?;
        return Ok(Exit::Done);
    }
    let mut rows = Vec::new();
    let add = |_: &str, item: Answer| {
        rows.push(columns.iter().map(|(_, member)| cell(&item, member)).collect());
        Ok(())
    };
    http.each(&request, add).await?;
    let header: Vec<&str> = columns.iter().map(|(header, _)| *header).collect();
    console.rows(&header, rows)?;
    Ok(Exit::Done)
}

/// A member of an item, times without fractions of a second.
fn cell(item: &Answer, member: &str) -> String {
    let text = item.text(member);
    text.parse().map_or(text, |time: Timestamp| format!("{time:.0}"))
}
