use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

/// A place where what a [parking store](super::Store::parking) has written waits for the one commit that makes it lasting.
///
/// [`Attempt`](crate::Attempt) uses it to make a request's effect and its answer one commit.
///
/// Clones are handles to the same place. Once the last of them is dropped, the store's own among them, what is still parked is rolled back.
pub struct Parking<T>(Arc<Mutex<Option<T>>>);

impl<T> Parking<T> {
    /// A place where nothing is parked.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::default())
    }

    /// The parked transaction, to be written to and committed, or dropped. `None` where the store's transactions were all dropped, or
    /// there were none. To be called when none of them is under way.
    #[must_use]
    pub fn take(&self) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Parks a transaction, as a store does with one that its user commits.
    pub fn park(&self, transaction: T) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(transaction);
    }
}

impl<T> Clone for Parking<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Default for Parking<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for Parking<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Parking(..)")
    }
}
