//! The commands for a running server: what they are called, what they take, and their help.
//!
//! Which boards are meant stays the text that the user wrote: only the server knows what it stands for.

use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand, ValueEnum};
use opendcre_model::{DeviceKind, PowerAction};

use super::auth::AuthArgs;
use super::ipmi::BootSetArgs;
use super::lamp::{FanArgs, LedArgs};
use super::telemetry::{EventsArgs, HistoryArgs, PollArgs};
use super::value;

/// What a client can ask of a running server.
#[derive(Debug, Clone, Subcommand)]
pub enum ClientCommand {
    /// List the boards that the server knows
    #[command(after_help = "\
Examples:
  opendcre list
  opendcre list rack_1
  opendcre list --state missing
  opendcre -o json list 'db-[01-04]'")]
    List(ListArgs),

    /// Let boards be asked what they are and hold, then list their devices
    #[command(after_help = "\
Examples:
  opendcre scan
  opendcre scan 'web-[01-04]'
  opendcre -o json scan 11")]
    Scan(AllNodes),

    /// Read sensors
    #[command(after_help = "\
Examples:
  opendcre read 10 --device 01ff
  opendcre read rack_1 --kind temperature
  opendcre -o json read 'db-[01-04],-db-03' --max-age 0s")]
    Read(ReadArgs),

    /// Read sensors again and again
    #[command(after_help = "\
Errors are printed and the next reading is tried. The exit code is that of the last
reading; Ctrl-C ends it with 0.

Examples:
  opendcre watch 10 --device 01ff
  opendcre watch 'db-[01-04]' --kind power --interval 500ms --count 20
  opendcre -o json watch rack_1 --kind temperature >> readings.jsonl")]
    Watch(WatchArgs),

    /// Ask for, or change, the power state of devices
    #[command(after_help = "\
Examples:
  opendcre power status rack_1
  opendcre power cycle 11 --device 0dff
  opendcre power off 'db-[01-40],-db-07' --yes")]
    Power(PowerArgs),

    /// Read or write what boards say about themselves
    #[command(after_help = "\
Examples:
  opendcre asset get 'db-[01-04]'
  opendcre asset set db-01 'rack 7, unit 12'")]
    Asset(AssetArgs),

    /// Ask for, or set, what servers boot from
    #[command(after_help = "\
Examples:
  opendcre boot get 'db-[01-04]'
  opendcre boot set db-01 pxe --efi")]
    Boot(NodeBootArgs),

    /// Ask for, or switch, lamps
    #[command(after_help = "\
Examples:
  opendcre led status rack_1
  opendcre led on db-01
  opendcre led on 10 --device 0500 --color ff8800 --blink")]
    Led(LedArgs),

    /// Ask for, or set, the speed of fans
    #[command(after_help = "\
Examples:
  opendcre fan get rack_1
  opendcre fan set 10 4000 --device 0200")]
    Fan(FanArgs),

    /// Let servers show which ones they are
    #[command(after_help = "\
Examples:
  opendcre identify db-01
  opendcre identify db-01 --seconds 60
  opendcre identify rack_8 --off --yes")]
    Identify(IdentifyArgs),

    /// Say where in their chassis devices are
    #[command(after_help = "Examples:\n  opendcre location 11")]
    Location(Nodes),

    /// Ask boards for their firmware version, or the server for its own
    #[command(after_help = "\
Examples:
  opendcre version
  opendcre version --client
  opendcre version rack_1")]
    Version(VersionArgs),

    /// Ask servers for their host names and IP addresses
    #[command(after_help = "Examples:\n  opendcre host 'db-[01-04]'")]
    Host(Targets),

    /// Forget boards that are missing and will not come back
    #[command(after_help = "\
No equipment is asked. A board that is seen again is a new one; one that the configuration
names is listed again when it answers, or after a restart of the server.

Examples:
  opendcre forget db-07
  opendcre forget state=missing --yes")]
    Forget(ForgetArgs),

    /// List groups, or the members of one
    #[command(after_help = "\
Examples:
  opendcre groups
  opendcre groups db")]
    Groups(GroupsArgs),

    /// List racks
    #[command(after_help = "Examples:\n  opendcre racks")]
    Racks,

    /// List where boards come from, and whether that works
    #[command(after_help = "\
Examples:
  opendcre sources
  opendcre sources 'db-[01-04]'")]
    Sources(AllNodes),

    /// List BMCs, and how the talk with each goes
    #[command(after_help = "\
Examples:
  opendcre bmcs
  opendcre bmcs rack_8")]
    Bmcs(AllNodes),

    /// List jobs, show one, or abort one
    #[command(
        args_conflicts_with_subcommands = true,
        after_help = "\
A job is a change of one board or many. The server keeps what came of it.

Examples:
  opendcre jobs
  opendcre jobs 019ab3c5d7e90001
  opendcre jobs abort 019ab3c5d7e90001"
    )]
    Jobs(JobsArgs),

    /// Show which boards appeared, vanished, moved or changed
    #[command(after_help = "\
Examples:
  opendcre changes
  opendcre changes rack_8
  opendcre changes --after 120
  opendcre -o json changes --follow >> changes.jsonl")]
    Changes(ChangesArgs),

    /// Show what happened: to boards, to health and power, in the event logs of servers
    #[command(after_help = "\
Examples:
  opendcre events
  opendcre events rack_8 --severity warning --since 24h
  opendcre -o json events --follow >> events.jsonl")]
    Events(EventsArgs),

    /// Show what sensors measured over a time
    #[command(after_help = "\
Examples:
  opendcre history db-01
  opendcre history rack_8 --quantity temperature --from -24h
  opendcre history db-01 --device inlet --from -7d --step 1h --csv > inlet.csv")]
    History(HistoryArgs),

    /// Show how the regular reading of boards goes
    #[command(
        after_help = "Examples:\n  opendcre poll status\n  opendcre poll status rack_8 --late --failing"
    )]
    Poll(PollArgs),

    /// Say who may do what, and why
    #[command(after_help = "\
Examples:
  opendcre auth me
  opendcre auth why ada power 'db-[01-04]'")]
    Auth(AuthArgs),

    /// Say which boards a node range stands for
    #[command(after_help = "\
Examples:
  opendcre expand 'rack_1,-web-[01-04]'
  opendcre expand db-01,db-02,db-04 --fold")]
    Expand(ExpandArgs),
}

/// Which boards.
#[derive(Debug, Clone, Args)]
pub struct Nodes {
    /// Boards: names, ids, racks, groups, or ranges of them such as 'db-[01-04],-db-03'
    #[arg(value_name = "NODES", value_parser = value::nodes)]
    pub nodes: String,
}

/// Which boards; all of them if nothing is said.
#[derive(Debug, Clone, Args)]
pub struct AllNodes {
    /// Boards: names, ids, racks, groups, or ranges such as 'db-[01-04],-db-03'; without it, all
    #[arg(value_name = "NODES", value_parser = value::nodes)]
    pub nodes: Option<String>,
}

/// Arguments of `list`.
#[derive(Debug, Clone, Args)]
pub struct ListArgs {
    /// Which boards.
    #[command(flatten)]
    pub nodes: AllNodes,

    /// Only boards in this state; that there are none is no error
    #[arg(long, value_name = "STATE", value_parser = ["present", "missing", "unknown"])]
    pub state: Option<String>,
}

/// Arguments of `version`.
#[derive(Debug, Clone, Args)]
pub struct VersionArgs {
    /// Boards: names, ids, racks, groups, or ranges such as 'db-[01-04]'; without it, the server itself
    #[arg(value_name = "NODES", value_parser = value::nodes)]
    pub nodes: Option<String>,

    /// Say only what this program is; no server is asked
    #[arg(long, conflicts_with = "nodes")]
    pub client: bool,
}

/// Which device of each board.
#[derive(Debug, Clone, Args)]
pub struct DeviceOption {
    /// The device: its id in hexadecimal, or its name; without it, the one that can do it
    #[arg(long, value_name = "DEVICE", value_parser = value::device)]
    pub device: Option<String>,
}

/// One device of each board.
#[derive(Debug, Clone, Args)]
pub struct Targets {
    /// Which boards.
    #[command(flatten)]
    pub nodes: Nodes,

    /// Which device.
    #[command(flatten)]
    pub device: DeviceOption,
}

/// When to ask before something is changed.
#[derive(Debug, Clone, Args)]
pub struct ChangeOptions {
    /// Change without asking
    #[arg(short, long)]
    pub yes: bool,

    /// Ask before more boards than this are changed
    #[arg(long, value_name = "N", env = "OPENDCRE_ASK_ABOVE", hide_env_values = true, default_value_t = 1)]
    pub ask_above: usize,
}

/// What to read.
#[derive(Debug, Clone, Args)]
pub struct SensorArgs {
    /// Which boards.
    #[command(flatten)]
    pub nodes: Nodes,

    /// Only this device of each board: its id in hexadecimal, or its name
    #[arg(long, value_name = "DEVICE", value_parser = value::device)]
    pub device: Option<String>,

    /// Only devices of this kind
    #[arg(long, value_name = "KIND", ignore_case = true, value_parser = kind_parser())]
    pub kind: Option<DeviceKind>,
}

/// Arguments of `read`.
#[derive(Debug, Clone, Args)]
pub struct ReadArgs {
    /// What to read.
    #[command(flatten)]
    pub sensors: SensorArgs,

    /// How old a value may be that the server still has; 0s asks the equipment [default: the server's]
    #[arg(long, value_name = "TIME", value_parser = value::age)]
    pub max_age: Option<Duration>,
}

/// Arguments of `watch`.
#[derive(Debug, Clone, Args)]
pub struct WatchArgs {
    /// What to read.
    #[command(flatten)]
    pub sensors: SensorArgs,

    /// How old a value may be that the server still has; 0s asks the equipment each time
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = value::age)]
    pub max_age: Duration,

    /// The time from one reading to the next
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = value::duration)]
    pub interval: Duration,

    /// Stop after this many readings; without it, on Ctrl-C
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
}

/// Arguments of `power`.
#[derive(Debug, Clone, Args)]
pub struct PowerArgs {
    /// What to do
    #[arg(value_enum, ignore_case = true)]
    pub command: PowerCommand,

    /// Which boards.
    #[command(flatten)]
    pub nodes: Nodes,

    /// Which device.
    #[command(flatten)]
    pub device: DeviceOption,

    /// When to ask.
    #[command(flatten)]
    pub change: ChangeOptions,
}

/// What can be done about power.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PowerCommand {
    /// Ask for the state, change nothing
    Status,
    /// Switch on
    On,
    /// Switch off at once
    Off,
    /// Switch off, then on again
    Cycle,
    /// Restart without taking power away
    Reset,
    /// Ask the operating system to shut down
    Soft,
    /// Interrupt the operating system for a diagnosis
    Diag,
}

impl PowerCommand {
    /// The change that it asks for, if it asks for one.
    #[must_use]
    pub const fn action(self) -> Option<PowerAction> {
        match self {
            Self::Status => None,
            Self::On => Some(PowerAction::On),
            Self::Off => Some(PowerAction::Off),
            Self::Cycle => Some(PowerAction::Cycle),
            Self::Reset => Some(PowerAction::Reset),
            Self::Soft => Some(PowerAction::Soft),
            Self::Diag => Some(PowerAction::Diagnostic),
        }
    }
}

/// Arguments of `asset`.
#[derive(Debug, Clone, Args)]
pub struct AssetArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: AssetCommand,
}

/// What can be done with asset information.
#[derive(Debug, Clone, Subcommand)]
pub enum AssetCommand {
    /// Read asset texts, and what servers say about their parts
    #[command(after_help = "Examples:\n  opendcre asset get 'db-[01-04]'")]
    Get(Targets),

    /// Store an asset text
    #[command(after_help = "Examples:\n  opendcre asset set db-01 'rack 7, unit 12'")]
    Set {
        /// Which boards.
        #[command(flatten)]
        nodes: Nodes,
        /// The text: 1 to 127 ASCII characters
        #[arg(value_parser = value::asset_text)]
        text: String,
        /// Which device.
        #[command(flatten)]
        device: DeviceOption,
        /// When to ask.
        #[command(flatten)]
        change: ChangeOptions,
    },
}

/// Arguments of `boot`.
#[derive(Debug, Clone, Args)]
pub struct NodeBootArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: NodeBootCommand,
}

/// What can be done about booting.
#[derive(Debug, Clone, Subcommand)]
pub enum NodeBootCommand {
    /// Say what servers boot from next
    #[command(after_help = "Examples:\n  opendcre boot get rack_8")]
    Get(Targets),

    /// Set what servers boot from next
    #[command(after_help = "\
Examples:
  opendcre boot set db-01 pxe --efi
  opendcre boot set 'db-[01-04]' disk --persistent --yes")]
    Set {
        /// Which boards.
        #[command(flatten)]
        nodes: Nodes,
        /// From where.
        #[command(flatten)]
        boot: BootSetArgs,
        /// Which device.
        #[command(flatten)]
        device: DeviceOption,
        /// When to ask.
        #[command(flatten)]
        change: ChangeOptions,
    },
}

/// Arguments of `identify`.
#[derive(Debug, Clone, Args)]
pub struct IdentifyArgs {
    /// Which boards.
    #[command(flatten)]
    pub nodes: Nodes,

    /// Not any more
    #[arg(long, conflicts_with = "seconds")]
    pub off: bool,

    /// For how long, 1 to 255; without it, until they are told otherwise
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..))]
    pub seconds: Option<u8>,

    /// When to ask.
    #[command(flatten)]
    pub change: ChangeOptions,
}

/// Arguments of `groups`.
#[derive(Debug, Clone, Args)]
pub struct GroupsArgs {
    /// The group whose members to list; without it, all groups
    pub group: Option<String>,
}

/// Arguments of `jobs`.
#[derive(Debug, Clone, Args)]
pub struct JobsArgs {
    /// What to do instead of showing jobs.
    #[command(subcommand)]
    pub command: Option<JobsCommand>,

    /// The job to show; without it, all
    pub id: Option<String>,
}

/// What can be done with a job.
#[derive(Debug, Clone, Subcommand)]
pub enum JobsCommand {
    /// Let the server not begin what it has not begun yet; what runs is finished
    #[command(after_help = "Examples:\n  opendcre jobs abort 019ab3c5d7e90001")]
    Abort {
        /// The job
        id: String,
    },
}

/// Arguments of `forget`.
#[derive(Debug, Clone, Args)]
pub struct ForgetArgs {
    /// Which boards.
    #[command(flatten)]
    pub nodes: Nodes,

    /// When to ask.
    #[command(flatten)]
    pub change: ChangeOptions,
}

/// Arguments of `changes`.
#[derive(Debug, Clone, Args)]
pub struct ChangesArgs {
    /// Of which boards.
    #[command(flatten)]
    pub nodes: AllNodes,

    /// Only changes after the one with this number
    #[arg(long, value_name = "N")]
    pub after: Option<u64>,

    /// Wait for further changes, until Ctrl-C; a server that goes away is asked again until it is back
    #[arg(short, long)]
    pub follow: bool,
}

/// Arguments of `expand`.
#[derive(Debug, Clone, Args)]
pub struct ExpandArgs {
    /// Which boards.
    #[command(flatten)]
    pub nodes: Nodes,

    /// As one short node range instead of one name per line
    #[arg(long)]
    pub fold: bool,
}

/// Reads a kind by name; the names also feed the completions and the error text.
fn kind_parser() -> impl TypedValueParser<Value = DeviceKind> {
    let names = DeviceKind::ALL.iter().map(|kind| kind.name());
    PossibleValuesParser::new(names).try_map(|name| name.parse::<DeviceKind>())
}
