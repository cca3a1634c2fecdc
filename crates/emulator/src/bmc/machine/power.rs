//! The power of an emulated machine: what commands do to it at once and what happens later by itself.
//!
//! Time is that since the BMC was made, and passed in.

use std::collections::VecDeque;
use std::time::Duration;

/// The last changes that are kept for the event log; older ones are forgotten if nobody collects them.
const MAX_CHANGES: usize = 16;

/// How long things take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PowerTiming {
    pub(crate) power_up_delay: Duration,
    pub(crate) soft_off_delay: Duration,
    pub(crate) cycle_pause: Duration,
}

/// A chassis control command (IPMI 2.0 §28.3, table 28-4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChassisAction {
    /// Off, at once.
    PowerDown,
    /// On, after the power-up delay.
    PowerUp,
    /// Off, and on again.
    PowerCycle,
    /// A reset without a change of power.
    HardReset,
    /// A diagnostic interrupt.
    DiagnosticInterrupt,
    /// The operating system shuts down; then off.
    SoftShutdown,
}

/// Something that has happened to the power.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    On,
    Off,
    Reset,
    DiagnosticInterrupt,
}

/// What happens by itself, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Pending {
    at: Duration,
    is_on: bool,
}

/// The power unit.
#[derive(Debug)]
pub(crate) struct Power {
    is_on: bool,
    pending: Option<Pending>,
    /// When the power last changed, and how warm the machine was then, from 0 to 1.
    changed_at: Duration,
    warmth: f64,
    /// For how long it was on before that.
    on_before: Duration,
    /// How often the machine has started: by power and by reset.
    starts: u32,
    changes: VecDeque<(Duration, Change)>,
}

/// How fast a machine warms up and cools down, in seconds.
const WARM_UP: f64 = 90.0;
const COOL_DOWN: f64 = 180.0;

impl Power {
    /// The power in the beginning. A machine that is on is warm already.
    pub(crate) fn new(is_on: bool) -> Self {
        Self {
            is_on,
            pending: None,
            changed_at: Duration::ZERO,
            warmth: f64::from(u8::from(is_on)),
            on_before: Duration::ZERO,
            starts: 0,
            changes: VecDeque::new(),
        }
    }

    /// Whether the power is on.
    pub(crate) const fn is_on(&self) -> bool {
        self.is_on
    }

    /// How often the machine has started since the beginning.
    pub(crate) const fn starts(&self) -> u32 {
        self.starts
    }

    /// For how long the power is as it is.
    pub(crate) const fn since_change(&self, now: Duration) -> Duration {
        now.saturating_sub(self.changed_at)
    }

    /// For how long the power was on in all.
    pub(crate) fn on_time(&self, now: Duration) -> Duration {
        let current = if self.is_on { self.since_change(now) } else { Duration::ZERO };
        self.on_before.saturating_add(current)
    }

    /// How warm the machine is: from 0 (as the air around it) to 1 (as in long operation).
    pub(crate) fn warmth(&self, now: Duration) -> f64 {
        let seconds = self.since_change(now).as_secs_f64();
        match self.is_on {
            true => 1.0 - (1.0 - self.warmth) * (-seconds / WARM_UP).exp(),
            false => self.warmth * (-seconds / COOL_DOWN).exp(),
        }
    }

    /// Carries out a command. False says that it is not possible in the present state.
    pub(crate) fn control(&mut self, action: ChassisAction, timing: PowerTiming, now: Duration) -> bool {
        match (action, self.is_on) {
            (ChassisAction::PowerDown, _) => {
                self.pending = None;
                self.switch(false, now);
            }
            (ChassisAction::PowerUp, false) if self.pending.is_none() => {
                self.later(true, now, timing.power_up_delay);
            }
            (ChassisAction::PowerUp | ChassisAction::SoftShutdown, _) => {
                // An operating system that shuts down cannot be stopped, and a machine that starts starts only once.
                if self.is_on && action == ChassisAction::SoftShutdown {
                    self.later(false, now, timing.soft_off_delay);
                }
            }
            (ChassisAction::PowerCycle, true) => {
                self.switch(false, now);
                self.later(true, now, timing.cycle_pause.saturating_add(timing.power_up_delay));
            }
            (ChassisAction::HardReset, true) => {
                self.pending = None;
                self.starts = self.starts.saturating_add(1);
                self.note(now, Change::Reset);
            }
            (ChassisAction::DiagnosticInterrupt, true) => self.note(now, Change::DiagnosticInterrupt),
            (
                ChassisAction::PowerCycle | ChassisAction::HardReset | ChassisAction::DiagnosticInterrupt,
                false,
            ) => {
                return false;
            }
        }
        true
    }

    /// Lets happen what happens by itself until `now`.
    pub(crate) fn advance(&mut self, now: Duration) {
        if let Some(pending) = self.pending.take_if(|pending| pending.at <= now) {
            self.switch(pending.is_on, pending.at);
        }
    }

    /// Takes the mains away and gives them back: the machine is off, and on again if `is_on` says so.
    pub(crate) fn on_mains_loss(&mut self, is_on: bool, timing: PowerTiming, now: Duration) {
        self.pending = None;
        self.switch(false, now);
        if is_on {
            self.later(true, now, timing.power_up_delay);
        }
    }

    /// The changes since the last call, oldest first.
    pub(crate) fn take_change(&mut self) -> Option<(Duration, Change)> {
        self.changes.pop_front()
    }

    fn later(&mut self, is_on: bool, now: Duration, delay: Duration) {
        self.pending = Some(Pending { at: now.saturating_add(delay), is_on });
        self.advance(now);
    }

    fn switch(&mut self, is_on: bool, at: Duration) {
        if self.is_on == is_on {
            return;
        }
        self.warmth = self.warmth(at);
        self.on_before = self.on_time(at);
        self.is_on = is_on;
        self.changed_at = at;
        self.starts = self.starts.saturating_add(u32::from(is_on));
        self.note(at, if is_on { Change::On } else { Change::Off });
    }

    fn note(&mut self, at: Duration, change: Change) {
        if self.changes.len() == MAX_CHANGES {
            self.changes.pop_front();
        }
        self.changes.push_back((at, change));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMING: PowerTiming = PowerTiming {
        power_up_delay: Duration::from_secs(2),
        soft_off_delay: Duration::from_secs(4),
        cycle_pause: Duration::from_secs(1),
    };

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn power_comes_after_its_delay_and_goes_at_once() {
        let mut power = Power::new(false);
        assert!(power.control(ChassisAction::PowerUp, TIMING, at(10)));
        assert!(power.control(ChassisAction::PowerUp, TIMING, at(11)), "once more changes nothing");
        power.advance(at(11));
        assert!(!power.is_on());
        power.advance(at(100));
        assert!(power.is_on());
        assert_eq!(power.since_change(at(100)), at(88), "it came at second 12, whenever somebody looks");
        assert!(power.control(ChassisAction::PowerDown, TIMING, at(112)));
        assert!(!power.is_on());
        assert_eq!(power.on_time(at(200)), at(100));
        assert_eq!(power.starts(), 1);
    }

    #[test]
    fn a_cycle_needs_power_and_a_soft_shutdown_its_time() {
        let mut power = Power::new(true);
        assert!(power.control(ChassisAction::PowerCycle, TIMING, at(1)));
        assert!(!power.is_on());
        assert!(!power.control(ChassisAction::PowerCycle, TIMING, at(2)));
        assert!(!power.control(ChassisAction::HardReset, TIMING, at(2)));
        power.advance(at(4));
        assert!(power.is_on());
        assert!(power.control(ChassisAction::HardReset, TIMING, at(5)));
        assert!(power.control(ChassisAction::SoftShutdown, TIMING, at(6)));
        power.advance(at(9));
        assert!(power.is_on());
        power.advance(at(10));
        assert!(!power.is_on());
        let changes: Vec<Change> =
            std::iter::from_fn(|| power.take_change()).map(|(_, change)| change).collect();
        assert_eq!(changes, [Change::Off, Change::On, Change::Reset, Change::Off]);
    }

    #[test]
    fn nobody_collects_the_changes() {
        let mut power = Power::new(true);
        for second in 0..100 {
            power.control(ChassisAction::HardReset, TIMING, at(second));
        }
        assert_eq!(std::iter::from_fn(|| power.take_change()).count(), MAX_CHANGES);
    }
}
