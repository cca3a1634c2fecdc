//! What it is like in an emulated machine: load, temperatures, fans, power. Computed from a seed, the time and the
//! power state alone, so that the same machine has the same readings again.

use std::f64::consts::TAU;
use std::time::Duration;

use super::power::Power;
use crate::random::SplitMix64;

/// The machine takes so much when it is off, idle, and under full load, in watts.
const STANDBY_WATTS: f64 = 9.0;
const IDLE_WATTS: f64 = 110.0;
const LOAD_WATTS: f64 = 260.0;
/// A machine that starts is busy for so long.
const START_UP: Duration = Duration::from_secs(20);
const START_UP_LOAD: f64 = 0.85;
/// The fans and the temperatures follow the load after so many seconds.
const LAG: f64 = 20.0;
/// The slots in which noise stays the same, in seconds.
const NOISE_SLOT: u64 = 3;

/// What differs between machines of the same kind.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Climate {
    seed: u64,
    /// Where the waves of the load and of the room begin, in turns.
    phases: [f32; 3],
    /// How much warmer than the coolest place in the room it is here, in °C.
    warmer: f32,
}

/// What it is like at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Conditions {
    /// From 0 to 1; 0 while the machine is off.
    pub(crate) load: f64,
    pub(crate) watts: f64,
    pub(crate) inlet_celsius: f64,
    pub(crate) exhaust_celsius: f64,
    pub(crate) cpu_celsius: f64,
    pub(crate) fan_rpm: f64,
    pub(crate) airflow_cfm: f64,
}

impl Climate {
    pub(crate) fn new(random: &mut SplitMix64) -> Self {
        let mut share = || f32::from(random.byte()) / 256.0;
        let (phases, warmer) = ([share(), share(), share()], 4.0 * share());
        Self { seed: random.next(), phases, warmer }
    }

    /// What it is like now. `limit_watts` is the most that the machine may take while it is on.
    pub(crate) fn at(&self, now: Duration, power: &Power, limit_watts: Option<f64>) -> Conditions {
        let seconds = now.as_secs_f64();
        let is_starting = power.since_change(now) < START_UP && power.starts() > 0;
        let load = match (power.is_on(), is_starting) {
            (false, _) => 0.0,
            (true, true) => START_UP_LOAD,
            (true, false) => self.load(seconds),
        };
        let uncapped = IDLE_WATTS + LOAD_WATTS * load;
        let watts = match (power.is_on(), limit_watts) {
            (false, _) => STANDBY_WATTS,
            (true, Some(limit)) => uncapped.min(limit.max(IDLE_WATTS)),
            (true, None) => uncapped,
        };
        let late = if power.is_on() { self.load(seconds - LAG) } else { 0.0 };
        let inlet = 21.0 + f64::from(self.warmer) + 1.5 * self.wave(2, seconds, 7200.0);
        let warmth = power.warmth(now);
        let fan_rpm = if power.is_on() { 3600.0 + 5400.0 * late } else { 0.0 };
        Conditions {
            load,
            watts,
            inlet_celsius: inlet,
            exhaust_celsius: inlet + warmth * (6.0 + 9.0 * late),
            cpu_celsius: inlet + warmth * (13.0 + 40.0 * late),
            fan_rpm,
            airflow_cfm: fan_rpm / 120.0,
        }
    }

    /// Noise from -1 to 1 for one of many instruments, which changes every few seconds.
    pub(crate) fn noise(&self, instrument: u8, now: Duration) -> f64 {
        let slot = (now.as_secs() / NOISE_SLOT) << 8 | u64::from(instrument);
        let byte = SplitMix64::new(self.seed ^ slot.wrapping_mul(0xd6e8_feb8_6659_fd93)).byte();
        f64::from(byte) / 127.5 - 1.0
    }

    /// Whether it is in the first quarter of an interval. Those of different machines begin at different times.
    pub(crate) fn is_in_first_quarter(&self, interval: Duration, now: Duration) -> bool {
        let [phase, ..] = self.phases;
        (now.as_secs_f64() / interval.as_secs_f64() + f64::from(phase)).fract() < 0.25
    }

    fn load(&self, seconds: f64) -> f64 {
        (0.45 + 0.27 * self.wave(0, seconds, 900.0) + 0.13 * self.wave(1, seconds, 131.0)).clamp(0.02, 1.0)
    }

    fn wave(&self, index: usize, seconds: f64, period: f64) -> f64 {
        let phase = self.phases.get(index).copied().unwrap_or_default();
        (TAU * (seconds / period + f64::from(phase))).sin()
    }
}

#[cfg(test)]
mod tests {
    use super::super::power::{ChassisAction, PowerTiming};
    use super::*;

    const AT_ONCE: PowerTiming = PowerTiming {
        power_up_delay: Duration::ZERO,
        soft_off_delay: Duration::ZERO,
        cycle_pause: Duration::ZERO,
    };

    #[test]
    fn a_day_stays_plausible_and_moves() {
        let climate = Climate::new(&mut SplitMix64::new(1));
        let power = Power::new(true);
        let day: Vec<Conditions> = (0..86_400)
            .step_by(30)
            .map(|second| climate.at(Duration::from_secs(second), &power, None))
            .collect();
        for conditions in &day {
            assert!((110.0..=370.0).contains(&conditions.watts), "{conditions:?}");
            assert!((19.0..=27.0).contains(&conditions.inlet_celsius), "{conditions:?}");
            assert!(conditions.exhaust_celsius > conditions.inlet_celsius, "{conditions:?}");
            assert!((30.0..=82.0).contains(&conditions.cpu_celsius), "{conditions:?}");
            assert!((3600.0..=9000.0).contains(&conditions.fan_rpm), "{conditions:?}");
        }
        let coolest = day.iter().map(|conditions| conditions.cpu_celsius).fold(f64::MAX, f64::min);
        let hottest = day.iter().map(|conditions| conditions.cpu_celsius).fold(0.0, f64::max);
        assert!(hottest - coolest > 15.0, "{coolest} to {hottest}");
        assert_eq!(
            climate.at(Duration::from_secs(30), &power, None),
            day[1],
            "the same time, the same readings"
        );
    }

    #[test]
    fn a_machine_without_power_cools_down_and_takes_little() {
        let climate = Climate::new(&mut SplitMix64::new(2));
        let mut power = Power::new(true);
        let before = climate.at(Duration::from_secs(1000), &power, None);
        power.control(ChassisAction::PowerDown, AT_ONCE, Duration::from_secs(1000));
        let after = climate.at(Duration::from_secs(1001), &power, None);
        assert!(after.watts < 10.0 && after.fan_rpm < 1.0);
        let cold = climate.at(Duration::from_secs(3000), &power, None);
        assert!(cold.cpu_celsius - cold.inlet_celsius < 1.0);
        assert!(after.cpu_celsius > cold.cpu_celsius + 5.0 && before.cpu_celsius >= after.cpu_celsius);
    }

    #[test]
    fn a_limit_holds() {
        let climate = Climate::new(&mut SplitMix64::new(3));
        let power = Power::new(true);
        for second in (0..10_000).step_by(100) {
            assert!(climate.at(Duration::from_secs(second), &power, Some(150.0)).watts <= 150.0);
        }
    }
}
