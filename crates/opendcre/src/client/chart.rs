//! A small chart: one line of block characters.

use std::ops::Range;

/// From the least value to the greatest.
const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// A chart of values over a time, so many characters wide. The heights go from the least of them to the greatest; where
/// there is no value, it is blank.
pub(super) fn chart(values: impl Iterator<Item = (i64, f64)>, time: &Range<i64>, width: usize) -> String {
    let mut cells = vec![(0.0, 0.0); width];
    for (at, value) in values {
        let Some((sum, count)) = cells.get_mut(cell(at, time, width)) else { continue };
        *sum += value;
        *count += 1.0;
    }
    let means: Vec<Option<f64>> =
        cells.into_iter().map(|(sum, count)| (count > 0.0).then(|| sum / count)).collect();
    let least = means.iter().flatten().copied().fold(f64::INFINITY, f64::min);
    let greatest = means.iter().flatten().copied().fold(f64::NEG_INFINITY, f64::max);
    means.into_iter().map(|mean| mean.map_or(' ', |mean| block(mean, least, greatest))).collect()
}

/// In which character a time is.
fn cell(at: i64, time: &Range<i64>, width: usize) -> usize {
    let length = i128::from(time.end) - i128::from(time.start);
    let behind = i128::from(at.max(time.start)) - i128::from(time.start);
    let width = i128::try_from(width).unwrap_or(0);
    usize::try_from(behind * width / length.max(1)).unwrap_or(usize::MAX)
}

fn block(value: f64, least: f64, greatest: f64) -> char {
    let (low, high) = (BLOCKS.iter().copied(), greatest - least);
    // What does not change stands in the middle.
    let part = if high > 0.0 { (value - least) / high } else { 0.4 };
    let steps =
        low.enumerate().map(|(step, block)| (f64::from(u8::try_from(step).unwrap_or(0)) / 8.0, block));
    steps.take_while(|(bound, _)| *bound <= part).last().map_or('▁', |(_, block)| block)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_rises_with_its_values() {
        let line = |values: &[(i64, f64)], width| chart(values.iter().copied(), &(0..80), width);
        let rising: Vec<(i64, f64)> = (0..8).map(|step| (i64::from(step) * 10, f64::from(step))).collect();
        assert_eq!(line(&rising, 8), "▁▂▃▄▅▆▇█");
        assert_eq!(line(&rising, 4), "▁▃▆█");
        assert_eq!(line(&[(0, -5.0), (10, 5.0), (79, 0.0)], 8), "▁█     ▅");
        assert_eq!(line(&[(0, 7.0), (40, 7.0)], 2), "▄▄");
        assert_eq!(line(&[], 3), "   ");
        // A step may begin before the time; what is after it is left out.
        assert_eq!(line(&[(-5, 1.0), (80, 2.0)], 2), "▄ ");
        assert_eq!(chart([(0, 1.0)].into_iter(), &(0..0), 1), "▄");
    }
}
