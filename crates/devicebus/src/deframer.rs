//! Finds packets in a stream of bytes that may hold noise, damage and cut-off packets.
//!
//! There is no escaping on the bus, so any `01` may begin a packet (§2). A candidate that turns out to be damaged
//! costs one byte: the search goes on inside it, because the real packet may begin there. A candidate that is
//! still incomplete is waited for, because what looks like a packet inside it may be its data; only when the line
//! has fallen silent may the owner look behind it. Knows nothing of time or meaning.

use std::ops::Range;

use crate::packet::{Front, HEADER};
use crate::{MAX_PACKET, Packet, PacketError};

/// Collects received bytes and gives out what they hold.
#[derive(Debug, Default, Clone)]
pub struct Deframer {
    buffer: Vec<u8>,
}

impl Deframer {
    /// Adds received bytes. Call [`Deframer::next_packet`] until it returns `None` afterwards, which bounds the memory.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Forgets everything received so far.
    pub fn clear(&mut self) {
        self.buffer.clear();
    }

    /// The next packet, or the next damaged candidate, or `None` when more bytes are needed.
    ///
    /// A damaged candidate is not yet a damaged packet: noise may have looked like one, and the packet may follow.
    pub fn next_packet(&mut self) -> Option<Result<Packet, PacketError>> {
        self.skip_noise();
        match Packet::at_front(&self.buffer) {
            Front::Packet(packet, length) => {
                self.drop_front(length);
                Some(Ok(packet))
            }
            Front::Damaged(error) => Some(self.packet_within_front().ok_or(error)),
            Front::Incomplete => None,
        }
    }

    /// Drops the bytes before the first that may begin a packet.
    fn skip_noise(&mut self) {
        let noise = self.buffer.iter().position(|byte| *byte == HEADER).unwrap_or(self.buffer.len());
        self.drop_front(noise);
    }

    /// Whether a candidate has begun that is not complete yet.
    #[must_use]
    pub fn has_incomplete(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// A complete packet that fits and stands behind an incomplete candidate, which noise may have feigned. The
    /// candidate is given up only if there is one.
    pub fn packet_behind(&mut self, fits: impl Fn(&Packet) -> bool) -> Option<Packet> {
        // Never longer: the candidate in front would be complete.
        debug_assert!(self.buffer.len() < MAX_PACKET);
        self.take_packet(1..self.buffer.len(), fits)
    }

    /// Gives up a damaged candidate. A packet that begins before the candidate would end proves that it was noise
    /// and no packet that was damaged.
    fn packet_within_front(&mut self) -> Option<Packet> {
        let extent = Packet::claimed_length(&self.buffer);
        let packet = self.take_packet(1..extent, |_| true);
        if packet.is_none() {
            self.drop_front(1);
        }
        packet
    }

    /// Takes the first complete packet that fits and begins in `range`, and everything before it.
    fn take_packet(&mut self, mut range: Range<usize>, fits: impl Fn(&Packet) -> bool) -> Option<Packet> {
        let found = range.find_map(|start| match self.buffer.get(start..).map(Packet::at_front) {
            Some(Front::Packet(packet, length)) if fits(&packet) => Some((packet, start + length)),
            _ => None,
        });
        let (packet, end) = found?;
        self.drop_front(end);
        Some(packet)
    }

    fn drop_front(&mut self, count: usize) {
        self.buffer.drain(..count.min(self.buffer.len()));
    }
}
