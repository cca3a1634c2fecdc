//! What stands in the emulated room: boards, their devices and what these answer. Filled by [`super::config`], used up
//! by [`super::responder`].

use opendcre_model::BoardId;

use super::answer::{Answer, Cycle};
use super::device::Device;
use super::scan_fault::ScanFaults;
use super::template::Template;

/// All boards of one emulated bus, in the order of the configuration.
#[derive(Debug, Clone)]
pub struct Room {
    pub(super) boards: Vec<Board>,
    pub(super) scan_faults: ScanFaults,
}

/// The answers to scans that are given instead of a list of devices: each time the next list of packets.
pub(super) type RawScan = Cycle<Vec<Template>>;

/// One board.
#[derive(Debug, Clone)]
pub(super) struct Board {
    pub(super) id: BoardId,
    /// The id as the configuration writes it, by which [`ScanFaults`] refer to the board.
    pub(super) name: String,
    /// Silence if there is none.
    pub(super) version: Answer,
    pub(super) retry_version: Option<Cycle<Answer>>,
    pub(super) raw_scan: Option<RawScan>,
    pub(super) retry_raw_scan: Option<RawScan>,
    pub(super) devices: Vec<Device>,
}
