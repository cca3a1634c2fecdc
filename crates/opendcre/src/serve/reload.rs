//! Reading the configuration again while the server runs.
//!
//! Only what needs no reopening is applied. Everything else is named, so that nobody believes it counts.

use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;

use opendcre_api::{Api, Tls};
use opendcre_auth::Authenticator;
use opendcre_gateway::Defect;
use opendcre_model::WallClock;

use super::notice::Notices;
use super::{CONFIGURATION, Source, keep_good, login, warn_of_exposed_secrets};
use crate::config::{Config, ConfigError, changed_keys};
use crate::log::Logging;

/// What `OPENDCRE_LOG` counts more than.
const LEVEL: &str = "log.level";

/// The keys that count at once, besides those of logins and grants.
const LIVE: [&str; 2] = ["log.access", LEVEL];

/// Logins and grants: everything below this key counts at once, but for whether there are any.
const AUTH: &str = "auth.";

/// The configuration that the running server follows.
pub(super) struct Running<'s> {
    source: &'s Source,
    config: Config,
}

/// The parts of the running service that can be given something new.
pub(super) struct Live {
    pub(super) notices: Arc<Notices>,
    pub(super) authenticator: Arc<Authenticator>,
    pub(super) api: Api,
    pub(super) tls: Option<Arc<Tls>>,
    pub(super) clock: Arc<dyn WallClock>,
}

impl Live {
    /// Tells everybody that the file at `path` cannot be used, and that what counted before goes on to count.
    fn refuse(&self, path: &Path, error: &dyn Display) {
        let message = format!(
            "{error}; what was read before goes on to count: correct {} and send SIGHUP again",
            path.display()
        );
        let defect = Defect { name: CONFIGURATION.to_owned(), code: "configuration_refused", message };
        self.api.gateway().tell_of(&defect);
        self.notices.put(defect);
    }

    /// Lets people log in, and do what they may, as `config` says from now on, which came from `path`.
    fn admit_by(&self, config: &Config, path: &Path) -> anyhow::Result<()> {
        warn_of_exposed_secrets(config, path)?;
        // Where nobody logs in, there is nothing to replace; and nobody is let in by this who was not before.
        if !config.requires_login() {
            return Ok(());
        }
        let guard = self.authenticator.bind_guard();
        let (providers, policy) = (login::providers(config, &self.clock, guard)?, login::policy(config)?);
        self.api.gateway().replace_policy(policy);
        self.authenticator.replace(providers);
        self.api.announce(login::announced(config));
        Ok(())
    }
}

/// The keys that differ from the running configuration.
#[derive(Debug, PartialEq, Eq)]
struct Changes {
    /// Those that count at once.
    live: Vec<String>,
    /// Those that count after a restart.
    restart: Vec<String>,
}

impl Changes {
    /// Takes the level from the keys that count. False if it was not among them.
    fn overrule_level(&mut self) -> bool {
        let before = self.live.len();
        self.live.retain(|key| key != LEVEL);
        self.live.len() < before
    }
}

impl<'s> Running<'s> {
    /// The server was started with `config`, which came from `source`.
    pub(super) const fn new(source: &'s Source, config: Config) -> Self {
        Self { source, config }
    }

    /// What counts.
    pub(super) const fn config(&self) -> &Config {
        &self.config
    }

    /// Reads the file again, applies what can be applied, and logs what cannot.
    pub(super) fn reload(&mut self, logging: &Logging, live: &Live) {
        if let Some(Err(error)) = live.tls.as_ref().map(|tls| tls.reload()) {
            tracing::error!(%error, "the files for TLS cannot be used; the old ones stay in force");
        }
        let (path, before) = (&self.source.path, self.config.auth.clone());
        let mut changes = match self.read_again() {
            Ok(changes) => changes,
            Err(error) => {
                for line in error.lines() {
                    tracing::error!("the configuration stays as it is: {line}");
                }
                live.refuse(path, &error);
                return;
            }
        };
        if logging.has_level_of_environment() && changes.overrule_level() {
            tracing::warn!("log.level has changed, but OPENDCRE_LOG counts more; restart without it");
        }
        if !changes.live.is_empty()
            && let Err(error) = logging.apply(&self.config.log)
        {
            tracing::error!("the log stays as it is: {error}");
        }
        // Also if no key has changed: the files that they name may have.
        if let Err(error) = live.admit_by(&self.config, path) {
            tracing::error!("logins and grants stay as they are: {error:#}");
            live.refuse(path, &format_args!("{error:#}"));
            changes.live.retain(|key| !key.starts_with(AUTH));
            self.config.auth = before;
        } else {
            live.notices.remove(CONFIGURATION);
            self.keep_if_sound(&live.clock);
        }
        for key in changes.restart {
            tracing::warn!("needs a restart: {key}");
        }
        tracing::info!(applied = changes.live.join(", "), "configuration read again");
    }

    /// Keeps what was read if the next start could work with it, too.
    fn keep_if_sound(&self, clock: &Arc<dyn WallClock>) {
        let Some(place) = self.source.last_good(&self.config) else { return };
        match self.source.read_sound(clock) {
            Ok((_, text)) => keep_good(Some(place), &text),
            Err(error) => tracing::warn!("the next start will not work with this configuration: {error:#}"),
        }
    }

    /// Takes over the live keys. The others stay as they run, so they are named again until the restart.
    fn read_again(&mut self) -> Result<Changes, ConfigError> {
        let (new, _) = self.source.read()?;
        // With the server that runs, not with the one that the file describes: that one comes with a restart.
        let next = Config { auth: new.auth.clone(), ..self.config.clone() };
        let is_as_open = next.requires_login() == self.config.requires_login() && !next.is_open_by_mistake();
        let counts = |key: &String| LIVE.contains(&key.as_str()) || is_as_open && key.starts_with(AUTH);
        let (live, restart) = changed_keys(&self.config, &new).into_iter().partition(counts);
        self.config.log.level = new.log.level;
        self.config.log.access = new.log.access;
        if is_as_open {
            self.config.auth = new.auth;
        }
        Ok(Changes { live, restart })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn source(path: &Path) -> Source {
        Source { path: path.to_owned(), ..Source::default() }
    }

    #[test]
    fn a_reload_takes_what_it_can_and_names_the_rest_until_the_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("opendcre.toml");
        let source = source(&path);
        let mut running = Running::new(&source, Config::default());

        fs::write(&path, "[log]\nlevel = 'debug'\nmax_files = 7\n[server]\nlisten = '[::1]:80'\n").unwrap();
        let restart = vec!["log.max_files".to_owned(), "server.listen".to_owned()];
        let first = running.read_again().unwrap();
        assert_eq!(first.live, ["log.level"]);
        assert_eq!(first.restart, restart);
        assert_eq!(running.config.log.level, "debug");

        let second = running.read_again().unwrap();
        assert_eq!(second, Changes { live: vec![], restart });
    }

    #[test]
    fn a_level_that_does_not_count_is_not_said_to_be_applied() {
        let live = vec!["log.access".to_owned(), "log.level".to_owned()];
        let mut changes = Changes { live, restart: vec![] };
        assert!(changes.overrule_level());
        assert_eq!(changes.live, ["log.access"]);
        assert!(!changes.overrule_level());
    }

    #[test]
    fn grants_count_at_once_unless_they_decide_whether_anybody_logs_in() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("opendcre.toml");
        let grant = |user: &str| format!("[[auth.grant]]\nrole = 'viewer'\nusers = ['{user}']\n");
        let open = "[server]\nlisten = '0.0.0.0:5000'\ninsecure = true\n";
        fs::write(&path, format!("{open}{}", grant("ada"))).unwrap();
        let source = source(&path);
        let mut running = Running::new(&source, Config::load(&path).unwrap());
        assert!(running.config.requires_login());

        fs::write(&path, format!("{open}{}", grant("bob"))).unwrap();
        assert!(running.read_again().unwrap().live.iter().any(|key| key.starts_with("auth.grant")));
        assert_eq!(running.config.auth.grant[0].users, ["bob"]);

        // With what the file says now, login is required; with the server that runs, it would not be.
        fs::write(&path, "[server]\nlisten = '0.0.0.0:5000'\n").unwrap();
        let changes = running.read_again().unwrap();
        assert!(changes.live.is_empty(), "{changes:?}");
        assert!(changes.restart.iter().any(|key| key.starts_with("auth.grant")), "{changes:?}");
        assert!(running.config.requires_login());
        assert_eq!(running.config.auth.grant[0].users, ["bob"]);
    }

    #[test]
    fn what_strangers_may_do_on_this_machine_is_not_granted_to_those_on_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("opendcre.toml");
        fs::write(&path, "[server]\nlisten = '0.0.0.0:5000'\n").unwrap();
        let source = source(&path);
        let mut running = Running::new(&source, Config::load(&path).unwrap());
        fs::write(&path, "[server]\nlisten = '127.0.0.1:5000'\n[auth]\nanonymous = 'admin'\n").unwrap();
        let changes = running.read_again().unwrap();
        assert_eq!(
            changes,
            Changes { live: vec![], restart: vec!["auth.anonymous".into(), "server.listen".into()] }
        );
        assert_eq!(running.config.auth.anonymous, None);
    }

    #[test]
    fn a_faulty_file_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("opendcre.toml");
        fs::write(&path, "[log]\nlevel = 'loud'\naccess = false\n").unwrap();
        let source = source(&path);
        let mut running = Running::new(&source, Config::default());
        assert!(running.read_again().is_err());
        assert_eq!(running.config, Config::default());
    }
}
