//! `opendcre secret`: puts secrets into the sealed store, and takes them out of it. Nothing prints one.

use std::io::{self, IsTerminal, Read, Write};

use anyhow::Context;
use secrecy::SecretString;
use secrecy::zeroize::Zeroizing;

use super::file::Lock;
use super::{MAX_SECRET, SealedStore};
use crate::cli::{SecretCommand, SecretNameArgs};
use crate::client::password;
use crate::config::Config;
use crate::output;

/// When what was changed counts.
const WHEN: &str = "the service takes it over when it is restarted";

/// Does what was asked. Names go to `out`, remarks to `err`.
///
/// # Errors
/// The configuration or the store is of no use, or there is no such secret.
pub(crate) fn run(command: &SecretCommand, out: &mut impl Write, err: &mut impl Write) -> anyhow::Result<()> {
    match command {
        SecretCommand::Set(args) => set(args, err),
        SecretCommand::List(file) => list(&Config::load(&file.config)?, out),
        SecretCommand::Remove(args) => remove(args, err),
    }
}

fn set(args: &SecretNameArgs, err: &mut impl Write) -> anyhow::Result<()> {
    let config = Config::load(&args.file.config)?;
    let (path, key) = (config.sealed_secrets(), config.secrets_key());
    // Before the lock, so that nobody waits for somebody who thinks about a password.
    let secret = read(&args.name).context("cannot read the secret")?;
    let lock = Lock::wait(&path)?;
    SealedStore::create(&path, &key, &lock)?.set(&args.name, &secret, &lock)?;
    let (name, path, key) = (&args.name, path.display(), key.display());
    Ok(writeln!(err, "secret {name} is in {path}, sealed with the key in {key}; {WHEN}")?)
}

fn list(config: &Config, out: &mut impl Write) -> anyhow::Result<()> {
    let store = SealedStore::open(&config.sealed_secrets(), &config.secrets_key())?;
    let names: String = store.names().map(|name| format!("{name}\n")).collect();
    output::print(out, &names)
}

fn remove(args: &SecretNameArgs, err: &mut impl Write) -> anyhow::Result<()> {
    let config = Config::load(&args.file.config)?;
    let path = config.sealed_secrets();
    let lock = Lock::wait(&path)?;
    SealedStore::open(&path, &config.secrets_key())?.remove(&args.name, &lock)?;
    Ok(writeln!(err, "secret {} is no longer in {}; {WHEN}", args.name, path.display())?)
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
