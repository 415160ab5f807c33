//! Fields of a change: what is absent stays, what is null is cleared, and the rest is parsed.

use serde::{Deserialize, Deserializer};
use tenantry_domain::InvalidValue;

use crate::problem::Fields;

/// Tells a field that is null from one that is absent.
pub(crate) fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

impl Fields {
    /// A text that may be absent, parsed, with a note if it can't be taken.
    pub fn parse_optional<T>(
        &mut self,
        pointer: &str,
        text: Option<&String>,
        parse: fn(&str) -> Result<T, InvalidValue>,
    ) -> Option<Option<T>> {
        self.take_optional(pointer, text.map(|text| parse(text)))
    }

    /// The same for a text that may also be null: `Some(Some(None))` when it is.
    pub fn parse_change<T>(
        &mut self,
        pointer: &str,
        sent: Option<&Option<String>>,
        parse: fn(&str) -> Result<T, InvalidValue>,
    ) -> Option<Option<Option<T>>> {
        let Some(text) = sent else { return Some(None) };
        self.parse_optional(pointer, text.as_ref(), parse).map(Some)
    }
}
