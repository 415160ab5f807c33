//! The keys that the database knows, and whether the key ring is theirs: by another ring every code, session and password looks unknown.

use std::{
    error::Error,
    path::{Path, PathBuf},
};

use tenantry_auth::KeyRing;
use tenantry_domain::{
    AdmitKeyRingError, Chain, Context, Entropy, ForeignKeyRing, KeyId, SigningKey, StoreError, accept_key_ring, admit_key_ring,
    compare_key_ring,
    ports::{SigningKeyReads as _, Store as _},
};
use tenantry_persistence::{DatabaseStore, Options};

use crate::{
    config::{Config, Key},
    keys::{self, KeysError},
};

/// Why nothing is done with this database by this key ring.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseKeysError {
    #[error("{}. {}", detail(path, reason), advice())]
    Foreign { path: PathBuf, reason: ForeignKeyRing },
    #[error("the key ring {} is missing, and this database's codes and tokens were made with one: it knows {known}. {}", path.display(), advice())]
    Missing { path: PathBuf, known: String },
    #[error(transparent)]
    Ring(#[from] KeysError),
    #[error("can't see which keys the database knows")]
    Store(#[from] StoreError),
    #[error("can't see which keys the database knows: {0}")]
    Unseen(String),
}

impl DatabaseKeysError {
    fn of(config: &Config, failure: AdmitKeyRingError) -> Self {
        match failure {
            AdmitKeyRingError::Foreign(reason) => Self::Foreign { path: config.keys_file.clone(), reason },
            AdmitKeyRingError::Store(failure) => Self::Store(failure),
        }
    }
}

/// What is wrong, in a sentence without its full stop.
pub fn detail(path: &Path, reason: &ForeignKeyRing) -> String {
    format!("the key ring {} isn't the one that this database's codes and tokens were made with: {reason}", path.display())
}

/// What to do about it.
pub fn advice() -> String {
    format!(
        "Put the database's own key ring there, or name it with {}; \"Another key ring\" in docs/operations.md says where to look, and what to do if it \
         is lost",
        Key::KEYS_FILE.env_name()
    )
}

/// The ring that was [found](keys::find), or a new one beside a database that knows no key: beside any other it would be of no use.
pub async fn found_or_made(
    config: &Config,
    found: Option<KeyRing>,
    store: &DatabaseStore,
    entropy: &dyn Entropy,
) -> Result<KeyRing, DatabaseKeysError> {
    if let Some(ring) = found {
        return Ok(ring);
    }
    let known = store.reader().signing_keys().await?;
    if known.is_empty() {
        return Ok(keys::make(&config.keys_file, config.environment, entropy)?);
    }
    // Another server that started at the same time makes the ring before its database knows the key.
    keys::find(&config.keys_file, config.environment)?.ok_or_else(|| {
        let known = known.iter().map(|key| key.id.as_str()).collect::<Vec<_>>().join(", ");
        DatabaseKeysError::Missing { path: config.keys_file.clone(), known }
    })
}

/// Sees that the ring is the database's, which meets those of its keys that are new. One round trip where none is.
pub async fn admit(config: &Config, store: &DatabaseStore, cx: &Context<'_>, ring: &KeyRing) -> Result<(), DatabaseKeysError> {
    admit_key_ring(store, cx, &ring.fingerprints()).await.map_err(|failure| DatabaseKeysError::of(config, failure))
}

/// Takes a ring that has nothing in common with the one before, and answers which keys are new.
pub async fn accept(
    config: &Config,
    store: &DatabaseStore,
    cx: &Context<'_>,
    ring: &KeyRing,
) -> Result<Vec<KeyId>, DatabaseKeysError> {
    accept_key_ring(store, cx, &ring.fingerprints()).await.map_err(|failure| DatabaseKeysError::of(config, failure))
}

/// The keys that the database knows, if the ring is theirs. It writes nothing.
pub async fn compare(config: &Config, store: &DatabaseStore, ring: &KeyRing) -> Result<Vec<SigningKey>, DatabaseKeysError> {
    let known = store.reader().signing_keys().await?;
    match compare_key_ring(&known, &ring.fingerprints()) {
        Ok(()) => Ok(known),
        Err(reason) => Err(DatabaseKeysError::Foreign { path: config.keys_file.clone(), reason }),
    }
}

/// The same for what needs no database: one that can't be looked at is [unseen](DatabaseKeysError::Unseen).
pub async fn compare_if_reachable(config: &Config, ring: &KeyRing) -> Result<Vec<SigningKey>, DatabaseKeysError> {
    let unseen = |failure: &(dyn Error + 'static)| DatabaseKeysError::Unseen(Chain(failure).to_string());
    if let Some(file) = config.database.url.sqlite_file().filter(|file| !file.exists()) {
        return Err(DatabaseKeysError::Unseen(format!("there is no database {}", file.display())));
    }
    let status = tenantry_migration::status(config.database.url.reveal()).await.map_err(|failure| unseen(&failure))?;
    if !status.pending().is_empty() {
        return Err(DatabaseKeysError::Unseen("the database lacks steps of its schema".to_owned()));
    }
    let options = Options { max_connections: 1, ..Options::new(config.database.url.reveal()) };
    let store = DatabaseStore::connect(&options).await.map_err(|failure| unseen(&failure))?;
    let compared = compare(config, &store, ring).await;
    store.close().await;
    compared.map_err(|failure| match failure {
        DatabaseKeysError::Store(failure) => unseen(&failure),
        failure => failure,
    })
}
