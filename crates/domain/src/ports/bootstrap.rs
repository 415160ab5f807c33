use std::future::Future;

use super::StoreError;
use crate::{BootstrapLink, Timestamp, TokenDigest};

/// Reads of the links that make an owner.
pub trait BootstrapReads {
    /// The link that has one of these digests and is open at `now`: not expired, and, unless it is for recovery, while there is no operator.
    fn open_bootstrap_link(
        &mut self,
        digests: &[TokenDigest],
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<BootstrapLink>, StoreError>> + Send;
}

/// Writes of the links that make an owner.
pub trait BootstrapWrites {
    /// Stores a new link.
    fn insert_bootstrap_link(&mut self, link: &BootstrapLink) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Uses a link up that is [open](BootstrapReads::open_bootstrap_link) at `now`; `None` when it isn't, or another transaction was first.
    /// Where several links are open, transactions that [lock the operators](super::OperatorWrites::lock_operators) use one of them.
    fn consume_bootstrap_link(
        &mut self,
        digests: &[TokenDigest],
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<BootstrapLink>, StoreError>> + Send;

    /// Deletes links that have expired at `now`, and says how many.
    fn delete_expired_bootstrap_links(&mut self, now: Timestamp) -> impl Future<Output = Result<u64, StoreError>> + Send;
}
