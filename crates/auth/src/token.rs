//! Bearer tokens: session tokens, API keys, and the tokens of bootstrap links.

use std::{fmt, marker::PhantomData};

use data_encoding::BASE64URL_NOPAD;
use tenantry_domain::{Entropy, InvalidValue};
use zeroize::Zeroizing;

const RANDOM: usize = 32;
const CHECK: usize = 4;

/// A kind of token, which its prefix tells. There are four: see [`SessionToken`], [`OperatorSessionToken`], [`ApiKeyToken`],
/// [`BootstrapToken`].
pub trait TokenKind {
    /// What its tokens start with, the underscore included; secret scanners look for it.
    const PREFIX: &'static str;
}

/// Marks tokens of tenants' sessions.
#[derive(Debug)]
pub enum Session {}

/// Marks tokens of operators' sessions.
#[derive(Debug)]
pub enum OperatorSession {}

/// Marks API keys of operators.
#[derive(Debug)]
pub enum ApiKey {}

/// Marks tokens of the links that make an owner.
#[derive(Debug)]
pub enum Bootstrap {}

impl TokenKind for Session {
    const PREFIX: &'static str = "tns_";
}

impl TokenKind for OperatorSession {
    const PREFIX: &'static str = "tno_";
}

impl TokenKind for ApiKey {
    const PREFIX: &'static str = "tnk_";
}

impl TokenKind for Bootstrap {
    const PREFIX: &'static str = "tnb_";
}

/// The token of a tenant's session: `tns_` and 48 symbols. See [`PlainToken`].
pub type SessionToken = PlainToken<Session>;
/// The token of an operator's session: `tno_` and 48 symbols. See [`PlainToken`].
pub type OperatorSessionToken = PlainToken<OperatorSession>;
/// The token of a bootstrap link: `tnb_` and 48 symbols. See [`PlainToken`].
pub type BootstrapToken = PlainToken<Bootstrap>;
/// An API key in plain text: `tnk_` and 48 symbols. See [`PlainToken`].
pub type ApiKeyToken = PlainToken<ApiKey>;

/// A bearer token in plain text: a secret. It is shown once, and stored only as a digest.
///
/// Its text is the prefix and 48 symbols of base64url: 256 random bits and a CRC-32 over prefix and bits, which catches every change
/// of one character, and all but one in four billion other changes, before a database is asked. `Debug` redacts it.
///
/// # Example
///
/// ```
/// use tenantry_auth::{ApiKeyToken, SessionToken};
/// use tenantry_domain::SystemEntropy;
///
/// let token = ApiKeyToken::generate(&SystemEntropy);
/// assert!(ApiKeyToken::parse(token.reveal()).is_ok());
/// assert!(SessionToken::parse(token.reveal()).is_err()); // of another kind
/// assert_eq!(format!("{token:?}"), "tnk_..");
/// ```
pub struct PlainToken<K> {
    text: Zeroizing<String>,
    kind: PhantomData<fn() -> K>,
}

impl<K: TokenKind> PlainToken<K> {
    /// Makes a new token of 256 bits from `entropy`.
    #[must_use]
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let mut bytes = Zeroizing::new([0; RANDOM + CHECK]);
        let (random, check) = bytes.split_at_mut(RANDOM);
        entropy.fill(random);
        check.copy_from_slice(&Self::check_sum(random));
        Self { text: Zeroizing::new(format!("{}{}", K::PREFIX, BASE64URL_NOPAD.encode(bytes.as_ref()))), kind: PhantomData }
    }

    /// Reads a presented token; nothing around it is forgiven.
    ///
    /// # Errors
    /// `token_malformed`.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        let malformed =
            || InvalidValue::new("token_malformed", format!("a token is `{}` and 48 symbols of base64url", K::PREFIX));
        let encoded = text.strip_prefix(K::PREFIX).filter(|rest| rest.len() == 48).ok_or_else(malformed)?;
        let bytes = Zeroizing::new(BASE64URL_NOPAD.decode(encoded.as_bytes()).map_err(|_| malformed())?);
        let (random, check) = bytes.split_at_checked(RANDOM).ok_or_else(malformed)?;
        if Self::check_sum(random) != *check {
            return Err(malformed());
        }
        Ok(Self { text: Zeroizing::new(text.to_owned()), kind: PhantomData })
    }

    /// The token's text. Whoever calls this hands it over: once, when it is made.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.text
    }

    fn check_sum(random: &[u8]) -> [u8; CHECK] {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(K::PREFIX.as_bytes());
        hasher.update(random);
        hasher.finalize().to_be_bytes()
    }
}

impl<K: TokenKind> fmt::Debug for PlainToken<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..", K::PREFIX)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tenantry_domain::SeededEntropy;

    use super::*;

    #[test]
    fn a_token_parses_back_and_only_as_its_kind() {
        let token = SessionToken::generate(&SeededEntropy::new(1));
        assert!(token.reveal().starts_with("tns_") && token.reveal().len() == 52);
        assert_eq!(SessionToken::parse(token.reveal()).unwrap().reveal(), token.reveal());
        assert!(ApiKeyToken::parse(&token.reveal().replace("tns_", "tnk_")).is_err());
        assert!(OperatorSessionToken::parse(&token.reveal().replace("tns_", "tno_")).is_err());
        assert!(BootstrapToken::parse(&token.reveal().replace("tns_", "tnb_")).is_err());
        assert_eq!(format!("{token:?}"), "tns_..");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn every_change_of_one_character_is_refused(seed in any::<u64>()) {
            let token = SessionToken::generate(&SeededEntropy::new(seed));
            let original = token.reveal().as_bytes();
            for place in 0..original.len() {
                for byte in (0x20..0x7f).filter(|&byte| byte != original[place]) {
                    let mut changed = original.to_vec();
                    changed[place] = byte;
                    prop_assert!(SessionToken::parse(std::str::from_utf8(&changed).unwrap()).is_err());
                }
            }
        }
    }

    proptest! {
        #[test]
        fn no_text_panics_the_parser(text in any::<String>(), tail in "tns_\\PC{0,60}") {
            let _ = (SessionToken::parse(&text), SessionToken::parse(&tail));
        }
    }
}
