use std::fmt;

use crate::{InvalidValue, codes::text};

/// A code's last group, by which people tell their codes apart: what a list of codes is searched by.
///
/// No secret: a code has 55 random bits more.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CodeHint(String);

impl CodeHint {
    /// Reads a hint in any case, with blanks and hyphens around it, O for 0, I and L for 1.
    ///
    /// # Errors
    /// `invalid_hint`.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        let wrong = || InvalidValue::new("invalid_hint", "a hint is the last four symbols of a code");
        let symbols: Option<String> = text.trim_matches([' ', '\t', '-']).chars().map(text::canonical).collect();
        symbols.filter(|symbols| symbols.len() == text::GROUP).map(Self).ok_or_else(wrong)
    }

    /// The hint as it is stored: four symbols in upper case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CodeHint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_is_read_as_people_type_it() {
        for text in ["KP2J", "kp2j", " -Kp2j "] {
            assert_eq!(CodeHint::parse(text).unwrap().as_str(), "KP2J");
        }
        assert_eq!(CodeHint::parse("oil0").unwrap().as_str(), "0110");
        for text in ["", "KP2", "KP2JJ", "KPUJ", "KP 2", "４KP2"] {
            assert_eq!(CodeHint::parse(text).unwrap_err().code, "invalid_hint", "{text}");
        }
    }
}
