//! What a store knows of the keys that its digests were made with: which they are, and nothing of what they hold.

use std::fmt;

use crate::{KeyId, Timestamp};

/// Tells one key of a key ring from every other, whatever it is called.
///
/// It is a keyed hash by the key over a fixed text, so it says nothing of the key, and lets nobody make or test a digest by it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "rows", derive(serde::Serialize, serde::Deserialize))]
pub struct KeyFingerprint([u8; 32]);

impl KeyFingerprint {
    /// Takes the 32 bytes that a key ring made or a store read.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes, as a store writes them.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for KeyFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyFingerprint(..)")
    }
}

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
