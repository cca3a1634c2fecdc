//! The commands that show what a server has observed: events, the history, the polling.

use std::time::Duration;

use clap::{Args, Subcommand};

use super::client::{AllNodes, Nodes};
use super::value;

/// Arguments of `events`.
#[derive(Debug, Clone, Args)]
pub struct EventsArgs {
    /// Of which boards.
    #[command(flatten)]
    pub nodes: AllNodes,

    /// Only events of this kind, such as health_changed; may be given several times
    #[arg(long = "kind", value_name = "KIND")]
    pub kinds: Vec<String>,

    /// Only events that matter at least so much
    #[arg(long, value_name = "SEVERITY", value_parser = ["info", "warning", "critical"])]
    pub severity: Option<String>,

    /// Events after the one with this number, or of this time, such as 2h; without it, the newest
    #[arg(long, value_name = "NUMBER|TIME", value_parser = value::since)]
    pub since: Option<Since>,

    /// The most events [default: 100, or 10 with --follow; with --since, all]
    #[arg(short = 'n', value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub count: Option<u16>,

    /// Wait for further events, until Ctrl-C; a server that goes away is asked again until it is back
    #[arg(short, long)]
    pub follow: bool,
}

/// Where events begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// After the one with this number.
    Number(u64),
    /// So long ago.
    Ago(Duration),
}

/// Arguments of `history`.
#[derive(Debug, Clone, Args)]
pub struct HistoryArgs {
    /// Of which boards.
    #[command(flatten)]
    pub nodes: Nodes,

    /// Only this device of each board: its id in hexadecimal, or its name
    #[arg(long, value_name = "DEVICE", value_parser = value::device)]
    pub device: Option<String>,

    /// Only this quantity
    #[arg(long, value_name = "QUANTITY", value_parser = QUANTITIES)]
    pub quantity: Option<String>,

    /// From when on: how long ago, or a time such as 2026-11-01T12:00:00Z
    #[arg(long, value_name = "WHEN", default_value = "-1h", allow_hyphen_values = true)]
    pub from: String,

    /// Until when
    #[arg(long, value_name = "WHEN", default_value = "now", allow_hyphen_values = true)]
    pub to: String,

    /// The time of one value, such as 5m, or raw for every one [default: about 300 values]
    #[arg(long, value_name = "TIME")]
    pub step: Option<String>,

    /// As a table for spreadsheets, whatever --output says
    #[arg(long)]
    pub csv: bool,
}

/// What a server can be asked the history of.
const QUANTITIES: [&str; 8] =
    ["temperature", "humidity", "pressure", "speed", "voltage", "current", "power", "value"];

/// Arguments of `poll`.
#[derive(Debug, Clone, Args)]
pub struct PollArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: PollCommand,
}

/// What can be asked about the polling.
#[derive(Debug, Clone, Subcommand)]
pub enum PollCommand {
    /// Show what is due, what is late, what fails, and why
    #[command(after_help = "\
Examples:
  opendcre poll status
  opendcre poll status rack_8 --late --failing")]
    Status(PollStatusArgs),
}

/// Arguments of `poll status`.
#[derive(Debug, Clone, Args)]
pub struct PollStatusArgs {
    /// Of which boards.
    #[command(flatten)]
    pub nodes: AllNodes,

    /// Only what is late
    #[arg(long)]
    pub late: bool,

    /// Only what does not answer, or not completely
    #[arg(long)]
    pub failing: bool,
}
