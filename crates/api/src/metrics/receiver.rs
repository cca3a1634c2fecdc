//! What was counted for each receiver that the service brings something to.

use opendcre_gateway::{DeliveryStatistics, Gateway};

use super::page::Table;
use super::text::{Family, Text, Value};

/// All receivers.
pub(super) struct Receivers(Vec<DeliveryStatistics>);

/// What is told of a receiver; nothing if it is not known.
pub(super) type Column = fn(&DeliveryStatistics) -> Option<Value>;

static COLUMNS: [(Family, Column); 8] = [
    (
        Family::gauge("opendcre_publish_up", "", "Whether the last attempt to deliver did not fail."),
        |receiver| Some((!receiver.is_failing).into()),
    ),
    (
        Family::counter("opendcre_publish_delivered", "", "Notices that were delivered to the receiver."),
        |receiver| Some(receiver.delivered.into()),
    ),
    (
        Family::counter("opendcre_publish_failed", "", "Attempts to deliver to the receiver that failed."),
        |receiver| Some(receiver.failed.into()),
    ),
    (Family::counter("opendcre_publish_dead", "", "Notices that were given up."), |receiver| {
        Some(receiver.dead.into())
    }),
    (
        Family::counter(
            "opendcre_publish_missed",
            "",
            "Notices that were not kept until they could be delivered.",
        ),
        |receiver| Some(receiver.missed.into()),
    ),
    (
        Family::gauge("opendcre_publish_waiting", "", "Notices that wait, of which not all may be wanted."),
        |receiver| Some(receiver.waiting.into()),
    ),
    (
        Family::gauge(
            "opendcre_publish_lag_seconds",
            "seconds",
            "For how long there has been something to deliver.",
        ),
        |receiver| Some(receiver.lag.into()),
    ),
    (
        Family::gauge(
            "opendcre_publish_last_success_timestamp_seconds",
            "seconds",
            "When something was delivered last, since 1970.",
        ),
        |receiver| receiver.last_success.map(Value::from),
    ),
];

impl Receivers {
    pub(super) fn of(gateway: &Gateway) -> Self {
        Self(gateway.deliveries())
    }
}

impl Table for Receivers {
    type Column = Column;

    fn columns() -> &'static [(Family, Column)] {
        &COLUMNS
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn write(&self, index: usize, column: &Column, text: &mut Text) {
        let Some(receiver) = self.0.get(index) else { return };
        if let Some(value) = column(receiver) {
            text.labels.clear().add("receiver", &receiver.receiver);
            text.sample(value);
        }
    }
}
