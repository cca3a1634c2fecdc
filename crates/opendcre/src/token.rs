//! `opendcre token`: makes, lists and revokes API tokens in the file that the service looks them up in. It asks no server,
//! so whoever may write that file needs no token to make the first one.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::io::Write;

use anyhow::{Context, anyhow};
use jiff::Timestamp;
use opendcre_auth::token::{NewToken, TokenRecord, TokenState, TokenStore};
use opendcre_gateway::Role;
use opendcre_model::{Extent, Grant, WallClock};
use rustix::process::getuid;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use crate::cli::{
    Lifetime, OutputFormat, TokenCommand, TokenCreateArgs, TokenListArgs, TokenRevokeArgs, TokensFile,
};
use crate::config::Config;
use crate::output::{empty_table, print_json, print_table, visible};

/// Does what `command` asks. Tokens and tables go to `out`, remarks to `err`.
///
/// # Errors
/// The configuration is not sound, the tokens cannot be used, or the command asks for what cannot be.
pub(crate) fn run(
    command: &TokenCommand,
    format: OutputFormat,
    clock: &dyn WallClock,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> anyhow::Result<()> {
    let now = clock.now();
    match command {
        TokenCommand::Create(args) => create(args, format, now, out, err),
        TokenCommand::List(args) => list(args, format, now, out),
        TokenCommand::Revoke(args) => revoke(args, now, err),
    }
}

fn create(
    args: &TokenCreateArgs,
    format: OutputFormat,
    now: Timestamp,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> anyhow::Result<()> {
    let store = open(&args.place, &args.roles)?;
    let token = NewToken {
        name: args.name.clone(),
        grants: grants(args),
        // The number cannot be forged by the environment, as a name can.
        created_by: format!("local user {}", getuid().as_raw()),
        expires: expires(args.expires, now)?,
    };
    let (record, text) = store.create(&token, now)?;
    print_token(&record, &text, format, out).context("the token is made, but cannot be shown; revoke it")?;
    let end = record.expires.map_or("when it is revoked".to_owned(), |end| format!("on {end}"));
    writeln!(err, "token {} ({}), which ends {end}, may be:", record.name, record.id)?;
    for grant in &record.grants {
        writeln!(err, "  {}", visible(&describe(grant)))?;
    }
    writeln!(err, "It is shown only this once. Keep it where only its user can read it.")?;
    Ok(())
}

fn list(
    args: &TokenListArgs,
    format: OutputFormat,
    now: Timestamp,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let mut records = open(&args.place, &[])?.list()?;
    records.retain(|record| args.all || record.state(now) == TokenState::Valid);
    match format {
        OutputFormat::Json => {
            for record in &records {
                print_json(out, &Listed { record, state: record.state(now) })?;
            }
        }
        OutputFormat::Table => print_table(out, table(&records, now))?,
    }
    Ok(())
}

fn revoke(args: &TokenRevokeArgs, now: Timestamp, err: &mut dyn Write) -> anyhow::Result<()> {
    let record = open(&args.place, &[])?.revoke(&args.token, now)?;
    writeln!(err, "token {} ({}) is revoked", record.name, record.id)?;
    Ok(())
}

/// Opens the tokens for somebody who is to have `roles`, which the configuration must know.
fn open(place: &TokensFile, roles: &[String]) -> anyhow::Result<TokenStore> {
    if let Some(file) = &place.file {
        return Ok(TokenStore::open(file)?);
    }
    let config = Config::load(&place.config)?;
    check_roles(roles, &config)?;
    Ok(TokenStore::open(config.tokens_file())?)
}

/// A role that nobody knows would permit nothing, and nobody would notice before it is needed.
fn check_roles(roles: &[String], config: &Config) -> anyhow::Result<()> {
    let own = config.auth.role.iter().map(|role| role.name.as_str());
    let known: BTreeSet<&str> = Role::BUILT_IN.into_iter().chain(own).collect();
    match roles.iter().find(|role| !known.contains(role.as_str())) {
        None => Ok(()),
        Some(role) => {
            let known: Vec<&str> = known.into_iter().collect();
            Err(anyhow!("there is no role {role:?}; use {}, or add it as [[auth.role]]", known.join(", ")))
        }
    }
}

/// All the roles, with the same extent.
fn grants(args: &TokenCreateArgs) -> Vec<Grant> {
    let extent = Extent {
        racks: args.racks.clone(),
        boards: args.boards.clone(),
        devices: args.devices.clone(),
        board_groups: args.board_groups.clone(),
        labels: args.labels.clone(),
        nodes: args.nodes.clone(),
    };
    args.roles.iter().map(|role| Grant { role: role.clone(), extent: extent.clone() }).collect()
}

fn expires(lifetime: Lifetime, now: Timestamp) -> anyhow::Result<Option<Timestamp>> {
    match lifetime {
        Lifetime::Endless => Ok(None),
        Lifetime::Limited(time) => Ok(Some(now.checked_add(time)?)),
    }
}

/// A token that was made, for programs.
#[derive(Serialize)]
struct Made<'a> {
    token: &'a str,
    #[serde(flatten)]
    record: &'a TokenRecord,
}

/// A token in a list, for programs.
#[derive(Serialize)]
struct Listed<'a> {
    #[serde(flatten)]
    record: &'a TokenRecord,
    state: TokenState,
}

fn print_token(
    record: &TokenRecord,
    text: &SecretString,
    format: OutputFormat,
    out: &mut dyn Write,
) -> std::io::Result<()> {
    let token = text.expose_secret();
    match format {
        OutputFormat::Json => print_json(out, &Made { token, record }),
        OutputFormat::Table => {
            writeln!(out, "{token}")?;
            out.flush()
        }
    }
}

fn table(records: &[TokenRecord], now: Timestamp) -> comfy_table::Table {
    let mut table = empty_table();
    table.set_header(["NAME", "ID", "STATE", "EXPIRES", "LAST USED", "FROM", "GRANTS"]);
    for record in records {
        let grants: Vec<String> = record.grants.iter().map(describe).collect();
        table.add_row([
            record.name.clone(),
            record.id.clone(),
            state(record.state(now)).to_owned(),
            record.expires.map_or("never".to_owned(), |time| time.to_string()),
            record.last_used.map_or("never".to_owned(), |time| time.to_string()),
            record.last_used_from.map_or("-".to_owned(), |origin| origin.to_string()),
            visible(&grants.join("; ")),
        ]);
    }
    table
}

const fn state(state: TokenState) -> &'static str {
    match state {
        TokenState::Valid => "valid",
        TokenState::Expired => "expired",
        TokenState::Revoked => "revoked",
    }
}

/// A role and where it holds, in words.
fn describe(grant: &Grant) -> String {
    let Extent { racks, boards, devices, board_groups, labels, nodes } = &grant.extent;
    let nodes: Vec<String> = nodes.iter().cloned().collect();
    let parts = [
        ("racks", racks),
        ("boards", boards),
        ("devices", devices),
        ("groups", board_groups),
        ("labels", labels),
        ("nodes", &nodes),
    ];
    let given = parts.into_iter().filter(|(_, values)| !values.is_empty());
    let given: Vec<String> = given.map(|(name, values)| format!("{name} {}", values.join(","))).collect();
    match given.is_empty() {
        true => format!("{} everywhere", grant.role),
        false => format!("{} in {}", grant.role, given.join(", ")),
    }
}
