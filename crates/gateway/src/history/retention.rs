//! What the history forgets, step by step: what is too old, and the oldest when the file is too large. It knows nothing of
//! when a step is made.

use std::ops::Range;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::HistorySettings;
use super::database::{Database, PAGE};
use super::rollup::Resolution;

/// The most chunks that are forgotten in a step.
const STEP: u32 = 512;

/// The share of the file that may hold something, in percent; the rest is room for what comes until something is
/// forgotten.
const FULL: u64 = 90;

/// Pages that hold nothing are given back to the disk when they are more than this share of the file, in percent.
const EMPTY: u64 = 25;

/// The most pages that are given back in a step.
const SHRINK: u32 = 128;

/// The periods of samples that are never forgotten for their size: those whose samples may still be in the log.
const RECENT: i64 = 3;

/// How far in the future samples must lie that only a clock that was ahead can have given that time.
const AHEAD: SignedDuration = SignedDuration::from_hours(24);

/// Forgets a little, and tells whether there is more to forget. What is too old is only forgotten by a `time` that can be
/// trusted.
pub(super) fn step(
    database: &mut Database,
    settings: &HistorySettings,
    time: Option<Timestamp>,
    newest: Option<i64>,
) -> rusqlite::Result<bool> {
    if let Some(time) = time {
        for resolution in Resolution::ALL {
            let before = first_kept(time, resolution, settings);
            if database.forget(resolution, i64::MIN..before, STEP)? > 0 {
                return Ok(true);
            }
        }
    }
    let (pages, empty) = database.pages()?;
    if (pages - empty.min(pages)) * PAGE * 100 > settings.size * FULL {
        return match time {
            Some(time) if forget_ahead(database, time)? => Ok(true),
            _ => forget_oldest(database, newest),
        };
    }
    if empty * 100 > pages * EMPTY && empty > SHRINK.into() {
        return database.shrink(SHRINK).map(|()| true);
    }
    Ok(false)
}

/// Whether there are samples from a clock that was ahead of `time`, which can be trusted.
///
/// They grow old like all others once their time has come, and until then they stay as long as there is room.
pub(super) fn has_ahead(database: &Database, time: Timestamp) -> rusqlite::Result<bool> {
    Ok(database.next_period(Resolution::Raw, ahead_of(time, Resolution::Raw))?.is_some())
}

/// Forgets what a clock that was ahead gave a time, and tells whether there was anything.
fn forget_ahead(database: &mut Database, time: Timestamp) -> rusqlite::Result<bool> {
    for resolution in Resolution::ALL {
        if database.forget(resolution, ahead_of(time, resolution), STEP)? > 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The periods that lie so far in the future as a whole.
fn ahead_of(time: Timestamp, resolution: Resolution) -> Range<i64> {
    let limit = time.saturating_add(AHEAD).unwrap_or(Timestamp::MAX).as_millisecond();
    limit.div_euclid(resolution.period()) + 1..i64::MAX
}

/// Forgets samples first, the finest of what is left then.
fn forget_oldest(database: &mut Database, newest: Option<i64>) -> rusqlite::Result<bool> {
    for resolution in Resolution::ALL {
        let recent = match resolution {
            Resolution::Raw => newest.map(|newest| newest - RECENT),
            _ => None,
        };
        let before = recent.unwrap_or(i64::MAX);
        if database.forget(resolution, i64::MIN..before, STEP)? > 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The first period that is not too old as a whole.
fn first_kept(time: Timestamp, resolution: Resolution, settings: &HistorySettings) -> i64 {
    let age = match resolution {
        Resolution::Raw => settings.raw,
        Resolution::Minute => settings.minute,
        Resolution::Hour => settings.hour,
    };
    let age = i64::try_from(Duration::as_millis(&age)).unwrap_or(i64::MAX);
    time.as_millisecond().saturating_sub(age).div_euclid(resolution.period())
}
