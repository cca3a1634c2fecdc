//! `opendcre demo`: the gateway in front of an emulated room, in one process, to try things out.
//!
//! Nothing is shortened: the emulated boards answer at the speed of a real line on a tty of their own, and the
//! gateway reaches them over the same serial code that it uses for real boards.

use std::ffi::OsString;
use std::fs::Permissions;
use std::io::{self, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use opendcre_emulator::bus::{EmulatedBus, Options, Room};
use opendcre_model::WallClock;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::cli::DemoArgs;
use crate::clock::SystemClock;
use crate::config::{self, Config, DeviceBus};
use crate::log;
use crate::output;
use crate::serve::{Service, Signals};

/// A rack controller and three servers.
const ROOM: &str = include_str!("demo/room.json");
const BAUD: u32 = 115_200;

/// Runs the demo until the process is told to stop.
///
/// # Errors
/// When the address is taken, or this machine has no room for a pseudo-terminal or a temporary directory.
pub(crate) fn run(args: &DemoArgs, out: &mut impl Write) -> anyhow::Result<()> {
    let clock: Arc<dyn WallClock> = Arc::new(SystemClock);
    let folder = private_folder().context("cannot make a temporary directory")?;
    let emulator = EmulatedBus::open(Room::from_json(ROOM)?, options())?.spawn()?;
    let config = config(args, emulator.tty(), folder.path());
    let _logging = log::start(&config.log, config::level_of_environment().as_deref(), &clock)?;
    let runtime = tokio::runtime::Runtime::new().context("cannot start worker threads")?;
    runtime.block_on(serve(&config, &clock, out))?;
    emulator.unplug()?;
    folder.close().context("cannot remove the temporary directory")
}

/// A directory that nobody else can look into, removed when it is dropped.
fn private_folder() -> io::Result<TempDir> {
    tempfile::Builder::new().prefix("opendcre-demo-").permissions(Permissions::from_mode(0o700)).tempdir()
}

fn options() -> Options {
    Options { baud: Some(BAUD), ..Options::default() }
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
    output::print(out, &welcome(service.address(), &program.to_string_lossy()))?;
    let stop = CancellationToken::new();
    let stopping = async {
        stop.run_until_cancelled(signals.stop()).await;
        stop.cancel();
    };
    let (served, ()) = tokio::join!(service.run(stop.clone()), stopping);
    served
}

/// What can be tried. `program` is what the user typed to start this.
fn welcome(address: SocketAddr, program: &str) -> String {
    let url = format!("http://{}", reachable(address));
    let api = format!("{url}/opendcre/1.1");
    // The client's own default needs no option.
    let client = match address.to_string().as_str() {
        "127.0.0.1:5000" => program.to_owned(),
        _ => format!("{program} --server {url}"),
    };
    format!(
        "\
OpenDCRE demo: a rack with four boards. All of it is emulated; no real equipment is touched.

Try in another terminal:
  curl {api}/scan
  curl {api}/version/11
  curl {api}/read/thermistor/10/01ff
  curl {api}/read/power/11/0dff/info
  curl -X POST {api}/power/off/11/0dff
  curl {api}/power/status/11/0dff

The same with the command line client:
  {client} scan
  {client} version 11
  {client} read thermistor 10 01ff
  {client} asset get 11 0dff
  {client} power off 11 0dff
  {client} power status 11 0dff

Ctrl-C ends the demo.
"
    )
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
    fn what_the_demo_writes_is_private() {
        let folder = private_folder().unwrap();
        let mode = folder.path().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }

    #[test]
    fn the_welcome_says_where_to_call() {
        let usual = welcome("127.0.0.1:5000".parse().unwrap(), "opendcre");
        assert!(usual.contains("All of it is emulated"));
        assert!(usual.contains("\n  curl http://127.0.0.1:5000/opendcre/1.1/scan\n"), "{usual}");
        assert!(usual.contains("\n  opendcre scan\n"), "{usual}");

        let everywhere = welcome("[::]:80".parse().unwrap(), "./opendcre");
        assert!(everywhere.contains("\n  curl http://[::1]:80/opendcre/1.1/scan\n"), "{everywhere}");
        assert!(everywhere.contains("\n  ./opendcre --server http://[::1]:80 scan\n"), "{everywhere}");
    }
}
