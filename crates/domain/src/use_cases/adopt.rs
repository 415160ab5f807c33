use std::collections::BTreeMap;

use tracing::info;

use crate::{
    Action, Adopted, AdoptedKind, AdoptedRow, Adoption, AuditEvent, Batch, BatchSource, BatchState, Code, Context, Id, Label,
    Quota, StoreError, Target, TenantId, ports::*,
};

/// The label of a batch of codes that came from an older portal.
pub const ADOPTED_LABEL: &str = "Adopted from an older portal";

/// Why rows of an older portal aren't taken over: then none of them is.
#[derive(Debug, thiserror::Error)]
pub enum AdoptError {
    /// Another plan has the name.
    #[error("another plan has this name")]
    PlanNameTaken {
        /// The plan's key in the older portal.
        old_key: String,
    },
    /// Another tenant has the slug.
    #[error("another tenant has this slug")]
    TenantSlugTaken {
        /// The tenant's key in the older portal.
        old_key: String,
    },
    /// Another project of the same owner has the slug.
    #[error("another project has this slug")]
    ProjectSlugTaken {
        /// The project's key in the older portal.
        old_key: String,
    },
    /// The store failed; a [conflict](StoreError::Conflict) where another adoption was first.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Takes rows of an older portal over, all of them or none, in one transaction.
///
/// With them go their place in the ledger, the months' counts, what is remembered of where they came from (`source`, a name for
/// the older portal), and an audit event for each. Webhooks aren't told: nothing happened but a move. `tenantry-migrator adopt`
/// is made of this.
///
/// Of racing adoptions that have a row in common one takes its rows; the others get a [conflict](StoreError::Conflict), and so
/// does whoever comes again.
///
/// # Errors
/// See [`AdoptError`].
pub async fn adopt<S: Store>(store: &S, cx: &Context<'_>, source: &str, adoption: &Adoption) -> Result<(), AdoptError> {
    let Adoption { plans, tenants, subscriptions, codes, projects, redemptions } = adoption;
    let mut tx = store.begin().await?;
    let adopted = |action, tenant, target| AuditEvent::new(cx, action, tenant, Some(target)).with("adopted_from", source);
    let mut rows = Vec::new();
    let mut remember = |kind, old_key: &str, id| {
        rows.push(AdoptedRow { source: source.to_owned(), kind, old_key: old_key.to_owned(), id, adopted_at: cx.now });
    };
    for Adopted { old_key, row: plan } in plans {
        if !tx.insert_plan(plan).await? {
            return Err(AdoptError::PlanNameTaken { old_key: old_key.clone() });
        }
        tx.append_audit(&adopted(Action::PlanCreated, None, Target::Plan(plan.id))).await?;
        remember(AdoptedKind::Plan, old_key, plan.id.uuid());
    }
    for Adopted { old_key, row: tenant } in tenants {
        if !tx.insert_tenant(tenant).await? {
            return Err(AdoptError::TenantSlugTaken { old_key: old_key.clone() });
        }
        tx.append_audit(&adopted(Action::TenantCreated, Some(tenant.id), Target::Tenant(tenant.id))).await?;
        remember(AdoptedKind::Tenant, old_key, tenant.id.uuid());
    }
    for Adopted { old_key, row: subscription } in subscriptions {
        tx.insert_subscription(subscription).await?;
        remember(AdoptedKind::Subscription, old_key, subscription.id.uuid());
    }
    for (batch, codes) in batches(cx, codes) {
        tx.insert_batch(&batch).await?;
        let event = adopted(Action::CodesImported, Some(batch.tenant_id), Target::Batch(batch.id)).with("count", batch.issued);
        tx.append_audit(&event).await?;
        tx.insert_adopted_codes(&codes).await?;
    }
    for Adopted { old_key, row: code } in codes {
        remember(AdoptedKind::Code, old_key, code.id.uuid());
    }
    for Adopted { old_key, row: project } in projects {
        if !tx.insert_project(project).await? {
            return Err(AdoptError::ProjectSlugTaken { old_key: old_key.clone() });
        }
        tx.append_audit(&adopted(Action::ProjectCreated, project.tenant_id, Target::Project(project.id))).await?;
        remember(AdoptedKind::Project, old_key, project.id.uuid());
    }
    for redemption in redemptions {
        tx.insert_redemption(redemption).await?;
        // What happened has happened, whatever the plan allows today.
        let no_bound = Quota::from_stored(u32::MAX);
        tx.count_activation(redemption.tenant_id, redemption.redeemed_at.month(), no_bound, cx.now).await?;
    }
    tx.insert_adopted_rows(&rows).await?;
    tx.commit().await?;
    info!(source, tenants = tenants.len(), codes = codes.len(), projects = projects.len(), "adopted rows of an older portal");
    Ok(())
}

/// Notes in the audit trail that rows of the older portal `source` begin to be taken over. Until [`complete_adoption`] notes the end, the
/// portal isn't all there.
///
/// # Errors
/// See [`StoreError`].
pub async fn begin_adoption<S: Store>(store: &S, cx: &Context<'_>, source: &str) -> Result<(), StoreError> {
    note(store, cx, Action::AdoptionBegan, source).await
}

/// Notes in the audit trail that all rows of the older portal `source` that can be are taken over.
///
/// # Errors
/// See [`StoreError`].
pub async fn complete_adoption<S: Store>(store: &S, cx: &Context<'_>, source: &str) -> Result<(), StoreError> {
    note(store, cx, Action::AdoptionCompleted, source).await
}

async fn note<S: Store>(store: &S, cx: &Context<'_>, action: Action, source: &str) -> Result<(), StoreError> {
    let mut tx = store.begin().await?;
    tx.append_audit(&AuditEvent::new(cx, action, None, None).with("adopted_from", source)).await?;
    tx.commit().await
}

/// The codes of each tenant as a batch.
fn batches(cx: &Context<'_>, codes: &[Adopted<Code>]) -> Vec<(Batch, Vec<Code>)> {
    let mut by_tenant: BTreeMap<TenantId, Vec<Code>> = BTreeMap::new();
    for Adopted { row: code, .. } in codes {
        by_tenant.entry(code.tenant_id).or_default().push(code.clone());
    }
    let batch = |(tenant_id, mut codes): (TenantId, Vec<Code>)| {
        let count = u32::try_from(codes.len()).unwrap_or(u32::MAX);
        let batch = Batch {
            id: Id::generate(cx.now, cx.entropy),
            tenant_id,
            label: Label::parse(ADOPTED_LABEL).ok(),
            max_uses: None,
            expires_at: None,
            ordered: count,
            issued: count,
            state: BatchState::Complete,
            source: BatchSource::Imported,
            created_by: Some(Batch::made_by(&cx.actor)),
            created_at: cx.now,
            updated_at: cx.now,
        };
        codes.iter_mut().for_each(|code| code.batch_id = batch.id);
        (batch, codes)
    };
    by_tenant.into_iter().map(batch).collect()
}
