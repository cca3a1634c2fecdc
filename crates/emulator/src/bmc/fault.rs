//! Spoils the datagrams of an emulated BMC on purpose: seeded, so that the same requests meet the same faults again.
//! Bytes in, bytes and delays out; no I/O, no clock. It knows where lengths and session ids stand in a datagram, and
//! nothing else about IPMI.

use std::time::Duration;

use serde::Deserialize;

use crate::random::SplitMix64;

/// Where the session id stands in datagrams of IPMI 1.5 and 2.0 (IPMI 2.0 table 13-8).
const SESSION_1_5: usize = 9;
const SESSION_2_0: usize = 6;
/// Where the length of the payload stands: in 1.5 before or behind the authentication code, in 2.0 in two bytes.
const LENGTH_PLAIN_1_5: usize = 13;
const LENGTH_SIGNED_1_5: usize = 29;
const LENGTH_2_0: usize = 14;
/// Where the authentication type stands, and the one that marks IPMI 2.0.
const FORMAT: usize = 4;
const FORMAT_2_0: u8 = 6;
/// The RMCP class of IPMI; others carry none of these fields.
const CLASS: usize = 3;
const CLASS_IPMI: u8 = 7;

/// Which faults happen, and how often. A rate goes from 0 (never, also for anything that is no number) to 1 (always).
/// Some count for every datagram or request on its own, others choose BMCs: of 1,000 BMCs about 10 have a fault with
/// the rate 0.01, and have it for good.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FaultPlan {
    /// Where the random numbers begin. The same seed brings the same faults.
    pub seed: u64,
    /// A datagram is lost: requests and replies alike, each with this rate.
    pub loss: f64,
    /// A reply comes late, by up to `delay_max`.
    pub delay: f64,
    /// The longest delay.
    #[serde(with = "super::config::duration")]
    pub delay_max: Duration,
    /// A reply comes twice.
    pub duplicate: f64,
    /// A reply comes after the next one.
    pub reorder: f64,
    /// A reply breaks off.
    pub truncate: f64,
    /// Bits of one byte of a reply are flipped, so that a checksum or an authentication code is wrong.
    pub corrupt: f64,
    /// The BMC says that it is busy (completion code C0h) instead of doing what it is asked, inside and
    /// outside of sessions; only Close Session is always obeyed.
    pub busy: f64,
    /// The BMC forgets all sessions before it looks at a request.
    pub session_loss: f64,
    /// In front of a reply comes one of another session.
    pub foreign: f64,
    /// A reply claims to be longer than it is.
    pub oversize: f64,
    /// BMCs: every reply takes `slow_by` longer.
    pub slow: f64,
    /// How much longer a slow BMC takes.
    #[serde(with = "super::config::duration")]
    pub slow_by: Duration,
    /// BMCs: they never say anything.
    pub dead: f64,
    /// BMCs: the last sensor record names the first as its next.
    pub sdr_loop: f64,
    /// BMCs: sensor records never end; each names another one as its next.
    pub sdr_endless: f64,
    /// BMCs: the inventory claims the greatest size, its areas do not end within it.
    pub fru_endless: f64,
}

impl Default for FaultPlan {
    /// No faults.
    fn default() -> Self {
        Self {
            seed: 1,
            loss: 0.0,
            delay: 0.0,
            delay_max: Duration::from_millis(200),
            duplicate: 0.0,
            reorder: 0.0,
            truncate: 0.0,
            corrupt: 0.0,
            busy: 0.0,
            session_loss: 0.0,
            foreign: 0.0,
            oversize: 0.0,
            slow: 0.0,
            slow_by: Duration::from_millis(500),
            dead: 0.0,
            sdr_loop: 0.0,
            sdr_endless: 0.0,
            fru_endless: 0.0,
        }
    }
}

/// A datagram to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// How long to wait before.
    pub delay: Duration,
    /// What to send.
    pub bytes: Vec<u8>,
}

/// What one BMC does wrong for good.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Defects {
    /// Every reply takes longer.
    pub slow: bool,
    /// It never says anything.
    pub dead: bool,
    /// The last sensor record names the first as its next.
    pub sdr_loop: bool,
    /// Sensor records never end.
    pub sdr_endless: bool,
    /// The inventory claims the greatest size.
    pub fru_endless: bool,
    /// The entry of the event log with this id cannot be read.
    pub unreadable_entry: Option<u16>,
}

/// Spoils what one BMC receives and sends.
#[derive(Debug)]
pub(super) struct Faults {
    random: SplitMix64,
    /// A reply that waits for the next one to overtake it.
    held: Option<Vec<u8>>,
}

impl Faults {
    /// The faults of the BMC with this index, and what it does wrong for good.
    pub(super) fn new(plan: &FaultPlan, index: u32) -> (Self, Defects) {
        let mut random = SplitMix64::for_index(plan.seed, index);
        let defects = Defects {
            slow: random.happens(plan.slow),
            dead: random.happens(plan.dead),
            sdr_loop: random.happens(plan.sdr_loop),
            sdr_endless: random.happens(plan.sdr_endless),
            fru_endless: random.happens(plan.fru_endless),
            unreadable_entry: None,
        };
        (Self { random, held: None }, defects)
    }

    /// Whether a request is lost on its way.
    pub(super) fn is_request_lost(&mut self, plan: &FaultPlan) -> bool {
        self.random.happens(plan.loss)
    }

    /// Whether all sessions are to be forgotten now.
    pub(super) fn are_sessions_lost(&mut self, plan: &FaultPlan) -> bool {
        self.random.happens(plan.session_loss)
    }

    /// Whether a command meets a BMC that is busy.
    pub(super) fn is_busy(&mut self, plan: &FaultPlan) -> bool {
        self.random.happens(plan.busy)
    }

    /// Spoils a reply.
    pub(super) fn apply(&mut self, plan: &FaultPlan, defects: Defects, mut bytes: Vec<u8>) -> Vec<Reply> {
        if self.random.happens(plan.loss) {
            return Vec::new();
        }
        let mut datagrams = Vec::with_capacity(1);
        if self.random.happens(plan.foreign) {
            datagrams.push(of_other_session(&bytes));
        }
        self.damage(plan, &mut bytes);
        if self.random.happens(plan.duplicate) {
            datagrams.push(bytes.clone());
        }
        datagrams.push(bytes);
        if self.held.is_none() && self.random.happens(plan.reorder) {
            self.held = datagrams.pop();
        } else {
            datagrams.extend(self.held.take());
        }
        let delay = self.delay(plan, defects);
        datagrams.into_iter().map(|bytes| Reply { delay, bytes }).collect()
    }

    fn damage(&mut self, plan: &FaultPlan, bytes: &mut Vec<u8>) {
        if self.random.happens(plan.oversize) {
            oversize(bytes);
        }
        if self.random.happens(plan.corrupt) {
            let index = self.random.index(bytes.len());
            let flipped = self.random.byte().max(1);
            if let Some(byte) = bytes.get_mut(index) {
                *byte ^= flipped;
            }
        }
        if self.random.happens(plan.truncate) {
            let kept = self.random.index(bytes.len());
            bytes.truncate(kept);
        }
    }

    fn delay(&mut self, plan: &FaultPlan, defects: Defects) -> Duration {
        let slow = if defects.slow { plan.slow_by } else { Duration::ZERO };
        match self.random.happens(plan.delay) {
            true => slow.saturating_add(self.random.duration(plan.delay_max)),
            false => slow,
        }
    }
}

/// The same datagram for a session that is not that of the receiver.
fn of_other_session(bytes: &[u8]) -> Vec<u8> {
    let mut other = bytes.to_vec();
    let start = if is_2_0(bytes) { SESSION_2_0 } else { SESSION_1_5 };
    if is_ipmi(bytes)
        && let Some(session) = other.get_mut(start..start + 4)
    {
        session.iter_mut().for_each(|byte| *byte = !*byte);
    }
    other
}

/// Lets the datagram claim the greatest length for its payload.
fn oversize(bytes: &mut [u8]) {
    let length = match bytes.get(FORMAT) {
        Some(&FORMAT_2_0) => LENGTH_2_0..LENGTH_2_0 + 2,
        Some(0) => LENGTH_PLAIN_1_5..LENGTH_PLAIN_1_5 + 1,
        _ => LENGTH_SIGNED_1_5..LENGTH_SIGNED_1_5 + 1,
    };
    if is_ipmi(bytes)
        && let Some(length) = bytes.get_mut(length)
    {
        length.fill(u8::MAX);
    }
}

fn is_ipmi(bytes: &[u8]) -> bool {
    bytes.get(CLASS) == Some(&CLASS_IPMI)
}

fn is_2_0(bytes: &[u8]) -> bool {
    bytes.get(FORMAT) == Some(&FORMAT_2_0)
}
