//! What was counted for each BMC.

use std::sync::Arc;

use opendcre_gateway::{BoardRecord, View};
use opendcre_model::{LinkState, LinkStatistics};

use super::device::of_board;
use super::page::Table;
use super::text::{Family, Text, Value};

/// All BMCs.
pub(super) struct Bmcs(Vec<(Arc<BoardRecord>, LinkStatistics)>);

/// What is told of a BMC; nothing if it is not known.
pub(super) type Column = fn(&LinkStatistics) -> Option<Value>;

static COLUMNS: [(Family, Column); 9] = [
    (Family::gauge("opendcre_bmc_up", "", "Whether the last request to the BMC was answered."), |link| {
        match link.state {
            LinkState::Unknown => None,
            LinkState::Up => Some(true.into()),
            LinkState::Down => Some(false.into()),
        }
    }),
    (
        Family::gauge(
            "opendcre_bmc_latency_seconds",
            "seconds",
            "How long an answer of the BMC takes, smoothed.",
        ),
        // To the microsecond: in a room, answers take less than a millisecond.
        |link| link.latency.map(|latency| Value::Real(latency.as_secs_f64())),
    ),
    (Family::gauge("opendcre_bmc_session_open", "", "Whether a session with the BMC is open."), |link| {
        Some(link.has_session.into())
    }),
    (
        Family::gauge("opendcre_bmc_requests_waiting", "", "Requests to the BMC that wait for their turn."),
        |link| Some(link.waiting.into()),
    ),
    (
        Family::counter("opendcre_bmc_requests", "", "Requests to the BMC that were answered or given up."),
        |link| Some(link.requests.into()),
    ),
    (Family::counter("opendcre_bmc_retries", "", "Datagrams that were sent to the BMC again."), |link| {
        Some(link.retries.into())
    }),
    (
        Family::counter(
            "opendcre_bmc_timeouts",
            "",
            "Requests that were given up because the BMC did not answer.",
        ),
        |link| Some(link.timeouts.into()),
    ),
    (Family::counter("opendcre_bmc_session_opens", "", "Sessions that were opened with the BMC."), |link| {
        Some(link.session_opens.into())
    }),
    (
        Family::counter(
            "opendcre_bmc_dropped",
            "",
            "Datagrams from the BMC that were no answer to anything.",
        ),
        |link| Some(link.dropped.into()),
    ),
];

impl Bmcs {
    pub(super) fn of(view: &View) -> Self {
        let links = view.statistics().into_iter();
        Self(links.filter_map(|link| Some((view.board(link.board)?, link))).collect())
    }
}

impl Table for Bmcs {
    type Column = Column;

    fn columns() -> &'static [(Family, Column)] {
        &COLUMNS
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn write(&self, index: usize, column: &Column, text: &mut Text) {
        let Some((board, link)) = self.0.get(index) else { return };
        if let Some(value) = column(link) {
            of_board(&mut text.labels, board);
            text.sample(value);
        }
    }
}
