use std::future::Future;

use super::StoreError;
use crate::SigningKey;

/// Reads of the keys that a store has met.
pub trait SigningKeyReads {
    /// All of them, in the order of their names.
    fn signing_keys(&mut self) -> impl Future<Output = Result<Vec<SigningKey>, StoreError>> + Send;
}

/// Writes of the keys that a store meets.
pub trait SigningKeyWrites {
    /// [`signing_keys`](SigningKeyReads::signing_keys), and keeps every other transaction that would lock or write them waiting until this one
    /// ends. Readers don't wait.
    fn lock_signing_keys(&mut self) -> impl Future<Output = Result<Vec<SigningKey>, StoreError>> + Send;

    /// Remembers keys, any number of them.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where one of the names is known: a name stays with its key.
    fn insert_signing_keys(&mut self, keys: &[SigningKey]) -> impl Future<Output = Result<(), StoreError>> + Send;
}
