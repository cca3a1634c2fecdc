//! The serial device bus of OpenDCRE, versions 1.1 to 1.3, without I/O.
//!
//! * [`Packet`] is the frame: header, length, sequence, addresses, data, checksum, trailer.
//! * [`Deframer`] finds packets in a stream of possibly damaged bytes.
//! * [`Request`] and the functions of [`reply`] give packets a meaning; [`conversion`] turns raw numbers into
//!   units.
//! * [`Master`] runs transactions: one at a time, matched, with deadlines, retries and scan collection.
//!
//! Bytes and time go in, bytes and events come out: the same code serves the gateway, the emulator, the fuzzers
//! and tests in virtual time. Nothing here opens a tty, sleeps or reads a clock.
//!
//! The section numbers in this crate refer to the OpenDCRE device bus protocol description.

pub mod address;
mod checksum;
mod command;
pub mod conversion;
mod deframer;
pub mod kind;
mod master;
mod packet;
pub mod reply;

pub use checksum::checksum;
pub use command::{BootTarget, ChamberLed, Command, Override, PowerSwitch, Request, UnknownCommand};
pub use deframer::Deframer;
pub use kind::Protocol;
pub use master::{
    Completion, Master, MasterConfig, Reply, ReplyMatching, Statistics, TransactionError, Transmit,
};
pub use packet::{MAX_DATA, MAX_PACKET, MIN_PACKET, Packet, PacketError};

/// Bits that one byte occupies on the line: start, eight data, stop (8N1, §1).
pub const BITS_PER_BYTE: u32 = 10;

/// The time that `bytes` bytes occupy the line at `baud` bits per second. Zero for a baud of zero.
#[must_use]
pub fn wire_time(bytes: usize, baud: u32) -> std::time::Duration {
    let bits = u64::try_from(bytes).unwrap_or(u64::MAX).saturating_mul(u64::from(BITS_PER_BYTE));
    let nanoseconds = bits.saturating_mul(1_000_000_000).checked_div(u64::from(baud)).unwrap_or(0);
    std::time::Duration::from_nanos(nanoseconds)
}
