//! How the codes of an older portal go on: their digests there, inside a keyed digest here.

use std::fmt;

use sha2::{Digest, Sha256};
use tenantry_domain::LegacyCode;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// What an older portal put before each code that it digested: a secret, never stored beside the digests.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct LegacyPepper(String);

/// What an older portal kept of a code: SHA-256 over its pepper and the code's text with its hyphens.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct LegacyDigest([u8; 32]);

/// What a key ring knows of an older portal's codes.
///
/// # Example
/// An older portal kept SHA-256 of its pepper and the code. A database that was adopted from it holds that inside a keyed digest,
/// and a key ring that has the pepper finds the code by its old text:
///
/// ```
/// # use tenantry_auth::*;
/// # use tenantry_domain::*;
/// # let keys = KeyRing::parse(&KeyRing::generate_line(&KeyId::parse("k1")?, &SystemEntropy))?;
/// let pepper = LegacyPepper::new("the older portal's pepper").ok_or("empty")?;
/// let kept_there = pepper.digest(&LegacyCode::parse("ABCD-EFGH-JKLM-NPQR").ok_or("no code")?);
///
/// let keys = keys.with_legacy(LegacyScheme::Peppered(pepper));
/// let stored = keys.adopted_digest(kept_there);
/// let typed = keys.read("abcd efgh jklm npqr")?;
/// assert!(typed.candidates(&keys).contains(&stored.digest));
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub enum LegacyScheme {
    /// There are none: a text without a fitting check symbol is no code.
    #[default]
    Unused,
    /// There are some, and their pepper isn't known: they are read as codes, and none is found.
    WithoutPepper,
    /// They are found.
    Peppered(LegacyPepper),
}

impl LegacyPepper {
    /// Takes a pepper as the older portal was configured with it; `None` for nothing.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self(text.to_owned()))
    }

    /// What the older portal kept of this code.
    #[must_use]
    pub fn digest(&self, code: &LegacyCode) -> LegacyDigest {
        LegacyDigest(Sha256::new().chain_update(self.0.as_bytes()).chain_update(code.reveal().as_bytes()).finalize().into())
    }
}

impl fmt::Debug for LegacyPepper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LegacyPepper(..)")
    }
}

impl LegacyDigest {
    /// Reads the older portal's form, 64 hexadecimal digits in either case; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = data_encoding::HEXLOWER_PERMISSIVE.decode(text.trim().as_bytes()).ok()?;
        bytes.try_into().ok().map(Self)
    }

    /// The older portal's form, in lower case.
    #[must_use]
    pub fn to_hex(self) -> String {
        data_encoding::HEXLOWER.encode(&self.0)
    }

    pub(crate) const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for LegacyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LegacyDigest(..)")
    }
}

impl LegacyScheme {
    /// What the older portal kept of a code, where its pepper is known.
    pub(crate) fn digest(&self, code: &LegacyCode) -> Option<LegacyDigest> {
        match self {
            Self::Peppered(pepper) => Some(pepper.digest(code)),
            Self::Unused | Self::WithoutPepper => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use tenantry_domain::{CodeHasher as _, CodeText, KeyId, SeededEntropy};

    use super::*;
    use crate::KeyRing;

    const TEXT: &str = "ABLU-2345-WXYZ-6789";

    fn ring(lines: &[(&str, u64)]) -> KeyRing {
        let line =
            |(id, seed): &(&str, u64)| KeyRing::generate_line(&KeyId::parse(id).unwrap(), &SeededEntropy::new(*seed)).to_string();
        KeyRing::parse(&lines.iter().map(line).collect::<String>()).unwrap()
    }

    fn peppered(ring: KeyRing) -> KeyRing {
        ring.with_legacy(LegacyScheme::Peppered(LegacyPepper::new("pepper").unwrap()))
    }

    /// `printf 'pepperABLU-2345-WXYZ-6789' | sha256sum`
    const DIGEST: &str = "69297ef1d30aa71ebfce83840ad4e78b73d18110c8c09b3a9a859bb5566e502f";

    #[test]
    fn a_digest_is_the_older_portals() {
        let digest = LegacyPepper::new("pepper").unwrap().digest(&LegacyCode::parse("ablu 2345 wxyz 6789").unwrap());
        assert_eq!(Some(digest), LegacyDigest::parse(DIGEST));
        assert_eq!(LegacyDigest::parse(&DIGEST.to_uppercase()), LegacyDigest::parse(DIGEST));
        for text in ["", "00", &DIGEST[1..], &DIGEST.replace('0', "g")] {
            assert_eq!(LegacyDigest::parse(text), None, "{text}");
        }
        assert!(LegacyPepper::new("").is_none());
    }

    #[test]
    fn an_adopted_digest_is_found_by_its_text_and_goes_over_to_the_key_that_signs() {
        let adopted = ring(&[("k1", 1)]).adopted_digest(LegacyDigest::parse(DIGEST).unwrap());
        assert_eq!((adopted.key_id.as_str(), adopted.key_id.in_ring().as_str()), ("legacy.k1", "k1"));
        assert_ne!(adopted.digest.as_bytes(), LegacyDigest::parse(DIGEST).unwrap().as_bytes());

        let rotated = peppered(ring(&[("k2", 2), ("k1", 1)]));
        let text = rotated.read(" ablu2345-wxyz 6789").unwrap();
        assert!(text.candidates(&rotated).contains(&adopted.digest));
        let signing = text.rekeyed(&rotated, &adopted).unwrap();
        assert_eq!(signing.key_id.as_str(), "legacy.k2");
        assert_eq!(text.rekeyed(&rotated, &signing), None);
        let other = peppered(ring(&[("k1", 9)]));
        assert!(!other.read(TEXT).unwrap().candidates(&other).contains(&adopted.digest), "another key ring finds nothing");
    }

    #[test]
    fn without_an_older_portal_nothing_changes_and_without_its_pepper_nothing_is_found() {
        let unused = ring(&[("k1", 1)]);
        assert_eq!(unused.read(TEXT).unwrap_err().code, "code_malformed");
        let without = unused.with_legacy(LegacyScheme::WithoutPepper);
        let text = without.read(TEXT).unwrap();
        assert_eq!((text.digest(&without), text.candidates(&without)), (None, vec![]));
        assert_eq!(without.read("12RY-S55W-4MZR-KP2K").unwrap_err().code, "code_malformed");
    }

    #[test]
    fn a_text_that_fits_both_kinds_is_looked_for_as_both() {
        let ring = peppered(ring(&[("k1", 1)]));
        let both = (0..).map(SeededEntropy::new).find_map(|entropy| {
            let code = tenantry_domain::PlainCode::generate(&entropy);
            LegacyCode::parse(&code.reveal()).map(|legacy| (code, legacy))
        });
        let (plain, legacy) = both.unwrap();
        let text = CodeText::parse_either(&plain.reveal()).unwrap();
        let stored = ring.digest(&plain);
        let adopted = ring.adopted_digest(LegacyPepper::new("pepper").unwrap().digest(&legacy));
        assert_eq!(text.candidates(&ring), [stored.digest, adopted.digest]);
        assert_eq!(text.digest(&ring), Some(stored.clone()));
        assert_eq!((text.rekeyed(&ring, &stored), text.rekeyed(&ring, &adopted)), (None, None));
    }

    #[test]
    fn debug_shows_no_secret() {
        let pepper = LegacyPepper::new("hunter2").unwrap();
        let shown =
            format!("{:?} {:?}", LegacyScheme::Peppered(pepper.clone()), pepper.digest(&LegacyCode::parse(TEXT).unwrap()));
        assert_eq!(shown, "Peppered(LegacyPepper(..)) LegacyDigest(..)");
    }
}
