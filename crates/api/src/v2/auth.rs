//! Who may do what: whoever asks, told to themselves, and the reason for any single decision.

use opendcre_gateway::{Considered, Explanation, Place, Question, Rights, Verb, WhyError};
use opendcre_model::{Extent, Subject};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::answer::Json;
use super::call::Call;
use super::route::{NoPath, NoQuery};
use super::schema::{NodesText, VerbWord};
use crate::entrance::LoginProvider;
use crate::problem::{Code, Problem};

/// Where clients can log in.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "LoginProviders")]
pub(super) struct ProvidersBody {
    items: Vec<LoginProvider>,
}

/// `GET /auth/providers`.
pub(super) async fn providers(call: Call, _: NoPath, _: NoQuery) -> Result<Json<ProvidersBody>, Problem> {
    Ok(Json(ProvidersBody { items: call.api.login_providers() }))
}

/// What somebody may do where.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct WhyQuery {
    /// Who: a name, or a login, its provider and a name, such as `ldap:corp/ada`. Without it, whoever asks; about others
    /// only those may ask who may configure everything.
    #[serde(default)]
    user: Option<String>,
    /// How they prove who they are, such as `ldap` or `oidc`, if `user` does not say it.
    #[serde(default)]
    login: Option<String>,
    /// The name of the provider that vouches for them, if `user` does not say it.
    #[serde(default)]
    provider: Option<String>,
    /// A group that the provider counts them among. May be given several times.
    #[serde(default)]
    groups: Vec<String>,
    /// A role that comes with what they prove it by, and holds everywhere. May be given several times. Without any, a token
    /// such as `token:backup` is looked up, and has what it was made with.
    #[serde(default)]
    roles: Vec<String>,
    /// What they want to do, `read` unless given: a verb, or an action: `scan`, `list`, `power`, `identify`, `led`, `fan`,
    /// `boot`, `power_limit`, `asset`, `clear_event_log`, `raw_ipmi` or `forget`.
    #[serde(default)]
    action: Option<String>,
    /// The boards. Without it, everywhere.
    #[serde(default)]
    #[schemars(with = "Option<NodesText>")]
    target: Option<String>,
    /// The id or name of a device of every board. Without it, everything that they hold.
    #[serde(default)]
    device: Option<String>,
}

/// Somebody.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Subject")]
struct SubjectBody {
    /// The name by which they are known.
    name: String,
    /// How they proved who they are.
    login: &'static str,
    /// Who vouches for them; null if nobody needs to.
    provider: Option<String>,
    /// The groups that the provider counts them among.
    groups: Vec<String>,
}

/// Who asks, and what they may do.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Me")]
pub(super) struct MeBody {
    #[serde(flatten)]
    subject: SubjectBody,
    /// Their roles.
    roles: Vec<String>,
    /// What they may do, verb by verb.
    verbs: Vec<RightBody>,
}

/// Where a verb is permitted.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Right")]
struct RightBody {
    #[schemars(with = "VerbWord")]
    verb: Verb,
    /// Everywhere, also on boards that are not known yet.
    everywhere: bool,
    /// On how many boards, if not everywhere.
    boards: Option<usize>,
    /// The boards with everything in them, as a node range of their names.
    nodes: Option<String>,
    /// The boards of which it is permitted on some devices only, as a node range of their names.
    in_part: Option<String>,
}

/// Why something is permitted, or not.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Explanation")]
pub(super) struct ExplanationBody {
    subject: SubjectBody,
    #[schemars(with = "VerbWord")]
    verb: Verb,
    /// Whether it is permitted on everything that was asked about.
    permitted: bool,
    /// Why, in one sentence for people.
    reason: String,
    /// The roles that were looked at: those that they have, and for those who may configure everything also the rules
    /// that are for others.
    considered: Vec<ConsideredBody>,
}

/// A role that was looked at.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Considered")]
struct ConsideredBody {
    /// The number of the rule that grants it, from 1; null if it comes with a token or from a provider, or because they
    /// present nothing.
    rule: Option<usize>,
    role: String,
    /// Where it holds; empty if everywhere.
    extent: ExtentBody,
    /// Whether it alone permits everything that was asked about.
    permits: bool,
    /// Why, in a few words for people.
    reason: String,
}

/// Where a role holds. All conditions must be fulfilled; of a list one entry is enough.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Extent")]
struct ExtentBody {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    racks: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    boards: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    devices: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    board_groups: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    labels: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nodes: Option<String>,
}

/// `GET /auth/me`.
pub(super) async fn me(call: Call, _: NoPath, _: NoQuery) -> Result<Json<MeBody>, Problem> {
    let principal = call.principal();
    let Rights { roles, verbs } = call.gateway().rights(&principal);
    let verbs = verbs.into_iter().map(RightBody::from).collect();
    Ok(Json(MeBody { subject: SubjectBody::from(&*principal.subject), roles, verbs }))
}

/// `GET /auth/why`.
pub(super) async fn why(call: Call, _: NoPath, query: WhyQuery) -> Result<Json<ExplanationBody>, Problem> {
    let WhyQuery { user, login, provider, groups, roles, action, target, device } = query;
    let action = action.unwrap_or_else(|| Verb::Read.name().to_owned());
    let question = Question { user, login, provider, groups, roles, action, target, device };
    Ok(Json(call.gateway().why(&call.principal(), &question).await?.into()))
}

impl From<WhyError> for Problem {
    fn from(error: WhyError) -> Self {
        match error {
            WhyError::Refused(error) => error.into(),
            WhyError::Target(error) => Self::from(error).in_parameter("target"),
            WhyError::UnknownAction { .. } => {
                Self::new(Code::INVALID, error.to_string()).in_parameter("action")
            }
            WhyError::UnknownLogin(_) => Self::new(Code::INVALID, error.to_string()).in_parameter("login"),
            WhyError::UnknownToken { .. } => {
                Self::new(Code::UNKNOWN_NAME, error.to_string()).in_parameter("user")
            }
            WhyError::UnknownDevice { .. } => {
                Self::new(Code::UNKNOWN_DEVICE, error.to_string()).in_parameter("device")
            }
        }
    }
}

impl From<&Subject> for SubjectBody {
    fn from(subject: &Subject) -> Self {
        let Subject { name, login, provider, groups, .. } = subject;
        Self {
            name: name.clone(),
            login: login.name(),
            provider: Some(provider.clone()).filter(|provider| !provider.is_empty()),
            groups: groups.clone(),
        }
    }
}

impl From<(Verb, Place)> for RightBody {
    fn from((verb, place): (Verb, Place)) -> Self {
        match place {
            Place::Everywhere => Self { verb, everywhere: true, boards: None, nodes: None, in_part: None },
            Place::Boards { whole, in_part, count } => Self {
                verb,
                everywhere: false,
                boards: Some(count),
                nodes: Some(whole),
                in_part: Some(in_part),
            },
        }
    }
}

impl From<Explanation> for ExplanationBody {
    fn from(explanation: Explanation) -> Self {
        let Explanation { subject, verb, is_permitted, reason, considered } = explanation;
        let considered = considered.into_iter().map(ConsideredBody::from).collect();
        Self { subject: SubjectBody::from(&*subject), verb, permitted: is_permitted, reason, considered }
    }
}

impl From<Considered> for ConsideredBody {
    fn from(considered: Considered) -> Self {
        let Considered { rule, role, extent, permits, reason } = considered;
        let Extent { racks, boards, devices, board_groups, labels, nodes } = extent;
        let extent = ExtentBody { racks, boards, devices, board_groups, labels, nodes };
        Self { rule, role, extent, permits, reason }
    }
}
