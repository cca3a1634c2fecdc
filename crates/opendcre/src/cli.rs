//! The command line: every command, option and help text, and nothing that a command does.
//!
//! Values are parsed here into the types that the commands work with, so a command never sees a malformed
//! identifier, duration or rate; clap reports those as usage errors.

mod audit;
mod auth;
mod client;
mod emulate;
mod ipmi;
mod lamp;
mod login;
mod secret;
mod telemetry;
#[cfg(test)]
mod tests;
mod token;
mod value;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Arg, Args, CommandFactory, Parser, Subcommand, ValueEnum};

pub use audit::{AuditArgs, AuditCommand, AuditExportArgs, AuditPlace, AuditTailArgs, AuditVerifyArgs};
pub use auth::{AuthArgs, AuthCommand, WhyArgs};
pub use client::{
    AllNodes, AssetArgs, AssetCommand, ChangeOptions, ChangesArgs, ClientCommand, DeviceOption, ExpandArgs,
    ForgetArgs, GroupsArgs, IdentifyArgs, JobsArgs, JobsCommand, ListArgs, NodeBootArgs, NodeBootCommand,
    Nodes, PowerArgs, PowerCommand, ReadArgs, SensorArgs, Targets, VersionArgs, WatchArgs,
};
pub use emulate::{
    AnswerHeaders, BmcFaultKind, BmcSpread, BusProtocol, EmulateArgs, EmulateBmcArgs, EmulateBusArgs,
    EmulateCommand, FaultKind,
};
pub use ipmi::{
    BmcOptions, BootCommand, BootSetArgs, DcmiCommand, IdentifyFor, IpmiArgs, IpmiCommand, IpmiPowerCommand,
    LimitCommand, LimitException, LimitSetArgs, PASSWORD_VARIABLE, PowerPolicy, PrivilegeChoice, RawArgs,
    SelCommand, V1_5Auth,
};
pub use lamp::{FanArgs, FanCommand, LedArgs, LedCommand};
pub use login::{AccessOptions, LoginArgs, TOKEN_VARIABLE};
pub use secret::{SecretArgs, SecretCommand, SecretNameArgs};
pub use telemetry::{EventsArgs, HistoryArgs, PollArgs, PollCommand, PollStatusArgs, Since};
pub use token::{
    Lifetime, TokenArgs, TokenCommand, TokenCreateArgs, TokenListArgs, TokenRevokeArgs, TokensFile,
};
pub use value::{FaultRate, Fingerprint, Host};

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  the server, the BMC, or this program while serving, reported an error; also if only some of the
     boards failed
  2  wrong usage, such as a node range that names nothing; nothing was changed
  3  the server, or the BMC, cannot be reached or did not answer in time
  4  the server, or the BMC, is busy; try again later
  5  the server, or the BMC, does not accept the user, or not for this
  6  a change was sent, and what has come of it is unknown, be it for one of many boards
  130  a change was interrupted by Ctrl-C; `watch` and `--follow` end with 0 by it

Examples:
  opendcre demo
  opendcre list
  opendcre read rack_1 --kind temperature
  opendcre power off 'db-[01-40],-db-07' --yes
  opendcre -o json power status 11
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

/// The server that is meant when none is named.
pub const DEFAULT_SERVER: &str = "http://127.0.0.1:5000";

/// Where and how a client command talks to its server.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Client options")]
pub struct ClientOptions {
    /// The server to ask, as URL or host:port; without a scheme, https unless it is this machine
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "OPENDCRE_SERVER",
        hide_env_values = true,
        default_value = DEFAULT_SERVER
    )]
    pub server: String,

    /// How long to wait for the server to say something
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

    /// In tables, give every board a line of its own, also where several say the same
    #[arg(long, global = true)]
    pub no_fold: bool,

    /// Who asks, and who is asked.
    #[command(flatten)]
    pub access: AccessOptions,
}

/// The client options as commands take them that have no use for them: everywhere, but not in their help.
fn unused_client_options() -> Vec<Arg> {
    let client = ClientOptions::augment_args(clap::Command::new("client"));
    client.get_arguments().map(|option| option.clone().hide(true)).collect()
}

/// How answers and errors are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// Tables, for people
    Table,
    /// One line of JSON per item, exactly as the server sent its values, for programs
    Json,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Keep passwords in a sealed file
    #[command(args = unused_client_options(), after_help = "\
Examples:
  opendcre secret set rack-1
  opendcre secret list")]
    Secret(SecretArgs),

    /// Run the gateway
    #[command(args = unused_client_options(), after_help = "\
Examples:
  opendcre serve
  opendcre serve --config ./opendcre.toml")]
    Serve(ServeArgs),

    /// Say whether a server can do its work: the one on this machine, unless --server names another one
    #[command(after_help = "\
Ends with 0 if it can, and with 1 if it cannot or does not answer. What is missing is printed.

Examples:
  opendcre ready
  opendcre ready --config ./opendcre.toml --timeout 3s
  opendcre --server https://gateway.example:5000 ready")]
    Ready(ReadyArgs),

    /// Run the gateway on an emulated room, to try things out
    #[command(args = unused_client_options(), after_help = "\
Examples:
  opendcre demo
  opendcre demo --listen 127.0.0.1:8080")]
    Demo(DemoArgs),

    /// Play the part of equipment
    #[command(args = unused_client_options(), after_help = "\
Examples:
  opendcre emulate bus --config room.json --link /tmp/bus
  opendcre emulate bmc --count 4")]
    Emulate(EmulateArgs),

    /// Ask, or change, one BMC by itself, without a server in between
    #[command(after_help = ipmi::AFTER_HELP)]
    Ipmi(IpmiArgs),

    /// Check, export or follow the audit log of this machine, whether its gateway runs or not
    #[command(args = unused_client_options(), after_help = "\
Examples:
  opendcre audit verify
  opendcre audit tail --follow
  opendcre audit export --from 2026-11-01T00:00:00Z > november.ndjson")]
    Audit(AuditArgs),

    /// Check, show or describe the configuration
    #[command(args = unused_client_options(), after_help = "\
Examples:
  opendcre config check --config ./opendcre.toml
  opendcre config schema > opendcre.schema.json")]
    Config(ConfigArgs),

    /// Make, list or revoke API tokens, on the machine of the server
    #[command(args = unused_client_options(), after_help = "\
Examples:
  opendcre token create ci --role viewer > ci.token
  opendcre token list
  opendcre token revoke ci")]
    Token(TokenArgs),

    /// Print the completion script of a shell
    #[command(args = unused_client_options(), after_help = "\
Examples:
  opendcre completions bash > /etc/bash_completion.d/opendcre
  opendcre completions zsh > ~/.zfunc/_opendcre
  opendcre completions fish > ~/.config/fish/completions/opendcre.fish")]
    Completions(CompletionsArgs),

    /// Log in to a server with a provider of OpenID Connect
    #[command(after_help = login::LOGIN_HELP)]
    Login(LoginArgs),

    /// Forget what `opendcre login` keeps for a server
    #[command(after_help = login::LOGOUT_HELP)]
    Logout,

    /// A question to, or an order for, a running server.
    #[command(flatten)]
    Client(ClientCommand),
}

/// Where the configuration is unless another file is named.
pub const DEFAULT_CONFIG: &str = "/etc/opendcre/opendcre.toml";

/// Where the configuration is.
#[derive(Debug, Clone, Args)]
pub struct ConfigFile {
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = DEFAULT_CONFIG)]
    pub config: PathBuf,
}

/// Arguments of `serve`.
#[derive(Debug, Clone, Args)]
pub struct ServeArgs {
    /// What to serve.
    #[command(flatten)]
    pub file: ConfigFile,

    /// Serve the last configuration that worked if the file is refused, and say so wherever the service tells of itself
    #[arg(long)]
    pub fall_back: bool,

    /// Where the last configuration that worked is kept [default: state.directory of the file]
    #[arg(long, value_name = "DIR", requires = "fall_back")]
    pub state: Option<PathBuf>,
}

/// Arguments of `ready`.
#[derive(Debug, Clone, Args)]
pub struct ReadyArgs {
    /// The configuration of the server on this machine [default: /opendcre/opendcre.toml in containers, otherwise
    /// /etc/opendcre/opendcre.toml]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Where the server keeps the last configuration that worked, which counts if the file is refused [default:
    /// state.directory of the file]
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
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
