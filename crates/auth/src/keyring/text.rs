//! The text form of a key ring, and why a text is none.

use data_encoding::BASE64URL_NOPAD;
use tenantry_domain::{Entropy, InvalidValue, KeyId};
use zeroize::Zeroizing;

use super::{KeyRing, RingKey, derived::DerivedKeys};
use crate::{certificates::CertificateKey, legacy::LegacyScheme};

/// Why a key ring can't be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyRingError {
    /// There is no key in it.
    #[error("the key ring has no key: add a line `kid:key` with 32 random bytes in base64url")]
    Empty,
    /// All its keys wait.
    #[error("no key of the key ring signs: take the `+` off one")]
    NoneSigns,
    /// A line is no key.
    #[error("line {line} of the key ring is not `kid:key`: {reason}")]
    Malformed {
        /// Which line, from 1.
        line: usize,
        /// What is wrong with it; never the line itself.
        reason: String,
    },
    /// A key isn't random.
    #[error("line {line} of the key ring has a key that anyone could guess: use 32 random bytes")]
    Guessable {
        /// Which line, from 1.
        line: usize,
    },
    /// Two keys have the same name.
    #[error("line {line} of the key ring repeats a key id")]
    Repeated {
        /// Which line, from 1.
        line: usize,
    },
}

impl KeyRing {
    /// Reads the text form.
    ///
    /// # Errors
    /// See [`KeyRingError`]. None shows a key.
    pub fn parse(text: &str) -> Result<Self, KeyRingError> {
        let mut keys: Vec<RingKey> = Vec::new();
        let mut signing = None;
        for (index, content) in text.lines().enumerate() {
            let (line, content) = (index + 1, content.trim());
            if content.is_empty() || content.starts_with('#') {
                continue;
            }
            let (waits, content) = content.strip_prefix(Self::WAITS).map_or((false, content), |rest| (true, rest));
            let key = RingKey::parse(content, line)?;
            if keys.iter().any(|other| other.id == key.id) {
                return Err(KeyRingError::Repeated { line });
            }
            if !waits && signing.is_none() {
                signing = Some(keys.len());
            }
            keys.push(key);
        }
        match signing {
            Some(signing) => Ok(Self { keys, signing, legacy: LegacyScheme::Unused }),
            None if keys.is_empty() => Err(KeyRingError::Empty),
            None => Err(KeyRingError::NoneSigns),
        }
    }

    /// What stands before a key that waits.
    ///
    /// # Example
    ///
    /// ```
    /// use tenantry_auth::KeyRing;
    /// use tenantry_domain::{KeyId, SystemEntropy};
    ///
    /// let line = |id| -> Result<_, tenantry_domain::InvalidValue> { Ok(KeyRing::generate_line(&KeyId::parse(id)?, &SystemEntropy)) };
    /// let keys = KeyRing::parse(&format!("{}{}{}", KeyRing::WAITS, *line("k2")?, *line("k1")?))?;
    /// assert_eq!(keys.signing_key_id().as_str(), "k1");
    /// assert_eq!(keys.waiting_key_id().unwrap().as_str(), "k2");
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub const WAITS: char = '+';

    /// The text form of a new key, to be written into a key ring's file.
    #[must_use]
    pub fn generate_line(id: &KeyId, entropy: &dyn Entropy) -> Zeroizing<String> {
        let mut key = Zeroizing::new([0; 32]);
        entropy.fill(key.as_mut());
        Zeroizing::new(format!("{id}:{}\n", BASE64URL_NOPAD.encode(key.as_ref())))
    }
}

impl RingKey {
    fn parse(content: &str, line: usize) -> Result<Self, KeyRingError> {
        let malformed = |reason: &str| KeyRingError::Malformed { line, reason: reason.to_owned() };
        let (id, key) = content.split_once(':').ok_or_else(|| malformed("there is no `:`"))?;
        let id = KeyId::parse(id.trim()).map_err(|InvalidValue { detail, .. }| malformed(&detail))?;
        let decoded = BASE64URL_NOPAD.decode(key.trim().trim_end_matches('=').as_bytes());
        let bytes = Zeroizing::new(decoded.map_err(|_| malformed("the key is not base64url"))?);
        let root: Zeroizing<[u8; 32]> = Zeroizing::new(
            bytes.as_slice().try_into().map_err(|_| malformed("the key must have 32 bytes, no more and no less"))?,
        );
        // A key typed by hand repeats itself; 32 random bytes with fewer than 16 different values are never met by chance.
        let mut distinct = root.to_vec();
        distinct.sort_unstable();
        distinct.dedup();
        if distinct.len() < 16 {
            return Err(KeyRingError::Guessable { line });
        }
        let derived = DerivedKeys::new(&root);
        let certificates = CertificateKey::of(&derived.certificates);
        Ok(Self { id, derived, certificates })
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tests::line, *};

    #[test]
    fn bad_rings_are_refused_without_showing_them() {
        assert_eq!(KeyRing::parse("\n# nothing\n").unwrap_err(), KeyRingError::Empty);
        for text in ["k1", "k1:", "K1:abc", "k1:c2VjcmV0", "k1:!!"] {
            let error = KeyRing::parse(text).unwrap_err();
            assert!(matches!(error, KeyRingError::Malformed { line: 1, .. }), "{text}");
            assert!(!error.to_string().contains("c2VjcmV0"));
        }
        let zeros = format!("k1:{}", BASE64URL_NOPAD.encode(&[0; 32]));
        assert_eq!(KeyRing::parse(&zeros).unwrap_err(), KeyRingError::Guessable { line: 1 });
        let twice = format!("{}{}", line("k1", 1), line("k1", 2));
        assert_eq!(KeyRing::parse(&twice).unwrap_err(), KeyRingError::Repeated { line: 2 });
        assert_eq!(format!("{:?}", KeyRing::parse(&line("k1", 1)).unwrap()), "[KeyId(\"k1\")]");
    }
}
