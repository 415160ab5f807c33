//! One-time passwords in plain text.

use std::fmt;

use tenantry_domain::{Entropy, InvalidValue, OtpStrength};
use zeroize::Zeroizing;

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const DIGITS: usize = 6;
/// Thirteen symbols of five bits: 65 bits.
const WIDE: usize = 13;

/// A one-time password in plain text: a secret that lives minutes. You rarely meet one: a mail has its text, and
/// [`verify_otp`](crate::verify_otp) reads it.
///
/// Six digits, or thirteen symbols of Crockford base32 once an account's failures are spent. Stored only as a digest; `Debug`
/// redacts it.
pub struct PlainOtp(Zeroizing<String>);

impl PlainOtp {
    /// Makes a password of the given strength.
    #[must_use]
    pub fn generate(strength: OtpStrength, entropy: &dyn Entropy) -> Self {
        match strength {
            OtpStrength::SixDigits => Self::six_digits(entropy),
            OtpStrength::Wide => Self::wide(entropy),
        }
    }

    /// Six digits, each of the million equally likely: what would favour some is drawn again.
    pub(crate) fn six_digits(entropy: &dyn Entropy) -> Self {
        const LARGEST_MULTIPLE: u32 = u32::MAX - u32::MAX % 1_000_000;
        loop {
            let mut random = Zeroizing::new([0; 4]);
            entropy.fill(random.as_mut());
            let number = u32::from_le_bytes(*random);
            if number < LARGEST_MULTIPLE {
                return Self(Zeroizing::new(format!("{:06}", number % 1_000_000)));
            }
        }
    }

    fn wide(entropy: &dyn Entropy) -> Self {
        let mut random = Zeroizing::new([0; WIDE]);
        entropy.fill(random.as_mut());
        let symbols = random.iter().filter_map(|byte| ALPHABET.get(usize::from(byte & 31))).map(|&symbol| char::from(symbol));
        Self(Zeroizing::new(symbols.collect()))
    }

    /// Reads a password as people type or paste it: blanks and hyphens anywhere, any case, O for 0, I and L for 1.
    ///
    /// # Errors
    /// `otp_malformed`, for what is neither six digits nor thirteen symbols.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        let malformed =
            || InvalidValue::new("otp_malformed", "a one-time password is six digits, or the thirteen symbols of the mail");
        let mut canonical = Zeroizing::new(String::with_capacity(WIDE));
        for c in text.chars().filter(|c| !matches!(c, ' ' | '-' | '\t' | '\n' | '\r' | '\u{a0}')) {
            let symbol = match c.to_ascii_uppercase() {
                'O' => '0',
                'I' | 'L' => '1',
                other => other,
            };
            let known = u8::try_from(symbol).is_ok_and(|byte| ALPHABET.contains(&byte));
            if !known || canonical.len() == WIDE {
                return Err(malformed());
            }
            canonical.push(symbol);
        }
        let six_digits = canonical.len() == DIGITS && canonical.bytes().all(|byte| byte.is_ascii_digit());
        if six_digits || canonical.len() == WIDE { Ok(Self(canonical)) } else { Err(malformed()) }
    }

    /// The password as a mail shows it: `042137`, or `XXXXX-XXXX-XXXX`.
    #[must_use]
    pub fn reveal(&self) -> Zeroizing<String> {
        match (self.0.get(..5), self.0.get(5..9), self.0.get(9..WIDE)) {
            (Some(a), Some(b), Some(c)) => Zeroizing::new(format!("{a}-{b}-{c}")),
            _ => self.0.clone(),
        }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for PlainOtp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PlainOtp(..)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tenantry_domain::SeededEntropy;

    use super::*;

    /// Attack 1: a million passwords. Chi-square with 9 degrees of freedom is above 33.7 once in ten thousand fair runs; the seed is fixed.
    #[test]
    fn a_million_passwords_are_uniform_in_each_place_and_keep_their_zeros() {
        let entropy = SeededEntropy::new(2026);
        let mut counts = [[0_u32; 10]; DIGITS];
        for _ in 0..1_000_000 {
            let otp = PlainOtp::six_digits(&entropy);
            assert_eq!(otp.as_bytes().len(), DIGITS);
            for (place, digit) in otp.as_bytes().iter().enumerate() {
                counts[place][usize::from(digit - b'0')] += 1;
            }
        }
        for (place, count) in counts.iter().enumerate() {
            let chi_square: f64 = count.iter().map(|&n| (f64::from(n) - 100_000.0).powi(2) / 100_000.0).sum();
            assert!(chi_square < 33.7, "place {place}: {count:?}, chi-square {chi_square}");
        }
    }

    /// 2^32 isn't a multiple of a million: what is left over at the top would favour small numbers, and is drawn again.
    #[test]
    fn what_would_favour_small_numbers_is_drawn_again() {
        struct TheseDraws(std::sync::Mutex<Vec<u32>>);
        impl Entropy for TheseDraws {
            fn fill(&self, bytes: &mut [u8]) {
                bytes.copy_from_slice(&self.0.lock().unwrap().remove(0).to_le_bytes());
            }
        }
        let draws = TheseDraws(vec![u32::MAX, 4_294_000_000, 4_293_999_999].into());
        assert_eq!(PlainOtp::six_digits(&draws).as_bytes(), b"999999");
        assert_eq!(draws.0.lock().unwrap().len(), 0);
    }

    #[test]
    fn what_is_shown_parses_back() {
        let entropy = SeededEntropy::new(1);
        for strength in [OtpStrength::SixDigits, OtpStrength::Wide] {
            let otp = PlainOtp::generate(strength, &entropy);
            let typed = format!(" {} ", otp.reveal().to_lowercase().replace('-', " "));
            assert_eq!(PlainOtp::parse(&typed).unwrap().as_bytes(), otp.as_bytes());
        }
        assert!(["", "12345", "1234567", "12345U", "１２３４５６", "12345a"].iter().all(|text| PlainOtp::parse(text).is_err()));
        assert_eq!(format!("{:?}", PlainOtp::six_digits(&entropy)), "PlainOtp(..)");
    }

    proptest! {
        #[test]
        fn no_text_panics_the_parser(text in any::<String>()) {
            let _ = PlainOtp::parse(&text).map(|otp| otp.reveal());
        }
    }
}
