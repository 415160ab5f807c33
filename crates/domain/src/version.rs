//! Versions: which state of a row an editor has seen.

use std::{fmt, str::FromStr};

use crate::{InvalidValue, Timestamp};

/// The version of a row, which tells what an editor has seen of it.
///
/// Every change gives the row another: changes move its `updated_at` strictly forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(Timestamp);

impl Version {
    /// The version of a row that last changed then.
    #[must_use]
    pub const fn of(updated_at: Timestamp) -> Self {
        Self(updated_at)
    }
}

impl fmt::Display for Version {
    /// Digits, which mean nothing to whoever receives them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.unix_micros().fmt(f)
    }
}

impl FromStr for Version {
    type Err = InvalidValue;

    /// The reverse of `Display`, in that form alone: without a sign, a blank or a zero before it.
    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let version = text.parse().ok().and_then(Timestamp::from_unix_micros).map(Self);
        let canonical = version.filter(|version| version.to_string() == text);
        canonical.ok_or_else(|| InvalidValue::new("invalid_version", "must be a version as it was answered"))
    }
}

/// The versions that an edit is meant for.
///
/// Of two editors who saw the same version, the second is refused instead of undoing what the first did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Expected {
    /// Whichever there is.
    #[default]
    Any,
    /// One of these.
    OneOf(Vec<Version>),
}

impl Expected {
    /// Whether the edit is meant for this version. To be asked in the edit's transaction, of the row that it has locked.
    #[must_use]
    pub fn admits(&self, version: Version) -> bool {
        match self {
            Self::Any => true,
            Self::OneOf(versions) => versions.contains(&version),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::{Duration, macros::datetime};

    use super::*;

    #[test]
    fn a_version_is_read_as_it_is_shown_and_in_no_other_form() {
        let version = Version::of(Timestamp::new(datetime!(2026-03-15 12:00:00.000_001 UTC)));
        assert_eq!(version.to_string().parse(), Ok(version));
        for text in ["", "-1", "+1773576000000001", "01773576000000001", " 1773576000000001", "1e3", "99999999999999999999"] {
            assert!(text.parse::<Version>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn an_edit_is_meant_for_what_it_names() {
        let at = |micros| Version::of(Timestamp::MIN + Duration::microseconds(micros));
        assert!(Expected::Any.admits(at(1)));
        assert!(Expected::OneOf(vec![at(1), at(2)]).admits(at(2)));
        assert!(!Expected::OneOf(vec![at(1), at(2)]).admits(at(3)));
        assert!(!Expected::OneOf(Vec::new()).admits(at(1)));
    }

    proptest! {
        #[test]
        fn no_text_panics_the_parser(text in any::<String>()) {
            let _ = text.parse::<Version>();
        }
    }
}
