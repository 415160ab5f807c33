//! Given values as the types that they have to be.

use std::{collections::BTreeMap, ops::RangeInclusive};

use config::ValueKind;

use super::{
    error::{ConfigError, Origin},
    key::Key,
    layers::{Given, Layer},
};

/// All given values, to be asked for by type. What isn't given is `None`. They hold secrets: it has no `Debug`, and isn't kept.
pub struct Values(Layer);

impl Values {
    pub fn new(layer: Layer) -> Self {
        Self(layer)
    }

    /// What set each of them.
    pub fn into_origins(self) -> BTreeMap<Key, Origin> {
        self.0.into_iter().map(|(key, given)| (key, given.origin)).collect()
    }

    fn given(&self, key: Key) -> Option<&Given> {
        self.0.get(&key)
    }

    /// A text.
    pub fn text(&self, key: Key) -> Result<Option<&str>, ConfigError> {
        match self.given(key) {
            None => Ok(None),
            Some(Given { value: ValueKind::String(text), .. }) => Ok(Some(text)),
            Some(_) => Err(self.invalid(key, "a text")),
        }
    }

    /// A text that `parse` understands; `expected` says what that is.
    pub fn parsed<T>(
        &self,
        key: Key,
        expected: impl Into<String>,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, ConfigError> {
        let Some(text) = self.text(key)? else { return Ok(None) };
        parse(text.trim()).map(Some).ok_or_else(|| self.invalid(key, expected))
    }

    /// A whole number within bounds.
    pub fn number<T>(&self, key: Key, bounds: RangeInclusive<u32>) -> Result<Option<T>, ConfigError>
    where
        T: TryFrom<u32>,
    {
        let number = match self.given(key).map(|given| &given.value) {
            None => return Ok(None),
            Some(ValueKind::String(text)) => text.trim().parse().ok(),
            Some(ValueKind::I64(number)) => u32::try_from(*number).ok(),
            Some(_) => None,
        };
        let number = number.filter(|number| bounds.contains(number)).and_then(|number| T::try_from(number).ok());
        let expected = || match (*bounds.start(), *bounds.end()) {
            (least, u32::MAX) => format!("a whole number, {least} or more"),
            (least, most) => format!("a whole number from {least} to {most}"),
        };
        number.map(Some).ok_or_else(|| self.invalid(key, expected()))
    }

    /// `true` or `false`.
    pub fn flag(&self, key: Key) -> Result<Option<bool>, ConfigError> {
        let flag = match self.given(key).map(|given| &given.value) {
            None => return Ok(None),
            Some(ValueKind::Boolean(flag)) => Some(*flag),
            Some(ValueKind::String(text)) => text.trim().parse().ok(),
            Some(_) => None,
        };
        flag.map(Some).ok_or_else(|| self.invalid(key, "`true` or `false`"))
    }

    /// Items of a list, or of a text with commas between them; none when nothing is given.
    pub fn list<T>(&self, key: Key, expected: &str, parse: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, ConfigError> {
        let items: Option<Vec<&str>> = match self.given(key).map(|given| &given.value) {
            None => return Ok(Vec::new()),
            Some(ValueKind::String(text)) => Some(text.split(',').collect()),
            Some(ValueKind::Array(items)) => items.iter().map(|item| as_text(&item.kind)).collect(),
            Some(_) => None,
        };
        let items = items.unwrap_or_else(|| vec!["?"]);
        let parsed: Option<Vec<T>> = items.into_iter().map(str::trim).filter(|item| !item.is_empty()).map(parse).collect();
        parsed.ok_or_else(|| self.invalid(key, expected))
    }

    /// That a given value isn't what it has to be.
    pub fn invalid(&self, key: Key, expected: impl Into<String>) -> ConfigError {
        match self.given(key) {
            Some(given) => ConfigError::Invalid { key, expected: expected.into(), origin: given.origin.clone() },
            None => ConfigError::Refused(format!("{key} must be {}", expected.into())),
        }
    }
}

fn as_text(value: &ValueKind) -> Option<&str> {
    match value {
        ValueKind::String(text) => Some(text),
        _ => None,
    }
}
