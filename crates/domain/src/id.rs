//! Typed identifiers: a [`ProjectId`](crate::ProjectId) where a [`CodeId`](crate::CodeId) is asked for doesn't compile.
//!
//! [`Id`] is what all of them are; the names, such as `ProjectId`, are on the [crate's page](crate). [`Kind`] is for things of your own that are to
//! have identifiers of the same form.

use std::{cmp::Ordering, fmt, hash, marker::PhantomData, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use uuid::Uuid;

use crate::{Entropy, InvalidValue, Timestamp};

/// A kind of things that have an [`Id`].
///
/// # Example
/// Things of your own can have identifiers of the same form:
///
/// ```
/// use tenantry_domain::{Clock, Id, ProjectId, SystemClock, SystemEntropy, id::Kind};
///
/// struct Invoice;
/// impl Kind for Invoice {
///     const PREFIX: &'static str = "inv";
/// }
///
/// let id: Id<Invoice> = Id::generate(SystemClock.now(), &SystemEntropy);
/// let shown = id.to_string();
/// assert!(shown.starts_with("inv_") && shown.len() == 36);
/// assert_eq!(shown.parse::<Id<Invoice>>()?, id);
/// assert!(shown.parse::<ProjectId>().is_err()); // another kind's
/// # Ok::<_, tenantry_domain::InvalidValue>(())
/// ```
pub trait Kind {
    /// What its identifiers start with when shown (`prj` gives `prj_...`): lower-case ASCII letters, unique among the kinds.
    const PREFIX: &'static str;
}

/// The identifier of a `K`: a UUID v7, so that identifiers sort by the time of their making.
///
/// A [`ProjectId`](crate::ProjectId) where a [`CodeId`](crate::CodeId) is asked for doesn't compile. An identifier is no secret.
///
/// Shown and parsed as the kind's prefix, an underscore and 32 hexadecimal digits: what follows the underscore can be
/// pasted into a SQL console as it is.
pub struct Id<K> {
    uuid: Uuid,
    kind: PhantomData<fn() -> K>,
}

impl<K: Kind> Id<K> {
    /// Makes a new identifier: 48 bits of `now` in milliseconds, 74 bits from `entropy`.
    #[must_use]
    pub fn generate(now: Timestamp, entropy: &dyn Entropy) -> Self {
        let mut random = [0; 10];
        entropy.fill(&mut random);
        Self::from_uuid(uuid::Builder::from_unix_timestamp_millis(now.unix_millis(), &random).into_uuid())
    }
}

impl<K> Id<K> {
    /// Takes a UUID as an identifier of this kind, as a store does with what it reads.
    #[must_use]
    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self { uuid, kind: PhantomData }
    }

    /// The UUID inside, as a store writes it.
    #[must_use]
    pub const fn uuid(self) -> Uuid {
        self.uuid
    }
}

impl<K: Kind> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", K::PREFIX, self.uuid.as_simple())
    }
}

impl<K: Kind> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<K: Kind> FromStr for Id<K> {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.strip_prefix(K::PREFIX)
            .and_then(|rest| rest.strip_prefix('_'))
            .filter(|rest| rest.len() == 32)
            .and_then(|rest| Uuid::try_parse_ascii(rest.as_bytes()).ok())
            .map(Self::from_uuid)
            .ok_or_else(|| InvalidValue::new("invalid_id", format!("expected `{}_` and 32 hexadecimal digits", K::PREFIX)))
    }
}

impl<K: Kind> Serialize for Id<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de, K: Kind> Deserialize<'de> for Id<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

// Derives would ask the same of `K`, which is only a mark.
impl<K> Clone for Id<K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K> Copy for Id<K> {}
impl<K> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.uuid == other.uuid
    }
}
impl<K> Eq for Id<K> {}
impl<K> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<K> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.uuid.cmp(&other.uuid)
    }
}
impl<K> hash::Hash for Id<K> {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.uuid.hash(state);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Project, SeededEntropy};

    #[test]
    fn an_id_shows_its_kind_and_parses_back() {
        let now = Timestamp::from_unix_micros(1_700_000_000_000_000).unwrap();
        let id = Id::<Project>::generate(now, &SeededEntropy::new(7));
        let shown = id.to_string();
        assert!(shown.starts_with("prj_018bcfe5"), "{shown}");
        assert_eq!(shown.parse::<Id<Project>>().unwrap(), id);
        assert_eq!(id.uuid().get_version_num(), 7);
    }

    #[test]
    fn another_kind_or_form_is_refused() {
        for text in ["", "prj_", "prj", "ten_018bcfe568007000800000000000000a", "prj_018bcfe5-6800-7000-8000-00000000000a"] {
            assert!(text.parse::<Id<Project>>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics_the_parser(text in "\\PC*") {
            let _ = text.parse::<Id<Project>>();
        }
    }
}
