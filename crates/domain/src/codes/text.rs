//! The text of an activation code: `XXXX-XXXX-XXXX-XXXX`, 75 random bits and a check symbol.

use std::{fmt, str::FromStr};

use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::{Entropy, InvalidValue};

/// Crockford's base32: no I, L, O or U, so that a code survives being read aloud or copied by hand.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const SYMBOLS: usize = 16;
/// Symbols between two hyphens.
pub(super) const GROUP: usize = 4;

/// The additive constant of the check sum. Not zero, so that sixteen zeros are no code; this value makes the published
/// example `12RY-S55W-4MZR-KP2J` one.
const CHECK_SUM: u8 = 25;

/// An activation code in plain text: a secret. It is shown once, when issued, and stored only as a [digest](crate::CodeDigest).
///
/// Sixteen symbols of Crockford base32. The last one makes the weighted sum over GF(32) come out as a constant; the weights are
/// distinct and not zero, so every change of one symbol and every swap of two different ones is caught before a database is asked.
/// `Debug` redacts it, and it is wiped from memory when dropped.
///
/// # Example
///
/// ```
/// use tenantry_domain::{PlainCode, SystemEntropy};
///
/// let code = PlainCode::generate(&SystemEntropy);
/// let typed = code.reveal().to_lowercase().replace('-', " ");
/// assert_eq!(PlainCode::parse(&typed)?, code);
/// assert_eq!(format!("{code:?}"), "PlainCode(..)");
///
/// // O is read as 0; a wrong symbol is told from an unknown code.
/// assert!(PlainCode::parse("12RY-S55W-4MZR-KP2J").is_ok());
/// assert_eq!(PlainCode::parse("12RY-S55W-4MZR-KP2K").unwrap_err().code, "code_malformed");
/// # Ok::<_, tenantry_domain::InvalidValue>(())
/// ```
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct PlainCode([u8; SYMBOLS]);

impl PlainCode {
    /// Makes a new code of 75 bits from `entropy`.
    #[must_use]
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let mut random = Zeroizing::new([0; SYMBOLS]);
        entropy.fill(random.as_mut());
        let mut symbols = random.map(|byte| byte & 31);
        symbols[SYMBOLS - 1] = check_symbol(&symbols);
        Self(symbols)
    }

    /// Reads a code as people type it: any case, spaces and hyphens anywhere or missing, O for 0, I and L for 1.
    ///
    /// # Errors
    /// `code_malformed`, for a wrong length, a symbol outside the alphabet, or a check symbol that doesn't fit.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        let malformed = |detail: &str| InvalidValue::new("code_malformed", detail);
        let mut symbols = [0; SYMBOLS];
        let mut length = 0;
        for c in text.chars().filter(|&c| !is_separator(c)) {
            let value = symbol_value(c).ok_or_else(|| malformed("a code has only digits and letters without U"))?;
            let slot = symbols.get_mut(length).ok_or_else(|| malformed("a code has 16 symbols; this has more"))?;
            *slot = value;
            length += 1;
        }
        if length != SYMBOLS {
            return Err(malformed("a code has 16 symbols; this has fewer"));
        }
        if weighted_sum(&symbols) != CHECK_SUM {
            return Err(malformed("the code's check symbol doesn't fit: a symbol is mistyped or two are swapped"));
        }
        Ok(Self(symbols))
    }

    /// The code as it is shown, `XXXX-XXXX-XXXX-XXXX`. Whoever calls this shows the code: once, at issue.
    #[must_use]
    pub fn reveal(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(SYMBOLS + 3));
        for (place, &symbol) in self.0.iter().enumerate() {
            if place > 0 && place % GROUP == 0 {
                text.push('-');
            }
            text.push(shown(symbol));
        }
        text
    }

    /// The last group, kept beside the digest so that people can tell their codes apart.
    #[must_use]
    pub fn hint(&self) -> String {
        self.0.iter().skip(SYMBOLS - GROUP).map(|&symbol| shown(symbol)).collect()
    }
}

impl fmt::Debug for PlainCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PlainCode(..)")
    }
}

impl FromStr for PlainCode {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

fn shown(symbol: u8) -> char {
    ALPHABET.get(usize::from(symbol)).copied().map_or('?', char::from)
}

fn symbol_value(c: char) -> Option<u8> {
    let canonical = match c.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    };
    let byte = u8::try_from(canonical).ok()?;
    ALPHABET.iter().position(|&symbol| symbol == byte).and_then(|place| u8::try_from(place).ok())
}

/// What people put between symbols: hyphens of all kinds, blanks.
pub(super) const fn is_separator(c: char) -> bool {
    matches!(c, '-' | ' ' | '\t' | '\u{a0}' | '\u{2010}'..='\u{2015}')
}

/// A symbol as people type it, as it is shown.
pub(super) fn canonical(c: char) -> Option<char> {
    symbol_value(c).map(shown)
}

/// Multiplication by the generator of GF(32) with x^5 + x^2 + 1.
const fn double(value: u8) -> u8 {
    let shifted = value << 1;
    if shifted & 32 == 0 { shifted } else { shifted ^ 0b10_0101 }
}

/// The sum of `generator^place * symbol`, by Horner's rule from the last symbol to the first.
fn weighted_sum(symbols: &[u8; SYMBOLS]) -> u8 {
    symbols.iter().rev().fold(0, |sum, &symbol| double(sum) ^ symbol)
}

/// The last symbol that makes the sum right. Its weight is the generator's 15th power, so dividing is multiplying by the 16th
/// (the group has 31 elements).
fn check_symbol(symbols: &[u8; SYMBOLS]) -> u8 {
    let mut without = *symbols;
    without[SYMBOLS - 1] = 0;
    let missing = weighted_sum(&without) ^ CHECK_SUM;
    (0..16).fold(missing, |value, _| double(value))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::SeededEntropy;

    fn parse_symbols(symbols: &[u8; SYMBOLS]) -> Result<PlainCode, InvalidValue> {
        PlainCode::parse(&symbols.iter().map(|&symbol| shown(symbol)).collect::<String>())
    }

    #[test]
    fn the_published_example_is_well_formed() {
        let code = PlainCode::parse("12RY-S55W-4MZR-KP2J").unwrap();
        assert_eq!(code.reveal().as_str(), "12RY-S55W-4MZR-KP2J");
        assert_eq!(code.hint(), "KP2J");
        assert_eq!(PlainCode::parse(" i2ry s55w4mzr–kp2j ").unwrap(), code);
    }

    #[test]
    fn debug_shows_nothing() {
        let code = PlainCode::generate(&SeededEntropy::new(3));
        assert_eq!(format!("{code:?}"), "PlainCode(..)");
    }

    #[test]
    fn wrong_lengths_and_symbols_are_refused() {
        for text in [
            "",
            "12RY-S55W-4MZR-KP2",
            "12RY-S55W-4MZR-KP2JJ",
            "U2RY-S55W-4MZR-KP2J",
            "０2RY-S55W-4MZR-KP2J",
            "0000-0000-0000-0000",
        ] {
            assert_eq!(PlainCode::parse(text).unwrap_err().code, "code_malformed", "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_code_round_trips(seed in any::<u64>()) {
            let code = PlainCode::generate(&SeededEntropy::new(seed));
            prop_assert_eq!(PlainCode::parse(&code.reveal()).unwrap(), code.clone());
            prop_assert_eq!(PlainCode::parse(&code.reveal().to_lowercase().replace('-', " ")).unwrap(), code);
        }

        #[test]
        fn every_change_of_one_symbol_is_refused(seed in any::<u64>()) {
            let code = PlainCode::generate(&SeededEntropy::new(seed));
            for place in 0..SYMBOLS {
                for change in 1..32 {
                    let mut symbols = code.0;
                    symbols[place] ^= change;
                    prop_assert!(parse_symbols(&symbols).is_err());
                }
            }
        }

        #[test]
        fn every_swap_of_two_symbols_is_refused(seed in any::<u64>()) {
            let code = PlainCode::generate(&SeededEntropy::new(seed));
            for a in 0..SYMBOLS {
                for b in (0..a).filter(|&b| code.0[a] != code.0[b]) {
                    let mut symbols = code.0;
                    symbols.swap(a, b);
                    prop_assert!(parse_symbols(&symbols).is_err());
                }
            }
        }

        #[test]
        fn no_text_panics_the_parser(text in any::<String>()) {
            let _ = PlainCode::parse(&text);
        }
    }
}
