//! E-mail addresses that mail can be sent to.

use std::{fmt, str::FromStr};

use email_address::{EmailAddress, Options};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::InvalidValue;

/// An address as in RFC 5321: no display name, no line break, at most 254 bytes; its domain in lower case.
///
/// `Debug` hides the local part, so that an address reaches no log by way of a struct that holds it.
///
/// # Example
///
/// ```
/// use tenantry_domain::Email;
///
/// let email = Email::parse(" Ada@Portal.EXAMPLE ")?;
/// assert_eq!(email.as_str(), "Ada@portal.example");
/// assert_eq!(email.folded(), "ada@portal.example");
/// assert_eq!(format!("{email:?}"), "Email(..@portal.example)");
/// # Ok::<_, tenantry_domain::InvalidValue>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Email(String);

impl Email {
    /// Trims, checks, and folds the domain to lower case; the local part is kept as it is, for it may be case-sensitive.
    ///
    /// # Errors
    /// `invalid_email`.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        let invalid = || {
            InvalidValue::new("invalid_email", "must be one e-mail address such as `name@example.com`, without a display name")
        };
        let trimmed = text.trim_matches(' ');
        // Quoted local parts and address literals are legal, rare, and where parsers disagree: refused.
        let options = Options::default().without_display_text().without_domain_literal().with_required_tld();
        if trimmed.len() > 254 || trimmed.chars().any(|c| c.is_control() || c.is_whitespace() || c == '"') {
            return Err(invalid());
        }
        EmailAddress::parse_with_options(trimmed, options).map_err(|_| invalid())?;
        let (local, domain) = trimmed.rsplit_once('@').ok_or_else(invalid)?;
        Ok(Self(format!("{local}@{}", domain.to_ascii_lowercase())))
    }

    /// Takes an address that was checked when it was written.
    #[must_use]
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The form by which addresses are compared where one stands for an account: all in lower case. Two mailboxes whose names differ in
    /// case alone are legal and never met; two accounts for one mailbox would be met at once.
    #[must_use]
    pub fn folded(&self) -> String {
        self.0.to_lowercase()
    }

    /// The address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let domain = self.0.rsplit_once('@').map_or("", |(_, domain)| domain);
        write!(f, "Email(..@{domain})")
    }
}

impl FromStr for Email {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl Serialize for Email {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Email {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_plain_address_is_taken() {
        assert_eq!(Email::parse(" Ops@Example.COM ").unwrap().as_str(), "Ops@example.com");
        for text in [
            "",
            "ops",
            "ops@",
            "@example.com",
            "Ops <ops@example.com>",
            "a@example.com, b@example.com",
            "a@example.com\r\nBcc: b@example.com",
            "a@[127.0.0.1]",
            "\"a b\"@example.com",
            "a@localhost",
        ] {
            assert!(Email::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn case_makes_no_second_account() {
        let folded = |text: &str| Email::parse(text).unwrap().folded();
        assert_eq!(folded("Ada.Lovelace@Example.com"), folded("ada.lovelace@EXAMPLE.com"));
        assert_ne!(folded("adalovelace@example.com"), folded("ada.lovelace@example.com"), "a dot is part of a name");
    }

    #[test]
    fn debug_hides_the_local_part() {
        assert_eq!(format!("{:?}", Email::parse("ops@example.com").unwrap()), "Email(..@example.com)");
    }

    proptest! {
        #[test]
        fn no_text_panics_the_parser(text in any::<String>()) {
            let _ = Email::parse(&text);
        }
    }
}
