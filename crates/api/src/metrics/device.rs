//! All that devices said: the gauges of the gateway, a family each.

use std::sync::LazyLock;

use opendcre_gateway::{BoardRecord, Gauge, GaugeValue, Gauges, UNIT, board_labels, device_labels};

use super::page::Table;
use super::text::{Family, Labels, Text, Value};

/// The devices that somebody may look at.
pub(super) struct Devices(pub(super) Gauges);

static COLUMNS: LazyLock<Vec<(Family, &Gauge)>> = LazyLock::new(|| {
    let family = |gauge: &Gauge| Family::gauge(gauge.name, gauge.unit, gauge.help);
    Gauge::ALL.iter().map(|gauge| (family(gauge), gauge)).collect()
});

impl Table for Devices {
    type Column = &'static Gauge;

    fn columns() -> &'static [(Family, Self::Column)] {
        &COLUMNS
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn write(&self, index: usize, gauge: &Self::Column, text: &mut Text) {
        // What the labels of the board are is written once for all its devices.
        let mut of_this_board = None;
        self.0.each(index, gauge, |point| {
            let board = *of_this_board.get_or_insert_with(|| of_board(&mut text.labels, point.board).mark());
            let labels = text.labels.back_to(board);
            for label in point.device.into_iter().flat_map(device_labels) {
                labels.add_label(label);
            }
            if let Some(unit) = point.unit {
                labels.add(UNIT, unit);
            }
            text.sample(point.value.into());
        });
    }
}

/// The labels of a board.
pub(super) fn of_board<'l>(labels: &'l mut Labels, board: &BoardRecord) -> &'l mut Labels {
    labels.clear();
    for label in board_labels(board) {
        labels.add_label(label);
    }
    labels
}

impl From<GaugeValue> for Value {
    fn from(value: GaugeValue) -> Self {
        match value {
            GaugeValue::Whole(value) => Self::Whole(value),
            GaugeValue::Real(value) => Self::Real(value),
        }
    }
}
