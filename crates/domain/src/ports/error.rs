/// What goes wrong inside a store, told apart by what its callers can do about it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The store can't be reached, is shutting down, or is too busy to answer in time. Trying again later may help. From a
    /// [commit](super::Transaction::commit) it leaves open whether the writes took place.
    #[error("the store is unavailable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// What was asked for was cut off, or couldn't begin: the connection was lost, or the store is being restarted or handed over to another
    /// machine. It left no trace; trying again in a moment may help.
    #[error("the store cut it off")]
    Interrupted(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The transaction lost against another in a way that no port foresees (a deadlock, a broken constraint). It left no trace;
    /// trying again at once may help.
    #[error("the transaction conflicts with another")]
    Conflict(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A row holds what its type can't: written by something else, or by a newer version.
    #[error("a stored {what} can't be read")]
    Corrupt {
        /// Which kind of row.
        what: &'static str,
        /// What is wrong with it.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Anything else: a defect, or a schema that doesn't fit.
    #[error("the store failed")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl StoreError {
    /// Whether it is certain that the transaction, or the step that is one, took no part of it: whoever made it its only one can make it again.
    ///
    /// # Example
    ///
    /// ```
    /// use tenantry_domain::StoreError;
    ///
    /// let cut_off = StoreError::Interrupted("the connection was lost".into());
    /// assert!(cut_off.left_no_trace()); // to be done again
    ///
    /// // Whether it took place is open: only what may be done twice is to be done again. An activation may.
    /// let unanswered = StoreError::Unavailable("no answer in time".into());
    /// assert!(!unanswered.left_no_trace());
    /// ```
    #[must_use]
    pub const fn left_no_trace(&self) -> bool {
        matches!(self, Self::Interrupted(_) | Self::Conflict(_))
    }
}
