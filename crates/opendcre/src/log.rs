//! Where log lines go: standard error, and two files that are rotated and bounded.
//!
//! A log must never hold up the program. Lines wait in bounded queues for a thread that writes them; what finds
//! no room, on the way or on the disk, is counted and reported instead. This module knows nothing of what is
//! logged but that a line for each request has the target [`ACCESS`].

mod filter;
mod loss;
mod queue;
mod request_line;
mod rotate;
mod router;

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::sync::Arc;

use opendcre_gateway::{Defect, Part};
use opendcre_model::WallClock;
use thiserror::Error;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, fmt, reload};

pub(crate) use filter::{Filter, FilterError};

use crate::config::{self, LogFormat};
use loss::Loss;
use queue::{Carrier, Queue};
use request_line::RequestLines;
use rotate::{Bounds, RotatingFile};
use router::{Destination, Router};

/// The target of the line that each request gets.
const ACCESS: &str = "access";

/// The code of the defects of places that take no lines.
pub(crate) const UNAVAILABLE: &str = "log_unavailable";
/// What the defect of the log files is called.
pub(crate) const DIRECTORY: &str = "log.directory";

/// Why logging cannot start.
#[derive(Debug, Error)]
pub(crate) enum LogError {
    /// A log file cannot be opened for writing.
    #[error(
        "cannot write logs to {}: {reason}; make the directory writable, or set log.directory, or set log.files = false",
        directory.display()
    )]
    Directory {
        /// The log directory.
        directory: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
    /// The level in the environment is not one.
    #[error("OPENDCRE_LOG: {0}")]
    Environment(FilterError),
    /// The level in the configuration is not one.
    #[error("log.level: {0}")]
    Level(FilterError),
    /// The system has no thread left for a log.
    #[error("cannot start the thread of a log: {0}")]
    Thread(io::Error),
    /// Something else already receives the log lines of this process.
    #[error("logging has already been started in this process")]
    Started,
}

/// The running log. Dropping it writes out what still waits.
pub(crate) struct Logging {
    filter: reload::Handle<Targets, Registry>,
    /// Counts more than the level in the settings, as long as the process lives.
    environment: Option<Filter>,
    losses: Losses,
    _carriers: Vec<Carrier>,
}

/// Counts the lines that did not reach their places, and says which places take none.
#[derive(Clone, Default)]
pub(crate) struct Losses(Vec<Arc<Loss>>);

type BoxedLayer<S> = Box<dyn Layer<S> + Send + Sync>;

/// Starts logging as `settings` say. `level` comes from the environment and counts more than that in `settings`.
///
/// # Errors
/// When a log file cannot be opened, a level is not understood, or logging was started before.
pub(crate) fn start(
    settings: &config::Log,
    level: Option<&str>,
    clock: &Arc<dyn WallClock>,
) -> Result<Logging, LogError> {
    let environment = level.map(str::parse).transpose().map_err(LogError::Environment)?;
    let chosen = choose(environment.as_ref(), settings)?;
    let mut places = Places::default();
    let stderr = Loss::new("log.stderr", "standard error");
    let mut destinations = vec![places.destination(settings, io::stderr(), Place::Stderr, stderr)?];
    if settings.files {
        for (name, place) in [("opendcre.log", Place::File), ("access.log", Place::AccessFile)] {
            let path = settings.directory.join(name);
            let loss = Loss::new(DIRECTORY, path.display());
            destinations.push(places.destination(settings, open(settings, path, clock)?, place, loss)?);
        }
    }
    let (filter, handle) = reload::Layer::new(chosen.targets(ACCESS, settings.access));
    let subscriber = tracing_subscriber::registry().with(filter).with(Router::new(destinations));
    subscriber.try_init().map_err(|_| LogError::Started)?;
    Ok(Logging { filter: handle, environment, losses: places.losses, _carriers: places.carriers })
}

/// The filter that counts.
fn choose(environment: Option<&Filter>, settings: &config::Log) -> Result<Filter, LogError> {
    match environment {
        Some(filter) => Ok(filter.clone()),
        None => settings.level.parse().map_err(LogError::Level),
    }
}

/// What one place of the log takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// For people or a journal. Requests only where no file takes them.
    Stderr,
    /// Everything but requests.
    File,
    /// Requests alone.
    AccessFile,
}

impl Place {
    /// Whether it takes the lines of requests.
    fn takes_requests(self, files: bool) -> bool {
        match self {
            Self::Stderr => !files,
            Self::File => false,
            Self::AccessFile => true,
        }
    }

    /// Whether it takes everything else.
    fn takes_others(self) -> bool {
        self != Self::AccessFile
    }
}

/// The writers that were set up so far.
#[derive(Default)]
struct Places {
    carriers: Vec<Carrier>,
    losses: Losses,
}

impl Places {
    /// A place that is written to by `writer` from a thread of its own, and has lost nothing yet.
    fn destination<S, W>(
        &mut self,
        settings: &config::Log,
        writer: W,
        place: Place,
        loss: Loss,
    ) -> Result<Destination<S>, LogError>
    where
        S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
        W: io::Write + Send + 'static,
    {
        let loss = Arc::new(loss);
        let (queue, carrier) = queue::start(writer, Arc::clone(&loss)).map_err(LogError::Thread)?;
        self.carriers.push(carrier);
        self.losses.0.push(loss);
        Ok(Destination {
            layer: format(settings.format, queue, place),
            takes_requests: place.takes_requests(settings.files),
            takes_others: place.takes_others(),
        })
    }
}

fn format<S>(format: LogFormat, queue: Queue, place: Place) -> BoxedLayer<S>
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
{
    if format == LogFormat::Text && place == Place::AccessFile {
        return RequestLines::new(queue).boxed();
    }
    let colours = place == Place::Stderr && io::stderr().is_terminal();
    let layer = fmt::layer().with_ansi(colours).with_writer(move || queue.clone());
    match format {
        LogFormat::Text => layer.boxed(),
        LogFormat::Json => layer.json().flatten_event(true).boxed(),
    }
}

fn open(settings: &config::Log, path: PathBuf, clock: &Arc<dyn WallClock>) -> Result<RotatingFile, LogError> {
    let bounds = Bounds {
        file_bytes: settings.rotate_size.0,
        rotated_files: settings.max_files,
        // There are two logs.
        total_bytes: settings.total_size.0 / 2,
    };
    RotatingFile::open(path, bounds, Arc::clone(clock))
        .map_err(|reason| LogError::Directory { directory: settings.directory.clone(), reason })
}

impl Logging {
    /// Logs from now on what `settings` say, but with the level of the environment if that had one. The rest of
    /// `settings` needs a restart.
    ///
    /// # Errors
    /// When the level is not understood.
    pub(crate) fn apply(&self, settings: &config::Log) -> Result<(), LogError> {
        let filter = choose(self.environment.as_ref(), settings)?;
        let applied = self.filter.reload(filter.targets(ACCESS, settings.access));
        applied.map_err(|_| LogError::Started)
    }

    /// Whether the level came from the environment, so that the one in the settings does not count.
    pub(crate) const fn has_level_of_environment(&self) -> bool {
        self.environment.is_some()
    }

    /// What becomes of lines that are lost.
    pub(crate) fn losses(&self) -> Losses {
        self.losses.clone()
    }
}

impl Losses {
    /// Lines that were lost since the start.
    pub(crate) fn count(&self) -> u64 {
        self.0.iter().map(|loss| loss.lines()).sum()
    }
}

impl Part for Losses {
    fn defects(&self) -> Vec<Defect> {
        self.0.iter().filter_map(|loss| loss.defect()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_takes_no_files_is_one_line_that_says_what_to_do() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let settings = config::Log { directory: file.path().join("logs"), ..config::Log::default() };
        let clock: Arc<dyn WallClock> = Arc::new(crate::clock::SystemClock);
        let error = start(&settings, None, &clock).map(|_| ()).unwrap_err().to_string();
        assert!(error.starts_with("cannot write logs to /"), "{error}");
        assert!(
            error.ends_with("make the directory writable, or set log.directory, or set log.files = false")
        );
    }

    #[test]
    fn a_slip_in_the_environment_is_named_so() {
        let clock: Arc<dyn WallClock> = Arc::new(crate::clock::SystemClock);
        let error = start(&config::Log::default(), Some("loud"), &clock).map(|_| ()).unwrap_err();
        assert!(error.to_string().starts_with("OPENDCRE_LOG: \"loud\" is not a level; use "));
    }

    #[test]
    fn new_settings_leave_the_level_of_the_environment_alone() {
        for (environment, debugs) in [(None, false), (Some("debug"), true)] {
            let (_layer, filter) = reload::Layer::new(Targets::new());
            let environment = environment.map(|level: &str| level.parse().unwrap());
            let logging = Logging { filter, environment, losses: Losses::default(), _carriers: Vec::new() };
            let settings = config::Log { level: "warn".to_owned(), access: true, ..config::Log::default() };
            logging.apply(&settings).unwrap();
            let enabled = |target, level| {
                logging.filter.with_current(|filter| filter.would_enable(target, &level)).unwrap()
            };
            assert_eq!(enabled("opendcre_gateway", tracing::Level::DEBUG), debugs);
            assert!(enabled(ACCESS, tracing::Level::INFO));
        }
    }

    #[test]
    fn requests_go_to_their_own_file_if_there_are_files() {
        for (place, files, takes_access, takes_others) in [
            (Place::Stderr, true, false, true),
            (Place::Stderr, false, true, true),
            (Place::File, true, false, true),
            (Place::AccessFile, true, true, false),
        ] {
            assert_eq!(place.takes_requests(files), takes_access, "{place:?}");
            assert_eq!(place.takes_others(), takes_others, "{place:?}");
        }
    }
}
