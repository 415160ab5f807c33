//! From rows to values of the domain.

use std::ops::RangeFrom;

use sea_orm::{DbErr, FromQueryResult, QueryResult, TryGetable};
use tenantry_domain::Timestamp;

use crate::timestamp::DbTime;

/// What keeps a row from being a value. It never repeats what the row holds.
pub(crate) type Corruption = Box<dyn std::error::Error + Send + Sync>;

/// A row of a query, which stands for a value of the domain.
pub(crate) trait Row: FromQueryResult + Send {
    /// The value.
    type Value: Send;
    /// What kind of row, for errors.
    const WHAT: &'static str;

    /// The value that the row stands for.
    fn into_value(self) -> Result<Self::Value, Corruption>;
}

/// A row's columns at given places, one after the other: a look-up by name costs more than the value that it finds.
pub(crate) struct InOrder<'r, I> {
    row: &'r QueryResult,
    places: I,
}

impl<'r> InOrder<'r, RangeFrom<usize>> {
    /// All columns from the first one on.
    pub(crate) const fn of(row: &'r QueryResult) -> Self {
        Self::at(row, 0..)
    }
}

impl<'r, I> InOrder<'r, I> {
    /// The columns at these places.
    pub(crate) const fn at(row: &'r QueryResult, places: I) -> Self {
        Self { row, places }
    }
}

impl<I: Iterator<Item = usize>> InOrder<'_, I> {
    /// The next column.
    pub(crate) fn next<T: TryGetable>(&mut self) -> Result<T, DbErr> {
        // No row has a column there.
        self.row.try_get_by_index(self.places.next().unwrap_or(usize::MAX))
    }
}

/// Reads a struct's fields from columns in the order of the list.
macro_rules! in_order {
    ($row:ident: $($field:ident),+ $(,)?) => {
        impl $row {
            pub(crate) fn in_order<I>(columns: &mut $crate::row::InOrder<'_, I>) -> Result<Self, sea_orm::DbErr>
            where
                I: Iterator<Item = usize>,
            {
                Ok(Self { $($field: columns.next()?),+ })
            }
        }
    };
}
pub(crate) use in_order;

/// A digest's 32 bytes.
pub(crate) fn digest(bytes: &[u8]) -> Result<[u8; 32], Corruption> {
    bytes.try_into().map_err(|_| "a digest doesn't have 32 bytes".into())
}

/// A number of times that something happened.
pub(crate) fn count(stored: i64) -> Result<u32, Corruption> {
    u32::try_from(stored).map_err(|_| "a count is below zero or too large".into())
}

/// A moment that may be missing.
pub(crate) fn moment(stored: Option<DbTime>) -> Option<Timestamp> {
    stored.map(Timestamp::from)
}
