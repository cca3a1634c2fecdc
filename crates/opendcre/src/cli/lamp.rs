//! The commands about lamps and fans: what they take, and their help.

use clap::{Args, Subcommand, ValueEnum};
use opendcre_model::Rgb;

use super::client::{ChangeOptions, DeviceOption, Nodes};
use super::value;

/// Arguments of `led`.
#[derive(Debug, Clone, Args)]
pub struct LedArgs {
    /// What to do
    #[arg(value_enum, ignore_case = true)]
    pub command: LedCommand,

    /// Which boards.
    #[command(flatten)]
    pub nodes: Nodes,

    /// Which device.
    #[command(flatten)]
    pub device: DeviceOption,

    /// The colour of a chamber's lamp: six hexadecimal digits, red, green, blue
    #[arg(long, value_name = "RRGGBB")]
    pub color: Option<Rgb>,

    /// Let a chamber's lamp blink
    #[arg(long, conflicts_with = "steady")]
    pub blink: bool,

    /// Let a chamber's lamp not blink
    #[arg(long)]
    pub steady: bool,

    /// When to ask.
    #[command(flatten)]
    pub change: ChangeOptions,
}

/// What can be done about lamps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LedCommand {
    /// Ask what it shows, change nothing
    Status,
    /// Switch on
    On,
    /// Switch off
    Off,
}

/// Arguments of `fan`.
#[derive(Debug, Clone, Args)]
pub struct FanArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: FanCommand,
}

/// What can be done about fans.
#[derive(Debug, Clone, Subcommand)]
pub enum FanCommand {
    /// Ask for the speed
    #[command(after_help = "Examples:\n  opendcre fan get rack_1")]
    Get {
        /// Which boards.
        #[command(flatten)]
        nodes: Nodes,
        /// Only this device of each board: its id in hexadecimal, or its name
        #[arg(long, value_name = "DEVICE", value_parser = value::device)]
        device: Option<String>,
    },

    /// Set the speed
    #[command(after_help = "Examples:\n  opendcre fan set 10 4000 --device 0200")]
    Set {
        /// Which boards.
        #[command(flatten)]
        nodes: Nodes,
        /// Revolutions per minute, 0 to 10000
        #[arg(value_parser = clap::value_parser!(u16).range(..=10_000))]
        rpm: u16,
        /// Which device.
        #[command(flatten)]
        device: DeviceOption,
        /// When to ask.
        #[command(flatten)]
        change: ChangeOptions,
    },
}
