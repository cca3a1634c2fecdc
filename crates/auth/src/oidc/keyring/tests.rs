//! When keys are fetched, who waits for that, and what counts while the provider is away – in virtual time.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use tokio::time::advance;

use super::super::testing::TestKey;
use super::*;

/// A provider that a test speaks for.
struct Scripted {
    keys: Mutex<Result<Vec<Key>, String>>,
    metadata_failure: Mutex<Option<String>>,
    /// How long an answer takes.
    delay: Mutex<Duration>,
    fetches: AtomicUsize,
}

impl Scripted {
    fn publish(&self, keys: &[&TestKey]) {
        *self.keys.lock().unwrap() = Ok(keys.iter().map(|key| key.public()).collect());
    }

    fn fail(&self) {
        *self.keys.lock().unwrap() = Err("status 500".to_owned());
    }

    fn fetches(&self) -> usize {
        self.fetches.load(Ordering::Relaxed)
    }
}

impl Source for Scripted {
    fn metadata(&self) -> BoxFuture<'_, Result<Metadata, String>> {
        self.fetches.fetch_add(1, Ordering::Relaxed);
        let found = json!({"issuer": "https://sso.example", "jwks_uri": "https://sso.example/jwks"});
        let failure = self.metadata_failure.lock().unwrap().clone();
        Box::pin(async move { failure.map_or_else(|| Ok(serde_json::from_value(found).unwrap()), Err) })
    }

    fn keys<'a>(&'a self, _metadata: &'a Metadata) -> BoxFuture<'a, Result<Vec<Key>, String>> {
        let delay = *self.delay.lock().unwrap();
        Box::pin(async move {
            tokio::time::sleep(delay).await;
            self.keys.lock().unwrap().clone()
        })
    }
}

const HOUR: Duration = Duration::from_secs(3600);
const SECOND: Duration = Duration::from_secs(1);

fn provider(keys: &[&TestKey]) -> (Arc<Scripted>, Keyring) {
    let source = Arc::new(Scripted {
        keys: Mutex::new(Ok(Vec::new())),
        metadata_failure: Mutex::default(),
        delay: Mutex::default(),
        fetches: AtomicUsize::default(),
    });
    source.publish(keys);
    let keyring = Keyring::new(Arc::<Scripted>::clone(&source), HOUR);
    (source, keyring)
}

async fn ask(keyring: &Keyring, id: &str) -> Result<Generation, Missing> {
    let wanted = Wanted { id: Some(id), algorithm: SigningAlgorithm::Es256 };
    keyring.key(wanted).await.map(|(_, generation)| generation)
}

/// Lets a fetch end that nobody waits for.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

#[tokio::test(start_paused = true)]
async fn keys_are_fetched_once_and_renewed_behind_the_back_of_requests() {
    let (source, keyring) = provider(&[&TestKey::es256("a")]);
    for _ in 0..10 {
        assert!(ask(&keyring, "a").await.is_ok());
    }
    assert_eq!(source.fetches(), 1);
    advance(FRESH).await;
    *source.delay.lock().unwrap() = SECOND;
    let before = Instant::now();
    assert!(ask(&keyring, "a").await.is_ok());
    assert_eq!(before.elapsed(), Duration::ZERO, "nobody waits for what is there");
    tokio::time::sleep(2 * SECOND).await;
    assert_eq!(source.fetches(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_new_key_is_found_at_once_and_an_old_one_is_gone() {
    let (source, keyring) = provider(&[&TestKey::es256("a")]);
    let first = ask(&keyring, "a").await.unwrap();
    source.publish(&[&TestKey::es256("b")]);
    advance(PAUSE).await;
    let second = ask(&keyring, "b").await.unwrap();
    assert_ne!(first, second, "what was verified with the old keys must be verified again");
    assert_eq!(ask(&keyring, "a").await, Err(Missing::Unknown));
}

#[tokio::test(start_paused = true)]
async fn names_that_are_made_up_do_not_pester_the_provider() {
    let (source, keyring) = provider(&[&TestKey::es256("a")]);
    assert!(ask(&keyring, "a").await.is_ok());
    advance(PAUSE).await;
    for number in 0..1000 {
        assert_eq!(ask(&keyring, &format!("x{number}")).await, Err(Missing::Unknown));
    }
    assert_eq!(source.fetches(), 2);
    assert_eq!(keyring.generation(), Some(Generation(1)), "the same keys are the same generation");
}

#[tokio::test(start_paused = true)]
async fn one_fetch_runs_and_everybody_waits_for_it() {
    let (source, keyring) = provider(&[&TestKey::es256("a")]);
    *source.delay.lock().unwrap() = SECOND;
    let (a, b, c) = tokio::join!(ask(&keyring, "a"), ask(&keyring, "a"), ask(&keyring, "x"));
    assert!(a.is_ok() && b.is_ok());
    assert_eq!((c, source.fetches()), (Err(Missing::Unknown), 1));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_goes_away_does_not_break_off_the_fetch() {
    let (source, keyring) = provider(&[&TestKey::es256("a")]);
    *source.delay.lock().unwrap() = SECOND;
    assert!(timeout(SECOND / 2, ask(&keyring, "a")).await.is_err());
    assert!(ask(&keyring, "a").await.is_ok());
    assert_eq!(source.fetches(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_last_keys_count_for_a_while_when_the_provider_is_away() {
    let (source, keyring) = provider(&[&TestKey::es256("a")]);
    assert!(ask(&keyring, "a").await.is_ok());
    source.fail();
    advance(HOUR - SECOND).await;
    assert!(ask(&keyring, "a").await.is_ok());
    assert!(keyring.generation().is_some());
    settle().await;
    assert_eq!(ask(&keyring, "x").await, Err(Missing::Unavailable("status 500".to_owned())));
    advance(SECOND).await;
    assert_eq!(ask(&keyring, "a").await, Err(Missing::Unavailable("status 500".to_owned())));
    assert_eq!(keyring.generation(), None, "nor does anything that was verified with them");
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_comes_back_is_found_soon() {
    let (source, keyring) = provider(&[]);
    source.fail();
    assert!(matches!(ask(&keyring, "a").await, Err(Missing::Unavailable(_))));
    source.publish(&[&TestKey::es256("a")]);
    assert!(matches!(ask(&keyring, "a").await, Err(Missing::Unavailable(_))));
    assert_eq!(source.fetches(), 1);
    advance(PAUSE_AFTER_FAILURE).await;
    assert!(ask(&keyring, "a").await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_hangs_is_given_up() {
    let (source, keyring) = provider(&[&TestKey::es256("a")]);
    *source.delay.lock().unwrap() = HOUR;
    let before = Instant::now();
    assert!(matches!(ask(&keyring, "a").await, Err(Missing::Unavailable(_))));
    assert!(before.elapsed() < FETCH_LIMIT + SECOND);
    assert!(keyring.metadata().await.is_ok(), "what it has said about itself counts nevertheless");
}

#[tokio::test(start_paused = true)]
async fn a_fetch_that_breaks_down_is_no_end() {
    let (source, keyring) = provider(&[&TestKey::es256("a")]);
    *source.delay.lock().unwrap() = SECOND;
    let broken = async {
        tokio::time::sleep(SECOND / 2).await;
        keyring.fetch.lock().unwrap().abort_all();
    };
    let (waited, ()) = tokio::join!(ask(&keyring, "a"), broken);
    assert!(matches!(waited, Err(Missing::Unavailable(_))), "{waited:?}");
    assert!(ask(&keyring, "a").await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn what_a_provider_says_about_itself_is_asked_like_its_keys() {
    let (source, keyring) = provider(&[]);
    *source.metadata_failure.lock().unwrap() = Some("no route".to_owned());
    assert_eq!(keyring.metadata().await, Err("no route".to_owned()));
    *source.metadata_failure.lock().unwrap() = None;
    source.fail();
    advance(PAUSE_AFTER_FAILURE).await;
    assert!(keyring.metadata().await.is_ok(), "keys that are missing do not matter for that");
}

#[tokio::test(start_paused = true)]
async fn a_token_without_a_name_of_a_key_means_the_only_one_that_fits() {
    let (source, keyring) = provider(&[&TestKey::es256("a"), &TestKey::rsa("b")]);
    let wanted = Wanted { id: None, algorithm: SigningAlgorithm::Es256 };
    assert_eq!(keyring.key(wanted).await.unwrap().0.id(), Some("a"));
    source.publish(&[&TestKey::es256("a"), &TestKey::es256("c")]);
    advance(FRESH).await;
    settle().await;
    assert!(keyring.generation().is_some());
    settle().await;
    assert_eq!(keyring.key(wanted).await.err(), Some(Missing::Unknown));
}
