//! `opendcre token`: the words for API tokens and what they may do.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use opendcre_gateway::NodeRange;

/// Examples of `token create`.
const CREATE_HELP: &str = "\
The token is printed on standard output, once; what it may do, on standard error. Whoever has the token may do that, so
keep it where only its user can read it.

What is given of racks, boards, devices, groups, labels and nodes must all be fulfilled; of several of a kind, one is
enough; nothing given is everywhere. * stands for any text, ? for any character.

Examples:
  opendcre token create ci --role viewer > ci.token
  opendcre token create night-shift --role operator --racks 'rack_1*' --expires 12h
  opendcre token create db-admins --role operator --nodes db-[01-40] --devices power --expires never";

/// Arguments of `token`.
#[derive(Debug, Clone, Args)]
pub struct TokenArgs {
    /// What to do with tokens.
    #[command(subcommand)]
    pub command: TokenCommand,
}

/// What can be done with tokens.
#[derive(Debug, Clone, Subcommand)]
pub enum TokenCommand {
    /// Make a token and print it
    #[command(after_help = CREATE_HELP)]
    Create(Box<TokenCreateArgs>),

    /// Show the tokens: what they may do, whether they are valid, when they were used
    #[command(after_help = "Examples:\n  opendcre token list\n  opendcre -o json token list --all")]
    List(TokenListArgs),

    /// Revoke a token, at once
    #[command(after_help = "\
Examples:
  opendcre token revoke ci
  opendcre token revoke 5f0c1a2b3c4d")]
    Revoke(TokenRevokeArgs),
}

/// Where the tokens are.
#[derive(Debug, Clone, Args)]
pub struct TokensFile {
    /// The configuration file, which says where the tokens are
    #[arg(long, value_name = "FILE", default_value = "/etc/opendcre/opendcre.toml")]
    pub config: PathBuf,

    /// The file of the tokens itself, instead of a configuration
    #[arg(long, value_name = "FILE", conflicts_with = "config")]
    pub file: Option<PathBuf>,
}

/// Arguments of `token create`.
#[derive(Debug, Clone, Args)]
pub struct TokenCreateArgs {
    /// Its name: 1 to 64 letters, digits, -, _, . and @
    pub name: String,

    /// What it may do: viewer, operator, admin, auditor, or a role of the configuration; several may be given
    #[arg(long = "role", value_name = "ROLE", required = true)]
    pub roles: Vec<String>,

    /// Only in these racks
    #[arg(long, value_name = "RACK", value_delimiter = ',')]
    pub racks: Vec<String>,

    /// Only on these boards: ids, names, host names or IP addresses
    #[arg(long, value_name = "BOARD", value_delimiter = ',')]
    pub boards: Vec<String>,

    /// Only on these devices: ids, names or kinds
    #[arg(long, value_name = "DEVICE", value_delimiter = ',')]
    pub devices: Vec<String>,

    /// Only in these groups of boards
    #[arg(long, value_name = "GROUP", value_delimiter = ',')]
    pub board_groups: Vec<String>,

    /// Only on boards with these labels
    #[arg(long, value_name = "KEY=VALUE", value_delimiter = ',', value_parser = label)]
    pub labels: Vec<String>,

    /// Only on the boards of this node range
    #[arg(long, value_name = "RANGE", value_parser = nodes, allow_hyphen_values = true)]
    pub nodes: Option<String>,

    /// How long it is valid, such as 12h, 90d or 52w; or never, for until it is revoked
    #[arg(long, value_name = "TIME", default_value = "90d", value_parser = lifetime)]
    pub expires: Lifetime,

    /// Where the tokens are.
    #[command(flatten)]
    pub place: TokensFile,
}

/// Arguments of `token list`.
#[derive(Debug, Clone, Args)]
pub struct TokenListArgs {
    /// Also those that expired or were revoked within the last 90 days
    #[arg(long)]
    pub all: bool,

    /// Where the tokens are.
    #[command(flatten)]
    pub place: TokensFile,
}

/// Arguments of `token revoke`.
#[derive(Debug, Clone, Args)]
pub struct TokenRevokeArgs {
    /// Its name or its id
    #[arg(value_name = "NAME|ID")]
    pub token: String,

    /// Where the tokens are.
    #[command(flatten)]
    pub place: TokensFile,
}

/// How long a token is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    /// So long.
    Limited(Duration),
    /// Until it is revoked.
    Endless,
}

/// The longest time that can be written: ten years.
const MAX_LIFETIME: Duration = Duration::from_hours(10 * 365 * 24);

/// Reads how long a token is valid: a whole number of minutes, hours, days or weeks, or `never` for without an end.
fn lifetime(text: &str) -> Result<Lifetime, &'static str> {
    if text == "never" {
        return Ok(Lifetime::Endless);
    }
    let unit = text.char_indices().next_back().map_or(0, |(last, _)| last);
    let (count, unit) = text.split_at(unit);
    let minutes = match unit {
        "m" => 1,
        "h" => 60,
        "d" => 24 * 60,
        "w" => 7 * 24 * 60,
        _ => return Err("write a number with m, h, d or w, such as 12h or 90d, or never"),
    };
    let is_number = !count.is_empty() && count.bytes().all(|byte| byte.is_ascii_digit());
    let count = is_number.then(|| count.parse::<u64>().ok()).flatten();
    let duration = count.and_then(|count| count.checked_mul(minutes * 60)).map(Duration::from_secs);
    match duration {
        Some(duration) if !duration.is_zero() && duration <= MAX_LIFETIME => Ok(Lifetime::Limited(duration)),
        _ => Err("write a time from 1m to 520w, or never"),
    }
}

/// Takes a node range that can be understood. What it stands for is not known before it is asked.
fn nodes(text: &str) -> Result<String, String> {
    text.parse::<NodeRange>().map(|_| text.to_owned()).map_err(|error| error.to_string())
}

/// Takes a label with its value.
fn label(text: &str) -> Result<String, &'static str> {
    match text.split_once('=') {
        Some((key, _)) if !key.is_empty() => Ok(text.to_owned()),
        _ => Err("write a label as KEY=VALUE, such as role=database"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lifetime_has_a_unit_and_bounds() {
        let limited = |hours| Ok(Lifetime::Limited(Duration::from_hours(hours)));
        assert_eq!(lifetime("90d"), limited(90 * 24));
        assert_eq!(lifetime("12h"), limited(12));
        assert_eq!(lifetime("52w"), limited(52 * 7 * 24));
        assert_eq!(lifetime("1m"), Ok(Lifetime::Limited(Duration::from_mins(1))));
        assert_eq!(lifetime("never"), Ok(Lifetime::Endless));
        for text in [
            "",
            "d",
            "0d",
            "90",
            "-1d",
            "+1d",
            "1.5d",
            "1y",
            "521w6d",
            "9999w",
            "99999999999999999999d",
            "1é",
        ] {
            assert!(lifetime(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn where_a_token_holds_must_be_understood() {
        assert!(nodes("db-[01-40],-db-07").is_ok() && nodes("db-[").is_err() && nodes("").is_err());
        assert!(label("role=db").is_ok() && label("role=").is_ok() && label("=db").is_err());
        assert!(label("role").is_err());
    }
}
