//! What a caller is told of what went wrong inside.

use tenantry_domain::StoreError;

/// The file could not be read or written.
pub fn failed(error: impl Into<redb::Error>) -> StoreError {
    StoreError::Failed(Box::new(error.into()))
}

/// A row doesn't hold what its type holds.
pub fn corrupt(what: &'static str, error: serde_json::Error) -> StoreError {
    StoreError::Corrupt { what, source: Box::new(error) }
}

/// What a database calls a constraint: the transaction that breaks one is given up.
pub fn demand(holds: bool, broken: &'static str) -> Result<(), StoreError> {
    if holds { Ok(()) } else { Err(StoreError::Conflict(broken.into())) }
}
