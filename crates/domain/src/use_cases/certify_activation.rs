use tracing::debug;

use crate::{
    ActivationStatement, CertificateSigner, CertificateTerms, ProjectId, ProjectStatus, SignedStatement, StoreError,
    SubscriptionState, TenantAction, TenantId, Timestamp, ports::*,
};

/// A certificate of activation, and what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuedCertificate {
    /// The certificate.
    pub signed: SignedStatement,
    /// What it says.
    pub statement: ActivationStatement,
}

/// Why a project is given no certificate.
#[derive(Debug, thiserror::Error)]
pub enum CertifyError {
    /// There is no such project, or the tenant doesn't have it.
    #[error("there is no such project")]
    UnknownProject,
    /// The project isn't active: never activated, returned, paused, or completed.
    #[error("a project that is {} has no certificate", .status.as_str())]
    NotActive {
        /// How it stands.
        status: ProjectStatus,
    },
    /// The project is a legacy one, which no code activated.
    #[error("no code activated the project")]
    NoActivation,
    /// The tenant's subscription doesn't let its projects go on.
    #[error("the subscription is {}", .state.as_str())]
    SubscriptionInactive {
        /// How it stands.
        state: SubscriptionState,
    },
    /// The tenant is suspended.
    #[error("the tenant is suspended")]
    TenantSuspended,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Certifies that a project is active now, by a code: what its tenant shows to those who can't ask you.
///
/// `signer` is usually `tenantry-auth`'s key ring, whose documentation shows the whole way; `tenantry-certificate` verifies what
/// it makes.
///
/// A certificate can't be taken back. It is short-lived instead, and whatever ends an activation ends its renewal: a project that is paused,
/// completed or returned is given none, nor is one whose tenant is suspended or may no longer
/// [change its projects](TenantAction::ChangeProject). A code that was revoked, or expired, after it activated the project changes nothing:
/// that ends its uses to come, not those that were.
///
/// Project, tenant and subscription are read as they are at one moment, so that what is certified was so. Reads alone, and is not audited: it tells a tenant, signed, what the tenant can read anyway.
///
/// # Errors
/// See [`CertifyError`].
pub async fn certify_activation<S: Store>(
    store: &S,
    now: Timestamp,
    signer: &dyn CertificateSigner,
    terms: CertificateTerms<'_>,
    tenant: TenantId,
    id: ProjectId,
) -> Result<IssuedCertificate, CertifyError> {
    let standing = store.reader().project_standing(tenant, id).await?.ok_or(CertifyError::UnknownProject)?;
    let ProjectStanding { project, tenant_slug, suspended_at, subscription } = standing;
    if suspended_at.is_some() {
        return Err(CertifyError::TenantSuspended);
    }
    if !subscription.allows(TenantAction::ChangeProject) {
        return Err(CertifyError::SubscriptionInactive { state: subscription });
    }
    if project.status != ProjectStatus::Active {
        return Err(CertifyError::NotActive { status: project.status });
    }
    let (Some(activation_code_id), Some(activated_at)) = (project.activation_code_id, project.started_at) else {
        return Err(CertifyError::NoActivation);
    };
    // A project that another server, whose clock is ahead, activated just now was not activated in the future.
    let issued_at = now.max(activated_at).whole_second();
    let statement = ActivationStatement {
        issuer: terms.issuer.to_owned(),
        project_id: id,
        tenant_id: tenant,
        tenant_slug,
        activation_code_id,
        activated_at,
        issued_at,
        expires_at: issued_at + terms.life,
    };
    let signed = signer.sign_statement(&statement);
    debug!(tenant.id = %tenant, project.id = %id, certificate.key_id = signed.key_id, "issued certificate");
    Ok(IssuedCertificate { signed, statement })
}
