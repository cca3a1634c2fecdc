//! `opendcre demo`: the gateway in front of an emulated room, in one process, to try things out.
//!
//! Nothing is shortened: the emulated boards answer at the speed of a real line on a tty of their own, the emulated
//! BMCs want a password on UDP ports of their own, and the gateway reaches both over the same code that it uses for
//! real equipment.

use std::ffi::OsString;
use std::fs::Permissions;
use std::io::{self, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use opendcre_emulator::bmc::{Fleet, FleetConfig};
use opendcre_emulator::bus::{EmulatedBus, Options, Room};
use opendcre_model::WallClock;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::cli::DemoArgs;
use crate::clock::SystemClock;
use crate::config::{self, Config, DeviceBus, Ipmi};
use crate::log;
use crate::output;
use crate::serve::{Service, Signals};

/// A rack controller and three servers.
const ROOM: &str = include_str!("demo/room.json");
const BAUD: u32 = 115_200;
/// What the servers with BMCs are for.
const SERVERS: [&str; 4] = ["db-01", "db-02", "build-01", "spare"];
/// A user that emulated BMCs know, who may switch power; the password is the same.
const BMC_USER: &str = "operator";

/// Runs the demo until the process is told to stop.
///
/// # Errors
/// When the address is taken, or this machine has no room for a pseudo-terminal, a socket or a temporary directory.
pub(crate) fn run(args: &DemoArgs, out: &mut impl Write) -> anyhow::Result<()> {
    let clock: Arc<dyn WallClock> = Arc::new(SystemClock);
    let folder = private_folder().context("cannot make a temporary directory")?;
    let bus = EmulatedBus::open(Room::from_json(ROOM)?, options())?.spawn()?;
    let fleet = Fleet::bind(&fleet_config())?.spawn()?;
    let password = write_password(folder.path()).context("cannot write to the temporary directory")?;
    let mut config = config(args, bus.tty(), folder.path());
    config.ipmi = bmcs(fleet.bmcs().addresses(), &password);
    let _logging = log::start(&config.log, config::level_of_environment().as_deref(), &clock)?;
    let runtime = tokio::runtime::Runtime::new().context("cannot start worker threads")?;
    runtime.block_on(serve(&config, &clock, out))?;
    fleet.stop()?;
    bus.unplug()?;
    folder.close().context("cannot remove the temporary directory")
}

/// A directory that nobody else can look into, removed when it is dropped.
fn private_folder() -> io::Result<TempDir> {
    tempfile::Builder::new().prefix("opendcre-demo-").permissions(Permissions::from_mode(0o700)).tempdir()
}

fn options() -> Options {
    Options { baud: Some(BAUD), ..Options::default() }
}

/// One BMC for each server, on ports that the system chooses.
fn fleet_config() -> FleetConfig {
    let listen = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0);
    FleetConfig { listen, count: u32::try_from(SERVERS.len()).unwrap_or(u32::MAX), ..FleetConfig::default() }
}

/// Writes the password of the BMCs to a file in `folder`.
fn write_password(folder: &Path) -> io::Result<PathBuf> {
    let path = folder.join("bmc-password");
    std::fs::write(&path, BMC_USER)?;
    Ok(path)
}

/// The tables of the BMCs, as a user would write them.
fn bmcs(addresses: &[SocketAddrV4], password: &Path) -> Vec<Ipmi> {
    let units = 1..;
    let servers = addresses.iter().zip(SERVERS).zip(units);
    let table = |((address, server), unit): ((&SocketAddrV4, &str), u8)| {
        let mut table = Ipmi::new("rack_8", SocketAddr::V4(*address), BMC_USER, "");
        table.password = None;
        table.password_file = Some(password.to_owned());
        table.asset_text = format!("{server}, rack 8, unit {unit}");
        table
    };
    servers.map(table).collect()
}

/// The configuration that a user would write, but for the files, which go into `folder`.
fn config(args: &DemoArgs, tty: &Path, folder: &Path) -> Config {
    let mut config = Config::default();
    config.server.listen = args.listen;
    config.devicebus = vec![DeviceBus::new("demo", "rack_7", tty)];
    config.log.level = "warn".to_owned();
    config.log.access = false;
    config.log.files = false;
    config.audit.file = Some(folder.join("audit.jsonl"));
    config
}

async fn serve(config: &Config, clock: &Arc<dyn WallClock>, out: &mut impl Write) -> anyhow::Result<()> {
    let mut signals = Signals::new()?;
    let service = Service::open(config, clock).await?;
    let program = std::env::args_os().next().unwrap_or_else(|| OsString::from("opendcre"));
    output::print(out, &welcome(service.address(), &program.to_string_lossy(), &config.ipmi))?;
    let stop = CancellationToken::new();
    let stopping = async {
        stop.run_until_cancelled(signals.stop()).await;
        stop.cancel();
    };
    let (served, ()) = tokio::join!(service.run(stop.clone()), stopping);
    served
}

/// What can be tried. `program` is what the user typed to start this.
fn welcome(address: SocketAddr, program: &str, bmcs: &[Ipmi]) -> String {
    let url = format!("http://{}", reachable(address));
    let api = format!("{url}/opendcre/1.1");
    // The client's own default needs no option.
    let client = match address.to_string().as_str() {
        "127.0.0.1:5000" => program.to_owned(),
        _ => format!("{program} --server {url}"),
    };
    let bmc = bmcs.first().map(|bmc| direct(program, bmc)).unwrap_or_default();
    format!(
        "\
OpenDCRE demo: a rack with four boards on a device bus, and a rack of four servers with BMCs.
All of it is emulated; no real equipment is touched.

Try in another terminal:
  curl {api}/scan
  curl {api}/version/11
  curl {api}/read/thermistor/10/01ff
  curl {api}/read/power/11/0dff/info
  curl -X POST {api}/power/off/11/0dff
  curl {api}/power/status/11/0dff

All BMCs are devices of board 40000000:
  curl {api}/scan/40000000
  curl {api}/read/power/40000000/0001/info
  curl {api}/power/status/40000000/0001
  curl -X POST {api}/power/off/40000000/0001
  curl -X POST {api}/power/on/40000000/0001

The same with the command line client:
  {client} scan
  {client} version 11
  {client} read thermistor 10 01ff
  {client} asset get 11 0dff
  {client} power off 11 0dff
  {client} power status 11 0dff
  {client} power cycle 40000000 0002

One BMC by itself, beside the gateway:
  {bmc} info
  {bmc} sensors
  {bmc} sel list

Ctrl-C ends the demo.
"
    )
}

/// How a BMC is talked to without the gateway; commands follow.
fn direct(program: &str, bmc: &Ipmi) -> String {
    let Ipmi { address, username, password_file, .. } = bmc;
    let file = password_file.as_deref().unwrap_or(Path::new("")).display();
    format!("{program} ipmi --host {address} --user {username} --password-file {file}")
}

/// An address that this machine can call: the unspecified one means all interfaces, so also this.
fn reachable(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => (Ipv4Addr::LOCALHOST, v4.port()).into(),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => (Ipv6Addr::LOCALHOST, v6.port()).into(),
        _ => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_room_is_sound() {
        Room::from_json(ROOM).unwrap();
    }

    #[test]
    fn every_server_has_a_bmc_and_a_place() {
        let config = fleet_config();
        assert!(config.listen.ip().is_loopback());
        let addresses: Vec<SocketAddrV4> =
            ["127.0.0.1:40001", "127.0.0.1:40002", "127.0.0.1:40003", "127.0.0.1:40004"]
                .map(|address| address.parse().unwrap())
                .into();
        let tables = bmcs(&addresses, Path::new("/demo/bmc-password"));
        assert_eq!((tables.len(), config.count), (SERVERS.len(), 4));
        assert_eq!(tables[3].asset_text, "spare, rack 8, unit 4");
        assert_eq!(tables[3].address, "127.0.0.1:40004".parse().unwrap());
        assert!(!tables[3].has_inline_password() && !tables[3].is_weak());
    }

    #[test]
    fn what_the_demo_writes_is_private() {
        let folder = private_folder().unwrap();
        let mode = folder.path().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }

    #[test]
    fn the_welcome_says_where_to_call() {
        let bmcs = bmcs(&["127.0.0.1:40001".parse().unwrap()], Path::new("/demo/bmc-password"));
        let usual = welcome("127.0.0.1:5000".parse().unwrap(), "opendcre", &bmcs);
        assert!(usual.contains("All of it is emulated"));
        assert!(usual.contains("\n  curl http://127.0.0.1:5000/opendcre/1.1/scan\n"), "{usual}");
        assert!(usual.contains("\n  opendcre scan\n"), "{usual}");
        let bmc = "opendcre ipmi --host 127.0.0.1:40001 --user operator --password-file /demo/bmc-password";
        assert!(usual.contains(&format!("\n  {bmc} sensors\n")), "{usual}");

        let everywhere = welcome("[::]:80".parse().unwrap(), "./opendcre", &bmcs);
        assert!(everywhere.contains("\n  curl http://[::1]:80/opendcre/1.1/scan\n"), "{everywhere}");
        assert!(everywhere.contains("\n  ./opendcre --server http://[::1]:80 scan\n"), "{everywhere}");
    }
}
