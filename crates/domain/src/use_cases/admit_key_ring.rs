use tracing::info;

use crate::{Action, AuditEvent, Context, KeyFingerprint, KeyId, SigningKey, StoreError, Timestamp, ports::*};

/// Why a key ring isn't the one that a store's digests were made with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ForeignKeyRing {
    /// A name that the store knows stands before another key.
    #[error("its key {id} is another key than the {id} that the database has known since {known_since}")]
    AnotherKey {
        /// The name.
        id: KeyId,
        /// When the store met the key that it knows by this name.
        known_since: Timestamp,
    },
    /// None of its keys is known by its name, and one is known by another.
    #[error("its key {id} is the one that the database knows as {known_as}")]
    Renamed {
        /// The name in the ring.
        id: KeyId,
        /// The name in the store.
        known_as: KeyId,
    },
    /// It has none of the keys that the store knows.
    #[error("it has none of the keys that the database knows, which are {}", names(known))]
    NothingInCommon {
        /// The names of those keys.
        known: Vec<KeyId>,
    },
}

/// Why a key ring isn't admitted. Nothing of it was remembered.
#[derive(Debug, thiserror::Error)]
pub enum AdmitKeyRingError {
    /// It is another store's.
    #[error("the key ring isn't the one that this database's codes and tokens were made with")]
    Foreign(#[from] ForeignKeyRing),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Holds a key ring against the keys that a store knows.
///
/// A ring may have keys that the store doesn't know, and lack some that it knows. But what it knows by name must be the same key, and if it
/// knows any, the ring must have one of them.
///
/// # Errors
/// See [`ForeignKeyRing`].
pub fn compare_key_ring(known: &[SigningKey], ring: &[(KeyId, KeyFingerprint)]) -> Result<(), ForeignKeyRing> {
    refuse_other_keys(known, ring)?;
    if known.is_empty() || ring.iter().any(|(id, _)| known.iter().any(|key| key.id == *id)) {
        return Ok(());
    }
    for (id, fingerprint) in ring {
        if let Some(key) = known.iter().find(|key| key.fingerprint == *fingerprint) {
            return Err(ForeignKeyRing::Renamed { id: id.clone(), known_as: key.id.clone() });
        }
    }
    Err(ForeignKeyRing::NothingInCommon { known: known.iter().map(|key| key.id.clone()).collect() })
}

fn refuse_other_keys(known: &[SigningKey], ring: &[(KeyId, KeyFingerprint)]) -> Result<(), ForeignKeyRing> {
    for (id, fingerprint) in ring {
        if let Some(key) = known.iter().find(|key| key.id == *id && key.fingerprint != *fingerprint) {
            return Err(ForeignKeyRing::AnotherKey { id: id.clone(), known_since: key.known_since });
        }
    }
    Ok(())
}

/// Sees that a key ring is the one that the store's digests were made with, before anything is made or looked for by it. A store that knows no
/// key takes the ring's; a new key of a ring is remembered beside the former ones.
///
/// Call it when your service starts, with the names and fingerprints of all keys of the ring, those that wait too: by another ring no code, token
/// or password is found, and every one looks unknown. Where nothing is new it is one read. Of services that start at once on a new store, with
/// different rings, those with one of them are admitted.
///
/// It writes no audit event: which key is known since when stays in the store ([`SigningKeyReads`]).
///
/// # Errors
/// See [`AdmitKeyRingError`].
pub async fn admit_key_ring<S: Store>(
    store: &S,
    cx: &Context<'_>,
    ring: &[(KeyId, KeyFingerprint)],
) -> Result<(), AdmitKeyRingError> {
    let known = store.reader().signing_keys().await?;
    compare_key_ring(&known, ring)?;
    if unknown(&known, ring, cx).is_empty() {
        return Ok(());
    }
    let mut tx = store.begin().await?;
    // What was read was read without the lock: others may have been first.
    let known = tx.lock_signing_keys().await?;
    compare_key_ring(&known, ring)?;
    let new = unknown(&known, ring, cx);
    if new.is_empty() {
        return Ok(());
    }
    tx.insert_signing_keys(&new).await?;
    tx.commit().await?;
    info!(keys = names(new.iter().map(|key| &key.id)), "the database knows new keys");
    Ok(())
}

/// Admits a key ring that has none of the keys that the store knows, for an operator whose own ring is lost for good. Answers the names of the keys
/// that were new.
///
/// What was made with the former keys stays unknown. A name that the store knows goes to no other key: give the new key another name.
///
/// # Errors
/// [`ForeignKeyRing::AnotherKey`], and where the store fails.
pub async fn accept_key_ring<S: Store>(
    store: &S,
    cx: &Context<'_>,
    ring: &[(KeyId, KeyFingerprint)],
) -> Result<Vec<KeyId>, AdmitKeyRingError> {
    let mut tx = store.begin().await?;
    let known = tx.lock_signing_keys().await?;
    refuse_other_keys(&known, ring)?;
    let new = unknown(&known, ring, cx);
    let ids: Vec<_> = new.iter().map(|key| key.id.clone()).collect();
    if !new.is_empty() {
        tx.insert_signing_keys(&new).await?;
        tx.append_audit(&AuditEvent::new(cx, Action::KeysAccepted, None, None).with("keys", names(&ids))).await?;
        tx.commit().await?;
    }
    Ok(ids)
}

/// The keys of a ring that the store is still to meet.
fn unknown(known: &[SigningKey], ring: &[(KeyId, KeyFingerprint)], cx: &Context<'_>) -> Vec<SigningKey> {
    let new = ring.iter().filter(|(id, _)| known.iter().all(|key| key.id != *id));
    new.map(|(id, fingerprint)| SigningKey { id: id.clone(), fingerprint: *fingerprint, known_since: cx.now }).collect()
}

fn names<'a>(ids: impl IntoIterator<Item = &'a KeyId>) -> String {
    ids.into_iter().map(KeyId::as_str).collect::<Vec<_>>().join(", ")
}
