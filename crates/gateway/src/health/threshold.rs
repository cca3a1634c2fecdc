//! The thresholds of the configuration: which values of which devices must not cross what. It knows no values.

use opendcre_model::{Device, DeviceKind, Health, Quantity, excerpt};
use thiserror::Error;

use super::limit::{Limit, Limits, Side};
use crate::BoardRecord;
use crate::glob::Glob;
use crate::policy::{names_board, names_device};

/// What values of a quantity are normal for some devices. Where several thresholds fit a device and a quantity, the
/// first one counts alone. Lists that are empty fit everything; in patterns `*` stands for any text.
#[derive(Debug, Clone, PartialEq)]
pub struct Threshold {
    /// Patterns for racks.
    pub racks: Vec<String>,
    /// Patterns for boards: ids, names, host names or addresses.
    pub boards: Vec<String>,
    /// Kinds of devices.
    pub kinds: Vec<DeviceKind>,
    /// Patterns for devices: ids, names or kinds.
    pub devices: Vec<String>,
    /// What is measured. The limits are in its unit.
    pub quantity: Quantity,
    /// Values above it are worth a warning.
    pub warning_above: Option<f64>,
    /// Values below it are worth a warning.
    pub warning_below: Option<f64>,
    /// Values above it are critical.
    pub critical_above: Option<f64>,
    /// Values below it are critical.
    pub critical_below: Option<f64>,
    /// By how much more than this a value must come back across a limit before it is normal again; not negative.
    pub hysteresis: f64,
}

/// Why a threshold cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ThresholdError {
    /// A pattern is empty or too long.
    #[error("the pattern {text:?} will not do; write 1 to 256 characters")]
    BadPattern {
        /// The list that holds it.
        list: &'static str,
        /// The beginning of it.
        text: String,
    },
    /// There is nothing to compare with.
    #[error(
        "has no limits; write at least one of warning_above, warning_below, critical_above and critical_below"
    )]
    NoLimits,
    /// A number is not a number, infinite, or negative where that makes no sense.
    #[error("will not do; write a finite number, and no negative one for the hysteresis")]
    BadNumber {
        /// The field that holds it.
        field: &'static str,
    },
    /// Limits are in an order in which one of them would never count, or no value would be normal.
    #[error(
        "must not be below {other}; write critical_below, warning_below, warning_above, critical_above in ascending order"
    )]
    BadOrder {
        /// The field that is too low.
        field: &'static str,
        /// The field that it must not be below.
        other: &'static str,
    },
}

/// Thresholds that can be used, in the order in which they count.
#[derive(Debug, Default)]
pub struct Thresholds(Vec<Rule>);

/// A threshold that was understood.
#[derive(Debug)]
pub(super) struct Rule {
    racks: Vec<Glob>,
    boards: Vec<Glob>,
    kinds: Vec<DeviceKind>,
    devices: Vec<Glob>,
    pub(super) quantity: Quantity,
    pub(super) limits: Limits,
}

impl Threshold {
    /// A threshold of every device for a quantity, without any limits.
    #[must_use]
    pub const fn new(quantity: Quantity) -> Self {
        Self {
            racks: Vec::new(),
            boards: Vec::new(),
            kinds: Vec::new(),
            devices: Vec::new(),
            quantity,
            warning_above: None,
            warning_below: None,
            critical_above: None,
            critical_below: None,
            hysteresis: 0.0,
        }
    }

    /// Whether it can be used.
    ///
    /// # Errors
    /// Every [`ThresholdError`].
    pub fn check(&self) -> Result<(), ThresholdError> {
        Rule::of(self).map(drop)
    }

    /// The limits that are given, by name, in the order in which their values must ascend.
    fn named_limits(&self) -> impl Iterator<Item = (&'static str, Limit)> + Clone {
        let all = [
            ("critical_below", self.critical_below, Side::Below, Health::Critical),
            ("warning_below", self.warning_below, Side::Below, Health::Warning),
            ("warning_above", self.warning_above, Side::Above, Health::Warning),
            ("critical_above", self.critical_above, Side::Above, Health::Critical),
        ];
        let given = |(name, value, side, health): (_, Option<f64>, _, _)| {
            Some((name, Limit { value: value?, side, health }))
        };
        all.into_iter().filter_map(given)
    }

    fn limits(&self) -> Result<Limits, ThresholdError> {
        let limits = self.named_limits();
        let infinite = limits.clone().find(|(_, limit)| !limit.value.is_finite()).map(|(field, _)| field);
        let negative = (!self.hysteresis.is_finite() || self.hysteresis < 0.0).then_some("hysteresis");
        if let Some(field) = infinite.or(negative) {
            return Err(ThresholdError::BadNumber { field });
        }
        let mut pairs = limits.clone().zip(limits.clone().skip(1));
        if let Some(((other, _), (field, _))) =
            pairs.find(|((_, lower), (_, upper))| lower.value > upper.value)
        {
            return Err(ThresholdError::BadOrder { field, other });
        }
        let limits = Limits::new(limits.map(|(_, limit)| limit).collect(), self.hysteresis);
        if limits.is_empty() { Err(ThresholdError::NoLimits) } else { Ok(limits) }
    }
}

impl Thresholds {
    /// These thresholds, the first of which counts most.
    ///
    /// # Errors
    /// Every [`ThresholdError`].
    pub fn new(thresholds: &[Threshold]) -> Result<Self, ThresholdError> {
        thresholds.iter().map(Rule::of).collect::<Result<_, _>>().map(Self)
    }

    /// The threshold with this number.
    pub(super) fn rule(&self, number: u16) -> Option<&Rule> {
        self.0.get(usize::from(number))
    }

    /// The numbers of those that fit `board`, whatever its devices are.
    pub(super) fn of_board(&self, board: &BoardRecord) -> Vec<u16> {
        let numbered = (0..=u16::MAX).zip(&self.0);
        numbered.filter(|(_, rule)| rule.fits_board(board)).map(|(number, _)| number).collect()
    }

    /// The numbers of those of `candidates` that count for `device`, one for each quantity.
    pub(super) fn of_device(&self, candidates: &[u16], device: &Device) -> Vec<u16> {
        let mut numbers: Vec<u16> = Vec::new();
        for number in candidates {
            let quantity = |number: &u16| self.rule(*number).map(|rule| &rule.quantity);
            let is_first = numbers.iter().all(|earlier| quantity(earlier) != quantity(number));
            if is_first && self.rule(*number).is_some_and(|rule| rule.fits_device(device)) {
                numbers.push(*number);
            }
        }
        numbers
    }
}

impl Rule {
    fn of(threshold: &Threshold) -> Result<Self, ThresholdError> {
        let in_any_case = |globs: Vec<Glob>| globs.into_iter().map(Glob::in_any_case).collect();
        Ok(Self {
            racks: globs("racks", &threshold.racks)?,
            boards: in_any_case(globs("boards", &threshold.boards)?),
            kinds: threshold.kinds.clone(),
            devices: in_any_case(globs("devices", &threshold.devices)?),
            quantity: threshold.quantity.clone(),
            limits: threshold.limits()?,
        })
    }

    fn fits_board(&self, board: &BoardRecord) -> bool {
        let fits_rack = self.racks.is_empty() || self.racks.iter().any(|glob| glob.matches(&board.rack));
        fits_rack && (self.boards.is_empty() || self.boards.iter().any(|glob| names_board(glob, board)))
    }

    fn fits_device(&self, device: &Device) -> bool {
        let fits_kind = self.kinds.is_empty() || self.kinds.contains(&device.kind);
        fits_kind && (self.devices.is_empty() || self.devices.iter().any(|glob| names_device(glob, device)))
    }
}

fn globs(list: &'static str, texts: &[String]) -> Result<Vec<Glob>, ThresholdError> {
    let bad = |text: &String| ThresholdError::BadPattern { list, text: excerpt(text) };
    texts.iter().map(|text| Glob::new(text).ok_or_else(|| bad(text))).collect()
}
