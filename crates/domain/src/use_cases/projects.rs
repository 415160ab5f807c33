use tracing::info;

use crate::{
    Action, AuditEvent, Context, Entitlement, EventType, Expected, Happening, Id, Project, ProjectChange, ProjectDetails,
    ProjectId, ProjectStatus, Slug, StoreError, SubscriptionState, Target, TenantAction, TenantId, Transition, event::announce,
    ports::*,
};

/// How many slugs are drawn for a project that names none. Even beside a thousand projects of the same client, each is free with odds of a
/// thousand to one.
const SLUG_DRAWS: u32 = 8;

/// A project to be made.
#[derive(Clone, Debug)]
pub struct NewProject {
    /// Its short name; `None`: made from the client's name, by [`Slug::from_name`], and made again where it is taken.
    pub slug: Option<Slug>,
    /// What the tenant says of it.
    pub details: ProjectDetails,
}

/// Why a project can't be made, changed, moved or deleted.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    /// The tenant has no such project.
    #[error("there is no such project")]
    UnknownProject,
    /// It is at a version that the edit isn't meant for.
    #[error("the project was changed meanwhile")]
    ChangedMeanwhile,
    /// The tenant has another project with the slug.
    #[error("another project has this project_id")]
    SlugTaken,
    /// The tenant is suspended.
    #[error("the tenant is suspended")]
    TenantSuspended,
    /// The tenant's subscription doesn't let it.
    #[error("the subscription is {}", .state.as_str())]
    SubscriptionInactive {
        /// How the subscription stands.
        state: SubscriptionState,
    },
    /// The tenant is trying out, and has its one project.
    #[error("while trialing there is one project at the most")]
    TrialLimit,
    /// The project's status doesn't let it.
    #[error("a project that is {} can't do this", .from.as_str())]
    InvalidTransition {
        /// How the project stands.
        from: ProjectStatus,
    },
    /// The store failed; nothing changed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// `Ok` where a tenant is entitled to the action. A tenant that is gone has no projects either.
fn permit(entitlement: Option<Entitlement>, action: TenantAction) -> Result<Entitlement, ProjectError> {
    let entitlement = entitlement.ok_or(ProjectError::UnknownProject)?;
    if entitlement.suspended_at.is_some() {
        return Err(ProjectError::TenantSuspended);
    }
    let state = entitlement.state;
    entitlement.allows(action).then_some(entitlement).ok_or(ProjectError::SubscriptionInactive { state })
}

/// Makes a project, which waits for a code: it is pending.
///
/// # Errors
/// [`SlugTaken`](ProjectError::SlugTaken), [`TenantSuspended`](ProjectError::TenantSuspended), [`SubscriptionInactive`](ProjectError::SubscriptionInactive),
/// [`TrialLimit`](ProjectError::TrialLimit), [`Store`](ProjectError::Store).
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
/// let details = ProjectDetails {
///     client_name: ClientName::parse("Globex")?,
///     description: Some(Description::parse("The new shop,\nwith its warehouse")?),
///     objectives: None,
///     priority: None,
/// };
/// let project = create_project(&store, &cx, tenant, NewProject { slug: None, details }).await?;
/// assert_eq!(project.status, ProjectStatus::Pending);
/// assert!(project.slug.as_str().starts_with("globex-")); // and four random symbols
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub async fn create_project<S: Store>(
    store: &S,
    cx: &Context<'_>,
    tenant: TenantId,
    new: NewProject,
) -> Result<Project, ProjectError> {
    let named = new.slug.is_some();
    let slug = new.slug.unwrap_or_else(|| Slug::from_name(new.details.client_name.as_str(), cx.entropy));
    let mut project = Project {
        id: Id::generate(cx.now, cx.entropy),
        slug,
        tenant_id: Some(tenant),
        activation_code_id: None,
        details: new.details,
        status: ProjectStatus::Pending,
        started_at: None,
        completed_at: None,
        created_by: cx.actor.name(),
        created_at: cx.now,
        updated_at: cx.now,
    };
    let mut tx = store.begin().await?;
    let entitlement = permit(tx.hold_tenant(tenant).await?, TenantAction::CreateProject)?;
    if entitlement.state == SubscriptionState::Trialing {
        tx.lock_tenant(tenant).await?;
        if tx.count_projects(tenant).await? >= SubscriptionState::TRIAL_PROJECTS {
            return Err(ProjectError::TrialLimit);
        }
    }
    let mut draws = 1;
    while !tx.insert_project(&project).await? {
        if named || draws == SLUG_DRAWS {
            return Err(ProjectError::SlugTaken);
        }
        draws += 1;
        project.slug = Slug::from_name(project.details.client_name.as_str(), cx.entropy);
    }
    tx.append_audit(&AuditEvent::new(cx, Action::ProjectCreated, Some(tenant), Some(Target::Project(project.id)))).await?;
    let created = Happening::Project { event_type: EventType::ProjectCreated, project: &project, code: None };
    announce(&mut tx, cx, tenant, entitlement.has_listeners, &created).await?;
    tx.commit().await?;
    info!(tenant.id = %tenant, project.id = %project.id, "created project");
    Ok(project)
}

/// Changes what a tenant says of its project. Racing changes of different details all take place. A change of nothing is none.
///
/// # Errors
/// [`UnknownProject`](ProjectError::UnknownProject), [`ChangedMeanwhile`](ProjectError::ChangedMeanwhile),
/// [`TenantSuspended`](ProjectError::TenantSuspended), [`SubscriptionInactive`](ProjectError::SubscriptionInactive), [`Store`](ProjectError::Store).
pub async fn change_project<S: Store>(
    store: &S,
    cx: &Context<'_>,
    tenant: TenantId,
    id: ProjectId,
    change: ProjectChange,
    expected: &Expected,
) -> Result<Project, ProjectError> {
    let mut tx = store.begin().await?;
    permit(tx.hold_tenant(tenant).await?, TenantAction::ChangeProject)?;
    let project = tx.lock_project(tenant, id).await?.ok_or(ProjectError::UnknownProject)?;
    if !expected.admits(project.version()) {
        return Err(ProjectError::ChangedMeanwhile);
    }
    let details = change.apply(project.details.clone());
    let fields = details.differences(&project.details);
    if fields.is_empty() {
        return Ok(project);
    }
    let now = cx.now.after(project.updated_at);
    let changed = tx.change_project(tenant, id, &details, now).await?.ok_or(ProjectError::UnknownProject)?;
    let event = AuditEvent::new(cx, Action::ProjectChanged, Some(tenant), Some(Target::Project(id)));
    tx.append_audit(&event.with_changed(&fields)).await?;
    tx.commit().await?;
    Ok(changed)
}

/// Pauses, resumes or completes a project.
///
/// # Errors
/// [`UnknownProject`](ProjectError::UnknownProject), [`InvalidTransition`](ProjectError::InvalidTransition),
/// [`TenantSuspended`](ProjectError::TenantSuspended), [`SubscriptionInactive`](ProjectError::SubscriptionInactive), [`Store`](ProjectError::Store).
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
/// let paused = transition_project(&store, &cx, tenant, project.id, Transition::Pause).await?;
/// assert_eq!(paused.status, ProjectStatus::Paused);
///
/// let refused = transition_project(&store, &cx, tenant, project.id, Transition::Complete).await;
/// assert!(matches!(refused, Err(ProjectError::InvalidTransition { from: ProjectStatus::Paused })));
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub async fn transition_project<S: Store>(
    store: &S,
    cx: &Context<'_>,
    tenant: TenantId,
    id: ProjectId,
    transition: Transition,
) -> Result<Project, ProjectError> {
    let mut tx = store.begin().await?;
    let entitlement = permit(tx.hold_tenant(tenant).await?, TenantAction::ChangeProject)?;
    let project = tx.lock_project(tenant, id).await?.ok_or(ProjectError::UnknownProject)?;
    let now = cx.now.after(project.updated_at);
    let Some(moved) = tx.transition_project(tenant, id, transition, now).await? else {
        return Err(ProjectError::InvalidTransition { from: project.status });
    };
    let (action, event_type) = match transition {
        Transition::Pause => (Action::ProjectPaused, EventType::ProjectPaused),
        Transition::Resume => (Action::ProjectResumed, EventType::ProjectResumed),
        Transition::Complete => (Action::ProjectCompleted, EventType::ProjectCompleted),
    };
    tx.append_audit(&AuditEvent::new(cx, action, Some(tenant), Some(Target::Project(id)))).await?;
    let moving = Happening::Project { event_type, project: &moved, code: None };
    announce(&mut tx, cx, tenant, entitlement.has_listeners, &moving).await?;
    tx.commit().await?;
    info!(tenant.id = %tenant, project.id = %id, status = moved.status.as_str(), "moved project");
    Ok(moved)
}

/// Deletes a project. The use of the code that activated it is not given back, and its ledger rows stay.
///
/// # Errors
/// [`UnknownProject`](ProjectError::UnknownProject), [`ChangedMeanwhile`](ProjectError::ChangedMeanwhile),
/// [`TenantSuspended`](ProjectError::TenantSuspended), [`SubscriptionInactive`](ProjectError::SubscriptionInactive), [`Store`](ProjectError::Store).
pub async fn delete_project<S: Store>(
    store: &S,
    cx: &Context<'_>,
    tenant: TenantId,
    id: ProjectId,
    expected: &Expected,
) -> Result<(), ProjectError> {
    let mut tx = store.begin().await?;
    permit(tx.hold_tenant(tenant).await?, TenantAction::DeleteProject)?;
    let project = tx.lock_project(tenant, id).await?.ok_or(ProjectError::UnknownProject)?;
    if !expected.admits(project.version()) {
        return Err(ProjectError::ChangedMeanwhile);
    }
    if !tx.delete_project(tenant, id).await? {
        return Err(ProjectError::UnknownProject);
    }
    tx.append_audit(&AuditEvent::new(cx, Action::ProjectDeleted, Some(tenant), Some(Target::Project(id)))).await?;
    tx.commit().await?;
    info!(tenant.id = %tenant, project.id = %id, "deleted project");
    Ok(())
}
