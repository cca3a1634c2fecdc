//! Logging in: the commands `login` and `logout`, and the options by which every client command shows who it is and
//! knows who the server is.
//!
//! No option takes a password or a token: command lines can be read by everybody on the machine.

use std::path::PathBuf;

use clap::Args;

use super::value::{self, Fingerprint};

/// Where a token is looked for when no file is named.
pub const TOKEN_VARIABLE: &str = "OPENDCRE_TOKEN";

pub(super) const LOGIN_HELP: &str = "\
What comes of it is kept in $XDG_CONFIG_HOME/opendcre/credentials.json or ~/.config/opendcre/credentials.json, for this
server and for you alone. Every client command uses it for that server, and renews it when it has expired.

Examples:
  opendcre --server https://gateway.example:5000 login
  opendcre --server https://gateway.example:5000 login --provider sso --device
  opendcre login --issuer https://sso.example --client-id opendcre-cli --scope openid --scope groups";

pub(super) const LOGOUT_HELP: &str = "\
Examples:
  opendcre --server https://gateway.example:5000 logout";

/// Arguments of `login`.
#[derive(Debug, Clone, Args)]
pub struct LoginArgs {
    /// The provider to log in with, as the server names it; needed where there are several
    #[arg(long, value_name = "NAME")]
    pub provider: Option<String>,

    /// Type a code in a browser on any device; the default where the provider offers it
    #[arg(long, conflicts_with = "browser")]
    pub device: bool,

    /// Open a page in a browser on this machine
    #[arg(long)]
    pub browser: bool,

    /// The URL of the provider; without it, the server is asked
    #[arg(long, value_name = "URL", requires = "client_id", conflicts_with = "provider")]
    pub issuer: Option<String>,

    /// Who this program is to the provider
    #[arg(long, value_name = "ID", requires = "issuer")]
    pub client_id: Option<String>,

    /// What to ask the provider for [default: what the server says]
    #[arg(long = "scope", value_name = "SCOPE")]
    pub scopes: Vec<String>,

    /// The resource to ask the provider for (RFC 8707) [default: what the server says]
    #[arg(long, value_name = "URL")]
    pub resource: Option<String>,
}

/// How a client command shows who it is, and knows who the server is.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Client options")]
pub struct AccessOptions {
    /// The file that holds a token; without it, the environment variable OPENDCRE_TOKEN, then what `opendcre login` keeps
    #[arg(long, global = true, value_name = "FILE", env = "OPENDCRE_TOKEN_FILE", hide_env_values = true)]
    pub token_file: Option<PathBuf>,

    /// Log in with this name and a password, which is asked for
    #[arg(long, global = true, value_name = "NAME")]
    pub user: Option<String>,

    /// The file that holds the password of --user
    #[arg(long, global = true, value_name = "FILE")]
    pub password_file: Option<PathBuf>,

    /// The authorities in PEM that the certificate of the server must come from; without it, those of the system
    #[arg(long, global = true, value_name = "FILE", env = "OPENDCRE_CA_FILE", hide_env_values = true)]
    pub ca_file: Option<PathBuf>,

    /// The SHA-256 fingerprint of the only certificate that the server may have, as it says at its start
    #[arg(
        long,
        global = true,
        value_name = "SHA256",
        env = "OPENDCRE_FINGERPRINT",
        hide_env_values = true,
        value_parser = value::fingerprint
    )]
    pub fingerprint: Option<Fingerprint>,

    /// A certificate in PEM that shows the server who you are
    #[arg(long, global = true, value_name = "FILE")]
    pub client_certificate: Option<PathBuf>,

    /// The key of --client-certificate in PEM
    #[arg(long, global = true, value_name = "FILE")]
    pub client_key: Option<PathBuf>,
}
