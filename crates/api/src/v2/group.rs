//! Groups and labels: what owners call boards together.

use std::collections::{BTreeMap, BTreeSet};

use opendcre_gateway::{GroupMembers, View};
use opendcre_model::BoardId;
use schemars::JsonSchema;
use serde::Serialize;

use super::answer::{One, Show};
use super::call::Call;
use super::listing::{Item, Key};
use super::route::{GroupPath, NoPath, NoQuery};
use super::schema::BoardIdText;
use crate::problem::{Code, Problem};

/// A group of boards.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Group")]
pub(super) struct GroupBody<'a> {
    name: &'a str,
    /// Its members as the configuration names them, a node range; null for a group that only boards name, and for whoever
    /// may not read every board.
    members: Option<&'a str>,
    /// The boards in it now.
    #[schemars(with = "Vec<BoardIdText>")]
    boards: &'a BTreeSet<BoardId>,
    /// What is wrong with its members; null if nothing is.
    failure: Option<&'a str>,
}

/// A label that some boards have.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "LabelUse")]
pub(super) struct LabelBody<'a> {
    key: &'a str,
    value: &'a str,
    /// How many boards have it.
    boards: u32,
}

/// A group of a listing.
pub(super) struct GroupItem {
    name: String,
    members: Option<String>,
    boards: BTreeSet<BoardId>,
    failure: Option<String>,
}

/// A label of a listing.
pub(super) struct LabelItem {
    key: String,
    value: String,
    boards: u32,
}

/// `GET /groups`.
pub(super) async fn list(call: Call, _: NoPath, _: NoQuery) -> Result<Vec<GroupItem>, Problem> {
    Ok(all(&call.view()?))
}

/// `GET /groups/{group}`.
pub(super) async fn get(call: Call, path: GroupPath, _: NoQuery) -> Result<One<GroupItem>, Problem> {
    let named = all(&call.view()?).into_iter().find(|group| group.name == path.group);
    named.map(One).ok_or_else(|| {
        let name = opendcre_model::excerpt(&path.group);
        let detail = format!("there is no group {name:?}; GET /opendcre/2/groups shows what there is");
        Problem::new(Code::UNKNOWN_GROUP, detail)
    })
}

/// `GET /labels`.
pub(super) async fn labels(call: Call, _: NoPath, _: NoQuery) -> Result<Vec<LabelItem>, Problem> {
    let mut uses: BTreeMap<(String, String), u32> = BTreeMap::new();
    for board in call.view()?.boards() {
        for (key, value) in &board.labels {
            *uses.entry((key.clone(), value.clone())).or_default() += 1;
        }
    }
    Ok(uses.into_iter().map(|((key, value), boards)| LabelItem { key, value, boards }).collect())
}

/// Every group by its name: those of the configuration, and those that boards say they are in.
fn all(view: &View) -> Vec<GroupItem> {
    let item = |GroupMembers { name, range, boards, failure }| GroupItem {
        name,
        members: range,
        boards: boards.into_iter().collect(),
        failure: failure.map(|error| error.to_string()),
    };
    view.groups().into_iter().map(item).collect()
}

impl Show for GroupItem {
    type Body<'a> = GroupBody<'a>;

    fn body(&self) -> GroupBody<'_> {
        GroupBody {
            name: &self.name,
            members: self.members.as_deref(),
            boards: &self.boards,
            failure: self.failure.as_deref(),
        }
    }
}

impl Item for GroupItem {
    const SORT: &'static [&'static str] = &["name"];

    fn key(&self, _: &str) -> Key {
        self.id()
    }

    fn id(&self) -> Key {
        self.name.as_str().into()
    }
}

impl Show for LabelItem {
    type Body<'a> = LabelBody<'a>;

    fn body(&self) -> LabelBody<'_> {
        LabelBody { key: &self.key, value: &self.value, boards: self.boards }
    }
}

impl Item for LabelItem {
    const SORT: &'static [&'static str] = &["key", "value", "boards"];

    fn key(&self, field: &str) -> Key {
        match field {
            "key" => self.key.as_str().into(),
            "value" => self.value.as_str().into(),
            _ => Key::Number(self.boards.into()),
        }
    }

    fn id(&self) -> Key {
        // Keys have no equals sign in them.
        Key::Text(format!("{}={}", self.key, self.value))
    }
}
