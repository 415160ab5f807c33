//! The one-time link that makes an owner. Its token stands in the path, which no log shows.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header::USER_AGENT},
    web::{self, Path},
};
use serde::{Deserialize, Serialize};
use tenantry_auth::{NewOwner, bootstrap_operator, find_bootstrap_link};
use tenantry_domain::{Email, OperatorName, Timestamp, ports::Store};
use utoipa::ToSchema;

use super::admin::auth::SignedInJson;
use crate::{
    body::JsonBody,
    endpoints::{Answer, State},
    errors::ErrorCode,
    extract::Stranger,
    observer::Occasion,
    operation::{Operation, get, post},
    problem::{Fields, Problem},
    schema,
};

pub(crate) fn operations<S: Store>() -> Vec<Operation> {
    vec![
        get("/bootstrap/{token}", web::to(read::<S>))
            .door()
            .says(
                "Read a bootstrap link",
                "Whether the link is open, until when, and what to send to use it. A link that is unknown, expired or used is not found.",
            )
            .path_parameter::<schema::BootstrapToken>("token")
            .answers::<BootstrapLinkJson>(StatusCode::OK),
        post("/bootstrap/{token}", web::to(make_owner::<S>))
            .door()
            .counted(Occasion::Bootstrap)
            .says("Use a bootstrap link", "Makes an owner, once, and signs it in.")
            .path_parameter::<schema::BootstrapToken>("token")
            .body::<NewOwnerJson>()
            .answers::<SignedInJson<'_>>(StatusCode::CREATED)
            .refuses(&[ErrorCode::Conflict]),
    ]
}

/// A link that is open.
#[derive(Serialize, ToSchema)]
#[schema(as = BootstrapLink)]
struct BootstrapLinkJson {
    /// `first_operator`, for a portal that has none, or `recovery`, for one more owner.
    #[schema(value_type = schema::BootstrapPurpose)]
    purpose: &'static str,
    /// Open until then, exclusive, and until it is used.
    #[schema(value_type = schema::Moment)]
    expires_at: Timestamp,
    /// What to do with it, for people.
    #[schema(value_type = String)]
    next: &'static str,
}

/// The owner to be made.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewOwner)]
#[serde(deny_unknown_fields)]
struct NewOwnerJson {
    /// What it is called.
    #[schema(min_length = 1, max_length = 100, example = "Ada Lovelace")]
    name: String,
    /// What it signs in with, and where its one-time passwords go.
    #[schema(max_length = 254, example = "ada@portal.example")]
    email: String,
}

impl NewOwnerJson {
    fn parse(&self) -> Result<NewOwner, Problem> {
        let mut fields = Fields::default();
        let name = fields.take("/name", OperatorName::parse(&self.name));
        let email = fields.take("/email", Email::parse(&self.email));
        match (name, email) {
            (Some(name), Some(email)) => Ok(NewOwner { name, email }),
            _ => Err(fields.into_problem()),
        }
    }
}

/// Says what the link is for, and leaves it open.
pub(crate) async fn read<S: Store>(state: State<S>, _: Stranger<S>, token: Path<String>) -> Answer {
    let link = find_bootstrap_link(&state.store, state.clock.now(), &state.keys, &token).await?;
    Ok(HttpResponse::Ok().json(BootstrapLinkJson {
        purpose: link.purpose.as_str(),
        expires_at: link.expires_at,
        next: "POST {\"name\": \"..\", \"email\": \"..\"} as JSON to this address: it makes you an owner, and answers a session",
    }))
}

/// Makes an owner, and signs it in.
pub(crate) async fn make_owner<S: Store>(
    state: State<S>,
    who: Stranger<S>,
    request: HttpRequest,
    token: Path<String>,
    body: JsonBody,
) -> Answer {
    let owner = body.read::<NewOwnerJson>().await?.parse()?;
    let cx = who.context(&state);
    let agent = request.headers().get(USER_AGENT).and_then(|agent| agent.to_str().ok());
    let signed_in = bootstrap_operator(&state.store, &cx, &state.keys, &state.policy, &token, owner, agent).await?;
    let location = format!("/api/admin/operators/{}", signed_in.account.id);
    Ok(HttpResponse::Created().insert_header(("location", location)).json(SignedInJson::new(&signed_in, &state.policy)))
}
