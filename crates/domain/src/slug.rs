//! Slugs: the short names that tenants and projects go by.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{Entropy, InvalidValue};

/// A short name: 1 to 63 of `a-z`, `0-9` and hyphens, neither first nor last a hyphen (a DNS label).
///
/// Parsing folds ASCII capitals and trims blanks, so `" ACME "` is the same account as `acme`; a look-alike from another
/// script is refused, never folded.
///
/// # Example
///
/// ```
/// use tenantry_domain::{SeededEntropy, Slug};
///
/// assert_eq!(Slug::parse(" ACME ")?.as_str(), "acme");
/// assert_eq!(Slug::parse("ac/me").unwrap_err().code, "invalid_slug");
///
/// let made = Slug::from_name("Wayne Enterprises", &SeededEntropy::new(1));
/// assert!(made.as_str().starts_with("wayne-enterprises-"));
/// # Ok::<_, tenantry_domain::InvalidValue>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slug(String);

impl Slug {
    /// The most characters a slug has.
    pub const MAX: usize = 63;

    /// Folds, trims and checks.
    ///
    /// # Errors
    /// `invalid_slug`, with the rule in its detail.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        let folded = text.trim_matches(' ').to_ascii_lowercase();
        let well_formed = !folded.is_empty()
            && folded.len() <= Self::MAX
            && folded.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'))
            && !folded.starts_with('-')
            && !folded.ends_with('-');
        if !well_formed {
            let rule = "must be 1 to 63 of a-z, 0-9 and hyphens, and neither start nor end with a hyphen";
            return Err(InvalidValue::new("invalid_slug", rule));
        }
        Ok(Self(folded))
    }

    /// Makes a slug of a name: what fits is kept, the rest becomes hyphens, and four random symbols keep it apart from others
    /// (`Acme Corp` gives `acme-corp-7k2m`).
    #[must_use]
    pub fn from_name(name: &str, entropy: &dyn Entropy) -> Self {
        const SYMBOLS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
        let words = name
            .split(|c: char| !c.is_ascii_alphanumeric())
            .filter(|word| !word.is_empty())
            .map(str::to_ascii_lowercase)
            .collect::<Vec<_>>()
            .join("-");
        let stem: String = words.chars().take(40).collect();
        let stem = match stem.trim_end_matches('-') {
            "" => "project",
            stem => stem,
        };
        let mut random = [0; 4];
        entropy.fill(&mut random);
        let suffix: String = random.iter().filter_map(|b| SYMBOLS.get(usize::from(b & 31))).map(|&b| char::from(b)).collect();
        Self(format!("{stem}-{suffix}"))
    }

    /// Takes a slug that was checked when it was written; those of an older system stay readable so.
    #[must_use]
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The slug.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Slug {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl Serialize for Slug {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Slug {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::SeededEntropy;

    #[test]
    fn case_and_blanks_fold_and_look_alikes_are_refused() {
        assert_eq!(Slug::parse(" ACME-2 ").unwrap().as_str(), "acme-2");
        for text in ["", "-a", "a-", "a.b", "a b", "аcme", "ａｃｍｅ", "acme\u{200b}", "ＫELVIN", "\u{212a}", &"a".repeat(64)]
        {
            assert!(Slug::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_name_becomes_a_slug() {
        let entropy = SeededEntropy::new(1);
        for name in ["Acme Corp", "日本", "", "--", &"x ".repeat(100)] {
            let slug = Slug::from_name(name, &entropy);
            assert_eq!(Slug::parse(slug.as_str()).as_ref(), Ok(&slug), "{name}");
        }
        assert!(Slug::from_name("Acme, Corp!", &entropy).as_str().starts_with("acme-corp-"));
    }

    proptest! {
        #[test]
        fn no_text_panics_the_parser(text in any::<String>()) {
            let _ = Slug::parse(&text);
            let _ = Slug::from_name(&text, &SeededEntropy::new(1));
        }
    }
}
