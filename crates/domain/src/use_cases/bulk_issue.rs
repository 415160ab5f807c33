use std::{
    future::{Future, poll_fn},
    pin::pin,
};

use tracing::info;

use super::generate_codes::{CODES_AT_ONCE, MadeCodes};
use crate::{
    Action, AuditEvent, Batch, BatchId, CodeHasher, CodeOrder, Context, GenerateCodesError, Happening, IssuedCode, Label,
    StoreError, Target, TenantId, Timestamp, event::announce, ports::*,
};

/// An issue of many codes that is written a part at a time, so that neither memory nor a transaction need hold them all.
///
/// Each part is a transaction of its own that also counts it, so that the batch says at every moment, also after a crash, what it
/// holds. It is [complete](complete_bulk_issue) once all parts are there, or [cancelled](cancel_bulk_issue) before.
#[derive(Debug)]
pub struct BulkIssue {
    order: CodeOrder,
    batch: Batch,
    /// The codes of the next part, made while the store wrote the last one.
    ahead: Option<MadeCodes>,
}

/// Codes that are made between two looks at the store.
const CODES_BETWEEN: usize = 250;

impl BulkIssue {
    /// The batch.
    #[must_use]
    pub const fn batch_id(&self) -> BatchId {
        self.batch.id
    }

    /// The tenant that the codes are for.
    #[must_use]
    pub const fn tenant_id(&self) -> TenantId {
        self.batch.tenant_id
    }

    /// What the codes are for.
    #[must_use]
    pub const fn label(&self) -> Option<&Label> {
        self.batch.label.as_ref()
    }

    /// Valid until then, exclusive.
    #[must_use]
    pub const fn expires_at(&self) -> Option<Timestamp> {
        self.batch.expires_at
    }

    /// How many projects each code can activate.
    #[must_use]
    pub const fn max_uses(&self) -> u32 {
        self.order.max_uses
    }

    /// How many codes have been issued.
    #[must_use]
    pub const fn issued(&self) -> u32 {
        self.batch.issued
    }
}

/// Why a bulk issue can't go on.
#[derive(Debug, thiserror::Error)]
pub enum BulkIssueError {
    /// Somebody revoked the batch, or deleted the tenant.
    #[error("the batch was ended by somebody else")]
    Ended,
    /// The store failed. What was committed before stays, and is counted.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Begins an issue of many codes: its batch is stored, and holds nothing yet.
///
/// # Errors
/// See [`GenerateCodesError`].
///
/// # Example
///
/// ```
/// # use tenantry_domain::{memory::{MemoryStore, PlainHasher}, ports::*, *};
/// # futures_executor::block_on(async {
/// # let (store, cx) = (MemoryStore::new(), Context::system(SystemClock.now(), &SystemEntropy));
/// # let plan = create_plan(&store, &cx, PlanName::parse("Basic")?, Quota::new(20)?).await?;
/// # let (slug, name, contact_email) = (Slug::parse("acme")?, TenantName::parse("Acme")?, Email::parse("it@acme.example")?);
/// # let new = NewTenant { slug, name, contact_email, plan_id: plan.id, branding: Branding::default() };
/// # let acme = create_tenant(&store, &cx, &PlainHasher, new).await?;
/// # let tenant = acme.tenant.id;
/// let order = CodeOrder { count: 6_000, ..CodeOrder::default() };
/// let mut issue = begin_bulk_issue(&store, &cx, tenant, order).await?;
/// let mut sent = 0;
/// loop {
///     let part = issue_next_codes(&store, &cx, &PlainHasher, &mut issue).await?;
///     if part.is_empty() {
///         break;
///     }
///     sent += part.len(); // here each would go into a file or down a connection
/// }
/// complete_bulk_issue(&store, &cx, &issue).await?;
/// assert_eq!(sent, 6_000);
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub async fn begin_bulk_issue<S: Store>(
    store: &S,
    cx: &Context<'_>,
    tenant: TenantId,
    order: CodeOrder,
) -> Result<BulkIssue, GenerateCodesError> {
    let batch = order.begin(cx, tenant)?;
    let mut tx = store.begin().await?;
    if tx.hold_tenant(tenant).await?.is_none() {
        return Err(GenerateCodesError::UnknownTenant);
    }
    tx.insert_batch(&batch).await?;
    let event = AuditEvent::new(cx, Action::CodesIssueStarted, Some(tenant), Some(Target::Batch(batch.id)));
    tx.append_audit(&event.with("ordered", order.count).with("max_uses", order.max_uses)).await?;
    tx.commit().await?;
    Ok(BulkIssue { order, batch, ahead: None })
}

/// Issues the next 5,000 codes of a bulk issue, or as many as are left.
///
/// They are committed, and counted, when their texts are answered: nowhere else, and only now. None once all are issued.
///
/// # Errors
/// See [`BulkIssueError`]. A part whose commit failed may yet be there; the batch counts it then, and nobody knows its texts.
pub async fn issue_next_codes<S: Store>(
    store: &S,
    cx: &Context<'_>,
    hasher: &dyn CodeHasher,
    issue: &mut BulkIssue,
) -> Result<Vec<IssuedCode>, BulkIssueError> {
    let BulkIssue { order, batch, ahead } = issue;
    let left = batch.ordered.saturating_sub(batch.issued);
    let count = left.min(CODES_AT_ONCE);
    if count == 0 {
        return Ok(Vec::new());
    }
    let mut part = ahead.take().unwrap_or_else(|| MadeCodes::begin(count));
    part.make(cx, hasher, order, batch, usize::MAX);
    let mut tx = store.begin().await?;
    if tx.hold_tenant(batch.tenant_id).await?.is_none() || !tx.count_issued(batch.tenant_id, batch.id, count, cx.now).await? {
        return Err(BulkIssueError::Ended);
    }
    let mut next = MadeCodes::begin((left - count).min(CODES_AT_ONCE));
    let make_some = || {
        next.make(cx, hasher, order, batch, CODES_BETWEEN);
        !next.is_complete()
    };
    meanwhile(tx.insert_codes(&batch.issue(), &part.records), make_some).await?;
    tx.commit().await?;
    batch.issued += count;
    *ahead = Some(next);
    Ok(part.issued)
}

/// Waits for something, and works while it isn't there: a little at a time, as long as `work` says that there is more.
async fn meanwhile<F: Future>(awaited: F, mut work: impl FnMut() -> bool) -> F::Output {
    let (mut awaited, mut more) = (pin!(awaited), true);
    poll_fn(|cx| {
        let answer = awaited.as_mut().poll(cx);
        if answer.is_pending() && more {
            more = work();
            // Others on this thread come first.
            cx.waker().wake_by_ref();
        }
        answer
    })
    .await
}

/// Ends a bulk issue whose codes are all there.
///
/// # Errors
/// [`BulkIssueError::Ended`] also where some are missing.
pub async fn complete_bulk_issue<S: Store>(store: &S, cx: &Context<'_>, issue: &BulkIssue) -> Result<(), BulkIssueError> {
    let BulkIssue { order, batch, .. } = issue;
    let mut tx = store.begin().await?;
    let entitlement = tx.hold_tenant(batch.tenant_id).await?.ok_or(BulkIssueError::Ended)?;
    if !tx.complete_batch(batch.tenant_id, batch.id, cx.now).await? {
        return Err(BulkIssueError::Ended);
    }
    let event = AuditEvent::new(cx, Action::CodesIssued, Some(batch.tenant_id), Some(Target::Batch(batch.id)));
    tx.append_audit(&event.with("count", order.count).with("max_uses", order.max_uses)).await?;
    announce(&mut tx, cx, batch.tenant_id, entitlement.has_listeners, &Happening::codes_issued(batch)).await?;
    tx.commit().await?;
    info!(tenant.id = %batch.tenant_id, batch.id = %batch.id, count = order.count, "issued codes in bulk");
    Ok(())
}

/// Ends a bulk issue before its time.
///
/// What it holds by then stays, until somebody [revokes](crate::revoke_batch) it. `reason` is a word for the audit trail. Answers how
/// many codes it holds; `None` where somebody else has ended it.
///
/// # Errors
/// Where the store fails.
pub async fn cancel_bulk_issue<S: Store>(
    store: &S,
    cx: &Context<'_>,
    issue: &BulkIssue,
    reason: &str,
) -> Result<Option<u32>, StoreError> {
    let batch = &issue.batch;
    let mut tx = store.begin().await?;
    if tx.hold_tenant(batch.tenant_id).await?.is_none() {
        return Ok(None);
    }
    let Some(holds) = tx.cancel_batch(batch.tenant_id, batch.id, cx.now).await? else {
        return Ok(None);
    };
    let event = AuditEvent::new(cx, Action::CodesIssueCancelled, Some(batch.tenant_id), Some(Target::Batch(batch.id)));
    let event = event.with("ordered", batch.ordered).with("issued", holds).with("reason", reason);
    tx.append_audit(&event).await?;
    tx.commit().await?;
    info!(tenant.id = %batch.tenant_id, batch.id = %batch.id, issued = holds, reason, "cancelled an issue of codes");
    Ok(Some(holds))
}
