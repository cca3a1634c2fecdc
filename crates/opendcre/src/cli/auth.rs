//! The commands about who may do what: what they take, and their help.

use clap::{Args, Subcommand};

use super::value;

/// Arguments of `auth`.
#[derive(Debug, Clone, Args)]
pub struct AuthArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: AuthCommand,
}

/// What can be asked about who may do what.
#[derive(Debug, Clone, Subcommand)]
pub enum AuthCommand {
    /// Say who the server takes this client for, and what it may do
    #[command(after_help = "Examples:\n  opendcre auth me")]
    Me,

    /// Say whether somebody may do something, and which role permits it
    #[command(after_help = "\
Everybody may ask about themselves; about others, who may configure everything. The exit
code is 0 if it is permitted, otherwise 1. A bare name is nobody of any provider: rules for
ldap:corp/ada are only for that name, and the answer says so. A token is looked up by the
server, and has what it was made with; with --role, it is one that is not made yet.

Examples:
  opendcre auth why ada power 'db-[01-04]'
  opendcre auth why ldap:corp/ada asset db-01 --group dc-operators
  opendcre auth why token:night power rack_1
  opendcre auth why token:backup audit --role auditor")]
    Why(WhyArgs),
}

/// Arguments of `auth why`.
#[derive(Debug, Clone, Args)]
pub struct WhyArgs {
    /// Who: a name, or a login, its provider and a name, such as ldap:corp/ada or token:night
    // Under another id than that of `--user`, which is who asks.
    #[arg(id = "whom", value_name = "USER")]
    pub user: String,

    /// What they want to do: read, control, configure, audit, or an action such as power, led, asset
    pub action: String,

    /// Boards: names, ids, racks, groups, or ranges such as 'db-[01-04],-db-03'; without it, everywhere
    #[arg(value_name = "TARGET", value_parser = value::nodes)]
    pub target: Option<String>,

    /// The device of each board: its id in hexadecimal, or its name; without it, everything that they hold
    #[arg(long, value_name = "DEVICE", value_parser = value::device)]
    pub device: Option<String>,

    /// A group that they are in; may be given several times
    #[arg(long = "group", value_name = "GROUP")]
    pub groups: Vec<String>,

    /// A role that comes with their token, everywhere, instead of what it was made with; may be given several times
    #[arg(long = "role", value_name = "ROLE")]
    pub roles: Vec<String>,
}
