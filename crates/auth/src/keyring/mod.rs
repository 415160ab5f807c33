//! The key ring: the secrets that make a stolen database useless.

mod derived;
mod digests;
mod fingerprints;
mod oldest;
mod text;

use std::fmt;

use tenantry_domain::KeyId;

use crate::{certificates::CertificateKey, legacy::LegacyScheme, seal::Sealed};
use derived::DerivedKeys;

pub use text::KeyRingError;

/// The key ring: keys by which codes, tokens and one-time passwords are digested, messages sealed, and certificates signed.
///
/// It lives outside the store, in a file or wherever your secrets are: that is what makes a stolen database useless. Make one
/// with [`generate_line`](Self::generate_line), once, and read it with [`parse`](Self::parse) when your service starts.
///
/// Its text form is a line a key, `kid:key`, the newest first, the key being 32 bytes in base64url without padding; empty lines
/// and lines that start with `#` are passed over. A key behind a `+` waits: it verifies and doesn't sign yet, so that every
/// server can know it before the first one signs by it. The first key that doesn't wait signs, all verify. From each key, others
/// are derived for each use, so that a digest made for one use says nothing in another.
///
/// # Example
/// Digests are what a store knows a code by. One is made when a code is issued; a code that is typed may have been digested by
/// any key of the ring:
///
/// ```
/// use tenantry_auth::KeyRing;
/// use tenantry_domain::{CodeHasher, KeyId, PlainCode, SystemEntropy};
///
/// let line = KeyRing::generate_line(&KeyId::parse("k1")?, &SystemEntropy);
/// let keys = KeyRing::parse(&format!("# made in March\n{}", *line))?;
///
/// let code = PlainCode::generate(&SystemEntropy);
/// let issued = keys.digest(&code);
/// assert_eq!(issued.key_id, *keys.signing_key_id());
/// assert_eq!(keys.candidates(&code), [issued.digest]);
/// assert_eq!(format!("{keys:?}"), "[KeyId(\"k1\")]"); // never a key
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
///
/// The [crate's page](crate#a-key-is-replaced) shows how a key is replaced.
#[derive(Clone)]
pub struct KeyRing {
    /// In the order of the text; never empty.
    keys: Vec<RingKey>,
    /// The place of the one that signs.
    signing: usize,
    /// What is known of an older portal's codes.
    legacy: LegacyScheme,
}

/// One key, and what is derived from it.
#[derive(Clone)]
struct RingKey {
    id: KeyId,
    derived: DerivedKeys,
    certificates: CertificateKey,
}

impl KeyRing {
    /// The same keys, with what is known of an older portal's codes.
    #[must_use]
    pub fn with_legacy(self, legacy: LegacyScheme) -> Self {
        Self { legacy, ..self }
    }

    /// The name of the key that signs.
    #[must_use]
    pub fn signing_key_id(&self) -> &KeyId {
        &self.signing().id
    }

    /// The names of all keys, newest first.
    pub fn key_ids(&self) -> impl Iterator<Item = &KeyId> {
        self.keys.iter().map(|key| &key.id)
    }

    /// The name of the key that is to sign next: the oldest of those that wait above the one that signs.
    #[must_use]
    pub fn waiting_key_id(&self) -> Option<&KeyId> {
        self.keys.get(self.signing.checked_sub(1)?).map(|key| &key.id)
    }

    /// Whether it has a key of this name.
    #[must_use]
    pub fn has(&self, id: &KeyId) -> bool {
        self.key(id).is_some()
    }

    #[expect(clippy::indexing_slicing, reason = "the place was found while the keys were read")]
    fn signing(&self) -> &RingKey {
        &self.keys[self.signing]
    }

    /// The key that signs, then the others.
    fn by_use(&self) -> impl Iterator<Item = &RingKey> {
        let others = self.keys.iter().enumerate().filter(|(place, _)| *place != self.signing).map(|(_, key)| key);
        std::iter::once(self.signing()).chain(others)
    }

    fn key(&self, id: &KeyId) -> Option<&RingKey> {
        self.keys.iter().find(|key| key.id == *id)
    }

    pub(crate) fn sealing_key(&self, what: Sealed) -> (&KeyId, &[u8; 32]) {
        (&self.signing().id, self.signing().derived.seal(what))
    }

    pub(crate) fn opening_key(&self, what: Sealed, id: &KeyId) -> Option<&[u8; 32]> {
        self.key(id).map(|key| key.derived.seal(what))
    }

    /// The seed by which certificates are signed, and the public half of its key.
    pub(crate) fn certificate_signing_key(&self) -> (&[u8; 32], &CertificateKey) {
        (&self.signing().derived.certificates, &self.signing().certificates)
    }

    /// The public keys that certificates are verified by: of every key, those that wait too, so that each is known before it signs. The
    /// signing key's comes first.
    pub fn certificate_keys(&self) -> impl Iterator<Item = &CertificateKey> {
        self.by_use().map(|key| &key.certificates)
    }

    /// The public key of the one of this name; `None` for a key that the ring doesn't have.
    #[must_use]
    pub fn certificate_key(&self, id: &KeyId) -> Option<&CertificateKey> {
        self.key(id).map(|key| &key.certificates)
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.key_ids()).finish()
    }
}

#[cfg(test)]
mod tests {
    use tenantry_domain::{CodeHasher as _, OtpPurpose, PlainCode, SeededEntropy};

    use super::*;
    use crate::SessionToken;

    pub(super) fn line(id: &str, seed: u64) -> String {
        KeyRing::generate_line(&KeyId::parse(id).unwrap(), &SeededEntropy::new(seed)).to_string()
    }

    #[test]
    fn the_first_key_signs_and_all_verify() {
        let old = KeyRing::parse(&line("k1", 1)).unwrap();
        let rotated = KeyRing::parse(&format!("# rotated\n{}\n{}", line("k2", 2), line("k1", 1))).unwrap();
        let code = PlainCode::generate(&SeededEntropy::new(9));
        let token = SessionToken::generate(&SeededEntropy::new(9));
        assert_eq!(rotated.signing_key_id().as_str(), "k2");
        assert_ne!(rotated.digest(&code), old.digest(&code));
        assert!(rotated.candidates(&code).contains(&old.digest(&code).digest));
        assert!(rotated.token_candidates(&token).contains(&old.token_digest(&token)));
        assert_eq!(rotated.account_bucket(OtpPurpose::TenantSignIn, "a"), old.account_bucket(OtpPurpose::TenantSignIn, "a"));
    }

    /// What one server makes, every other one finds, at each moment of a rotation.
    #[test]
    fn a_key_that_waits_verifies_and_changes_nothing_that_is_made() {
        let old = KeyRing::parse(&line("k1", 1)).unwrap();
        let waiting = KeyRing::parse(&format!("+{}{}", line("k2", 2), line("k1", 1))).unwrap();
        let promoted = KeyRing::parse(&format!("{}{}", line("k2", 2), line("k1", 1))).unwrap();
        let token = SessionToken::generate(&SeededEntropy::new(9));
        assert_eq!((old.waiting_key_id(), promoted.waiting_key_id()), (None, None));
        assert_eq!(waiting.waiting_key_id().unwrap().as_str(), "k2");
        assert_eq!((waiting.signing_key_id().as_str(), promoted.signing_key_id().as_str()), ("k1", "k2"));
        assert_eq!(waiting.token_digest(&token), old.token_digest(&token));
        assert_eq!(waiting.token_candidates(&token)[0], old.token_digest(&token), "the signing key's comes first");
        for (maker, finder) in [(&old, &waiting), (&waiting, &old), (&waiting, &promoted), (&promoted, &waiting)] {
            assert!(finder.token_candidates(&token).contains(&maker.token_digest(&token)));
        }
        for ring in [&waiting, &promoted] {
            assert_eq!(ring.idempotency_key(["tenant", "a"], "k"), old.idempotency_key(["tenant", "a"], "k"));
            assert_eq!(ring.account_bucket(OtpPurpose::TenantSignIn, "a"), old.account_bucket(OtpPurpose::TenantSignIn, "a"));
        }
        assert_eq!(KeyRing::parse(&format!("+{}", line("k2", 2))).unwrap_err(), KeyRingError::NoneSigns);
        assert_eq!(KeyRing::parse("").unwrap_err(), KeyRingError::Empty);
    }
}
