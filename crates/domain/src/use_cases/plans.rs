use tracing::info;

use crate::{Action, AuditEvent, Context, Expected, Id, Plan, PlanChange, PlanId, PlanName, Quota, StoreError, Target, ports::*};

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

/// Why a plan can't be changed, archived, restored or deleted.
#[derive(Debug, thiserror::Error)]
pub enum ManagePlanError {
    /// There is no such plan.
    #[error("there is no such plan")]
    UnknownPlan,
    /// It is at a version that the edit isn't meant for.
    #[error("the plan was changed meanwhile")]
    ChangedMeanwhile,
    /// Another plan has the name.
    #[error("another plan has this name")]
    NameTaken,
    /// A tenant is on it.
    #[error("a tenant is on this plan")]
    InUse,
    /// The store failed; nothing changed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Makes a plan, which tenants can be put on.
///
/// # Errors
/// See [`CreatePlanError`].
///
/// # Example
///
/// ```
/// # use tenantry_domain::{memory::{MemoryStore, PlainHasher}, ports::*, *};
/// # futures_executor::block_on(async {
/// # let (store, cx) = (MemoryStore::new(), Context::system(SystemClock.now(), &SystemEntropy));
/// let plan = create_plan(&store, &cx, PlanName::parse("Basic")?, Quota::new(100)?).await?;
/// assert_eq!(plan.monthly_run_quota.get(), 100);
///
/// let again = create_plan(&store, &cx, PlanName::parse("Basic")?, Quota::new(5)?).await;
/// assert!(matches!(again, Err(CreatePlanError::NameTaken)));
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
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

/// Changes a plan's name or quota.
///
/// A lower quota holds for every activation that begins from then on; what was activated stays so. A change of nothing is none.
///
/// # Errors
/// [`UnknownPlan`](ManagePlanError::UnknownPlan), [`ChangedMeanwhile`](ManagePlanError::ChangedMeanwhile),
/// [`NameTaken`](ManagePlanError::NameTaken), [`Store`](ManagePlanError::Store).
///
/// # Example
/// Two editors saw the same version; the second is told, instead of undoing what the first did:
///
/// ```
/// # use tenantry_domain::{memory::{MemoryStore, PlainHasher}, ports::*, *};
/// # futures_executor::block_on(async {
/// # let (store, cx) = (MemoryStore::new(), Context::system(SystemClock.now(), &SystemEntropy));
/// let plan = create_plan(&store, &cx, PlanName::parse("Basic")?, Quota::new(100)?).await?;
/// let seen = Expected::OneOf(vec![plan.version()]);
///
/// let more = PlanChange { monthly_run_quota: Some(Quota::new(200)?), ..PlanChange::default() };
/// change_plan(&store, &cx, plan.id, more, &seen).await?;
///
/// let renamed = PlanChange { name: Some(PlanName::parse("Small")?), ..PlanChange::default() };
/// let second = change_plan(&store, &cx, plan.id, renamed, &seen).await;
/// assert!(matches!(second, Err(ManagePlanError::ChangedMeanwhile)));
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub async fn change_plan<S: Store>(
    store: &S,
    cx: &Context<'_>,
    id: PlanId,
    change: PlanChange,
    expected: &Expected,
) -> Result<Plan, ManagePlanError> {
    write(store, cx, id, expected, Action::PlanChanged, |plan| change.apply(plan)).await
}

/// Archives a plan: no tenant can be put on it any more, and those that are on it stay. Doing so again changes nothing.
///
/// # Errors
/// [`UnknownPlan`](ManagePlanError::UnknownPlan), [`Store`](ManagePlanError::Store).
pub async fn archive_plan<S: Store>(store: &S, cx: &Context<'_>, id: PlanId) -> Result<Plan, ManagePlanError> {
    let archive = |plan: Plan| Plan { archived_at: plan.archived_at.or(Some(cx.now)), ..plan };
    write(store, cx, id, &Expected::Any, Action::PlanArchived, archive).await
}

/// Lets tenants be put on an archived plan again. Doing so again changes nothing.
///
/// # Errors
/// [`UnknownPlan`](ManagePlanError::UnknownPlan), [`Store`](ManagePlanError::Store).
pub async fn restore_plan<S: Store>(store: &S, cx: &Context<'_>, id: PlanId) -> Result<Plan, ManagePlanError> {
    let restore = |plan| Plan { archived_at: None, ..plan };
    write(store, cx, id, &Expected::Any, Action::PlanRestored, restore).await
}

async fn write<S: Store>(
    store: &S,
    cx: &Context<'_>,
    id: PlanId,
    expected: &Expected,
    action: Action,
    change: impl FnOnce(Plan) -> Plan,
) -> Result<Plan, ManagePlanError> {
    let mut tx = store.begin().await?;
    let before = tx.lock_plan(id).await?.ok_or(ManagePlanError::UnknownPlan)?;
    if !expected.admits(before.version()) {
        return Err(ManagePlanError::ChangedMeanwhile);
    }
    let after = change(before.clone());
    if after == before {
        return Ok(before);
    }
    let after = Plan { updated_at: cx.now.after(before.updated_at), ..after };
    if !tx.change_plan(&after).await? {
        return Err(ManagePlanError::NameTaken);
    }
    let event = AuditEvent::new(cx, action, None, Some(Target::Plan(id)));
    let event = event.with_change("name", &before.name, &after.name);
    let quotas = [&before, &after].map(|plan| plan.monthly_run_quota.get());
    tx.append_audit(&event.with_change("monthly_run_quota", quotas[0], quotas[1])).await?;
    tx.commit().await?;
    info!(plan.id = %id, action = action.as_str(), "changed plan");
    Ok(after)
}

/// Deletes a plan that no tenant is on.
///
/// # Errors
/// [`UnknownPlan`](ManagePlanError::UnknownPlan), [`ChangedMeanwhile`](ManagePlanError::ChangedMeanwhile),
/// [`InUse`](ManagePlanError::InUse), [`Store`](ManagePlanError::Store).
pub async fn delete_plan<S: Store>(store: &S, cx: &Context<'_>, id: PlanId, expected: &Expected) -> Result<(), ManagePlanError> {
    let mut tx = store.begin().await?;
    let plan = tx.lock_plan(id).await?.ok_or(ManagePlanError::UnknownPlan)?;
    if !expected.admits(plan.version()) {
        return Err(ManagePlanError::ChangedMeanwhile);
    }
    if !tx.delete_plan(id).await? {
        return Err(ManagePlanError::InUse);
    }
    let event = AuditEvent::new(cx, Action::PlanDeleted, None, Some(Target::Plan(id)));
    tx.append_audit(&event.with("name", &plan.name)).await?;
    tx.commit().await?;
    info!(plan.id = %id, "deleted plan");
    Ok(())
}
