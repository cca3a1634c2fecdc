//! `opendcre emulate bus`: all boards of a device bus on a pseudo-terminal.

use std::io::Write;
use std::path::Path;

use anyhow::Context;
use opendcre_emulator::bus::{EmulatedBus, FaultPlan, Headers, Options, Protocol, Room};

use super::{MAX_FILE_BYTES, until_stopped};
use crate::cli::{AnswerHeaders, BusProtocol, EmulateBusArgs, FaultKind};
use crate::input::read_text;
use crate::output;
use crate::serve::Signals;

/// Emulates a bus until the process is told to stop. The first line on `out` is the name of the tty and, after a
/// blank, that of its link.
///
/// # Errors
/// When the room is not sound, or no pseudo-terminal or link can be made.
pub(super) async fn run(args: &EmulateBusArgs, out: &mut impl Write) -> anyhow::Result<()> {
    let room = read_room(&args.config)?;
    let signals = Signals::new()?;
    let bus = EmulatedBus::open(room, options(args))?;
    let tty = bus.tty().display();
    match &args.link {
        Some(link) => output::print(out, &format!("{tty} {}\n", link.display()))?,
        None => output::print(out, &format!("{tty}\n"))?,
    }
    until_stopped(signals, move |stop| bus.run(stop)).await
}

fn read_room(path: &Path) -> anyhow::Result<Room> {
    let name = path.display();
    let text = read_text(path, MAX_FILE_BYTES).with_context(|| format!("cannot read {name}"))?;
    Room::from_json(&text).with_context(|| name.to_string())
}

fn options(args: &EmulateBusArgs) -> Options {
    let protocol = match args.protocol {
        BusProtocol::V1_1 => Protocol::V1_1,
        BusProtocol::V1_2 => Protocol::V1_2,
        BusProtocol::V1_3 => Protocol::V1_3,
    };
    let headers = args.headers.map_or_else(
        || Headers::usual(protocol),
        |headers| match headers {
            AnswerHeaders::Full => Headers::Full,
            AnswerHeaders::Legacy => Headers::Legacy,
        },
    );
    Options { protocol, headers, baud: args.baud, link: args.link.clone(), faults: fault_plan(args) }
}

/// The rates that were asked for; of several for one kind, the last counts.
fn fault_plan(args: &EmulateBusArgs) -> FaultPlan {
    let mut plan = FaultPlan { seed: args.seed, delay_max: args.delay_max, ..FaultPlan::default() };
    for fault in &args.faults {
        let rate = match fault.kind {
            FaultKind::Drop => &mut plan.drop,
            FaultKind::Corrupt => &mut plan.corrupt,
            FaultKind::Delay => &mut plan.delay,
            FaultKind::Duplicate => &mut plan.duplicate,
            FaultKind::Noise => &mut plan.noise,
            FaultKind::Truncate => &mut plan.truncate,
            FaultKind::Silence => &mut plan.silence,
        };
        *rate = fault.rate;
    }
    plan
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command, EmulateCommand};

    #[test]
    fn options_reach_the_emulator() {
        let line = "opendcre emulate bus --config room.json --link /tmp/bus --baud 9600 --seed 7 --protocol 1.1 \
                    --headers legacy --fault drop=0.25 --fault noise=1 --fault drop=0.5 --delay-max 1s";
        let Command::Emulate(args) = Cli::try_parse_from(line.split_whitespace()).unwrap().command else {
            panic!("not an emulator");
        };
        let EmulateCommand::Bus(args) = args.command else { panic!("not a bus") };
        let options = options(&args);
        assert_eq!(options.baud, Some(9600));
        assert_eq!(options.link.as_deref(), Some(Path::new("/tmp/bus")));
        assert_eq!(options.protocol, Protocol::V1_1);
        assert_eq!(options.headers, Headers::Legacy);
        let expected = FaultPlan {
            seed: 7,
            drop: 0.5,
            noise: 1.0,
            delay_max: std::time::Duration::from_secs(1),
            ..FaultPlan::default()
        };
        assert_eq!(options.faults, expected);
    }

    #[test]
    fn a_broken_room_is_one_line_that_names_the_file_and_the_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("room.json");
        std::fs::write(&path, r#"{"boards": [{"board_id": 7}]}"#).unwrap();
        let line = format!("{:#}", read_room(&path).unwrap_err());
        assert!(line.contains("room.json: boards[0].board_id: "), "{line}");
        assert!(!line.contains('\n'), "{line}");
        let line = format!("{:#}", read_room(&folder.path().join("none")).unwrap_err());
        assert!(line.starts_with("cannot read "), "{line}");
    }
}
