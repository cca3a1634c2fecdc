//! What a series is: one quantity of one device. It knows no values.

use std::borrow::Cow;

use jiff::Timestamp;
use opendcre_model::{BoardId, DeviceId, Quantity};

/// What a series is of.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SeriesKey {
    /// The board.
    pub board: BoardId,
    /// The device of that board.
    pub device: DeviceId,
    /// What is measured there.
    pub quantity: Quantity,
}

/// A value of a series at a moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The series.
    pub key: SeriesKey,
    /// When it was measured; milliseconds count.
    pub time: Timestamp,
    /// The value in the unit of the quantity. One that is not finite is not kept.
    pub value: f64,
}

/// The quantities that are written by their names.
const NAMED: [Quantity; 7] = [
    Quantity::TemperatureCelsius,
    Quantity::HumidityPercent,
    Quantity::PressureKilopascals,
    Quantity::SpeedRpm,
    Quantity::VoltageVolts,
    Quantity::CurrentAmperes,
    Quantity::PowerWatts,
];

impl SeriesKey {
    /// As a text: board, device, and the name of the quantity; after a second slash the unit of any other quantity.
    pub(super) fn to_text(&self) -> String {
        let Self { board, device, quantity } = self;
        match quantity {
            Quantity::Other(unit) => format!("{board}/{device}//{unit}"),
            named => format!("{board}/{device}/{}", named.name()),
        }
    }

    /// The key with this text.
    pub(super) fn of_text(text: &str) -> Option<Self> {
        let mut parts = text.splitn(4, '/');
        let (board, device) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let quantity = match (parts.next()?, parts.next()) {
            ("", Some(unit)) => Quantity::Other(Cow::Owned(unit.to_owned())),
            (name, None) => NAMED.into_iter().find(|quantity| quantity.name() == name)?,
            _ => return None,
        };
        Some(Self { board, device, quantity })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_comes_back_from_its_text() {
        let other = ["", "dB", "m³/h", "/"].map(|unit| Quantity::Other(Cow::Owned(unit.to_owned())));
        for quantity in NAMED.into_iter().chain(other) {
            let key = SeriesKey { board: BoardId(0x4000_0001), device: DeviceId(0x1ff), quantity };
            assert_eq!(SeriesKey::of_text(&key.to_text()), Some(key));
        }
        for text in ["", "1", "1/2", "1/2/", "1/2/cheese", "x/2/power", "1/2/power/W"] {
            assert_eq!(SeriesKey::of_text(text), None, "{text}");
        }
    }
}
