//! Schemas of what the vocabulary writes as text: identifiers and words. The vocabulary itself knows no schemas.

use std::borrow::Cow;

use opendcre_gateway::{AuditKind, EventKind, PollState, Verb};
use opendcre_model::{Capability, DeviceKind, PowerAction};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::Value;

use super::route::WriteSchema;

/// Where schemas stand in the OpenAPI document.
const DEFINITIONS: &str = "/components/schemas";

/// Writes schemas of what is answered.
pub(super) fn of_answers() -> SchemaGenerator {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    settings.with(|settings| settings.definitions_path = DEFINITIONS.into()).into_generator()
}

/// Writes schemas of what is asked.
pub(super) fn of_requests() -> SchemaGenerator {
    let settings = SchemaSettings::draft2020_12().for_deserialize();
    settings.with(|settings| settings.definitions_path = DEFINITIONS.into()).into_generator()
}

/// The names of the members of an object.
pub(super) fn members(object: WriteSchema) -> Vec<String> {
    let schema = object(&mut of_answers());
    let properties = schema.get("properties").and_then(Value::as_object);
    properties.into_iter().flat_map(|properties| properties.keys().cloned()).collect()
}

/// Names a schema for a text; its values are never made.
macro_rules! text {
    ($(#[$doc:meta])* $marker:ident, $name:literal, $schema:expr) => {
        $(#[$doc])*
        pub(super) enum $marker {}

        impl JsonSchema for $marker {
            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                $schema
            }
        }
    };
}

text!(
    /// The id of a board.
    BoardIdText, "BoardId",
    json_schema!({
        "type": "string", "pattern": "^[0-9a-f]{8}$",
        "description": "The id of a board: eight hexadecimal digits. It stays with the board, wherever it moves.",
        "examples": ["00000011", "40000001"],
    })
);
text!(
    /// The id of a device.
    DeviceIdText, "DeviceId",
    json_schema!({
        "type": "string", "pattern": "^[0-9a-f]{4}$",
        "description": "The id of a device on its board: four hexadecimal digits.",
        "examples": ["0100", "01ff"],
    })
);
text!(
    /// The id of a job.
    JobIdText, "JobId",
    json_schema!({
        "type": "string", "pattern": "^[0-9a-f]{16}$",
        "description": "The id of a job: sixteen hexadecimal digits. Later jobs have greater ids.",
    })
);
text!(
    /// A label.
    LabelText, "Label",
    json_schema!({ "type": "string", "pattern": "^[^=]+=.*$", "examples": ["owner=web"] })
);
text!(
    /// A node range.
    NodesText, "NodeRange",
    json_schema!({
        "type": "string", "maxLength": 65536,
        "description": "A node range: boards by id, name, host name, IP address, rack, group or label, such as \
            `web[01-40,45]`, `@db,-db-03`, `rack_1/00000011`, `~^web` or `owner=web`. `all` stands for every board.",
        "examples": ["all", "web[01-40,45],-web07"],
    })
);
text!(
    /// How old a value may be.
    MaxAgeText, "Duration",
    json_schema!({
        "type": "string", "pattern": "^[0-9]{1,9}(ms|s|m|h|d)?$",
        "description": "A time: a whole number with `ms`, `s`, `m`, `h` or `d`; seconds if there is no unit.",
        "examples": ["500ms", "5s", "10m"],
    })
);
text!(
    /// A colour of light.
    ColorText, "Color",
    json_schema!({
        "type": "string", "pattern": "^[0-9a-fA-F]{6}$",
        "description": "Red, green, blue: six hexadecimal digits.", "examples": ["ff8800"],
    })
);
text!(
    /// A kind of device.
    KindWord, "DeviceKind",
    words("What a device is.", DeviceKind::ALL.iter().map(|kind| kind.name()))
);
text!(
    /// What can be asked of a device.
    CapabilityWord, "Capability",
    json_schema!({
        "type": "string", "enum": Capability::ALL, "description": "Something that can be asked of a device.",
    })
);
text!(
    /// A change of power.
    PowerActionWord, "PowerAction",
    words("What to do with power.", PowerAction::ALL.iter().map(|action| action.name()))
);
text!(
    /// From where a server boots.
    BootTargetWord, "BootTarget",
    words(
        "From where a server boots; `no_override` is as its firmware decides.",
        [
            "no_override", "pxe", "disk", "disk_safe_mode", "diagnostic", "optical", "setup",
            "remote_removable", "remote_optical", "remote_disk", "removable",
        ].into_iter()
    )
);
text!(
    /// Whether a board is there.
    BoardStateWord, "BoardState",
    words(
        "`present`: it answered when it was looked for; `missing`: it did not, but has before; `unknown`: it is \
         configured and has never answered.",
        ["unknown", "present", "missing"].into_iter()
    )
);
text!(
    /// What a value means.
    HealthWord, "Health",
    words(
        "What a value means for the equipment, as far as its thresholds say.",
        ["ok", "warning", "critical", "failed"].into_iter()
    )
);
text!(
    /// How a board is.
    ConditionWord, "Condition",
    words(
        "How a board is, or several together: the health of the worst device; `missing` if it does not answer, which is \
         worse than any health; `unknown` if nothing has been read yet.",
        ["unknown", "ok", "warning", "critical", "failed", "missing"].into_iter()
    )
);
text!(
    /// How far a value can be trusted.
    QualityWord, "Quality",
    words(
        "How far a value can be trusted. `out_of_range`: the device answered with something that its sensor cannot \
         measure; `unavailable`: there is no value now, usually because the server is off.",
        ["good", "out_of_range", "unavailable"].into_iter()
    )
);
text!(
    /// Whether power is on.
    PowerStateWord, "PowerState",
    words("Whether the output is on.", ["on", "off"].into_iter())
);
text!(
    /// What happened to a board.
    ChangeKindWord, "ChangeKind",
    words(
        "What happened to a board: it was seen for the first time, does not answer any more, answers again, is reached \
         in another place, is different now, is not in the configuration any more, or was missing and somebody had it \
         forgotten.",
        ["appeared", "vanished", "returned", "moved", "changed", "removed", "forgotten"].into_iter()
    )
);
text!(
    /// Between front and rear.
    DepthWord, "Depth",
    words("Between front and rear.", ["front", "middle", "rear", "unknown"].into_iter())
);
text!(
    /// Between left and right.
    HorizontalWord, "Horizontal",
    words("Between left and right.", ["left", "middle", "right", "unknown"].into_iter())
);
text!(
    /// Between top and bottom.
    VerticalWord, "Vertical",
    words("Between top and bottom.", ["top", "middle", "bottom", "unknown"].into_iter())
);
text!(
    /// What a job does.
    JobKindWord, "JobKind",
    words(
        "What a job does; `scan` asks boards what they are and hold.",
        ["power", "boot", "led", "identify", "fan", "asset", "scan"].into_iter()
    )
);
text!(
    /// How far a job is.
    JobStateWord, "JobState",
    words(
        "`running`: targets wait or run; `done`: every target was attended to, whether it succeeded or failed; \
         `aborted`: somebody aborted it, and targets were skipped; `interrupted`: the service stopped while it ran.",
        ["running", "done", "aborted", "interrupted"].into_iter()
    )
);
text!(
    /// How far a job is at one target.
    TargetStateWord, "TargetState",
    words(
        "`waiting`: nothing was sent yet; `running`: it is being carried out; `ok`: it was carried out; `failed`: it was \
         not; `uncertain`: it may have been, so read the state back; `skipped`: nothing was sent, because the job ended \
         before its turn.",
        ["waiting", "running", "ok", "failed", "uncertain", "skipped"].into_iter()
    )
);
text!(
    /// A key of idempotency.
    IdempotencyKeyText, "IdempotencyKey",
    json_schema!({ "type": "string", "pattern": "^[!-~]{1,255}$" })
);
text!(
    /// What somebody may do.
    VerbWord, "Verb",
    words(
        "`read`: look at boards and ask them; `control`: switch power, lamps, fans, boot targets and power limits; \
         `configure`: change what stays; `audit`: look at the audit log.",
        Verb::ALL.into_iter().map(Verb::name)
    )
);
text!(
    /// Whether a BMC answers.
    LinkStateWord, "LinkState",
    words(
        "`up`: it answered last time; `down`: it did not, or did not let us in; `unknown`: nobody has asked it yet.",
        ["unknown", "up", "down"].into_iter()
    )
);

text!(
    /// What an entry of the audit log is about.
    AuditKindWord, "AuditKind",
    json_schema!({
        "type": "string", "enum": AuditKind::ALL,
        "description": "What an entry of the audit log is about. `intent`: a change is about to be sent; `outcome`: \
            what came of it; `refused`: somebody may not do what they asked for; `login_refused`: somebody did not prove \
            who they are; `more_refused`: more was refused than is recorded one by one; `started`, `stopped`: the \
            service; `created`, `resumed`: the log was begun, or can be written again.",
    })
);
text!(
    /// An entry of the audit log.
    AuditEntryObject, "AuditEntry",
    json_schema!({
        "type": ["object", "string"],
        "description": "What an entry says, as the text that its hash is over. What is empty is left out. A string if \
            somebody has changed the entry so that it is no JSON any more.",
        "properties": {
            "kind": { "type": "string", "description": "What it is about, such as `intent` or `login_refused`." },
            "time": { "type": "string", "format": "date-time", "description": "When it happened, the first time." },
            "until": {
                "type": "string", "format": "date-time",
                "description": "When it happened last, if it stands for several.",
            },
            "count": { "type": "integer", "description": "How often it happened, if it stands for several." },
            "id": { "type": "string", "description": "What the intent and the outcome of a change have in common." },
            "who": {
                "type": "object", "description": "Who did it, or claimed to be whom.",
                "properties": {
                    "name": { "type": "string" },
                    "login": { "type": "string", "description": "How they proved it, or tried to." },
                    "provider": { "type": "string", "description": "Who vouches for them." },
                },
                "required": ["name", "login"],
            },
            "remote": { "type": "string", "description": "Where the request came from." },
            "request_id": { "type": "string", "description": "The id of the request." },
            "action": { "type": "string", "description": "What was to be done, such as `power_off`." },
            "target": {
                "type": "object", "description": "What it was to be done to.",
                "properties": {
                    "board": { "type": "string" },
                    "device": { "type": "string" },
                    "name": { "type": "string", "description": "What the board was called." },
                    "rack": { "type": "string" },
                },
                "required": ["board"],
            },
            "driver": { "type": "string", "description": "The driver that was to do it." },
            "identity": { "type": "string", "description": "The machine that was meant." },
            "text": { "type": "string", "description": "The text that the action stores." },
            "parameters": { "type": "string", "description": "What else the action says." },
            "code": { "type": "string", "description": "What came of it, for programs; `ok` if it was done." },
            "message": { "type": "string", "description": "What came of it, for people." },
        },
    })
);

text!(
    /// A moment.
    MomentText, "Moment",
    json_schema!({
        "type": "string",
        "anyOf": [{ "format": "date-time" }, { "pattern": "^(now|-[0-9]{1,9}(ms|s|m|h|d)?)$" }],
        "description": "A moment: a time as in RFC 3339, `now`, or how long ago it was, such as `-24h`, `-30m` or `-7d`.",
        "examples": ["2026-11-01T12:00:00Z", "-24h", "now"],
    })
);
text!(
    /// A step.
    StepText, "Step",
    json_schema!({
        "type": "string", "pattern": "^(raw|[0-9]{1,9}(ms|s|m|h|d)?)$",
        "description": "The time of one point: a whole number with `ms`, `s`, `m`, `h` or `d`, or `raw` for every sample.",
        "examples": ["30s", "5m", "1h", "raw"],
    })
);
text!(
    /// How the polling of a board goes.
    PollStateWord, "PollState",
    words(
        "`waiting`: its values are known, and are read again when they are due; `running`: it is being asked; `pending`: \
         it has not been asked yet; `partial`: some values were not told; `late`: it is due, and others go before it on \
         the same wire; `failing`: it does not answer.",
        PollState::ALL.into_iter().map(PollState::name)
    )
);
text!(
    /// Kinds of events.
    EventKindsText, "EventKinds",
    json_schema!({
        "type": "string", "pattern": some_of(EventKind::ALL.iter().map(|kind| kind.name())),
        "description": "Kinds of events, separated by commas.",
        "examples": ["health_changed", "board_missing,board_returned"],
    })
);
text!(
    /// A kind of event.
    EventKindWord, "EventKind",
    words("What kind of thing happened.", EventKind::ALL.iter().map(|kind| kind.name()))
);
text!(
    /// How much an event matters.
    SeverityWord, "Severity",
    words(
        "How much an event matters: `info` is good to know, after a `warning` somebody should look, after something \
         `critical` at once.",
        ["info", "warning", "critical"].into_iter()
    )
);

/// The pattern of a list of words, separated by commas.
fn some_of(words: impl Iterator<Item = &'static str>) -> String {
    let word = words.collect::<Vec<_>>().join("|");
    format!("^({word})(,({word}))*$")
}

fn words(description: &str, words: impl Iterator<Item = &'static str>) -> Schema {
    json_schema!({ "type": "string", "enum": words.collect::<Vec<_>>(), "description": description })
}
