use std::future::Future;

use super::StoreError;
use crate::{BatchId, Code, CodeDigest, CodeId, CodeStatus, NewCode, Page, PageRequest, TenantId, Timestamp};

/// What all codes of one issue have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodeIssue {
    /// Whom they are issued to.
    pub tenant_id: TenantId,
    /// The issue.
    pub batch_id: BatchId,
    /// When.
    pub created_at: Timestamp,
}

/// Reads of codes.
pub trait CodeReads {
    /// One of a tenant's codes.
    fn code(&mut self, tenant: TenantId, id: CodeId) -> impl Future<Output = Result<Option<Code>, StoreError>> + Send;

    /// The code that has one of these digests, whoever owns it. There is at most one, as the digests are of one text.
    fn code_by_digests(&mut self, digests: &[CodeDigest]) -> impl Future<Output = Result<Option<Code>, StoreError>> + Send;

    /// Those of these digests that a code has, whoever owns it, in any order. Meant for a thousand at a time.
    fn known_digests(&mut self, digests: &[CodeDigest]) -> impl Future<Output = Result<Vec<CodeDigest>, StoreError>> + Send;

    /// A tenant's codes, newest first; with `status`, those that have it at `now`.
    fn codes_page(
        &mut self,
        tenant: TenantId,
        status: Option<CodeStatus>,
        now: Timestamp,
        page: PageRequest<Code>,
    ) -> impl Future<Output = Result<Page<Code>, StoreError>> + Send;

    /// How many of a tenant's codes have each status at `now`, in the order of [`CodeStatus::ALL`].
    fn count_codes(&mut self, tenant: TenantId, now: Timestamp) -> impl Future<Output = Result<[u64; 4], StoreError>> + Send;
}

/// Writes of codes.
pub trait CodeWrites {
    /// Stores new codes, any number of them. The tenant exists.
    fn insert_codes(&mut self, issue: &CodeIssue, codes: &[NewCode]) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Takes one use of a tenant's code that is [`Active`](CodeStatus::Active) at `now`, and sets its `used_at`. `false` when it is not,
    /// or when another transaction took the last use first: of any number of racing calls, as many succeed as uses are left.
    fn consume_code(
        &mut self,
        tenant: TenantId,
        id: CodeId,
        now: Timestamp,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Takes one use of whichever of a tenant's codes is [`Active`](CodeStatus::Active) at `now`: the one that expires first, then the
    /// oldest. `None` when there is none. Racing calls each take another code as long as there are enough.
    fn consume_next_code(
        &mut self,
        tenant: TenantId,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<CodeId>, StoreError>> + Send;

    /// Revokes a tenant's code; `false` when it is revoked already, or there is none.
    fn revoke_code(
        &mut self,
        tenant: TenantId,
        id: CodeId,
        now: Timestamp,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;
}
