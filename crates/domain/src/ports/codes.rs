use std::future::Future;

use super::StoreError;
use crate::{
    BatchId, Code, CodeDigest, CodeHint, CodeId, CodeStatus, KeyedCodeDigest, Label, NewCode, NewCodeText, Page, PageRequest,
    TenantId, Timestamp,
};

/// What all codes of one issue have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodeIssue {
    /// Whom they are issued to.
    pub tenant_id: TenantId,
    /// The batch that they belong to.
    pub batch_id: BatchId,
    /// When they are issued.
    pub created_at: Timestamp,
}

/// Which codes a list has: those for which all that is given holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CodeFilter {
    /// Those that have this status at the moment of the call.
    pub status: Option<CodeStatus>,
    /// Those with exactly this label.
    pub label: Option<Label>,
    /// Those of this issue.
    pub batch: Option<BatchId>,
    /// Those whose text ends so.
    pub hint: Option<CodeHint>,
}

impl CodeFilter {
    /// Whether a list with this filter has the code, as it is at `now`.
    #[must_use]
    pub fn keeps(&self, code: &Code, now: Timestamp) -> bool {
        self.status.is_none_or(|status| code.status(now) == status)
            && (self.label.is_none() || code.label == self.label)
            && self.batch.is_none_or(|batch| code.batch_id == batch)
            && self.hint.as_ref().is_none_or(|hint| code.hint == hint.as_str())
    }
}

/// Reads of codes.
pub trait CodeReads {
    /// One of a tenant's codes.
    fn code(&mut self, tenant: TenantId, id: CodeId) -> impl Future<Output = Result<Option<Code>, StoreError>> + Send;

    /// The code that has one of these digests, whoever owns it. There is at most one, as the digests are of one text.
    fn code_by_digests(&mut self, digests: &[CodeDigest]) -> impl Future<Output = Result<Option<Code>, StoreError>> + Send;

    /// Those of these digests that a code has, whoever owns it, in any order. Meant for a thousand at a time.
    fn known_digests(&mut self, digests: &[CodeDigest]) -> impl Future<Output = Result<Vec<CodeDigest>, StoreError>> + Send;

    /// A tenant's codes as they are at `now`, newest first.
    fn codes_page(
        &mut self,
        tenant: TenantId,
        filter: &CodeFilter,
        now: Timestamp,
        page: PageRequest<Code>,
    ) -> impl Future<Output = Result<Page<Code>, StoreError>> + Send;

    /// A code, whoever owns it: for operators.
    fn code_of_anyone(&mut self, id: CodeId) -> impl Future<Output = Result<Option<Code>, StoreError>> + Send;

    /// Everybody's codes as they are at `now`, newest first; with `tenant`, that tenant's: for operators.
    fn codes_of_anyone_page(
        &mut self,
        tenant: Option<TenantId>,
        filter: &CodeFilter,
        now: Timestamp,
        page: PageRequest<Code>,
    ) -> impl Future<Output = Result<Page<Code>, StoreError>> + Send;

    /// How many of a tenant's codes have each status at `now`, in the order of [`CodeStatus::ALL`].
    fn count_codes(&mut self, tenant: TenantId, now: Timestamp) -> impl Future<Output = Result<[u64; 4], StoreError>> + Send;
}

/// The text by which a use of a code is taken, as its digests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsedText {
    /// Its digests, by every key that verifies.
    pub candidates: Vec<CodeDigest>,
    /// Its digest by the key that signs, which takes the place of the code's; `None` where that is it.
    pub rekeyed: Option<KeyedCodeDigest>,
}

/// Writes of codes.
pub trait CodeWrites {
    /// Stores new codes, any number of them. The tenant exists.
    fn insert_codes(&mut self, issue: &CodeIssue, codes: &[NewCode]) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Takes one use of a tenant's code that is [`Active`](CodeStatus::Active) at `now`, and sets its `used_at`. `false` when it is not,
    /// or when another transaction took the last use first: of any number of racing calls, as many succeed as uses are left. With
    /// `text`, `false` too when the code has another by now: nothing is taken by a text that was [replaced](Self::reissue_code).
    fn consume_code(
        &mut self,
        tenant: TenantId,
        id: CodeId,
        text: Option<&UsedText>,
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

    /// Gives a tenant's code a new text in the place of the one with the digest `from`, if it is [`Active`](CodeStatus::Active) at
    /// `now`; all else of it stays. `false` when it isn't active, or when another transaction was first. From the commit on nothing
    /// is found or [taken](Self::consume_code) by the old text.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where another code has the new text.
    fn reissue_code(
        &mut self,
        tenant: TenantId,
        id: CodeId,
        from: CodeDigest,
        text: &NewCodeText,
        now: Timestamp,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Moves the expiry of a tenant's code that isn't revoked from `from` to `to`. `false` when it is revoked, expires at another
    /// moment than `from`, or when another transaction was first.
    fn move_code_expiry(
        &mut self,
        tenant: TenantId,
        id: CodeId,
        from: Option<Timestamp>,
        to: Option<Timestamp>,
        now: Timestamp,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Gives one use of a tenant's code back, however the code stands; `false` when none is taken. Its `used_at` stays.
    fn give_back_use(
        &mut self,
        tenant: TenantId,
        id: CodeId,
        now: Timestamp,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;
}
