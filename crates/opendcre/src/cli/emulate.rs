//! The part of the command line that plays equipment: `opendcre emulate`.

use std::net::SocketAddrV4;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use super::value::{self, FaultRate};

/// Arguments of `emulate`.
#[derive(Debug, Clone, Args)]
pub struct EmulateArgs {
    /// What to emulate.
    #[command(subcommand)]
    pub command: EmulateCommand,
}

/// What can be emulated.
#[derive(Debug, Clone, Subcommand)]
pub enum EmulateCommand {
    /// Play all boards of a device bus on a new pseudo-terminal
    #[command(after_help = "\
Examples:
  opendcre emulate bus --config room.json --link /tmp/bus
  opendcre emulate bus --config room.json --baud 115200
  opendcre emulate bus --config room.json --seed 7 --fault drop=0.05 --fault delay=0.1 --delay-max 200ms")]
    Bus(EmulateBusArgs),

    /// Play BMCs that speak IPMI 1.5 and 2.0 over LAN, each on a UDP port of its own
    #[command(after_help = "\
The BMCs know the users ADMIN, operator and user, each with the name as password, unless a file says otherwise.
The first lines of output are the addresses. docs/emulator.md describes the file.

Examples:
  opendcre emulate bmc
  opendcre emulate bmc --listen 127.0.0.1:9623 --count 40
  opendcre emulate bmc --listen 127.1.0.1:9623 --count 40 --spread addresses
  opendcre emulate bmc --config fleet.toml --seed 7
  opendcre emulate bmc --count 100 --fault loss=0.05 --fault dead=0.01")]
    Bmc(EmulateBmcArgs),
}

/// Arguments of `emulate bus`.
#[derive(Debug, Clone, Args)]
pub struct EmulateBusArgs {
    /// The JSON file that describes the boards, as the original emulators read it
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,

    /// Make this symbolic link to the pseudo-terminal, whose own name is printed in any case
    #[arg(long, value_name = "PATH")]
    pub link: Option<PathBuf>,

    /// Send no faster than a line of this many bits per second; without it, as fast as possible
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(300..=4_000_000))]
    pub baud: Option<u32>,

    /// The seed of the injected faults
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,

    /// The protocol generation to speak
    #[arg(long, value_name = "VERSION", value_enum, default_value_t = BusProtocol::V1_3)]
    pub protocol: BusProtocol,

    /// What the headers of answers hold; without it, what boards of that generation send: legacy for 1.1, else full
    #[arg(long, value_name = "STYLE", value_enum)]
    pub headers: Option<AnswerHeaders>,

    /// Inject a fault into this share of the answers, from 0 to 1; may be repeated for several kinds
    ///
    /// Kinds: drop (the answer is lost), corrupt (bits of one of its bytes are flipped), delay (it comes late, see
    /// --delay-max), duplicate (it comes twice), noise (up to eight stray bytes come before it), truncate (it
    /// breaks off), silence (this and up to four further requests stay unanswered).
    #[arg(long = "fault", value_name = "KIND=RATE")]
    pub faults: Vec<FaultRate<FaultKind>>,

    /// The longest delay that the fault `delay` adds
    #[arg(long, value_name = "TIME", default_value = "50ms", value_parser = value::duration)]
    pub delay_max: Duration,
}

/// Arguments of `emulate bmc`.
#[derive(Debug, Clone, Args)]
pub struct EmulateBmcArgs {
    /// The IPv4 address and port of the first BMC, 127.0.0.1:9623 unless the file names another. With port 0, the
    /// system chooses all ports
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<SocketAddrV4>,

    /// Where the others follow: on the next ports, or on the next addresses; ports unless the file says otherwise
    #[arg(long, value_name = "WHAT", value_enum)]
    pub spread: Option<BmcSpread>,

    /// How many BMCs, 1 unless the file says otherwise
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub count: Option<u32>,

    /// A TOML file that says what they are like: users, sensors, times, faults
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Where the random numbers of machines and faults begin, 1 unless the file says otherwise
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,

    /// Inject a fault at this rate, from 0 to 1; may be repeated for several kinds
    ///
    /// For every datagram or request: loss, delay (see --delay-max), duplicate, reorder, truncate, corrupt, busy (the
    /// BMC says that it has no time), session-loss (it forgets its sessions), foreign (replies of other sessions come
    /// before the right one), oversize (a reply claims to be longer than it is).
    ///
    /// For this share of the BMCs, for good: slow (see --slow-by), dead, sdr-loop and sdr-endless (sensor records that
    /// do not come to an end), fru-endless (an inventory that claims the greatest size).
    #[arg(long = "fault", value_name = "KIND=RATE")]
    pub faults: Vec<FaultRate<BmcFaultKind>>,

    /// The longest delay that the fault `delay` adds, 200ms unless the file says otherwise
    #[arg(long, value_name = "TIME", value_parser = value::duration)]
    pub delay_max: Option<Duration>,

    /// How much longer a BMC with the fault `slow` takes, 500ms unless the file says otherwise
    #[arg(long, value_name = "TIME", value_parser = value::duration)]
    pub slow_by: Option<Duration>,

    /// Listen beyond the loopback addresses, although everybody knows the passwords
    #[arg(long)]
    pub insecure: bool,
}

/// A generation of the device bus protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum BusProtocol {
    /// OpenDCRE 1.1
    #[value(name = "1.1")]
    V1_1,
    /// OpenDCRE 1.2
    #[value(name = "1.2")]
    V1_2,
    /// OpenDCRE 1.3
    #[value(name = "1.3")]
    V1_3,
}

/// What an emulated board writes into the header of its answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AnswerHeaders {
    /// The addresses and the sequence number of the request
    Full,
    /// The constants that the first emulators and boards send
    Legacy,
}

/// What an emulated bus does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FaultKind {
    /// An answer is lost
    Drop,
    /// A byte of an answer is changed
    Corrupt,
    /// An answer comes late
    Delay,
    /// An answer comes twice
    Duplicate,
    /// Stray bytes come before an answer
    Noise,
    /// An answer breaks off
    Truncate,
    /// The bus falls silent for a while
    Silence,
}

/// How the addresses of emulated BMCs follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum BmcSpread {
    /// One address, consecutive ports
    Ports,
    /// One port, consecutive addresses, such as those of 127.0.0.0/8
    Addresses,
}

/// What emulated BMCs do wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum BmcFaultKind {
    /// A request or a reply is lost
    Loss,
    /// A reply comes late
    Delay,
    /// A reply comes twice
    Duplicate,
    /// A reply comes after the next one
    Reorder,
    /// A reply breaks off
    Truncate,
    /// A byte of a reply is changed
    Corrupt,
    /// The BMC says that it is busy
    Busy,
    /// The BMC forgets its sessions
    SessionLoss,
    /// A reply of another session comes first
    Foreign,
    /// A reply claims to be longer than it is
    Oversize,
    /// The BMC is slow
    Slow,
    /// The BMC never says anything
    Dead,
    /// The last sensor record leads back to the first
    SdrLoop,
    /// There is always another sensor record
    SdrEndless,
    /// The inventory claims the greatest size
    FruEndless,
}
