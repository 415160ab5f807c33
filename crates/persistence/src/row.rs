//! From rows to values of the domain.

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

/// A row's columns, one after the other: a look-up by name costs more than the value that it finds.
pub(crate) struct InOrder<'r> {
    row: &'r QueryResult,
    next: usize,
}

impl<'r> InOrder<'r> {
    pub(crate) const fn of(row: &'r QueryResult) -> Self {
        Self { row, next: 0 }
    }

    /// The next column.
    pub(crate) fn next<T: TryGetable>(&mut self) -> Result<T, DbErr> {
        let value = self.row.try_get_by_index(self.next);
        self.next += 1;
        value
    }

    pub(crate) const fn skip(&mut self, columns: usize) {
        self.next += columns;
    }
}

/// Reads a struct's fields from columns in the order of the list.
macro_rules! in_order {
    ($row:ident: $($field:ident),+ $(,)?) => {
        impl $row {
            pub(crate) fn in_order(columns: &mut $crate::row::InOrder<'_>) -> Result<Self, sea_orm::DbErr> {
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
