//! Readings as requests of bounded size, made one after the other while they are sent.

use opendcre_gateway::{Gauge, GaugePoint, Gauges, LabelValue, UNIT, board_labels, device_labels};
use tokio::time::Instant;

use super::message::{
    AnyValue, ExportMetricsServiceRequest, GaugeData, InstrumentationScope, KeyValue, Metric, Number,
    NumberDataPoint, Resource, ResourceMetrics, ScopeMetrics, unix_nanoseconds,
};

/// How many points a request has, but for those of its last board: some hundred kilobytes before they are compressed.
const POINTS: usize = 1000;

/// All gauges, as far as they are not sent yet.
pub(super) struct Round {
    gauges: Gauges,
    /// What was measured before this was sent already.
    after: Option<Instant>,
    column: usize,
    /// The next board.
    index: usize,
}

/// A part of them.
#[derive(Debug, Default)]
pub(super) struct Batch {
    metrics: Vec<Metric>,
    pub(super) points: usize,
}

impl Round {
    /// Those `gauges` that are as of now, and of the others what was measured after `after`.
    pub(super) const fn new(gauges: Gauges, after: Option<Instant>) -> Self {
        Self { gauges, after, column: 0, index: 0 }
    }

    /// The next part, in which what is as of now is of the time `now`. Nothing once there is none.
    pub(super) fn next(&mut self, now: u64) -> Option<Batch> {
        let mut batch = Batch::default();
        while batch.points < POINTS
            && let Some(gauge) = Gauge::ALL.get(self.column)
        {
            if self.index < self.gauges.len() {
                self.gauges.each(self.index, gauge, |point| {
                    if is_new(&point, self.after) {
                        batch.push(gauge, &point, now);
                    }
                });
                self.index += 1;
            } else {
                (self.column, self.index) = (self.column + 1, 0);
            }
        }
        (batch.points > 0).then_some(batch)
    }
}

/// Whether something was measured after that moment, or is as of now.
fn is_new(point: &GaugePoint<'_>, after: Option<Instant>) -> bool {
    match (point.measured, after) {
        (Some(measured), Some(after)) => measured.age <= after.elapsed(),
        _ => true,
    }
}

impl Batch {
    fn push(&mut self, gauge: &Gauge, point: &GaugePoint<'_>, now: u64) {
        let point = NumberDataPoint {
            attributes: attributes(point),
            time_unix_nano: point.measured.map_or(now, |measured| unix_nanoseconds(measured.time)),
            value: Some(Number::from(point.value)),
        };
        self.points += 1;
        if let Some(Metric { gauge: Some(data), .. }) =
            self.metrics.last_mut().filter(|metric| metric.name == gauge.name)
        {
            data.data_points.push(point);
            return;
        }
        self.metrics.push(Metric {
            name: gauge.name.to_owned(),
            description: gauge.help.to_owned(),
            unit: gauge.ucum.to_owned(),
            gauge: Some(GaugeData { data_points: vec![point] }),
        });
    }

    /// The request that brings it.
    pub(super) fn into_request(self, resource: Resource) -> ExportMetricsServiceRequest {
        let scope_metrics = ScopeMetrics { scope: Some(InstrumentationScope::own()), metrics: self.metrics };
        let resource_metrics =
            ResourceMetrics { resource: Some(resource), scope_metrics: vec![scope_metrics] };
        ExportMetricsServiceRequest { resource_metrics: vec![resource_metrics] }
    }
}

/// The labels of a point, of which it has the same wherever it is told.
fn attributes(point: &GaugePoint<'_>) -> Vec<KeyValue> {
    let labels =
        board_labels(point.board).into_iter().chain(point.device.into_iter().flat_map(device_labels));
    let labels = labels.chain(point.unit.map(|unit| (UNIT, LabelValue::Text(unit))));
    labels.map(|(name, value)| KeyValue::new(name, AnyValue::text(value.to_string()))).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use jiff::Timestamp;
    use opendcre_gateway::{BoardRecord, BoardState, GaugeValue, Measured};
    use opendcre_model::{BoardId, Capabilities, Device, DeviceId, DeviceKind};

    use super::*;

    fn board() -> BoardRecord {
        BoardRecord {
            id: BoardId(0x11),
            name: "web-01".to_owned(),
            rack: "rack_1".to_owned(),
            driver: "hat".to_owned(),
            place: None,
            identity: None,
            firmware: None,
            hostnames: Vec::new(),
            ip_addresses: Vec::new(),
            labels: BTreeMap::new(),
            groups: Vec::new(),
            devices: Vec::new(),
            state: BoardState::Present,
            since: Timestamp::UNIX_EPOCH,
            first_seen: None,
            last_seen: None,
            failure: None,
        }
    }

    fn gauge(name: &str) -> &'static Gauge {
        Gauge::ALL.iter().find(|gauge| gauge.name == name).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn points_have_their_time_their_labels_and_the_unit_of_their_gauge() {
        let board = board();
        let device = Device {
            id: DeviceId(0xdff),
            kind: DeviceKind::Temperature,
            name: Some("inlet".to_owned()),
            capabilities: Capabilities::default(),
        };
        let measured = Measured { time: Timestamp::constant(1_800_000_000, 0), age: Duration::from_secs(5) };
        let up = GaugePoint {
            board: &board,
            device: None,
            unit: None,
            value: GaugeValue::Whole(1),
            measured: None,
        };
        let inlet = GaugePoint {
            device: Some(&device),
            value: GaugeValue::Real(21.5),
            measured: Some(measured),
            ..up
        };
        let mut batch = Batch::default();
        batch.push(gauge("opendcre_up"), &up, 7);
        batch.push(gauge("opendcre_temperature_celsius"), &inlet, 7);
        batch.push(gauge("opendcre_temperature_celsius"), &inlet, 7);
        assert_eq!(batch.points, 3);
        let [of_up, of_inlet] = &batch.metrics[..] else { panic!("{batch:?}") };
        assert_eq!((of_up.unit.as_str(), of_inlet.unit.as_str()), ("", "Cel"));
        let points = |metric: &Metric| metric.gauge.clone().unwrap().data_points;
        assert_eq!((points(of_up).len(), points(of_inlet).len()), (1, 2));
        assert_eq!(points(of_up)[0].time_unix_nano, 7);
        assert_eq!(points(of_up)[0].value, Some(Number::Int(1)));
        let point = &points(of_inlet)[0];
        assert_eq!(point.time_unix_nano, 1_800_000_000_000_000_000);
        assert_eq!(point.value, Some(Number::Double(21.5)));
        let told: Vec<String> = point.attributes.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "rack=rack_1",
                "board=00000011",
                "name=web-01",
                "device=0dff",
                "kind=temperature",
                "sensor=inlet"
            ]
        );

        let before = Instant::now();
        tokio::time::advance(Duration::from_secs(4)).await;
        assert!(!is_new(&inlet, Some(before)), "it was sent already");
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(is_new(&inlet, Some(before)) && is_new(&inlet, None) && is_new(&up, Some(before)));
    }
}
