//! `opendcre demo`: the gateway in front of an emulated room, in one process, to try things out.
//!
//! Nothing is shortened: the emulated boards answer at the speed of a real line on a tty of their own, the emulated
//! BMCs want a password on UDP ports of their own, and the gateway reaches both over the same code that it uses for
//! real equipment.

use std::collections::BTreeMap;
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
use opendcre_model::{BoardId, WallClock};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::cli::DemoArgs;
use crate::clock::SystemClock;
use crate::config::{self, Board, Config, DeviceBus, Ipmi};
use crate::log;
use crate::output;
use crate::serve::{Service, Signals};

/// A rack controller, three servers and a power shelf.
pub(crate) const ROOM: &str = include_str!("demo/room.json");
const BAUD: u32 = 115_200;
/// The servers with BMCs: name, rack, unit and role.
const SERVERS: [(&str, u8, u8, &str); 6] = [
    ("db-01", 8, 1, "db"),
    ("db-02", 8, 2, "db"),
    ("build-01", 8, 3, "build"),
    ("spare", 8, 4, "spare"),
    ("web-03", 7, 20, "web"),
    ("web-04", 7, 22, "web"),
];
/// The boards of the bus that have a name, and their role.
const BOARDS: [(u32, &str, &str); 5] = [
    (0x10, "controller-7", "rack"),
    (0x11, "web-01", "web"),
    (0x12, "web-02", "web"),
    (0x13, "db-03", "db"),
    (0x20, "shelf-7", "rack"),
];
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
pub(crate) fn private_folder() -> io::Result<TempDir> {
    tempfile::Builder::new().prefix("opendcre-demo-").permissions(Permissions::from_mode(0o700)).tempdir()
}

pub(crate) fn options() -> Options {
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
    let servers = addresses.iter().zip(SERVERS);
    let table = |(address, (server, rack, unit, role)): (&SocketAddrV4, (&str, u8, u8, &str))| {
        let mut table = Ipmi::new(&format!("rack_{rack}"), SocketAddr::V4(*address), BMC_USER, "");
        table.password = None;
        table.password_file = Some(password.to_owned());
        table.asset_text = format!("{server}, rack {rack}, unit {unit}");
        table.name = Some(server.to_owned());
        table.hostnames = vec![format!("{server}.example")];
        table.labels = label(role);
        table
    };
    servers.map(table).collect()
}

/// The tables of the boards on the bus, as a user would write them.
fn boards() -> Vec<Board> {
    let table = |(id, name, role): (u32, &str, &str)| {
        let mut table = Board::new(BoardId(id));
        table.name = Some(name.to_owned());
        table.labels = label(role);
        table
    };
    BOARDS.into_iter().map(table).collect()
}

fn label(role: &str) -> BTreeMap<String, String> {
    BTreeMap::from([("role".to_owned(), role.to_owned())])
}

/// A name for each role that several boards have.
fn groups() -> BTreeMap<String, String> {
    ["db", "web"].map(|role| (role.to_owned(), format!("role={role}"))).into()
}

/// The configuration that a user would write, but for the files, which go into `folder`.
fn config(args: &DemoArgs, tty: &Path, folder: &Path) -> Config {
    let mut config = Config::default();
    config.server.listen = args.listen;
    // There is nothing to protect.
    config.server.insecure = !config.is_local();
    config.is_emulated = true;
    config.devicebus = vec![DeviceBus::new("demo", "rack_7", tty)];
    config.board = boards();
    config.groups = groups();
    config.state.directory = folder.to_owned();
    config.log.level = "warn".to_owned();
    config.log.access = false;
    config.log.files = false;
    config
}

async fn serve(config: &Config, clock: &Arc<dyn WallClock>, out: &mut impl Write) -> anyhow::Result<()> {
    let mut signals = Signals::new()?;
    let service = Service::open(config, clock, Vec::new()).await?;
    let program = std::env::args_os().next().unwrap_or_else(|| OsString::from("opendcre"));
    let welcome =
        welcome(service.address().unwrap_or(config.server.listen), &program.to_string_lossy(), &config.ipmi);
    let stop = CancellationToken::new();
    let gateway = service.gateway().clone();
    let greeting = async {
        // What is suggested must be there when it is typed.
        stop.run_until_cancelled(gateway.has_looked()).await;
        output::print(out, &welcome).inspect_err(|_| stop.cancel())
    };
    let stopping = async {
        stop.run_until_cancelled(signals.stop()).await;
        stop.cancel();
    };
    let (served, greeted, ()) = tokio::join!(service.run(stop.clone()), greeting, stopping);
    served.and(greeted)
}

/// What can be tried. `program` is what the user typed to start this.
fn welcome(address: SocketAddr, program: &str, bmcs: &[Ipmi]) -> String {
    let url = format!("http://{}", reachable(address));
    let api = format!("{url}/opendcre/2");
    // The client's own default needs no option.
    let client = match address.to_string().as_str() {
        "127.0.0.1:5000" => program.to_owned(),
        _ => format!("{program} --server {url}"),
    };
    let bmc = bmcs.first().map(|bmc| direct(program, bmc)).unwrap_or_default();
    format!(
        "\
OpenDCRE demo: five boards on the device bus of rack_7, and six servers with BMCs in rack_7 and rack_8.
All of it is emulated; no real equipment is touched.

Try in another terminal:
  {client} list
  {client} read 'web-[01-04]'
  {client} read all --kind temperature
  {client} power status role=web,-web-03
  {client} power off web --yes
  {client} power on web --yes
  {client} asset get db-01
  {client} events
  {client} history db --quantity temperature --from -5m
  {client} poll status

The same from any program; {api}/docs in a browser shows everything there is:
  curl '{api}/boards?nodes=web&fields=id,name,rack,state'
  curl '{api}/boards/shelf-7/readings'
  curl --globoff '{api}/readings?nodes=db-[01-03]&kind=power'
  curl --json '{{\"nodes\": \"spare\", \"action\": \"off\"}}' '{api}/power'
  curl '{api}/jobs?sort=-created&limit=1'
  curl '{api}/history?nodes=web&from=-5m&format=csv'
  curl '{api}/events?severity=warning'

And as clients of earlier releases know it:
  curl {url}/opendcre/1.3/scan
  curl {url}/opendcre/1.3/power/rack_8/db-01.example/0100/status
  curl {url}/opendcre/1.1/scan/40000000
  curl -X POST {url}/opendcre/1.1/power/on/40000000/0004

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
            (40_001..=40_006).map(|port| SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)).collect();
        let tables = bmcs(&addresses, Path::new("/demo/bmc-password"));
        assert_eq!((tables.len(), config.count), (SERVERS.len(), 6));
        assert_eq!(tables[3].asset_text, "spare, rack 8, unit 4");
        assert_eq!(tables[3].address, "127.0.0.1:40004".parse().unwrap());
        assert!(!tables[3].has_inline_password() && !tables[3].is_weak());
    }

    #[test]
    fn the_names_are_sound() {
        let folder = Path::new("/demo");
        let args = DemoArgs { listen: "127.0.0.1:0".parse().unwrap() };
        let mut config = config(&args, Path::new("/dev/pts/1"), folder);
        config.ipmi = bmcs(&["127.0.0.1:40001".parse().unwrap()], &folder.join("bmc-password"));
        assert!(std::mem::take(&mut config.is_emulated), "which no file can say");
        assert_eq!(Config::parse(&toml::to_string(&config).unwrap()), Ok(config));
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
        assert!(usual.contains("\n  curl http://127.0.0.1:5000/opendcre/1.3/scan\n"), "{usual}");
        assert!(usual.contains("\n  opendcre list\n"), "{usual}");
        let bmc = "opendcre ipmi --host 127.0.0.1:40001 --user operator --password-file /demo/bmc-password";
        assert!(usual.contains(&format!("\n  {bmc} sensors\n")), "{usual}");

        let everywhere = welcome("[::]:80".parse().unwrap(), "./opendcre", &bmcs);
        assert!(everywhere.contains("\n  curl http://[::1]:80/opendcre/1.3/scan\n"), "{everywhere}");
        assert!(everywhere.contains("\n  ./opendcre --server http://[::1]:80 list\n"), "{everywhere}");
    }
}
