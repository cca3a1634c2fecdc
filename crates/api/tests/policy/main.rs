//! Who gets which answer: every route of every API, asked by every role, about what is within their reach and what is
//! not, compared with `table.txt`. A route that is not in the table fails the test.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

mod auth;
mod room;
mod route;
mod table;

use std::collections::HashSet;

use http::Method;

use room::{Asked, Room};
use table::{Row, Table};

#[tokio::test]
async fn every_role_gets_what_the_table_says() {
    let table = Table::read();
    let mut wrong = Vec::new();
    for (column, role) in table::ROLES.iter().enumerate() {
        let room = Room::of(*role).await;
        for row in &table.rows {
            for (asked, expected) in
                [(Asked::Within, row.within[column]), (Asked::Outside, row.outside[column])]
            {
                for method in &row.methods {
                    let status = room.status(method, row, asked).await;
                    if status != expected {
                        wrong.push(format!(
                            "{method} {} {asked:?} as {role:?}: {status}, not {expected}",
                            row.path
                        ));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} answers are not those of the table:\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test]
async fn what_is_refused_reaches_no_equipment() {
    let table = Table::read();
    for (column, role) in table::ROLES.iter().enumerate() {
        let room = Room::of(*role).await;
        for row in table.rows.iter().filter(|row| row.verb == "control" || row.verb == "configure") {
            room.forget_calls();
            for method in &row.methods {
                room.status(method, row, Asked::Outside).await;
                if row.within[column] == 403 {
                    room.status(method, row, Asked::Within).await;
                }
            }
            assert_eq!(room.calls(), 0, "{} as {role:?}", row.path);
        }
    }
}

#[tokio::test]
async fn to_look_whether_something_could_be_done_is_refused_like_doing_it() {
    let room = Room::of(Some("viewer")).await;
    let table = Table::read();
    let is_checked = |row: &&Row| row.within[0] == 403 && row.path.contains("/1.");
    for row in table.rows.iter().filter(is_checked) {
        room.forget_calls();
        assert_eq!(room.status(&Method::HEAD, row, Asked::Within).await, 403, "{}", row.path);
        assert_eq!(room.status(&Method::HEAD, row, Asked::Outside).await, 500, "{}", row.path);
        assert_eq!(room.calls(), 0);
    }
}

#[tokio::test]
async fn every_route_is_in_the_table() {
    let table = Table::read();
    let routes = route::all(&Room::of(Some("admin")).await).await;
    assert!(routes.len() > 80, "the routes are found: {}", routes.len());
    let missing: Vec<_> =
        routes.iter().filter(|route| !table.rows.iter().any(|row| route.is_in(row))).collect();
    assert!(missing.is_empty(), "add these routes to table.txt: {missing:#?}");
    let is_route = |row: &&Row| !routes.iter().any(|route| route.is_in(row));
    let stale: Vec<_> = table.rows.iter().filter(is_route).map(|row| &row.path).collect();
    assert!(stale.is_empty(), "these are no routes: {stale:#?}");
}

#[tokio::test]
async fn every_method_is_in_the_table() {
    let (table, room) = (Table::read(), Room::of(Some("admin")).await);
    for row in &table.rows {
        let of_path = table.rows.iter().filter(|other| other.path == row.path);
        let listed: HashSet<&Method> = of_path.flat_map(|row| &row.methods).collect();
        // HEAD is tried where GET is, and OPTIONS tells nothing of equipment.
        let is_own = |method: &&Method| !matches!(**method, Method::HEAD | Method::OPTIONS);
        let allowed = room.allowed(row).await;
        assert_eq!(allowed.iter().filter(is_own).collect::<HashSet<_>>(), listed, "{}", row.path);
    }
}
