//! What a store knows of the keys that its digests were made with: which they are, and nothing of what they hold.

use crate::{KeyId, Timestamp, bytes};

/// Tells one key of a key ring from every other, whatever it is called.
///
/// It is a keyed hash by the key over a fixed text, so it says nothing of the key, and lets nobody make or test a digest by it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "rows", derive(serde::Serialize, serde::Deserialize))]
pub struct KeyFingerprint([u8; 32]);

bytes::opaque!(KeyFingerprint, "Takes the 32 bytes that a key ring made or a store read.");

/// A key that a store has met, by the name that it has in the key ring.
///
/// See [`admit_key_ring`](crate::admit_key_ring).
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "rows", derive(serde::Serialize, serde::Deserialize))]
pub struct SigningKey {
    /// Its name.
    pub id: KeyId,
    /// Which key it is.
    pub fingerprint: KeyFingerprint,
    /// When the store met it.
    pub known_since: Timestamp,
}
