//! A part of a board or device that has a value of its own: what Home Assistant calls an entity. It is pure.

use std::borrow::Cow;

use opendcre_model::Quantity;

/// The longest part of a topic that is made of the symbol of a unit.
const MAX_SLUG: usize = 32;

/// A value of a board or device.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Entity {
    pub(crate) component: Component,
    /// Its key in what is told, unique within a device: letters, digits and `_`.
    pub(crate) what: Cow<'static, str>,
    /// What Home Assistant takes it for (its documents of sensors and binary sensors, "device class").
    pub(crate) class: Option<&'static str>,
    /// The symbol of its unit, if it has one.
    pub(crate) unit: Option<Cow<'static, str>>,
}

/// What kind of an entity it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Component {
    /// A number.
    Sensor,
    /// One of a few words.
    Word(&'static [&'static str]),
    /// `on` or `off`.
    Switch,
}

impl Component {
    /// What Home Assistant calls it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Sensor | Self::Word(_) => "sensor",
            Self::Switch => "binary_sensor",
        }
    }
}

impl Entity {
    /// How a board is.
    pub(crate) const CONDITION: Self = Self {
        component: Component::Word(&["unknown", "ok", "warning", "critical", "failed", "missing"]),
        what: Cow::Borrowed("condition"),
        class: Some("enum"),
        unit: None,
    };
    /// Whether a device is switched on.
    pub(crate) const POWER_STATE: Self = Self::switch("power_state", "power");
    /// Whether a lamp is on.
    pub(crate) const LED: Self = Self::switch("led", "light");
    /// How full a battery is.
    pub(crate) const CHARGE: Self = Self {
        component: Component::Sensor,
        what: Cow::Borrowed("charge"),
        class: Some("battery"),
        unit: Some(Cow::Borrowed("%")),
    };

    const fn switch(what: &'static str, class: &'static str) -> Self {
        Self { component: Component::Switch, what: Cow::Borrowed(what), class: Some(class), unit: None }
    }

    /// What a sensor measures.
    pub(crate) fn of_quantity(quantity: &Quantity) -> Self {
        let class = match quantity {
            Quantity::TemperatureCelsius => Some("temperature"),
            Quantity::HumidityPercent => Some("humidity"),
            Quantity::PressureKilopascals => Some("pressure"),
            Quantity::VoltageVolts => Some("voltage"),
            Quantity::CurrentAmperes => Some("current"),
            Quantity::PowerWatts => Some("power"),
            // There is a class "speed", but not in revolutions.
            Quantity::SpeedRpm | Quantity::Other(_) => None,
        };
        let (what, unit) = match quantity {
            Quantity::Other(unit) if unit.is_empty() => (Cow::Borrowed(quantity.name()), None),
            Quantity::Other(unit) => (format!("value_{}", slug(unit)).into(), Some(unit.clone())),
            // The enumeration lives as long as the program, but not what borrows from one of its values.
            known => (Cow::Borrowed(known.name()), Some(Cow::Owned(known.unit().to_owned()))),
        };
        Self { component: Component::Sensor, what, class, unit }
    }
}

/// What of a text may stand in a topic.
fn slug(text: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    text.chars().take(MAX_SLUG).map(safe).collect()
}
