//! Activation of a project, and its return.

use std::cell::Cell;

use actix_web::{
    HttpResponse,
    http::StatusCode,
    web::{self, Path},
};
use serde::Deserialize;
use tenantry_domain::{
    ActivateProject, ActivateWith, CodeHasher, InvalidValue, Limit, ProjectId, ReturnLimits, activate_project, ports::Store,
    return_own_activation,
};
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::projects::ProjectJson;
use crate::{
    endpoints::{Answer, State},
    errors::ErrorCode,
    extract::TenantSession,
    observer::{Occasion, answered_again},
    once::KeyedBody,
    operation::{Operation, post},
    problem::Problem,
    schema,
};

pub(crate) fn operations<S: Store>() -> Vec<Operation> {
    vec![
        post("/api/tenant/projects/{id}/activate", web::to(activate::<S>))
            .tenant()
            .says(
                "Activate a project",
                "With a code's text, with the id of one of the tenant's codes, or, without either, with whichever is available. Takes one use \
                of the code and makes the project active, both or neither. Repeating it answers the same and takes nothing more. Texts that \
                are none of the tenant's codes are counted: after too many, every text is `rate_limited` for a while, also a right one.",
            )
            .id::<schema::ProjectId>()
            .optional_body::<ActivateJson>()
            .answers::<ProjectJson>(StatusCode::OK)
            .idempotent()
            .counted(Occasion::Activation)
            .refuses(&[
                ErrorCode::CodeMalformed,
                ErrorCode::CodeUnknown,
                ErrorCode::CodeRevoked,
                ErrorCode::CodeExpired,
                ErrorCode::CodeExhausted,
                ErrorCode::NoCodeAvailable,
                ErrorCode::ProjectAlreadyActive,
                ErrorCode::QuotaExceeded,
                ErrorCode::RateLimited,
                ErrorCode::SubscriptionInactive,
                ErrorCode::TenantSuspended,
            ]),
        post("/api/tenant/projects/{id}/return", web::to(give_back::<S>))
            .tenant()
            .says(
                "Return an activation",
                "Undoes the activation of an active or paused project, for a time after it that the operator decides: the project is pending \
                again, and the code's use and the month's activation are given back. Doing so again changes nothing.",
            )
            .id::<schema::ProjectId>()
            .answers::<ProjectJson>(StatusCode::OK)
            .idempotent()
            .refuses(&[
                ErrorCode::InvalidTransition,
                ErrorCode::ReturnWindowClosed,
                ErrorCode::RateLimited,
                ErrorCode::SubscriptionInactive,
                ErrorCode::TenantSuspended,
            ]),
    ]
}

/// What to activate with: one of these, or nothing for whichever code is available.
#[derive(Default, Deserialize, ToSchema)]
#[schema(as = Activate)]
#[serde(deny_unknown_fields)]
struct ActivateJson {
    /// A code's text.
    #[schema(value_type = Option<schema::CodeText>)]
    code: Option<Zeroizing<String>>,
    /// The id of one of the tenant's codes.
    #[schema(value_type = Option<schema::CodeId>)]
    activation_code_id: Option<String>,
}

impl ActivateJson {
    fn into_choice(self, hasher: &dyn CodeHasher) -> Result<ActivateWith, Problem> {
        match (self.code, self.activation_code_id) {
            (Some(text), None) => hasher.read(&text).map(ActivateWith::Code).map_err(Problem::code_malformed),
            (None, Some(id)) => {
                id.parse().map(ActivateWith::CodeId).map_err(|invalid| Problem::field("/activation_code_id", invalid))
            }
            (None, None) => Ok(ActivateWith::NextAvailable),
            (Some(_), Some(_)) => {
                let both = InvalidValue::new("exclusive", "send `code` or `activation_code_id`, not both");
                Err(Problem::field("/activation_code_id", both))
            }
        }
    }
}

/// Activates a project by a code's text, a code's id, or whichever code is available.
pub(crate) async fn activate<S: Store>(
    state: State<S>,
    who: TenantSession<S>,
    id: Path<ProjectId>,
    mut body: KeyedBody,
) -> Answer {
    let with = body.read_or_default::<ActivateJson>().await?.into_choice(state.keys.as_ref())?;
    let guesses = Limit { bucket: state.keys.guesses_bucket(who.id()), rate: state.policy.guesses_per_tenant };
    let request = ActivateProject { tenant: who.id(), project: *id, with, guesses: Some(guesses) };
    let was_active = Cell::new(false);
    // A repeat of an activation answers as it did.
    let answer = body.harmless().answer_once(&state, who.context(&state), async |store, cx| {
        let project = activate_project(store, cx, state.keys.as_ref(), &request).await?;
        was_active.set(project.started_at != Some(cx.now));
        Ok(HttpResponse::Ok().json(ProjectJson::from(project)))
    });
    let answer = answer.await?;
    Ok(if was_active.get() { answered_again(answer) } else { answer })
}

/// Undoes an activation, within what the policy lets a tenant do by itself.
pub(crate) async fn give_back<S: Store>(state: State<S>, who: TenantSession<S>, id: Path<ProjectId>, body: KeyedBody) -> Answer {
    let (policy, bucket) = (&state.policy, state.keys.returns_bucket(who.id()));
    let limits = ReturnLimits { grace: policy.return_grace, bucket, rate: policy.returns_per_tenant };
    body.answer_once(&state, who.context(&state), async |store, cx| {
        let project = return_own_activation(store, cx, who.id(), *id, &limits).await?;
        Ok(HttpResponse::Ok().json(ProjectJson::from(project)))
    })
    .await
}
