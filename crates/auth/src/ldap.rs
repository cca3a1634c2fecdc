//! Names and passwords that an LDAP directory or an Active Directory knows.
//!
//! A name is searched for and the entry found is bound with the password, or a name made of it is bound at once. What is
//! sent is always under TLS, whose certificate is checked. A directory that cannot be asked never lets anybody in, and it
//! never sees so many wrong passwords for one account that it would lock it.
//!
//! The protocol is spoken by the modules below, and not by a crate, because its other side is hostile until TLS has
//! begun: every length, depth and number is bounded here.

mod account;
mod ber;
mod cache;
mod connection;
mod decoy;
mod diagnosis;
mod directory;
mod failover;
mod filter;
#[doc(hidden)]
pub mod fuzz;
mod group;
mod guard;
mod message;
mod name;
mod server;
mod settings;
#[cfg(test)]
mod test_server;
#[cfg(test)]
mod tests;
mod wire;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use opendcre_model::Subject;
use secrecy::SecretString;
use tokio::time::Instant;

pub use self::filter::FilterError;
pub use self::guard::BindGuard;
pub use self::settings::{GroupLookup, LdapSettings, SettingsError};

use self::cache::{Answer, Cache};
use self::directory::Directory;
use crate::Failure;

/// A directory.
pub struct Ldap {
    directory: Directory,
    cache: Mutex<Cache>,
}

impl Ldap {
    /// Makes ready to ask the directory that `settings` describe. Nothing is sent before somebody logs in. `guard` counts
    /// failed binds for all descriptions of directories that it is given to, and for those that take their place.
    ///
    /// # Errors
    /// Every [`SettingsError`].
    pub fn new(settings: LdapSettings, guard: Arc<BindGuard>) -> Result<Self, SettingsError> {
        let cache = Cache::new(settings.cache, settings.negative_cache)
            .map_err(|_| SettingsError::Random(settings.name.clone()))?;
        Ok(Self { directory: Directory::new(settings.rules()?, guard), cache: Mutex::new(cache) })
    }

    /// Its name in the configuration.
    #[must_use]
    pub fn name(&self) -> &str {
        self.directory.name()
    }

    /// Who it is.
    ///
    /// # Errors
    /// The directory does not know the name, or the password is another one, or too many have been tried for the same
    /// account; or none of its servers can be asked.
    pub async fn authenticate(&self, name: &str, password: &SecretString) -> Result<Subject, Failure> {
        if !self.directory.accepts(name) {
            return Err(Failure::Rejected { reason: "nobody can have the name".to_owned() });
        }
        if let Some(reason) = name::refused_password(password) {
            return Err(Failure::Rejected { reason: reason.to_owned() });
        }
        let known = self.cache().get(name, password, Instant::now());
        let answer = match known {
            Some(answer) => answer,
            None => self.ask(name, password).await?,
        };
        answer.map_err(|reason| Failure::Rejected { reason })
    }

    /// Asks the directory, and remembers what it says. That it was not asked is not remembered.
    async fn ask(&self, name: &str, password: &SecretString) -> Result<Answer, Failure> {
        let asked = Instant::now();
        let answer = self.directory.ask(name, password).await?;
        self.cache().put(name, password, answer.clone(), asked);
        Ok(answer)
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Ldap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ldap").field("name", &self.name()).finish_non_exhaustive()
    }
}
