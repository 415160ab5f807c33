use tracing::{error, info};

use crate::{
    Action, AuditEvent, Branding, Chain, CodeHasher, CodeOrder, Context, Email, GenerateCodesError, Happening, Id, IssuedBatch,
    Label, PlanId, Quota, Slug, StoreError, Subscription, SubscriptionState, Target, Tenant, TenantName, event::announce,
    generate_codes, ports::*,
};

/// The label of a new tenant's first codes.
pub const AUTO_LABEL: &str = "Auto-generated on tenant creation";

/// A tenant to be created.
#[derive(Clone, Debug)]
pub struct NewTenant {
    /// What it signs in with.
    pub slug: Slug,
    /// What it is called.
    pub name: TenantName,
    /// Where its one-time passwords go.
    pub contact_email: Email,
    /// The plan that it is on.
    pub plan_id: PlanId,
    /// How it looks.
    pub branding: Branding,
}

/// A tenant that was created, with its subscription and its first codes.
#[derive(Debug)]
pub struct CreatedTenant {
    /// The tenant.
    pub tenant: Tenant,
    /// Its subscription.
    pub subscription: Subscription,
    /// Its first codes, or why there are none: the tenant stands all the same, and [`generate_codes`] issues them again.
    pub issued: Result<IssuedBatch, GenerateCodesError>,
}

/// Why a tenant can't be created.
#[derive(Debug, thiserror::Error)]
pub enum CreateTenantError {
    /// Another tenant has the slug.
    #[error("another tenant has this slug")]
    SlugTaken,
    /// There is no such plan.
    #[error("there is no such plan")]
    UnknownPlan,
    /// The plan takes no new tenants.
    #[error("the plan is archived")]
    PlanArchived,
    /// The store failed; the tenant was not created.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Creates a tenant on a plan, then issues its first codes: a tenth of the plan's quota, at least one.
///
/// The tenant's subscription begins as [`Active`](SubscriptionState::Active), for the present calendar month.
///
/// # Errors
/// See [`CreateTenantError`]. A failure to issue is no error but part of the answer, and audited.
///
/// # Example
///
/// ```
/// # use tenantry_domain::{memory::{MemoryStore, PlainHasher}, ports::*, *};
/// # futures_executor::block_on(async {
/// # let (store, cx) = (MemoryStore::new(), Context::system(SystemClock.now(), &SystemEntropy));
/// let plan = create_plan(&store, &cx, PlanName::parse("Basic")?, Quota::new(20)?).await?;
/// let new = NewTenant {
///     slug: Slug::parse("acme")?,
///     name: TenantName::parse("Acme")?,
///     contact_email: Email::parse("it@acme.example")?,
///     plan_id: plan.id,
///     branding: Branding::default(),
/// };
/// let acme = create_tenant(&store, &cx, &PlainHasher, new).await?;
/// for issued in acme.issued?.codes {
///     println!("for {}: {}", acme.tenant.slug, *issued.code.reveal()); // shown once
/// }
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub async fn create_tenant<S: Store>(
    store: &S,
    cx: &Context<'_>,
    hasher: &dyn CodeHasher,
    new: NewTenant,
) -> Result<CreatedTenant, CreateTenantError> {
    let (tenant, subscription, quota) = insert(store, cx, new).await?;
    info!(tenant.id = %tenant.id, "created tenant");
    let issued = generate_codes(store, cx, hasher, tenant.id, first_codes(quota)).await;
    if let Err(failure) = &issued {
        error!(tenant.id = %tenant.id, error = %Chain(failure), "could not issue a new tenant's codes");
        if let Err(failure) = audit_failure(store, cx, &tenant).await {
            error!(tenant.id = %tenant.id, error = %Chain(&failure), "could not audit it either");
        }
    }
    Ok(CreatedTenant { tenant, subscription, issued })
}

/// The first codes of a tenant whose plan has this quota.
fn first_codes(quota: Quota) -> CodeOrder {
    CodeOrder { count: quota.initial_codes(), label: Label::parse(AUTO_LABEL).ok(), ttl: None, max_uses: 1 }
}

async fn insert<S: Store>(
    store: &S,
    cx: &Context<'_>,
    new: NewTenant,
) -> Result<(Tenant, Subscription, Quota), CreateTenantError> {
    let NewTenant { slug, name, contact_email, plan_id, branding } = new;
    let id = Id::generate(cx.now, cx.entropy);
    let (created_at, updated_at) = (cx.now, cx.now);
    let tenant = Tenant { id, slug, name, contact_email, branding, suspended_at: None, created_at, updated_at };
    let month = cx.now.month();
    let subscription = Subscription {
        id: Id::generate(cx.now, cx.entropy),
        tenant_id: tenant.id,
        plan_id,
        state: SubscriptionState::Active,
        current_period_start: month.start(),
        current_period_end: month.end(),
        created_at,
        updated_at,
    };

    let mut tx = store.begin().await?;
    let plan = tx.hold_plan(plan_id).await?.ok_or(CreateTenantError::UnknownPlan)?;
    if plan.archived_at.is_some() {
        return Err(CreateTenantError::PlanArchived);
    }
    if !tx.insert_tenant(&tenant).await? {
        return Err(CreateTenantError::SlugTaken);
    }
    tx.insert_subscription(&subscription).await?;
    let event = AuditEvent::new(cx, Action::TenantCreated, Some(tenant.id), Some(Target::Tenant(tenant.id)));
    tx.append_audit(&event.with("plan_id", plan_id)).await?;
    announce(&mut tx, cx, id, true, &Happening::TenantCreated { tenant: &tenant, plan: plan_id }).await?;
    tx.commit().await?;
    Ok((tenant, subscription, plan.monthly_run_quota))
}

async fn audit_failure<S: Store>(store: &S, cx: &Context<'_>, tenant: &Tenant) -> Result<(), StoreError> {
    let mut tx = store.begin().await?;
    tx.append_audit(&AuditEvent::new(cx, Action::CodesIssueFailed, Some(tenant.id), Some(Target::Tenant(tenant.id)))).await?;
    tx.commit().await
}
