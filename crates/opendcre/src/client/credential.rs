//! What a request brings along to show who sends it, and from where that comes.
//!
//! In this order: --user and a password, --token-file, the environment, what `opendcre login` has left. It is asked for
//! before every request, because tokens expire and files change while a command runs.

use std::io;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;

use super::password;
use super::server_url::ServerUrl;
use super::tls::{self, TlsError};
use crate::cli::{AccessOptions, TOKEN_VARIABLE};
use crate::input::read_text;
use crate::login::{LoginError, SavedLogin};

/// A file with more in it holds something else than a token or a password.
const MAX_FILE_BYTES: u64 = 16 * 1024;

/// Why there is nothing that shows who asks.
#[derive(Debug, Error)]
pub(super) enum CredentialError {
    /// A file cannot be read.
    #[error("{option} {}: cannot read it: {reason}", path.display())]
    Unreadable {
        /// The option that names it.
        option: &'static str,
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        reason: io::Error,
    },
    /// There is nothing in it, or nothing that can be sent.
    #[error("{0}: there is no token or password that can be sent; write it there, on one line")]
    Unfit(String),
    /// There is a password and nobody whose it is.
    #[error("--password-file needs --user")]
    NoUser,
    /// A name and a password are divided by a colon (RFC 7617 §2).
    #[error("--user: a name must have neither a colon nor control characters")]
    BadUser,
    /// Nobody can be asked.
    #[error("cannot ask for the password: {0}; use --password-file")]
    NoTerminal(io::Error),
    /// Everybody on the way could read it.
    #[error(
        "nothing that proves who you are is sent to {0} without TLS, where others could read it; use an https URL"
    )]
    Insecure(String),
    /// What was kept cannot be used.
    #[error(transparent)]
    Saved(#[from] LoginError),
    /// The provider cannot be asked as it was told.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// From where it comes.
#[derive(Debug)]
pub(super) enum Credential {
    /// Nothing shows who asks.
    None,
    /// The same for every request.
    Fixed(HeaderValue),
    /// A token that stands in a file.
    TokenFile(PathBuf),
    /// A token that `opendcre login` has left, and whom to trust when it is renewed.
    Saved { login: SavedLogin, access: Box<AccessOptions> },
}

impl Credential {
    /// What `options` and the environment say about `server`; `variable` is what the environment says.
    pub(super) fn find(
        options: &AccessOptions,
        server: &ServerUrl,
        variable: Option<String>,
    ) -> Result<Self, CredentialError> {
        let found = Self::look(options, server, variable)?;
        match found {
            Self::None => Ok(found),
            found if server.is_private() => Ok(found),
            _ => Err(CredentialError::Insecure(server.to_string())),
        }
    }

    fn look(
        options: &AccessOptions,
        server: &ServerUrl,
        variable: Option<String>,
    ) -> Result<Self, CredentialError> {
        if let Some(user) = &options.user {
            return basic(user, options.password_file.as_deref(), server);
        }
        if options.password_file.is_some() {
            return Err(CredentialError::NoUser);
        }
        if let Some(path) = &options.token_file {
            return Ok(Self::TokenFile(path.clone()));
        }
        if let Some(token) = variable {
            return bearer(TOKEN_VARIABLE, &SecretString::from(token)).map(Self::Fixed);
        }
        let saved = SavedLogin::find(&server.to_string())?;
        Ok(saved.map_or(Self::None, |login| Self::Saved { login, access: Box::new(options.clone()) }))
    }

    /// The value of the `Authorization` field of the next request, if it has one.
    pub(super) async fn header(&self) -> Result<Option<HeaderValue>, CredentialError> {
        match self {
            Self::None => Ok(None),
            Self::Fixed(value) => Ok(Some(value.clone())),
            Self::TokenFile(path) => {
                let option = "--token-file";
                bearer(&format!("{option} {}", path.display()), &line(option, path)?).map(Some)
            }
            Self::Saved { login, access } => {
                let token = match login.current()? {
                    Some(token) => token,
                    None => login.renew(tls::authorities(access)?).await?,
                };
                bearer("the token that is kept", &token).map(Some)
            }
        }
    }
}

fn basic(user: &str, file: Option<&Path>, server: &ServerUrl) -> Result<Credential, CredentialError> {
    if user.contains(':') || user.contains(char::is_control) {
        return Err(CredentialError::BadUser);
    }
    let password = match file {
        Some(path) => line("--password-file", path)?,
        None => password::ask(&format!("Password of {user} at {server}: "))
            .map_err(CredentialError::NoTerminal)?,
    };
    let pair = SecretString::from(format!("{user}:{}", password.expose_secret()));
    let value = format!("Basic {}", STANDARD.encode(pair.expose_secret()));
    sensitive("--user", &value).map(Credential::Fixed)
}

fn bearer(source: &str, token: &SecretString) -> Result<HeaderValue, CredentialError> {
    match token.expose_secret().trim() {
        "" => Err(CredentialError::Unfit(source.to_owned())),
        token => sensitive(source, &format!("Bearer {token}")),
    }
}

fn sensitive(source: &str, value: &str) -> Result<HeaderValue, CredentialError> {
    let value = HeaderValue::try_from(value);
    let mut value = value.map_err(|_| CredentialError::Unfit(source.to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

/// The first line of a file, which must say something.
fn line(option: &'static str, path: &Path) -> Result<SecretString, CredentialError> {
    let text = read_text(path, MAX_FILE_BYTES).map(SecretString::from);
    let text =
        text.map_err(|reason| CredentialError::Unreadable { option, path: path.to_owned(), reason })?;
    match text.expose_secret().lines().next().filter(|line| !line.is_empty()) {
        Some(line) => Ok(line.into()),
        None => Err(CredentialError::Unfit(format!("{option} {}", path.display()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(
        options: &AccessOptions,
        server: &str,
        variable: Option<&str>,
    ) -> Result<Credential, CredentialError> {
        Credential::find(options, &server.parse().unwrap(), variable.map(ToOwned::to_owned))
    }

    async fn sent(credential: &Credential) -> String {
        let value = credential.header().await.unwrap().unwrap();
        assert!(value.is_sensitive());
        value.to_str().unwrap().to_owned()
    }

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, text).unwrap();
        file
    }

    #[tokio::test]
    async fn the_nearest_word_about_who_asks_counts() {
        let (token, password) = (file("odcre_1\n"), file("s3cret: ä\n"));
        let mut options = AccessOptions::default();
        assert_eq!(sent(&find(&options, "https://a", Some("odcre_0")).unwrap()).await, "Bearer odcre_0");
        options.token_file = Some(token.path().to_owned());
        let credential = find(&options, "https://a", Some("odcre_0")).unwrap();
        assert_eq!(sent(&credential).await, "Bearer odcre_1");
        std::fs::write(&token, "odcre_2").unwrap();
        assert_eq!(sent(&credential).await, "Bearer odcre_2", "a file may change while a command runs");
        options.user = Some("ada".to_owned());
        options.password_file = Some(password.path().to_owned());
        let expected = format!("Basic {}", STANDARD.encode("ada:s3cret: ä"));
        assert_eq!(sent(&find(&options, "https://a", None).unwrap()).await, expected);
    }

    #[test]
    fn nothing_that_proves_who_asks_is_sent_in_the_clear() {
        let options = AccessOptions::default();
        for (server, is_fine) in [("https://a", true), ("http://127.0.0.1", true), ("http://a", false)] {
            let found = find(&options, server, Some("odcre_0"));
            assert_eq!(found.is_ok(), is_fine, "{server}");
        }
        let refused = find(&options, "http://rack7:5000", Some("odcre_0")).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "nothing that proves who you are is sent to http://rack7:5000 without TLS, where others could read it; use an \
             https URL"
        );
    }

    #[tokio::test]
    async fn what_cannot_be_sent_is_said_without_repeating_it() {
        let empty = file("\n");
        let with = |user: Option<&str>, token: Option<&Path>, password: Option<&Path>| AccessOptions {
            user: user.map(ToOwned::to_owned),
            token_file: token.map(ToOwned::to_owned),
            password_file: password.map(ToOwned::to_owned),
            ..AccessOptions::default()
        };
        let refused = |options, variable| find(&options, "https://a", variable).unwrap_err().to_string();
        assert!(refused(with(None, None, Some(empty.path())), None).contains("needs --user"));
        assert!(refused(with(Some("a:b"), None, Some(empty.path())), None).contains("colon"));
        assert!(refused(with(Some("a"), None, Some(empty.path())), None).contains("no token or password"));
        let words = refused(with(None, None, None), Some("secret\u{7}"));
        assert!(words.contains(TOKEN_VARIABLE) && !words.contains("secret"), "{words}");
        for path in [empty.path(), Path::new("/nowhere")] {
            let credential = find(&with(None, Some(path), None), "https://a", None).unwrap();
            assert!(credential.header().await.is_err());
        }
    }
}
