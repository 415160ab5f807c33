//! Sign-in.

use actix_web::{HttpMessage as _, HttpRequest, HttpResponse, http::header::USER_AGENT};
use serde::{Deserialize, Serialize};
use tenantry_auth::VerifyOtpError;
use tenantry_domain::{Actor, Slug, TenantId, Timestamp, ports::Store};

use crate::{
    body::JsonBody,
    client::RequestInfo,
    endpoints::{Answer, State},
    problem::Problem,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GenerateJson {
    tenant_slug: String,
}

#[derive(Serialize)]
struct ChallengeJson {
    challenge_id: String,
    expires_in: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct VerifyJson {
    challenge_id: String,
    otp_code: String,
}

#[derive(Serialize)]
struct SignedInJson<'a> {
    session_token: &'a str,
    expires_at: Timestamp,
    absolute_expires_at: Timestamp,
    idle_timeout: i64,
    tenant: TenantJson<'a>,
}

/// What a tenant is told of itself when it signs in.
#[derive(Serialize)]
pub(crate) struct TenantJson<'a> {
    pub id: TenantId,
    pub slug: &'a Slug,
    pub name: &'a str,
}

/// Sends a one-time password to the tenant's mailbox; answers the same whether there is such a tenant or not.
pub(crate) async fn generate_otp<S: Store>(state: State<S>, request: HttpRequest, body: JsonBody) -> Answer {
    let wanted: GenerateJson = body.read().await?;
    let slug = Slug::parse(&wanted.tenant_slug).map_err(|invalid| Problem::field("/tenant_slug", invalid))?;
    let info = request_info(&request)?;
    let cx = state.context(&info, Actor::Anonymous);
    let requested = tenantry_auth::request_otp(&state.store, &cx, &state.keys, &state.policy, &slug).await?;
    (state.mail_waiting)();
    let challenge_id = requested.challenge_id.to_string();
    Ok(HttpResponse::Accepted().json(ChallengeJson { challenge_id, expires_in: requested.expires_in.whole_seconds() }))
}

/// Signs a tenant in by its one-time password.
pub(crate) async fn verify_otp<S: Store>(state: State<S>, request: HttpRequest, body: JsonBody) -> Answer {
    let presented: VerifyJson = body.read().await?;
    let info = request_info(&request)?;
    let cx = state.context(&info, Actor::Anonymous);
    let challenge = presented.challenge_id.parse().map_err(|_| VerifyOtpError::InvalidOtp)?;
    let agent = request.headers().get(USER_AGENT).and_then(|agent| agent.to_str().ok());
    let (store, keys, policy) = (&state.store, &state.keys, &state.policy);
    let signed_in = tenantry_auth::verify_otp(store, &cx, keys, policy, challenge, &presented.otp_code, agent).await?;
    Ok(HttpResponse::Ok().json(SignedInJson {
        session_token: signed_in.token.reveal(),
        expires_at: signed_in.session.expires_at,
        absolute_expires_at: signed_in.session.created_at + policy.session_absolute,
        idle_timeout: policy.session_idle.whole_seconds(),
        tenant: TenantJson { id: signed_in.tenant.id, slug: &signed_in.tenant.slug, name: signed_in.tenant.name.as_str() },
    }))
}

fn request_info(request: &HttpRequest) -> Result<RequestInfo, Problem> {
    request.extensions().get::<RequestInfo>().cloned().ok_or_else(Problem::internal)
}
