//! The gateway with its buses and its API, open and ready to run. It reads neither configuration files nor
//! signals.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, anyhow, bail};
use opendcre_api::{Api, Limits, Server};
use opendcre_devicebus::{Protocol, ReplyMatching, address};
use opendcre_drivers::devicebus::{BusConfig, BusOwner, DeviceBus};
use opendcre_gateway::{AuditLog, Gateway, Mount, Settings};
use opendcre_model::{BoardId, WallClock};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::config::{self, BoardRange, Config};

/// The boards that a serial bus can hold; the ids above belong to other protocols.
const BUS_BOARDS: BoardRange = BoardRange { first: BoardId(0), last: BoardId(address::MAX_BOARD) };

/// Everything is open; nothing is sent or accepted until it runs.
pub(crate) struct Service {
    server: Server,
    api: Api,
    owners: Vec<BusOwner>,
}

impl Service {
    /// Opens the address, the buses and the audit log of `config`.
    ///
    /// # Errors
    /// The first of them that cannot be opened.
    pub(crate) async fn open(config: &Config, clock: &Arc<dyn WallClock>) -> anyhow::Result<Self> {
        let server = Server::bind(config.server.listen).await?;
        let mut mounts = Vec::new();
        let mut owners = Vec::new();
        for bus in &config.devicebus {
            let (driver, owner) = DeviceBus::open(bus_config(bus)?, Arc::clone(clock))?;
            let boards = bus.boards.unwrap_or(BUS_BOARDS);
            mounts.push(Mount { driver: Arc::new(driver), boards: boards.first..=boards.last });
            owners.push(owner);
        }
        let audit = AuditLog::open(config.audit_file())?;
        let settings = Settings { read_only: config.server.read_only, ..Settings::default() };
        let gateway = Gateway::new(mounts, audit, Arc::clone(clock), settings);
        let api = Api::new(gateway, &**clock, limits(&config.server)?);
        Ok(Self { server, api, owners })
    }

    /// Where the server listens.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Serves until `stop`, and stops in order. Also stops, and cancels `stop`, when a bus fails for good.
    ///
    /// # Errors
    /// When a bus failed for good.
    pub(crate) async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        let stop_buses = CancellationToken::new();
        let mut buses = JoinSet::new();
        for owner in self.owners {
            buses.spawn(owner.run(stop_buses.clone()));
        }
        let mut serving = std::pin::pin!(self.server.run(self.api, stop.clone()));
        let outcome = tokio::select! {
            () = &mut serving => Ok(()),
            Some(ended) = buses.join_next() => {
                stop.cancel();
                serving.await;
                Err(anyhow!("a bus ended by itself, which is a fault of this program: {ended:?}"))
            }
        };
        stop_buses.cancel();
        outcome.and(join_all(buses).await)
    }
}

/// Waits for every bus, also after one that failed, so that none is cut off on the wire.
async fn join_all(mut buses: JoinSet<()>) -> anyhow::Result<()> {
    let mut outcome = Ok(());
    while let Some(ended) = buses.join_next().await {
        outcome = outcome.and(ended.context("a bus ended by a fault of this program"));
    }
    outcome
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

fn limits(server: &config::Server) -> anyhow::Result<Limits> {
    Ok(Limits {
        connections: server.max_connections,
        header_timeout: server.header_timeout,
        header_bytes: usize::try_from(server.max_header.0)?,
        body_bytes: usize::try_from(server.max_body.0)?,
        request_timeout: server.request_timeout,
        send_timeout: server.send_timeout,
        drain_timeout: server.shutdown_timeout,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_bus_that_failed_does_not_cut_off_the_others() {
        let mut buses = JoinSet::new();
        buses.spawn(std::future::pending()).abort();
        let finished = Arc::new(AtomicBool::new(false));
        buses.spawn({
            let finished = Arc::clone(&finished);
            async move {
                tokio::time::sleep(Duration::from_secs(1)).await;
                finished.store(true, Ordering::Relaxed);
            }
        });
        let error = join_all(buses).await.unwrap_err();
        assert_eq!(error.to_string(), "a bus ended by a fault of this program");
        assert!(finished.load(Ordering::Relaxed));
    }

    #[test]
    fn only_six_bytes_are_a_network_address() {
        assert_eq!(mac_address("b8:27:eb:12:34:56\n"), Some([0xb8, 0x27, 0xeb, 0x12, 0x34, 0x56]));
        for text in ["", "b8:27", "b8:27:eb:12:34:56:78", "zz:27:eb:12:34:56", "100:0:0:0:0:0"] {
            assert_eq!(mac_address(text), None, "{text}");
        }
    }
}
