//! The part of the command line that talks to one BMC: `opendcre ipmi`.
//!
//! There is no option for a password: command lines can be read by everybody on the machine.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand, ValueEnum};
use opendcre_model::{BootTarget, Identify};

use super::value::{self, Host};

/// Where the password is looked for when no file is named.
pub const PASSWORD_VARIABLE: &str = "OPENDCRE_IPMI_PASSWORD";

pub(super) const AFTER_HELP: &str = "\
Each command opens a session of its own, beside the one that a gateway holds. What changes equipment is recorded in
the audit file first; without a record nothing is sent. --timeout limits the wait for one answer, and for a change
as a whole.

The password comes from --password-file or the environment variable OPENDCRE_IPMI_PASSWORD.

Examples:
  opendcre ipmi --host 10.1.0.20 --user admin --password-file bmc.pw info
  opendcre ipmi --host 127.0.0.1:9623 --user ADMIN --password-file bmc.pw -o json sensors
  opendcre ipmi --host 10.1.0.20 --user admin --password-file - power status";

/// Arguments of `ipmi`.
#[derive(Debug, Clone, Args)]
pub struct IpmiArgs {
    /// The BMC and how to get in.
    #[command(flatten)]
    pub bmc: BmcOptions,

    /// What to do.
    #[command(subcommand)]
    pub command: IpmiCommand,
}

/// The BMC and how to get in.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "BMC options")]
pub struct BmcOptions {
    /// The BMC: an IP address or a name, with a port if it is not 623
    #[arg(
        long,
        global = true,
        value_name = "ADDRESS[:PORT]",
        env = "OPENDCRE_IPMI_HOST",
        hide_env_values = true,
        value_parser = value::host
    )]
    pub host: Option<Host>,

    /// The user, at most 16 bytes; empty for the user without a name
    #[arg(
        long,
        global = true,
        value_name = "NAME",
        env = "OPENDCRE_IPMI_USER",
        hide_env_values = true,
        hide_default_value = true,
        default_value = "",
        value_parser = value::user_name
    )]
    pub user: String,

    /// The file that holds the password; - is standard input. Without it, the environment variable
    /// OPENDCRE_IPMI_PASSWORD
    #[arg(long, global = true, value_name = "FILE")]
    pub password_file: Option<PathBuf>,

    /// The file that holds the key K_G of a BMC that has one
    #[arg(long, global = true, value_name = "FILE")]
    pub kg_file: Option<PathBuf>,

    /// A cipher suite of IPMI 2.0 that may be used, best first; 17 and 3 unless given. 1, 2, 6, 7, 8, 15 and 16 protect
    /// less, and 0 lets everybody in
    #[arg(long = "suite", global = true, value_name = "N", value_parser = value::cipher_suite)]
    pub suites: Vec<u8>,

    /// Speak IPMI 1.5, which everybody on the network can read, and prove who we are this way
    #[arg(
        long,
        global = true,
        value_name = "AUTH",
        value_enum,
        conflicts_with_all = ["suites", "kg_file"]
    )]
    pub ipmi15: Option<V1_5Auth>,

    /// The most privilege that is asked for
    #[arg(
        long,
        global = true,
        value_name = "LEVEL",
        value_enum,
        default_value_t = PrivilegeChoice::Administrator
    )]
    pub privilege: PrivilegeChoice,

    /// Let the BMC look the user up by name and privilege, for BMCs with several users of one name
    #[arg(long, global = true)]
    pub lookup_by_privilege: bool,

    /// Where changes are recorded; $XDG_STATE_HOME/opendcre/audit.db or ~/.local/state/opendcre/audit.db
    /// unless given
    #[arg(long, global = true, value_name = "FILE")]
    pub audit_file: Option<PathBuf>,
}

/// How a session of IPMI 1.5 is authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum V1_5Auth {
    /// Not at all
    None,
    /// With the password itself
    Password,
    /// With an MD2 digest
    Md2,
    /// With an MD5 digest
    Md5,
}

/// The most privilege that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PrivilegeChoice {
    /// To read
    User,
    /// To read and to control
    Operator,
    /// Whatever a command needs
    Administrator,
}

/// What can be asked of, or done to, one BMC.
#[derive(Debug, Clone, Subcommand)]
pub enum IpmiCommand {
    /// Say what the BMC is: firmware, GUID, self test, network, users
    #[command(after_help = "Examples:\n  opendcre ipmi --host 10.1.0.20 --user admin info")]
    Info,

    /// Ask whether somebody is there; needs no user
    #[command(after_help = "Examples:\n  opendcre ipmi --host 10.1.0.20 ping")]
    Ping,

    /// Read all sensors
    #[command(after_help = "\
Examples:
  opendcre ipmi --host 10.1.0.20 --user admin sensors
  opendcre ipmi --host 10.1.0.20 --user admin sensors --thresholds")]
    Sensors {
        /// Also ask for the thresholds as they are now
        #[arg(long)]
        thresholds: bool,
    },

    /// Read or clear the event log
    #[command(after_help = "Examples:\n  opendcre ipmi --host 10.1.0.20 --user admin sel list")]
    Sel {
        /// What to do with it.
        #[command(subcommand)]
        command: SelCommand,
    },

    /// Read an inventory: chassis, board, product
    #[command(after_help = "\
Examples:
  opendcre ipmi --host 10.1.0.20 --user admin fru
  opendcre ipmi --host 10.1.0.20 --user admin fru 3")]
    Fru {
        /// The number of the inventory; 0 is that of the machine itself
        #[arg(default_value_t = 0)]
        device: u8,
    },

    /// Ask for, or change, the power state
    #[command(after_help = "\
Examples:
  opendcre ipmi --host 10.1.0.20 --user admin power status
  opendcre ipmi --host 10.1.0.20 --user admin power soft")]
    Power {
        /// What to do.
        #[command(subcommand)]
        command: IpmiPowerCommand,
    },

    /// Ask for, or set, what the machine boots from
    #[command(after_help = "Examples:\n  opendcre ipmi --host 10.1.0.20 --user admin boot get")]
    Boot {
        /// What to do.
        #[command(subcommand)]
        command: BootCommand,
    },

    /// Switch the lamp that shows which machine it is
    #[command(after_help = "\
Examples:
  opendcre ipmi --host 10.1.0.20 --user admin identify
  opendcre ipmi --host 10.1.0.20 --user admin identify 120
  opendcre ipmi --host 10.1.0.20 --user admin identify off")]
    Identify {
        /// For how many seconds, 1 to 255; or on, or off
        #[arg(value_name = "SECONDS|on|off", default_value = "15")]
        identify: IdentifyFor,
    },

    /// Read power and temperatures, read or set the power limit, by DCMI
    #[command(after_help = "Examples:\n  opendcre ipmi --host 10.1.0.20 --user admin dcmi power")]
    Dcmi {
        /// What to do.
        #[command(subcommand)]
        command: DcmiCommand,
    },

    /// Send any command; whatever it does, it is recorded as a change
    #[command(after_help = "\
All numbers are hexadecimal, with or without 0x. The exit code is 1 when the completion code is not zero.

Examples:
  opendcre ipmi --host 10.1.0.20 --user admin raw 06 01
  opendcre ipmi --host 10.1.0.20 --user admin raw 0x2c 0x02 0xdc 0x01 0x00 0x00")]
    Raw(RawArgs),
}

/// What can be done with an event log.
#[derive(Debug, Clone, Subcommand)]
pub enum SelCommand {
    /// Say how many entries it has, and when it changed
    #[command(after_help = "Examples:\n  opendcre ipmi --host 10.1.0.20 --user admin sel info")]
    Info,

    /// Show the entries
    #[command(after_help = "\
Examples:
  opendcre ipmi --host 10.1.0.20 --user admin sel list
  opendcre ipmi --host 10.1.0.20 --user admin sel list --after 001f")]
    List {
        /// Only what comes behind the entry with this id, in hexadecimal
        #[arg(long, value_name = "ID", value_parser = value::entry_id)]
        after: Option<u16>,
    },

    /// Remove all entries
    #[command(after_help = "Examples:\n  opendcre ipmi --host 10.1.0.20 --user admin sel clear")]
    Clear,
}

/// What can be done about the power of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub enum IpmiPowerCommand {
    /// Ask for the state of the chassis, change nothing
    #[command(after_help = "Examples:\n  opendcre ipmi --host 10.1.0.20 --user admin power status")]
    Status,

    /// Switch on
    #[command(after_help = "Examples:\n  opendcre ipmi --host 10.1.0.20 --user admin power on")]
    On,

    /// Switch off at once
    #[command(after_help = "Examples:\n  opendcre ipmi --host 10.1.0.20 --user admin power off")]
    Off,

    /// Switch off, then on again; a machine that is off is switched on
    #[command(after_help = "Examples:\n  opendcre ipmi --host 10.1.0.20 --user admin power cycle")]
    Cycle,

    /// Restart without taking power away
    #[command(after_help = "Examples:\n  opendcre ipmi --host 10.1.0.20 --user admin power reset")]
    Reset,

    /// Ask the operating system to shut down
    #[command(after_help = "Examples:\n  opendcre ipmi --host 10.1.0.20 --user admin power soft")]
    Soft,

    /// Interrupt the operating system for a diagnosis
    #[command(after_help = "Examples:\n  opendcre ipmi --host 10.1.0.20 --user admin power diag")]
    Diag,

    /// Ask for, or set, what the machine does when mains power returns
    #[command(after_help = "\
Examples:
  opendcre ipmi --host 10.1.0.20 --user admin power policy
  opendcre ipmi --host 10.1.0.20 --user admin power policy always-on")]
    Policy {
        /// What it is to do; without it, nothing is changed
        #[arg(value_enum)]
        policy: Option<PowerPolicy>,
    },
}

/// What a machine does when mains power returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PowerPolicy {
    /// It powers up
    AlwaysOn,
    /// It stays off
    AlwaysOff,
    /// It does what it did before
    Previous,
}

/// What can be done about booting.
#[derive(Debug, Clone, Subcommand)]
pub enum BootCommand {
    /// Say what the machine boots from next
    #[command(after_help = "Examples:\n  opendcre ipmi --host 10.1.0.20 --user admin boot get")]
    Get,

    /// Set what the machine boots from next
    #[command(after_help = "\
Examples:
  opendcre ipmi --host 10.1.0.20 --user admin boot set pxe --efi
  opendcre ipmi --host 10.1.0.20 --user admin boot set disk --persistent
  opendcre ipmi --host 10.1.0.20 --user admin boot set no_override")]
    Set(BootSetArgs),
}

/// Arguments of `boot set`.
#[derive(Debug, Clone, Copy, Args)]
pub struct BootSetArgs {
    /// From where; no_override leaves it to the firmware
    #[arg(ignore_case = true, value_parser = boot_target_parser())]
    pub target: BootTarget,

    /// Every time from now on, not only the next time
    #[arg(long)]
    pub persistent: bool,

    /// In the manner of UEFI, not of a PC BIOS
    #[arg(long)]
    pub efi: bool,
}

/// All targets with the words that stand for them in JSON, too.
const BOOT_TARGETS: [(&str, BootTarget); 11] = [
    ("no_override", BootTarget::NoOverride),
    ("pxe", BootTarget::Pxe),
    ("disk", BootTarget::Disk),
    ("disk_safe_mode", BootTarget::DiskSafeMode),
    ("diagnostic", BootTarget::Diagnostic),
    ("optical", BootTarget::Optical),
    ("setup", BootTarget::Setup),
    ("remote_removable", BootTarget::RemoteRemovable),
    ("remote_optical", BootTarget::RemoteOptical),
    ("remote_disk", BootTarget::RemoteDisk),
    ("removable", BootTarget::Removable),
];

/// Reads a target by name; the names also feed the completions and the error text.
fn boot_target_parser() -> impl TypedValueParser<Value = BootTarget> {
    PossibleValuesParser::new(BOOT_TARGETS.map(|(name, _)| name)).try_map(|text| {
        let target = BOOT_TARGETS.iter().find(|(name, _)| name.eq_ignore_ascii_case(&text));
        target.map(|(_, target)| *target).ok_or("not a boot target")
    })
}

/// What the lamp is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdentifyFor(pub Identify);

impl std::str::FromStr for IdentifyFor {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        match text {
            "on" => Ok(Self(Identify::On)),
            "off" => Ok(Self(Identify::Off)),
            seconds => match seconds.parse() {
                Ok(seconds @ 1..) => Ok(Self(Identify::Seconds(seconds))),
                _ => Err("write on, off, or a number of seconds from 1 to 255"),
            },
        }
    }
}

/// What can be done by DCMI.
#[derive(Debug, Clone, Subcommand)]
pub enum DcmiCommand {
    /// Say what the BMC can do of DCMI
    #[command(after_help = "Examples:\n  opendcre ipmi --host 10.1.0.20 --user admin dcmi info")]
    Info,

    /// Read the power that the machine draws
    #[command(after_help = "Examples:\n  opendcre ipmi --host 10.1.0.20 --user admin dcmi power")]
    Power,

    /// Read or set the limit of the power that the machine draws
    #[command(after_help = "Examples:\n  opendcre ipmi --host 10.1.0.20 --user admin dcmi limit get")]
    Limit {
        /// What to do.
        #[command(subcommand)]
        command: LimitCommand,
    },

    /// Read the temperatures of inlet, processors and board
    #[command(after_help = "Examples:\n  opendcre ipmi --host 10.1.0.20 --user admin dcmi temps")]
    Temps,

    /// Read the asset tag
    #[command(after_help = "Examples:\n  opendcre ipmi --host 10.1.0.20 --user admin dcmi asset-tag")]
    AssetTag,
}

/// What can be done about the power limit.
#[derive(Debug, Clone, Subcommand)]
pub enum LimitCommand {
    /// Read the limit, and whether it is in force
    #[command(after_help = "Examples:\n  opendcre ipmi --host 10.1.0.20 --user admin dcmi limit get")]
    Get,

    /// Set a limit and put it into force
    #[command(after_help = "\
Examples:
  opendcre ipmi --host 10.1.0.20 --user admin dcmi limit set 350
  opendcre ipmi --host 10.1.0.20 --user admin dcmi limit set 350 --correction 2s --exception power-off")]
    Set(LimitSetArgs),

    /// Put the limit out of force
    #[command(after_help = "Examples:\n  opendcre ipmi --host 10.1.0.20 --user admin dcmi limit off")]
    Off,
}

/// Arguments of `dcmi limit set`.
#[derive(Debug, Clone, Copy, Args)]
pub struct LimitSetArgs {
    /// The limit in watts
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    pub watts: u16,

    /// How long the machine may take to get back below the limit
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = value::duration)]
    pub correction: Duration,

    /// The time over which power is averaged, in whole seconds
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = value::whole_seconds)]
    pub period: Duration,

    /// What happens when the limit cannot be kept
    #[arg(long, value_name = "WHAT", value_enum, default_value_t = LimitException::Log)]
    pub exception: LimitException,
}

/// What happens when a power limit cannot be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LimitException {
    /// Nothing
    None,
    /// An entry in the event log
    Log,
    /// The machine is switched off
    PowerOff,
}

/// Arguments of `raw`.
#[derive(Debug, Clone, Args)]
pub struct RawArgs {
    /// The network function: even, below 40
    #[arg(value_parser = value::netfn)]
    pub netfn: u8,

    /// The command
    #[arg(value_name = "CMD", value_parser = value::byte)]
    pub command: u8,

    /// The bytes of data
    #[arg(value_parser = value::byte)]
    pub data: Vec<u8>,

    /// The logical unit that is asked
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=3))]
    pub lun: u8,
}
