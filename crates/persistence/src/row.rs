//! From rows to values of the domain.

use std::ops::RangeFrom;

use rusqlite::types::{FromSql, ValueRef};
use sea_orm::{DbErr, FromQueryResult, QueryResult, TryGetable};
use tenantry_domain::{StoreError, Timestamp};

use crate::{connection::StoredRow, error::unreadable, timestamp::DbTime};

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

/// A row that is read with every request. It is read by its columns' places, of whichever driver's answer: a look-up by name costs more than the
/// value that it finds.
pub(crate) trait HotRow: Row {
    /// Reads the row.
    fn read(row: &impl Columns) -> Result<Self, DbErr>;
}

/// What a column holds, for both drivers.
pub(crate) trait Column: TryGetable + FromSql {}

impl<T: TryGetable + FromSql> Column for T {}

/// The columns of a row.
pub(crate) trait Columns {
    /// What is in a place.
    fn get<T: Column>(&self, place: usize) -> Result<T, DbErr>;
}

impl Columns for QueryResult {
    fn get<T: Column>(&self, place: usize) -> Result<T, DbErr> {
        self.try_get_by_index(place)
    }
}

impl Columns for rusqlite::Row<'_> {
    fn get<T: Column>(&self, place: usize) -> Result<T, DbErr> {
        read_stored(self.get_ref(place).ok(), place)
    }
}

impl Columns for StoredRow {
    fn get<T: Column>(&self, place: usize) -> Result<T, DbErr> {
        read_stored(self.as_slice().get(place).map(ValueRef::from), place)
    }
}

fn read_stored<T: FromSql>(stored: Option<ValueRef<'_>>, place: usize) -> Result<T, DbErr> {
    let read = stored.and_then(|stored| T::column_result(stored).ok());
    read.ok_or_else(|| DbErr::Type(format!("column {place} isn't there, or isn't of its type")))
}

/// The row of a statement that writes, by either driver.
pub(crate) enum Written {
    Driver(QueryResult),
    Direct(StoredRow),
}

impl Written {
    /// The value that the row stands for.
    pub(crate) fn value<R: HotRow>(&self) -> Result<R::Value, StoreError> {
        value_of(match self {
            Self::Driver(row) => R::read(row),
            Self::Direct(row) => R::read(row),
        })
    }
}

/// The value that a row stands for, once it is read.
pub(crate) fn value_of<R: Row>(row: Result<R, DbErr>) -> Result<R::Value, StoreError> {
    let row = row.map_err(|failure| unreadable(R::WHAT, &failure))?;
    row.into_value().map_err(|source| StoreError::Corrupt { what: R::WHAT, source })
}

/// A row's columns at given places, one after the other.
pub(crate) struct InOrder<'r, C, I> {
    row: &'r C,
    places: I,
}

impl<'r, C> InOrder<'r, C, RangeFrom<usize>> {
    /// All columns from the first one on.
    pub(crate) const fn of(row: &'r C) -> Self {
        Self::at(row, 0..)
    }
}

impl<'r, C, I> InOrder<'r, C, I> {
    /// The columns at these places.
    pub(crate) const fn at(row: &'r C, places: I) -> Self {
        Self { row, places }
    }
}

impl<C: Columns, I: Iterator<Item = usize>> InOrder<'_, C, I> {
    /// The next column.
    pub(crate) fn next<T: Column>(&mut self) -> Result<T, DbErr> {
        // No row has a column there.
        self.row.get(self.places.next().unwrap_or(usize::MAX))
    }
}

/// Reads a struct's fields from columns in the order of the list.
macro_rules! in_order {
    ($row:ident: $($field:ident),+ $(,)?) => {
        impl $row {
            pub(crate) fn in_order<C, I>(columns: &mut $crate::row::InOrder<'_, C, I>) -> Result<Self, sea_orm::DbErr>
            where
                C: $crate::row::Columns,
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
