//! Entrances for the fuzzers: a provider whose documents are at hand, so that nobody is asked.
//!
//! No part of the interface, and promised to nobody. Nothing here decides anything.

use std::sync::Arc;

use opendcre_model::{BoxFuture, Subject};
use serde::de::DeserializeOwned;

use super::cache::TokenCache;
use super::introspection::judge;
use super::jwk::{JwkSet, Key};
use super::keyring::{Keyring, Source};
use super::metadata::Metadata;
use super::{Oidc, STALE_KEYS};

/// What a provider publishes, as it comes over the wire.
#[derive(Debug, Clone)]
pub struct Published {
    /// What it says about itself.
    pub metadata: Vec<u8>,
    /// Its keys.
    pub keys: Vec<u8>,
}

impl Source for Published {
    fn metadata(&self) -> BoxFuture<'_, Result<Metadata, String>> {
        Box::pin(async { read(&self.metadata) })
    }

    fn keys<'a>(&'a self, _: &'a Metadata) -> BoxFuture<'a, Result<Vec<Key>, String>> {
        Box::pin(async { read::<JwkSet>(&self.keys)?.usable() })
    }
}

impl Oidc {
    /// The same provider, of which nothing is remembered and which publishes these documents.
    #[must_use]
    pub fn publishing(&self, published: Published) -> Self {
        Self {
            name: self.name.clone(),
            rules: self.rules.clone(),
            claims: self.claims.clone(),
            http: self.http.clone(),
            keyring: Keyring::new(Arc::new(published), STALE_KEYS),
            introspection: None,
            verified: TokenCache::default(),
            clock: Arc::clone(&self.clock),
        }
    }

    /// Whose token it is that the provider was asked about and has answered this.
    ///
    /// # Errors
    /// Why that is unknown.
    pub fn introspected(&self, answer: &[u8]) -> Result<Subject, String> {
        let (claims, _) = judge(read(answer)?, &self.rules, self.clock.now())?;
        claims.subject(&self.name, &self.claims)
    }
}

fn read<T: DeserializeOwned>(document: &[u8]) -> Result<T, String> {
    serde_json::from_slice(document).map_err(|error| error.to_string())
}
