//! Digests of codes: what a store keeps in the place of their texts.

use std::fmt;

use tenantry_domain::{CodeDigest, CodeHasher, KeyId, KeyedCodeDigest, PlainCode};

/// One key, by which codes are found again. Keep it apart from the database: whoever has both can try texts.
///
/// `tenantry-auth`'s key ring is this with several keys, so that one can be replaced.
pub struct KeyedHasher {
    key: [u8; 32],
    id: KeyId,
}

impl KeyedHasher {
    /// A hasher by this key, which is called `id` beside what it makes.
    #[must_use]
    pub const fn new(key: [u8; 32], id: KeyId) -> Self {
        Self { key, id }
    }
}

impl CodeHasher for KeyedHasher {
    fn digest(&self, code: &PlainCode) -> KeyedCodeDigest {
        let digest = blake3::keyed_hash(&self.key, code.reveal().as_bytes());
        KeyedCodeDigest { digest: CodeDigest::from_bytes(*digest.as_bytes()), key_id: self.id.clone() }
    }

    fn candidates(&self, code: &PlainCode) -> Vec<CodeDigest> {
        vec![self.digest(code).digest]
    }
}

impl fmt::Debug for KeyedHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyedHasher").field("id", &self.id).finish_non_exhaustive()
    }
}
