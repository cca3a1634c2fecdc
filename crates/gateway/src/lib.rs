//! The application: the one door through which every command to equipment passes.
//!
//! [`Gateway::execute`] asks the [`Policy`] whether somebody may give a command, finds the driver that holds the board,
//! records the intent of a change on disk, lets the driver do it, and records the outcome. Whoever asks – HTTP today,
//! schedules and other protocols later – asks here. It also knows what there is, and shows in a [`View`] as much of it as
//! somebody may see: the inventory of all boards, the latest values, node ranges that select among them, and orders for
//! many of them as jobs. This crate knows neither HTTP nor any protocol of the equipment.

mod audit;
mod authorise;
mod command;
mod credential;
mod delivery;
mod error;
mod event;
mod forget;
mod gateway;
mod gauge;
mod glob;
mod hash;
mod health;
mod history;
mod inspection;
mod intake;
mod inventory;
mod job;
mod journal;
mod latest;
mod look;
mod mount;
mod noderange;
mod order;
mod policy;
mod poll;
mod principal;
mod readiness;
mod reading;
mod records;
mod resolve;
mod settings;
mod sqlite;
mod store;
mod telemetry;
#[cfg(test)]
mod testing;
mod view;

pub use audit::{
    AuditEntry, AuditError, AuditFile, AuditFilter, AuditFinding, AuditHash, AuditHead, AuditHeadError,
    AuditKind, AuditLog, AuditOrder, AuditPage, AuditQuery, AuditRecord, AuditTarget, AuditVerdict, AuditWho,
};
pub use authorise::{RefusedLogin, RefusedRequest};
pub use command::{Command, Outcome, ScanReport};
pub use credential::{CredentialError, Credentials};
pub use delivery::DeliveryStatistics;
pub use error::GatewayError;
pub use event::{
    Event, EventError, EventKind, EventLog, EventPage, EventSettings, EventStatistics, NewEvent, Severity,
};
pub use gateway::Gateway;
pub use gauge::{
    Gauge, GaugePoint, GaugeValue, Gauges, Label, LabelValue, Measured, UNIT, board_labels, device_labels,
};
pub use glob::Glob;
pub use health::{Condition, RollUp, Side, Threshold, ThresholdError, Thresholds};
pub use history::{
    History, HistoryError, HistoryQuery, HistorySettings, HistoryStatistics, Point, Sample, SeriesKey, Track,
    chunk as history_chunk,
};
pub use inventory::{
    BoardFailure, BoardRecord, BoardState, ChangeKind, Changes, Group, InventoryChange, LookupError,
};
pub use job::{
    IdempotencyKey, JobAction, JobCounts, JobId, JobIdError, JobKind, JobRecord, JobState, Order, StoredJob,
    SubmitError, Submitted, TargetResult, TargetState, result,
};
pub use latest::Latest;
pub use mount::{Annotation, Equipment, Mount};
pub use noderange::{Directory, Found, NodeRange, RangeError, fold};
pub use policy::{
    Considered, Explanation, GrantDefect, Place, Policy, PolicyError, PolicySettings, Question, Rights, Role,
    RoleDefect, Rule, Verb, WhyError,
};
pub use poll::{Answering, PollRule, PollSettings, PollState, PollStatistics, PollStatus};
pub use principal::Principal;
pub use readiness::{Defect, Mode, Part, Readiness};
pub use records::Records;
pub use settings::Settings;
pub use sqlite::SetAside;
pub use store::{Store, StoreError, Stored};
pub use telemetry::{EventFilter, Known};
pub use view::{GroupMembers, View};
