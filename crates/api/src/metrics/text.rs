//! The text of metrics: families, each with its samples (OpenMetrics 1.0, and the text format of Prometheus 0.0.4, which
//! differ in how counters are announced, in units, and in the end).
//!
//! A sample of one of very many must cost next to nothing: labels that several have in common are written once.

use std::fmt::Write;
use std::time::Duration;

use jiff::Timestamp;

use opendcre_gateway::{Label, LabelValue};

use super::format::Format;

/// What belongs together: samples with the same name.
#[derive(Debug)]
pub(super) struct Family {
    /// Its name, without what its kind adds to that.
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// The unit with which the name ends; empty for plain numbers.
    pub(super) unit: &'static str,
    /// One sentence for people.
    pub(super) help: &'static str,
}

/// What may happen to the samples of a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// They go up and down.
    Gauge,
    /// They only grow until the service starts again.
    Counter,
    /// They are always 1; their labels say something.
    Info,
    /// They are quantiles.
    Summary,
}

/// The value of a sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Value {
    Whole(u64),
    Real(f64),
}

/// Labels of samples, as they stand between braces.
#[derive(Debug, Default)]
pub(super) struct Labels(String);

/// Text that grows at its end.
#[derive(Debug)]
pub(super) struct Text {
    format: Format,
    text: String,
    /// The family whose samples are written, and whether it has any yet.
    family: Option<(&'static Family, bool)>,
    pub(super) labels: Labels,
}

impl Family {
    pub(super) const fn gauge(name: &'static str, unit: &'static str, help: &'static str) -> Self {
        Self { name, kind: Kind::Gauge, unit, help }
    }

    pub(super) const fn counter(name: &'static str, unit: &'static str, help: &'static str) -> Self {
        Self { name, kind: Kind::Counter, unit, help }
    }

    pub(super) const fn info(name: &'static str, help: &'static str) -> Self {
        Self { name, kind: Kind::Info, unit: "", help }
    }

    /// The name of its samples.
    #[cfg(test)]
    pub(super) fn sample_name(&self) -> String {
        format!("{}{}", self.name, self.kind.suffix())
    }
}

impl Kind {
    /// What the names of samples end with.
    const fn suffix(self) -> &'static str {
        match self {
            Self::Gauge | Self::Summary => "",
            Self::Counter => "_total",
            Self::Info => "_info",
        }
    }

    /// The word for it in OpenMetrics.
    const fn name(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Counter => "counter",
            Self::Info => "info",
            Self::Summary => "summary",
        }
    }
}

impl Text {
    pub(super) fn new(format: Format) -> Self {
        Self { format, text: String::new(), family: None, labels: Labels::default() }
    }

    /// Begins a family. Without a sample, nothing will be told of it.
    pub(super) fn begin(&mut self, family: &'static Family) {
        self.family = Some((family, false));
    }

    /// Writes a sample of the family that has begun, with the present labels.
    pub(super) fn sample(&mut self, value: Value) {
        let Some((family, is_announced)) = &mut self.family else { return };
        let family = *family;
        if !std::mem::replace(is_announced, true) {
            self.announce(family);
        }
        let Self { text, labels: Labels(labels), .. } = self;
        text.push_str(family.name);
        text.push_str(family.kind.suffix());
        if !labels.is_empty() {
            text.push('{');
            text.push_str(labels);
            text.push('}');
        }
        text.push(' ');
        // Text takes everything.
        let _ = match value {
            Value::Whole(value) => writeln!(text, "{value}"),
            Value::Real(value) => writeln!(text, "{value}"),
        };
    }

    fn announce(&mut self, Family { name, kind, unit, help }: &Family) {
        let text = &mut self.text;
        let _ = match self.format {
            Format::OpenMetrics => {
                let announced = writeln!(text, "# TYPE {name} {}", kind.name());
                let announced = announced.and_then(|()| writeln!(text, "# HELP {name} {help}"));
                if unit.is_empty() { announced } else { writeln!(text, "# UNIT {name} {unit}") }
            }
            Format::Classic => {
                let suffix = kind.suffix();
                let word = if *kind == Kind::Info { Kind::Gauge.name() } else { kind.name() };
                writeln!(text, "# HELP {name}{suffix} {help}\n# TYPE {name}{suffix} {word}")
            }
        };
    }

    /// Writes the end.
    pub(super) fn end(&mut self) {
        if self.format == Format::OpenMetrics {
            self.text.push_str("# EOF\n");
        }
    }

    pub(super) fn len(&self) -> usize {
        self.text.len()
    }

    /// What was written since this was asked last.
    pub(super) fn take(&mut self) -> String {
        let room = String::with_capacity(self.text.capacity());
        std::mem::replace(&mut self.text, room)
    }
}

impl Labels {
    /// Takes all labels away.
    pub(super) fn clear(&mut self) -> &mut Self {
        self.0.clear();
        self
    }

    /// A mark to return to.
    pub(super) const fn mark(&self) -> usize {
        self.0.len()
    }

    /// Takes all labels away that were added after a mark.
    pub(super) fn back_to(&mut self, mark: usize) -> &mut Self {
        self.0.truncate(mark);
        self
    }

    /// Adds a label.
    pub(super) fn add(&mut self, name: &str, value: &str) -> &mut Self {
        self.begin(name);
        let mut rest = value;
        while let Some((plain, special)) = rest.find(['\\', '"', '\n']).map(|place| rest.split_at(place)) {
            self.0.push_str(plain);
            let mut characters = special.chars();
            self.0.push_str(match characters.next() {
                Some('\n') => "\\n",
                Some('"') => "\\\"",
                _ => "\\\\",
            });
            rest = characters.as_str();
        }
        self.0.push_str(rest);
        self.0.push('"');
        self
    }

    /// Adds a label of a board or device.
    pub(super) fn add_label(&mut self, (name, value): Label<'_>) -> &mut Self {
        match value {
            LabelValue::Text(text) => self.add(name, text),
            LabelValue::Word(word) => self.add_plain(name, word),
            LabelValue::Board(id) => self.add_plain(name, id),
            LabelValue::Device(id) => self.add_plain(name, id),
        }
    }

    /// Adds a label whose value has nothing in it that must be escaped, such as an id.
    fn add_plain(&mut self, name: &str, value: impl std::fmt::Display) -> &mut Self {
        self.begin(name);
        let _ = write!(self.0, "{value}\"");
        self
    }

    fn begin(&mut self, name: &str) {
        if !self.0.is_empty() {
            self.0.push(',');
        }
        self.0.push_str(name);
        self.0.push_str("=\"");
    }
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Whole(value)
    }
}

impl From<usize> for Value {
    fn from(value: usize) -> Self {
        Self::Whole(u64::try_from(value).unwrap_or(u64::MAX))
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Whole(value.into())
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Real(value)
    }
}

impl From<Duration> for Value {
    /// In seconds. Nobody measures them by the nanosecond, and short texts are quick to send.
    fn from(value: Duration) -> Self {
        Self::Real(value.as_millis() as f64 / 1e3)
    }
}

impl From<Timestamp> for Value {
    /// In seconds since 1970, before which no time is here.
    fn from(value: Timestamp) -> Self {
        Duration::try_from(value.duration_since(Timestamp::UNIX_EPOCH)).unwrap_or_default().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static SPEED: Family = Family::gauge("fan_speed_rpm", "rpm", "How fast it turns.");
    static ERRORS: Family = Family::counter("errors", "", "Errors.");
    static EMPTY: Family = Family::gauge("empty", "", "Nothing.");
    static BUILD: Family = Family::info("build", "What it is.");

    fn page(format: Format) -> String {
        let mut text = Text::new(format);
        text.begin(&SPEED);
        text.labels.add("rack", "a\\b\"c\nd°").add_plain("id", 7);
        text.sample(1200.5.into());
        let mark = text.labels.mark();
        text.labels.add("sensor", "");
        text.sample(Duration::from_micros(1_234_567).into());
        text.labels.back_to(mark);
        text.sample(true.into());
        text.begin(&EMPTY);
        text.begin(&ERRORS);
        text.labels.clear();
        text.sample(u64::MAX.into());
        text.begin(&BUILD);
        text.labels.add("version", "1");
        text.sample(1u64.into());
        text.end();
        text.take()
    }

    #[test]
    fn openmetrics() {
        let expected = concat!(
            "# TYPE fan_speed_rpm gauge\n# HELP fan_speed_rpm How fast it turns.\n# UNIT fan_speed_rpm rpm\n",
            "fan_speed_rpm{rack=\"a\\\\b\\\"c\\nd°\",id=\"7\"} 1200.5\n",
            "fan_speed_rpm{rack=\"a\\\\b\\\"c\\nd°\",id=\"7\",sensor=\"\"} 1.234\n",
            "fan_speed_rpm{rack=\"a\\\\b\\\"c\\nd°\",id=\"7\"} 1\n",
            "# TYPE errors counter\n# HELP errors Errors.\nerrors_total 18446744073709551615\n",
            "# TYPE build info\n# HELP build What it is.\nbuild_info{version=\"1\"} 1\n",
            "# EOF\n",
        );
        assert_eq!(page(Format::OpenMetrics), expected);
    }

    #[test]
    fn the_text_format_of_prometheus() {
        let text = page(Format::Classic);
        let heads: Vec<&str> = text.lines().filter(|line| line.starts_with('#')).collect();
        let expected = [
            "# HELP fan_speed_rpm How fast it turns.",
            "# TYPE fan_speed_rpm gauge",
            "# HELP errors_total Errors.",
            "# TYPE errors_total counter",
            "# HELP build_info What it is.",
            "# TYPE build_info gauge",
        ];
        assert_eq!(heads, expected);
        let samples = |text: &str| text.lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!(samples(&text), samples(&page(Format::OpenMetrics)));
    }
}
