use tracing::info;

use crate::{
    Action, AuditEvent, Context, Expected, PlanId, StoreError, Subscription, SubscriptionState, SubscriptionTerms, Target,
    TenantId, Timestamp, ports::*,
};

/// What a subscription is to be: its plan, its state, and its period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewTerms {
    /// The plan that it is to be to.
    pub plan_id: PlanId,
    /// How it is to stand.
    pub state: SubscriptionState,
    /// The present period's start, inclusive; `None`: as it was.
    pub current_period_start: Option<Timestamp>,
    /// The present period's end, exclusive; `None`: as it was.
    pub current_period_end: Option<Timestamp>,
}

/// Why a subscription can't be set.
#[derive(Debug, thiserror::Error)]
pub enum SetSubscriptionError {
    /// There is no such tenant, or it has no subscription.
    #[error("there is no such tenant")]
    UnknownTenant,
    /// It is at a version that the edit isn't meant for.
    #[error("the subscription was changed meanwhile")]
    ChangedMeanwhile,
    /// There is no such plan.
    #[error("there is no such plan")]
    UnknownPlan,
    /// The plan takes no new tenants.
    #[error("the plan is archived")]
    PlanArchived,
    /// The period would end at its start, or before.
    #[error("the period must end after its start")]
    PeriodEndsBeforeStart,
    /// The store failed; nothing changed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Sets a tenant's plan, state and period.
///
/// An activation that is committed later has seen it. A tenant that is on an archived plan may stay there; nobody is moved to
/// one. A change of nothing is none.
///
/// # Errors
/// See [`SetSubscriptionError`].
///
/// # Example
/// A customer doesn't pay; from the next call on it can look, and do nothing:
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
/// # let client_name = ClientName::parse("Globex")?;
/// # let details = ProjectDetails { client_name, description: None, objectives: None, priority: None };
/// # let project = create_project(&store, &cx, tenant, NewProject { slug: None, details }).await?;
/// let (plan_id, state) = (plan.id, SubscriptionState::Unpaid);
/// let terms = NewTerms { plan_id, state, current_period_start: None, current_period_end: None };
/// set_subscription(&store, &cx, tenant, terms, &Expected::Any).await?;
///
/// let request = ActivateProject { tenant, project: project.id, with: ActivateWith::NextAvailable, guesses: None };
/// let refused = activate_project(&store, &cx, &PlainHasher, &request).await;
/// assert!(matches!(refused, Err(ActivateError::Refused(Refusal::SubscriptionInactive { .. }))));
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub async fn set_subscription<S: Store>(
    store: &S,
    cx: &Context<'_>,
    tenant: TenantId,
    new: NewTerms,
    expected: &Expected,
) -> Result<Subscription, SetSubscriptionError> {
    let mut tx = store.begin().await?;
    tx.lock_tenant(tenant).await?;
    let owner = tx.tenant(tenant).await?.ok_or(SetSubscriptionError::UnknownTenant)?;
    let before = tx.subscription(tenant).await?.ok_or(SetSubscriptionError::UnknownTenant)?;
    let terms = SubscriptionTerms {
        plan_id: new.plan_id,
        state: new.state,
        current_period_start: new.current_period_start.unwrap_or(before.current_period_start),
        current_period_end: new.current_period_end.unwrap_or(before.current_period_end),
    };
    if terms.current_period_end <= terms.current_period_start {
        return Err(SetSubscriptionError::PeriodEndsBeforeStart);
    }
    let plan = tx.hold_plan(terms.plan_id).await?.ok_or(SetSubscriptionError::UnknownPlan)?;
    if plan.archived_at.is_some() && plan.id != before.plan_id {
        return Err(SetSubscriptionError::PlanArchived);
    }
    if !expected.admits(before.version()) {
        return Err(SetSubscriptionError::ChangedMeanwhile);
    }
    if terms == before.terms() {
        return Ok(before);
    }

    let now = cx.now.after(before.updated_at).after(owner.updated_at);
    let after = tx.change_subscription(tenant, &terms, now).await?.ok_or(SetSubscriptionError::UnknownTenant)?;
    let event = AuditEvent::new(cx, Action::SubscriptionChanged, Some(tenant), Some(Target::Tenant(tenant)));
    let event = event
        .with_change("plan_id", before.plan_id, after.plan_id)
        .with_change("state", before.state.as_str(), after.state.as_str())
        .with_change("current_period_start", before.current_period_start, after.current_period_start)
        .with_change("current_period_end", before.current_period_end, after.current_period_end);
    tx.append_audit(&event).await?;
    tx.commit().await?;
    info!(tenant.id = %tenant, plan.id = %after.plan_id, state = after.state.as_str(), "changed subscription");
    Ok(after)
}
