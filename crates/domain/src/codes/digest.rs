//! What a store sees of a code: a keyed digest, never the text.

use std::{fmt, str::FromStr};

use crate::{CodeText, InvalidValue, LegacyCode, PlainCode, bytes};

/// A keyed digest of an activation code's text.
///
/// Without the key it neither gives the code away nor lets guesses be tested. Compared in constant time.
#[derive(Clone, Copy)]
#[cfg_attr(feature = "rows", derive(serde::Serialize, serde::Deserialize))]
pub struct CodeDigest([u8; 32]);

bytes::opaque_and_secret!(CodeDigest, "Takes the 32 bytes that a [`CodeHasher`] made or a store read.");

/// The name of a key in a key ring, stored beside what the key made.
///
/// It has 1 to 16 of `a-z`, `0-9`, `-` and `_`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "rows", derive(serde::Serialize, serde::Deserialize))]
pub struct KeyId(String);

impl KeyId {
    /// Checks a key's name.
    ///
    /// # Errors
    /// `invalid_key_id`.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        let symbols = text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'));
        if !symbols || !(1..=16).contains(&text.len()) {
            return Err(InvalidValue::new("invalid_key_id", "a key id is 1 to 16 of a-z, 0-9, `-` and `_`"));
        }
        Ok(Self(text.to_owned()))
    }

    /// What is before a key's name where the digest is of an older portal's; no key ring has a key with a full stop in its name.
    const LEGACY: &str = "legacy.";

    /// This key's name beside a digest of an older portal's code, so that a store tells the two schemes apart.
    #[must_use]
    pub fn for_legacy(&self) -> Self {
        Self(format!("{}{}", Self::LEGACY, self.0))
    }

    /// Whether it stands beside a digest of an older portal's code.
    #[must_use]
    pub fn is_legacy(&self) -> bool {
        self.0.starts_with(Self::LEGACY)
    }

    /// The name that the key has in its key ring, whatever it made.
    #[must_use]
    pub fn in_ring(&self) -> Self {
        Self(self.0.strip_prefix(Self::LEGACY).unwrap_or(&self.0).to_owned())
    }

    /// Takes a key id that a store read.
    #[must_use]
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The key's name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KeyId {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A digest and the key that made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyedCodeDigest {
    /// The digest.
    pub digest: CodeDigest,
    /// The key that made it.
    pub key_id: KeyId,
}

/// Makes the keyed digests by which a store knows codes.
///
/// Use `tenantry-auth`'s key ring, whose keys can be replaced. If you bring a hasher of your own, let it be a keyed one (HMAC,
/// keyed BLAKE3) whose key lives outside the store: with a bare hash, whoever has the store could try codes.
/// `examples/embedded-service` in the repository has a small one.
pub trait CodeHasher: Send + Sync {
    /// The digest under the present signing key, for a code that is being issued.
    fn digest(&self, code: &PlainCode) -> KeyedCodeDigest;

    /// The digests under every key that still verifies, the signing key's first, for a code that is being looked up.
    fn candidates(&self, code: &PlainCode) -> Vec<CodeDigest>;

    /// Reads a text as it was typed. Without an older portal, only Tenantry's own codes are ones.
    ///
    /// # Errors
    /// `code_malformed`, for what is no code.
    fn read(&self, text: &str) -> Result<CodeText, InvalidValue> {
        PlainCode::parse(text).map(CodeText::from)
    }

    /// The digest of an older portal's code under the present signing key. `None` where there is no older portal, or not what it takes.
    fn legacy_digest(&self, code: &LegacyCode) -> Option<KeyedCodeDigest> {
        let _ = code;
        None
    }

    /// The digests of an older portal's code under every key that still verifies, the signing key's first.
    fn legacy_candidates(&self, code: &LegacyCode) -> Vec<CodeDigest> {
        let _ = code;
        Vec::new()
    }
}
