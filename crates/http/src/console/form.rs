//! Forms: what was typed. Below it is what is wrong with that, and the fields that show both.

mod field;
mod refusal;

use std::future::{Ready, ready};

use actix_web::{FromRequest, HttpRequest, dev::Payload};
use percent_encoding::percent_decode;
use tenantry_domain::{Entropy, Expected, InvalidValue};

pub(crate) use self::field::{Choice, Field};
use crate::{errors::ErrorCode, problem::Problem};

/// What a form holds, as text, and what was wrong with it when it was sent. It can hold a code, and so has no `Debug`.
///
/// An endpoint that takes one is given what its address asks for: the filters of a list, its cursor, what was done.
#[derive(Clone, Default)]
pub(crate) struct Form {
    values: Vec<(String, String)>,
    problem: Option<Problem>,
}

impl FromRequest for Form {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let sent = request.query_string().as_bytes();
        ready(readable(sent).map(|()| Self::parse(sent)))
    }
}

impl Form {
    /// Reads `application/x-www-form-urlencoded`. Bytes that aren't [readable] it can only replace.
    pub fn parse(sent: &[u8]) -> Self {
        Self { values: form_urlencoded::parse(sent).into_owned().collect(), problem: None }
    }

    /// The form with a field's first value.
    #[expect(clippy::needless_pass_by_value, reason = "numbers and references read alike")]
    pub fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.values.push((name.to_owned(), value.to_string()));
        self
    }

    /// The form with a value for a field that it doesn't have.
    pub fn or(self, name: &str, value: impl ToString) -> Self {
        if self.has(name) { self } else { self.with(name, value) }
    }

    /// Whether the form has a field, with whatever in it.
    pub fn has(&self, name: &str) -> bool {
        self.values.iter().any(|(field, _)| field == name)
    }

    /// The form with a key of its own, so that sending it twice does once what it does. One that was refused keeps its key.
    pub fn keyed(self, entropy: &dyn Entropy) -> Self {
        if self.has(Self::KEY) {
            return self;
        }
        let mut bytes = [0; 16];
        entropy.fill(&mut bytes);
        self.with(Self::KEY, uuid::Builder::from_random_bytes(bytes).into_uuid())
    }

    /// The field that a form's idempotency key is in.
    pub const KEY: &str = "form_key";

    /// The form without its key: sent again, it does what it does once more.
    pub fn anew(mut self) -> Self {
        self.values.retain(|(name, _)| name != Self::KEY);
        self
    }

    /// All that the form holds but one field, to be sent again as it was.
    pub fn all_but(&self, name: &str) -> Vec<(String, String)> {
        self.values.iter().filter(|(field, _)| field != name).cloned().collect()
    }

    /// The field of that key.
    pub fn key(&self) -> Field<'_> {
        self.hidden(Self::KEY)
    }

    /// Whether the name of what would be lost was typed.
    pub fn confirms(&self, field: &str, name: &str) -> Result<(), Problem> {
        if self.value(field) == name {
            return Ok(());
        }
        Err(Problem::field(
            format!("/{field}"),
            InvalidValue::new("unconfirmed", format!("type `{name}` to say that this is meant")),
        ))
    }

    /// What a field holds: without blanks around it, and empty where it isn't there.
    pub fn value(&self, name: &str) -> &str {
        self.values.iter().find(|(field, _)| field == name).map_or("", |(_, value)| value.trim())
    }

    /// The same; `None` where it is empty.
    pub fn optional(&self, name: &str) -> Option<&str> {
        Some(self.value(name)).filter(|value| !value.is_empty())
    }

    /// All that a field holds, of which there can be several.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.values.iter().filter(move |(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    /// The whole number that a field holds.
    ///
    /// # Errors
    /// `invalid_number`.
    pub fn whole(&self, name: &str) -> Result<i64, InvalidValue> {
        self.value(name).parse().map_err(|_| InvalidValue::new("invalid_number", "must be a whole number"))
    }

    /// The version that was shown with the form, in its field `version`: what the edit is meant for.
    pub fn expected(&self) -> Expected {
        Expected::OneOf(self.value("version").parse().into_iter().collect())
    }

    /// Whether a box is ticked.
    pub fn ticked(&self, name: &str) -> bool {
        !self.value(name).is_empty()
    }

    /// The values of these fields, for an address that keeps them.
    pub fn kept<'a>(&'a self, names: &[&'a str]) -> Vec<(&'a str, &'a str)> {
        names.iter().map(|&name| (name, self.value(name))).collect()
    }
}

/// Refuses what isn't UTF-8: a form that was read with other letters than were meant would be taken for something else.
pub(super) fn readable(sent: &[u8]) -> Result<(), Problem> {
    // What stands between fields and values is ASCII, so all of them are text where the whole is.
    match percent_decode(sent).decode_utf8() {
        Ok(_) => Ok(()),
        Err(_) => Err(Problem::new(ErrorCode::BadRequest, "what was sent isn't UTF-8; nothing was done with it")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_utf_8_or_refused() {
        for good in ["", "a=b&c=%C3%A9", "a=\u{e9}", "a=%", "a=%zz", "name=%EF%BF%BD"] {
            assert!(readable(good.as_bytes()).is_ok(), "{good}");
        }
        for bad in [&b"a=%E9"[..], b"%ff=a", b"a=\xE9", b"a=%C3&b=%A9", b"a=%ED%A0%80", b"a=%C0%AF"] {
            assert_eq!(readable(bad).unwrap_err().code, ErrorCode::BadRequest, "{bad:?}");
        }
    }
}
