//! Activation: the reason that everything else is here.

use tracing::{info, warn};

use crate::{
    Action, AuditEvent, CalendarMonth, Chain, Code, CodeHasher, CodeId, CodeStatus, Context, Entitlement, Id, PlainCode, Project,
    ProjectId, ProjectStatus, Quota, Redemption, StoreError, SubscriptionState, Target, TenantAction, TenantId, Timestamp,
    ports::*,
};

/// Which project to activate, and with what.
#[derive(Clone, Debug)]
pub struct ActivateProject {
    /// The tenant that asks.
    pub tenant: TenantId,
    /// Its project.
    pub project: ProjectId,
    /// The code.
    pub with: ActivateWith,
}

/// What a project is activated with.
#[derive(Clone, Debug)]
pub enum ActivateWith {
    /// A code's text.
    Code(PlainCode),
    /// One of the tenant's codes, which its sign-in entitles it to.
    CodeId(CodeId),
    /// Whichever of the tenant's codes is available.
    NextAvailable,
}

/// Why a project isn't activated. Nothing was consumed.
#[derive(Debug, thiserror::Error)]
pub enum ActivateError {
    /// The tenant has no such project.
    #[error("there is no such project")]
    UnknownProject,
    /// The tenant has no such code.
    #[error("there is no such code")]
    UnknownCode,
    /// The code was revoked.
    #[error("the code was revoked")]
    Revoked {
        /// When.
        at: Timestamp,
    },
    /// The code is past its time.
    #[error("the code has expired")]
    Expired {
        /// Since when.
        at: Timestamp,
    },
    /// The code was used as often as it may be.
    #[error("the code was used already")]
    Exhausted,
    /// None of the tenant's codes is available.
    #[error("no code is available")]
    NoCodeAvailable,
    /// The project was activated with another code, or is a legacy project that needs none.
    #[error("the project is active already")]
    AlreadyActive,
    /// The month's activations are used up.
    #[error("the plan's {} activations of this month are used up", .quota.get())]
    QuotaExceeded {
        /// The plan's activations a month.
        quota: Quota,
        /// The month.
        month: CalendarMonth,
    },
    /// The tenant's subscription doesn't let it.
    #[error("the subscription is {}", .state.as_str())]
    SubscriptionInactive {
        /// How it stands.
        state: SubscriptionState,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Activates a project with a code, in one transaction: takes one use of the code, starts the project, writes the ledger, counts the
/// month and audits. However many calls race, a code is used as often as it may be, and a project is activated once.
///
/// Repeating an activation that succeeded answers the project as it is and consumes nothing, so that a caller who missed the answer may
/// ask again.
///
/// # Errors
/// See [`ActivateError`]. Refusals are audited.
pub async fn activate_project<S: Store>(
    store: &S,
    cx: &Context<'_>,
    hasher: &dyn CodeHasher,
    request: &ActivateProject,
) -> Result<Project, ActivateError> {
    let outcome = attempt(store, cx, hasher, request).await;
    if let Err(refusal) = &outcome {
        audit_refusal(store, cx, request, refusal).await;
    }
    outcome
}

async fn attempt<S: Store>(
    store: &S,
    cx: &Context<'_>,
    hasher: &dyn CodeHasher,
    request: &ActivateProject,
) -> Result<Project, ActivateError> {
    let &ActivateProject { tenant, project: id, ref with } = request;
    let mut tx = store.begin().await?;
    let entitlement = tx.hold_tenant(tenant).await?.ok_or(ActivateError::UnknownProject)?;
    // Locked, so that a repeat that races its original waits for it, and then finds the project active and the code used.
    let project = tx.lock_project(tenant, id).await?.ok_or(ActivateError::UnknownProject)?;
    let code = chosen_code(&mut tx, hasher, tenant, with).await?;
    if project.status != ProjectStatus::Pending {
        return same_activation(project, with, code.map(|code| code.id));
    }
    permit(entitlement)?;

    let code_id = consume(&mut tx, tenant, with, code, cx.now).await?;
    let Some(started) = tx.start_project(tenant, id, code_id, cx.now).await? else {
        return Err(ActivateError::AlreadyActive);
    };
    tx.insert_redemption(&Redemption {
        id: Id::generate(cx.now, cx.entropy),
        tenant_id: tenant,
        activation_code_id: Some(code_id),
        project_id: Some(id),
        redeemed_at: cx.now,
        returned_at: None,
    })
    .await?;
    let month = cx.now.month();
    if !tx.count_activation(tenant, month, entitlement.quota, cx.now).await? {
        return Err(ActivateError::QuotaExceeded { quota: entitlement.quota, month });
    }
    let event = AuditEvent::new(cx, Action::ProjectActivated, Some(tenant), Some(Target::Project(id)));
    tx.append_audit(&event.with("activation_code_id", code_id)).await?;
    tx.commit().await?;
    info!(tenant.id = %tenant, project.id = %id, code.id = %code_id, "activated project");
    Ok(started)
}

/// The code that the request names; `None` where it names none, or one that the tenant doesn't have.
async fn chosen_code(
    tx: &mut impl Transaction,
    hasher: &dyn CodeHasher,
    tenant: TenantId,
    with: &ActivateWith,
) -> Result<Option<Code>, StoreError> {
    match with {
        ActivateWith::Code(text) => {
            let code = tx.code_by_digests(&hasher.candidates(text)).await?;
            Ok(code.filter(|code| code.tenant_id == tenant))
        }
        ActivateWith::CodeId(id) => tx.code(tenant, *id).await,
        ActivateWith::NextAvailable => Ok(None),
    }
}

/// Takes one use of the code, or of whichever is available.
async fn consume(
    tx: &mut impl Transaction,
    tenant: TenantId,
    with: &ActivateWith,
    code: Option<Code>,
    now: Timestamp,
) -> Result<CodeId, ActivateError> {
    let Some(code) = code else {
        return match with {
            ActivateWith::NextAvailable => tx.consume_next_code(tenant, now).await?.ok_or(ActivateError::NoCodeAvailable),
            ActivateWith::Code(_) | ActivateWith::CodeId(_) => Err(ActivateError::UnknownCode),
        };
    };
    check(&code, now)?;
    if tx.consume_code(tenant, code.id, now).await? {
        return Ok(code.id);
    }
    // Another activation took the last use since the code was read, or an operator revoked it.
    let code = tx.code(tenant, code.id).await?.ok_or(ActivateError::UnknownCode)?;
    check(&code, now).and(Err(ActivateError::Exhausted))
}

fn permit(entitlement: Entitlement) -> Result<(), ActivateError> {
    let state = entitlement.state;
    entitlement.allows(TenantAction::ActivateProject).then_some(()).ok_or(ActivateError::SubscriptionInactive { state })
}

/// Refuses a code that can't be used, with the reason that comes first in [`CodeStatus`]'s order.
fn check(code: &Code, now: Timestamp) -> Result<(), ActivateError> {
    match code.status(now) {
        CodeStatus::Active => Ok(()),
        CodeStatus::Revoked => Err(ActivateError::Revoked { at: code.revoked_at.unwrap_or(now) }),
        CodeStatus::Expired => Err(ActivateError::Expired { at: code.expires_at.unwrap_or(now) }),
        CodeStatus::Exhausted => Err(ActivateError::Exhausted),
    }
}

/// A project that is past pending answers again where the request could have activated it.
fn same_activation(project: Project, with: &ActivateWith, code: Option<CodeId>) -> Result<Project, ActivateError> {
    let same = match with {
        ActivateWith::NextAvailable => project.activation_code_id.is_some(),
        ActivateWith::Code(_) | ActivateWith::CodeId(_) => code.is_some() && project.activation_code_id == code,
    };
    same.then_some(project).ok_or(ActivateError::AlreadyActive)
}

async fn audit_refusal<S: Store>(store: &S, cx: &Context<'_>, request: &ActivateProject, refusal: &ActivateError) {
    let reason = match refusal {
        // Nothing to hold against a tenant: its own retries, another's identifiers, a store that is away.
        ActivateError::UnknownProject | ActivateError::AlreadyActive | ActivateError::Store(_) => return,
        ActivateError::UnknownCode => "code_unknown",
        ActivateError::Revoked { .. } => "code_revoked",
        ActivateError::Expired { .. } => "code_expired",
        ActivateError::Exhausted => "code_exhausted",
        ActivateError::NoCodeAvailable => "no_code_available",
        ActivateError::QuotaExceeded { .. } => "quota_exceeded",
        ActivateError::SubscriptionInactive { .. } => "subscription_inactive",
    };
    let tenant = request.tenant;
    let event = AuditEvent::new(cx, Action::ActivationRefused, Some(tenant), Some(Target::Project(request.project)));
    let mut event = event.with("reason", reason);
    if let ActivateWith::CodeId(id) = &request.with {
        event = event.with("activation_code_id", id);
    }
    let appended = async {
        let mut tx = store.begin().await?;
        tx.append_audit(&event).await?;
        tx.commit().await
    };
    if let Err(failure) = appended.await {
        warn!(tenant.id = %tenant, error = %Chain(&failure), "could not audit a refused activation");
    }
}
