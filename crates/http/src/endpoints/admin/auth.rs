//! Operators' sign-in.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header::USER_AGENT},
    web,
};
use serde::{Deserialize, Serialize};
use tenantry_auth::{AuthPolicy, NewSession, VerifyOtpError};
use tenantry_domain::{Email, Operator, Timestamp, ports::Store};
use utoipa::ToSchema;

use super::operators::OperatorJson;
use crate::{
    body::JsonBody,
    endpoints::{
        Answer, State,
        tenant::auth::{ChallengeJson, VerifyJson},
    },
    errors::ErrorCode,
    extract::Stranger,
    observer::{Door, Occasion},
    operation::{Operation, post},
    problem::Problem,
};

pub(crate) fn operations<S: Store>() -> Vec<Operation> {
    vec![
        post("/api/admin/auth/otp/generate", web::to(generate_otp::<S>))
            .door()
            .counted(Occasion::OtpRequest(Door::Operator))
            .says(
                "Ask for an operator's one-time password",
                "Mails a one-time password to the operator. The answer is the same whether there is such an operator or not.",
            )
            .body::<GenerateJson>()
            .answers::<ChallengeJson>(StatusCode::ACCEPTED),
        post("/api/admin/auth/otp/verify", web::to(verify_otp::<S>))
            .door()
            .counted(Occasion::OtpVerification(Door::Operator))
            .says(
                "Sign in as an operator",
                "Takes the challenge and the one-time password that answers it, once. Wrong, expired, used and unknown are refused alike.",
            )
            .body::<VerifyJson>()
            .answers::<SignedInJson<'_>>(StatusCode::OK)
            .refuses(&[ErrorCode::InvalidOtp]),
    ]
}

/// Which operator wants to sign in.
#[derive(Deserialize, ToSchema)]
#[schema(as = GenerateOperatorOtp)]
#[serde(deny_unknown_fields)]
struct GenerateJson {
    /// The operator's address, in any case.
    #[schema(max_length = 254, example = "ada@portal.example")]
    email: String,
}

/// An operator's session that was made.
#[derive(Serialize, ToSchema)]
#[schema(as = SignedInOperator)]
pub(crate) struct SignedInJson<'a> {
    /// Goes into `Authorization: Bearer ..`. Shown once.
    session_token: &'a str,
    /// Valid until then, exclusive, if it isn't used before; use moves it.
    #[schema(value_type = crate::schema::Moment)]
    expires_at: Timestamp,
    /// Valid until then at the most, however it is used.
    #[schema(value_type = crate::schema::Moment)]
    absolute_expires_at: Timestamp,
    /// How long it lives unused, in seconds.
    #[schema(example = 1800)]
    idle_timeout: i64,
    operator: OperatorJson,
}

impl<'a> SignedInJson<'a> {
    pub(crate) fn new(signed_in: &'a NewSession<Operator>, policy: &AuthPolicy) -> Self {
        Self {
            session_token: signed_in.token.reveal(),
            expires_at: signed_in.session.expires_at,
            absolute_expires_at: signed_in.session.created_at + policy.session_absolute,
            idle_timeout: policy.session_idle.whole_seconds(),
            operator: signed_in.account.clone().into(),
        }
    }
}

/// Sends a one-time password to an operator; answers the same whether there is such an operator or not.
pub(crate) async fn generate_otp<S: Store>(state: State<S>, who: Stranger<S>, body: JsonBody) -> Answer {
    let wanted: GenerateJson = body.read().await?;
    let email = Email::parse(&wanted.email).map_err(|invalid| Problem::field("/email", invalid))?;
    let cx = who.context(&state);
    let requested = tenantry_auth::request_otp::<S, Operator>(&state.store, &cx, &state.keys, &state.policy, &email).await?;
    (state.mail_waiting)();
    let challenge_id = requested.challenge_id.to_string();
    Ok(HttpResponse::Accepted().json(ChallengeJson { challenge_id, expires_in: requested.expires_in.whole_seconds() }))
}

/// Signs an operator in by its one-time password.
pub(crate) async fn verify_otp<S: Store>(state: State<S>, who: Stranger<S>, request: HttpRequest, body: JsonBody) -> Answer {
    let presented: VerifyJson = body.read().await?;
    let cx = who.context(&state);
    let challenge = presented.challenge_id.parse().map_err(|_| VerifyOtpError::InvalidOtp)?;
    let agent = request.headers().get(USER_AGENT).and_then(|agent| agent.to_str().ok());
    let (store, keys, policy) = (&state.store, &state.keys, &state.policy);
    let signed_in =
        tenantry_auth::verify_otp::<S, Operator>(store, &cx, keys, policy, challenge, &presented.otp_code, agent).await?;
    Ok(HttpResponse::Ok().json(SignedInJson::new(&signed_in, policy)))
}
