//! Orders: changes of many devices, taken up as jobs. Either every target of an order is clear, or nothing is sent to
//! anybody.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;
use opendcre_gateway::{BoardRecord, Command, IdempotencyKey, JobAction, Order};
use opendcre_model::{BootOverride, BootTarget, Capability, Device, Identify, PowerAction, Rgb, Scope};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::call::Call;
use super::job::Ordered;
use super::nodes;
use super::route::NoPath;
use super::schema::{BootTargetWord, ColorText, NodesText, PowerActionWord};
use super::span::Wait;
use crate::problem::{Code, Problem};

/// Where a client names an order, so that it is taken up once however often it is sent.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The longest such name, in bytes.
const MAX_KEY: usize = 255;

/// The most boards that a problem names.
const NAMED_BOARDS: usize = 16;

/// How long to wait for the end of a job.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(super) struct OrderQuery {
    /// How many seconds to wait for the job to end before it is answered as it is.
    #[schemars(with = "u8", range(max = 50))]
    wait: Wait<20>,
}

/// Makes the body of an order: whose devices are meant, and what belongs to this order alone.
macro_rules! order {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub(super) struct $name {
            #[schemars(with = "NodesText")]
            nodes: String,
            /// The id or name of the device, on every board. Needed only where a board has several that could be meant.
            #[serde(skip_serializing_if = "Option::is_none")]
            device: Option<String>,
            $($(#[$field_doc])* $field: $type,)*
        }

        impl $name {
            /// The devices that are meant: those with `capability`.
            fn targets(&self, call: &Call, capability: Capability) -> Result<Targets, Problem> {
                Targets::of(call, &self.nodes, self.device.as_deref(), capability)
            }
        }
    };
}

order! {
    /// Switch power.
    PowerOrder {
        #[schemars(with = "PowerActionWord")]
        action: PowerAction,
    }
}
order! {
    /// Set from where servers boot.
    BootOrder {
        #[schemars(with = "BootTargetWord")]
        target: BootTarget,
        /// Every time from now on, not only the next time.
        #[serde(default)]
        persistent: bool,
        /// In the manner of UEFI, not of a PC BIOS.
        #[serde(default)]
        efi: bool,
    }
}
order! {
    /// Switch lamps. Colour and blinking are for the lamps of chambers; what is not given stays as it is.
    LedOrder {
        /// On or off.
        #[serde(skip_serializing_if = "Option::is_none")]
        on: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<ColorText>")]
        color: Option<Rgb>,
        /// Blinking or steady.
        #[serde(skip_serializing_if = "Option::is_none")]
        blink: Option<bool>,
    }
}
order! {
    /// Make servers show which ones they are: `on` or `seconds`, one of the two.
    IdentifyOrder {
        /// Until they are told otherwise, or not any more.
        #[serde(skip_serializing_if = "Option::is_none")]
        on: Option<bool>,
        /// For so many seconds.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<u8>", range(min = 1))]
        seconds: Option<Seconds>,
    }
}
order! {
    /// Set the speed of fans.
    FanOrder {
        /// Revolutions per minute.
        #[schemars(with = "u16", range(max = 10000))]
        rpm: Rpm,
    }
}
order! {
    /// Store asset texts.
    AssetOrder {
        /// The text: ASCII.
        #[schemars(with = "String", length(min = 1, max = 127), regex(pattern = "^[ -~]*$"))]
        text: AssetText,
    }
}

/// Look for boards, and ask them what they are.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ScanOrder {
    /// The boards to ask. Without it the buses are searched, too, and everything is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<NodesText>")]
    nodes: Option<String>,
}

/// Revolutions per minute, 0 to 10000.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(try_from = "Whole")]
struct Rpm(u16);

/// How long servers show which ones they are, 1 to 255 s.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(try_from = "Whole")]
struct Seconds(u8);

/// A whole number, which JSON may also write with a fraction of zero (JSON Schema 2020-12, §6.1.1).
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(transparent)]
struct Whole(f64);

impl Whole {
    /// The number, if it is a whole one from `least` to `most`.
    fn within(self, least: u16, most: u16) -> Result<u16, String> {
        // Comparing instead of converting: nothing can be cut off.
        let mut numbers = least..=most;
        numbers
            .find(|number| f64::from(*number) == self.0)
            .ok_or_else(|| format!("{} is no whole number from {least} to {most}", self.0))
    }
}

impl TryFrom<Whole> for Seconds {
    type Error = String;

    fn try_from(number: Whole) -> Result<Self, String> {
        let seconds = number.within(1, 255)?;
        u8::try_from(seconds).map(Self).map_err(|error| error.to_string())
    }
}

/// What a device can store: 1 to 127 printable ASCII characters.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String")]
struct AssetText(String);

/// An order as the client sent it.
struct Request {
    /// Its body as it was understood.
    body: Value,
    key: Option<IdempotencyKey>,
}

/// The devices of an order, one of each board.
struct Targets(Vec<(Arc<BoardRecord>, Device)>);

/// `POST /power`.
pub(super) async fn power(
    call: Call,
    _: NoPath,
    query: OrderQuery,
    order: PowerOrder,
) -> Result<Ordered, Problem> {
    let action = JobAction::Power(order.action);
    change(&call, &query, &order, || Ok((action, order.targets(&call, Capability::PowerControl)?))).await
}

/// `POST /boot`.
pub(super) async fn boot(
    call: Call,
    _: NoPath,
    query: OrderQuery,
    order: BootOrder,
) -> Result<Ordered, Problem> {
    let BootOrder { target, persistent, efi, .. } = order;
    let action = JobAction::SetBootTarget(BootOverride { target, persistent, efi });
    change(&call, &query, &order, || Ok((action, order.targets(&call, Capability::BootTarget)?))).await
}

/// `POST /led`: lamps of boards, unless the order is for the lamps of chambers or there are only those.
pub(super) async fn led(
    call: Call,
    _: NoPath,
    query: OrderQuery,
    order: LedOrder,
) -> Result<Ordered, Problem> {
    let LedOrder { on, color, blink, .. } = order;
    let chamber = JobAction::SetChamberLed { on, color, blink };
    let lamps = || match (on, color, blink) {
        (None, None, None) => {
            Err(Problem::new(Code::INVALID, "say what the lamps shall do with on, color or blink"))
        }
        (Some(on), None, None) => match order.targets(&call, Capability::Led) {
            Ok(targets) => Ok((JobAction::SetLed { on }, targets)),
            Err(problem) => {
                let targets = order.targets(&call, Capability::ChamberLed);
                Ok((chamber, targets.map_err(|_| problem)?))
            }
        },
        _ => Ok((chamber, order.targets(&call, Capability::ChamberLed)?)),
    };
    change(&call, &query, &order, lamps).await
}

/// `POST /identify`.
pub(super) async fn identify(
    call: Call,
    _: NoPath,
    query: OrderQuery,
    order: IdentifyOrder,
) -> Result<Ordered, Problem> {
    let identify = match (order.on, order.seconds) {
        (Some(true), None) => Identify::On,
        (Some(false), None) => Identify::Off,
        (None, Some(seconds)) => Identify::Seconds(seconds.0),
        _ => return Err(Problem::new(Code::INVALID, "give either on or seconds")),
    };
    let action = JobAction::Identify(identify);
    change(&call, &query, &order, || Ok((action, order.targets(&call, Capability::Identify)?))).await
}

/// `POST /fan`.
pub(super) async fn fan(
    call: Call,
    _: NoPath,
    query: OrderQuery,
    order: FanOrder,
) -> Result<Ordered, Problem> {
    let action = JobAction::SetFanSpeed { rpm: order.rpm.0 };
    change(&call, &query, &order, || Ok((action, order.targets(&call, Capability::FanControl)?))).await
}

/// `POST /asset`.
pub(super) async fn asset(
    call: Call,
    _: NoPath,
    query: OrderQuery,
    order: AssetOrder,
) -> Result<Ordered, Problem> {
    let action = JobAction::SetAssetText(order.text.0.clone());
    change(&call, &query, &order, || Ok((action, order.targets(&call, Capability::AssetText)?))).await
}

/// `POST /scan`.
pub(super) async fn scan(
    call: Call,
    _: NoPath,
    query: OrderQuery,
    order: ScanOrder,
) -> Result<Ordered, Problem> {
    let start = Instant::now();
    let request = Request::of(&call, &order)?;
    if let Some(before) = request.replayed(&call, query.wait.0).await? {
        return Ok(before);
    }
    if order.nodes.is_none() {
        // Boards that nobody knows yet cannot be targets.
        call.gateway().execute(&call.principal(), Command::Scan(Scope::All)).await?;
    }
    let boards = nodes::select(&call, order.nodes.as_deref())?;
    let refresh = Order::refresh(boards.iter().map(|board| &**board), request.body.clone());
    // The search is a part of the time that the client is willing to wait.
    let wait = query.wait.0.saturating_sub(start.elapsed());
    request.submit(&call, wait, refresh).await
}

/// Takes up the change that `resolve` tells, with its targets, unless it was taken up before.
async fn change(
    call: &Call,
    query: &OrderQuery,
    order: &impl Serialize,
    resolve: impl FnOnce() -> Result<(JobAction, Targets), Problem>,
) -> Result<Ordered, Problem> {
    let request = Request::of(call, order)?;
    if let Some(before) = request.replayed(call, query.wait.0).await? {
        return Ok(before);
    }
    let (action, Targets(targets)) = resolve()?;
    let targets = targets.iter().map(|(board, device)| (&**board, device));
    let change = Order::change(&action, targets, request.body.clone());
    request.submit(call, query.wait.0, change).await
}

impl Request {
    fn of(call: &Call, order: &impl Serialize) -> Result<Self, Problem> {
        let body = serde_json::to_value(order).map_err(Problem::internal)?;
        let key = idempotency_key(call, &body)?;
        Ok(Self { body, key })
    }

    /// The job of the same order, if it was taken up before. Asked before anything is looked for: what the order names
    /// may have another name by now.
    async fn replayed(&self, call: &Call, wait: Duration) -> Result<Option<Ordered>, Problem> {
        let Some(key) = &self.key else { return Ok(None) };
        match call.gateway().replayed(&call.principal(), key).await? {
            Some(submitted) => Ordered::after(call, submitted, wait).await.map(Some),
            None => Ok(None),
        }
    }

    async fn submit(self, call: &Call, wait: Duration, order: Order) -> Result<Ordered, Problem> {
        let submitted = call.gateway().submit(&call.principal(), order, self.key).await?;
        Ordered::after(call, submitted, wait).await
    }
}

/// The key that the client gave, and what tells this request from another one with the same key.
fn idempotency_key(call: &Call, request: &Value) -> Result<Option<IdempotencyKey>, Problem> {
    let Some(value) = call.head.headers.get(IDEMPOTENCY_KEY) else { return Ok(None) };
    let is_key =
        |key: &&str| (1..=MAX_KEY).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
    let Some(key) = value.to_str().ok().filter(is_key) else {
        let detail = "the header Idempotency-Key takes 1 to 255 visible ASCII characters";
        return Err(Problem::new(Code::BAD_PARAMETER, detail).in_parameter(IDEMPOTENCY_KEY.as_str()));
    };
    let mut hash = Sha256::new();
    for part in [call.head.uri.path(), "\n", &request.to_string()] {
        hash.update(part.as_bytes());
    }
    Ok(Some(IdempotencyKey { key: key.to_owned(), fingerprint: hash.finalize().into() }))
}

impl Targets {
    /// The one device with `capability` of every board of `range`, or the one that is called `device`.
    fn of(call: &Call, range: &str, device: Option<&str>, capability: Capability) -> Result<Self, Problem> {
        let mut targets = Vec::new();
        let mut unclear = Vec::new();
        for board in nodes::named(call, range)? {
            match nodes::capable(&board, device, capability).cloned() {
                Ok(device) => targets.push((board, device)),
                Err(problem) => unclear.push((board, problem)),
            }
        }
        match unclear.len() {
            0 => Ok(Self(targets)),
            count => {
                let names = unclear.iter().take(NAMED_BOARDS).map(|(board, _)| board.describe()).collect();
                let (_, first) = unclear.swap_remove(0);
                Err(if count == 1 { first } else { first.of_several(count, names) })
            }
        }
    }
}

impl TryFrom<Whole> for Rpm {
    type Error = String;

    fn try_from(number: Whole) -> Result<Self, String> {
        number.within(0, 10_000).map(Self)
    }
}

impl TryFrom<String> for AssetText {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let is_printable = text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        if is_printable && (1..=127).contains(&text.len()) {
            Ok(Self(text))
        } else {
            Err("an asset text has 1 to 127 printable ASCII characters")
        }
    }
}
