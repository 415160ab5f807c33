//! The certificate of an active project.

use actix_web::{
    HttpResponse,
    http::StatusCode,
    web::{self, Path},
};
use serde::Serialize;
use tenantry_domain::{
    CertificateTerms, CertifyError, IssuedCertificate, ProjectId, TenantId, Timestamp, certify_activation, ports::Store,
};
use utoipa::ToSchema;

use crate::{
    endpoints::{Answer, State},
    errors::ErrorCode,
    extract::TenantSession,
    operation::{Operation, get},
    schema,
};

pub(crate) fn operations<S: Store>() -> Vec<Operation> {
    vec![
        get("/api/tenant/projects/{id}/certificate", web::to(read::<S>))
            .tenant()
            .says(
                "Get a certificate",
                "A signed statement that the project is active, for those who can't ask the portal: a JSON Web Token, of the type \
                `tenantry-activation+jwt`, signed by Ed25519, that `/.well-known/tenantry-keys.json` has the keys for. It is good until \
                `expires_at` whatever happens, so ask again in time; there is none for a project that isn't active.",
            )
            .id::<schema::ProjectId>()
            .answers::<CertificateJson>(StatusCode::OK)
            .refuses(&[ErrorCode::ProjectNotActive, ErrorCode::SubscriptionInactive, ErrorCode::TenantSuspended]),
    ]
}

/// A certificate.
#[derive(Serialize, ToSchema)]
#[schema(as = Certificate)]
struct CertificateJson {
    /// The certificate: three parts of base64url with dots between them.
    certificate: String,
    /// The key that signed it, by its `kid`.
    key_id: String,
    /// From when on it is good, inclusive.
    #[schema(value_type = schema::Moment)]
    issued_at: Timestamp,
    /// Until when it is good, exclusive.
    #[schema(value_type = schema::Moment)]
    expires_at: Timestamp,
}

async fn read<S: Store>(state: State<S>, who: TenantSession<S>, id: Path<ProjectId>) -> Answer {
    let IssuedCertificate { signed, statement } = certify(&state, who.id(), *id).await?;
    Ok(HttpResponse::Ok().json(CertificateJson {
        certificate: signed.certificate,
        key_id: signed.key_id,
        issued_at: statement.issued_at,
        expires_at: statement.expires_at,
    }))
}

/// Certifies a tenant's project on this server's terms.
pub(crate) async fn certify<S: Store>(
    state: &State<S>,
    tenant: TenantId,
    id: ProjectId,
) -> Result<IssuedCertificate, CertifyError> {
    let terms = CertificateTerms { issuer: &state.issuer, life: state.policy.certificate_ttl };
    certify_activation(&state.store, state.clock.now(), state.keys.as_ref(), terms, tenant, id).await
}
