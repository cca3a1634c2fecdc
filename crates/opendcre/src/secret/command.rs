//! `opendcre secret`: puts secrets into the sealed store, and takes them out of it. Nothing prints one.

use std::io::{self, IsTerminal, Read, Write};

use anyhow::Context;
use secrecy::SecretString;
use secrecy::zeroize::Zeroizing;

use super::{MAX_SECRET, SealedStore};
use crate::cli::{SecretCommand, SecretNameArgs};
use crate::client::password;
use crate::config::Config;
use crate::output;

/// Does what was asked.
///
/// # Errors
/// The configuration or the store is of no use, or there is no such secret.
pub(crate) fn run(command: &SecretCommand, out: &mut impl Write) -> anyhow::Result<()> {
    match command {
        SecretCommand::Set(args) => set(args),
        SecretCommand::List(file) => {
            let names: String =
                open(&Config::load(&file.config)?)?.names().map(|name| format!("{name}\n")).collect();
            output::print(out, &names)
        }
        SecretCommand::Remove(args) => Ok(open(&Config::load(&args.file.config)?)?.remove(&args.name)?),
    }
}

fn set(args: &SecretNameArgs) -> anyhow::Result<()> {
    let config = Config::load(&args.file.config)?;
    let mut store = SealedStore::create(&config.sealed_secrets(), &config.secrets_key())?;
    let secret = read(&args.name).context("cannot read the secret")?;
    Ok(store.set(&args.name, &secret)?)
}

fn open(config: &Config) -> anyhow::Result<SealedStore> {
    Ok(SealedStore::open(&config.sealed_secrets(), &config.secrets_key())?)
}

/// The secret: typed without being shown, or the first line of standard input.
fn read(name: &str) -> io::Result<SecretString> {
    let mut input = io::stdin();
    if input.is_terminal() {
        return password::ask(&format!("Secret {name}: "));
    }
    let mut text = Zeroizing::new(String::new());
    // One byte more than a line with the longest secret, to tell one that is too long.
    input.by_ref().take(MAX_SECRET as u64 + 3).read_to_string(&mut text)?;
    Ok(text.lines().next().unwrap_or_default().into())
}
