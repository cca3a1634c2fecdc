//! The serial buses of the configuration as drivers, and what takes the place of those where nobody answers.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::bail;
use opendcre_devicebus::{Protocol, ReplyMatching, address};
use opendcre_drivers::devicebus::{BusConfig, BusOwner, DeviceBus};
use opendcre_emulator::bus::Handle;
use opendcre_gateway::{Defect, Mount};
use opendcre_model::{BoardId, WallClock};

use super::stand_in;
use crate::config::{self, BoardRange, Config, Fallback};

/// The boards that a serial bus can hold; the ids above belong to other protocols.
const BUS_BOARDS: BoardRange = BoardRange { first: BoardId(0), last: BoardId(address::MAX_BOARD) };

/// The most changes that run on one serial bus: what its queue holds by default.
const MAX_BUS_CHANGES: usize = 64;

/// All buses.
#[derive(Default)]
pub(super) struct Buses {
    pub(super) mounts: Vec<Mount>,
    pub(super) owners: Vec<BusOwner>,
    /// The emulated buses among them, which exist as long as these are kept.
    pub(super) stand_ins: Vec<Handle>,
    pub(super) defects: Vec<Defect>,
}

/// Opens the buses of `config`. Nothing is sent but to find out whether somebody answers where otherwise an emulator takes
/// the place of the bus. A bus whose tty cannot be opened now is served as soon as it can.
///
/// # Errors
/// A bus that cannot be served in any way.
pub(super) async fn open(config: &Config, clock: &Arc<dyn WallClock>) -> anyhow::Result<Buses> {
    let mut buses = Buses::default();
    for bus in &config.devicebus {
        let settings = bus_config(bus)?;
        let stand_in = match bus.fallback {
            Some(Fallback::Emulator) => stand_in::find(settings.clone(), clock).await?,
            None => None,
        };
        let (driver, owner) =
            open_line(stand_in.as_ref().map_or(settings, |stand_in| stand_in.bus.clone()), clock);
        buses.owners.push(owner);
        match stand_in {
            None => buses.mounts.push(mount(config, bus, driver)),
            Some(stand_in) => {
                buses.mounts.push(emulated_mount(bus, driver));
                buses.stand_ins.push(stand_in.handle);
                buses.defects.push(stand_in.defect);
            }
        }
    }
    Ok(buses)
}

fn open_line(settings: BusConfig, clock: &Arc<dyn WallClock>) -> (DeviceBus, BusOwner) {
    match DeviceBus::open(settings.clone(), Arc::clone(clock)) {
        Ok(opened) => opened,
        Err(error) => {
            tracing::error!(bus = settings.name, %error, "a bus is not served yet");
            DeviceBus::absent(settings, &error, Arc::clone(clock))
        }
    }
}

fn mount(config: &Config, bus: &config::DeviceBus, driver: DeviceBus) -> Mount {
    let boards = bus.boards.unwrap_or(BUS_BOARDS);
    Mount {
        driver: Arc::new(driver),
        boards: boards.first..=boards.last,
        rack: bus.rack.clone(),
        annotations: config.annotations(bus),
        max_changes: MAX_BUS_CHANGES,
    }
}

/// What takes the place of `bus`. Its boards get none of the names that belong to real ones.
fn emulated_mount(bus: &config::DeviceBus, driver: DeviceBus) -> Mount {
    Mount {
        driver: Arc::new(driver),
        boards: BUS_BOARDS.first..=BUS_BOARDS.last,
        rack: bus.rack.clone(),
        annotations: Vec::new(),
        max_changes: MAX_BUS_CHANGES,
    }
}

fn bus_config(bus: &config::DeviceBus) -> anyhow::Result<BusConfig> {
    let replies = match bus.replies {
        config::Replies::Strict => ReplyMatching::Strict,
        config::Replies::Compatible => ReplyMatching::Compatible,
    };
    let protocol = match bus.protocol {
        config::Protocol::V1_1 => Protocol::V1_1,
        config::Protocol::V1_2 => Protocol::V1_2,
        config::Protocol::V1_3 => Protocol::V1_3,
    };
    let Ok(time_slice_ms) = u8::try_from(bus.time_slice.as_millis()) else {
        bail!("devicebus {}: time_slice must be at most 255ms", bus.name);
    };
    Ok(BusConfig {
        baud: bus.baud,
        timeout: bus.timeout,
        replies,
        protocol,
        retry_limit: bus.retry_limit,
        time_slice_ms,
        master_id: master_id(),
        save_slots: bus.save_slots,
        backlog: bus.backlog,
        ..BusConfig::new(&bus.name, &bus.device)
    })
}

/// Two bytes that tell boards which master assigned their slot, from the first network interface that has an
/// address, as the original does it. Without any, zeros: boards treat the value as opaque.
fn master_id() -> [u8; 2] {
    let Ok(interfaces) = std::fs::read_dir("/sys/class/net") else { return [0, 0] };
    let mut interfaces: Vec<PathBuf> = interfaces.flatten().map(|entry| entry.path()).collect();
    interfaces.sort();
    let addresses = interfaces.iter().filter_map(|path| std::fs::read_to_string(path.join("address")).ok());
    let mut addresses = addresses.filter_map(|text| mac_address(&text)).filter(|mac| *mac != [0; 6]);
    addresses.next().map_or([0, 0], address::master_id)
}

fn mac_address(text: &str) -> Option<[u8; 6]> {
    let bytes: Result<Vec<u8>, _> = text.trim().split(':').map(|byte| u8::from_str_radix(byte, 16)).collect();
    bytes.ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_six_bytes_are_a_network_address() {
        assert_eq!(mac_address("b8:27:eb:12:34:56\n"), Some([0xb8, 0x27, 0xeb, 0x12, 0x34, 0x56]));
        for text in ["", "b8:27", "b8:27:eb:12:34:56:78", "zz:27:eb:12:34:56", "100:0:0:0:0:0"] {
            assert_eq!(mac_address(text), None, "{text}");
        }
    }
}
