//! The commands of the original's container, under the names of its start scripts: whoever runs that container runs this
//! one with the same line. `docs/compatibility.md` says what is different.

use std::ffi::OsString;
use std::fs::DirBuilder;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use opendcre_auth::token::{NewToken, TokenStore};
use opendcre_emulator::bus::{EmulatedBus, Room};
use opendcre_model::{Extent, Grant, WallClock};
use secrecy::ExposeSecret;

use crate::cli::DEFAULT_CONFIG;
use crate::clock::SystemClock;
use crate::config::{Config, DeviceBus};
use crate::demo;
use crate::input::read_text;
use crate::output;
use crate::serve::{self, FallBack, Source};

/// Where the configuration is looked for, in this order.
const CONFIGURATIONS: [&str; 2] = [IN_CONTAINER, DEFAULT_CONFIG];
/// Where containers have the configuration, as the original had its own.
pub(crate) const IN_CONTAINER: &str = "/opendcre/opendcre.toml";
/// Where the original has its BMCs.
const BMC_CONFIG: &str = "/opendcre/bmc_config.json";
/// What the original listens on.
const LISTEN: &str = "0.0.0.0:5000";
/// Where the original logs to.
const LOGS: &str = "/logs";
/// The tty that the HAT is on.
const DEVICE: &str = "/dev/ttyAMA0";
/// What the original calls the rack with the boards of its bus, in API 1.3.
const RACK: &str = "vapor_plc_rack";
/// More than any room needs.
const MAX_ROOM_BYTES: u64 = 16 << 20;

/// One of the start scripts with what was said to it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Script {
    /// `start_opendcre.sh [DEVICE [HARDWARE]]`: real equipment.
    Hardware {
        /// The tty, if one is named.
        device: Option<PathBuf>,
    },
    /// `start_opendcre_emulator.sh [FILE]` and `start_opendcre_plc_emulator.sh [FILE]`: emulated boards.
    Emulator {
        /// The boards; without it, a built-in room.
        room: Option<PathBuf>,
    },
    /// Something else was said.
    Misused {
        /// What should be.
        usage: &'static str,
    },
}

impl Script {
    /// The script by whose name the program was called, if it was.
    pub(crate) fn called_by(args: &[OsString]) -> Option<Self> {
        let (name, given) = args.split_first()?;
        let script = match Path::new(name).file_name()?.to_str()? {
            "start_opendcre.sh" => Self::hardware(given),
            "start_opendcre_emulator.sh" | "start_opendcre_plc_emulator.sh" => match given {
                [] => Self::Emulator { room: None },
                [room] => Self::Emulator { room: Some(room.into()) },
                _ => Self::Misused { usage: "at most one argument is expected: the file with the boards" },
            },
            _ => return None,
        };
        Some(script)
    }

    fn hardware(given: &[OsString]) -> Self {
        // The original numbered what is behind the tty: 0 is the HAT, 32 an emulator, and it never knew what 16 is.
        let is_tty = |hardware: &OsString| hardware == "0" || hardware == "32";
        match given {
            [] => Self::Hardware { device: None },
            [device] => Self::Hardware { device: Some(device.into()) },
            [device, hardware] if is_tty(hardware) => Self::Hardware { device: Some(device.into()) },
            _ => {
                Self::Misused { usage: "at most a tty and the number 0 (HAT) or 32 (emulator) are expected" }
            }
        }
    }

    /// Serves until the process is told to stop.
    ///
    /// # Errors
    /// As those of `opendcre serve`.
    pub(crate) fn run(self, out: &mut impl Write) -> anyhow::Result<()> {
        match self {
            Self::Hardware { device } => serve_hardware(device, out),
            Self::Emulator { room } => serve_emulator(room.as_deref()),
            Self::Misused { usage } => bail!(usage),
        }
    }
}

fn serve_hardware(device: Option<PathBuf>, out: &mut impl Write) -> anyhow::Result<()> {
    let found = CONFIGURATIONS.into_iter().map(Path::new).find(|path| path.exists());
    let bmcs = Some(Path::new(BMC_CONFIG)).filter(|path| path.exists());
    let source = Source {
        path: found.unwrap_or(Path::new(IN_CONTAINER)).to_owned(),
        built_in: Some(hardware(bmcs)),
        arrange: Some(Box::new(move |config| arrange(config, device.as_deref()))),
        fall_back: Some(FallBack::default()),
    };
    // What is wrong with it is said by the service, which may have another one to fall back to.
    if let Ok((config, _)) = source.read() {
        make_first_token(&config, &SystemClock, out)?;
    }
    serve::run(&source)
}

/// The configuration of those who have none.
fn hardware(bmcs: Option<&Path>) -> String {
    let bmcs = bmcs.map_or_else(String::new, |path| format!("[legacy]\nbmc_config = {path:?}\n"));
    format!(
        "[server]\nlisten = {LISTEN:?}\n[log]\ndirectory = {LOGS:?}\n{bmcs}\
         [[devicebus]]\nname = \"hat\"\nrack = {RACK:?}\ndevice = {DEVICE:?}\n"
    )
}

/// Takes the tty and the environment of the original into account.
fn arrange(config: &mut Config, device: Option<&Path>) {
    match (config.devicebus.as_mut_slice(), device) {
        (_, None) => {}
        ([], Some(device)) => config.devicebus.push(DeviceBus::new("hat", RACK, device)),
        // Of several, the first is the one that the original knew.
        ([bus, ..], Some(device)) => device.clone_into(&mut bus.device),
    }
    if std::env::var_os("VAPOR_DEBUG").is_some_and(|value| value == "true") {
        "debug".clone_into(&mut config.log.level);
    }
}

/// Makes a token for everything and prints it, once: where login is required, nothing else lets anybody in, and there has
/// never been a token.
fn make_first_token(config: &Config, clock: &dyn WallClock, out: &mut impl Write) -> anyhow::Result<()> {
    if !config.requires_login() || config.auth.is_configured() {
        return Ok(());
    }
    let made = DirBuilder::new().recursive(true).mode(0o700).create(&config.state.directory);
    // Whatever is wrong with the folder, the service says it, and what to do.
    let Some(tokens) = made.ok().and_then(|()| TokenStore::open(config.tokens_file()).ok()) else {
        return Ok(());
    };
    if !tokens.list()?.is_empty() {
        return Ok(());
    }
    let token = NewToken {
        name: "admin".to_owned(),
        grants: vec![Grant { role: "admin".to_owned(), extent: Extent::default() }],
        created_by: "first start".to_owned(),
        expires: None,
    };
    let (_, text) = tokens.create(&token, clock.now())?;
    let text = text.expose_secret();
    output::print(
        out,
        &format!(
            "\
This is the first start. The token \"admin\" may do everything; it is shown only this once:
  {text}
Send it with every request, as in
  curl --insecure -H 'Authorization: Bearer {text}' https://127.0.0.1:5000/opendcre/1.1/scan
or better, instead of --insecure, trust the certificate in {}.
",
            config.made_certificate().join("cert.pem").display()
        ),
    )
}

/// Nothing real is behind this: no configuration is read that could name equipment, and nobody has to log in.
fn serve_emulator(room: Option<&Path>) -> anyhow::Result<()> {
    let folder = demo::private_folder().context("cannot make a temporary directory")?;
    let room = read_room(room)?;
    let bus = EmulatedBus::open(room, demo::options())?.spawn()?;
    let source = Source {
        built_in: Some(emulator(bus.tty(), folder.path())),
        arrange: Some(Box::new(|config| {
            arrange(config, None);
            config.is_emulated = true;
        })),
        ..Source::default()
    };
    serve::run(&source)?;
    bus.unplug()?;
    folder.close().context("cannot remove the temporary directory")
}

fn read_room(path: Option<&Path>) -> anyhow::Result<Room> {
    let Some(path) = path else { return Ok(Room::from_json(demo::ROOM)?) };
    let name = path.display();
    let text = read_text(path, MAX_ROOM_BYTES).with_context(|| format!("cannot read {name}"))?;
    Room::from_json(&text).with_context(|| name.to_string())
}

fn emulator(tty: &Path, state: &Path) -> String {
    format!(
        "[server]\nlisten = {LISTEN:?}\ninsecure = true\n[state]\ndirectory = {state:?}\n[log]\ndirectory = {LOGS:?}\n\
         [[devicebus]]\nname = \"emulator\"\nrack = {RACK:?}\ndevice = {tty:?}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn called(line: &str) -> Option<Script> {
        Script::called_by(&line.split(' ').map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn the_scripts_take_what_they_took() {
        let device = |device: Option<&str>| Some(Script::Hardware { device: device.map(PathBuf::from) });
        let room = |room: Option<&str>| Some(Script::Emulator { room: room.map(PathBuf::from) });
        assert_eq!(called("./start_opendcre.sh"), device(None));
        assert_eq!(called("/opendcre/start_opendcre.sh /dev/ttyUSB0"), device(Some("/dev/ttyUSB0")));
        assert_eq!(called("./start_opendcre.sh /dev/ttyAMA0 0"), device(Some("/dev/ttyAMA0")));
        assert_eq!(called("./start_opendcre_emulator.sh"), room(None));
        assert_eq!(called("start_opendcre_plc_emulator.sh room.json"), room(Some("room.json")));
        for misused in ["start_opendcre.sh /dev/ttyAMA0 16", "start_opendcre_emulator.sh a b"] {
            assert!(matches!(called(misused), Some(Script::Misused { .. })), "{misused}");
        }
        assert_eq!(called("/usr/bin/opendcre serve"), None);
    }

    #[test]
    fn hardware_is_served_with_tls_and_login_and_the_emulator_openly() {
        let config = Config::parse(&hardware(Some(Path::new(BMC_CONFIG)))).unwrap();
        assert!(config.speaks_tls() && config.requires_login());
        assert_eq!(config.server.listen.to_string(), LISTEN);
        assert_eq!(config.devicebus[0].device, Path::new(DEVICE));
        assert_eq!(config.legacy.bmc_config.as_deref(), Some(Path::new(BMC_CONFIG)));
        let open = Config::parse(&emulator(Path::new("/dev/pts/7"), Path::new("/tmp/state"))).unwrap();
        assert!(!open.speaks_tls() && !open.requires_login());
        assert!(open.ipmi.is_empty() && open.legacy.bmc_config.is_none());
    }

    #[test]
    fn a_tty_that_is_named_counts_more_than_the_configuration() {
        let mut config = Config::default();
        arrange(&mut config, None);
        assert!(config.devicebus.is_empty());
        for device in ["/dev/ttyUSB0", "/dev/ttyUSB1"] {
            arrange(&mut config, Some(Path::new(device)));
            assert_eq!((config.devicebus.len(), config.devicebus[0].device.to_str()), (1, Some(device)));
        }
    }

    #[test]
    fn the_first_token_is_made_once_and_only_where_it_is_needed() {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::parse(&hardware(None)).unwrap();
        config.state.directory = folder.path().join("state");
        let printed = |config: &Config| {
            let mut out = Vec::new();
            make_first_token(config, &SystemClock, &mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert!(printed(&config).contains("Bearer odcre_"));
        assert_eq!(printed(&config), "");
        TokenStore::open(config.tokens_file()).unwrap().revoke("admin", SystemClock.now()).unwrap();
        assert_eq!(printed(&config), "", "who has revoked it does not want another one");
        config.state.directory = PathBuf::from("/proc/none");
        assert_eq!(printed(&config), "");
        let mut open = Config::default();
        open.state.directory = folder.path().join("other");
        assert_eq!(printed(&open), "");
    }
}
