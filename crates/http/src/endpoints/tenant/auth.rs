//! Sign-in.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header::USER_AGENT},
    web,
};
use serde::{Deserialize, Serialize};
use tenantry_auth::VerifyOtpError;
use tenantry_domain::{Slug, Tenant, TenantId, Timestamp, ports::Store};
use utoipa::ToSchema;

use crate::{
    body::JsonBody,
    endpoints::{Answer, State},
    errors::ErrorCode,
    extract::Stranger,
    observer::{Door, Occasion},
    operation::{Operation, post},
    problem::Problem,
    schema,
};

pub(crate) fn operations<S: Store>() -> Vec<Operation> {
    vec![
        post("/api/tenant/auth/otp/generate", web::to(generate_otp::<S>))
            .door()
            .counted(Occasion::OtpRequest(Door::Tenant))
            .says(
                "Ask for a one-time password",
                "Mails a one-time password to the tenant. The answer is the same whether there is such a tenant or not.",
            )
            .body::<GenerateJson>()
            .answers::<ChallengeJson>(StatusCode::ACCEPTED),
        post("/api/tenant/auth/otp/verify", web::to(verify_otp::<S>))
            .door()
            .counted(Occasion::OtpVerification(Door::Tenant))
            .says(
                "Sign in",
                "Takes the challenge and the one-time password that answers it, once. Wrong, expired, used and unknown are refused alike.",
            )
            .body::<VerifyJson>()
            .answers::<SignedInJson<'_>>(StatusCode::OK)
            .refuses(&[ErrorCode::InvalidOtp]),
    ]
}

/// Who wants to sign in.
#[derive(Deserialize, ToSchema)]
#[schema(as = GenerateOtp)]
#[serde(deny_unknown_fields)]
struct GenerateJson {
    #[schema(value_type = schema::Slug)]
    tenant_slug: String,
}

/// What a one-time password is to be presented with.
#[derive(Serialize, ToSchema)]
#[schema(as = Challenge)]
pub(crate) struct ChallengeJson {
    #[schema(value_type = schema::ChallengeId)]
    pub challenge_id: String,
    /// How long the password is valid, in seconds.
    #[schema(example = 600)]
    pub expires_in: i64,
}

/// A challenge and its answer.
#[derive(Deserialize, ToSchema)]
#[schema(as = VerifyOtp)]
#[serde(deny_unknown_fields)]
pub(crate) struct VerifyJson {
    #[schema(value_type = schema::ChallengeId)]
    pub challenge_id: String,
    /// The one-time password as the mail shows it; blanks and hyphens are forgiven.
    #[schema(example = "042137")]
    pub otp_code: String,
}

/// A session that was made.
#[derive(Serialize, ToSchema)]
#[schema(as = SignedIn)]
struct SignedInJson<'a> {
    /// Goes into `Authorization: Bearer ..`. Shown once.
    session_token: &'a str,
    /// Valid until then, exclusive, if it isn't used before; use moves it.
    #[schema(value_type = schema::Moment)]
    expires_at: Timestamp,
    /// Valid until then at the most, however it is used.
    #[schema(value_type = schema::Moment)]
    absolute_expires_at: Timestamp,
    /// How long it lives unused, in seconds.
    #[schema(example = 1800)]
    idle_timeout: i64,
    #[schema(inline)]
    tenant: TenantJson<'a>,
}

/// What a tenant is told of itself when it signs in.
#[derive(Serialize, ToSchema)]
#[schema(as = SignedInTenant)]
pub(crate) struct TenantJson<'a> {
    #[schema(value_type = schema::TenantId)]
    pub id: TenantId,
    #[schema(value_type = schema::Slug)]
    pub slug: &'a Slug,
    /// What it is called.
    #[schema(example = "Acme")]
    pub name: &'a str,
}

/// Sends a one-time password to the tenant's mailbox; answers the same whether there is such a tenant or not.
pub(crate) async fn generate_otp<S: Store>(state: State<S>, who: Stranger<S>, body: JsonBody) -> Answer {
    let wanted: GenerateJson = body.read().await?;
    let slug = Slug::parse(&wanted.tenant_slug).map_err(|invalid| Problem::field("/tenant_slug", invalid))?;
    let cx = who.context(&state);
    let requested = tenantry_auth::request_otp::<S, Tenant>(&state.store, &cx, &state.keys, &state.policy, &slug).await?;
    (state.mail_waiting)();
    let challenge_id = requested.challenge_id.to_string();
    Ok(HttpResponse::Accepted().json(ChallengeJson { challenge_id, expires_in: requested.expires_in.whole_seconds() }))
}

/// Signs a tenant in by its one-time password.
pub(crate) async fn verify_otp<S: Store>(state: State<S>, who: Stranger<S>, request: HttpRequest, body: JsonBody) -> Answer {
    let presented: VerifyJson = body.read().await?;
    let cx = who.context(&state);
    let challenge = presented.challenge_id.parse().map_err(|_| VerifyOtpError::InvalidOtp)?;
    let agent = request.headers().get(USER_AGENT).and_then(|agent| agent.to_str().ok());
    let (store, keys, policy) = (&state.store, &state.keys, &state.policy);
    let signed_in =
        tenantry_auth::verify_otp::<S, Tenant>(store, &cx, keys, policy, challenge, &presented.otp_code, agent).await?;
    Ok(HttpResponse::Ok().json(SignedInJson {
        session_token: signed_in.token.reveal(),
        expires_at: signed_in.session.expires_at,
        absolute_expires_at: signed_in.session.created_at + policy.session_absolute,
        idle_timeout: policy.session_idle.whole_seconds(),
        tenant: TenantJson { id: signed_in.account.id, slug: &signed_in.account.slug, name: signed_in.account.name.as_str() },
    }))
}
