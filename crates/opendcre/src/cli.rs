//! The command line: every command, option and help text, and nothing that a command does.
//!
//! Values are parsed here into the types that the commands work with, so a command never sees a malformed
//! identifier, duration or rate; clap reports those as usage errors.

mod emulate;
mod ipmi;
#[cfg(test)]
mod tests;
mod value;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::TypedValueParser;
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use opendcre_model::{BoardId, DeviceId, DeviceKind};

pub use emulate::{
    AnswerHeaders, BmcFaultKind, BmcSpread, BusProtocol, EmulateArgs, EmulateBmcArgs, EmulateBusArgs,
    EmulateCommand, FaultKind,
};
pub use ipmi::{
    BmcOptions, BootCommand, BootSetArgs, DcmiCommand, IdentifyFor, IpmiArgs, IpmiCommand, IpmiPowerCommand,
    LimitCommand, LimitException, LimitSetArgs, PASSWORD_VARIABLE, PowerPolicy, PrivilegeChoice, RawArgs,
    SelCommand, V1_5Auth,
};
pub use value::{FaultRate, Host};

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  the server, the BMC, or this program while serving, reported an error
  2  wrong usage; nothing was sent
  3  the server, or the BMC, cannot be reached or did not answer in time
  4  the server, or the BMC, is busy; try again later
  5  the BMC does not accept the user, or not for this (`opendcre ipmi`)
  6  a change was sent, and what has come of it is unknown (`opendcre ipmi`)
  130  interrupted by Ctrl-C (`opendcre ipmi`)

Examples:
  opendcre demo
  opendcre scan
  opendcre read thermistor 10 01ff
  opendcre -o json power status 11 0dff
  opendcre --server gateway.example:5000 scan";

/// The whole command line, for man pages and completions.
#[must_use]
pub fn command() -> clap::Command {
    Cli::command()
}

/// Manage data-centre equipment out of band
#[derive(Debug, Parser)]
#[command(name = "opendcre", version, after_help = EXIT_CODES, max_term_width = 110)]
pub struct Cli {
    /// Options that only client commands use.
    #[command(flatten)]
    pub client: ClientOptions,

    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Where and how a client command talks to its server.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Client options")]
pub struct ClientOptions {
    /// The server to ask, as host:port or http URL
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "OPENDCRE_SERVER",
        hide_env_values = true,
        default_value = "http://127.0.0.1:5000"
    )]
    pub server: String,

    /// How long to wait for one answer
    #[arg(long, global = true, value_name = "TIME", default_value = "30s", value_parser = value::duration)]
    pub timeout: Duration,

    /// How to print answers and errors
    #[arg(
        short,
        long,
        global = true,
        value_name = "FORMAT",
        value_enum,
        default_value_t = OutputFormat::Table
    )]
    pub output: OutputFormat,
}

/// How answers and errors are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// Tables, for people
    Table,
    /// One line of JSON per answer, exactly as the server sent its values, for programs
    Json,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the gateway
    #[command(after_help = "\
Examples:
  opendcre serve
  opendcre serve --config ./opendcre.toml")]
    Serve(ServeArgs),

    /// Run the gateway on an emulated room, to try things out
    #[command(after_help = "\
Examples:
  opendcre demo
  opendcre demo --listen 127.0.0.1:8080")]
    Demo(DemoArgs),

    /// Play the part of equipment
    #[command(after_help = "\
Examples:
  opendcre emulate bus --config room.json --link /tmp/bus
  opendcre emulate bmc --count 4")]
    Emulate(EmulateArgs),

    /// Ask, or change, one BMC by itself, without a server in between
    #[command(after_help = ipmi::AFTER_HELP)]
    Ipmi(IpmiArgs),

    /// Check, show or describe the configuration
    #[command(after_help = "\
Examples:
  opendcre config check --config ./opendcre.toml
  opendcre config schema > opendcre.schema.json")]
    Config(ConfigArgs),

    /// Print the completion script of a shell
    #[command(after_help = "\
Examples:
  opendcre completions bash > /etc/bash_completion.d/opendcre
  opendcre completions zsh > ~/.zfunc/_opendcre
  opendcre completions fish > ~/.config/fish/completions/opendcre.fish")]
    Completions(CompletionsArgs),

    /// A question to, or an order for, a running server.
    #[command(flatten)]
    Client(ClientCommand),
}

/// Where the configuration is.
#[derive(Debug, Clone, Args)]
pub struct ConfigFile {
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = "/etc/opendcre/opendcre.toml")]
    pub config: PathBuf,
}

/// Arguments of `serve`.
#[derive(Debug, Clone, Args)]
pub struct ServeArgs {
    /// What to serve.
    #[command(flatten)]
    pub file: ConfigFile,
}

/// Arguments of `demo`.
#[derive(Debug, Clone, Args)]
pub struct DemoArgs {
    /// The address and port to listen on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:5000")]
    pub listen: SocketAddr,
}

/// Arguments of `config`.
#[derive(Debug, Clone, Args)]
pub struct ConfigArgs {
    /// What to do with the configuration.
    #[command(subcommand)]
    pub command: ConfigCommand,
}

/// What can be done with a configuration.
#[derive(Debug, Clone, Subcommand)]
pub enum ConfigCommand {
    /// Say whether the configuration file is sound
    #[command(after_help = "Examples:\n  opendcre config check --config ./opendcre.toml")]
    Check(ConfigFile),

    /// Print the configuration with every default filled in
    #[command(after_help = "Examples:\n  opendcre config show --config ./opendcre.toml")]
    Show(ConfigFile),

    /// Print the JSON schema of the configuration
    #[command(after_help = "Examples:\n  opendcre config schema > opendcre.schema.json")]
    Schema,
}

/// Arguments of `completions`.
#[derive(Debug, Clone, Args)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

/// What a client can ask of a running server.
#[derive(Debug, Clone, Subcommand)]
pub enum ClientCommand {
    /// List boards and their devices
    #[command(after_help = "\
Examples:
  opendcre scan
  opendcre scan 40000000
  opendcre -o json scan 11")]
    Scan(ScanArgs),

    /// Read a sensor
    #[command(after_help = "\
Examples:
  opendcre read thermistor 10 01ff
  opendcre -o json read humidity 10 03ff")]
    Read(SensorArgs),

    /// Ask for, or change, the power state of a device
    #[command(after_help = "\
Examples:
  opendcre power status 11 0dff
  opendcre power cycle 11 0dff")]
    Power(PowerArgs),

    /// Read or write the asset text of a device
    #[command(after_help = "\
Examples:
  opendcre asset get 11 0dff
  opendcre asset set 11 0dff 'rack 7, unit 12'")]
    Asset(AssetArgs),

    /// Ask a board for its firmware version, or the server whether it is there
    #[command(after_help = "\
Examples:
  opendcre version
  opendcre version 11")]
    Version(VersionArgs),

    /// Read a sensor again and again
    #[command(after_help = "\
Errors are printed and the next reading is tried. The exit code is that of the last reading.

Examples:
  opendcre watch thermistor 10 01ff
  opendcre watch thermistor 10 01ff --interval 500ms --count 20
  opendcre -o json watch thermistor 10 01ff >> readings.jsonl")]
    Watch(WatchArgs),
}

/// Arguments of `scan`.
#[derive(Debug, Clone, Args)]
pub struct ScanArgs {
    /// The board to scan, in hexadecimal; without it, all
    #[arg(value_parser = value::board_id)]
    pub board: Option<BoardId>,
}

/// One sensor.
#[derive(Debug, Clone, Copy, Args)]
pub struct SensorArgs {
    /// The kind of the device
    #[arg(ignore_case = true, value_parser = kind_parser())]
    pub kind: DeviceKind,

    /// The board, in hexadecimal
    #[arg(value_parser = value::board_id)]
    pub board: BoardId,

    /// The device, in hexadecimal
    #[arg(value_parser = value::device_id)]
    pub device: DeviceId,
}

/// Arguments of `power`.
#[derive(Debug, Clone, Copy, Args)]
pub struct PowerArgs {
    /// What to do
    #[arg(value_enum, ignore_case = true)]
    pub command: PowerCommand,

    /// The board, in hexadecimal
    #[arg(value_parser = value::board_id)]
    pub board: BoardId,

    /// The device, in hexadecimal
    #[arg(value_parser = value::device_id)]
    pub device: DeviceId,
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
}

/// Arguments of `asset`.
#[derive(Debug, Clone, Args)]
pub struct AssetArgs {
    /// What to do with the text.
    #[command(subcommand)]
    pub command: AssetCommand,
}

/// What can be done with an asset text.
#[derive(Debug, Clone, Subcommand)]
pub enum AssetCommand {
    /// Read the asset text
    #[command(after_help = "Examples:\n  opendcre asset get 11 0dff")]
    Get {
        /// The board, in hexadecimal
        #[arg(value_parser = value::board_id)]
        board: BoardId,
        /// The device, in hexadecimal
        #[arg(value_parser = value::device_id)]
        device: DeviceId,
    },

    /// Store an asset text
    #[command(after_help = "Examples:\n  opendcre asset set 11 0dff 'rack 7, unit 12'")]
    Set {
        /// The board, in hexadecimal
        #[arg(value_parser = value::board_id)]
        board: BoardId,
        /// The device, in hexadecimal
        #[arg(value_parser = value::device_id)]
        device: DeviceId,
        /// The text: 1 to 127 ASCII characters, without /
        #[arg(value_parser = value::asset_text)]
        text: String,
    },
}

/// Arguments of `version`.
#[derive(Debug, Clone, Args)]
pub struct VersionArgs {
    /// The board to ask, in hexadecimal; without it, the server itself
    #[arg(value_parser = value::board_id)]
    pub board: Option<BoardId>,
}

/// Arguments of `watch`.
#[derive(Debug, Clone, Args)]
pub struct WatchArgs {
    /// What to read.
    #[command(flatten)]
    pub sensor: SensorArgs,

    /// The time from one reading to the next
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = value::duration)]
    pub interval: Duration,

    /// Stop after this many readings; without it, on Ctrl-C
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
}

/// Reads a kind by name; the names also feed the completions and the error text.
fn kind_parser() -> impl TypedValueParser<Value = DeviceKind> {
    let names = DeviceKind::ALL.iter().map(|kind| kind.name());
    clap::builder::PossibleValuesParser::new(names).try_map(|name| name.parse::<DeviceKind>())
}
