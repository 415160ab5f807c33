//! Bounded text: what people type, with its length known and nothing in it that could break out of a mail header or a log line.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::InvalidValue;

/// One line of text: 1 to `MAX` characters, no control characters, no blanks around it.
///
/// # Example
/// Names are lines, each with a bound of its own:
///
/// ```
/// use tenantry_domain::{Label, TenantName};
///
/// assert_eq!(TenantName::parse("  Acme Corp ")?.as_str(), "Acme Corp");
/// assert_eq!(Label::parse("two\nlines").unwrap_err().code, "control_character");
/// assert_eq!(Label::parse(&"x".repeat(101)).unwrap_err().to_string(), "must have at most 100 characters; this has 101");
/// # Ok::<_, tenantry_domain::InvalidValue>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Line<const MAX: usize>(String);

/// Text of several lines: 1 to `MAX` characters, no control characters but line feed and tab. CR LF becomes LF.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prose<const MAX: usize>(String);

/// What a plan is called: 1 to 100 characters.
pub type PlanName = Line<100>;
/// What a tenant is called: 1 to 200 characters.
pub type TenantName = Line<200>;
/// What an operator is called: 1 to 100 characters.
pub type OperatorName = Line<100>;
/// What an API key is for: 1 to 100 characters.
pub type ApiKeyName = Line<100>;
/// Whom a project is for: 1 to 200 characters.
pub type ClientName = Line<200>;
/// What a batch of codes is for: 1 to 100 characters.
pub type Label = Line<100>;
/// How pressing a project is, in the tenant's own words: 1 to 40 characters.
pub type Priority = Line<40>;
/// What a list is searched for: 1 to 200 characters.
pub type SearchText = Line<200>;
/// A project's description or objectives: 1 to 4,000 characters.
pub type Description = Prose<4000>;

/// Unicode's line and paragraph separators and bidirectional overrides: invisible, and able to forge what a reader sees.
fn is_deceptive(c: char) -> bool {
    matches!(c, '\u{2028}' | '\u{2029}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}')
}

fn check(text: &str, max: usize, allowed: &[char]) -> Result<(), InvalidValue> {
    if text.is_empty() {
        return Err(InvalidValue::new("empty", "must not be empty"));
    }
    if text.chars().any(|c| (c.is_control() && !allowed.contains(&c)) || is_deceptive(c)) {
        return Err(InvalidValue::new("control_character", "must not contain line breaks or other control characters"));
    }
    let length = text.chars().count();
    if length > max {
        return Err(InvalidValue::new("too_long", format!("must have at most {max} characters; this has {length}")));
    }
    Ok(())
}

impl<const MAX: usize> Line<MAX> {
    /// Trims spaces and tabs at both ends and checks the rest.
    ///
    /// # Errors
    /// `empty`, `control_character`, `too_long`.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        let trimmed = text.trim_matches([' ', '\t']);
        check(trimmed, MAX, &[])?;
        Ok(Self(trimmed.to_owned()))
    }
}

impl<const MAX: usize> Prose<MAX> {
    /// Trims white space at both ends, turns CR LF into LF, and checks the rest.
    ///
    /// # Errors
    /// `empty`, `control_character`, `too_long`.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        let unified = text.trim().replace("\r\n", "\n");
        check(&unified, MAX, &['\n', '\t'])?;
        Ok(Self(unified))
    }
}

macro_rules! text_impls {
    ($($name:ident),*) => {$(
        impl<const MAX: usize> $name<MAX> {
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// Takes text that was checked when it was written, as a store does with what it reads. Rows from before these
            /// rules stay readable so.
            #[must_use]
            pub fn from_stored(text: String) -> Self {
                Self(text)
            }
        }

        impl<const MAX: usize> fmt::Display for $name<MAX> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl<const MAX: usize> Serialize for $name<MAX> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de, const MAX: usize> Deserialize<'de> for $name<MAX> {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                Self::parse(&text).map_err(de::Error::custom)
            }
        }
    )*};
}
text_impls!(Line, Prose);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_line_has_no_line_break() {
        for text in ["a\nb", "a\r\nBcc: x@y.z", "a\0b", "a\u{2028}b", "a\u{202E}b"] {
            assert_eq!(Line::<10>::parse(text).unwrap_err().code, "control_character", "{text:?}");
        }
        assert_eq!(Line::<10>::parse(" \t ").unwrap_err().code, "empty");
        assert_eq!(Line::<3>::parse("äöüß").unwrap_err().code, "too_long");
        assert_eq!(Line::<3>::parse(" äöü ").unwrap().as_str(), "äöü");
    }

    #[test]
    fn prose_keeps_its_lines() {
        assert_eq!(Prose::<10>::parse("a\r\nb\n").unwrap().as_str(), "a\nb");
        assert_eq!(Prose::<10>::parse("a\rb").unwrap_err().code, "control_character");
    }

    proptest! {
        #[test]
        fn no_text_panics_the_parsers(text in any::<String>()) {
            let _ = (Line::<20>::parse(&text), Prose::<20>::parse(&text));
        }
    }
}
