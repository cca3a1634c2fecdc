//! From raw numbers to units (§10). Pure arithmetic, written in the order that gives the digits clients have
//! always seen.

use thiserror::Error;

/// Why a raw value has no meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ConversionError {
    /// The converter count says that no thermistor is connected.
    #[error("converter count {0} is outside the range of a thermistor (below 65535)")]
    Thermistor(i64),
    /// A humidity sensor sends 32 bits.
    #[error("{0} does not fit the 32 bits of a humidity sensor")]
    Humidity(i64),
}

/// The converter count from which on a thermistor is broken or absent (§10.1).
const THERMISTOR_LIMIT: i64 = 65_535;

/// The nearest value with two decimals. Multiplying and dividing would round twice and miss it now and then.
fn round_to_hundredths(value: f64) -> f64 {
    format!("{value:.2}").parse().unwrap_or(value)
}

/// Degrees Celsius of a thermistor's converter count, with two decimals (§10.1).
///
/// # Errors
/// [`ConversionError::Thermistor`] from 65535 on.
#[expect(
    clippy::cast_precision_loss,
    reason = "counts below 2^53 are exact; larger negative ones are nonsense anyway"
)]
pub fn thermistor_celsius(count: i64) -> Result<f64, ConversionError> {
    let (slope, offset) = match count {
        THERMISTOR_LIMIT.. => return Err(ConversionError::Thermistor(count)),
        746.. => (-0.131, 118.638),
        543.. => (-0.0985, 93.399),
        355.. => (-0.106, 97.66),
        219.. => (-0.147, 112.046),
        _ => (-0.235, 131.294),
    };
    Ok(round_to_hundredths(slope * count as f64 + offset))
}

/// The PMBus direct format (§10.2): X = (1/m) · (raw · 10^(−R) − b). Evaluated in exactly this order.
fn pmbus_direct(raw: i64, m: f64, b: f64, ten_to_minus_r: f64) -> f64 {
    #[expect(
        clippy::cast_precision_loss,
        reason = "raw words have 16 bits; anything wider is nonsense anyway"
    )]
    let raw = raw as f64;
    (1.0 / m) * (raw * ten_to_minus_r - b)
}

/// The sense resistor of every board, in milliohm (§10.2).
const SENSE_RESISTOR: f64 = 1.0;

/// Input power in watts, unrounded (§10.2).
#[must_use]
pub fn input_power_watts(raw: i64) -> f64 {
    pmbus_direct(raw, 6043.0 * SENSE_RESISTOR, 0.0, 100.0)
}

/// Input voltage in volts, unrounded (§10.2).
#[must_use]
pub fn input_voltage_volts(raw: i64) -> f64 {
    pmbus_direct(raw, 19199.0, 0.0, 100.0)
}

/// Output current in amperes, unrounded (§10.2). A raw zero gives −25.7: an idle channel has always shown that.
#[must_use]
pub fn output_current_amperes(raw: i64) -> f64 {
    pmbus_direct(raw, 807.0 * SENSE_RESISTOR, 20745.0, 10.0)
}

/// Relative humidity and temperature of one sensor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Humidity {
    /// Percent relative humidity, two decimals, not clamped.
    pub percent: f64,
    /// Degrees Celsius, two decimals, not clamped.
    pub celsius: f64,
}

/// Full scale of both 14-bit values (§10.3).
const HUMIDITY_FULL_SCALE: f64 = 16_382.0;

/// Reads the 32 bits of a humidity sensor (§10.3).
///
/// # Errors
/// [`ConversionError::Humidity`] if the value does not fit 32 bits.
pub fn humidity(raw: i64) -> Result<Humidity, ConversionError> {
    let word = u32::try_from(raw).map_err(|_| ConversionError::Humidity(raw))?;
    let humidity = (word >> 16) & 0x3fff;
    let temperature = (word & 0xffff) >> 2;
    Ok(Humidity {
        percent: round_to_hundredths(f64::from(humidity) / HUMIDITY_FULL_SCALE * 100.0),
        celsius: round_to_hundredths(f64::from(temperature) / HUMIDITY_FULL_SCALE * 165.0 - 40.0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thermistor_worked_values() {
        let table = [
            (0, 131.29),
            (100, 107.79),
            (218, 80.06),
            (219, 79.85),
            (300, 67.95),
            (354, 60.01),
            (355, 60.03),
            (452, 49.75),
            (500, 44.66),
            (542, 40.21),
            (543, 39.91),
            (656, 28.78),
            (745, 20.02),
            (746, 20.91),
            (755, 19.73),
            (900, 0.74),
            (1023, -15.38),
            (32_768, -4173.97),
            (65_534, -8466.32),
            (-5, 132.47),
            (700, 24.45),
            (655, 28.88),
            (600, 34.3),
            (544, 39.81),
            (564, 37.84),
        ];
        for (count, celsius) in table {
            assert_eq!(thermistor_celsius(count), Ok(celsius), "{count}");
        }
        assert_eq!(thermistor_celsius(65_535), Err(ConversionError::Thermistor(65_535)));
    }

    #[test]
    #[expect(clippy::float_cmp, reason = "the digits are the point")]
    fn electrical_values_to_the_last_digit() {
        assert_eq!(input_power_watts(1), 0.016548072149594573);
        assert_eq!(input_power_watts(4095), 67.76435545258977);
        assert_eq!(input_power_watts(12_000), 198.57686579513486);
        assert_eq!(input_voltage_volts(1), 0.005208604614823689);
        assert_eq!(input_voltage_volts(4095), 21.329235897703004);
        assert_eq!(input_voltage_volts(2400), 12.500651075576853);
        assert_eq!(output_current_amperes(0), -25.70631970260223);
        assert_eq!(output_current_amperes(1), -25.69392812887237);
        assert_eq!(output_current_amperes(4095), 25.03717472118959);
        assert_eq!(output_current_amperes(3356), 15.879801734820322);
        assert_eq!((input_power_watts(0), input_voltage_volts(0)), (0.0, 0.0));
    }

    #[test]
    fn humidity_worked_values() {
        let table = [
            (0, 0.0, -40.0),
            (1_486_313_281, 38.43, 16.24),
            (0x2000_8000, 50.01, 42.51),
            (0x0000_ffff, 0.0, 125.01),
            (0xffff_0000, 100.01, -40.0),
        ];
        for (raw, percent, celsius) in table {
            assert_eq!(humidity(raw), Ok(Humidity { percent, celsius }), "{raw:x}");
        }
        assert!(humidity(0x1_0000_0000).is_err());
        assert!(humidity(-1).is_err());
    }
}
