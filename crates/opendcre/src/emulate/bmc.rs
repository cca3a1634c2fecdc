//! `opendcre emulate bmc`: BMCs on UDP ports.

use std::io::Write;
use std::net::SocketAddrV4;

use anyhow::{Context, bail};
use opendcre_emulator::bmc::{FaultPlan, Fleet, FleetConfig, Spread};

use super::{MAX_FILE_BYTES, until_stopped};
use crate::cli::{BmcFaultKind, BmcSpread, EmulateBmcArgs};
use crate::input::read_text;
use crate::output;
use crate::serve::Signals;

/// Emulates BMCs until the process is told to stop. The first lines on `out` are their addresses.
///
/// # Errors
/// When the file is not sound, or an address is taken.
pub(super) async fn run(args: &EmulateBmcArgs, out: &mut impl Write) -> anyhow::Result<()> {
    let config = fleet_config(args)?;
    let signals = Signals::new()?;
    let fleet = Fleet::bind(&config)?;
    output::print(out, &lines(fleet.bmcs().addresses()))?;
    until_stopped(signals, move |stop| fleet.run(stop)).await
}

fn lines(addresses: &[SocketAddrV4]) -> String {
    addresses.iter().map(|address| format!("{address}\n")).collect()
}

/// What the file says, and what the options say instead.
fn fleet_config(args: &EmulateBmcArgs) -> anyhow::Result<FleetConfig> {
    let mut config = match &args.config {
        None => FleetConfig::default(),
        Some(path) => {
            let name = path.display();
            let text = read_text(path, MAX_FILE_BYTES).with_context(|| format!("cannot read {name}"))?;
            FleetConfig::from_toml(&text).with_context(|| name.to_string())?
        }
    };
    config.listen = args.listen.unwrap_or(config.listen);
    config.count = args.count.unwrap_or(config.count);
    config.spread = args.spread.map_or(config.spread, |spread| match spread {
        BmcSpread::Ports => Spread::Ports,
        BmcSpread::Addresses => Spread::Addresses,
    });
    if let Some(seed) = args.seed {
        config.seed = seed;
        config.faults.seed = seed;
    }
    config.faults.delay_max = args.delay_max.unwrap_or(config.faults.delay_max);
    config.faults.slow_by = args.slow_by.unwrap_or(config.faults.slow_by);
    for fault in &args.faults {
        *rate(&mut config.faults, fault.kind) = fault.rate;
    }
    if !config.listen.ip().is_loopback() && !args.insecure {
        bail!(
            "{} is not a loopback address, and everybody knows the passwords of emulated BMCs; use one in 127.0.0.0/8, \
             or --insecure",
            config.listen
        );
    }
    Ok(config)
}

const fn rate(plan: &mut FaultPlan, kind: BmcFaultKind) -> &mut f64 {
    match kind {
        BmcFaultKind::Loss => &mut plan.loss,
        BmcFaultKind::Delay => &mut plan.delay,
        BmcFaultKind::Duplicate => &mut plan.duplicate,
        BmcFaultKind::Reorder => &mut plan.reorder,
        BmcFaultKind::Truncate => &mut plan.truncate,
        BmcFaultKind::Corrupt => &mut plan.corrupt,
        BmcFaultKind::Busy => &mut plan.busy,
        BmcFaultKind::SessionLoss => &mut plan.session_loss,
        BmcFaultKind::Foreign => &mut plan.foreign,
        BmcFaultKind::Oversize => &mut plan.oversize,
        BmcFaultKind::Slow => &mut plan.slow,
        BmcFaultKind::Dead => &mut plan.dead,
        BmcFaultKind::SdrLoop => &mut plan.sdr_loop,
        BmcFaultKind::SdrEndless => &mut plan.sdr_endless,
        BmcFaultKind::FruEndless => &mut plan.fru_endless,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command, EmulateCommand};

    fn configured(line: &str) -> anyhow::Result<FleetConfig> {
        let line = format!("opendcre emulate bmc {line}");
        let Command::Emulate(args) = Cli::try_parse_from(line.split_whitespace()).unwrap().command else {
            panic!("not an emulator");
        };
        let EmulateCommand::Bmc(args) = args.command else { panic!("not a BMC") };
        fleet_config(&args)
    }

    #[test]
    fn options_count_more_than_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("fleet.toml");
        std::fs::write(&file, "count = 7\nseed = 5\n[faults]\nloss = 0.5\ndelay_max = \"3s\"\n").unwrap();
        let config = configured(&format!("--config {}", file.display())).unwrap();
        assert_eq!((config.count, config.seed, config.listen.port()), (7, 5, 9623));
        assert_eq!((config.faults.loss, config.faults.delay_max), (0.5, Duration::from_secs(3)));

        let line = format!(
            "--config {} --listen 127.0.0.2:0 --count 2 --seed 9 --fault loss=0.1 --fault sdr-loop=1 --slow-by 1s \
             --spread addresses",
            file.display()
        );
        let config = configured(&line).unwrap();
        assert_eq!((config.count, config.seed, config.faults.seed), (2, 9, 9));
        assert_eq!((config.listen, config.spread), ("127.0.0.2:0".parse().unwrap(), Spread::Addresses));
        let faults = config.faults;
        assert_eq!((faults.loss, faults.sdr_loop, faults.slow_by), (0.1, 1.0, Duration::from_secs(1)));
    }

    #[test]
    fn known_passwords_stay_on_this_machine_unless_somebody_insists() {
        let error = configured("--listen 0.0.0.0:623").unwrap_err().to_string();
        assert!(error.starts_with("0.0.0.0:623 is not a loopback address"), "{error}");
        assert!(configured("--listen 0.0.0.0:623 --insecure").is_ok());
        assert!(configured("--listen 127.3.2.1:623").is_ok());
    }

    #[test]
    fn a_broken_file_is_one_line_that_names_the_file_and_the_place() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("fleet.toml");
        std::fs::write(&file, "count = 7\nsped = 1\n").unwrap();
        let line = format!("{:#}", configured(&format!("--config {}", file.display())).unwrap_err());
        assert!(line.contains("fleet.toml: line 2: "), "{line}");
        assert!(!line.contains('\n'), "{line}");
    }

    #[test]
    fn the_file_that_is_documented_is_sound() {
        let guide = include_str!("../../../../docs/emulator.md");
        let (_, rest) = guide.split_once("```toml\n").unwrap();
        let (text, _) = rest.split_once("```").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("fleet.toml");
        std::fs::write(&file, text).unwrap();
        let config =
            configured(&format!("--config {} --listen 127.0.0.1:0 --count 2", file.display())).unwrap();
        assert_eq!(Fleet::bind(&config).unwrap().bmcs().addresses().len(), 2);
    }

    #[test]
    fn every_address_has_a_line() {
        let addresses = ["127.0.0.1:9623", "127.0.0.1:9624"].map(|address| address.parse().unwrap());
        assert_eq!(lines(&addresses), "127.0.0.1:9623\n127.0.0.1:9624\n");
    }
}
