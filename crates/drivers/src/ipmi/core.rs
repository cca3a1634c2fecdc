//! All BMCs of one worker, without I/O: commands, datagrams and time go in, datagrams and answers come out.
//!
//! What the BMCs share is small: the timers, and a bound on how many are asked at the same moment, because all their
//! answers arrive in one socket buffer. A BMC that is not in use costs memory and nothing else.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::Instant;

use opendcre_ipmi::client::Entropy;

use super::config::{BmcConfig, Settings};
use super::queue::Job;
use super::slot::{Slot, Tools};
use super::statistics::Row;
use super::timer::Timers;

/// A datagram that is to be sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Transmit {
    pub(super) to: SocketAddr,
    pub(super) bytes: Vec<u8>,
}

/// All BMCs of one worker, numbered in the order in which they were given.
pub(super) struct Core {
    settings: Settings,
    entropy: Box<dyn Entropy + Send>,
    slots: Vec<Slot>,
    by_address: HashMap<SocketAddr, usize>,
    timers: Timers,
    turns: Turns,
    load: Load,
    transmits: VecDeque<Transmit>,
    /// Those whose statistics may differ from what was published.
    changed: Marked,
    strays: u64,
}

/// How many BMCs are busy, and how many of these count for the bound.
#[derive(Debug, Clone, Copy, Default)]
struct Load {
    active: usize,
    outstanding: usize,
}

impl Core {
    /// Nothing is sent before somebody asks for something.
    pub(super) fn new(
        bmcs: &[BmcConfig],
        settings: Settings,
        entropy: Box<dyn Entropy + Send>,
        now: Instant,
    ) -> Self {
        let addresses = bmcs.iter().map(|bmc| bmc.address);
        Self {
            entropy,
            slots: bmcs.iter().map(|bmc| Slot::new(bmc, &settings, now)).collect(),
            by_address: addresses.zip(0..).collect(),
            timers: Timers::new(bmcs.len()),
            turns: Turns::new(bmcs.len()),
            load: Load::default(),
            transmits: VecDeque::new(),
            changed: Marked::new(bmcs.len()),
            strays: 0,
            settings,
        }
    }

    /// Takes a command for a BMC.
    pub(super) fn submit(&mut self, slot: usize, job: Job, now: Instant) {
        self.touch(slot, now, |slot, tools| slot.submit(job, tools));
        self.grant(now);
    }

    /// Takes a datagram that has arrived.
    pub(super) fn on_datagram(&mut self, from: SocketAddr, bytes: &[u8], now: Instant) {
        let Some(slot) = self.by_address.get(&from).copied() else {
            self.strays += 1;
            return;
        };
        self.touch(slot, now, |slot, tools| slot.on_datagram(bytes, tools));
        self.grant(now);
    }

    /// Lets time pass.
    pub(super) fn on_timer(&mut self, now: Instant) {
        while let Some(slot) = self.timers.pop_due(now) {
            self.touch(slot, now, Slot::on_timer);
        }
        self.grant(now);
    }

    /// The system cannot send to this address.
    pub(super) fn on_unreachable(&mut self, to: SocketAddr, now: Instant) {
        if let Some(slot) = self.by_address.get(&to).copied() {
            self.touch(slot, now, Slot::on_unreachable);
            self.grant(now);
        }
    }

    /// Refuses everything from now on, and closes every session.
    pub(super) fn close(&mut self, now: Instant) {
        for slot in 0..self.slots.len() {
            self.touch(slot, now, Slot::stop);
        }
        self.grant(now);
    }

    /// Answers everybody who still waits.
    pub(super) fn give_up(&mut self) {
        for slot in &mut self.slots {
            slot.give_up();
        }
    }

    /// Whether everything has come to its end after [`Core::close`].
    pub(super) fn is_quiet(&self) -> bool {
        self.load.active == 0 && self.turns.is_empty()
    }

    /// The next datagram to send.
    pub(super) fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    /// When [`Core::on_timer`] has something to do.
    pub(super) fn next_deadline(&mut self) -> Option<Instant> {
        self.timers.next()
    }

    /// A BMC of which something changed, and what is known of it now.
    pub(super) fn poll_changed(&mut self) -> Option<(usize, Row)> {
        let slot = self.changed.pop()?;
        Some((slot, self.slots.get(slot)?.row()))
    }

    /// How many datagrams came from nobody we know.
    pub(super) const fn strays(&self) -> u64 {
        self.strays
    }

    /// Does something with a BMC, then what this BMC does next if it can, or puts it in the row of those who wait.
    fn touch(&mut self, index: usize, now: Instant, act: impl FnOnce(&mut Slot, &mut Tools<'_>)) {
        self.step(index, now, false, act);
    }

    /// The same for a BMC that may have its turn: if so, it need not go to the end of the row.
    fn step(
        &mut self,
        index: usize,
        now: Instant,
        has_turn: bool,
        act: impl FnOnce(&mut Slot, &mut Tools<'_>),
    ) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        let mut tools = Tools { settings: &self.settings, entropy: &mut *self.entropy, now };
        self.load.remove(slot);
        act(slot, &mut tools);
        while let Some(task) = slot.next_task(&mut tools) {
            // Nobody overtakes those who wait, not even with the place that its own last command has left.
            let is_free = self.load.outstanding < self.settings.outstanding.get();
            if !is_free || !(has_turn || self.turns.is_empty()) {
                self.turns.add(index, slot.is_urgent());
                break;
            }
            slot.start(task, &mut tools);
        }
        self.load.add(slot);
        let to = slot.address();
        self.transmits
            .extend(std::iter::from_fn(|| slot.poll_transmit()).map(|bytes| Transmit { to, bytes }));
        if let Some(at) = slot.next_deadline(&self.settings, now, self.turns.contains(index)) {
            self.timers.arm(index, at);
        }
        self.changed.push(index);
    }

    /// Lets those who wait for their turn start, as far as the bound allows.
    fn grant(&mut self, now: Instant) {
        while self.load.outstanding < self.settings.outstanding.get()
            && let Some(slot) = self.turns.pop()
        {
            self.step(slot, now, true, |_, _| {});
        }
    }
}

impl Load {
    fn add(&mut self, slot: &Slot) {
        self.active += usize::from(slot.is_active());
        self.outstanding += usize::from(slot.is_outstanding());
    }

    fn remove(&mut self, slot: &Slot) {
        self.active -= usize::from(slot.is_active());
        self.outstanding -= usize::from(slot.is_outstanding());
    }
}

/// BMCs in a row, each at most once.
#[derive(Debug)]
struct Marked {
    row: VecDeque<usize>,
    is_marked: Vec<bool>,
}

impl Marked {
    fn new(count: usize) -> Self {
        Self { row: VecDeque::new(), is_marked: vec![false; count] }
    }

    fn push(&mut self, slot: usize) {
        if let Some(is_marked) = self.is_marked.get_mut(slot).filter(|is_marked| !**is_marked) {
            *is_marked = true;
            self.row.push_back(slot);
        }
    }

    fn pop(&mut self) -> Option<usize> {
        let slot = self.row.pop_front()?;
        *self.is_marked.get_mut(slot)? = false;
        Some(slot)
    }

    fn contains(&self, slot: usize) -> bool {
        self.is_marked.get(slot).copied().unwrap_or_default()
    }
}

/// The BMCs that have something to do and wait until fewer are outstanding. Who wants to change something goes first.
#[derive(Debug)]
struct Turns {
    urgent: Marked,
    other: Marked,
}

impl Turns {
    fn new(count: usize) -> Self {
        Self { urgent: Marked::new(count), other: Marked::new(count) }
    }

    fn add(&mut self, slot: usize, is_urgent: bool) {
        if is_urgent {
            self.urgent.push(slot);
        } else {
            self.other.push(slot);
        }
    }

    fn pop(&mut self) -> Option<usize> {
        self.urgent.pop().or_else(|| self.other.pop())
    }

    fn contains(&self, slot: usize) -> bool {
        self.urgent.contains(slot) || self.other.contains(slot)
    }

    fn is_empty(&self) -> bool {
        self.urgent.row.is_empty() && self.other.row.is_empty()
    }
}

#[cfg(test)]
mod network;
#[cfg(test)]
mod tests;
