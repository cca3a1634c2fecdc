//! The audit log, for auditors: page by page in the order of its numbers, each entry with the text that its hash is over.

use http::StatusCode;
use jiff::Timestamp;
use opendcre_gateway::{AuditFilter, AuditKind, AuditOrder, AuditPage, AuditQuery};
use schemars::{JsonSchema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::answer::{Answer, Documented};
use super::call::Call;
use super::limit::Limit;
use super::listing;
use super::route::NoPath;
use super::schema::{AuditEntryObject, AuditKindWord};
use crate::body::Body;
use crate::problem::Problem;
use crate::reply::{self, Reply};

/// Which entries are wanted.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(super) struct AuditParameters {
    /// The number of the entry behind which this page begins, in the order that is asked for.
    #[schemars(range(max = u64::MAX))]
    after: Option<u64>,
    /// The most entries on this page.
    #[schemars(with = "u16", range(min = 1, max = 1000))]
    limit: Limit,
    /// Which entries come first.
    order: Order,
    /// Only what somebody of this name did, or tried to.
    who: Option<String>,
    /// Only this action, such as `power_off`.
    action: Option<String>,
    /// Only what was done to the board with this id or name.
    board: Option<String>,
    /// Only entries of this kind.
    #[schemars(with = "Option<AuditKindWord>")]
    kind: Option<AuditKind>,
    /// Only what happened at this time or later.
    from: Option<Timestamp>,
    /// Only what happened before this time.
    to: Option<Timestamp>,
}

/// Which entries come first.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
enum Order {
    /// The newest.
    #[default]
    Newest,
    /// The oldest.
    Oldest,
}

/// A page of the log.
pub(super) struct Entries {
    page: AuditPage,
    /// The path of the next page.
    next: Option<String>,
}

/// `GET /audit`.
pub(super) async fn list(call: Call, _: NoPath, parameters: AuditParameters) -> Result<Entries, Problem> {
    let page = call.gateway().audit(&call.principal(), parameters.into()).await?;
    let next = page.next.map(|after| listing::next_path(&call.head.uri, &after.to_string()));
    Ok(Entries { page, next })
}

impl From<AuditParameters> for AuditQuery {
    fn from(parameters: AuditParameters) -> Self {
        let AuditParameters { after, limit, order, who, action, board, kind, from, to } = parameters;
        let order = match order {
            Order::Newest => AuditOrder::NewestFirst,
            Order::Oldest => AuditOrder::OldestFirst,
        };
        let filter = AuditFilter { who, action, board, kind, from, to };
        Self { after, limit: limit.0.into(), order, filter }
    }
}

impl Answer for Entries {
    fn document(generator: &mut SchemaGenerator) -> Vec<Documented> {
        let entry = generator.subschema_for::<AuditEntryObject>();
        let sequence = json!({ "type": "integer", "minimum": 1, "description": "The number of the entry." });
        let hash = json!({
            "type": "string", "pattern": "^[0-9a-f]{64}$",
            "description": "Its hash, over its number, its text and the hash of the entry before it.",
        });
        let schema = json_schema!({
            "type": "object",
            "properties": {
                "items": {
                    "type": "array",
                    "description": "The entries of this page. There may be fewer than `limit`, even none, although more follow.",
                    "items": {
                        "type": "object",
                        "properties": { "sequence": sequence, "hash": hash, "entry": entry },
                        "required": ["sequence", "hash", "entry"],
                    },
                },
                "next": {
                    "type": ["string", "null"],
                    "description": "The path of the next page; null on the last one.",
                },
                "head": {
                    "type": ["object", "null"],
                    "description": "The newest entry of all; null if there is none. Whoever keeps it can tell later \
                        whether the log was cut off or rewritten.",
                    "properties": { "sequence": sequence, "hash": hash },
                    "required": ["sequence", "hash"],
                },
            },
            "required": ["items", "next", "head"],
        });
        vec![Documented::json(StatusCode::OK, "A page of the audit log.", schema)]
    }

    fn into_reply(self) -> Result<Reply, Problem> {
        let AuditPage { entries, head, .. } = self.page;
        let head = head.map(|head| json!({ "sequence": head.sequence, "hash": head.hash.to_string() }));
        let end = format!("],\"next\":{},\"head\":{}}}", json!(self.next), json!(head));
        let texts = entries.into_iter().map(|entry| entry.to_json().into_bytes());
        let mut reply = reply::json_body(StatusCode::OK, Body::default());
        *reply.body_mut() = listing::pieces(b"{\"items\":[".to_vec(), texts, end);
        Ok(reply)
    }
}
