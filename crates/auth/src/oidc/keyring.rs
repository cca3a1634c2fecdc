//! The keys of a provider, fetched when they are needed and kept while they may be used.
//!
//! Keys are fetched again when they are older than [`FRESH`], and at once for a token of a key that nobody knows, as
//! after a change of keys – but only every [`PAUSE`], or else everybody who makes up names of keys could let us pester
//! the provider. One fetch runs at a time; whoever needs what it brings waits for it, everybody else goes on with what
//! is there. If the provider does not answer, its last keys are used up to a limit, and then nobody knows.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use opendcre_model::BoxFuture;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::algorithm::SigningAlgorithm;
use super::jwk::Key;
use super::metadata::Metadata;

/// From which age on keys are fetched again.
const FRESH: Duration = Duration::from_secs(10 * 60);
/// The time between two fetches of which the first has succeeded.
const PAUSE: Duration = Duration::from_secs(30);
/// The time between two fetches of which the first has failed.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(5);
/// How long a fetch takes at most, with everything that it asks.
const FETCH_LIMIT: Duration = Duration::from_secs(5);

/// Where the keys come from.
pub(super) trait Source: Send + Sync + 'static {
    /// What the provider says about itself.
    fn metadata(&self) -> BoxFuture<'_, Result<Metadata, String>>;

    /// Its keys.
    fn keys<'a>(&'a self, metadata: &'a Metadata) -> BoxFuture<'a, Result<Vec<Key>, String>>;
}

/// Which key is needed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    /// Its name; a token without one means the only key that fits (`OpenID` Connect Core 1.0 §10.1).
    pub(super) id: Option<&'a str>,
    /// What it must be able to do.
    pub(super) algorithm: SigningAlgorithm,
}

/// Why there is no key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Missing {
    /// The provider has no such key.
    Unknown,
    /// The provider cannot be asked.
    Unavailable(String),
}

/// Something that was fetched, and when.
#[derive(Debug)]
struct Fetched<T> {
    value: Arc<T>,
    at: Instant,
}

/// How often the keys have changed. What was verified with other keys must be verified again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Generation(u64);

#[derive(Debug, Default)]
struct State {
    metadata: Option<Fetched<Metadata>>,
    keys: Option<Fetched<Vec<Key>>>,
    generation: Generation,
    is_fetching: bool,
    /// When the last fetch has ended, and why it failed, if it did.
    last: Option<(Instant, Option<String>)>,
}

/// The keys of one provider.
pub(super) struct Keyring {
    source: Arc<dyn Source>,
    state: Arc<watch::Sender<State>>,
    /// Ends with its owner.
    fetch: Mutex<JoinSet<()>>,
    /// How long what was fetched is used if it cannot be fetched again.
    stale_limit: Duration,
}

impl Keyring {
    pub(super) fn new(source: Arc<dyn Source>, stale_limit: Duration) -> Self {
        Self { source, state: Arc::new(watch::Sender::default()), fetch: Mutex::default(), stale_limit }
    }

    /// The generation of the keys that may be used, if there are any.
    pub(super) fn generation(&self) -> Option<Generation> {
        self.renew();
        let state = self.state.borrow();
        let keys = state.keys.as_ref()?;
        (keys.at.elapsed() < self.stale_limit).then_some(state.generation)
    }

    /// The key that is wanted, and the generation that it belongs to.
    ///
    /// # Errors
    /// There is no such key, or nobody knows.
    pub(super) async fn key(&self, wanted: Wanted<'_>) -> Result<(Key, Generation), Missing> {
        self.renew();
        if let Some(found) = self.find(wanted) {
            return Ok(found);
        }
        self.fetched().await;
        // What the last fetch has not brought does not exist, if it has brought anything.
        self.find(wanted).ok_or_else(|| self.failure().map_or(Missing::Unknown, Missing::Unavailable))
    }

    /// What the provider says about itself.
    ///
    /// # Errors
    /// Why nobody knows.
    pub(super) async fn metadata(&self) -> Result<Arc<Metadata>, String> {
        self.renew();
        if let Some(known) = self.known_metadata() {
            return Ok(known);
        }
        self.fetched().await;
        self.known_metadata()
            .ok_or_else(|| self.failure().unwrap_or_else(|| "it has not answered".to_owned()))
    }

    fn find(&self, wanted: Wanted<'_>) -> Option<(Key, Generation)> {
        let state = self.state.borrow();
        let fetched = state.keys.as_ref().filter(|keys| keys.at.elapsed() < self.stale_limit)?;
        let mut fitting = fetched.value.iter().filter(|key| key.fits(wanted.algorithm));
        let key = match wanted.id {
            Some(id) => fitting.find(|key| key.id() == Some(id))?,
            None => fitting.next().filter(|_| fitting.next().is_none())?,
        };
        Some((key.clone(), state.generation))
    }

    fn known_metadata(&self) -> Option<Arc<Metadata>> {
        let state = self.state.borrow();
        let known = state.metadata.as_ref().filter(|known| known.at.elapsed() < self.stale_limit)?;
        Some(Arc::clone(&known.value))
    }

    /// Why nobody knows what the provider would say; nothing if it has just said it.
    fn failure(&self) -> Option<String> {
        let state = self.state.borrow();
        let unasked = || Some("it has not answered yet".to_owned());
        state.last.as_ref().map_or_else(unasked, |(_, failure)| failure.clone())
    }

    /// Begins to fetch what has become old. Nobody has to wait for that.
    fn renew(&self) {
        let is_old = |at: Instant| at.elapsed() >= FRESH;
        let is_due = |state: &State| state.keys.as_ref().is_none_or(|keys| is_old(keys.at));
        if is_due(&self.state.borrow()) {
            self.begin();
        }
    }

    /// Waits for a fetch, if one runs or may begin.
    async fn fetched(&self) {
        self.begin();
        // Can only fail when the sender is gone, which is ours.
        let (Ok(_) | Err(_)) = self.state.subscribe().wait_for(|state| !state.is_fetching).await;
    }

    /// Begins a fetch unless one runs or the last one was only just now.
    fn begin(&self) {
        let may_begin = self.state.send_if_modified(|state| {
            let may = !state.is_fetching && state.last.as_ref().is_none_or(is_over);
            state.is_fetching |= may;
            may
        });
        if may_begin {
            let mut fetch = self.fetch.lock().unwrap_or_else(PoisonError::into_inner);
            while fetch.try_join_next().is_some() {}
            fetch.spawn(run(Arc::clone(&self.source), Running(Arc::clone(&self.state))));
        }
    }
}

/// Whether the pause after a fetch is over.
fn is_over((ended, failure): &(Instant, Option<String>)) -> bool {
    let pause = if failure.is_some() { PAUSE_AFTER_FAILURE } else { PAUSE };
    ended.elapsed() >= pause
}

/// A fetch that runs. However it ends, the next one may begin and nobody waits for this one any more.
struct Running(Arc<watch::Sender<State>>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.send_modify(|state| state.is_fetching = false);
    }
}

/// Fetches everything once. Runs beside the requests, so that none of them can break it off by going away.
async fn run(source: Arc<dyn Source>, running: Running) {
    let state = &running.0;
    let fetch = async {
        let metadata = source.metadata().await?;
        state.send_modify(|state| state.metadata = Some(Fetched::now(metadata.clone())));
        source.keys(&metadata).await
    };
    let keys = timeout(FETCH_LIMIT, fetch).await;
    let keys = keys.unwrap_or_else(|_| Err(format!("it has not answered within {FETCH_LIMIT:?}")));
    state.send_modify(|state| state.end(keys));
}

impl State {
    fn end(&mut self, keys: Result<Vec<Key>, String>) {
        let failure = match keys {
            Ok(keys) => {
                self.replace(keys);
                None
            }
            Err(reason) => Some(reason),
        };
        self.last = Some((Instant::now(), failure));
    }

    fn replace(&mut self, keys: Vec<Key>) {
        let is_same = self.keys.as_ref().is_some_and(|known| *known.value == keys);
        if !is_same {
            self.generation = Generation(self.generation.0.wrapping_add(1));
        }
        self.keys = Some(Fetched::now(keys));
    }
}

impl<T> Fetched<T> {
    fn now(value: T) -> Self {
        Self { value: Arc::new(value), at: Instant::now() }
    }
}

#[cfg(test)]
#[path = "keyring/tests.rs"]
mod tests;
