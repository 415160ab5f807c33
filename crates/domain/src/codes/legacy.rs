//! The text of a code that an older portal issued, and a text that may be one of either kind.

use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::{CodeDigest, CodeHasher, InvalidValue, KeyedCodeDigest, PlainCode};

/// The older portal's symbols: no I, O, 0 or 1, but L and U.
const ALPHABET: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
const SYMBOLS: usize = 16;
const GROUP: usize = 4;

/// A code of an older portal in plain text: a secret.
///
/// Sixteen symbols of `A-Z2-9` without I and O in four groups, without a check symbol.
///
/// `Debug` redacts it, and it is wiped from memory when dropped.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct LegacyCode([u8; SYMBOLS]);

impl LegacyCode {
    /// Reads a code as people type it: any case, spaces and hyphens anywhere or missing. `None` for whatever the older portal can't have
    /// issued.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut symbols = Zeroizing::new([0; SYMBOLS]);
        let mut length = 0;
        for c in text.chars().filter(|&c| !super::text::is_separator(c)) {
            let symbol = u8::try_from(c.to_ascii_uppercase()).ok().filter(|symbol| ALPHABET.contains(symbol))?;
            *symbols.get_mut(length)? = symbol;
            length += 1;
        }
        (length == SYMBOLS).then(|| Self(*symbols))
    }

    /// The code as the older portal showed and digested it, `XXXX-XXXX-XXXX-XXXX`.
    #[must_use]
    pub fn reveal(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(SYMBOLS + 3));
        for (place, &symbol) in self.0.iter().enumerate() {
            if place > 0 && place % GROUP == 0 {
                text.push('-');
            }
            text.push(char::from(symbol));
        }
        text
    }
}

impl fmt::Debug for LegacyCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LegacyCode(..)")
    }
}

/// A code's text as it was typed: one of Tenantry's codes, one of an older portal's, or what might be either.
///
/// Made by [`CodeHasher::read`], which knows whether there is an older portal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeText {
    plain: Option<PlainCode>,
    legacy: Option<LegacyCode>,
}

impl CodeText {
    /// Reads a text that may be an older portal's.
    ///
    /// # Errors
    /// `code_malformed`, for what is neither: those of [`PlainCode::parse`].
    pub fn parse_either(text: &str) -> Result<Self, InvalidValue> {
        let legacy = LegacyCode::parse(text);
        match PlainCode::parse(text) {
            Err(malformed) if legacy.is_none() => Err(malformed),
            plain => Ok(Self { plain: plain.ok(), legacy }),
        }
    }

    /// Its digest under the key that signs. `None` for an older portal's code whose digest can't be made.
    #[must_use]
    pub fn digest(&self, hasher: &dyn CodeHasher) -> Option<KeyedCodeDigest> {
        match (&self.plain, &self.legacy) {
            (Some(plain), _) => Some(hasher.digest(plain)),
            (None, Some(legacy)) => hasher.legacy_digest(legacy),
            (None, None) => None,
        }
    }

    /// All digests by which a store may know it.
    #[must_use]
    pub fn candidates(&self, hasher: &dyn CodeHasher) -> Vec<CodeDigest> {
        let plain = self.plain.iter().flat_map(|plain| hasher.candidates(plain));
        plain.chain(self.legacy.iter().flat_map(|legacy| hasher.legacy_candidates(legacy))).collect()
    }

    /// The digest under the key that signs which takes the place of `stored`, one of its own, in the same scheme. `None` where that is it.
    #[must_use]
    pub fn rekeyed(&self, hasher: &dyn CodeHasher, stored: &KeyedCodeDigest) -> Option<KeyedCodeDigest> {
        let signing = match (&self.plain, &self.legacy) {
            (_, Some(legacy)) if stored.key_id.is_legacy() => hasher.legacy_digest(legacy),
            (Some(plain), _) if !stored.key_id.is_legacy() => Some(hasher.digest(plain)),
            _ => None,
        };
        signing.filter(|signing| signing.digest != stored.digest)
    }
}

impl From<PlainCode> for CodeText {
    fn from(plain: PlainCode) -> Self {
        Self { plain: Some(plain), legacy: None }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::SeededEntropy;

    #[test]
    fn a_code_is_read_as_people_type_it_and_revealed_as_it_was_issued() {
        for text in ["ABLU-2345-WXYZ-6789", "ablu 2345 wxyz 6789", " ablu2345\u{2013}wxyz6789\t"] {
            assert_eq!(LegacyCode::parse(text).unwrap().reveal().as_str(), "ABLU-2345-WXYZ-6789", "{text}");
        }
        assert_eq!(format!("{:?}", LegacyCode::parse("ABLU-2345-WXYZ-6789").unwrap()), "LegacyCode(..)");
    }

    #[test]
    fn what_the_older_portal_can_not_have_issued_is_none() {
        for text in [
            "",
            "ABLU-2345-WXYZ-678",
            "ABLU-2345-WXYZ-67899",
            "ABL0-2345-WXYZ-6789",
            "ABL1-2345-WXYZ-6789",
            "ABLI-2345-WXYZ-6789",
            "ABLO-2345-WXYZ-6789",
            "ABLÜ-2345-WXYZ-6789",
            "ＡBLU-2345-WXYZ-6789",
        ] {
            assert_eq!(LegacyCode::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_text_is_malformed_only_if_it_is_neither() {
        assert!(CodeText::parse_either("ABLU-2345-WXYZ-6789").unwrap().plain.is_none());
        assert!(CodeText::parse_either("12RY-S55W-4MZR-KP2J").unwrap().legacy.is_none());
        // A mistyped symbol of a code that has digits which the older portal never used.
        assert_eq!(CodeText::parse_either("12RY-S55W-4MZR-KP2K").unwrap_err().code, "code_malformed");
    }

    proptest! {
        #[test]
        fn no_text_panics_the_parser(text in any::<String>()) {
            let _ = CodeText::parse_either(&text);
        }

        #[test]
        fn every_code_of_ours_is_read_as_ours(seed in any::<u64>()) {
            let code = PlainCode::generate(&SeededEntropy::new(seed));
            prop_assert_eq!(CodeText::parse_either(&code.reveal()).unwrap().plain, Some(code));
        }
    }
}
