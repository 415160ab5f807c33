use tracing::info;

use crate::{Action, AuditEvent, Context, Id, Plan, PlanName, Quota, StoreError, Target, ports::*};

/// Why a plan can't be made.
#[derive(Debug, thiserror::Error)]
pub enum CreatePlanError {
    /// Another plan has the name.
    #[error("another plan has this name")]
    NameTaken,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Makes a plan.
///
/// # Errors
/// See [`CreatePlanError`].
pub async fn create_plan<S: Store>(
    store: &S,
    cx: &Context<'_>,
    name: PlanName,
    monthly_run_quota: Quota,
) -> Result<Plan, CreatePlanError> {
    let id = Id::generate(cx.now, cx.entropy);
    let plan = Plan { id, name, monthly_run_quota, archived_at: None, created_at: cx.now, updated_at: cx.now };
    let mut tx = store.begin().await?;
    if !tx.insert_plan(&plan).await? {
        return Err(CreatePlanError::NameTaken);
    }
    let event = AuditEvent::new(cx, Action::PlanCreated, None, Some(Target::Plan(id)));
    tx.append_audit(&event.with("monthly_run_quota", monthly_run_quota.get())).await?;
    tx.commit().await?;
    info!(plan.id = %id, "created plan");
    Ok(plan)
}
