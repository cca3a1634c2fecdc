//! The units of readings (IPMI 2.0 §43.17, table 43-15, and the three unit bytes of sensor records).

use std::borrow::Cow;
use std::fmt;

/// A base unit by its number in table 43-15.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct BaseUnit(pub u8);

macro_rules! units {
    ($($code:literal $symbol:literal $name:literal)+) => {
        impl BaseUnit {
            /// The customary symbol, such as "C" or "RPM"; empty when unspecified or not assigned.
            #[must_use]
            pub const fn symbol(self) -> &'static str {
                match self.0 {
                    $($code => $symbol,)+
                    _ => "",
                }
            }

            /// The full name, such as "degrees Celsius"; "unspecified" when it is, or is not assigned.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self.0 {
                    $($code => $name,)+
                    _ => "unspecified",
                }
            }
        }
    };
}

units! {
    1 "C" "degrees Celsius"
    2 "F" "degrees Fahrenheit"
    3 "K" "kelvins"
    4 "V" "volts"
    5 "A" "amperes"
    6 "W" "watts"
    7 "J" "joules"
    8 "coulomb" "coulombs"
    9 "VA" "volt-amperes"
    10 "nit" "nits"
    11 "lm" "lumens"
    12 "lx" "lux"
    13 "cd" "candelas"
    14 "kPa" "kilopascals"
    15 "psi" "pounds per square inch"
    16 "N" "newtons"
    17 "CFM" "cubic feet per minute"
    18 "RPM" "revolutions per minute"
    19 "Hz" "hertz"
    20 "us" "microseconds"
    21 "ms" "milliseconds"
    22 "s" "seconds"
    23 "min" "minutes"
    24 "h" "hours"
    25 "d" "days"
    26 "week" "weeks"
    27 "mil" "mils"
    28 "in" "inches"
    29 "ft" "feet"
    30 "in3" "cubic inches"
    31 "ft3" "cubic feet"
    32 "mm" "millimeters"
    33 "cm" "centimeters"
    34 "m" "meters"
    35 "cm3" "cubic centimeters"
    36 "m3" "cubic meters"
    37 "l" "liters"
    38 "fl oz" "fluid ounces"
    39 "rad" "radians"
    40 "sr" "steradians"
    41 "rev" "revolutions"
    42 "cycle" "cycles"
    43 "g" "gravities"
    44 "oz" "ounces"
    45 "lb" "pounds"
    46 "ft-lb" "foot-pounds"
    47 "oz-in" "ounce-inches"
    48 "G" "gauss"
    49 "Gb" "gilberts"
    50 "H" "henries"
    51 "mH" "millihenries"
    52 "farad" "farads"
    53 "uF" "microfarads"
    54 "ohm" "ohms"
    55 "S" "siemens"
    56 "mol" "moles"
    57 "Bq" "becquerels"
    58 "ppm" "parts per million"
    60 "dB" "decibels"
    61 "dBA" "decibels, A-weighted"
    62 "dBC" "decibels, C-weighted"
    63 "Gy" "grays"
    64 "Sv" "sieverts"
    65 "K (color)" "color temperature in kelvins"
    66 "bit" "bits"
    67 "kbit" "kilobits"
    68 "Mbit" "megabits"
    69 "Gbit" "gigabits"
    70 "B" "bytes"
    71 "kB" "kilobytes"
    72 "MB" "megabytes"
    73 "GB" "gigabytes"
    74 "word" "words"
    75 "dword" "double words"
    76 "qword" "quad words"
    77 "line" "memory lines"
    78 "hit" "hits"
    79 "miss" "misses"
    80 "retry" "retries"
    81 "reset" "resets"
    82 "overrun" "overruns or overflows"
    83 "underrun" "underruns"
    84 "collision" "collisions"
    85 "packet" "packets"
    86 "message" "messages"
    87 "character" "characters"
    88 "error" "errors"
    89 "correctable error" "correctable errors"
    90 "uncorrectable error" "uncorrectable errors"
    91 "fatal error" "fatal errors"
    92 "gram" "grams"
}

/// How the raw byte of a reading stands for a number (IPMI 2.0 §43.1, byte 21).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum AnalogFormat {
    /// 0 to 255.
    #[default]
    Unsigned,
    /// −127 to 127, where FFh is zero too.
    OnesComplement,
    /// −128 to 127.
    TwosComplement,
    /// There are no numeric readings.
    None,
}

/// What the modifier unit does to the base unit (IPMI 2.0 §43.1, byte 21).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ModifierUse {
    /// It does not apply.
    #[default]
    None,
    /// Base unit per modifier unit.
    Per,
    /// Base unit times modifier unit.
    Times,
    /// A code that the specification reserves.
    Reserved,
}

/// The three unit bytes of a sensor record (IPMI 2.0 §43.1, bytes 21 to 23).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Units {
    /// How raw bytes stand for numbers.
    pub format: AnalogFormat,
    /// What the base unit is counted per: 0 nothing, then microsecond, millisecond, second, minute, hour, day; 7 is
    /// reserved.
    pub rate: u8,
    /// What the modifier unit does.
    pub modifier_use: ModifierUse,
    /// Whether the reading is a percentage.
    pub percentage: bool,
    /// The base unit.
    pub base: BaseUnit,
    /// The modifier unit.
    pub modifier: BaseUnit,
}

impl Units {
    /// Readings in one plain unit.
    #[must_use]
    pub fn plain(format: AnalogFormat, base: BaseUnit) -> Self {
        Self { format, base, ..Self::default() }
    }

    /// Reads the three bytes. Every combination is possible.
    #[must_use]
    pub const fn decode([flags, base, modifier]: [u8; 3]) -> Self {
        Self {
            format: match flags >> 6 {
                0 => AnalogFormat::Unsigned,
                1 => AnalogFormat::OnesComplement,
                2 => AnalogFormat::TwosComplement,
                _ => AnalogFormat::None,
            },
            rate: flags >> 3 & 7,
            modifier_use: match flags >> 1 & 3 {
                0 => ModifierUse::None,
                1 => ModifierUse::Per,
                2 => ModifierUse::Times,
                _ => ModifierUse::Reserved,
            },
            percentage: flags & 1 != 0,
            base: BaseUnit(base),
            modifier: BaseUnit(modifier),
        }
    }

    /// The three bytes.
    #[must_use]
    pub const fn encode(self) -> [u8; 3] {
        let flags = (self.format as u8) << 6
            | (self.rate & 7) << 3
            | (self.modifier_use as u8) << 1
            | self.percentage as u8;
        [flags, self.base.0, self.modifier.0]
    }

    /// The symbol of the whole unit, such as "C", "RPM", "%" or "m/s"; empty when unspecified.
    #[must_use]
    pub fn symbol(self) -> Cow<'static, str> {
        self.compose("%", self.base.symbol())
    }

    /// The full name of the whole unit, such as "degrees Celsius", "percent" or "meters/s".
    #[must_use]
    pub fn name(self) -> Cow<'static, str> {
        self.compose("percent", self.base.name())
    }

    /// Whether anything is said about the unit.
    #[must_use]
    pub const fn is_specified(self) -> bool {
        self.percentage || self.base.0 != 0
    }

    fn compose(self, percent: &'static str, base: &'static str) -> Cow<'static, str> {
        let modifier = self.modifier.symbol();
        let modifier = match self.modifier_use {
            ModifierUse::Per => format!("/{modifier}"),
            ModifierUse::Times => format!("*{modifier}"),
            ModifierUse::None | ModifierUse::Reserved => String::new(),
        };
        let rate = match self.rate {
            1 => "/us",
            2 => "/ms",
            3 => "/s",
            4 => "/min",
            5 => "/h",
            6 => "/d",
            _ => "",
        };
        let base = match (self.percentage, self.base.0) {
            (true, 0) => percent.into(),
            (true, _) => format!("{percent} {base}").into(),
            (false, _) => Cow::Borrowed(base),
        };
        if modifier.is_empty() && rate.is_empty() { base } else { format!("{base}{modifier}{rate}").into() }
    }
}

impl fmt::Display for Units {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.symbol())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_units_have_their_symbols() {
        let texts = |bytes| {
            let units = Units::decode(bytes);
            (units.symbol(), units.name())
        };
        assert_eq!(texts([0x00, 1, 0]), ("C".into(), "degrees Celsius".into()));
        assert_eq!(texts([0x00, 18, 0]), ("RPM".into(), "revolutions per minute".into()));
        assert_eq!(texts([0x80, 4, 0]), ("V".into(), "volts".into()));
        assert_eq!(texts([0x01, 0, 0]), ("%".into(), "percent".into()));
        assert_eq!(texts([0x01, 18, 0]), ("% RPM".into(), "percent revolutions per minute".into()));
        assert_eq!(texts([0x02, 6, 24]), ("W/h".into(), "watts/h".into()));
        assert_eq!(texts([0x04, 16, 34]), ("N*m".into(), "newtons*m".into()));
        assert_eq!(texts([0x18, 85, 0]), ("packet/s".into(), "packets/s".into()));
        assert_eq!(texts([0xc0, 0, 0]), ("".into(), "unspecified".into()));
        assert_eq!(texts([0x00, 93, 0]), ("".into(), "unspecified".into()));
    }

    #[test]
    fn the_three_bytes_come_back() {
        for flags in 0..=u8::MAX {
            let bytes = [flags, flags.wrapping_mul(3), flags.wrapping_add(7)];
            assert_eq!(Units::decode(bytes).encode(), bytes);
        }
    }

    #[test]
    fn the_table_has_92_assigned_units_less_the_reserved_one() {
        assert_eq!((0..=u8::MAX).filter(|code| !BaseUnit(*code).symbol().is_empty()).count(), 91);
    }
}
