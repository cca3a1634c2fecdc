//! What a directory has said a moment ago.
//!
//! An answer is found only by the very name and password that were asked for. Passwords are kept only as HMAC-SHA-256
//! (RFC 2104) under a key that is made at start and never leaves the process. So a copy of these tables alone does not
//! allow anybody to try passwords; whoever reads the whole memory has the key too, and can.

use std::collections::HashMap;
use std::time::Duration;

use opendcre_model::Subject;
use ring::hmac;
use ring::rand::SystemRandom;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;

/// How many answers of each kind are kept.
const CAPACITY: usize = 1024;

/// The hash of a name and a password under the key of the process.
type Tag = [u8; 32];

/// An answer: who it is, or why the directory does not say so.
pub(super) type Answer = Result<Subject, String>;

/// The answers that still hold.
pub(super) struct Cache {
    key: hmac::Key,
    accepted: Table<Subject>,
    // Apart from the others, so that nobody can push them out by trying.
    rejected: Table<String>,
}

struct Table<T> {
    lifetime: Duration,
    answers: HashMap<Tag, (T, Instant)>,
}

impl Cache {
    /// Keeps what is accepted and what is rejected for these times; not at all if they are zero.
    ///
    /// # Errors
    /// The system has no randomness.
    pub(super) fn new(accepted: Duration, rejected: Duration) -> Result<Self, ring::error::Unspecified> {
        Ok(Self {
            key: hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new())?,
            accepted: Table::new(accepted),
            rejected: Table::new(rejected),
        })
    }

    /// What was answered for this name and password.
    pub(super) fn get(&self, name: &str, password: &SecretString, now: Instant) -> Option<Answer> {
        let tag = self.tag(name, password)?;
        let accepted = || self.accepted.get(&tag, now).map(Ok);
        let rejected = || self.rejected.get(&tag, now).map(Err);
        accepted().or_else(rejected)
    }

    /// Remembers what was answered, as of now.
    pub(super) fn put(&mut self, name: &str, password: &SecretString, answer: Answer, now: Instant) {
        let Some(tag) = self.tag(name, password) else { return };
        match answer {
            Ok(subject) => {
                self.rejected.answers.remove(&tag);
                self.accepted.put(tag, subject, now);
            }
            Err(reason) => {
                self.accepted.answers.remove(&tag);
                self.rejected.put(tag, reason, now);
            }
        }
    }

    /// Hashes the length of the name too, so that no end of a name can pass for the beginning of a password.
    fn tag(&self, name: &str, password: &SecretString) -> Option<Tag> {
        let password = password.expose_secret();
        let mut message = Zeroizing::new(Vec::with_capacity(8 + name.len() + password.len()));
        message.extend_from_slice(&u64::try_from(name.len()).ok()?.to_be_bytes());
        message.extend_from_slice(name.as_bytes());
        message.extend_from_slice(password.as_bytes());
        hmac::sign(&self.key, &message).as_ref().try_into().ok()
    }
}

impl<T: Clone> Table<T> {
    fn new(lifetime: Duration) -> Self {
        Self { lifetime, answers: HashMap::new() }
    }

    fn get(&self, tag: &Tag, now: Instant) -> Option<T> {
        self.answers.get(tag).filter(|(_, until)| now < *until).map(|(answer, _)| answer.clone())
    }

    fn put(&mut self, tag: Tag, answer: T, now: Instant) {
        if self.lifetime.is_zero() {
            return;
        }
        if self.answers.len() >= CAPACITY {
            self.make_room(now);
        }
        self.answers.insert(tag, (answer, now + self.lifetime));
    }

    /// Drops what holds no longer; if everything does, the oldest answer.
    fn make_room(&mut self, now: Instant) {
        self.answers.retain(|_, (_, until)| now < *until);
        if self.answers.len() < CAPACITY {
            return;
        }
        let oldest = self.answers.iter().min_by_key(|(_, (_, until))| *until).map(|(tag, _)| *tag);
        if let Some(oldest) = oldest {
            self.answers.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache() -> Cache {
        Cache::new(Duration::from_secs(60), Duration::from_secs(10)).unwrap()
    }

    fn secret(text: &str) -> SecretString {
        SecretString::from(text)
    }

    #[tokio::test(start_paused = true)]
    async fn answers_only_for_the_very_password() {
        let (mut cache, now) = (cache(), Instant::now());
        cache.put("ada", &secret("right"), Ok(Subject::anonymous()), now);
        assert_eq!(cache.get("ada", &secret("right"), now), Some(Ok(Subject::anonymous())));
        for (name, password) in
            [("ada", "wrong"), ("bob", "right"), ("adar", "ight"), ("ad", "aright"), ("Ada", "right")]
        {
            assert_eq!(cache.get(name, &secret(password), now), None, "{name} {password}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn rejections_hold_for_a_shorter_time() {
        let (mut cache, now) = (cache(), Instant::now());
        cache.put("ada", &secret("right"), Ok(Subject::anonymous()), now);
        cache.put("ada", &secret("wrong"), Err("no".to_owned()), now);
        let later = now + Duration::from_secs(10);
        assert_eq!(
            cache.get("ada", &secret("wrong"), later - Duration::from_millis(1)),
            Some(Err("no".to_owned()))
        );
        assert_eq!(cache.get("ada", &secret("wrong"), later), None);
        assert!(cache.get("ada", &secret("right"), later).is_some());
        assert_eq!(cache.get("ada", &secret("right"), now + Duration::from_secs(60)), None);
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_answer_counts() {
        let (mut cache, now) = (cache(), Instant::now());
        cache.put("ada", &secret("x"), Ok(Subject::anonymous()), now);
        cache.put("ada", &secret("x"), Err("locked".to_owned()), now);
        assert_eq!(cache.get("ada", &secret("x"), now), Some(Err("locked".to_owned())));
    }

    #[tokio::test(start_paused = true)]
    async fn is_bounded_and_forgets_the_oldest() {
        let (mut cache, now) = (cache(), Instant::now());
        cache.put("ada", &secret("right"), Ok(Subject::anonymous()), now);
        for attempt in 0..1100_u32 {
            let at = now + Duration::from_micros(u64::from(attempt));
            cache.put("ada", &secret(&attempt.to_string()), Err(String::new()), at);
        }
        assert_eq!(cache.rejected.answers.len(), CAPACITY);
        assert!(
            cache.get("ada", &secret("1099"), now).is_some() && cache.get("ada", &secret("0"), now).is_none()
        );
        assert!(cache.get("ada", &secret("right"), now).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_time_of_zero_keeps_nothing() {
        let mut cache = Cache::new(Duration::ZERO, Duration::ZERO).unwrap();
        cache.put("ada", &secret("x"), Ok(Subject::anonymous()), Instant::now());
        assert_eq!(cache.get("ada", &secret("x"), Instant::now()), None);
    }

    #[test]
    fn every_process_has_its_own_key() {
        assert_ne!(cache().tag("ada", &secret("x")), cache().tag("ada", &secret("x")));
    }
}
