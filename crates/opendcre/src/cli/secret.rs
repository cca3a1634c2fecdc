//! `opendcre secret`: the words for the sealed store.

use clap::{Args, Subcommand};

use super::ConfigFile;

/// Arguments of `secret`.
#[derive(Debug, Clone, Args)]
pub struct SecretArgs {
    /// What to do with secrets.
    #[command(subcommand)]
    pub command: SecretCommand,
}

/// What can be done with secrets.
#[derive(Debug, Clone, Subcommand)]
pub enum SecretCommand {
    /// Seal a secret, which is typed, or is the first line of standard input
    #[command(after_help = "\
A BMC uses it with `password_secret = \"NAME\"` in its table. The first secret also makes the key.

Examples:
  opendcre secret set rack-1
  cat password.txt | opendcre secret set rack-1")]
    Set(SecretNameArgs),

    /// Show the names of the secrets
    #[command(after_help = "Examples:\n  opendcre secret list")]
    List(ConfigFile),

    /// Remove a secret
    #[command(after_help = "Examples:\n  opendcre secret remove rack-1")]
    Remove(SecretNameArgs),
}

/// A secret.
#[derive(Debug, Clone, Args)]
pub struct SecretNameArgs {
    /// The name of the secret
    pub name: String,

    /// The configuration, which says where the store is.
    #[command(flatten)]
    pub file: ConfigFile,
}
