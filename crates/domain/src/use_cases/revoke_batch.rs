use tracing::info;

use crate::{Action, AuditEvent, BatchId, Context, Happening, StoreError, Target, event::announce, ports::*};

/// Codes that one transaction revokes: others who write wait for as long as that takes, and no longer.
const CODES_AT_ONCE: u32 = 5_000;

/// Why a batch can't be revoked.
#[derive(Debug, thiserror::Error)]
pub enum RevokeBatchError {
    /// There is no such batch.
    #[error("there is no such batch")]
    UnknownBatch,
    /// The store failed. Some codes may have been revoked; calling again goes on with the rest.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Revokes every code of a batch that isn't revoked, and answers how many it revoked.
///
/// An issue that is under way ends first, so that none follows.
///
/// It is audited once, with its first few thousand codes: a call that is cut off has said what it set out to do, and calling again goes
/// on with the rest. One that finds nothing left to revoke changes nothing and isn't audited.
///
/// # Errors
/// See [`RevokeBatchError`].
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
/// # let batch = acme.issued?.batch_id;
/// assert_eq!(revoke_batch(&store, &cx, batch).await?, 2);
/// assert_eq!(revoke_batch(&store, &cx, batch).await?, 0);
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub async fn revoke_batch<S: Store>(store: &S, cx: &Context<'_>, id: BatchId) -> Result<u64, RevokeBatchError> {
    let batch = store.reader().batch_of_anyone(id).await?.ok_or(RevokeBatchError::UnknownBatch)?;
    let tenant = batch.tenant_id;
    let [_revoked, standing @ ..] = store.reader().count_batch_codes(tenant, id, cx.now).await?;
    let standing = standing.iter().sum::<u64>();

    let mut tx = store.begin().await?;
    let entitlement = tx.hold_tenant(tenant).await?.ok_or(RevokeBatchError::UnknownBatch)?;
    let cancelled = tx.cancel_batch(tenant, id, cx.now).await?;
    let codes = cancelled.map_or(standing, u64::from);
    if codes == 0 && cancelled.is_none() {
        return Ok(0);
    }
    let mut part = tx.revoke_batch_codes(tenant, id, None, CODES_AT_ONCE, cx.now).await?;
    let event = AuditEvent::new(cx, Action::CodesRevoked, Some(tenant), Some(Target::Batch(id)));
    tx.append_audit(&event.with("codes", codes).with("ended_issue", cancelled.is_some())).await?;
    announce(&mut tx, cx, tenant, entitlement.has_listeners, &Happening::BatchRevoked { batch: id, count: codes }).await?;
    tx.commit().await?;

    let mut revoked = part.revoked;
    while let Some(last) = part.last {
        let mut tx = store.begin().await?;
        // Gone with its tenant, in between.
        if tx.hold_tenant(tenant).await?.is_none() {
            break;
        }
        part = tx.revoke_batch_codes(tenant, id, Some(last), CODES_AT_ONCE, cx.now).await?;
        tx.commit().await?;
        revoked += part.revoked;
    }
    info!(tenant.id = %tenant, batch.id = %id, revoked, "revoked a batch");
    Ok(revoked)
}
