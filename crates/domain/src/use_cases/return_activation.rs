use time::Duration;
use tracing::info;

use crate::{
    Action, AuditEvent, BucketKey, Context, EventType, Happening, Project, ProjectId, ProjectStatus, Rate, RateDecision,
    Redemption, StoreError, SubscriptionState, Target, TenantAction, TenantId, event::announce, ports::*,
};

/// The limits within which a tenant may return an activation by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReturnLimits {
    /// How long after the activation, exclusive; zero: never.
    pub grace: Duration,
    /// What the tenant's returns are counted in.
    pub bucket: BucketKey,
    /// How often.
    pub rate: Rate,
}

/// Why an activation isn't returned.
#[derive(Debug, thiserror::Error)]
pub enum ReturnError {
    /// There is no such project, or the tenant doesn't have it.
    #[error("there is no such project")]
    UnknownProject,
    /// The project is neither active nor paused.
    #[error("a project that is {} can't be returned", .from.as_str())]
    InvalidTransition {
        /// How the project stands.
        from: ProjectStatus,
    },
    /// No code activated the project: there is nothing to give back.
    #[error("the project was activated without a code")]
    NoRedemption,
    /// The tenant's subscription doesn't let it.
    #[error("the subscription is {}", .state.as_str())]
    SubscriptionInactive {
        /// How it stands.
        state: SubscriptionState,
    },
    /// The tenant is suspended.
    #[error("the tenant is suspended")]
    TenantSuspended,
    /// The time in which the tenant may return it by itself is over.
    #[error("the time to return the activation is over")]
    WindowClosed {
        /// How long that time is; zero: tenants return nothing.
        grace: Duration,
    },
    /// The tenant returned too much of late.
    #[error("too many activations were returned")]
    Limited {
        /// After how long it can be tried again.
        retry_after: Duration,
    },
    /// The store failed; nothing changed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Undoes an activation: the project is pending again, and the use of its code is given back.
///
/// In one transaction the use and the month's activation are given back, and the ledger and the audit trail say so. For
/// operators: at any time, whoever owns the project. For what a tenant may do by itself, see [`return_own_activation`].
///
/// Of racing returns one takes place. Returning again a project that a return made pending answers it as it is and changes
/// nothing.
///
/// # Errors
/// [`UnknownProject`](ReturnError::UnknownProject), [`InvalidTransition`](ReturnError::InvalidTransition),
/// [`NoRedemption`](ReturnError::NoRedemption), [`Store`](ReturnError::Store).
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
/// # let client_name = ClientName::parse("Globex")?;
/// # let details = ProjectDetails { client_name, description: None, objectives: None, priority: None };
/// # let project = create_project(&store, &cx, tenant, NewProject { slug: None, details }).await?;
/// # let request = ActivateProject { tenant, project: project.id, with: ActivateWith::NextAvailable, guesses: None };
/// # let project = activate_project(&store, &cx, &PlainHasher, &request).await?;
/// let month = cx.now.month();
/// assert_eq!(store.reader().activations_in(tenant, month).await?, 1);
///
/// let returned = return_activation(&store, &cx, project.id).await?;
/// assert_eq!(returned.status, ProjectStatus::Pending);
/// assert_eq!(store.reader().activations_in(tenant, month).await?, 0);
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub async fn return_activation<S: Store>(store: &S, cx: &Context<'_>, id: ProjectId) -> Result<Project, ReturnError> {
    let mut tx = store.begin().await?;
    let project = tx.project_of_anyone(id).await?.ok_or(ReturnError::UnknownProject)?;
    let tenant = project.tenant_id.ok_or(ReturnError::NoRedemption)?;
    let heard = tx.hold_tenant(tenant).await?.is_some_and(|entitlement| entitlement.has_listeners);
    give_back(tx, cx, tenant, id, None, heard).await
}

/// Undoes an activation for the tenant whose project it is, within limits.
///
/// As [`return_activation`], but only within `limits.grace` of the activation, as often as `limits.rate` lets it, and while the
/// tenant's subscription lets it change projects. A repeat that changes nothing isn't counted.
///
/// # Errors
/// Those of [`return_activation`], and [`SubscriptionInactive`](ReturnError::SubscriptionInactive),
/// [`TenantSuspended`](ReturnError::TenantSuspended), [`WindowClosed`](ReturnError::WindowClosed),
/// [`Limited`](ReturnError::Limited).
///
/// # Example
///
/// ```
/// # use time::Duration;
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
/// # let request = ActivateProject { tenant, project: project.id, with: ActivateWith::NextAvailable, guesses: None };
/// # let project = activate_project(&store, &cx, &PlainHasher, &request).await?;
/// // One bucket a tenant; `tenantry-auth` makes one by its key ring (`KeyRing::returns_bucket`).
/// let bucket = BucketKey::from_bytes([7; 32]);
/// let limits = ReturnLimits { grace: Duration::DAY, bucket, rate: Rate { burst: 3, interval: Duration::HOUR } };
///
/// let later = Context { now: cx.now + Duration::days(2), ..cx.clone() };
/// let late = return_own_activation(&store, &later, tenant, project.id, &limits).await;
/// assert!(matches!(late, Err(ReturnError::WindowClosed { .. })));
/// assert_eq!(return_own_activation(&store, &cx, tenant, project.id, &limits).await?.status, ProjectStatus::Pending);
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub async fn return_own_activation<S: Store>(
    store: &S,
    cx: &Context<'_>,
    tenant: TenantId,
    id: ProjectId,
    limits: &ReturnLimits,
) -> Result<Project, ReturnError> {
    let mut tx = store.begin().await?;
    let entitlement = tx.hold_tenant(tenant).await?.ok_or(ReturnError::UnknownProject)?;
    let state = entitlement.state;
    if entitlement.suspended_at.is_some() {
        return Err(ReturnError::TenantSuspended);
    }
    if !state.allows(TenantAction::ChangeProject) {
        return Err(ReturnError::SubscriptionInactive { state });
    }
    give_back(tx, cx, tenant, id, Some(limits), entitlement.has_listeners).await
}

async fn give_back(
    mut tx: impl Transaction,
    cx: &Context<'_>,
    tenant: TenantId,
    id: ProjectId,
    limits: Option<&ReturnLimits>,
    heard: bool,
) -> Result<Project, ReturnError> {
    let project = tx.lock_project(tenant, id).await?.ok_or(ReturnError::UnknownProject)?;
    match project.status {
        ProjectStatus::Active | ProjectStatus::Paused => {}
        ProjectStatus::Pending if was_returned(&mut tx, tenant, id).await? => return Ok(project),
        from @ (ProjectStatus::Pending | ProjectStatus::Completed) => return Err(ReturnError::InvalidTransition { from }),
    }
    let redemption = tx.live_redemption(tenant, id).await?.ok_or(ReturnError::NoRedemption)?;
    if let Some(limits) = limits {
        within(&mut tx, cx, &redemption, limits).await?;
    }

    let Some(returned) = tx.return_project(tenant, id, cx.now.after(project.updated_at)).await? else {
        return Err(ReturnError::NoRedemption);
    };
    // The project's status decided; what follows was written by the activation, and is taken back once with it.
    if let Some(code) = redemption.activation_code_id {
        tx.give_back_use(tenant, code, cx.now).await?;
    }
    if !tx.return_redemption(tenant, redemption.id, cx.now).await? {
        return Err(ReturnError::NoRedemption);
    }
    tx.uncount_activation(tenant, redemption.redeemed_at.month(), cx.now).await?;
    tx.append_audit(&returned_event(cx, tenant, id, &redemption)).await?;
    let (event_type, code) = (EventType::ActivationReturned, redemption.activation_code_id);
    announce(&mut tx, cx, tenant, heard, &Happening::Project { event_type, project: &returned, code }).await?;
    tx.commit().await?;
    info!(tenant.id = %tenant, project.id = %id, "returned activation");
    Ok(returned)
}

async fn was_returned(tx: &mut impl Transaction, tenant: TenantId, id: ProjectId) -> Result<bool, StoreError> {
    Ok(tx.latest_redemption(tenant, id).await?.is_some_and(|redemption| redemption.returned_at.is_some()))
}

async fn within(
    tx: &mut impl Transaction,
    cx: &Context<'_>,
    redemption: &Redemption,
    limits: &ReturnLimits,
) -> Result<(), ReturnError> {
    if cx.now >= redemption.redeemed_at + limits.grace {
        return Err(ReturnError::WindowClosed { grace: limits.grace });
    }
    match tx.take_token(limits.bucket, limits.rate, cx.now).await? {
        RateDecision::Allowed => Ok(()),
        RateDecision::Limited { retry_after } => Err(ReturnError::Limited { retry_after }),
    }
}

fn returned_event(cx: &Context<'_>, tenant: TenantId, id: ProjectId, redemption: &Redemption) -> AuditEvent {
    let event = AuditEvent::new(cx, Action::ActivationReturned, Some(tenant), Some(Target::Project(id)));
    let event = event.with("redeemed_at", redemption.redeemed_at);
    match redemption.activation_code_id {
        Some(code) => event.about_code(code).with("activation_code_id", code),
        None => event,
    }
}
