//! How a tenant looks: values that end up in pages and mails, and so must be nothing but what they claim.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::InvalidValue;

/// A colour as `#rrggbb`, in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HexColor(String);

/// An absolute `https` address of at most 2,048 characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpsUrl(String);

/// A DNS name of at least two labels, in lower case, without a trailing dot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainName(String);

impl HexColor {
    /// Checks and folds to lower case.
    ///
    /// # Errors
    /// `invalid_color`.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        let digits = text.strip_prefix('#').filter(|rest| rest.len() == 6 && rest.bytes().all(|b| b.is_ascii_hexdigit()));
        let digits = digits.ok_or_else(|| InvalidValue::new("invalid_color", "must be a colour such as `#1a2b3c`"))?;
        Ok(Self(format!("#{}", digits.to_ascii_lowercase())))
    }
}

impl HttpsUrl {
    /// Checks scheme, host and characters; the rest is kept as it is.
    ///
    /// # Errors
    /// `invalid_url`.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        let invalid = || {
            InvalidValue::new(
                "invalid_url",
                "must be an address such as `https://example.com/logo.svg`, of at most 2,048 characters",
            )
        };
        let rest = text.strip_prefix("https://").filter(|_| text.len() <= 2048).ok_or_else(invalid)?;
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let (name, port) = host.split_once(':').unwrap_or((host, "443"));
        let printable = text.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'"' | b'<' | b'>' | b'\\' | b'\'' | b'`'));
        if !printable || DomainName::parse(name).is_err() || port.parse::<u16>().is_err() {
            return Err(invalid());
        }
        Ok(Self(text.to_owned()))
    }
}

impl DomainName {
    /// Checks labels and lengths, and folds to lower case.
    ///
    /// # Errors
    /// `invalid_domain`.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        let folded = text.to_ascii_lowercase();
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        if folded.len() > 253 || !folded.contains('.') || !folded.split('.').all(label) {
            return Err(InvalidValue::new("invalid_domain", "must be a domain name such as `portal.example.com`"));
        }
        Ok(Self(folded))
    }
}

macro_rules! value_impls {
    ($($name:ident),*) => {$(
        impl $name {
            /// Takes a value that was checked when it was written.
            #[must_use]
            pub fn from_stored(text: String) -> Self {
                Self(text)
            }

            /// The value as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                Self::parse(&text).map_err(de::Error::custom)
            }
        }
    )*};
}
value_impls!(HexColor, HttpsUrl, DomainName);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn branding_takes_what_it_claims_and_nothing_else() {
        assert_eq!(HexColor::parse("#1A2b3C").unwrap().as_str(), "#1a2b3c");
        assert!(["#fff", "red", "#12345g", "#1234567", "#é12345"].iter().all(|text| HexColor::parse(text).is_err()));
        assert!(HttpsUrl::parse("https://cdn.example.com:8443/logo.svg?v=1").is_ok());
        let bad = [
            "http://a.example",
            "https://",
            "https://a b.example",
            "javascript:alert(1)",
            "https://u@a.example",
            "https://a.example/\"onload=x",
        ];
        assert!(bad.iter().all(|text| HttpsUrl::parse(text).is_err()));
        assert_eq!(DomainName::parse("Portal.Example.com").unwrap().as_str(), "portal.example.com");
        assert!(["localhost", "a..b", "-a.b", "a.b."].iter().all(|text| DomainName::parse(text).is_err()));
    }

    proptest! {
        #[test]
        fn no_text_panics_the_parsers(text in any::<String>()) {
            let _ = (HexColor::parse(&text), HttpsUrl::parse(&text), DomainName::parse(&text));
        }
    }
}
