//! From rows to values of the domain.

use sea_orm::FromQueryResult;
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
