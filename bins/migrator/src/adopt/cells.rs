//! A row of an older portal, read by types. What can't be read is a reason, which never repeats it.

use tenantry_domain::{InvalidValue, Timestamp};
use tenantry_persistence::OlderRow;

/// Why a row can't be taken.
pub type Reason = String;

/// A row.
#[derive(Clone, Copy)]
pub struct Cells<'a> {
    row: &'a OlderRow,
    /// No moment lies behind this one.
    now: Timestamp,
}

/// What a parser has against a field.
pub fn of(field: &str) -> impl Fn(InvalidValue) -> Reason {
    move |InvalidValue { detail, .. }| format!("{field}: {detail}")
}

impl<'a> Cells<'a> {
    pub const fn new(row: &'a OlderRow, now: Timestamp) -> Self {
        Self { row, now }
    }

    /// A field that isn't null and isn't blank.
    pub fn text(self, field: &str) -> Option<&'a str> {
        self.row.get(field).map(String::as_str).filter(|text| !text.trim().is_empty())
    }

    /// A field that no row can do without.
    pub fn needed(self, field: &str) -> Result<&'a str, Reason> {
        self.text(field).ok_or_else(|| format!("{field}: is missing"))
    }

    /// The row's key.
    pub fn key(self) -> &'a str {
        self.text("key").unwrap_or("")
    }

    /// A whole number.
    pub fn number(self, field: &str) -> Result<Option<i64>, Reason> {
        let Some(text) = self.text(field) else { return Ok(None) };
        let whole = text
            .trim()
            .split_once('.')
            .filter(|(_, rest)| rest.bytes().all(|b| b == b'0'))
            .map_or(text.trim(), |(whole, _)| whole);
        whole.parse().map(Some).map_err(|_| format!("{field}: is no whole number"))
    }

    /// Yes or no, as a boolean, a number or a word.
    pub fn truth(self, field: &str) -> Result<Option<bool>, Reason> {
        let Some(text) = self.text(field) else { return Ok(None) };
        match text.trim().to_ascii_lowercase().as_str() {
            "true" | "t" | "yes" | "y" | "1" => Ok(Some(true)),
            "false" | "f" | "no" | "n" | "0" => Ok(Some(false)),
            _ => Err(format!("{field}: is neither yes nor no")),
        }
    }

    /// A word in lower case.
    pub fn word(self, field: &str) -> Option<String> {
        self.text(field).map(|text| text.trim().to_ascii_lowercase().replace(['-', ' '], "_"))
    }

    /// A moment; `infinity` is none.
    pub fn moment(self, field: &str) -> Result<Option<Timestamp>, Reason> {
        match self.text(field) {
            None | Some("infinity") => Ok(None),
            Some("-infinity") => Ok(Some(Timestamp::MIN)),
            Some(text) => text.parse().map(Some).map_err(of(field)),
        }
    }

    /// A moment that has passed: one that a wrong clock put into the future is now.
    pub fn past(self, field: &str) -> Result<Option<Timestamp>, Reason> {
        Ok(self.moment(field)?.map(|moment| moment.min(self.now)))
    }

    /// When the row was made and last changed.
    pub fn made(self) -> Result<(Timestamp, Timestamp), Reason> {
        let created = self.past("created_at")?;
        let updated = self.past("updated_at")?;
        let created = created.or(updated).unwrap_or(self.now);
        Ok((created, updated.unwrap_or(created).max(created)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_by_their_meaning() {
        let row: OlderRow = [
            ("a", "12.00"),
            ("b", "12.5"),
            ("c", " T "),
            ("d", "2026-03-01T10:00:00.000000Z"),
            ("e", "infinity"),
            ("f", "Past-Due"),
            ("g", "  "),
            ("h", "9999-12-30T00:00:00.000000Z"),
        ]
        .map(|(field, value)| (field, value.to_owned()))
        .into();
        let now: Timestamp = "2026-04-01T00:00:00Z".parse().unwrap();
        let cells = Cells::new(&row, now);
        assert_eq!(cells.number("a"), Ok(Some(12)));
        assert!(cells.number("b").is_err() && cells.truth("b").is_err() && cells.moment("f").is_err());
        assert_eq!((cells.truth("c"), cells.truth("g")), (Ok(Some(true)), Ok(None)));
        assert_eq!((cells.past("d"), cells.past("h")), (Ok("2026-03-01T10:00:00Z".parse().ok()), Ok(Some(now))));
        assert_eq!((cells.moment("e"), cells.word("f").as_deref()), (Ok(None), Some("past_due")));
        assert!(cells.needed("g").is_err());
    }
}
