//! Where the configuration comes from, and which one counts at the start. It knows nothing of what it means.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use opendcre_gateway::Defect;
use opendcre_model::WallClock;

use super::{LastGood, certificate, login, publish};
use crate::cli::ServeArgs;
use crate::config::{Config, ConfigError, exposure};

/// What is done to every configuration that is read.
type Arrange = Box<dyn Fn(&mut Config) + Send + Sync>;

/// Where the configuration comes from.
#[derive(Default)]
pub(crate) struct Source {
    /// The file.
    pub(crate) path: PathBuf,
    /// What counts where there is no file.
    pub(crate) built_in: Option<String>,
    /// What the command line says besides.
    pub(crate) arrange: Option<Arrange>,
    /// What happens if the file is refused; without this, there is no start.
    pub(crate) fall_back: Option<FallBack>,
}

/// The last configuration that worked counts when the file is refused.
#[derive(Debug, Clone, Default)]
pub(crate) struct FallBack {
    /// Where it is kept, if it is not in the folder of the state.
    pub(crate) state: Option<PathBuf>,
}

/// The configuration that counts at the start.
pub(super) struct Chosen {
    pub(super) config: Config,
    /// What it was read from.
    pub(super) text: String,
    /// Why it is the last one that worked, if it is.
    pub(super) refusal: Option<Defect>,
}

impl Source {
    pub(crate) fn of(args: &ServeArgs) -> Self {
        let fall_back = args.fall_back.then(|| FallBack { state: args.state.clone() });
        Self { path: args.file.config.clone(), fall_back, ..Self::default() }
    }

    /// Reads the file again, or what counts instead of it.
    pub(crate) fn read(&self) -> Result<(Config, String), ConfigError> {
        let text = match &self.built_in {
            Some(text) if !self.path.exists() => text.clone(),
            _ => Config::read(&self.path)?,
        };
        Ok((self.understand(&text)?, text))
    }

    fn understand(&self, text: &str) -> Result<Config, ConfigError> {
        let mut config = Config::of_text(&self.path, text)?;
        if let Some(arrange) = &self.arrange {
            arrange(&mut config);
        }
        Ok(config)
    }

    /// Where the last configuration that worked is kept; nothing for those who do not want it.
    pub(super) fn last_good(&self, config: &Config) -> Option<LastGood> {
        let FallBack { state } = self.fall_back.as_ref()?;
        Some(
            state
                .as_deref()
                .map_or_else(|| LastGood::of(config), |state| LastGood::find(Some(state), &self.path)),
        )
    }

    /// The configuration to start with.
    ///
    /// # Errors
    /// The file is refused, and there is nothing to fall back to.
    pub(super) fn choose(&self, clock: &Arc<dyn WallClock>) -> anyhow::Result<Chosen> {
        let Some(FallBack { state }) = &self.fall_back else {
            let (config, text) = self.read()?;
            return Ok(Chosen { config, text, refusal: None });
        };
        let refusal = match self.read_sound(clock) {
            Ok((config, text)) => return Ok(Chosen { config, text, refusal: None }),
            Err(refusal) => refusal,
        };
        let last_good = LastGood::find(state.as_deref(), &self.path);
        let fallen_back = last_good.read().map_err(anyhow::Error::from).and_then(|text| {
            let config = self.understand(&text)?;
            self.check(&config, clock)?;
            Ok((config, text))
        });
        let place = last_good.path().display();
        match fallen_back {
            Ok((config, text)) => {
                let message = format!(
                    "{refusal:#}; the last configuration that worked, {place}, is served instead: correct {} and start the \
                     service again",
                    self.path.display()
                );
                let defect = Defect {
                    name: super::CONFIGURATION.to_owned(),
                    code: "configuration_fallen_back",
                    message,
                };
                Ok(Chosen { config, text, refusal: Some(defect) })
            }
            Err(second) => {
                Err(anyhow!("{refusal:#}; nor can the last configuration that worked be used: {second:#}"))
            }
        }
    }

    /// Reads what a service could start with.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn read_sound(&self, clock: &Arc<dyn WallClock>) -> anyhow::Result<(Config, String)> {
        let (config, text) = self.read()?;
        self.check(&config, clock)?;
        Ok((config, text))
    }

    /// Everything that would keep a service from starting with `config` for what it says, or for the files that it names.
    fn check(&self, config: &Config, clock: &Arc<dyn WallClock>) -> anyhow::Result<()> {
        exposure::check(config, &self.path)?;
        let unsound = || self.path.display().to_string();
        config.bmcs().with_context(unsound)?;
        login::check(config, clock).with_context(unsound)?;
        publish::check(config).with_context(unsound)?;
        certificate::check(config, clock).with_context(unsound)
    }
}
