use std::future::Future;

use uuid::Uuid;

use super::StoreError;
use crate::{AdoptedKind, AdoptedRow, Code};

/// Reads of what was taken over from older portals.
pub trait AdoptionReads {
    /// Those rows of a table of an older portal that were taken over, whatever became of them since: the old key and the identifier of each,
    /// in any order.
    fn adopted_rows(
        &mut self,
        source: &str,
        kind: AdoptedKind,
    ) -> impl Future<Output = Result<Vec<(String, Uuid)>, StoreError>> + Send;
}

/// Writes of what is taken over from older portals.
pub trait AdoptionWrites {
    /// Remembers that rows were taken over, any number of them.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where one of them was before: of any number of racing adoptions of a row, one succeeds.
    fn insert_adopted_rows(&mut self, rows: &[AdoptedRow]) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Stores codes as they are, with their uses and their ends, any number of them. Their tenants and batches exist.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where another code has one of the digests.
    fn insert_adopted_codes(&mut self, codes: &[Code]) -> impl Future<Output = Result<(), StoreError>> + Send;
}
