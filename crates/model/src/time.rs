//! Times as people and programs write them (RFC 3339), always in UTC.
//!
//! Not by the general formatter, which can do much more: every answer and every line of a log has a time in it.

use jiff::Timestamp;
use jiff::tz::Offset;

/// How exactly a time is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// With microseconds, so that all times are of the same length.
    Microseconds,
    /// With as many digits behind the point as it takes, or none.
    Exact,
}

/// Appends a time, such as `2026-11-22T19:42:23.317459Z`. A year before the year 0 has no such form, and is written as ISO
/// 8601 does: with a sign and six digits.
pub fn write_time(text: &mut Vec<u8>, time: Timestamp, precision: Precision) {
    let civil = Offset::UTC.to_datetime(time);
    match u32::try_from(civil.year()) {
        Ok(year) => text.extend_from_slice(&decimal::<4>(year)),
        Err(_) => {
            text.push(b'-');
            text.extend_from_slice(&decimal::<6>(civil.year().unsigned_abs().into()));
        }
    }
    let [month, day, hour, minute, second] =
        [civil.month(), civil.day(), civil.hour(), civil.minute(), civil.second()]
            .map(|field| decimal::<2>(field.unsigned_abs().into()));
    // In one piece: that it fits is looked at once.
    text.extend_from_slice(&[
        b'-', month[0], month[1], b'-', day[0], day[1], b'T', hour[0], hour[1], b':', minute[0], minute[1],
        b':', second[0], second[1],
    ]);
    let nanoseconds = civil.subsec_nanosecond().unsigned_abs();
    match precision {
        Precision::Microseconds => {
            text.push(b'.');
            text.extend_from_slice(&decimal::<6>(nanoseconds / 1000));
        }
        Precision::Exact if nanoseconds > 0 => {
            text.push(b'.');
            text.extend_from_slice(&decimal::<9>(nanoseconds));
            let zeros = text.iter().rev().take_while(|digit| **digit == b'0').count();
            text.truncate(text.len() - zeros);
        }
        Precision::Exact => {}
    }
    text.push(b'Z');
}

/// The last decimal digits of a number, in ASCII.
fn decimal<const N: usize>(number: u32) -> [u8; N] {
    let mut digits = [b'0'; N];
    let mut rest = number;
    for digit in digits.iter_mut().rev() {
        *digit += (rest % 10) as u8;
        rest /= 10;
    }
    digits
}

#[cfg(test)]
mod tests {
    use jiff::fmt::temporal::DateTimePrinter;

    use super::*;

    fn written(time: Timestamp, precision: Precision) -> String {
        let mut text = Vec::new();
        write_time(&mut text, time, precision);
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn times_are_written_as_by_the_general_formatter() {
        let micros = DateTimePrinter::new().precision(Some(6));
        let ends = [Timestamp::MIN, Timestamp::UNIX_EPOCH, Timestamp::MAX];
        let fractions = [0, 1, 10, 999, 1000, 120_000_000, 317_459_000, 999_999_999];
        // Steps of a prime number of seconds, through every year.
        let seconds = (Timestamp::MIN.as_second() + 1..Timestamp::MAX.as_second()).step_by(15_485_863);
        let times = seconds.zip(fractions.into_iter().cycle());
        let times = times.map(|(seconds, fraction)| Timestamp::new(seconds, fraction).unwrap());
        for time in times.chain(ends) {
            assert_eq!(written(time, Precision::Exact), time.to_string());
            assert_eq!(written(time, Precision::Microseconds), micros.timestamp_to_string(&time));
        }
    }
}
