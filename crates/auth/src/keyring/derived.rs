//! What is derived from each key: another one for each use, so that a digest made for one use says nothing in another.

use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::seal::Sealed;

#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub(super) struct DerivedKeys {
    pub(super) codes: [u8; 32],
    pub(super) legacy_codes: [u8; 32],
    pub(super) tokens: [u8; 32],
    pub(super) otps: [u8; 32],
    pub(super) seal: [u8; 32],
    pub(super) buckets: [u8; 32],
    pub(super) requests: [u8; 32],
    pub(super) answers: [u8; 32],
    pub(super) webhooks: [u8; 32],
    pub(super) certificates: [u8; 32],
    pub(super) fingerprints: [u8; 32],
}

impl DerivedKeys {
    pub(super) fn new(root: &[u8; 32]) -> Self {
        Self {
            codes: blake3::derive_key("tenantry 2026 v1 activation code digests", root),
            legacy_codes: blake3::derive_key("tenantry 2026 v1 legacy activation code digests", root),
            tokens: blake3::derive_key("tenantry 2026 v1 token digests", root),
            otps: blake3::derive_key("tenantry 2026 v1 one-time password digests", root),
            seal: blake3::derive_key("tenantry 2026 v1 sealed messages", root),
            buckets: blake3::derive_key("tenantry 2026 v1 rate limit buckets", root),
            requests: blake3::derive_key("tenantry 2026 v1 idempotent requests", root),
            answers: blake3::derive_key("tenantry 2026 v1 sealed answers", root),
            webhooks: blake3::derive_key("tenantry 2026 v1 sealed webhook secrets", root),
            certificates: blake3::derive_key("tenantry 2026 v1 certificate signing keys", root),
            fingerprints: blake3::derive_key("tenantry 2026 v1 key fingerprints", root),
        }
    }

    pub(super) const fn seal(&self, what: Sealed) -> &[u8; 32] {
        match what {
            Sealed::Message => &self.seal,
            Sealed::Answer => &self.answers,
            Sealed::WebhookSecret => &self.webhooks,
        }
    }
}

/// Keyed BLAKE3 over the parts, each with its length before it, so that no two lists of parts run together.
pub(super) fn keyed<'a>(key: &[u8; 32], parts: impl IntoIterator<Item = &'a [u8]>) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_keyed(key);
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    *hasher.finalize().as_bytes()
}
