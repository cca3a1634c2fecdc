//! The command line of `opendcre audit`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use opendcre_gateway::AuditHead;

use super::ConfigFile;

/// Arguments of `audit`.
#[derive(Debug, Clone, Args)]
pub struct AuditArgs {
    /// What to do with the log.
    #[command(subcommand)]
    pub command: AuditCommand,
}

/// What can be done with an audit log.
#[derive(Debug, Clone, Subcommand)]
pub enum AuditCommand {
    /// Check that no entry was changed, removed, reordered or put in; ends with 1 if one was
    #[command(after_help = "\
A log whose end was removed, or which was rewritten as a whole, is sound in itself. The gateway therefore writes the number
and the hash of its newest entry to its own log, at its start, at its end, and every hour or 1000 entries: keep them on
another machine, and hand them over here.

Examples:
  opendcre audit verify
  opendcre audit verify --file copy/audit.db --head 4711:6d1f6d1f6d1f6d1f6d1f6d1f6d1f6d1f6d1f6d1f6d1f6d1f6d1f6d1f6d1f6d1f")]
    Verify(AuditVerifyArgs),

    /// Print entries as one line of JSON each
    #[command(after_help = "\
Examples:
  opendcre audit export > audit.ndjson
  opendcre audit export --from 2026-11-01T00:00:00Z --to 2026-12-01T00:00:00Z
  opendcre audit export --first 1000 --last 1999")]
    Export(AuditExportArgs),

    /// Print the newest entries; with -o json as `export` does
    #[command(after_help = "\
Examples:
  opendcre audit tail -n 50
  opendcre audit tail --follow")]
    Tail(AuditTailArgs),
}

/// Where the log is.
#[derive(Debug, Clone, Args)]
pub struct AuditPlace {
    /// The audit log; that of the configuration unless given
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,

    /// Where the configuration is.
    #[command(flatten)]
    pub config: ConfigFile,
}

/// Arguments of `audit verify`.
#[derive(Debug, Clone, Args)]
pub struct AuditVerifyArgs {
    /// Where the log is.
    #[command(flatten)]
    pub place: AuditPlace,

    /// An entry that must be in it: its number and its hash; several times for several
    #[arg(long = "head", value_name = "NUMBER:HASH")]
    pub heads: Vec<AuditHead>,
}

/// Arguments of `audit export`.
#[derive(Debug, Clone, Args)]
pub struct AuditExportArgs {
    /// Where the log is.
    #[command(flatten)]
    pub place: AuditPlace,

    /// Only what happened at this time or later
    #[arg(long, value_name = "TIME")]
    pub from: Option<Timestamp>,

    /// Only what happened before this time
    #[arg(long, value_name = "TIME")]
    pub to: Option<Timestamp>,

    /// The number of the first entry
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub first: u64,

    /// The number of the last entry
    #[arg(long, value_name = "NUMBER")]
    pub last: Option<u64>,
}

/// Arguments of `audit tail`.
#[derive(Debug, Clone, Args)]
pub struct AuditTailArgs {
    /// Where the log is.
    #[command(flatten)]
    pub place: AuditPlace,

    /// How many entries to print
    #[arg(short = 'n', long, value_name = "NUMBER", default_value_t = 10)]
    pub lines: u16,

    /// Go on with entries that are added
    #[arg(short, long)]
    pub follow: bool,
}
