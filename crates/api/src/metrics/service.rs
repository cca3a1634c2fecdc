//! The service itself: what it is, how it is doing, and what it counted.

use std::collections::BTreeMap;

use opendcre_gateway::{
    BoardState, EventStatistics, Gateway, HistoryStatistics, PollStatistics, Readiness, View,
};

use super::page::Table;
use super::text::{Family, Kind, Text, Value};
use crate::api::Api;

/// The quantiles of ages that are told.
const QUANTILES: [(&str, usize); 4] = [("0.5", 50), ("0.9", 90), ("0.99", 99), ("1", 100)];

/// Everything that is told of the service, as it was at one moment but for what the API counts itself.
pub(super) struct Service {
    api: Api,
    readiness: Readiness,
    boards: BTreeMap<&'static str, u64>,
    polls: PollStatistics,
    history: Option<HistoryStatistics>,
    events: Option<EventStatistics>,
}

/// How something is told.
pub(super) enum Column {
    /// By one value; nothing if it is not known.
    One(fn(&Service) -> Option<Value>),
    /// By several, each with labels.
    Many(fn(&Service, &mut Text)),
}

static COLUMNS: [(Family, Column); 34] = [
    (
        Family::info("opendcre_build", "The version of the service."),
        Column::Many(|_, text| {
            text.labels.clear().add("version", env!("CARGO_PKG_VERSION"));
            text.sample(true.into());
        }),
    ),
    (
        Family::gauge("opendcre_start_time_seconds", "seconds", "When the service started, since 1970."),
        Column::One(|service| Some(service.api.started().into())),
    ),
    (
        Family::gauge(
            "opendcre_ready",
            "",
            "Whether every driver can be used and the service does not stop.",
        ),
        Column::One(|service| Some(service.readiness.is_ready().into())),
    ),
    (
        Family::gauge("opendcre_source_up", "", "Whether a bus, or the way to all BMCs, can be used."),
        Column::Many(|service, text| {
            for (source, health) in &service.readiness.drivers {
                text.labels.clear().add("source", source);
                text.sample(health.is_ok().into());
            }
        }),
    ),
    (
        Family::gauge("opendcre_defect", "", "Something that is amiss; /readyz says what to do."),
        Column::Many(Service::write_defects),
    ),
    (
        Family::gauge("opendcre_audit_up", "", "Whether changes can be recorded; if not, they are refused."),
        Column::One(|service| Some(service.gateway().can_audit().into())),
    ),
    (
        Family::gauge("opendcre_history_up", "", "Whether the history is kept on the disk."),
        Column::One(|service| Some(service.is_kept(service.history.is_some(), "history_unavailable").into())),
    ),
    (
        Family::gauge("opendcre_events_up", "", "Whether events are kept on the disk."),
        Column::One(|service| Some(service.is_kept(service.events.is_some(), "events_unavailable").into())),
    ),
    (
        Family::gauge(
            "opendcre_tls_certificate_expiry_timestamp_seconds",
            "seconds",
            "When the certificate of the server expires, since 1970.",
        ),
        Column::One(|service| service.api.vitals()?.certificate_expires().map(Value::from)),
    ),
    (
        Family::gauge("opendcre_boards", "", "Boards that are known, by their state."),
        Column::Many(|service, text| {
            for (state, count) in &service.boards {
                text.labels.clear().add("state", state);
                text.sample((*count).into());
            }
        }),
    ),
    (
        Family::gauge("opendcre_http_connections", "", "Connections that are open."),
        Column::One(|service| Some(service.api.vitals()?.connections().into())),
    ),
    (
        Family::gauge("opendcre_http_connections_limit", "", "Connections that may be open."),
        Column::One(|service| Some(service.api.limits().connections.into())),
    ),
    (
        Family::counter(
            "opendcre_http_requests",
            "",
            "Requests that were answered, by the part of the API and the class of the status.",
        ),
        Column::Many(|service, text| {
            for (part, class, count) in service.api.traffic().requests() {
                text.labels.clear().add("api", part).add("status", class);
                text.sample(count.into());
            }
        }),
    ),
    (
        Family::counter("opendcre_http_response_bytes", "bytes", "Bytes of bodies that were sent."),
        Column::One(|service| Some(service.api.traffic().bytes().into())),
    ),
    (
        Family::gauge("opendcre_poll_plans", "", "Rounds of reading that are planned, by how they go."),
        Column::Many(|service, text| {
            for (state, count) in &service.polls.states {
                text.labels.clear().add("state", state.name());
                text.sample((*count).into());
            }
        }),
    ),
    (
        Family::counter("opendcre_poll_rounds", "", "Rounds of reading that are over."),
        Column::One(|service| Some(service.polls.rounds.into())),
    ),
    (
        Family::counter(
            "opendcre_poll_rounds_unanswered",
            "",
            "Rounds of reading that brought no answer at all.",
        ),
        Column::One(|service| Some(service.polls.unanswered.into())),
    ),
    (
        Family::counter(
            "opendcre_poll_rounds_skipped",
            "",
            "Rounds that were left out because the one before was not over.",
        ),
        Column::One(|service| Some(service.polls.skipped.into())),
    ),
    (
        Family::gauge(
            "opendcre_poll_late_seconds",
            "seconds",
            "How much too late the latest of all last rounds began.",
        ),
        Column::One(|service| Some(service.polls.late.into())),
    ),
    (
        Family {
            name: "opendcre_poll_age_seconds",
            kind: Kind::Summary,
            unit: "seconds",
            help: "How long ago boards answered.",
        },
        Column::Many(Service::write_ages),
    ),
    (
        Family::gauge("opendcre_history_series", "", "Series in the history."),
        Column::One(|service| Some(service.history.as_ref()?.series.into())),
    ),
    (
        Family::counter("opendcre_history_samples", "", "Samples that came for the history."),
        Column::One(|service| Some(service.history.as_ref()?.recorded.into())),
    ),
    (
        Family::counter("opendcre_history_samples_lost", "", "Samples that the history could not keep."),
        Column::One(|service| Some(service.history.as_ref()?.lost.into())),
    ),
    (
        Family::counter("opendcre_history_damaged", "", "Parts of the history that were found damaged."),
        Column::One(|service| Some(service.history.as_ref()?.damaged.into())),
    ),
    (
        Family::gauge("opendcre_history_samples_unwritten", "", "Samples that a power cut would cost."),
        Column::One(|service| Some(service.history.as_ref()?.unwritten.into())),
    ),
    (
        Family::gauge("opendcre_history_memory_bytes", "bytes", "What samples take of the memory."),
        Column::One(|service| Some(service.history.as_ref()?.memory.into())),
    ),
    (
        Family::gauge("opendcre_history_file_bytes", "bytes", "The size of the file of the history."),
        Column::One(|service| Some(service.history.as_ref()?.file.into())),
    ),
    (
        Family::counter("opendcre_events", "", "Events, by kind and severity."),
        Column::Many(|service, text| {
            for ((kind, severity), count) in service.gateway().event_counts() {
                text.labels.clear().add("kind", kind.name()).add("severity", severity.name());
                text.sample(count.into());
            }
        }),
    ),
    (
        Family::gauge("opendcre_events_latest", "", "The number of the newest event."),
        Column::One(|service| Some(service.events.as_ref()?.latest.into())),
    ),
    (
        Family::gauge("opendcre_events_saved", "", "Events on the disk."),
        Column::One(|service| Some(service.events.as_ref()?.saved.into())),
    ),
    (
        Family::gauge("opendcre_events_waiting", "", "Events that wait to be shown."),
        Column::One(|service| Some(service.events.as_ref()?.waiting.into())),
    ),
    (
        Family::gauge("opendcre_events_unsaved", "", "Events that are only in memory."),
        Column::One(|service| Some(service.events.as_ref()?.unsaved.into())),
    ),
    (
        Family::counter(
            "opendcre_events_refused",
            "",
            "Events that were lost because they were too many at once.",
        ),
        Column::One(|service| Some(service.events.as_ref()?.refused.into())),
    ),
    (
        Family::counter("opendcre_events_lost", "", "Events that were shown and never reached the disk."),
        Column::One(|service| Some(service.events.as_ref()?.lost.into())),
    ),
];

impl Service {
    pub(super) fn of(api: &Api, view: &View) -> Self {
        let gateway = api.gateway();
        let states = [BoardState::Unknown, BoardState::Present, BoardState::Missing];
        let mut boards: BTreeMap<_, _> = states.iter().map(|state| (state.name(), 0)).collect();
        for board in view.boards() {
            *boards.entry(board.state.name()).or_default() += 1;
        }
        Self {
            api: api.clone(),
            readiness: gateway.readiness(),
            boards,
            polls: gateway.poll_statistics(),
            history: gateway.history_statistics(),
            events: gateway.event_statistics(),
        }
    }

    fn gateway(&self) -> &Gateway {
        self.api.gateway()
    }

    /// Whether something is open and has no defect of this code.
    fn is_kept(&self, is_open: bool, code: &str) -> bool {
        is_open && self.readiness.defects.iter().all(|defect| defect.code != code)
    }

    fn write_defects(&self, text: &mut Text) {
        let mut defects: Vec<_> =
            self.readiness.defects.iter().map(|defect| (&defect.name, defect.code)).collect();
        defects.sort_unstable();
        defects.dedup();
        for (name, code) in defects {
            text.labels.clear().add("name", name).add("code", code);
            text.sample(true.into());
        }
    }

    fn write_ages(&self, text: &mut Text) {
        let ages = &self.polls.ages;
        for (quantile, percent) in QUANTILES {
            // The nearest rank: the least age that so many are not above.
            let rank = (ages.len() * percent).div_ceil(100);
            if let Some(age) = rank.checked_sub(1).and_then(|place| ages.get(place)) {
                text.labels.clear().add("quantile", quantile);
                text.sample((*age).into());
            }
        }
    }
}

impl Table for Service {
    type Column = Column;

    fn columns() -> &'static [(Family, Column)] {
        &COLUMNS
    }

    fn len(&self) -> usize {
        1
    }

    fn write(&self, _: usize, column: &Column, text: &mut Text) {
        match column {
            Column::One(tell) => {
                if let Some(value) = tell(self) {
                    text.labels.clear();
                    text.sample(value);
                }
            }
            Column::Many(tell) => tell(self, text),
        }
    }
}
