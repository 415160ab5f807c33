use std::future::Future;

use super::StoreError;
use crate::{Batch, BatchId, CodeId, Label, Page, PageRequest, TenantId, Timestamp};

/// Which batches a list has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BatchFilter {
    /// Those of this tenant.
    pub tenant: Option<TenantId>,
    /// Those with this label, to the letter.
    pub label: Option<Label>,
}

impl BatchFilter {
    /// Whether a list with this filter has the batch.
    #[must_use]
    pub fn keeps(&self, batch: &Batch) -> bool {
        self.tenant.is_none_or(|tenant| batch.tenant_id == tenant) && (self.label.is_none() || batch.label == self.label)
    }
}

/// What one call of [`BatchWrites::revoke_batch_codes`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RevokedCodes {
    /// How many codes it revoked.
    pub revoked: u64,
    /// The last code that it looked at, where there are more behind it.
    pub last: Option<CodeId>,
}

/// Reads of batches.
pub trait BatchReads {
    /// A batch, whoever its codes belong to: for operators.
    fn batch_of_anyone(&mut self, id: BatchId) -> impl Future<Output = Result<Option<Batch>, StoreError>> + Send;

    /// Batches, whoever their codes belong to, newest first: for operators.
    fn batches_of_anyone_page(
        &mut self,
        filter: &BatchFilter,
        page: PageRequest<Batch>,
    ) -> impl Future<Output = Result<Page<Batch>, StoreError>> + Send;

    /// How many codes of a tenant's batch have each status at `now`, in the order of [`CodeStatus::ALL`](crate::CodeStatus::ALL).
    fn count_batch_codes(
        &mut self,
        tenant: TenantId,
        id: BatchId,
        now: Timestamp,
    ) -> impl Future<Output = Result<[u64; 4], StoreError>> + Send;
}

/// Writes of batches.
///
/// A batch that is [`Issuing`](crate::BatchState::Issuing) leaves that state once, and takes no codes from then on.
pub trait BatchWrites {
    /// Stores a new batch. The tenant exists.
    fn insert_batch(&mut self, batch: &Batch) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Counts codes that this transaction adds to a tenant's batch. `false`, and nothing is counted, where the batch isn't being issued any
    /// longer, is gone, or would hold more than were ordered: then none may be added. Of those that count and those that end the issue, each
    /// waits for the other's commit.
    fn count_issued(
        &mut self,
        tenant: TenantId,
        id: BatchId,
        codes: u32,
        now: Timestamp,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Ends the issue of a tenant's batch that holds all that were ordered. `false` where it holds fewer, has ended, or is gone.
    fn complete_batch(
        &mut self,
        tenant: TenantId,
        id: BatchId,
        now: Timestamp,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Ends the issue of a tenant's batch before its time, and answers how many codes it holds. `None` where it has ended, or is gone.
    fn cancel_batch(
        &mut self,
        tenant: TenantId,
        id: BatchId,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<u32>, StoreError>> + Send;

    /// Revokes those of a tenant's batch that aren't revoked, up to `limit` codes, 1 or more, from behind `after` on, in the order of their
    /// identifiers.
    fn revoke_batch_codes(
        &mut self,
        tenant: TenantId,
        id: BatchId,
        after: Option<CodeId>,
        limit: u32,
        now: Timestamp,
    ) -> impl Future<Output = Result<RevokedCodes, StoreError>> + Send;
}
